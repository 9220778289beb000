"""What a user would put together without Poise: Mosquitto, Telegraf and InfluxDB, keeping raw samples.

Data: one simulated wearer's messages (script desk, 4 sensors at 50 Hz), sent for every wearer at moments of
its own, as InfluxDB's lines encoded beforehand: six whole numbers a sample, sensor and patient as tags. No
analysis at all is done. Beside it stands `benchmarks/live.py --store influxdb`, in which Poise analyses the
same stream and stores what it concluded; compare the CPU time of both, a wearer-second.
"""

import argparse
import asyncio
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from live import ROOT, Watched
from servers import running_influx, running_mosquitto
from ward import Samples

from ingest.mqtt.link import Link
from ingest.mqtt.settings import BrokerSettings, Outgoing
from ingest.results.influxdb.server import InfluxServer, InfluxSettings
from poise.samples import SampleMessage
from poise.topics import Leaf, Wearer

CONFIGURATION = """
[agent]
  interval = "1s"
  flush_interval = "1s"
  metric_batch_size = 5000
  metric_buffer_limit = 1000000
  omit_hostname = true
[[inputs.mqtt_consumer]]
  servers = ["tcp://127.0.0.1:{broker}"]
  topics = ["poise/1/+/+/+/samples"]
  topic_tag = ""
  qos = 1
  max_undelivered_messages = 10000
  data_format = "influx"
[[outputs.influxdb_v2]]
  urls = ["{url}"]
  token = "{token}"
  organization = "{org}"
  bucket = "{bucket}"
"""


def lines_of(message: SampleMessage, patient: str) -> bytes:
    """Return a message's samples as InfluxDB's lines."""
    lines = []
    for batch in message.batches:
        head = f"raw,patient={patient},segment={batch.segment} "
        rows = zip(batch.t_us.tolist(), batch.acc.tolist(), batch.gyr.tolist(), strict=True)
        lines += [
            f"{head}ax={a[0]}i,ay={a[1]}i,az={a[2]}i,gx={g[0]}i,gy={g[1]}i,gz={g[2]}i {t}000"
            for t, a, g in rows
        ]
    return "\n".join(lines).encode()


@contextmanager
def telegraf(folder: Path, broker: int, influx: InfluxSettings) -> Iterator[int]:
    """A real Telegraf between the two."""
    found = subprocess.run([str(ROOT / "tools" / "telegraf.sh")], check=True, capture_output=True, text=True)
    config = folder / "telegraf.conf"
    config.write_text(
        CONFIGURATION.format(
            broker=broker, url=influx.url, token=influx.token, org=influx.org, bucket=influx.bucket
        )
    )
    with (folder / "telegraf.log").open("wb") as log:
        program = subprocess.Popen([found.stdout.strip(), "--config", str(config)], stdout=log, stderr=log)
    try:
        yield program.pid
    finally:
        program.terminate()
        program.wait(30)


async def measure(settings: BrokerSettings, watched: Watched, given: argparse.Namespace) -> int:
    """Send for a while, print what it cost, and return how many samples were sent."""
    number = round((given.warm + given.seconds) / given.message)
    samples = Samples(given.message, given.message * (number + 2))
    wearers = [Wearer(f"W-{i:05d}") for i in range(given.wearers)]
    now_us = time.time_ns() // 1000
    messages = [samples.message(0, k, now_us + k * given.message * 1_000_000) for k in range(number)]
    texts = [lines_of(message, "@") for message in messages]
    began, cpu = 0.0, 0.0
    async with Link(settings, "clinic") as link:
        await link.until_connected()
        start = time.monotonic()
        for k, text in enumerate(texts):
            if not began and k * given.message >= given.warm:
                watched.begin()
                began, cpu = time.monotonic(), time.process_time()
            for i, wearer in enumerate(wearers):
                due = start + (k + i / len(wearers)) * given.message
                if due > time.monotonic():
                    await asyncio.sleep(due - time.monotonic())
                payload = text.replace(b"=@,", b"=%s," % wearer.patient.encode())
                link.send(Outgoing(wearer.topic(Leaf.SAMPLES), payload, 1))
        spent = time.monotonic() - began
        used = watched.used() | {"generator": time.process_time() - cpu}
        for name, seconds in sorted(used.items()):
            print(f"  {name:10} {seconds / spent / given.wearers * 1000:6.3f} ms a wearer-second")
        await asyncio.sleep(5.0)
    return given.wearers * sum(len(batch) for message in messages for batch in message.batches)


def run(given: argparse.Namespace) -> None:
    """Start all servers, measure, and count what arrived."""
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(dir=given.folder)))
        broker = opened.enter_context(
            running_mosquitto(folder, "max_queued_messages 0\nmax_inflight_messages 0\n")
        )
        (folder / "influx").mkdir()
        influx, server = opened.enter_context(running_influx(folder / "influx", "bench"))
        watched = Watched({"broker": broker.pid})
        if server is not None:
            watched.pids["influxdb"] = server.pid
        watched.pids["telegraf"] = opened.enter_context(telegraf(folder, broker.port, influx))
        time.sleep(3.0)
        print(f"{given.wearers} wearers, {given.message} s a message, {given.seconds:.0f} s, Telegraf:")
        sent = asyncio.run(measure(broker.settings, watched, given))
        time.sleep(5.0)
        with closing(InfluxServer(influx)) as asked:
            kept = sum(int(row[1]) for _, rows in asked.query("SELECT count(ax) FROM raw") for row in rows)
        print(f"  {kept} of {sent} samples are in InfluxDB")


def main() -> None:
    """Print what keeping raw samples with Telegraf costs."""
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--wearers", type=int, default=100)
    wanted.add_argument("--seconds", type=float, default=60.0)
    wanted.add_argument("--warm", type=float, default=10.0)
    wanted.add_argument("--message", type=int, default=1)
    wanted.add_argument("--folder", help="where the databases are made")
    run(wanted.parse_args())


if __name__ == "__main__":
    main()
