"""Simulate, replay and record: the same samples and the same results, however often and however fast.

What the tests look at (`house_shop`) is made in the background.
"""

import asyncio
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from house_shop import Results, Shop, results

from device.recordings.recording import Record, RecordingReader, RecordingWriter
from ingest.mqtt.embedded import EmbeddedBroker
from poise.calibration import Verdict
from poise.cli import data, parts
from poise.cli.settings import BrokerPart, load
from poise.notices import CalibrationNotice
from poise.samples import ImuBatch, SampleMessage, merge
from poise.wire import decode_samples

pytestmark = pytest.mark.timeout(240)


def whole(messages: Iterable[Record]) -> dict[str, ImuBatch]:
    """Join everything that a sensor sent; times, counts and flags are what matters, not their portions."""
    sensors: dict[str, list[ImuBatch]] = {}
    for message in messages:
        for batch in message.batches if isinstance(message, SampleMessage) else ():
            sensors.setdefault(batch.sensor, []).append(replace(batch, calibration=""))
    return {sensor: replace(merge(batches), period_ns=1) for sensor, batches in sensors.items()}


@pytest.fixture(scope="module")
def shop(begun_shop: "Future[Shop]") -> Shop:
    return begun_shop.result(230)


def test_a_simulated_recording_is_whole_labelled_and_calibrated(shop: Shop) -> None:
    reader = RecordingReader(shop.original)
    records = list(reader)
    assert reader.complete
    assert reader.header.origin == "simulated"
    assert [r.calibration.verdict for r in records if isinstance(r, CalibrationNotice)] == [Verdict.GOOD]
    assert {r.origin for r in records if isinstance(r, SampleMessage)} == {"simulated"}


def test_the_stored_samples_are_the_recordings(shop: Shop) -> None:
    expected = whole(RecordingReader(shop.original))
    assert len(expected) == 6
    sessions = shop.rows("SELECT DISTINCT session FROM messages WHERE wearer = 'home/P-SIM'")
    assert len(sessions) == 2
    for (session,) in sessions:
        stored = shop.rows("SELECT payload FROM messages WHERE session = ? ORDER BY sequence", session)
        assert whole(decode_samples(payload) for (payload,) in stored) == expected


def test_what_the_wearer_did_is_found(shop: Shop) -> None:
    found = shop.rows("SELECT episode FROM episodes WHERE wearer = 'home/P-SIM' ORDER BY start_us")
    sql = (
        "SELECT episode ->> 'kind', start_us, end_us FROM episodes "
        "WHERE wearer = 'home/P-SIM' ORDER BY start_us"
    )
    truth = shop.truth.episodes()
    assert len(found) == len(truth) == 2
    for (kind, start_us, end_us), true in zip(shop.rows(sql), truth, strict=True):
        assert kind == true.kind
        times = np.array([start_us, end_us]) - shop.truth.start_us
        assert times / 1e6 == pytest.approx([true.start_s, true.end_s], abs=1.0)


def test_played_again_nothing_is_doubled(shop: Shop) -> None:
    assert shop.again == shop.first
    assert all(shop.first)


def test_twenty_times_as_fast_the_results_are_the_same(shop: Shop) -> None:
    assert results(shop.path, "P-TWO") == shop.first


def test_a_recording_of_a_replay_holds_the_same_samples(shop: Shop) -> None:
    reader = RecordingReader(shop.recorded)
    records = list(reader)
    assert reader.complete
    assert whole(records) == whole(RecordingReader(shop.original))
    notices = [
        [r.calibration for r in read if isinstance(r, CalibrationNotice)]
        for read in (records, RecordingReader(shop.original))
    ]
    assert notices[0] == notices[1]


def cut_anew(records: Iterable[Record], seconds: float) -> Iterator[Record]:
    """Cut every message into pieces of so many seconds."""
    for record in records:
        if not isinstance(record, SampleMessage) or record.first_us is None:
            yield record
            continue
        last_us = max(int(batch.t_us[-1]) for batch in record.batches)
        for start in range(record.first_us, last_us + 1, round(seconds * 1e6)):
            pieces = []
            for batch in record.batches:
                i, j = np.searchsorted(batch.t_us, (start, start + round(seconds * 1e6)))
                if j > i:
                    pieces.append(batch.part(int(i), int(j)))
            if pieces:
                yield replace(record, batches=tuple(pieces))


async def ingested(folder: Path, recording: Path) -> Results:
    async with EmbeddedBroker(0) as broker:
        settings = load(data=folder, broker=BrokerPart(port=broker.settings.port, embedded=True))
        async with parts.ingesting(settings, broker.settings) as (ingest, _):
            await ingest.until_connected()
            assert await data.play(recording, 0, settings, as_if_now=False, patient="") == 0
    return results(folder / "poise.db")


@pytest.mark.parametrize("seconds", [0.5, 0.13])
async def test_other_portions_change_no_bit_of_the_results(
    shop: Shop, tmp_path: Path, seconds: float
) -> None:
    reader = RecordingReader(shop.original)
    with RecordingWriter(tmp_path / "cut.poise", reader.header) as writer:
        for record in cut_anew(reader, seconds):
            writer.write(record)
    assert writer.tally.records > 90 / seconds
    found = await asyncio.wait_for(ingested(tmp_path / "data", tmp_path / "cut.poise"), 60)
    assert found == shop.first
