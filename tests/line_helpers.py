"""Gateway, broker and ingest as one line, each beside the block."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from ingest_helpers import START_US, WEARER, calibration

from device.spooling.spool import DiskSpool
from ingest.bridge import Bridge, Pace
from ingest.database.sqlite import Database, reading
from ingest.mqtt.settings import BrokerSettings
from ingest.results.store import SqliteResults
from ingest.worker import Ingest
from poise import notices
from poise.notices import CalibrationNotice, Presence
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


def stored_sequences(path: Path) -> list[int]:
    with reading(path) as c:
        return [row[0] for row in c.execute("SELECT sequence FROM messages ORDER BY sequence")]


def announce_calibration(bridge: Bridge) -> None:
    bridge.announce(Leaf.CALIBRATION, notices.encode(CalibrationNotice(calibration=calibration())))
