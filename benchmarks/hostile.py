"""A hostile publisher beside honest wearers: what they notice of it, and whether it is named.

Data: 100 simulated wearers as in `benchmarks/live.py` (4 sensors at 50 Hz, a message of `--message` seconds
each), through Mosquitto with the limits of `poise broker init`, to `poise ingest`. Then a client of its own,
in a process of its own, publishes 2,000 messages a second as one wearer, half of them at QoS 1 and without
any window: first damaged messages, then valid ones of one second each. Rival: the same run before it came.

Latency is from a message's last sample to the arrival of `stored`. Wanted: p95 of the honest at most the
larger of double what it was and 2 s, no worker started again, and the offender, nobody else, in the metrics.
"""

import argparse
import asyncio
import http.client
import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from prometheus_client.parser import text_string_to_metric_families

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))
sys.path.insert(0, str(ROOT / "benchmarks"))
from live import ingest  # noqa: E402
from servers import Mosquitto, free_port, running_mosquitto  # noqa: E402
from ward import Ward, cpu_s, family  # noqa: E402

from ingest.mqtt.mosquitto import texts  # noqa: E402

WARM_S = 25.0
PAUSE_S = 15.0
LIMITS = ("max_packet_size", "max_inflight", "max_queued")


def limits() -> str:
    """Return what `poise broker init` writes of how much one client may ask for."""
    lines = texts.configuration(Path(), 1, None).splitlines()
    return "\n".join(line for line in lines if line.startswith(LIMITS)) + "\n"


def metrics(port: int) -> dict[tuple[str, ...], float]:
    """Return all of them, summed over the workers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    found: dict[tuple[str, ...], float] = {}
    for family_ in text_string_to_metric_families(text):
        for sample in family_.samples:
            rest = (value for label, value in sorted(sample.labels.items()) if label != "worker")
            named = (sample.name, *rest)
            found[named] = found.get(named, 0.0) + sample.value
    return found


async def window(ward: Ward, pid: int, seconds: float, name: str) -> float:
    """Look at the honest for a while and return their p95, s."""
    used = cpu_s(family(pid))
    ward.late_s.clear()
    await asyncio.sleep(seconds)
    late = np.array(ward.late_s or [np.inf])
    p50, p95, most = np.percentile(late, (50, 95, 100))
    cores = (cpu_s(family(pid)) - used) / seconds
    waiting = ward.unconfirmed(10.0)
    print(
        f"  {name:8} last sample to stored: median {p50:.2f} s, p95 {p95:.2f} s, most {most:.2f} s", end=" "
    )
    print(f"of {len(late)}; {waiting} wait for over 10 s; ingest uses {cores:.2f} cores", flush=True)
    return float(p95)


async def flooded(
    ward: Ward, broker: Mosquitto, pid: int, port: int, given: argparse.Namespace, kind: str
) -> float:
    """Let the hostile one loose, and say what became of what it sent."""
    before = metrics(port)
    words = [sys.executable, str(ROOT / "tests" / "flood.py"), str(broker.port), str(given.rate)]
    words += [str(given.seconds), kind]
    hostile = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE, env=environment())
    p95 = await window(ward, pid, given.seconds, kind)
    sent = int((await hostile.communicate())[0])
    await asyncio.sleep(PAUSE_S)
    after = metrics(port)
    grown = {
        name: after[name] - before.get(name, 0.0) for name in after if after[name] != before.get(name, 0.0)
    }
    dead = sum(n for name, n in grown.items() if name[0] == "poise_dead_letters_total")
    refused = {name[1]: n for name, n in grown.items() if name[0] == "poise_refused_by_wearer_total"}
    print(
        f"           it sent {sent} ({sent / given.seconds:.0f}/s): {dead:.0f} put aside, refused {refused}"
    )
    return p95


def environment() -> dict[str, str]:
    """Return what a program of this checkout needs."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}


async def measure(broker: Mosquitto, pid: int, port: int, given: argparse.Namespace) -> None:
    """One ward all the time; the hostile one comes twice."""
    length = WARM_S + 3 * given.seconds + 2 * PAUSE_S + 30
    async with Ward(broker.settings, given.wearers, given.message, length) as ward:
        await ward.calibrate(wait=True)
        sending = asyncio.create_task(ward.send())
        await asyncio.sleep(WARM_S)
        calm = await window(ward, pid, given.seconds, "calm")
        worst = max([await flooded(ward, broker, pid, port, given, kind) for kind in ("garbage", "valid")])
        sending.cancel()
    found = metrics(port)
    named = sorted(name[1] for name in found if name[0] == "poise_refused_by_wearer_total")
    starts = found["poise_worker_starts_total",] - given.workers
    allowed = max(2 * calm, 2.0)
    print(
        f"hostile: honest p95 {worst:.2f} s at worst, {calm:.2f} s before, {allowed:.2f} s allowed; ", end=""
    )
    print(f"named {', '.join(named) or 'nobody'}; {starts:.0f} workers started again")


def main() -> None:
    """Print what the honest notice."""
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--wearers", type=int, default=100)
    wanted.add_argument("--message", type=int, default=1)
    wanted.add_argument("--seconds", type=float, default=40.0)
    wanted.add_argument("--rate", type=float, default=2000.0)
    wanted.add_argument("--workers", type=int, default=2)
    given = wanted.parse_args()
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        broker, port = opened.enter_context(running_mosquitto(folder, limits())), free_port()
        more = {
            **environment(),
            "POISE_INGEST__METRICS_PORT": str(port),
            "POISE_BROKER__PORT": str(broker.port),
        }
        pid = opened.enter_context(ingest(broker.port, folder / "data", given.workers, more))
        print(f"{given.wearers} wearers, {given.message} s a message, {given.workers} workers:", flush=True)
        asyncio.run(measure(broker, pid, port, given))


if __name__ == "__main__":
    main()
