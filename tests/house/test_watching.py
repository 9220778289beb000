"""Looking after an ingest that is at work: metrics, status, backup, and an end under load."""

import asyncio
import contextlib
import http.client
import json
import os
import re
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest
from house_helpers import Program, Programs, Typed, until
from ingest_helpers import calibrated, day, samples
from servers import Mosquitto, free_port, running_mosquitto

from ingest.database.shards import shards
from ingest.database.sqlite import Database, reading
from ingest.mqtt.link import Link
from ingest.mqtt.settings import BrokerSettings, Outgoing
from poise import notices
from poise.errors import BrokerError
from poise.notices import Stored
from poise.topics import Leaf, Wearer, everyone, parse

WEARERS = [Wearer("cleo"), Wearer("anna")]


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    with running_mosquitto(tmp_path) as server:
        yield server


def asked(port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with contextlib.closing(connection), contextlib.suppress(ConnectionError):
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    return 0, ""


def metric(port: int, name: str, worker: str) -> float:
    found = re.search(rf'^{name}{{worker="{worker}"}} (\S+)$', asked(port, "/metrics")[1], re.M)
    return float(found[1]) if found else 0.0


class Load:
    """Two wearers who send faster than any does; what was confirmed of each is kept."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.confirmed = dict.fromkeys(WEARERS, -1)

    async def send(self) -> None:
        for message in day(5000):
            for wearer in WEARERS:
                with contextlib.suppress(BrokerError):
                    self.link.send(Outgoing(wearer.topic(Leaf.SAMPLES), samples([message])[0].payload))
            await asyncio.sleep(0.02)

    async def hear(self) -> None:
        while True:
            for one in await self.link.receive(50):
                wearer, told = parse(one.topic).wearer, notices.decode(one.payload, Stored)
                self.confirmed[wearer] = max(self.confirmed[wearer], told.through)
                self.link.acknowledge(one)


@asynccontextmanager
async def under_load(settings: BrokerSettings) -> AsyncIterator[Load]:
    async with Link(settings, "load", subscriptions={everyone(Leaf.STORED): 1}) as link:
        await link.until_connected()
        for wearer in WEARERS:
            await link.publish(Outgoing(wearer.topic(Leaf.CALIBRATION), calibrated().payload, 1, retain=True))
        load = Load(link)
        tasks = [asyncio.create_task(work) for work in (load.send(), load.hear())]
        yield load
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def later(holds, within_s: float = 60.0, about: object = "") -> None:  # type: ignore[no-untyped-def]
    await asyncio.to_thread(until, holds, within_s, about)


def stored(data: Path) -> dict[Wearer, int]:
    """How many messages of each are on disk without a hole."""
    found = {}
    for wearer in WEARERS:
        for shard in shards(2):
            with reading(shard.file(data)) as c:
                rows = c.execute(
                    "SELECT sequence FROM messages WHERE wearer = ? ORDER BY 1", (f"home/{wearer.patient}",)
                )
                if held := [row[0] for row in rows]:
                    found[wearer] = next((i for i, n in enumerate(held) if i != n), len(held))
    return found


@pytest.mark.mosquitto
@pytest.mark.timeout(300)
async def test_an_ingest_is_watched_backed_up_and_ended_under_load(
    programs: Programs, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    port = free_port()
    env = {"POISE_BROKER__PORT": str(mosquitto.port), "POISE_INGEST__METRICS_PORT": str(port)}
    ingest = programs.start("ingest", "--workers", 2, env=env)
    await later(lambda: asked(port, "/readyz")[0] == 200, about=ingest)
    async with under_load(mosquitto.settings) as load:
        await later(lambda: min(load.confirmed.values()) > 20, about=ingest)
        for worker in ("1/2", "2/2"):
            await later(lambda w=worker: metric(port, "poise_messages_stored_total", w) > 20)
            assert metric(port, "poise_sample_to_stored_seconds_count", worker) > 0
        await a_worker_dies(ingest, port)
        await later(lambda: min(load.confirmed.values()) > 60, about=ingest)
        archive = tmp_path / "night.tar"
        before = stored(tmp_path / "data")
        assert "Written" in await said(programs, env, "backup", archive)
        shown = await said(programs, env, "status")
        assert re.search(r"1/2 +│ +there", shown), shown
        assert re.search(r"anna, simulated +│ +never heard of", shown), shown
        refused = programs.start("restore", archive, "--replace", env=env)
        assert await asyncio.to_thread(refused.ended) == 2
        assert "Another ingest is at work" in refused.err
        ended = await asyncio.to_thread(ingest.interrupted, signal.SIGTERM)
        assert (ended.code, ended.orphans, ended.open_ports) == (0, [], []), ended.text
        assert ended.seconds < 20
        confirmed = dict(load.confirmed)
    on_disk = stored(tmp_path / "data")
    assert all(on_disk[wearer] > confirmed[wearer] for wearer in WEARERS), (on_disk, confirmed)
    restored = tmp_path / "restored"
    assert "holds" in await said(programs, env, "restore", archive, "--data", restored)
    assert all(before[w] <= stored(restored)[w] <= on_disk[w] for w in WEARERS)
    for shard in shards(2):
        database = Database(shard.file(restored))
        with database.transaction() as c:
            assert c.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        database.close()
    lines = [json.loads(line) for line in ingest.err.splitlines() if line.startswith("{")]
    assert any("is started again" in line["event"] for line in lines)
    assert "anna" not in ingest.err


async def a_worker_dies(ingest: Program, port: int) -> None:
    """It is missed, and started again."""
    worker = psutil.Process(ingest.process.pid).children()[0]
    os.kill(worker.pid, signal.SIGKILL)
    await later(lambda: asked(port, "/readyz")[0] == 503, about=ingest)
    await later(lambda: asked(port, "/readyz")[0] == 200, about=ingest)
    assert sorted(metric(port, "poise_worker_starts_total", w) for w in ("1/2", "2/2")) == [1, 2]


async def said(programs: Programs, env: dict[str, str], *words: object) -> str:
    program = programs.start(*words, env=env)
    assert await asyncio.to_thread(program.ended) == 0, program.err
    return program.out


def database(folder: Path, messages: int) -> None:
    folder.mkdir(exist_ok=True)
    made = Database(folder / "poise.db")
    with made.transaction() as c:
        c.execute("INSERT INTO counters (wearer, name, count) VALUES ('', 'x', ?)", (messages,))
    made.close()


OURS = {"poise.db", "poise.db-wal", "poise.db-shm", "poise.lock"}


def test_a_damaged_backup_changes_nothing(typed: Typed, tmp_path: Path) -> None:
    data = tmp_path / "data"
    database(data, 1)
    assert typed("backup", "b.tar")[0] == 0
    whole = (tmp_path / "b.tar").read_bytes()
    assert (tmp_path / "b.tar").stat().st_mode & 0o077 == 0
    assert typed("backup", "b.tar")[0] == 2, "it is there already"
    assert "--replace" in typed("restore", "b.tar")[2]
    for name, damaged in {
        "cut": whole[: len(whole) // 2],
        "flipped": whole[:9000] + bytes([whole[9000] ^ 1]) + whole[9001:],
        "nothing": b"",
        "other": b"Dear reader" * 1000,
    }.items():
        (tmp_path / f"{name}.tar").write_bytes(damaged)
        code, _, sentence = typed("restore", f"{name}.tar", "--replace")
        assert code == 2, name
        assert "nothing was changed" in sentence or "no backup" in sentence
        assert {path.name for path in data.iterdir()} <= OURS, name
    assert "there is no" in typed("restore", "absent.tar", "--replace")[2]
    assert typed("restore", "b.tar", "--replace")[0] == 0
    aside = [path for path in data.iterdir() if path.name.startswith("before-restore-")]
    assert "poise.db" in {path.name for path in aside[0].iterdir()}
    with reading(data / "poise.db") as c:
        assert c.execute("SELECT count FROM counters").fetchall() == [(1,)]


def test_status_says_what_is_missing(typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POISE_INGEST__METRICS_PORT", str(free_port()))  # this machine may have an ingest
    code, _, sentence = typed("status")
    assert code == 2
    assert "start `poise ingest`" in sentence
    database(tmp_path / "data", 1)
    code, shown, _ = typed("status")
    assert code == 0
    assert "what follows is what is on disk" in shown
