"""Broker and ingest are killed in mid-stream, and nothing shows in the end."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest
from ingest_helpers import day, eventually
from line_helpers import announce_calibration, bridging, ingesting, stored_sequences
from seconds_table import asked
from servers import Mosquitto

from device.spooling.spool import DiskSpool
from ingest.database.sqlite import Database, reading
from ingest.mqtt.embedded import EmbeddedBroker


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
