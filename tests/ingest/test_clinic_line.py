"""The whole line over a clinic's broker: TLS, a name for each program, and what a refusal must not cost."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from clinic import ANNA, BEN, Clinic, connected, heard, no_more, running, running_clinic
from ingest_helpers import START_US, calibration, day, eventually

from device.spooling.spool import DiskSpool
from ingest.bridge import Bridge, Pace
from ingest.database.sqlite import Database, reading
from ingest.live import MqttLiveFeed
from ingest.mqtt.commanding import outgoing
from ingest.mqtt.link import Link
from ingest.mqtt.mosquitto import accounts
from ingest.mqtt.settings import BrokerSettings, Outgoing
from ingest.reader import StoreReader
from ingest.results.store import SqliteResults
from ingest.worker import Ingest
from poise import notices
from poise.errors import ConfigurationError
from poise.notices import CalibrationNotice, Command, Live, Presence, SensorStatus, Verb
from poise.planned import PlanNotice, Stage
from poise.topics import Leaf

PRESENCE = Presence(state="online", gateway="desk", session="g1", since_us=START_US, origin="simulated")
QUICK = Pace(stall_s=0.5, ask_s=0.2, hole_s=0.3)
NAME = accounts.gateway_name(ANNA)


@pytest.fixture
def clinic(tmp_path: Path) -> Iterator[Clinic]:
    with running_clinic(tmp_path) as made:
        yield made


@asynccontextmanager
async def ingesting(clinic: Clinic, path: Path) -> AsyncIterator[Ingest]:
    database, settings = Database(path), clinic.settings(accounts.INGEST)
    ingest = Ingest(settings, database, SqliteResults(path), clock=lambda: time.time_ns() // 1000)
    async with running(ingest.run()):
        await asyncio.wait_for(ingest.until_connected(), 10)
        yield ingest
    database.close()


def stored(path: Path) -> list[int]:
    with reading(path) as c:
        return [row[0] for row in c.execute("SELECT sequence FROM messages ORDER BY sequence")]


@pytest.mark.mosquitto
async def test_a_minute_goes_from_the_spool_over_tls_to_the_disk_and_the_page(
    clinic: Clinic, spool: DiskSpool, tmp_path: Path
) -> None:
    path, frames = tmp_path / "poise.db", list[Live]()
    for m in day(60):
        spool.put(m)
    feed = MqttLiveFeed(clinic.settings(accounts.PAGES))
    feed.watch(ANNA, frames.append)
    bridge = Bridge(clinic.settings(ANNA), ANNA, spool, PRESENCE, QUICK)
    async with running(feed.run()), ingesting(clinic, path):
        await eventually(lambda: feed.connected)
        async with running(bridge.run()):
            bridge.announce(Leaf.CALIBRATION, notices.encode(CalibrationNotice(calibration=calibration())))
            await eventually(lambda: spool.depth() == 0)
        reader = StoreReader(path, SqliteResults(path))
        await eventually(lambda: reader.presence(ANNA).state == "offline")
        await eventually(lambda: frames and frames[-1].t_us[-1] >= START_US + 59_000_000)
    assert stored(path) == list(range(60))
    assert [e.kind for e in reader.episodes(ANNA, START_US, START_US + 60_000_000)] == ["slouch"]
    assert bridge.counts.refused == 0


@pytest.mark.mosquitto
async def test_a_plan_waits_for_a_gateway_and_a_new_one_reaches_it_without_a_restart(
    clinic: Clinic, spool: DiskSpool, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = (
        PlanNotice(id=str(n), made_us=n, stages=[Stage(from_us=n, effort="gentle")]) for n in (1, 2)
    )
    topic, heard_of = ANNA.topic(Leaf.PLAN), list[PlanNotice | None]()
    bridge = Bridge(clinic.settings(ANNA), ANNA, spool, PRESENCE, QUICK)
    bridge.planned = heard_of.append
    async with connected(clinic.link(accounts.PAGES)) as pages:
        await pages.publish(Outgoing(topic, notices.encode(first), retain=True))
        async with running(bridge.run()):
            await eventually(lambda: heard_of == [first])
            await pages.publish(Outgoing(topic, b"no plan", retain=True))
            await pages.publish(Outgoing(topic, notices.encode(second), retain=True))
            await eventually(lambda: heard_of == [first, second])
            await pages.publish(Outgoing(topic, b"", retain=True))
            await eventually(lambda: heard_of == [first, second, None])
            # What the guard has to say has a way to ingest.
            async with connected(
                clinic.link(accounts.INGEST, subscriptions={ANNA.topic(Leaf.GUARD): 1})
            ) as ingest:
                bridge.announce(Leaf.GUARD, b"tired", retain=False)
                assert [m.topic for m in await heard(ingest, b"tired")] == [ANNA.topic(Leaf.GUARD)]
    assert "cannot be read" in caplog.text


@pytest.mark.mosquitto
async def test_what_the_broker_refuses_is_said_and_stays_in_the_spool(
    clinic: Clinic, spool: DiskSpool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Thirty refusals are more than the window of twenty: refused is not the same as unacknowledged."""
    path, rights = tmp_path / "poise.db", clinic.folder.path / "rights"
    for m in day(10):
        spool.put(m)
    right = rights.read_text()
    rights.write_text("\n".join(line for line in right.splitlines() if "write poise/1/home" not in line))
    clinic.reload()
    async with connected(clinic.link(ANNA)) as anna:
        await no_more(anna, Outgoing(ANNA.topic(Leaf.CUE), b"{}"))
    bridge = Bridge(clinic.settings(ANNA), ANNA, spool, PRESENCE, QUICK)
    async with ingesting(clinic, path), running(bridge.run()):
        await eventually(lambda: bridge.connected)
        for n in range(30):
            status = SensorStatus(sensor="S1", segment="head", state="streaming", since_us=START_US + n)
            bridge.announce(Leaf.SENSOR, notices.encode(status), detail="S1")
        await eventually(lambda: bridge.counts.refused > 33)
        assert spool.depth() == 10
        said = [r.getMessage() for r in caplog.records if "does not take" in r.getMessage()]
        assert sorted(said) == sorted(set(said))
        assert any(
            ANNA.topic(Leaf.SAMPLES) in text and "Not authorized" in text and "no right" in text
            for text in said
        )
        rights.write_text(right)
        clinic.reload()
        await eventually(lambda: spool.depth() == 0)
    assert stored(path) == list(range(10))


