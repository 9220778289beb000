"""Ingest as a parent with workers: they die, are started again, and the results do not know of it."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from ingest_helpers import Shelf, calibrated, conclusions, day, eventually, samples, take_all
from servers import Mosquitto, running_mosquitto

from device.spooling.spool import DiskSpool
from ingest.bridge import Bridge, Pace
from ingest.database.shards import shards
from ingest.database.sqlite import reading
from ingest.mqtt.link import Link
from ingest.mqtt.settings import BrokerSettings, Outgoing
from poise.errors import StoreUnavailableError
from poise.notices import Presence
from poise.topics import Leaf, Wearer

pytestmark = [
    pytest.mark.mosquitto,
    pytest.mark.timeout(180),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for the workers in /proc"),
]
WEARERS = [Wearer("cleo"), Wearer("anna")]
SECONDS = 100


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    with running_mosquitto(tmp_path) as server:
        yield server


@asynccontextmanager
async def ingest(
    mosquitto: Mosquitto, data: Path, workers: int = 2
) -> AsyncIterator[asyncio.subprocess.Process]:
    parent = await poise(mosquitto, data, "ingest", "--workers", workers)
    try:
        yield parent
    finally:
        if parent.returncode is None:
            parent.kill()
            await parent.wait()


async def poise(mosquitto: Mosquitto, data: Path, *words: object) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "poise.cli.app", *map(str, words), "--data", str(data)),
        env={**os.environ, "POISE_BROKER__PORT": str(mosquitto.port)},
    )


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def calibrate(settings: BrokerSettings, files: list[Path]) -> None:
    """Send the calibrations, and wait for them: one that comes after a sample holds from the next on."""
    async with Link(settings, "calibrations") as link:
        await link.until_connected()
        for wearer in WEARERS:
            topic = wearer.topic(Leaf.CALIBRATION)
            await link.publish(Outgoing(topic, calibrated().payload, 1, retain=True))
        await eventually(lambda: all(count(file, "calibrations") for file in files), 60)


@asynccontextmanager
async def sending(
    settings: BrokerSettings, folder: Path, pace: Pace | None = None
) -> AsyncIterator[list[DiskSpool]]:
    """Two gateways that spool a second of samples every twentieth of a second, and send it."""
    spools = [DiskSpool(folder / f"{wearer.patient}.db") for wearer in WEARERS]
    presence = Presence(state="online", gateway="g", session="g1", since_us=0, origin="simulated", program="")
    bridges = [Bridge(settings, *pair, presence, pace) for pair in zip(WEARERS, spools, strict=True)]
    tasks = [asyncio.create_task(work) for work in (*(b.run() for b in bridges), *map(fill, spools))]
    try:
        yield spools
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def fill(spool: DiskSpool) -> None:
    for message in day(SECONDS):
        await asyncio.to_thread(spool.put, message)
        await asyncio.sleep(0.05)


def count(file: Path, table: str) -> int:
    with contextlib.suppress(StoreUnavailableError), reading(file) as c:
        return int(c.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608
    return 0  # not there yet


async def test_dead_workers_are_started_again_and_nothing_shows(mosquitto: Mosquitto, tmp_path: Path) -> None:
    data = tmp_path / "data"
    files = [shard.file(data) for shard in shards(2)]
    async with ingest(mosquitto, data) as parent:
        await eventually(lambda: all(map(Path.exists, files)), 60)
        first = children(parent.pid)
        assert len(first) == 2
        await calibrate(mosquitto.settings, files)
        async with sending(mosquitto.settings, tmp_path) as spools:
            await eventually(lambda: all(count(file, "messages") > 20 for file in files), 60)
            for pid in first:
                os.kill(pid, signal.SIGKILL)
            await eventually(lambda: all(count(file, "messages") == SECONDS for file in files), 60)
            await eventually(lambda: not any(spool.depth() for spool in spools), 30)
        second = children(parent.pid)
        assert len(second) == 2
        assert not set(first) & set(second)
        parent.terminate()
        assert await asyncio.wait_for(parent.wait(), 30) == 0
        assert not any(map(alive, second))
    nothing_shows(files, tmp_path)


async def test_wearers_are_moved_while_their_gateways_go_on(mosquitto: Mosquitto, tmp_path: Path) -> None:
    data = tmp_path / "data"
    one, two = ([shard.file(data) for shard in shards(count)] for count in (1, 2))
    async with ingest(mosquitto, data, 1) as alone:
        await eventually(lambda: all(map(Path.exists, one)), 60)
        await calibrate(mosquitto.settings, one)
        # New workers have subscribed to nothing before: what was sent meanwhile is sent again after a while.
        async with sending(mosquitto.settings, tmp_path, Pace(stall_s=3.0)) as spools:
            await eventually(lambda: count(one[0], "messages") > 50, 60)
            alone.terminate()
            assert await asyncio.wait_for(alone.wait(), 30) == 0
            mover = await poise(mosquitto, data, "store", "spread", "--workers", 2)
            assert await asyncio.wait_for(mover.wait(), 30) == 0
            assert 10 < count(two[0], "messages") < SECONDS
            async with ingest(mosquitto, data, 2) as parent:
                await eventually(lambda: all(count(file, "messages") == SECONDS for file in two), 60)
                await eventually(lambda: not any(spool.depth() for spool in spools), 30)
                parent.terminate()
                assert await asyncio.wait_for(parent.wait(), 30) == 0
    nothing_shows(two, tmp_path)


def nothing_shows(files: list[Path], tmp_path: Path) -> None:
    """The results in the databases of both wearers are those of a day without any trouble."""
    for wearer, file in zip(WEARERS, files, strict=True):
        undisturbed = Shelf(tmp_path / f"whole-{wearer.patient}.db")
        take_all(undisturbed, [received_for(wearer), *samples(day(SECONDS), wearer)])
        assert conclusions(Shelf(file)) == conclusions(undisturbed)
        assert undisturbed.rows("SELECT count(*) FROM episodes") != [(0,)]


def received_for(wearer: Wearer):  # type: ignore[no-untyped-def]
    plain = calibrated()
    return type(plain)(wearer.topic(Leaf.CALIBRATION), plain.payload, 1, False, 1, 1)


async def test_workers_do_not_outlive_their_parent(mosquitto: Mosquitto, tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with ingest(mosquitto, data) as parent:
        await eventually(lambda: all(shard.file(data).exists() for shard in shards(2)), 60)
        workers = children(parent.pid)
        parent.kill()
        await parent.wait()
        until = time.monotonic() + 30
        await eventually(lambda: not any(map(alive, workers)) or time.monotonic() > until, 35)
        assert not any(map(alive, workers))


async def test_what_no_restart_mends_ends_all(mosquitto: Mosquitto, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "poise-1of2.db").write_text("no database")
    async with ingest(mosquitto, data) as parent:
        assert await asyncio.wait_for(parent.wait(), 60) == 2
