"""Repetitions, circles, holds and ranges of people with a body apart from the simulator's."""

from dataclasses import replace

import numpy as np
import pytest
import sitting_recordings as sitting
from exercisers import Plan, perform

from analytics.exercises.catalogue import EXERCISES, find_exercise
from analytics.exercises.circles import Direction
from analytics.exercises.holds import hold_times
from analytics.exercises.repetitions import RepetitionCounter, count_repetitions
from analytics.exercises.rom import RomTest, range_of_motion
from device.wearer import Wearer
from device.wearer.script import parse_script

ARMS = ("t4", "upper_arm_left", "upper_arm_right")
SHOULDERS = ("t4", "scapula_left", "scapula_right")
NECK = ("head", "t4")


@pytest.mark.parametrize(
    ("plan", "worn", "name"),
    [
        (Plan("squeeze", 8, 2.5, hold_s=2, busy=True), SHOULDERS, "squeeze"),
        (Plan("reverse_fly", 7, 2.0, uneven=0.15, fading=0.3), ARMS, "reverse flyes"),
        (Plan("row", 9, 3.0, amplitude=1.2), (*ARMS, "scapula_left"), "row"),
        (Plan("arm_raise", 6, 4.0, break_after=3), ("wrist_right",), None),
        (Plan("shrug", 12, 1.3), ("scapula_left",), None),
    ],
    ids=lambda value: value.exercise if isinstance(value, Plan) else "",
)
def test_repetitions_are_counted_to_within_one_whatever_is_worn(plan, worn, name):
    done = perform(plan, seed=4, segments=worn)
    found = count_repetitions(done.parts, exercise=find_exercise(name) if name else None)
    assert abs(found.count - plan.reps) <= 1
    assert found.confidence > 0.5
    assert found.segment in worn
    assert len(found.times) == found.count
    assert all(one.start_us < one.end_us for one in found.times)
    if "scapula_right" in worn or "upper_arm_right" in worn:
        assert found.symmetry > 0.8


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("exercise", ["arm_circles", "big_circles"])
@pytest.mark.parametrize("direction", [-1, 1])
def test_circles_tell_their_direction_for_either_arm_and_any_mounting(exercise, direction, side):
    worn = (f"upper_arm_{side}",)
    plan = Plan(exercise, 6, 2.0, direction=direction, sides=(side,))
    done = perform(plan, seed=direction + 5, segments=worn)
    found = count_repetitions(done.parts, done.calibration, exercise=EXERCISES["arm_circles"])
    assert abs(found.count - 6) <= 1
    assert found.direction is (Direction.FORWARD if direction > 0 else Direction.BACKWARD)


def test_one_side_alone_shows_in_the_symmetry():
    done = perform(Plan("arm_raise", 6, 3.0, sides=("left",)), 2, ARMS)
    found = count_repetitions(done.parts, done.calibration)
    assert (found.count, found.segment) == (6, "upper_arm_left")
    assert found.symmetry < 0.2


def test_live_counting_ends_with_the_same_set_in_any_chunks():
    done = perform(Plan("squeeze", 5, 1.6, rest_s=2), 3, SHOULDERS[1:])
    whole = count_repetitions(done.parts, done.calibration, exercise=find_exercise("squeeze"))
    for step in (71, 2000):
        counter, counts = RepetitionCounter(done.calibration, find_exercise("squeeze")), []
        longest = max(len(one[0]) for one in done.parts.values())
        for i in range(0, longest, step):
            pieces = [one[0].part(i, i + step) for one in done.parts.values()]
            counts.append(counter.update([piece for piece in pieces if len(piece)]).count)
        assert counter.finish() == whole
        assert counts[-1] == whole.count == 5
        assert counts == sorted(counts)


def test_walking_and_sitting_are_no_repetitions():
    script = parse_script("upright 5 s\nwalk 30 s\nupright 10 s")
    for worn in (("t4", "upper_arm_left", "upper_arm_right"), ("upper_arm_left",)):
        parts = {}
        for message in Wearer(script, 3, worn).to_messages(0, "s"):
            for batch in message.batches:
                parts.setdefault(batch.segment, []).append(batch)
        assert count_repetitions(parts).count == 0
    assert count_repetitions(perform(Plan("sitting", busy=True), 1, ARMS).parts).count == 0


@pytest.mark.recordings
def test_real_people_sitting_do_no_exercises():
    sitting.require()
    for subject in sitting.subjects()[:1]:
        person = sitting.load(subject)
        for trial in person.trials[::4]:
            parts = {}
            for message in person.during(trial):
                for batch in message.batches:
                    parts.setdefault(batch.segment, []).append(batch)
            assert count_repetitions(parts).count == 0


@pytest.mark.parametrize(("name", "calibrated"), [("neck_side_bend", True), ("neck_rotation", False)])
def test_a_hold_is_timed_to_within_two_seconds(name, calibrated):
    done = perform(Plan(name, 2, 3.0, hold_s=9, pause_s=2), 6, NECK)
    found = hold_times(done.parts, done.calibration if calibrated else None, EXERCISES["neck_stretch"])
    assert [hold.seconds for hold in found.holds] == pytest.approx([9, 9], abs=2.0)
    assert found.confidence > 0.5


@pytest.mark.parametrize(
    ("name", "direction", "usual_deg"),
    [
        ("neck_rotation", "rotation_left", 60),
        ("neck_side_bend", "right", 38),
        ("neck_flexion", "flexion", 48),
    ],
)
def test_the_necks_range_is_right_to_three_degrees_and_says_how_well_it_repeats(name, direction, usual_deg):
    done = perform(Plan(name, 4, 3.0, hold_s=0.5), 8, NECK)
    found = range_of_motion(done.parts, done.calibration, RomTest.NECK)
    assert set(found.directions) == {direction}
    excursion = found.directions[direction]
    true_deg = usual_deg * np.array(done.peaks)
    assert np.degrees(excursion.peaks_rad) == pytest.approx(true_deg, abs=3.0)
    assert excursion.mdc_rad == pytest.approx(2.77 * np.std(excursion.peaks_rad, ddof=1), rel=0.01)


def test_what_cannot_be_seen_is_said_and_bad_data_is_no_error():
    head = perform(Plan("squeeze", 4), 1, ("head",))
    unseen = count_repetitions(head.parts, exercise=EXERCISES["shoulder_blade_squeeze"])
    assert unseen.count == 0
    assert "wear one on the scapula" in unseen.remarks[0]
    assert "wear one" in hold_times(head.parts, None, EXERCISES["chest_stretch"]).remarks[0]
    assert "needs a sensor" in range_of_motion(head.parts, None, RomTest.SHOULDER_LEFT).remarks[0]
    for parts in ({}, {"head": []}, {"head": [head.parts["head"][0].part(0, 3)]}):
        assert count_repetitions(parts).count == 0
        assert hold_times(parts, None, EXERCISES["neck_stretch"]).holds == ()
        assert range_of_motion(parts, None, RomTest.NECK).directions == {}
    jumped = [head.parts["head"][0], replace(head.parts["head"][0], t_us=head.parts["head"][0].t_us + 10**15)]
    assert count_repetitions({"head": jumped}).count == 0
    early, late = head.parts["head"][0].part(0, 200), head.parts["head"][0].part(900, 1100)
    assert count_repetitions({"head": [early], "t4": [late]}).count == 0
