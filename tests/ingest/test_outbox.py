"""The outbox for InfluxDB without a server: what waits is not lost; a full one stops the confirmations."""

import asyncio
import re
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from influx_helpers import NOWHERE, T0, dice, some_seconds
from ingest_helpers import WEARER, Shelf, calibration, day, eventually

from analytics.pipeline import Pipeline
from ingest.database.sqlite import Database
from ingest.judging.intake import Intake
from ingest.mqtt.settings import Received
from ingest.results.influxdb import columns, lines, outbox
from ingest.results.influxdb.forwarder import Forwarder
from ingest.results.influxdb.results import InfluxResults
from ingest.results.influxdb.server import InfluxServer
from poise import notices
from poise.errors import StoreUnavailableError
from poise.notices import CalibrationNotice
from poise.results import Results
from poise.seconds import SecondBlock, SecondTable, blocks_of
from poise.topics import Leaf, Wearer
from poise.wire import encode_samples


def test_a_line_stays_one_line_whatever_a_calibration_is_called() -> None:
    odd = replace(some_seconds(dice(1), [T0])[0], calibration="k\n1", stream="a\nb")
    (line,) = lines.lines(Wearer("anna"), "worn\nx", Results(seconds=(odd,)))
    assert b"\n" not in line


@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=4, max_size=40),
    st.integers(-(2**40), 2**40),
    st.text(),
)
def test_what_waits_as_columns_goes_to_the_server_as_the_same_numbers(
    numbers: list[float], t_s: int, name: str
) -> None:
    values = np.array(numbers[: len(numbers) // 4 * 4]).reshape(4, -1)
    n = values.shape[1]
    streams = ("head", f"b {name}")
    block = SecondBlock(t_s + np.arange(n), streams, np.arange(n) % 2, *values, run_us=t_s, calibration=name)
    body = columns.pack(Wearer("P-0142", "clinic"), "worn", block)
    packed = columns.unpack(body)
    assert (packed.wearer, packed.origin, packed.streams) == (Wearer("P-0142", "clinic"), "worn", streams)
    assert list(packed.block()) == list(block)
    text = outbox.text_of(body)
    read = re.findall(rb" mean=(\S+),low=(\S+),high=(\S+),coverage=(\S+?),.* (-?\d+)000000$", text, re.M)
    assert [[float(part) for part in row[:4]] for row in read] == values.T.tolist()
    assert [int(row[4]) for row in read] == block.t_s.tolist()
    results = Results(seconds=SecondTable([block]))
    assert lines.lines(packed.wearer, "worn", results) == text.split(b"\n")


def test_seconds_in_which_nothing_was_seen_do_not_wait(tmp_path: Path) -> None:
    none, no_numbers = np.zeros(0, np.int64), (np.zeros(0),) * 4
    unseen = Results(seconds=SecondTable([SecondBlock(none, ("head",), none, *no_numbers, 1, "k")]))
    database = Database(tmp_path / "poise.db")
    with closing(InfluxServer(NOWHERE)) as server, database.transaction() as c:
        InfluxResults(server, database.path).write(c, WEARER, "worn", unseen)
        assert outbox.first(c) is None
    database.close()


def test_whose_a_row_is(tmp_path: Path) -> None:
    wearer = Wearer("P-0142", "clinic")
    block = next(blocks_of(some_seconds(dice(1), [T0])))
    line = lines.seconds(wearer, "worn", block)
    for body in (columns.pack(wearer, "worn", block), line, zlib.compress(line)):
        assert outbox.whose(body) == wearer


async def test_a_disk_in_trouble_does_not_end_the_forwarder(tmp_path: Path, monkeypatch: Any) -> None:
    @contextmanager
    def full() -> Iterator[None]:
        raise StoreUnavailableError("the disk is full")
        yield

    database = Database(tmp_path / "poise.db")
    with closing(InfluxServer(NOWHERE)) as server:
        forwarder = Forwarder(database, server)
        monkeypatch.setattr(database, "transaction", full)
        task = asyncio.create_task(forwarder.run())
        await eventually(lambda: forwarder.trouble)
        assert not task.done()
        assert forwarder.trouble == "the disk is full"
        task.cancel()
    database.close()


def test_lines_of_an_older_version_wait_in_the_outbox_too(tmp_path: Path) -> None:
    database = Database(tmp_path / "poise.db")
    with database.transaction() as c:
        c.execute("INSERT INTO outbox (body) VALUES (?)", (b"posture_second,site=a mean=1 1",))
        outbox.put(c, [b"x 1", b"y 2"], 10**6)
        batch = outbox.oldest(c, 10)
        assert batch.count == 3
        assert batch.lines == (b"posture_second,site=a mean=1 1", b"x 1", b"y 2")
        assert outbox.oldest(c, 1).upto == 1
        outbox.remove(c, outbox.oldest(c, 2))
        assert outbox.first(c) is None
    database.close()


def taken_until_full(intake: Intake, messages: list[Received]) -> list[Received]:
    """Take messages one by one, and return those that are left when the outbox is full."""
    for i, message in enumerate(messages):
        try:
            intake.take([message])
        except StoreUnavailableError:
            return messages[i:]
    return []


def intake_of(shelf: Shelf, most_bytes: int) -> Intake:
    results = InfluxResults(InfluxServer(NOWHERE), shelf.path, most_bytes)
    return Intake(shelf.database, shelf.journal, results, Pipeline, lambda: shelf.now_us)


def a_slouching_minute() -> list[Received]:
    calibrated = notices.encode(CalibrationNotice(calibration=calibration()))
    payloads = [(Leaf.CALIBRATION, calibrated), *((Leaf.SAMPLES, encode_samples(m)) for m in day(100))]
    return [
        Received(WEARER.topic(leaf), payload, 1, False, i, 1) for i, (leaf, payload) in enumerate(payloads)
    ]


def test_a_full_outbox_stops_the_confirmations_and_loses_nothing(tmp_path: Path) -> None:
    """InfluxDB is away for long: ingest stops at the cap; when there is room, all is as if it never had."""
    straight, capped = Shelf(tmp_path / "a.db"), Shelf(tmp_path / "b.db")
    assert taken_until_full(intake_of(straight, 10**9), a_slouching_minute()) == []
    intake, carried, stops, left = intake_of(capped, 12_000), list[bytes](), 0, a_slouching_minute()
    while left := taken_until_full(intake, left):
        stops += 1
        assert (
            intake.confirmed((WEARER, "g1")).through
            == capped.rows("SELECT max(sequence) FROM messages")[0][0]
        )
        with capped.database.transaction() as c:
            batch = outbox.oldest(c, 10**6)
            assert batch.stored_bytes <= 12_000
            carried += batch.lines
            outbox.remove(c, batch)
    with capped.database.transaction() as c, straight.database.transaction() as d:
        carried += outbox.oldest(c, 10**6).lines
        assert carried == list(outbox.oldest(d, 10**6).lines)
    assert stops > 1
    for shelf in (straight, capped):
        shelf.database.close()
