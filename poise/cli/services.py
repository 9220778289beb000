"""Each part as a program of its own: broker, ingest, pages, gateway, radio room."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from device.bluetooth.ble import Backend
from device.wearer.body import DEFAULT_SEGMENTS
from device.wearer.wearer import Wearer as VirtualWearer
from ingest.database.shards import Shard, shard_named, shards_for
from ingest.mqtt.embedded import EmbeddedBroker
from ingest.mqtt.mosquitto import accounts
from ingest.readers import open_reader
from ingest.results.store import ResultStore, SqliteResults
from ingest.vitals import Vitals
from poise.cli import archiving, parts, radio, watching
from poise.cli import workers as workers_
from poise.cli.person import recalling
from poise.cli.record import api_of
from poise.cli.running import OK, during, out
from poise.cli.settings import Settings
from poise.memory import keep_freed, spare_collector

FOREVER: Final = 86_400 * 365


async def broker(port: int) -> int:
    """Run the embedded broker on this machine."""
    async with EmbeddedBroker(port) as embedded:
        out.print(
            f"MQTT broker at {embedded.settings.place} (for trying out; use Mosquitto for real wearers)."
        )
        await asyncio.sleep(FOREVER)
    return OK


async def ingest(settings: Settings, workers: int | None, part: str) -> int:
    """Store and judge what arrives, in one process or as the parent of several."""
    if part:
        workers_.end_with_parent()
        return await _work(settings, shard_named(part), watching.tell_parent)
    wanted = shards_for(parts.folder(settings.data), workers)
    told = watching.of(wanted)
    with watching.watched(settings, told):
        if len(wanted) > 1:
            return await workers_.supervise(settings, wanted, told)
        told.started[str(wanted[0])] = 1
        return await _work(settings, wanted[0], told.tell)


async def _work(settings: Settings, shard: Shard, tell: Callable[[Vitals], None]) -> int:
    spare_collector()
    keep_freed()
    broker = settings.broker.settings(accounts.worker_name(*shard))
    async with (
        parts.ingesting(settings, broker, shard) as (worker, _),
        during(watching.report(worker, shard, settings, tell)),
        during(archiving.hourly(settings, shard)),
    ):
        await worker.until_connected()
        if shard.of == 1:
            out.print(f"Ingest stores into {shard.file(settings.data)}, broker {broker.place}.")
        await asyncio.sleep(FOREVER)
    return OK


async def pages(settings: Settings, port: int) -> int:
    """Serve the pages on this machine."""
    spare_collector()
    reader = open_reader(settings.data, lambda path: _results(settings, path))
    broker = settings.broker.settings(accounts.PAGES)
    with api_of(settings, reader) as (api, planning):
        async with parts.paging(reader, broker, port, api) as address, during(planning.run()):
            out.print(f"Pages at {address}, the API of the clinical record at {address}/api/1.")
            await asyncio.sleep(FOREVER)
    return OK


def _results(settings: Settings, path: Path) -> ResultStore:
    if settings.store.kind == "sqlite":
        return SqliteResults(path)
    from ingest.results.influxdb.results import InfluxResults  # a quarter of a second to read
    from ingest.results.influxdb.server import InfluxServer

    return InfluxResults(InfluxServer(settings.store.influx()), path)


async def gateway(settings: Settings, transport: str, origin: str) -> int:
    """Read the worn sensors; `transport` "" is the operating system's Bluetooth."""
    worn = radio.with_sensors(settings)
    async with radio.bluetooth(transport) as backend:
        return await _wear(worn, backend, origin)


async def _wear(settings: Settings, backend: Backend | None, origin: str) -> int:
    async with parts.wearing(
        settings.wearer,
        settings.sensors,
        settings.broker.settings(accounts.gateway_name(settings.wearer)),
        settings.data,
        backend=backend,
        origin=origin,
        told=out.print,
        cues=parts.Cues(settings.cues.plan(), ZoneInfo(settings.zone), settings.cues.desktop),
        message_s=settings.gateway.message_s,
    ) as worn:
        out.print(f"Gateway of {settings.wearer.patient}, session {worn.gateway.session}.")
        if waiting := recalling.reminder(worn.spool):
            out.print(waiting, soft_wrap=True)
        await asyncio.sleep(FOREVER)
    return OK


async def room(transport: str, control_port: int, script: str, seed: int) -> int:
    """Offer virtual sensors on a simulated radio to a gateway in another process."""
    from device.radio.room import RadioRoom, serve_room  # bumble, half a second to read from disk

    virtual = VirtualWearer(script, seed=seed)
    async with (
        RadioRoom(virtual, DEFAULT_SEGMENTS, drift_ppm=virtual.drift_ppm, patient=True) as furnished,
        serve_room(furnished, transport, control_port) as port,
    ):
        out.print(f"Radio room at {transport}, control port {port}. Worn:")
        for address, segment in furnished.worn.items():
            out.print(f"  --sensor {address}={segment}")
        out.print("The wearer begins with the calibration when a gateway listens.")
        await asyncio.sleep(FOREVER)
    return OK
