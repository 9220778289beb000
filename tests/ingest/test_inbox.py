"""What waits for ingest: shares by sender, turns, and what is refused."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from ingest_helpers import Shelf, day, eventually, message, received, samples
from servers import Mosquitto

from device.spooling.spool import DiskSpool
from ingest.bridge import Bridge, Pace
from ingest.judging.outcome import Outcome
from ingest.mqtt.inbox import WEARER_SHARE, Inbox, Share, is_samples, wearer_in
from ingest.mqtt.link import Link
from ingest.mqtt.settings import BrokerSettings, Outgoing, Received
from ingest.worker import Ingest
from poise import notices
from poise.notices import Presence, Stored
from poise.topics import Leaf, Wearer, everyone

LOUD, QUIET = Wearer("loud"), Wearer("quiet")
SMALL = Share(
    waiting=10, waiting_bytes=1000, at_once=3, per_s=10.0, bytes_per_s=1e9, burst=20, burst_bytes=2**40
)


def now_us() -> int:
    return time.time_ns() // 1000


def of(wearer: Wearer, number: int, size: int = 1) -> Received:
    return replace(received(wearer.topic(Leaf.SAMPLES), bytes(size)), mid=number)


def numbers(inbox: Inbox, most: int = 100) -> list[tuple[str, int]]:
    return [(wearer_in(m.topic).partition("/")[2], m.mid) for m in inbox.take(most)]


def test_senders_are_taken_in_turns_and_each_in_its_order() -> None:
    inbox = Inbox(wearer_in, SMALL, lambda: 0.0)
    for number in range(8):
        assert inbox.put(of(LOUD, number))
    assert inbox.put(of(QUIET, 0))
    assert numbers(inbox, 4) == [("loud", 0), ("loud", 1), ("loud", 2), ("quiet", 0)]
    assert inbox.put(of(QUIET, 1))
    assert numbers(inbox) == [("loud", 3), ("loud", 4), ("loud", 5), ("quiet", 1)]
    assert numbers(inbox) == [("loud", 6), ("loud", 7)]
    assert (len(inbox), numbers(inbox)) == (0, [])


def test_what_is_more_than_may_wait_is_refused_and_counted_by_sender() -> None:
    inbox = Inbox(wearer_in, SMALL, lambda: 0.0)
    taken = [inbox.put(of(LOUD, number)) for number in range(13)]
    assert taken == [True] * 10 + [False] * 3
    assert inbox.put(of(QUIET, 0, 900))
    assert not inbox.put(of(QUIET, 1, 101))
    assert inbox.refused == {"home/loud": 3, "home/quiet": 1}
    inbox.take(100)
    assert inbox.put(of(QUIET, 1, 101))


def test_a_copy_of_what_waits_needs_no_second_place() -> None:
    inbox = Inbox(wearer_in, SMALL, lambda: 0.0, once=is_samples)
    first = of(LOUD, 0)
    assert not inbox.is_copy(first)
    assert inbox.put(first)
    assert inbox.is_copy(replace(first, mid=5))
    assert not inbox.is_copy(replace(first, payload=b"other"))
    assert not inbox.is_copy(replace(first, topic=QUIET.topic(Leaf.SAMPLES)))
    assert (inbox.copies, len(inbox), numbers(inbox)) == (1, 1, [("loud", 0)])
    assert not inbox.is_copy(first), "it is on its way to the disk, and the disk knows it again"


def test_the_same_status_again_is_news() -> None:
    inbox = Inbox(wearer_in, SMALL, lambda: 0.0, once=is_samples)
    online, lost = (received(LOUD.topic(Leaf.PRESENCE), state) for state in (b"online", b"lost"))
    for one in (online, lost, online):
        assert not inbox.is_copy(one)
        assert inbox.put(one)
    assert [m.payload for m in inbox.take(10)] == [b"online", b"lost", b"online"]


def test_beyond_its_burst_a_sender_is_taken_at_its_rate() -> None:
    now = [0.0]
    inbox = Inbox(wearer_in, SMALL, lambda: now[0])
    got = 0
    for tenth in range(100):
        now[0] = tenth / 10
        for number in range(10):
            inbox.put(of(LOUD, number))
        assert inbox.put(of(QUIET, tenth))
        mine = numbers(inbox)
        assert ("quiet", tenth) in mine, "who keeps to its rate is never held back"
        got += len(mine) - 1
    assert got == pytest.approx(20 + 10 * 9.9, abs=3)


def test_what_cannot_be_understood_counts_for_more() -> None:
    now = [0.0]
    inbox = Inbox(wearer_in, SMALL, lambda: now[0])
    assert inbox.put(of(LOUD, 0))
    assert numbers(inbox) == [("loud", 0)]
    inbox.charge(LOUD.topic(Leaf.SAMPLES), 100)
    assert inbox.put(of(LOUD, 1))
    now[0] = 8.0
    assert numbers(inbox) == []
    now[0] = 8.3
    assert numbers(inbox) == [("loud", 1)]


async def test_waiting_ends_with_a_message_or_with_the_end() -> None:
    inbox = Inbox()
    waits = asyncio.create_task(inbox.get(5))
    await asyncio.sleep(0)
    inbox.put(of(LOUD, 1))
    assert [m.mid for m in await waits] == [1]
    waits = asyncio.create_task(inbox.get(5))
    await asyncio.sleep(0)
    inbox.close()
    assert await waits == []


def test_who_a_topic_is_from() -> None:
    assert wearer_in("poise/1/home/16/P-0142/samples") == "home/P-0142"
    assert wearer_in("poise/1/home/16/P-0142/sensor/S1") == "home/P-0142"
    assert wearer_in("poise/1/home/16") == ""
    assert wearer_in("poise/1/ho\ud800me/16/x/samples") == ""


def test_a_gateway_that_keeps_to_its_window_is_never_refused() -> None:
    assert Pace().unstored + Pace().unacked < WEARER_SHARE.waiting


def slowed(take: Callable[[list[Received]], Outcome], by_s: float) -> Callable[[list[Received]], Outcome]:
    """A disk on which each commit takes longer."""

    def later(messages: list[Received]) -> Outcome:
        time.sleep(by_s)
        return take(messages)

    return later


def named(stored: Stored) -> set[int]:
    """The numbers that a notice says are on the disk."""
    holes = {number for first, last in stored.holes for number in range(first, last + 1)}
    return set(range(stored.highest + 1)) - holes


@pytest.mark.mosquitto
async def test_a_gateway_that_reconnects_while_its_messages_wait_is_not_refused(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    """It sends all that is unconfirmed again, up to its whole window, on top of what waits here."""
    shelf, spool = Shelf(tmp_path / "poise.db"), DiskSpool(tmp_path / "spool.db")
    for one in day(160):
        spool.put(one)
    pace = Pace(unstored=60, ask_s=0.3, hole_s=0.3)
    share = replace(WEARER_SHARE, waiting=85, at_once=5, per_s=20.0, burst=20)
    ingest = Ingest(mosquitto.settings, shelf.database, shelf.results, clock=now_us, share=share)
    online = Presence(state="online", gateway="desk", session="g1", since_us=now_us(), origin="simulated")
    running = asyncio.create_task(ingest.run())
    await ingest.until_connected()
    for enough in (lambda: ingest.waiting >= 50,) * 3 + (lambda: spool.depth() == 0,):
        sending = asyncio.create_task(Bridge(mosquitto.settings, LOUD, spool, online, pace).run())
        await eventually(enough, 40)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
    assert ingest.refused == {}
    assert ingest.counts.duplicates > 0
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert shelf.rows("SELECT count(*) FROM messages") == [(160,)]
    shelf.database.close()
    spool.close()


@pytest.mark.mosquitto
@pytest.mark.parametrize("commit_s", [0.0, 0.2])
async def test_a_flood_of_one_wearer_neither_holds_others_up_nor_is_kept_from_its_end(
    mosquitto: Mosquitto, tmp_path: Path, commit_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loud one sends without a window; what was refused of it is stored when it is sent again, once.

    Not before all that is stored has been named: a copy of what is stored is named while it still waits, and
    the window behind it would be more than may wait.
    """
    shelf = Shelf(tmp_path / "poise.db")
    share, window = replace(WEARER_SHARE, waiting=30, at_once=5), 20
    ingest = Ingest(mosquitto.settings, shelf.database, shelf.results, clock=now_us, share=share)
    monkeypatch.setattr(ingest._intake, "take", slowed(ingest._intake.take, commit_s))
    running = asyncio.create_task(ingest.run())
    flood = [m.payload for m in samples([message(i, sequence=i) for i in range(150)], LOUD)]
    said: dict[str, Stored] = {}
    async with Link(
        BrokerSettings(port=mosquitto.port), "both", subscriptions={everyone(Leaf.STORED): 1}
    ) as link:
        await link.until_connected()
        await ingest.until_connected()
        for payload in flood:
            link.send(Outgoing(LOUD.topic(Leaf.SAMPLES), payload, qos=0))
        link.send(Outgoing(QUIET.topic(Leaf.SAMPLES), flood[0]))

        async def hear() -> None:
            while True:
                for one in await link.receive(10):
                    said[wearer_in(one.topic)] = notices.decode(one.payload, Stored)
                    link.acknowledge(one)

        hearing = asyncio.create_task(hear())
        await eventually(lambda: "home/quiet" in said)
        await eventually(lambda: ingest.waiting == 0)
        refused = ingest.refused["home/loud"]
        assert 0 < refused < 150
        count = "SELECT count(*) FROM messages WHERE wearer = 'home/loud'"
        await eventually(lambda: [(len(named(said["home/loud"])),)] == shelf.rows(count))
        lacking = sorted(set(range(150)) - named(said["home/loud"]))
        for sent, number in enumerate(lacking):
            link.send(Outgoing(LOUD.topic(Leaf.SAMPLES), flood[number]))
            before = set(lacking[: max(0, sent - window + 1)])
            await eventually(lambda before=before: before <= named(said["home/loud"]))
        await eventually(lambda: said["home/loud"].through == 149)
        assert ingest.refused == {"home/loud": refused}
        hearing.cancel()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert shelf.rows("SELECT wearer, count FROM counters WHERE name = 'refused'") == [("home/loud", refused)]
    shelf.database.close()
