"""From a gateway's spool over a real broker to the disk and back: every message stored exactly once."""

import asyncio
import os
import sys
import threading
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from ingest_helpers import SENSORS, START_US, WEARER, Shelf, day, eventually
from line_helpers import PRESENCE, QUICK, announce_calibration, bridging, ingesting, running, stored_sequences
from servers import Mosquitto

from device.spooling.spool import DiskSpool
from ingest.bridge import Bridge
from ingest.database.sqlite import Database
from ingest.live import MqttLiveFeed
from ingest.mqtt.embedded import EmbeddedBroker
from ingest.mqtt.link import Link
from ingest.mqtt.settings import BrokerSettings, Outgoing
from ingest.reader import LedgerRow, StoreReader
from ingest.results.store import SqliteResults
from ingest.worker import Ingest
from poise import notices
from poise.errors import ConfigurationError
from poise.notices import Live, SensorStatus, Stored
from poise.topics import Leaf


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
