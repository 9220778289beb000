"""Episodes against a frame-by-frame oracle, in any chunks, with holes, silent sensors and a restart."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.posture.judge import Judge
from analytics.posture.plan import Plan
from analytics.posture.rules import KINDS, Worn
from analytics.state import restore, save
from poise.results import ACTIVITIES, GRID_US, JUDGED, Activity, Episode, Kind

PLAN = Plan(dwell_s=1.0, recover_s=0.4, moving_s=0.8, absent_s=2.0)
DWELL, RECOVER, PATIENCE = 10, 4, 8
FIRST = 17_900_000_000
SITTING, WALKING, STANDING, MOVING = (
    ACTIVITIES.index(a) for a in (Activity.SITTING, Activity.WALKING, Activity.STANDING, Activity.MOVING)
)
C7 = Worn({"c7": 0}, {})
HEAD = KINDS.index(Kind.FORWARD_HEAD)


def judged(frames, sagittal, worn=C7, activity=None, cuts=(), plan=PLAN, frontal=None, again=False):
    """Return what is held (n, kinds) and the newest state of each episode."""
    judge, episodes, held = Judge(plan, 77, "c1"), {}, []
    sagittal = np.radians(np.asarray(sagittal, float).reshape(len(frames), -1))
    frontal = np.zeros_like(sagittal) if frontal is None else np.radians(frontal)
    edges = [0, *sorted(set(cuts)), len(frames)]
    for a, b in pairwise(edges):
        doing = None if activity is None else activity[a:b]
        found = judge.update(frames[a:b], sagittal[a:b], frontal[a:b], worn, doing)
        held.append(found.held)
        episodes |= {e.id: e for e in found.episodes}
        judge = restore(save(judge), Judge) if again else judge
    episodes |= {e.id: e for e in judge.finish()}
    return np.concatenate(held), sorted(episodes.values(), key=lambda e: (e.start_us, e.kind))


def oracle(frames, degrees, activity):
    """Say it one frame at a time: forward head by C7 alone, 10 degrees, released at 7."""
    on, seen_at, spell, found, calm = False, -(10**18), None, [], int(frames[0]) - 1
    seen_frames = [int(f) for f, d in zip(frames, degrees, strict=True) if not math.isnan(d)]

    ended, lead, before = -(10**18), 0, -1

    def close():
        if spell and spell["detected"] is not None:
            found.append(spell)
        return spell["last"] if spell else ended

    for frame, degree, act in zip(frames.tolist(), degrees, activity, strict=True):
        silent = frame - seen_at > RECOVER
        lead, before = lead if frame == before + 1 else 0, frame
        calm = calm if act == MOVING else frame
        way = act == MOVING and frame - calm <= PATIENCE
        if math.isnan(degree):
            on, lead = on and not silent, 0
            continue
        on = degree >= 10 or (on and not silent and degree >= 7)
        seen_at = frame
        passed = on and not (way or ACTIVITIES[act] in JUDGED)
        if not on or passed:
            lead = min(lead + 1, PATIENCE) if passed else 0
            continue
        if spell is None or frame - spell["last"] > RECOVER:
            ended = close()
            begun = max(frame - lead, min(frame, ended + RECOVER + 1))
            spell = {"start": begun, "hits": [], "detected": None}
        spell["last"], lead = frame, 0
        spell["hits"].append((frame, degree, act))
        lasted = frame - spell["start"] + 1
        if spell["detected"] is None and lasted >= DWELL and 2 * len(spell["hits"]) >= lasted:
            spell["detected"] = frame
    close()
    for one in found:
        one["seen"] = sum(one["start"] <= f <= one["last"] for f in seen_frames)
    return found


STRETCH = st.tuples(
    st.sampled_from([math.nan, 2.0, 8.0, 10.5, 15.0]),
    st.integers(1, 14),
    st.sampled_from([SITTING, SITTING, STANDING, WALKING, MOVING]),
    st.sampled_from([0, 0, 0, 2, 3, 9]),
)


@st.composite
def sessions(draw):
    frames, degrees, activity, at = [], [], [], FIRST
    for degree, length, act, hole in draw(st.lists(STRETCH, min_size=1, max_size=14)):
        at += hole
        frames += range(at, at + length)
        degrees += [degree] * length
        activity += [act] * length
        at += length
    cuts = draw(st.lists(st.integers(1, max(1, len(frames) - 1)), max_size=8))
    return np.array(frames), degrees, np.array(activity, np.int8), [c for c in cuts if c < len(frames)]


@settings(max_examples=100, deadline=None)
@given(sessions())
def test_episodes_equal_a_frame_by_frame_oracle_in_any_chunks(session):
    frames, degrees, activity, cuts = session
    held, episodes = judged(frames, degrees, activity=activity, cuts=cuts)
    expected = oracle(frames, degrees, activity)
    assert len(episodes) == len(expected)
    for episode, one in zip(episodes, expected, strict=True):
        angles = np.radians([degree for _, degree, _ in one["hits"]])
        acts = [act for _, _, act in one["hits"]]
        assert episode.start_us == one["start"] * GRID_US
        assert episode.detected_us == (one["detected"] + 1) * GRID_US
        assert episode.end_us == episode.last_us == (one["last"] + 1) * GRID_US
        assert episode.peak_rad == pytest.approx(angles.max(), abs=1e-6)
        assert episode.mean_rad == pytest.approx(angles.mean(), abs=1e-6)
        assert episode.dose_rad_s == pytest.approx(angles.sum() * 0.1, abs=1e-5)
        assert episode.coverage == one["seen"] / (one["last"] - one["start"] + 1)
        assert acts.count(ACTIVITIES.index(episode.activity)) == max(acts.count(a) for a in acts)
    whole_held, whole = judged(frames, degrees, activity=activity)
    assert (held == whole_held).all()
    assert episodes == whole


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 299), max_size=12), st.booleans())
def test_sensors_that_come_late_and_go_silent_change_nothing_by_how_frames_are_grouped(cuts, again):
    # T4 joins after 5 s, the lumbar is silent for 3 s: at first as columns that are not there at all.
    rng = np.random.default_rng(4)
    frames = FIRST + np.arange(300)
    sagittal = np.repeat(rng.choice([0.0, 9.0, 14.0, 25.0], (15, 3)), 20, axis=0)
    sagittal[:50, 1] = np.nan
    sagittal[100:130, 2] = np.nan
    three = Worn({"c7": 0, "t4": 1, "lumbar": 2}, {})
    expected = judged(frames, sagittal, three)
    held, episodes = judged(frames, sagittal, three, cuts=cuts, again=again)
    assert (held == expected[0]).all()
    assert episodes == expected[1]
    late = Judge(PLAN, 77, "c1")
    two = Worn({"c7": 0, "lumbar": 1}, {})
    radians, level = np.radians(sagittal), np.zeros((300, 3))
    first = late.update(frames[:50], radians[:50][:, [0, 2]], level[:50, :2], two)
    rest = late.update(frames[50:], radians[50:], level[50:], three)
    assert (np.concatenate([first.held, rest.held]) == expected[0]).all()
    found = {e.id: e for e in (*first.episodes, *rest.episodes, *late.finish())}
    assert sorted(found.values(), key=lambda e: (e.start_us, e.kind)) == expected[1]


def silenced(column: int, start: int, stop: int, pose: list[float]) -> list[Episode]:
    sagittal = np.tile(pose, (900, 1))
    sagittal[start:stop, column] = np.nan
    worn = Worn({"c7": 0, "t4": 1, "lumbar": 2}, {})
    return judged(FIRST + np.arange(900), sagittal, worn, plan=Plan())[1]


@pytest.mark.parametrize("column", [1, 2])
@pytest.mark.parametrize("pose", [[22.0, 26.0, 3.0], [14.0, 18.0, 16.0]])
def test_a_sensor_silent_for_less_than_the_recovery_time_neither_ends_nor_invents(column, pose):
    (whole,) = silenced(column, 0, 0, pose)
    (episode,) = silenced(column, 300, 319, pose)
    assert (episode.start_us, episode.end_us, episode.kind) == (whole.start_us, whole.end_us, whole.kind)
    assert episode.coverage == pytest.approx(1 - 19 / 900)


def test_a_sensor_silent_for_longer_is_unseen_and_after_a_minute_not_worn():
    slouching = [22.0, 26.0, 3.0]
    assert [e.kind for e in silenced(1, 300, 800, slouching)] == [Kind.SLOUCH, Kind.SLOUCH], (
        "before and after"
    )
    kinds = [(e.kind, e.remarks) for e in silenced(2, 100, 900, slouching)]
    assert kinds == [(Kind.SLOUCH, ()), (Kind.SLOUCH, ("lumbar unseen",))]


def test_moving_into_a_posture_does_not_move_its_start():
    frames, sagittal = FIRST + np.arange(300), np.zeros(300)
    activity = np.full(300, SITTING, np.int8)
    activity[95:130], sagittal[100:] = MOVING, 15.0
    (episode,) = judged(frames, sagittal, activity=activity, plan=Plan())[1]
    assert (episode.start_us, episode.activity) == ((FIRST + 100) * GRID_US, Activity.SITTING)
    activity[60:130] = WALKING
    (walked,) = judged(frames, sagittal, activity=activity, plan=Plan())[1]
    assert (walked.start_us, walked.coverage) == (episode.start_us, 1.0), "a walk ends before one knows"
    activity[:] = MOVING
    assert judged(frames, sagittal, activity=activity, plan=Plan())[1] == []


def test_severity_is_what_it_says():
    (episode,) = silenced(0, 0, 0, [24.0, 0.0, 0.0])
    assert episode.kind is Kind.FORWARD_HEAD
    assert episode.degree_minutes == pytest.approx(24 * 1.5, abs=1e-3)


def test_what_cannot_be_a_number_never_raises():
    rng = np.random.default_rng(2)
    strange = rng.choice([math.nan, 1e300, -1e300, 12.0, 0.0], (200, 3))
    worn = Worn({"c7": 0, "t4": 1, "scapula_left": 2}, {"t4": math.nan, "lumbar": 0.1})
    judge = Judge(Plan(), 0, "")
    for a in range(0, 200, 7):
        rows = slice(a, min(a + 7, 200))
        judge.update(FIRST + np.arange(200)[rows], strange[rows] % 7, strange[rows] % 5, worn)
    assert judge.update(np.zeros(0, np.int64), np.zeros((0, 3)), np.zeros((0, 3)), worn).held.shape == (
        0,
        len(KINDS),
    )