@pytest.mark.mosquitto
async def test_a_gateway_that_is_locked_out_goes_on_recording_and_sends_it_all_later(
    clinic: Clinic, spool: DiskSpool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, passwords = tmp_path / "poise.db", clinic.folder.path / "passwords"
    known = passwords.read_text()
    bridge = Bridge(clinic.settings(ANNA), ANNA, spool, PRESENCE, QUICK)
    async with ingesting(clinic, path) as ingest, running(bridge.run()) as task:
        await eventually(lambda: bridge.connected)
        passwords.write_text("".join(line for line in known.splitlines(keepends=True) if NAME not in line))
        clinic.reload()
        await eventually(lambda: not bridge.connected)
        for m in day(10):
            spool.put(m)
        await eventually(lambda: f"refuses the name '{NAME}'" in caplog.text)
        assert not task.done()
        assert (spool.depth(), ingest.counts.stored) == (10, 0)
        passwords.write_text(known)
        clinic.reload()
        await eventually(lambda: spool.depth() == 0, 60)
    assert stored(path) == list(range(10))


@pytest.mark.mosquitto
async def test_a_broker_forgets_a_command_that_comes_too_late(clinic: Clinic) -> None:
    now_us = time.time_ns() // 1000
    commands = {ANNA.topic(Leaf.COMMAND): 1}
    async with connected(clinic.link(ANNA, subscriptions=commands, persistent=True)):
        pass
    async with connected(clinic.link(accounts.ASK)) as ask:
        for name, lasts_s in (("soon", 1), ("later", 60)):
            command = Command(id=name, verb=Verb.BUZZ, expires_us=now_us + lasts_s * 1_000_000)
            await ask.publish(outgoing(ANNA, command, now_us))
        await asyncio.sleep(2.2)
        async with connected(clinic.link(ANNA, subscriptions=commands, persistent=True)) as anna:
            await ask.publish(Outgoing(ANNA.topic(Leaf.COMMAND), b"last"))
            *kept, _ = await heard(anna, b"last")
    assert [notices.decode(m.payload, Command).id for m in kept] == ["later"]


def test_a_command_is_not_sent_when_it_is_too_late_already() -> None:
    command = Command(id="1", verb=Verb.BUZZ, expires_us=START_US)
    with pytest.raises(ConfigurationError, match="expired"):
        outgoing(ANNA, command, START_US)
    message = outgoing(ANNA, command, START_US - 1)
    assert (message.expires_s, message.retain, message.topic) == (1, False, ANNA.topic(Leaf.COMMAND))


async def test_a_command_that_a_broker_kept_is_not_obeyed(broker: BrokerSettings, spool: DiskSpool) -> None:
    obeyed: list[str] = []
    command = Command(id="kept", verb=Verb.BUZZ, expires_us=2**52)
    topic = BEN.topic(Leaf.COMMAND)
    async with connected(Link(broker, "therapist")) as therapist:
        await therapist.publish(Outgoing(topic, notices.encode(command), retain=True))
        bridge = Bridge(broker, BEN, spool, PRESENCE, QUICK)
        bridge.commanded = lambda heard: obeyed.append(heard.id)
        async with running(bridge.run()):
            await eventually(lambda: bridge.connected)
            await therapist.publish(Outgoing(topic, notices.encode(replace_id(command, "new")), expires_s=9))
            await eventually(lambda: obeyed)
    assert obeyed == ["new"]


def replace_id(command: Command, name: str) -> Command:
    return Command(id=name, verb=command.verb, expires_us=command.expires_us)
