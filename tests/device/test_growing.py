"""Messages that grow: the same samples in fewer messages, on disk each second, whatever ends the program."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from device.spooling.growing import grown
from device.spooling.spool import DiskSpool
from device.wearer.wearer import Wearer
from poise.notices import Stored
from poise.samples import Gap, SampleMessage
from poise.skeleton import Segment
from poise.wire import MAX_BYTES, decode_samples, encode_samples

START_US = 1_790_000_000_000_000
TEN_S = 10_000_000


def worn(seconds: int, segments: tuple[str, ...] = ("head", "c7")) -> list[SampleMessage]:
    wearer = Wearer("desk", seed=3, segments=segments, rate_hz=50.0)
    return list(wearer.to_messages(START_US, "s1", stop_s=seconds))


def columns(messages: list[SampleMessage], segment: str) -> tuple[np.ndarray, np.ndarray]:
    batches = [batch for m in messages for batch in m.batches if batch.segment == segment]
    return np.concatenate([b.t_us for b in batches]), np.concatenate([b.acc for b in batches])


def left(spool: DiskSpool) -> list[SampleMessage]:
    return [decode_samples(waiting.payload) for waiting in spool.after(-1, 100)]


def test_ten_seconds_leave_as_one_message_with_every_sample(tmp_path: Path) -> None:
    spool, messages = DiskSpool(tmp_path / "spool.db"), worn(40)
    spool.longest_us = TEN_S
    sequences = [spool.put(message) for message in messages]
    spool.settle()
    whole = left(spool)
    assert [m.sequence for m in whole] == [0, 1, 2, 3]
    assert sequences == [k // 10 for k in range(40)]
    assert all(len(m.batches) == 2 for m in whole)
    for segment in ("head", "c7"):
        for before, after in zip(columns(messages, segment), columns(whole, segment), strict=True):
            assert (before == after).all()


def test_many_fast_sensors_fill_a_message_before_its_time(tmp_path: Path) -> None:
    spool = DiskSpool(tmp_path / "spool.db")
    spool.longest_us = 60_000_000
    segments = tuple(str(segment) for segment in Segment)[:10]
    messages = list(
        Wearer("desk", seed=3, segments=segments, rate_hz=100.0).to_messages(START_US, "s1", stop_s=40)
    )
    for message in messages:
        spool.put(message)
    spool.settle()
    whole = left(spool)
    assert len(whole) == 3
    assert sum(m.samples for m in whole) == sum(m.samples for m in messages)
    assert max(len(encode_samples(m)) for m in whole) < MAX_BYTES


def test_what_still_grows_is_on_disk_and_does_not_leave(tmp_path: Path) -> None:
    spool = DiskSpool(tmp_path / "spool.db")
    spool.longest_us = TEN_S
    for message in worn(13):
        spool.put(message)
    assert [m.sequence for m in left(spool)] == [0]
    assert spool.depth() == 2
    spool.close()
    again = DiskSpool(tmp_path / "spool.db")
    assert [(m.sequence, m.samples) for m in left(again)] == [(0, 1000), (1, 300)]
    assert again.put(worn(14)[13]) == 2, "another program's message never grows"


def test_a_look_lets_the_seconds_leave_at_once(tmp_path: Path) -> None:
    spool, messages = DiskSpool(tmp_path / "spool.db"), worn(8)
    spool.longest_us = TEN_S
    for message in messages[:3]:
        spool.put(message)
    spool.longest_us = 0
    assert [m.samples for m in left(spool)] == [300]
    assert spool.confirm(Stored(session="s1", through=0, highest=0)) == 1
    assert [spool.put(message) for message in messages[3:5]] == [1, 2]
    spool.longest_us = TEN_S
    assert [spool.put(message) for message in messages[5:]] == [3, 3, 3]


def test_one_that_nothing_follows_leaves_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 100.0
    monkeypatch.setattr("device.spooling.spool.time.monotonic", lambda: now_s)
    spool = DiskSpool(tmp_path / "spool.db")
    spool.longest_us = TEN_S
    spool.put(worn(1)[0])
    assert not left(spool)
    now_s += 12.1
    assert len(left(spool)) == 1
    assert spool.put(worn(2)[1]) == 1, "what has left must not grow"


def test_gaps_end_a_batch_and_go_with_the_message() -> None:
    first, _, third = worn(3)
    lost = Gap(first.batches[0].sensor, "head", START_US + 980_000, START_US + 2_000_000, 50)
    whole = grown(first, replace(third, gaps=(lost,)), TEN_S)
    assert whole is not None
    assert whole.gaps == (lost,)
    assert [len(batch) for batch in whole.batches if batch.segment == "head"] == [50, 50]
    assert decode_samples(encode_samples(whole)) == whole


@pytest.mark.parametrize(
    "change",
    [{"session": "s2"}, {"origin": "worn"}, {"kept": True}],
    ids=["another session", "another origin", "kept by the sensor"],
)
def test_what_must_stay_apart_stays_apart(change: dict[str, object]) -> None:
    first, second = worn(2)
    assert grown(first, second, TEN_S) is not None
    assert grown(first, replace(second, **change), TEN_S) is None


def test_a_clock_that_was_set_begins_another_message_or_batch() -> None:
    first, second = worn(2)
    for shift_us, alone in ((-5_000_000, True), (60_000_000, True), (3_000_000, False)):
        moved = replace(second, batches=tuple(replace(b, t_us=b.t_us + shift_us) for b in second.batches))
        whole = grown(first, moved, TEN_S)
        assert (whole is None) == alone
        if whole is not None:
            assert len(whole.batches) == 4


def test_ticks_that_jump_begin_another_batch() -> None:
    first, second = worn(2)
    jumped = tuple(replace(batch, first_tick=batch.first_tick + 9_000_000) for batch in second.batches)
    whole = grown(first, replace(second, batches=jumped), TEN_S)
    assert whole is not None
    assert len(whole.batches) == 4


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = {path!r}
from test_growing import TEN_S, worn
from device.spooling.spool import DiskSpool
spool = DiskSpool(Path(sys.argv[1]))
spool.longest_us = TEN_S
for message in worn(17):
    spool.put(message)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is a POSIX signal")
def test_a_killed_program_loses_no_second(tmp_path: Path) -> None:
    here = str(Path(__file__).parent)
    code = KILLED.format(path=[here, str(Path(here).parent), str(Path(here).parents[1])])
    ended = subprocess.run([sys.executable, "-c", code, str(tmp_path / "spool.db")], check=False)
    assert ended.returncode == -9
    assert sum(m.samples for m in left(DiskSpool(tmp_path / "spool.db"))) == 17 * 100


def test_a_full_spool_gives_up_old_messages_and_keeps_the_one_that_grows(tmp_path: Path) -> None:
    spool = DiskSpool(tmp_path / "spool.db", max_bytes=40_000)
    spool.longest_us = TEN_S
    for message in worn(125):
        spool.put(message)
    spool.settle()
    there = left(spool)
    assert spool.dropped
    stored = sum(m.samples for m in there)
    missing = sum(gap.count or 0 for m in there for gap in m.gaps)
    assert there[-1].batches[-1].t_us[-1] == columns(worn(125), "c7")[0][-1]
    owed = 125 * 100 - stored - missing
    assert 0 <= owed <= 1000, "only what was given up last is still to be told"
