import msgspec
import numpy as np
import pytest
from dashboards_fakes import SEGMENTS, FakeWearer

from dashboards.live import LivePosture
from dashboards.palette import Tone
from ingest.judging.telling import live_notice
from poise.notices import Live, decode, encode
from poise.results import GRID_US, JUDGED, Activity, Kind, PostureFrames

T0 = 1_795_000_000_000_000


def sit(posture, body, seconds, start=T0):
    for i in range(1, seconds + 1):
        posture.take(decode(encode(body.second(start + i * 1_000_000)), Live))
    return start + seconds * 1_000_000


def test_upright_then_drifting_then_sustained():
    posture, body = LivePosture(), FakeWearer()
    now = sit(posture, body, 5)
    assert posture.now(now).title == "Near your upright"
    body.kind = Kind.FORWARD_HEAD
    now = sit(posture, body, 40, now)
    said = posture.now(now)
    assert said.tone is Tone.DRIFTING
    assert said.sentence.startswith("Head forward 1")
    assert said.sentence[-4:] in ("39 s", "40 s")
    assert "40" not in said.alternative
    now = sit(posture, body, 30, now)
    assert posture.now(now).tone is Tone.SUSTAINED


def test_an_episode_that_began_before_the_page_was_opened_counts():
    posture = LivePosture()
    now = sit(posture, FakeWearer(kind=Kind.SLOUCH), 8)
    said = posture.now(now, {Kind.SLOUCH: now - 300_000_000})
    assert said.sentence.endswith("for 5 min")
    assert said.tone is Tone.SUSTAINED


def test_silence_lost_sensors_and_a_missing_calibration_are_said():
    posture, body = LivePosture(), FakeWearer(lost=frozenset({"scapula_left"}))
    assert posture.now(T0).title == "Waiting for the sensors"
    now = sit(posture, body, 3)
    assert "scapula_left" not in posture.angles
    assert posture.now(now + 2_900_000).tone is Tone.UPRIGHT
    assert posture.now(now + 3_100_000).title == "No live data"
    bare = LivePosture()
    now = sit(bare, FakeWearer(calibration=""), 3)
    assert bare.now(now).title == "Not calibrated yet"


def test_nobody_is_called_upright_who_walks_lies_moves_or_wears_no_sensor():
    posture, body = LivePosture(), FakeWearer(activity=Activity.UPRIGHT)
    now = sit(posture, body, 3)
    assert (posture.now(now).title, posture.now(now).doing) == ("Near your upright", "Sitting or standing")
    for activity in set(Activity) - set(JUDGED):
        body.activity = activity
        now = sit(posture, body, 7, now)
        said = posture.now(now)
        assert said.tone is Tone.UNKNOWN
        assert "upright" not in (said.title + said.sentence + said.alternative + said.doing).lower()
        assert "not judged" in said.alternative
    body.activity, body.kind = Activity.STANDING, Kind.SLOUCH
    now = sit(posture, body, 8, now)
    assert (posture.now(now).title, posture.now(now).doing) == ("Drifting forward", "Standing, an estimate")
    body.activity = Activity.MOVING
    now = sit(posture, body, 1, now)
    assert posture.now(now).title == "Drifting forward"  # one moves into a posture
    body.activity, body.calibration = Activity.NOT_WORN, ""
    assert posture.now(sit(posture, body, 1, now)).title == "Not worn"


def test_what_cannot_be_told_is_said_and_advice_ends_with_the_live_data():
    posture, body = LivePosture(), FakeWearer(advice=("Sit tall for five seconds.",), lost=frozenset({"t4"}))
    now = sit(posture, body, 4)
    assert posture.now(now).sentence == "As far as can be told without T4."
    assert posture.advice_at(now) == ("Sit tall for five seconds.",)
    assert not posture.advice_at(now + 3_100_000)
    old = FakeWearer().second(T0)
    posture.take(old)
    assert posture.advice_at(now) == ("Sit tall for five seconds.",)
    body.lost = frozenset(SEGMENTS)
    assert posture.now(sit(posture, body, 1, now)).title == "Posture is not judged now"


def test_traces_hold_two_minutes_and_the_right_differences():
    posture = LivePosture()
    sit(posture, FakeWearer(kind=Kind.FORWARD_HEAD), 130)
    times, neck = posture.traces("neck")
    assert len(times) == 1200
    assert sum(neck[-300:]) / 300 == pytest.approx(0.244, abs=0.01)


def test_an_ill_shaped_notice_is_passed_over():
    posture = LivePosture()
    live = FakeWearer().second(T0)
    for broken in ({"t_us": live.t_us[:-1]}, {"sagittal": live.sagittal[:-1]}, {"t_us": [], "kinds": []}):
        posture.take(msgspec.structs.replace(live, **broken))
    assert posture.last_us == 0


def test_the_notice_is_read_as_ingest_writes_it():
    frames = PostureFrames(
        0, "cal-1", ("head", "c7"), np.array([T0, T0 + GRID_US, T0 + 2 * GRID_US]),
        np.array([[0.1, 0.2], [0.1, np.nan], [0.3, 0.4]]), np.zeros((3, 2)), (), np.zeros((3, 0), np.bool_),
    )  # fmt: skip
    posture = LivePosture()
    posture.take(live_notice(frames, "worn"))
    assert posture.angles == {"head": 0.3, "c7": 0.4}
    assert posture.last_us == T0 + 2 * GRID_US


def test_a_notice_that_comes_twice_changes_nothing():
    posture, body = LivePosture(), FakeWearer()
    live = body.second(T0)
    posture.take(live)
    posture.take(live)
    assert len(posture.traces("neck")[0]) == 10
