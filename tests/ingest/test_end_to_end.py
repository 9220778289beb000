"""From a gateway's spool over a real broker to the disk and back: every message stored exactly once."""

import asyncio
import contextlib
import os
import sys
import threading
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from ingest_helpers import SENSORS, START_US, WEARER, Shelf, calibration, day, eventually
from seconds_table import asked
from servers import Mosquitto

from device.spooling.spool import DiskSpool
from ingest.bridge import Bridge, Pace
from ingest.database.sqlite import Database, reading
from ingest.live import MqttLiveFeed
from ingest.mqtt.embedded import EmbeddedBroker
from ingest.mqtt.link import Link
from ingest.mqtt.settings import BrokerSettings, Outgoing
from ingest.reader import LedgerRow, StoreReader
from ingest.results.store import SqliteResults
from ingest.worker import Ingest
from poise import notices
from poise.errors import ConfigurationError
from poise.notices import CalibrationNotice, Live, Presence, SensorStatus, Stored
from poise.topics import Leaf

PRESENCE = Presence(state="online", gateway="desk", session="g1", since_us=START_US, origin="simulated")
QUICK = Pace(stall_s=1.0, ask_s=0.3, hole_s=0.3)


@asynccontextmanager
async def running(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        if task.done():
            task.result()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def ingesting(settings: BrokerSettings, path: Path) -> AsyncIterator[Ingest]:
    database = Database(path)
    ingest = Ingest(settings, database, SqliteResults(path), clock=lambda: time.time_ns() // 1000)
    async with running(ingest.run()):
        yield ingest
    database.close()


@asynccontextmanager
async def bridging(settings: BrokerSettings, spool: DiskSpool, pace: Pace = QUICK) -> AsyncIterator[Bridge]:
    bridge = Bridge(settings, WEARER, spool, PRESENCE, pace)
    async with running(bridge.run()):
        yield bridge


@pytest.fixture
def spool(tmp_path: Path):
    spool = DiskSpool(tmp_path / "spool.db")
    yield spool
    spool.close()


def stored_sequences(path: Path) -> list[int]:
    with reading(path) as c:
        return [row[0] for row in c.execute("SELECT sequence FROM messages ORDER BY sequence")]


def announce_calibration(bridge: Bridge) -> None:
    bridge.announce(Leaf.CALIBRATION, notices.encode(CalibrationNotice(calibration=calibration())))


async def test_a_wearers_minute_and_a_half_arrives_and_is_judged(
    broker: BrokerSettings, spool: DiskSpool, tmp_path: Path
) -> None:
    path, frames = tmp_path / "poise.db", list[Live]()
    for m in day(115):
        spool.put(m)
    feed = MqttLiveFeed(broker)
    end = feed.watch(WEARER, frames.append)
    async with running(feed.run()), ingesting(broker, path) as ingest:
        await ingest.until_connected()
        await eventually(lambda: feed.connected)
        async with bridging(broker, spool) as bridge:
            announce_calibration(bridge)
            status = SensorStatus(sensor="S1", segment="head", state="streaming", since_us=START_US)
            bridge.announce(Leaf.SENSOR, notices.encode(status), detail="S1")
            await eventually(lambda: spool.depth() == 0)
            reader = StoreReader(path, ingest._intake._results)
            assert reader.presence(WEARER) == PRESENCE
            assert list(reader.sensors(WEARER)) == [status]
        await eventually(lambda: reader.presence(WEARER).state == "offline")
        (person,) = reader.people()
        assert (person.wearer, person.origin) == (WEARER, "simulated")
        assert person.last_us == START_US + 115_000_000 - 20_000
        # On a busy machine the first message may be asked about, and come, twice: never stored twice.
        assert [replace(row, duplicates=0) for row in reader.ledger(WEARER, "g1")] == [
            LedgerRow(sensor, segment, 5750, 0, 0) for segment, sensor in sorted(SENSORS.items())
        ]
        assert [e.kind for e in reader.episodes(WEARER, START_US, START_US + 115_000_000)] == ["slouch"] * 2
        assert len(reader.series(WEARER, ["head"], 0, 2**40)["head"].t_s) >= 113
        assert reader.days(WEARER, *[date(2026, 9, 21)] * 2)[0].seen_s > 110
    assert stored_sequences(path) == list(range(115))
    assert frames
    assert frames[-1].origin == "simulated"
    end()


async def test_what_is_confirmed_can_be_read_from_the_disk_already(
    broker: BrokerSettings, spool: DiskSpool, tmp_path: Path
) -> None:
    """Law 8: a second connection sees every message that a `stored` names, at the moment it comes."""
    path, said = tmp_path / "poise.db", list[Stored]()
    async with (
        ingesting(broker, path) as ingest,
        Link(broker, "witness", subscriptions={WEARER.topic(Leaf.STORED): 0}) as witness,
    ):
        await ingest.until_connected()
        await witness.until_connected()
        async with bridging(broker, spool):
            for m in day(40):
                await asyncio.to_thread(spool.put, m)
                await asyncio.sleep(0.01)
            while not said or said[-1].through < 39:
                for heard in await asyncio.wait_for(witness.receive(10), 20):
                    stored = notices.decode(heard.payload, Stored)
                    on_disk = set(stored_sequences(path))
                    holes = {n for a, b in stored.holes for n in range(a, b + 1)}
                    assert set(range(stored.highest + 1)) - holes <= on_disk
                    said.append(stored)
    assert len(said) > 1


async def test_damaged_messages_over_the_broker_leave_the_stream_whole(
    broker: BrokerSettings, spool: DiskSpool, tmp_path: Path
) -> None:
    path = tmp_path / "poise.db"
    async with ingesting(broker, path) as ingest, Link(broker, "vandal") as vandal:
        await ingest.until_connected()
        await vandal.until_connected()
        async with bridging(broker, spool):
            for i, m in enumerate(day(20)):
                await asyncio.to_thread(spool.put, m)
                for leaf in (Leaf.SAMPLES, Leaf.PRESENCE, Leaf.CALIBRATION, Leaf.STORED):
                    await vandal.publish(Outgoing(WEARER.topic(leaf), os.urandom(i * 7)))
            await eventually(lambda: spool.depth() == 0)
            await eventually(lambda: ingest.counts.dead_letters == 60)
    assert stored_sequences(path) == list(range(20))


async def test_a_gateway_that_vanishes_is_said_to_be_lost(broker: BrokerSettings, tmp_path: Path) -> None:
    path = tmp_path / "poise.db"
    lines = (
        "import asyncio, sys",
        "from pathlib import Path",
        "from device.spooling.spool import DiskSpool",
        "from ingest.bridge import Bridge",
        "from ingest.mqtt.settings import BrokerSettings",
        "from poise.notices import Presence",
        "from poise.topics import Wearer",
        f"p = Presence(state='online', gateway='desk', session='g1', since_us={START_US})",
        f"s = BrokerSettings(port={broker.port}, embedded={broker.embedded})",
        "asyncio.run(Bridge(s, Wearer('anna'), DiskSpool(Path(sys.argv[1])), p).run())",
    )
    async with ingesting(broker, path) as ingest:
        await ingest.until_connected()
        reader = StoreReader(path, SqliteResults(path))
        gateway = await asyncio.create_subprocess_exec(
            sys.executable, "-c", "\n".join(lines), str(tmp_path / "gateway.db")
        )
        await eventually(lambda: (p := reader.presence(WEARER)) and p.state == "online")
        gateway.kill()
        await gateway.wait()
        await eventually(lambda: reader.presence(WEARER).state == "lost")


@pytest.mark.mosquitto
async def test_killing_mosquitto_in_mid_stream_loses_and_doubles_nothing(
    mosquitto: Mosquitto, spool: DiskSpool, tmp_path: Path
) -> None:
    path, settings = tmp_path / "poise.db", mosquitto.settings
    async with ingesting(settings, path) as ingest, bridging(settings, spool) as bridge:
        announce_calibration(bridge)
        for i, m in enumerate(day(200)):
            await asyncio.to_thread(spool.put, m)
            if i in (50, 120):
                await eventually(lambda: ingest.counts.stored > 20)
                await asyncio.to_thread(mosquitto.kill)
            if i in (90, 150):
                await asyncio.to_thread(mosquitto.start)
        await eventually(lambda: spool.depth() == 0, within_s=40)
    assert stored_sequences(path) == list(range(200))
    with reading(path) as c:
        assert c.execute("SELECT sum(stored), sum(missing) FROM ledger").fetchone() == (200 * 200, 0)


INGEST_SCRIPT = """
import asyncio, sys, time
from dataclasses import replace
from datetime import date
from pathlib import Path
from ingest.mqtt.settings import BrokerSettings
from ingest.database.sqlite import Database
from ingest.results.store import SqliteResults
from ingest.worker import Ingest
path = Path(sys.argv[1])
settings = BrokerSettings(port=int(sys.argv[2]))
ingest = Ingest(settings, Database(path), SqliteResults(path), clock=lambda: time.time_ns() // 1000)
asyncio.run(ingest.run())
"""


@pytest.mark.mosquitto
async def test_killing_ingest_in_mid_stream_changes_nothing_in_the_end(
    mosquitto: Mosquitto, spool: DiskSpool, tmp_path: Path
) -> None:
    path, whole = tmp_path / "poise.db", tmp_path / "whole.db"
    Database(path).close()

    async def start() -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-c", INGEST_SCRIPT, str(path), str(mosquitto.port)
        )

    process = await start()
    try:
        async with bridging(mosquitto.settings, spool) as bridge:
            announce_calibration(bridge)
            for i, m in enumerate(day(200)):
                await asyncio.to_thread(spool.put, m)
                await asyncio.sleep(0.002)
                if i in (60, 130):
                    await eventually(lambda i=i: len(stored_sequences(path)) > i - 30)
                    process.kill()
                    await process.wait()
                    process = await start()
            await eventually(lambda: spool.depth() == 0, within_s=40)
    finally:
        process.kill()
        await process.wait()
    assert stored_sequences(path) == list(range(200))

    unbroken = DiskSpool(tmp_path / "unbroken.db")
    for m in day(200):
        unbroken.put(m)
    async with EmbeddedBroker(0) as broker, ingesting(broker.settings, whole) as ingest:
        await ingest.until_connected()
        async with bridging(broker.settings, unbroken) as bridge:
            announce_calibration(bridge)
            await eventually(lambda: unbroken.depth() == 0)
    unbroken.close()
    assert concluded(path) == concluded(whole)
    assert len(concluded(path)[0]) == 3


def concluded(path: Path) -> tuple[list[Any], list[Any], list[Any]]:
    with reading(path) as c:
        return (
            c.execute("SELECT episode FROM episodes ORDER BY id").fetchall(),
            asked(
                c,
                "SELECT name, t_s, mean, low, high, coverage FROM seconds "
                "JOIN streams ON id = stream ORDER BY 1, 2",
            ),
            c.execute("SELECT * FROM exposures ORDER BY 2, 3, 4").fetchall(),
        )


async def test_what_was_sent_while_ingest_was_away_is_asked_for_again(
    broker: BrokerSettings, spool: DiskSpool, tmp_path: Path
) -> None:
    """The broker has acknowledged and forgotten it: only the gateway's patience brings it."""
    path, messages = tmp_path / "poise.db", day(50)
    spool.put(messages[0])
    async with bridging(broker, spool) as bridge:
        async with ingesting(broker, path):
            await eventually(lambda: spool.depth() == 0)
        for m in messages[1:]:
            spool.put(m)
        await eventually(lambda: bridge.counts.sent >= 50)
        async with Link(broker, "poise-ingest") as forgetful:  # a clean start ends the broker's session
            await forgetful.until_connected()
        async with ingesting(broker, path):
            await eventually(lambda: spool.depth() == 0)
        assert bridge.counts.sent > 50
    assert stored_sequences(path) == list(range(50))


async def test_a_gateway_asks_with_one_message_until_somebody_stores(
    broker: BrokerSettings, spool: DiskSpool
) -> None:
    for m in day(50):
        spool.put(m)
    async with bridging(broker, spool) as bridge:
        await eventually(lambda: bridge.counts.stalls >= 2)
        assert bridge.counts.sent == 1 + bridge.counts.stalls
    assert spool.depth() == 50


async def test_a_bridge_can_be_ended_at_any_moment(spool: DiskSpool) -> None:
    async with EmbeddedBroker(0) as broker:
        for moment in range(12):
            bridge = Bridge(broker.settings, WEARER, spool, PRESENCE, QUICK)
            task = asyncio.create_task(bridge.run())
            if moment > 3:
                await eventually(lambda bridge=bridge: bridge.connected)
            await asyncio.sleep(moment / 100)
            bridge.wake()
            await asyncio.sleep(0)
            bridge.wake()
            task.cancel()
            done, _ = await asyncio.wait([task], timeout=5)
            assert done


async def test_a_refused_password_ends_with_a_sentence(tmp_path: Path, mosquitto: Mosquitto) -> None:
    mosquitto.kill()
    config = tmp_path / "mosquitto.conf"
    config.write_text(config.read_text().replace("anonymous true", "anonymous false"))
    mosquitto.start()
    database = Database(tmp_path / "poise.db")
    ingest = Ingest(mosquitto.settings, database, SqliteResults(database.path), clock=lambda: START_US)
    with pytest.raises(ConfigurationError, match="name and password"):
        await asyncio.wait_for(ingest.run(), 10)
    database.close()


async def test_a_taken_port_is_named_and_stopping_the_broker_is_quiet(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with EmbeddedBroker(0) as broker:
        with pytest.raises(ConfigurationError, match=f"port {broker.settings.port}"):
            await EmbeddedBroker(broker.settings.port).start()
        async with Link(broker.settings, "x", subscriptions={"a": 1}, persistent=True) as link:
            await link.until_connected()
            await link.publish(Outgoing("a", b"1"))
    assert [r for r in caplog.records if r.name.startswith(("amqtt", "asyncio")) and r.levelno > 20] == []


def test_a_reader_serves_many_threads_at_once(tmp_path: Path) -> None:
    path = tmp_path / "poise.db"
    shelf, failures = Shelf(path), list[BaseException]()
    shelf.journal.put_person(WEARER, timezone="Europe/Berlin")
    reader = StoreReader(path, shelf.results)

    def read() -> None:
        try:
            for _ in range(30):
                assert reader.person(WEARER).timezone == "Europe/Berlin"
                reader.episodes(WEARER, 0, 2**50)
        except BaseException as exc:  # noqa: BLE001 - handed to the test
            failures.append(exc)

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with pytest.raises(ConfigurationError, match="time zone"):
        shelf.journal.put_person(WEARER, timezone="Berlin, I think")
    shelf.database.close()
