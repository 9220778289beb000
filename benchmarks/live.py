"""A clinic live: many wearers through a real broker into the store, and what each process costs.

Data: simulated wearers (script desk, 40 of them at different moments, each standing for many), 4 sensors at
50 Hz, payloads encoded beforehand; each wearer sends a message every `--message` seconds at a moment of its
own, at QoS 1, through Mosquitto, to `poise ingest` with a worker for each core, synced at every commit.

Latency is the time from a message's last sample to the arrival of `stored`, which ingest publishes once
message and results are on disk: so it holds the way through the broker, twice. CPU is the kernel's account of
each process. Rival in the same run (`--rival`, with InfluxDB): what a user would write by hand, a callback
for each message, one VQF call a sensor, `Point` objects in influxdb-client's batching mode.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from servers import running_influx, running_mosquitto  # noqa: E402
from ward import Ward, cpu_s, family, resident_mb  # noqa: E402

from ingest.database.sqlite import reading  # noqa: E402
from ingest.mqtt.settings import BrokerSettings  # noqa: E402

WARM_S = 10.0
"""Beyond two messages' length: all have sent one by then, and send on."""


@dataclass
class Watched:
    """The processes of one run, by name, and what they had used when the measurement began."""

    pids: dict[str, int]
    before: dict[str, float] = field(default_factory=dict)

    def begin(self) -> None:
        """Note what they have used so far."""
        self.before = {name: cpu_s(family(pid)) for name, pid in self.pids.items()}

    def used(self) -> dict[str, float]:
        """Return the CPU time since, s."""
        return {name: cpu_s(family(pid)) - self.before[name] for name, pid in self.pids.items()}


@contextmanager
def ingest(port: int, data: Path, workers: int, environment: dict[str, str]) -> Iterator[int]:
    """`poise ingest` as a user starts it."""
    words = [sys.executable, "-m", "poise.cli.app", "ingest", "--workers", str(workers), "--data", str(data)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "POISE_BROKER__PORT": str(port), **environment}
    program = subprocess.Popen(words, env=environment)
    try:
        yield program.pid
    finally:
        program.terminate()
        program.wait(60)


@contextmanager
def rival(port: int, influx: dict[str, str]) -> Iterator[int]:
    """What a user would write by hand, in a process of its own."""
    words = [sys.executable, str(ROOT / "tests" / "by_hand.py"), str(port), json.dumps(influx)]
    program = subprocess.Popen(words, env={**os.environ, "PYTHONPATH": str(ROOT)})
    try:
        yield program.pid
    finally:
        program.terminate()
        program.wait(60)


async def measure(
    settings: BrokerSettings, watched: Watched, given: argparse.Namespace, *, ours: bool
) -> None:
    """Send for a while and print what it cost."""
    ward = Ward(settings, given.wearers, given.message, given.warm + given.seconds + 5)
    async with ward:
        await ward.calibrate(wait=ours)
        sending = asyncio.create_task(ward.send())
        await asyncio.sleep(given.warm)
        watched.begin()
        own, began = time.process_time(), time.monotonic()
        ward.late_s.clear()
        await asyncio.sleep(given.seconds)
        spent, used = time.monotonic() - began, watched.used()
        used["generator"] = time.process_time() - own
        held = {name: resident_mb(family(pid)) for name, pid in watched.pids.items()}
        late, open_ = np.array(ward.late_s or [np.nan]), ward.unconfirmed(given.message)
        sending.cancel()
    for name, seconds in sorted(used.items()):
        memory = f", {held[name] / given.wearers * 1000:.0f} kB a wearer" if name in held else ""
        print(f"  {name:10} {seconds / spent / given.wearers * 1000:6.3f} ms a wearer-second{memory}")
    if ours:
        p50, p95, most = np.percentile(late, (50, 95, 100))
        print(f"  last sample to stored: median {p50:.2f} s, p95 {p95:.2f} s, most {most:.2f} s; ", end="")
        print(f"{open_} messages wait longer than one is long; at most {ward.behind_s:.2f} s late in sending")


def run(given: argparse.Namespace) -> None:
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(dir=given.folder)))
        broker = opened.enter_context(
            running_mosquitto(folder, "max_queued_messages 0\nmax_inflight_messages 0\n")
        )
        watched, environment, influx = Watched({"broker": broker.pid}), {}, {}
        if given.store == "influxdb" or given.rival:
            (folder / "influx").mkdir()
            settings, server = opened.enter_context(running_influx(folder / "influx", "bench"))
            influx = {
                "url": settings.url,
                "token": settings.token,
                "org": settings.org,
                "bucket": settings.bucket,
            }
            if server is not None:
                watched.pids["influxdb"] = server.pid
        if given.rival:
            watched.pids["by hand"] = opened.enter_context(rival(broker.port, influx))
        else:
            if given.store == "influxdb":
                environment = {"POISE_STORE__KIND": "influxdb"}
                environment |= {f"POISE_STORE__{name.upper()}": value for name, value in influx.items()}
            watched.pids["poise"] = opened.enter_context(
                ingest(broker.port, folder / "data", given.workers, environment)
            )
        print(
            f"{given.wearers} wearers, {given.message} s a message, {given.seconds:.0f} s, "
            f"{'by hand' if given.rival else f'Poise with {given.workers} workers'}, {given.store}:",
            flush=True,
        )
        asyncio.run(measure(broker.settings, watched, given, ours=not given.rival))
        show_stored(folder / "data")


def show_stored(data: Path) -> None:
    """Say what is on disk, so that nobody measures an ingest that concluded nothing."""
    files = list(data.glob("*.db"))
    for table in ("messages", "fresh", "episodes", "outbox") if files else ():
        total = 0
        for file in files:
            with reading(file) as c:
                total += c.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608
        print(f"  {total} {table}", end=",")
    if files:
        print(f" {sum(path.stat().st_size for path in data.glob('*.db*')) / 1e6:.0f} MB on disk")


def main() -> None:
    """Print what a clinic costs."""
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--wearers", type=int, default=200)
    wanted.add_argument("--seconds", type=float, default=60.0)
    wanted.add_argument("--warm", type=float, help="s before it is measured; by default till all send")
    wanted.add_argument("--message", type=int, default=10)
    wanted.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    wanted.add_argument("--store", choices=["sqlite", "influxdb"], default="sqlite")
    wanted.add_argument("--rival", action="store_true")
    wanted.add_argument("--folder", help="where the databases are made")
    given = wanted.parse_args()
    given.warm = 2 * given.message + WARM_S if given.warm is None else given.warm
    run(given)


if __name__ == "__main__":
    main()
