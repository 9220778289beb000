"""The whole way into a real InfluxDB: a replayed recording gives there what it gives in SQLite."""

import asyncio
from pathlib import Path

import pytest
from servers import INFLUX_VERSIONS, running_influx

from ingest.mqtt.embedded import EmbeddedBroker
from ingest.reader import StoreReader
from ingest.results.influxdb.server import InfluxSettings
from poise.cli import data, parts
from poise.cli.settings import BrokerPart, StorePart, load
from poise.results import Episode
from poise.topics import Wearer

pytestmark = [pytest.mark.influxdb, pytest.mark.timeout(180)]
WEARER = Wearer("P-SIM")


async def replayed(recording: Path, folder: Path, store: StorePart) -> list[Episode]:
    async with EmbeddedBroker(0) as broker:
        at = BrokerPart(port=broker.settings.port, embedded=True)
        settings = load(data=folder, broker=at, store=store)
        async with parts.ingesting(settings, broker.settings) as (ingest, reader):
            await ingest.until_connected()
            assert await data.play(recording, 0, settings, as_if_now=False, patient="") == 0
            return await settled(reader)


async def settled(reader: StoreReader) -> list[Episode]:
    """Read the episodes until they no longer change: the forwarder is a moment behind."""
    before: list[Episode] = []
    for _ in range(60):
        now = list(await asyncio.to_thread(reader.episodes, WEARER, 0, 2**60))
        if now and now == before:
            return now
        before = now
        await asyncio.sleep(1)
    return before


def part_of(settings: InfluxSettings) -> StorePart:
    return StorePart(
        kind="influxdb", url=settings.url, token=settings.token, org=settings.org, bucket=settings.bucket
    )


@pytest.mark.parametrize("version", INFLUX_VERSIONS)
def test_influxdb_holds_what_sqlite_holds(tmp_path: Path, version: str) -> None:
    recording = tmp_path / "short.poise"
    assert data.simulate(recording, "short", 3, None, WEARER.patient) == 0
    with running_influx(tmp_path, "poise", version) as (influx, _):
        there = asyncio.run(replayed(recording, tmp_path / "influx", part_of(influx)))
    here = asyncio.run(replayed(recording, tmp_path / "sqlite", StorePart()))
    assert there == here
    assert len(here) == 2
