"""What a worker does for many wearers at once, and what it leaves alone while nothing comes."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from ingest_helpers import START_US, WEARER, Shelf, day, message, samples, take_all

from ingest.judging.intake import LATE_IDLE_US
from ingest.mqtt.settings import BrokerSettings, Outgoing, Received
from ingest.worker import Ingest
from poise import notices
from poise.errors import StoreUnavailableError
from poise.notices import Stored
from poise.topics import Leaf, Wearer

MANY = [Wearer(f"w{number}") for number in range(5)]
OPEN = "SELECT count(*) FROM runs WHERE late = 1 AND closed = 0"


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    shelf = Shelf(tmp_path / "poise.db")
    yield shelf
    shelf.database.close()


def out_of_order(wearer: Wearer = WEARER) -> list[Received]:
    """Five seconds of which the first two come last."""
    live = samples([message(10 + i, sequence=10 + i) for i in range(3)], wearer)
    return [*live, *samples([message(i, sequence=i) for i in range(2)], wearer)]


async def test_many_sessions_are_confirmed_in_one_turn_of_the_thread(shelf: Shelf) -> None:
    for wearer in MANY:
        shelf.intake.take(samples(day(3), wearer))
    ingest = Ingest(BrokerSettings(), shelf.database, shelf.results, clock=lambda: START_US)
    sent: dict[str, Stored] = {}
    turns = []

    def send(out: Outgoing) -> "asyncio.Future[None]":
        sent[out.topic] = notices.decode(out.payload, Stored)
        return asyncio.get_running_loop().create_future()

    class Counted(ThreadPoolExecutor):
        def submit(self, work: Callable[[], object], /, *args: object, **kwargs: object) -> object:
            turns.append(work)
            return super().submit(work, *args, **kwargs)

    ingest._link.send = send  # type: ignore[method-assign]
    ingest._to_tell = {(wearer, "g1") for wearer in MANY}
    with Counted(1) as thread:
        await ingest._tell_stored(thread)
        await ingest._tell_stored(thread)
        await ingest._name_refused(thread)
    assert len(turns) == 1
    assert {topic: stored.through for topic, stored in sent.items()} == {
        wearer.topic(Leaf.STORED): 2 for wearer in MANY
    }


def test_only_what_is_on_the_disk_is_confirmed_of_any(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = [(wearer, "g1") for wearer in MANY]
    for wearer in MANY[:3]:
        shelf.intake.take(samples(day(3), wearer))
    put = shelf.results.write

    def full(*args: object) -> None:
        put(*args)
        raise StoreUnavailableError("full")

    monkeypatch.setattr(shelf.results, "write", full)
    more = [m for wearer in MANY for m in samples([message(3, sequence=3)], wearer)]
    with pytest.raises(StoreUnavailableError):
        shelf.intake.take(more)
    said = shelf.intake.all_confirmed(sessions)
    assert [said[session].through for session in sessions] == [2, 2, 2, -1, -1]


def test_late_runs_are_looked_for_only_where_there_are_some(shelf: Shelf) -> None:
    for wearer in MANY:
        shelf.intake.take(samples(day(3), wearer))
    assert not shelf.intake.late_runs
    take_all(shelf, out_of_order())
    assert shelf.intake.late_runs
    assert list(shelf.intake._late_us) == [WEARER]
    shelf.now_us += LATE_IDLE_US
    shelf.intake.close_late_runs()
    assert shelf.rows(OPEN) == [(1,)]
    shelf.now_us += 1
    shelf.intake.close_late_runs()
    assert shelf.rows(OPEN) == [(0,)]
    assert not shelf.intake.late_runs


def test_a_late_run_ends_after_its_idle_time_across_a_restart(shelf: Shelf) -> None:
    take_all(shelf, out_of_order())
    again = Shelf(shelf.path)
    again.now_us = shelf.now_us + 5_000_000
    again.intake.take(samples([message(13, sequence=13)]))
    again.intake.close_late_runs()
    assert again.rows(OPEN) == [(1,)], "the rest of it may still come"
    again.now_us += LATE_IDLE_US + 1
    again.intake.close_late_runs()
    assert again.rows(OPEN) == [(0,)]
    again.database.close()


def test_a_late_run_ends_though_a_transaction_failed_meanwhile(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_all(shelf, out_of_order())

    def full(*_: object) -> None:
        raise StoreUnavailableError("full")

    with monkeypatch.context() as patch:
        patch.setattr(shelf.results, "write", full)
        with pytest.raises(StoreUnavailableError):
            shelf.intake.take(samples([replace(message(20), sequence=20)]))
        shelf.now_us += LATE_IDLE_US + 1
        with pytest.raises(StoreUnavailableError):
            shelf.intake.close_late_runs()
    shelf.intake.close_late_runs()
    assert shelf.rows(OPEN) == [(0,)]
