"""What the wearer does: walking, lying, moving, sitting or standing, and that desk work stays judged."""

from functools import cache

import numpy as np
import pytest
import sitting_recordings as sitting
from worn_days import activities, during, moments, names, part, share, wearer

from analytics.posture.activity import ActivityGate, ActivityLimits
from analytics.posture.stance import height_kernel
from analytics.state import restore, save
from device.wearer import parse_script
from poise.errors import ConfigurationError
from poise.results import ACTIVITIES, JUDGED, Activity

DEFAULT = ("head", "c7", "t4", "lumbar", "scapula_left", "scapula_right")
DAY = """calibration 16 s
forward head 15 s
turn head
stand 15 s
walk 25 s
slouch 30 s
lie 30 s
upright 15 s"""


@cache
def day(seed: int, segments=DEFAULT):
    """Return a short day of everything, simulated."""
    return wearer(parse_script(DAY), seed, 151.0, segments=segments)


@pytest.mark.parametrize("segments", [DEFAULT, ("c7", "t4"), ("head", "lumbar")])
def test_a_day_of_everything_is_told_apart_with_any_two_sensors(segments):
    whole, calibration, labels = day(4, segments)
    codes = activities(whole, calibration)
    by_act = {label.posture: label for label in labels}
    walked = codes[during(whole, by_act["walk"], skip_s=3.0)]
    assert share(walked, Activity.WALKING) >= 0.95
    lain = codes[during(whole, by_act["lie"], skip_s=11.0)]
    assert share(lain, Activity.LYING) == 1.0
    for act in ("forward_head", "turn_head", "slouch"):
        held = codes[during(whole, by_act[act], skip_s=6.0 if act == "slouch" else 0.0)]
        assert share(held, *JUDGED) >= 0.97, act
    seated = np.concatenate([codes[during(whole, by_act[act])] for act in ("calibration", "forward_head")])
    assert share(seated, Activity.WALKING, Activity.STANDING) == 0.0
    assert share(codes[during(whole, by_act["stand"], skip_s=5.0)], Activity.SITTING) == 0.0


def test_sitting_and_standing_are_said_only_after_the_change_was_seen():
    whole, calibration, labels = wearer("distractors", 2, 232.0, segments=("c7", "t4"))
    codes = activities(whole, calibration)
    stood, walked, sat = labels[17], labels[18], labels[24]
    assert (stood.posture, walked.posture, sat.posture) == ("stand", "walk", "reach")
    first = names(codes[during(whole, labels[0])])
    assert set(first) <= {Activity.UNKNOWN, Activity.UPRIGHT, Activity.MOVING}
    assert share(codes[during(whole, stood, skip_s=5.0)], Activity.STANDING) >= 0.95
    assert share(codes[during(whole, sat)], Activity.SITTING) >= 0.95


def test_uncalibrated_walking_is_told_and_lying_against_the_walk():
    whole, _, labels = day(4, ("c7", "t4"))
    codes = activities(whole, None)
    by_act = {label.posture: label for label in labels}
    assert share(codes[during(whole, by_act["walk"], skip_s=3.0)], Activity.WALKING) >= 0.95
    assert share(codes[during(whole, by_act["forward_head"])], Activity.UNKNOWN) == 1.0
    assert share(codes[during(whole, by_act["lie"], skip_s=11.0)], Activity.LYING) == 1.0


def test_a_bumpy_ride_is_not_judged_and_not_walking():
    whole, calibration, _ = wearer(parse_script("upright 40 s"), 3, 40.0, segments=("c7", "t4"))
    bumps = np.random.default_rng(1).normal(0, 0.9, len(whole))
    whole.force[:] += bumps[:, None]
    codes = activities(whole, calibration)[30:]
    assert share(codes, Activity.MOVING) >= 0.9
    assert share(codes, Activity.WALKING) <= 0.05


def test_the_height_of_a_rise_is_found_whatever_the_sensor_s_bias():
    t = np.arange(47) * 0.1
    x = np.clip((t - 1.5) / 1.8, 0, 1)
    force = 0.4 / 1.8**2 * 60 * x * (1 - x) * (1 - 2 * x)
    for bias in (-0.3, 0.0, 0.3):
        assert (height_kernel() * (force + bias)).sum() / 1e6 == pytest.approx(0.4, abs=0.02)


def test_any_chunking_gaps_and_a_restored_state_give_the_same():
    whole, calibration, _ = wearer(parse_script(DAY), 5, 100.0, segments=("c7", "head", "t4"))
    whole.force[300:340, :2] = np.nan
    kept = np.flatnonzero((np.arange(len(whole)) % 97 > 2) & (np.arange(len(whole)) // 45 != 20))
    holed = part(whole, 0, len(whole))
    holed = type(holed)(
        holed.frames[kept],
        holed.segments,
        *(a[kept] for a in (whole.q_earth_from_sensor, whole.up, whole.rate, whole.force, whole.shake)),
    )
    once = activities(holed, calibration)
    for size in (7, 300):
        assert (activities(holed, calibration, size) == once).all(), size
    unseen = np.full(holed.force.shape, np.nan)
    gate, again = ActivityGate(), ActivityGate()
    whole_run = gate.update(holed, unseen, unseen)
    pieces = []
    for i in range(0, len(holed), 150):
        pieces.append(again.update(part(holed, i, i + 150), unseen[i : i + 150], unseen[i : i + 150]))
        again = restore(save(again), ActivityGate)
    assert (np.concatenate(pieces) == whole_run).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_bad_values_never_raise(value):
    whole, calibration, _ = day(4)
    bad = part(whole, 0, 120)
    for name in ("force", "rate", "shake"):
        array = getattr(bad, name).copy()
        array[30:60, ::2] = value
        array[60:70] = value
        bad = type(bad)(**{n: getattr(bad, n) for n in bad.__slots__} | {name: array})
    codes = activities(bad, calibration)
    assert ((codes >= 0) & (codes < len(ACTIVITIES))).all()
    assert len(activities(part(bad, 0, 0), calibration)) == 0


def test_windows_that_cannot_be_are_refused():
    with pytest.raises(ConfigurationError):
        ActivityGate(ActivityLimits(lying_s=60.0))


@pytest.mark.recordings
def test_real_people_sitting_stay_judged():
    sitting.require()
    codes = []
    for subject in sitting.subjects()[:2]:
        session = sitting.load(subject)
        codes += [activities(moments(session.during(trial)), None) for trial in session.trials[:6]]
    assert share(np.concatenate(codes), *JUDGED) >= 0.97
