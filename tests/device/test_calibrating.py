"""Calibration by watching: on a simulated person with sensors mounted any way round, against the truth."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import posed
import pytest
from scipy.spatial.transform import Rotation

from analytics.motion.angles import axes
from analytics.wearing.placement import Placement, wrong_places
from device.calibration.calibrating import CalibrationWatch, Step
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


def performed(
    head: list[tuple[float, float]],
    back: list[tuple[float, float]],
    mounts: dict[str, Rotation] | None = None,
    after_s: int = 0,
) -> list[SampleMessage]:
    """Return half a minute of messages of a person whose head and back do as told."""
    start_us = posed.START_US + after_s * 1_000_000
    batches = [
        posed.batch(segment, posed.eased(leans, 34), mount=(mounts or {}).get(segment), start_us=start_us)
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


BOW = [(8.0, 35.0), (11.0, 0.0)]
MOUNTS = {name: Rotation.from_euler("x", 60 * i, degrees=True) for i, name in enumerate(("head", "c7", "t4"))}
BEFORE = posed.calibration(MOUNTS, ("head", "c7", "t4", "lumbar"))


def fed(watching: CalibrationWatch, messages: list[SampleMessage]) -> bool:
    """Feed all of them; return whether a calibration was made."""
    return sum(watching.feed(message) is not None for message in messages) > 0


def calibrated(watching: CalibrationWatch, mounts: dict[str, Rotation], after_s: int = 0) -> bool:
    return fed(watching, performed(BOW, BOW, mounts, after_s))


def test_exchanged_sensors_are_asked_about_once_and_believed_when_nothing_changes() -> None:
    watching = CalibrationWatch(BEFORE)
    crossed = MOUNTS | {"c7": MOUNTS["head"], "head": MOUNTS["c7"]}
    assert not calibrated(watching, crossed)
    assert "C7 and head seem to be exchanged" in watching.remark
    assert [f.what for f in watching.findings] == [Placement.EXCHANGED]
    assert calibrated(watching, crossed, 60)
    assert "C7 and head seem to be exchanged" in watching.remark
    mended = CalibrationWatch(BEFORE)
    assert not calibrated(mended, crossed)
    assert calibrated(mended, MOUNTS, 60)
    assert (mended.remark, mended.findings) == ("", ())


def test_a_crooked_sensor_is_told_and_calibrated() -> None:
    watching = CalibrationWatch(BEFORE)
    assert calibrated(watching, MOUNTS | {"t4": MOUNTS["t4"] * Rotation.from_euler("y", 40, degrees=True)})
    assert "The sensor for T4 sits turned by 40°" in watching.remark
    over = CalibrationWatch(BEFORE)
    assert calibrated(over, MOUNTS | {"c7": Rotation.from_euler("x", 180, degrees=True) * MOUNTS["c7"]})
    assert "C7 is upside down" in over.remark


def test_the_nod_of_another_sensor_than_the_heads_is_noticed() -> None:
    level = [(0.0, 0.0)]
    nod = performed(level, [(8, 35), (11, 0)])
    named = {"head": "t4", "t4": "head"}
    moved = posed.batch("t4", posed.eased([(18, 35), (21, 0)], 34))
    for i in range(17, 34):
        t4 = moved.part(50 * i, 50 * i + 50)
        nod[i] = replace(nod[i], batches=tuple(t4 if b.segment == "t4" else b for b in nod[i].batches))
    watching = CalibrationWatch()
    assert not fed(watching, nod)
    assert [f.segments for f in watching.findings] == [tuple(sorted(named))]
    assert "head and T4 seem to be exchanged" in watching.remark
    bow = [*BOW, (18, 35), (21, 0)]
    misread = CalibrationWatch()
    for message in performed(level, bow):
        misread.feed(message)
    assert not misread.findings, "who bows again instead of nodding wears the head's sensor on the head"


@pytest.mark.parametrize("seed", range(6))
def test_on_simulated_people_only_sensors_that_were_exchanged_are_called_so(seed: int) -> None:
    before, wearer, _ = watch("desk", seed, 20)
    assert before is not None
    sent = list(wearer.to_messages(START_US + 100_000_000, "s", stop_s=20))
    again = CalibrationWatch(before)
    assert fed(again, sent)
    assert again.findings == ()
    ups = {name: axes(a.q_sensor_from_segment)[2] for name, a in before.alignments.items()}
    for pair in combinations(ups, 2):
        other = {pair[0]: pair[1], pair[1]: pair[0]}
        watching = CalibrationWatch(before)
        for message in sent:
            watching.feed(renamed(message, other, before))
        apart = np.degrees(np.arccos(ups[pair[0]] @ ups[pair[1]]))
        print(pair, round(float(apart)), watching.remark)
        assert {f.segments for f in wrong_places(watching.findings)} <= {tuple(sorted(pair))}
        if apart > 40:
            assert "exchanged" in watching.remark


def renamed(message: SampleMessage, other: dict[str, str], known: Calibration) -> SampleMessage:
    """The same message with two sensors on each other's places."""
    batches = [
        replace(b, segment=name, sensor=known.alignments[name].sensor)
        for b in message.batches
        for name in [other.get(b.segment, b.segment)]
    ]
    return replace(message, batches=tuple(batches))
