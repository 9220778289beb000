"""Broker, ingest and gateway are killed while samples flow, and every sample is accounted for, once.

The run (`house_night`) is begun in the background with the first test of this folder.
"""

import itertools
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest
from house_night import WHO, Night
from ingest_helpers import Shelf

from device.vendors import movella_dot_frames as dot
from device.vendors.base import Samples
from device.wearer import Wearer as VirtualWearer
from ingest.mqtt.settings import Received
from ingest.reader import LedgerRow
from poise.results import Episode, Kind
from poise.samples import ImuBatch, Int64s, quantise
from poise.topics import Leaf

pytestmark = [pytest.mark.mosquitto, pytest.mark.timeout(240)]
RUN_GAP_US = 5_000_000


@pytest.fixture(scope="module")
def night(begun_night: "Future[Night]") -> Night:
    return begun_night.result(230)


def test_stored_and_missing_are_what_the_sensors_sent(night: Night) -> None:
    ledger: list[LedgerRow] = list(night.reader.ledger(WHO))
    assert len(ledger) == len(night.sent) == 6
    for row in ledger:
        wholly = indices(row.segment, night.batches[row.sensor])
        sent = night.sent[row.sensor]
        print(row, sent, int(wholly[0]), int(wholly[-1]))
        assert row.stored == len(wholly)
        assert row.stored + row.missing == wholly[-1] - wholly[0] + 1
        assert row.missing > 0  # the gateway was killed
        assert wholly[0] == sent.first_index
        assert 0 <= sent.last_index - wholly[-1] <= 3


def indices(segment: str, batches: list[ImuBatch]) -> Int64s:
    """Return which of the sensor's samples are stored, checking each against what the sensor measured."""
    wearer = VirtualWearer("desk", seed=1)
    ticks = wearer.samples_by_index(segment, 0, 6000)[0] % 2**32
    found = []
    for batch in batches:
        start = int(np.argmin(np.abs(ticks - batch.first_tick % 2**32)))
        assert abs(int(ticks[start]) - batch.first_tick % 2**32) < 1000
        found.append(np.arange(start, start + len(batch)))
        raw, acc, gyr = wearer.samples_by_index(segment, start, start + len(batch))
        told = dot.decode(dot.encode(Samples(raw, acc, gyr)))
        assert (quantise(told.acc, batch.scale.acc_nano)[0] == batch.acc).all()
        assert (quantise(told.gyr, batch.scale.gyr_nano)[0] == batch.gyr).all()
    return np.concatenate(found)


def test_nothing_is_stored_twice_and_times_increase(night: Night) -> None:
    for sensor, batches in night.batches.items():
        times = np.concatenate([batch.t_us for batch in batches])
        assert (np.diff(times) > 0).all(), sensor
        segment = batches[0].segment
        assert (np.diff(indices(segment, batches)) > 0).all(), sensor
    by_session = itertools.groupby(
        night.rows("SELECT session, sequence FROM messages ORDER BY session, sequence"), lambda row: row[0]
    )
    sessions = {session: [sequence for _, sequence in rows] for session, rows in by_session}
    assert len(sessions) == 2
    for sequences in sessions.values():
        assert sequences == list(range(len(sequences)))


def test_kills_end_a_run_only_where_samples_are_missing_for_long(night: Night) -> None:
    times = np.sort(np.concatenate([b.t_us for batches in night.batches.values() for b in batches]))
    reasons = ["start", "calibration"] + ["gap"] * int((np.diff(times) > RUN_GAP_US).sum())
    assert [reason for (reason,) in night.rows("SELECT reason FROM runs ORDER BY id")] == reasons


def test_the_posture_during_the_kills_is_found(night: Night) -> None:
    found: list[Episode] = list(night.reader.episodes(WHO, 0, 2**60))
    first = next(episode for episode in found if episode.kind is Kind.FORWARD_HEAD)
    print([(e.kind, e.duration_s, (e.start_us - night.ingest_killed_us) / 1e6) for e in found])
    assert first.start_us < night.ingest_killed_us < first.detected_us
    assert {episode.kind for episode in found} == {Kind.FORWARD_HEAD}
    assert first.duration_s > 10


def test_without_any_kill_the_results_would_be_the_same_bits(night: Night, tmp_path: Path) -> None:
    """The stored messages once more, all at once, into a fresh database."""
    shelf = Shelf(tmp_path / "poise.db")
    calibration = night.rows("SELECT notice FROM calibrations")
    messages = night.rows("SELECT payload FROM messages ORDER BY id")
    for leaf, payloads in ((Leaf.CALIBRATION, calibration), (Leaf.SAMPLES, messages)):
        shelf.intake.take([Received(WHO.topic(leaf), p, 1, False, 0, 0) for (p,) in payloads])
    for sql in (
        "SELECT name, t_s, mean, low, high, coverage FROM seconds JOIN streams ON id = stream ORDER BY 1, 2",
        "SELECT episode FROM episodes ORDER BY id",
        "SELECT * FROM exposures ORDER BY 1, 2, 3, 4",
    ):
        once_more = shelf.rows(sql)
        assert night.rows(sql) == once_more
        assert once_more
    shelf.database.close()
