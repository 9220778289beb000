"""Each part as a program of its own: broker, ingest, pages, gateway, radio room."""

import asyncio
from typing import Final
from zoneinfo import ZoneInfo

from device.ble import Backend
from device.radio.room import RadioRoom, serve_room
from device.wearer.body import DEFAULT_SEGMENTS
from device.wearer.wearer import Wearer as VirtualWearer
from ingest.embedded import EmbeddedBroker
from ingest.influx import InfluxResults, InfluxServer
from ingest.reader import StoreReader
from ingest.store import SqliteResults
from poise.cli import parts, radio
from poise.cli.person import recalling
from poise.cli.running import OK, out
from poise.cli.settings import Settings
from poise.errors import ConfigurationError

FOREVER: Final = 86_400 * 365


async def broker(port: int) -> int:
    """Run the embedded broker on this machine."""
    async with EmbeddedBroker(port) as embedded:
        out.print(
            f"MQTT broker at {embedded.settings.place} (for trying out; use Mosquitto for real wearers)."
        )
        await asyncio.sleep(FOREVER)
    return OK


async def ingest(settings: Settings) -> int:
    """Store and judge what arrives."""
    async with parts.ingesting(settings, settings.broker.settings()) as (worker, _):
        await worker.until_connected()
        out.print(f"Ingest stores into {parts.database_path(settings)}, broker {settings.broker.host}.")
        await asyncio.sleep(FOREVER)
    return OK


async def pages(settings: Settings, port: int) -> int:
    """Serve the pages on this machine."""
    path = parts.database_path(settings)
    if not path.exists():
        raise ConfigurationError(f"There is no database at {path} yet: start `poise ingest` first.")
    influx = settings.store.kind == "influxdb"
    results = InfluxResults(InfluxServer(settings.store.influx())) if influx else SqliteResults(path)
    async with parts.paging(StoreReader(path, results), settings.broker.settings(), port) as address:
        out.print(f"Pages at {address}")
        await asyncio.sleep(FOREVER)
    return OK


async def gateway(settings: Settings, transport: str, origin: str) -> int:
    """Read the worn sensors; `transport` "" is the operating system's Bluetooth."""
    worn = radio.with_sensors(settings)
    async with radio.bluetooth(transport) as backend:
        return await _wear(worn, backend, origin)


async def _wear(settings: Settings, backend: Backend | None, origin: str) -> int:
    async with parts.wearing(
        settings.wearer,
        settings.sensors,
        settings.broker.settings(),
        settings.data,
        backend=backend,
        origin=origin,
        told=out.print,
        cues=parts.Cues(settings.cues.plan(), ZoneInfo(settings.zone), settings.cues.desktop),
    ) as worn:
        out.print(f"Gateway of {settings.wearer.patient}, session {worn.gateway.session}.")
        if waiting := recalling.reminder(worn.spool):
            out.print(waiting, soft_wrap=True)
        await asyncio.sleep(FOREVER)
    return OK


async def room(transport: str, control_port: int, script: str, seed: int) -> int:
    """Offer virtual sensors on a simulated radio to a gateway in another process."""
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
