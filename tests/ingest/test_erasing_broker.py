"""At real brokers: what is retained of a person goes, the gateway is told, and nobody else is touched."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from clinic import ANNA, BEN, Clinic, running_clinic
from ingest_helpers import day, eventually

from device.spooling.spool import DiskSpool
from ingest.bridge import Bridge
from ingest.database.sqlite import Database, reading
from ingest.erasing.broker import Told, tell
from ingest.erasing.register import Order, Register, Standing
from ingest.erasing.rows import names_in
from ingest.mqtt.link import Link
from ingest.mqtt.mosquitto import accounts
from ingest.mqtt.settings import BrokerSettings, Outgoing
from ingest.results.store import SqliteResults
from ingest.worker import Ingest
from poise import notices
from poise.cli.person.ending import Ending
from poise.errors import BrokerError, ConfigurationError
from poise.notices import Command, Presence, Verb
from poise.topics import Leaf, Wearer

NOW_US = 1_790_000_000_000_000
RETAINED = [(Leaf.PRESENCE, ""), (Leaf.SENSOR, "S1"), (Leaf.SENSOR, "S2"), (Leaf.CALIBRATION, "")]


def order(what: Standing = Standing.ERASED) -> Order:
    return Order(what=what, at_us=NOW_US, asked_us=NOW_US)


async def retain(settings: BrokerSettings, wearer: Wearer, *more: Leaf) -> None:
    async with Link(settings, f"g-{wearer.patient}") as link:
        await link.until_connected()
        for leaf, detail in [*RETAINED, *((leaf, "") for leaf in more)]:
            await link.publish(Outgoing(wearer.topic(leaf, detail), b"{}", 1, retain=True))


async def retained(settings: BrokerSettings) -> set[str]:
    found: set[str] = set()
    async with Link(settings, "looking", subscriptions={"poise/1/#": 1}) as link:
        await link.until_connected()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                while True:
                    found |= {m.topic for m in await link.receive(50) if m.retain and m.payload}
    return found


@asynccontextmanager
async def gateway(settings: BrokerSettings, wearer: Wearer, says: str) -> AsyncIterator[list[Verb]]:
    """A gateway that does what it is told."""
    heard: list[Verb] = []

    async def listen() -> None:
        async with Link(settings, "gw", subscriptions={wearer.topic(Leaf.COMMAND): 1}) as link:
            while True:
                for message in await link.receive():
                    if message.payload:
                        heard.append(notices.decode(message.payload, Command).verb)
                        said = Presence(state=says, gateway="g", session="", since_us=0)
                        await link.publish(Outgoing(wearer.topic(Leaf.PRESENCE), notices.encode(said)))

    task = asyncio.create_task(listen())
    try:
        await asyncio.sleep(0.5)
        yield heard
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_all_that_is_retained_of_one_goes(broker: BrokerSettings) -> None:
    await retain(broker, ANNA, Leaf.LIVE, Leaf.STORED)
    await retain(broker, BEN)
    others = {BEN.topic(leaf, detail) for leaf, detail in RETAINED}
    async with gateway(broker, ANNA, "erased") as heard:
        told = await tell(broker, ANNA, order(), NOW_US)
    assert heard == [Verb.ERASE]
    assert told.confirmed
    assert len(told.emptied) == len(RETAINED) + 2
    assert (told.refused, told.left) == (set(), set())
    assert await retained(broker) == others


async def test_a_gateway_that_is_away_is_not_confirmed(
    broker: BrokerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.erasing.broker._ANSWER_S", 0.5)
    await retain(broker, ANNA)
    told = await tell(broker, ANNA, order(), NOW_US)
    assert not told.confirmed
    assert await retained(broker) == set()
    assert await tell(broker, ANNA, order(), NOW_US) == Told()


async def test_who_withdraws_keeps_what_is_retained(broker: BrokerSettings) -> None:
    await retain(broker, ANNA)
    async with gateway(broker, ANNA, "stopped") as heard:
        told = await tell(broker, ANNA, order(Standing.WITHDRAWN), NOW_US)
    assert (heard, told.confirmed, told.emptied) == ([Verb.STOP], True, set())
    assert len(await retained(broker)) == len(RETAINED)


async def test_no_broker_is_an_error_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.erasing.broker._CONNECT_S", 0.3)
    with pytest.raises(BrokerError, match="no MQTT broker answers"):
        await tell(BrokerSettings(port=9), ANNA, order(), NOW_US)


@pytest.fixture
def clinic(tmp_path: Path) -> Iterator[Clinic]:
    with running_clinic(tmp_path) as made:
        yield made


@pytest.mark.mosquitto
async def test_a_clinics_broker_lets_one_name_do_it_and_no_other(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.erasing.broker._ANSWER_S", 0.5)
    await retain(clinic.settings(ANNA), ANNA)
    told = await tell(clinic.settings(accounts.ASK), ANNA, order(), NOW_US)
    assert told.refused
    told = await tell(clinic.settings(accounts.ERASE), ANNA, order(), NOW_US)
    assert len(told.emptied) == len(RETAINED)
    assert (told.refused, told.left) == (set(), set())


async def test_a_gateway_waits_until_consent_is_given_again(broker: BrokerSettings, tmp_path: Path) -> None:
    said: list[str] = []
    ending = Ending(tmp_path, ANNA, broker, {"S1": "head"}, lambda: NOW_US, said.append)
    assert ending.obey(Verb.STOP)
    with pytest.raises(ConfigurationError, match="withdrawn consent"):
        await ending.ordered(["S1"])
    waiting = asyncio.create_task(ending.permitted())
    presence = {ANNA.topic(Leaf.PRESENCE): 1}
    async with Link(broker, "ingest", subscriptions=presence) as link:
        await link.until_connected()
        stopped = await asyncio.wait_for(link.receive(), 5)
        assert notices.decode(stopped[0].payload, Presence).state == "stopped"
        assert not waiting.done()
        command = Command(id="1", verb=Verb.RESUME, expires_us=NOW_US)
        await link.publish(Outgoing(ANNA.topic(Leaf.COMMAND), notices.encode(command)))
        await eventually(waiting.done, 5)
    waiting.result()
    assert "until `poise person resume`" in said[0]


async def test_a_gateway_that_was_erased_forgets_all_and_says_so(
    broker: BrokerSettings, tmp_path: Path
) -> None:
    await retain(broker, ANNA)
    for name in ("spool-home-anna.db", "spool-home-anna.db-wal", "calibration-home-anna.json"):
        (tmp_path / name).touch()
    (tmp_path / "spool-home-ben.db").touch()
    ending = Ending(tmp_path, ANNA, broker, {"S1": "head", "S2": "c7"}, lambda: NOW_US, print)
    ending.obey(Verb.ERASE)
    async with Link(broker, "ingest", subscriptions={ANNA.topic(Leaf.PRESENCE): 1}) as link:
        await link.until_connected()
        with pytest.raises(ConfigurationError, match="was erased"):
            await ending.permitted()
        heard = [message for _ in range(3) for message in await asyncio.wait_for(link.receive(), 5)]
    assert notices.decode(heard[-1].payload, Presence).state == "erased"
    assert await retained(broker) == set()
    assert files_of(tmp_path, ANNA) == []
    assert files_of(tmp_path, BEN) == ["spool-home-ben.db"]


def files_of(folder: Path, wearer: Wearer) -> list[str]:
    return [path.name for path in folder.glob(f"*{wearer.patient}*")]


async def test_a_gateway_that_does_not_know_the_command_lets_go_all_the_same(
    broker: BrokerSettings, tmp_path: Path, spool: DiskSpool
) -> None:
    with closing(Database(tmp_path / "data" / "poise.db")) as database:
        results = SqliteResults(database.path)
        ingest = Ingest(broker, database, results, clock=lambda: time.time_ns() // 1000)
        working = asyncio.create_task(ingest.run())
        await ingest.until_connected()
        for message in day(5):
            spool.put(message)
        presence = Presence(state="online", gateway="g", session="g1", since_us=0)
        sending = asyncio.create_task(Bridge(broker, ANNA, spool, presence).run())
        await eventually(lambda: spool.depth() == 0)
        assert ingest.counts.stored == 5
        Register(tmp_path / "data").put("home/anna", Standing.ERASED, NOW_US)
        await eventually(lambda: not names_of(database))
        for message in day(40)[5:]:
            spool.put(message)
        await eventually(lambda: spool.depth() == 0)
        assert ingest.counts.stored == 5
        assert ingest.counts.erased >= 35
        assert names_of(database) == set()
        sending.cancel()
        working.cancel()
        await asyncio.gather(sending, working, return_exceptions=True)
        assert names_of(database) == set()


def names_of(database: Database) -> set[str]:
    with reading(database.path) as c:
        return names_in(c)
