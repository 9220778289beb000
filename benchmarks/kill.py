"""Kills under load: broker, workers and InfluxDB die, and every sample and every result is there once.

Data: simulated wearers as in `live.py`, each with a gateway's spool and bridge; `poise ingest` with two
workers stores through a real Mosquitto, with `--store influxdb` into a real InfluxDB. At random moments a
process is killed by SIGKILL: the broker and InfluxDB are started again by this program, a worker by its
parent. When all spools are empty the account is settled: each message of each wearer stored exactly once,
and seconds, episodes and exposure equal, bit for bit, to those of the same messages without any kill.
"""

import argparse
import asyncio
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from ingest_helpers import Shelf  # noqa: E402
from live import ingest  # noqa: E402
from servers import InfluxSettings, Mosquitto, Server, running_influx, running_mosquitto  # noqa: E402
from ward import GROUPS, SpoolWard, family  # noqa: E402

from ingest.database.shards import shard_of, shards  # noqa: E402
from ingest.database.sqlite import reading  # noqa: E402
from ingest.mqtt.settings import Received  # noqa: E402
from ingest.results.copying import Copyable  # noqa: E402
from ingest.results.influxdb.copying import InfluxCopy  # noqa: E402
from ingest.results.influxdb.server import InfluxServer  # noqa: E402
from ingest.results.sqlite_copy import SqliteCopy  # noqa: E402
from poise.topics import Leaf, Wearer  # noqa: E402

WORKERS = 2
FORWARDED_S = 120.0
EVER_S = 2**33


async def kill_at_random(
    broker: Mosquitto, parent: int, influx: Server | None, given: argparse.Namespace
) -> dict[str, int]:
    """Kill so many processes, evenly spread over the time with some chance, and return how many of each."""
    chance = random.Random(given.seed)  # noqa: S311 - the same kills again
    counts = dict.fromkeys(("broker", "worker", "influxdb"), 0)
    whom = ["broker", "worker"] + (["influxdb"] if influx else [])
    for number in range(given.kills):
        await asyncio.sleep(given.seconds / given.kills * chance.uniform(0.6, 1.4))
        one = whom[number % len(whom)]
        counts[one] += 1
        if one == "worker":
            workers = family(parent)[1:]
            if workers:
                os.kill(chance.choice(workers), signal.SIGKILL)
            continue
        server = broker if one == "broker" else influx
        assert server is not None  # noqa: S101 - only those that are there are chosen
        server.kill()
        await asyncio.sleep(chance.uniform(0.0, 2.0))
        await asyncio.to_thread(server.start)
    return counts


def concluded(store: Copyable, wearer: Wearer) -> tuple[object, ...]:
    """Return all that a store has of a wearer, in an order of its own."""
    parts = [part for _, part in store.read(wearer, 0, EVER_S)]
    return (
        sorted((s for part in parts for s in part.seconds), key=lambda s: (s.t_s, s.stream)),
        sorted((e for part in parts for e in part.episodes), key=lambda e: e.id),
        sorted((x for part in parts for x in part.exposures), key=lambda x: (x.quarter_s, x.run_us, x.kind)),
    )


def forwarded(data: Path) -> None:
    """Wait until InfluxDB has everything."""
    began = time.monotonic()
    for file in data.glob("poise*.db"):
        while time.monotonic() - began < FORWARDED_S:
            with reading(file) as c:
                if not c.execute("SELECT lines FROM outbox_size").fetchone()[0]:
                    break
            time.sleep(0.5)


def settle(ward: SpoolWard, data: Path, influx: InfluxSettings | None) -> tuple[int, int, int]:
    """Return messages lost, messages stored twice, and wearers whose results are not the undisturbed ones."""
    lost = twice = differ = 0
    files = [shard.file(data) for shard in shards(WORKERS)]
    forwarded(data)
    server = InfluxCopy(InfluxServer(influx)) if influx else None
    for group in range(min(GROUPS, len(ward.wearers))):
        alone = Shelf(data / f"alone-{group}.db")
        mine = ward.wearers[group::GROUPS]
        calibration, payloads = ward.calibration, ward.sent[group]
        alone.intake.take([_received(mine[0], Leaf.CALIBRATION, calibration)])
        for payload in payloads:
            alone.intake.take([_received(mine[0], Leaf.SAMPLES, payload)])
        for wearer in mine:
            with reading(files[shard_of(wearer, WORKERS)]) as c:
                name = f"home/{wearer.patient}"
                rows = c.execute("SELECT sequence FROM messages WHERE wearer = ?", (name,)).fetchall()
                sequences = [row[0] for row in rows]
                lost += len(set(range(len(payloads))) - set(sequences))
                twice += len(sequences) - len(set(sequences))
            there = concluded(server or SqliteCopy(files[shard_of(wearer, WORKERS)]), wearer)
            differ += there != concluded(SqliteCopy(alone.path), mine[0])
        alone.database.close()
    return lost, twice, differ


def _received(wearer: Wearer, leaf: Leaf, payload: bytes) -> Received:
    return Received(wearer.topic(leaf), payload, qos=1, retain=False, mid=0, connection=0)


async def work(
    broker: Mosquitto, parent: int, influx: Server | None, ward: SpoolWard, given: argparse.Namespace
) -> None:
    async with ward:
        await ward.calibrated()
        sending = asyncio.create_task(ward.send(given.seconds))
        counts = await kill_at_random(broker, parent, influx, given)
        await sending
        began = time.monotonic()
        while (waiting := await ward.waiting()) and time.monotonic() - began < 300:  # noqa: ASYNC110
            await asyncio.sleep(0.5)
        took_s = time.monotonic() - began
        print(f"  killed: {counts}; all confirmed {took_s:.0f} s after the last; {waiting} wait")


def servers(given: argparse.Namespace, opened: ExitStack, folder: Path) -> Iterator[object]:
    """Start the broker and, if wanted, InfluxDB."""
    yield opened.enter_context(running_mosquitto(folder, "max_queued_messages 0\n"))
    if given.store == "influxdb":
        (folder / "influx").mkdir()
        yield from opened.enter_context(running_influx(folder / "influx", "kill"))


def main() -> None:
    """Print the account."""
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--wearers", type=int, default=80)
    wanted.add_argument("--seconds", type=float, default=90.0)
    wanted.add_argument("--message", type=int, default=5)
    wanted.add_argument("--kills", type=int, default=30)
    wanted.add_argument("--seed", type=int, default=1)
    wanted.add_argument("--store", choices=["sqlite", "influxdb"], default="sqlite")
    given = wanted.parse_args()
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        broker, *influx = servers(given, opened, folder)
        environment = {}
        if influx:
            where = influx[0]
            environment = {"POISE_STORE__KIND": "influxdb"} | {
                f"POISE_STORE__{name.upper()}": getattr(where, name)
                for name in ("url", "token", "org", "bucket")
            }
        parent = opened.enter_context(ingest(broker.port, folder / "data", WORKERS, environment))
        print(f"{given.wearers} wearers, {given.message} s a message, {given.kills} kills:", flush=True)
        ward = SpoolWard(broker.settings, given.wearers, given.message, folder)
        asyncio.run(work(broker, parent, influx[1] if influx else None, ward, given))
        lost, twice, differ = settle(ward, folder / "data", influx[0] if influx else None)
        messages = sum(len(ward.sent[i % GROUPS]) for i in range(given.wearers))
        print(
            f"  {messages} messages: {lost} lost, {twice} stored twice; {differ} wearers with other results"
        )
        if lost or twice or differ:
            sys.exit(1)


if __name__ == "__main__":
    main()
