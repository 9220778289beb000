"""Where sensors sit: exchanged, swapped, crooked and upside down, each from data, or 'cannot tell'."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import posed
import pytest
import sitting_recordings as sitting
from scipy.spatial.transform import Rotation
from sitting_poses import parts

from analytics.wearing.calibration import calibrate
from analytics.wearing.placement import Placement, check_nod, check_sides, compare, indistinct, wrong_places
from device.wearer.script import parse_script
from device.wearer.wearer import Wearer
from poise.calibration import Calibration
from poise.samples import ImuBatch

Parts = dict[str, list[ImuBatch]]
WORN = ("c7", "t4", "lumbar")
MOUNTS = {
    segment: Rotation.from_euler("x", angle, degrees=True)
    for segment, angle in zip(WORN, (0, 70, 140), strict=True)
}


def calibrated(mounts: dict[str, Rotation]) -> Calibration:
    return posed.calibration(mounts, WORN)


def found(now: dict[str, Rotation]) -> list[tuple[Placement, tuple[str, ...]]]:
    return [(f.what, f.segments) for f in compare(calibrated(MOUNTS), calibrated(MOUNTS | now))]


def test_a_new_calibration_is_held_against_the_last_one() -> None:
    turn = Rotation.from_euler("x", 8, degrees=True)
    assert found({}) == found({"t4": MOUNTS["t4"] * turn}) == []
    crooked = Rotation.from_euler("y", 30, degrees=True)
    assert found({"t4": MOUNTS["t4"] * crooked}) == [(Placement.CROOKED, ("t4",))]
    over = Rotation.from_euler("x", 180, degrees=True)
    assert found({"c7": over * MOUNTS["c7"]}) == [(Placement.UPSIDE_DOWN, ("c7",))]
    crossed = {"c7": MOUNTS["lumbar"], "lumbar": MOUNTS["c7"]}
    assert found(crossed) == [(Placement.EXCHANGED, ("c7", "lumbar"))]


def test_sensors_that_hang_alike_cannot_be_told_apart_and_that_is_said() -> None:
    alike = dict.fromkeys(WORN, Rotation.identity())
    assert {f.what for f in indistinct(calibrated(alike))} == {Placement.CANNOT_TELL}
    assert indistinct(calibrated(MOUNTS)) == ()


def test_the_nod_shows_which_sensor_is_the_heads() -> None:
    def nod(degrees: dict[str, float]) -> Parts:
        return {s: [posed.batch(s, posed.eased([(1, d), (4, 0)], 6))] for s, d in degrees.items()}

    assert check_nod(nod({"head": 30, "c7": 4, "t4": 1})) is None
    wrong = check_nod(nod({"head": 2, "c7": 4, "t4": 30}))
    assert wrong is not None
    assert (wrong.what, wrong.segments) == (Placement.EXCHANGED, ("head", "t4"))
    unclear = check_nod(nod({"head": 28, "t4": 32}))
    assert unclear is not None
    assert unclear.what is Placement.CANNOT_TELL
    assert check_nod(nod({"c7": 30})) is check_nod(nod({"head": 0, "c7": 1})) is None


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("pair", [("scapula_left", "scapula_right"), ("upper_arm_left", "upper_arm_right")])
def test_lifting_one_arm_tells_the_sides_on_a_simulated_person(pair: tuple[str, str], seed: int) -> None:
    script = parse_script("upright 2 s\nreach right 4 s")
    wearer = Wearer(script, seed=seed, segments=pair)
    parts: Parts = {name: [] for name in pair}
    for message in wearer.to_messages(posed.START_US, "s"):
        for batch in message.batches:
            parts[batch.segment].append(batch)
    assert check_sides(parts, "right") is None
    renamed = {
        name: [replace(b, segment=name) for b in parts[other]]
        for name, other in zip(pair, pair[::-1], strict=True)
    }
    wrong = check_sides(renamed, "right")
    assert wrong is not None
    assert (wrong.what, wrong.segments) == (Placement.SIDES_SWAPPED, pair)
    resting = {name: [batches[0]] for name, batches in parts.items()}
    for said in (check_sides(resting, "right"), check_sides({}, "left")):
        assert said is not None
        assert said.what is Placement.CANNOT_TELL


def test_bad_data_is_no_finding() -> None:
    dead = [replace(posed.batch("head", np.zeros(100)), acc=np.zeros((100, 3), np.int16))]
    assert check_nod({"head": dead, "t4": []}) is None


@pytest.mark.recordings
@pytest.mark.timeout(400)  # all recordings are read: some 20 s of processor time
def test_of_real_people_who_calibrate_again_no_sensor_is_called_exchanged() -> None:
    """And of two sensors that were, no other is; who hang alike cannot be told apart."""
    sitting.require()
    told = 0
    for subject in sitting.subjects():
        first, second = (again(subject, n) for n in (0, 1))
        assert not wrong_places(compare(first, second)), subject
        for a, b in combinations(sorted(second.alignments), 2):
            alignments = second.alignments | {
                a: replace(second.alignments[b], sensor=second.alignments[a].sensor),
                b: replace(second.alignments[a], sensor=second.alignments[b].sensor),
            }
            found = {f.segments for f in wrong_places(compare(first, replace(second, alignments=alignments)))}
            assert found <= {(a, b)}
            told += len(found)
    assert told > 15, "of 84; most of these sensors hang alike"


def again(subject: int, n: int) -> Calibration:
    """Calibrate with a person's n-th upright and forward bend."""
    session = sitting.load(subject)
    upright, bend = ([t for t in session.trials if t.posture == p][n] for p in ("upright", "forward_bend"))
    return calibrate(parts(session, upright), parts(session, bend), calibration_id=f"c{n}", made_us=n)
