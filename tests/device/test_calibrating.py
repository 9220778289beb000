"""Calibration by watching: on a simulated person with sensors mounted any way round, against the truth."""

import numpy as np
import pytest

from analytics.motion.angles import axes
from device.calibrating import CalibrationWatch, Step
from device.wearer.wearer import Wearer
from poise.calibration import Calibration, Verdict

START_US = 1_790_000_000_000_000


def watch(script: str, seed: int, seconds: float) -> tuple[Calibration | None, Wearer, CalibrationWatch]:
    wearer, watching = Wearer(script, seed=seed), CalibrationWatch()
    for message in wearer.to_messages(START_US, "s", stop_s=seconds):
        if made := watching.feed(message):
            return made, wearer, watching
    return None, wearer, watching


@pytest.mark.parametrize("seed", range(5))
def test_a_pose_and_a_bow_make_a_good_calibration_near_the_truth(seed: int) -> None:
    made, wearer, watching = watch("desk", seed, 20)
    assert made is not None
    assert (made.verdict, watching.step) == (Verdict.GOOD, Step.DONE)
    true = wearer.true_calibration(0)
    for segment, alignment in made.alignments.items():
        found = axes(alignment.q_sensor_from_segment)
        wanted = axes(true.alignments[segment].q_sensor_from_segment)
        apart = np.degrees(np.arccos(np.clip((found * wanted).sum(axis=1), -1, 1)))
        assert apart[2] < 2.0, f"{segment}: vertical"
        assert apart[0] < 6.0, f"{segment}: forward"


def test_without_a_bow_nothing_is_made_up() -> None:
    made, _, watching = watch("desk", 1, 8)
    assert made is None
    assert watching.step is Step.BOW
