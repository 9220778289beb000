"""Calibration by watching: on a simulated person with sensors mounted any way round, against the truth."""

import numpy as np
import posed
import pytest

from analytics.motion.angles import axes
from device.calibrating import CalibrationWatch, Step
from device.wearer.wearer import Wearer
from poise.calibration import Calibration, Verdict
from poise.samples import SampleMessage

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


def performed(head: list[tuple[float, float]], back: list[tuple[float, float]]) -> list[SampleMessage]:
    """Return half a minute of messages of a person whose head and back do as told."""
    batches = [
        posed.batch(segment, posed.eased(leans, 34))
        for segment, leans in (("head", head), ("c7", back), ("t4", back), ("lumbar", back))
    ]
    return [
        SampleMessage("s", i, tuple(batch.part(50 * i, 50 * i + 50) for batch in batches)) for i in range(34)
    ]


def test_a_head_that_stays_level_in_the_bow_is_asked_to_nod() -> None:
    watching, steps = CalibrationWatch(), []
    for message in performed([(18, 35), (21, 0)], [(8, 35), (11, 0)]):
        made = watching.feed(message)
        steps.append(watching.step)
        if made:
            break
    assert made is not None
    assert (made.verdict, made.method) == (Verdict.GOOD, "static+functional+nod")
    assert [step for i, step in enumerate(steps) if step not in steps[:i]] == [
        Step.SIT_TALL,
        Step.BOW,
        Step.SETTLE,
        Step.NOD,
        Step.DONE,
    ]
    assert axes(made.alignments["head"].q_sensor_from_segment) == pytest.approx(np.eye(3), abs=0.02)


def test_who_does_not_come_back_up_is_told_so() -> None:
    watching = CalibrationWatch()
    halfway = [(8, 35), (12, 0), (13.5, 12)]
    assert not any(watching.feed(message) for message in performed(halfway, halfway))
    assert "come back up" in watching.remark
