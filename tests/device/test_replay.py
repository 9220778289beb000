"""Replay: pace, sessions, times and origins, on a clock that only the test moves."""

import math
from dataclasses import replace

import numpy as np
import pytest

from device.recordings.recording import RecordingHeader, RecordingReader, RecordingWriter
from device.recordings.replay import Clock, Progress, replay
from device.wearer import Wearer
from poise.errors import ConfigurationError, RecordingError
from poise.notices import CalibrationNotice, SensorStatus
from poise.samples import Gap, SampleMessage

START_US, NOW_US = 1_790_000_000_000_000, 1_800_000_000_000_000
WEARER = Wearer("short", 3, ("c7", "t4"))
CALIBRATION = WEARER.true_calibration(START_US + 2_000_000, "cal-1")


class HandClock:
    def __init__(self):
        self.s, self.slept = 0.0, []

    async def sleep(self, seconds):
        self.slept.append(seconds)
        self.s += seconds

    def clock(self) -> Clock:
        return Clock(lambda: self.s, lambda: NOW_US + round(self.s * 1e6), self.sleep)


def recorded(origin="worn", seconds=8):
    status = SensorStatus(sensor="x", segment="t4", state="streaming", since_us=START_US, last_us=START_US)
    messages = [replace(m, origin=origin) for m in WEARER.to_messages(START_US, "old", seconds)]
    after = [
        replace(m, batches=tuple(replace(b, calibration="cal-1") for b in m.batches)) for m in messages[2:]
    ]
    after[0] = replace(after[0], gaps=(Gap("x", "t4", START_US, START_US + 9, 1),), sequence=40, floor=7)
    return [status, *messages[:2], CalibrationNotice(calibration=CALIBRATION), *after]


async def played(records, **options):
    hand = HandClock()
    said = [(hand.s, r) async for r in replay(records, clock=hand.clock(), **options)]
    return [s for s, _ in said], [r for _, r in said], hand


@pytest.mark.parametrize("speed", [1.0, 4.0, 0.5])
async def test_each_message_comes_when_its_newest_sample_is_due(speed):
    at_s, said, _ = await played(recorded(), speed=speed)
    times = [(s, r) for s, r in zip(at_s, said, strict=True) if isinstance(r, SampleMessage)]
    ends = [max(int(b.t_us[-1]) for b in r.batches) for _, r in times]
    assert [s * speed for s, _ in times] == pytest.approx([(end - ends[0]) * 1e-6 for end in ends], abs=1e-6)


async def test_speed_zero_is_as_fast_as_it_is_taken_and_lets_others_work():
    _, said, hand = await played(recorded(), speed=0)
    assert len(said) == len(hand.slept)
    assert not any(hand.slept)


async def test_a_slow_taker_is_not_made_to_wait_twice():
    hand = HandClock()
    async for _ in replay(recorded(), clock=hand.clock()):
        hand.s += 0.9
    assert hand.s < 10.0


async def test_a_replay_is_a_session_of_its_own_without_holes():
    sessions = set()
    for _ in range(2):
        _, said, _ = await played(recorded(), speed=0)
        messages = [r for r in said if isinstance(r, SampleMessage)]
        assert [m.sequence for m in messages] == list(range(8))
        assert {m.floor for m in messages} == {0}
        sessions |= {m.session for m in messages}
    assert len(sessions) == 2
    assert "old" not in sessions


async def test_times_and_samples_stay_as_they_were():
    records = recorded()
    _, said, _ = await played(records, speed=0)
    for old, new in zip(records, said, strict=True):
        if isinstance(old, SampleMessage):
            assert (new.batches, new.gaps) == (old.batches, old.gaps)
        elif isinstance(old, CalibrationNotice):
            assert new == old


async def test_as_if_now_shifts_everything_by_the_same_time():
    records = recorded()
    _, said, _ = await played(records, as_if_now=True, speed=0, session="abcdefgh12345678")
    shift = NOW_US - records[1].first_us
    assert said[1].first_us == NOW_US
    for old, new in zip(records, said, strict=True):
        if isinstance(old, SensorStatus):
            assert (new.since_us, new.last_us) == (old.since_us + shift, old.last_us + shift)
        elif isinstance(old, CalibrationNotice):
            assert new.calibration.made_us == old.calibration.made_us + shift
            assert new.calibration.id == "cal-1-abcdefgh"
            assert new.calibration.alignments == old.calibration.alignments
        else:
            for a, b in zip(old.batches, new.batches, strict=True):
                assert np.array_equal(a.t_us + shift, b.t_us)
                assert np.array_equal(a.acc, b.acc)
                assert b.calibration == (a.calibration and "cal-1-abcdefgh")
            assert [g.to_us for g in new.gaps] == [g.to_us + shift for g in old.gaps]


@pytest.mark.parametrize(
    ("before", "after"), [("worn", "replayed"), ("simulated", "simulated"), ("replayed", "replayed")]
)
async def test_what_is_replayed_says_so_and_what_is_simulated_stays_simulated(before, after):
    _, said, _ = await played(recorded(before), speed=0)
    assert {r.origin for r in said if isinstance(r, SampleMessage)} == {after}


async def test_progress_is_told_and_damage_comes_after_all_that_is_whole(tmp_path):
    path = tmp_path / "one.poise"
    with RecordingWriter(path, RecordingHeader("a")) as writer:
        for record in recorded():
            writer.write(record)
    data = bytearray(path.read_bytes())
    data[-300] ^= 1
    path.write_bytes(data)
    told: list[Progress] = []
    said = []

    async def take():
        async for record in replay(RecordingReader(path), speed=0, progress=told.append):
            said.append(record)  # noqa: PERF401 - what came before the error is kept

    with pytest.raises(RecordingError, match="damaged at byte"):
        await take()
    assert [p.records for p in told] == list(range(1, 10))
    assert told[-1].samples == sum(r.samples for r in said if isinstance(r, SampleMessage))
    assert told[-1].recorded_s == pytest.approx(6.0, abs=0.05)


@pytest.mark.parametrize("speed", [-1.0, math.inf, math.nan])
async def test_a_speed_that_cannot_be_is_refused(speed):
    with pytest.raises(ConfigurationError, match="speed"):
        await played(recorded(), speed=speed)
