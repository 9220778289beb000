"""InfluxDB away while a clinic goes on: what waits, what pages still get, how it catches up, what is lost.

Data: simulated wearers as in `benchmarks/live.py` (4 sensors at 50 Hz), through Mosquitto to `poise ingest`
with the store `influxdb`. The server is killed, stays away for `--away` seconds and is started again, while
everybody goes on sending. Then every wearer's rows in InfluxDB are counted and compared with those that an
undisturbed intake concludes from the same samples. Rival: real time; catching up is to be faster than the
outage was long.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import ExitStack, closing
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))
sys.path.insert(0, str(ROOT / "benchmarks"))
from live import ingest  # noqa: E402
from servers import Influx, InfluxSettings, running_influx, running_mosquitto  # noqa: E402
from ward import GROUPS, Ward, cpu_s, family, resident_mb  # noqa: E402

from analytics.pipeline import Pipeline  # noqa: E402
from ingest.database.sqlite import reading  # noqa: E402
from ingest.mqtt.link import Link  # noqa: E402
from ingest.mqtt.settings import BrokerSettings  # noqa: E402
from ingest.results.influxdb.layout import TABLES  # noqa: E402
from ingest.results.influxdb.server import InfluxServer  # noqa: E402
from ingest.results.store import storable  # noqa: E402
from poise.samples import SampleMessage  # noqa: E402
from poise.topics import Leaf, Wearer, everyone, parse  # noqa: E402

CALM_S = 60.0
LOOK_S = 60.0
CATCH_UP_S = 1200.0
_COUNT = 'SELECT count("mean") FROM "posture_second" WHERE time > 0 GROUP BY "patient"'


class Pages:
    """What a page would hear: the wearers of whom a live notice came lately."""

    def __init__(self, settings: BrokerSettings) -> None:
        self._link = Link(settings, "pages", subscriptions={everyone(Leaf.LIVE): 0})
        self._heard: dict[Wearer, float] = {}

    async def listen(self) -> None:
        """Listen until cancelled."""
        async with self._link:
            while True:
                for message in await self._link.receive(200):
                    self._heard[parse(message.topic).wearer] = time.monotonic()

    def live(self, within_s: float) -> int:
        """Return how many were heard of within that time."""
        return sum(time.monotonic() - at < within_s for at in self._heard.values())


def waiting(data: Path) -> tuple[int, float]:
    """Return lines and MB in all outboxes."""
    lines = size = 0
    for file in data.glob("*.db"):
        with reading(file) as c:
            more = c.execute("SELECT lines, bytes FROM outbox_size").fetchone()
            lines, size = lines + more[0], size + more[1]
    return lines, size / 1e6


async def look(
    name: str, seconds: float, pid: int, data: Path, pages: Pages, given: argparse.Namespace
) -> None:
    """Print once a minute how it does."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        used, began = cpu_s(family(pid)), time.monotonic()
        await asyncio.sleep(min(LOOK_S, left))
        lines, size = await asyncio.to_thread(waiting, data)
        cores = (cpu_s(family(pid)) - used) / (time.monotonic() - began)
        print(
            f"  {name:8} {lines:9} lines, {size:6.1f} MB wait; Poise {resident_mb(family(pid)):5.0f} MB, "
            f"{cores:.2f} cores; {pages.live(given.message + 5)} wearers live",
            flush=True,
        )


async def emptied(data: Path, given: argparse.Namespace) -> float:
    """Return after how many s no more waited than comes in a few s."""
    began, usual = time.monotonic(), 200 * given.wearers
    while time.monotonic() - began < CATCH_UP_S:
        if (await asyncio.to_thread(waiting, data))[0] < usual:
            break
        await asyncio.sleep(1.0)
    return time.monotonic() - began


def rows_of(messages: Iterable[SampleMessage], ward: Ward) -> int:
    """Return how many seconds an undisturbed analysis concludes from a group's messages."""
    analysis = Pipeline()
    analysis.calibrate(ward.calibration)
    return sum(len(storable(analysis.update(message.batches)).seconds) for message in messages)


def compare(ward: Ward, settings: InfluxSettings) -> tuple[int, int, int]:
    """Return the rows that should be there, that are, and the wearers who have another number of them."""
    with closing(InfluxServer(settings)) as server:
        there = {tags["patient"]: rows[0][1] for tags, rows in server.query(_COUNT, TABLES[1].suffix)}
    wanted = {group: rows_of(ward.messages(group), ward) for group in range(min(GROUPS, len(ward.wearers)))}
    pairs = [(wanted[i % GROUPS], there.get(w.patient, 0)) for i, w in enumerate(ward.wearers)]
    return sum(a for a, _ in pairs), sum(b for _, b in pairs), sum(a != b for a, b in pairs)


async def work(
    ward: Ward, pages: Pages, server: Influx, pid: int, data: Path, given: argparse.Namespace
) -> None:
    """Calm, away, back."""
    listening = asyncio.create_task(pages.listen())
    async with ward:
        await ward.calibrate(wait=True)
        sending = asyncio.create_task(ward.send())
        await asyncio.sleep(2 * given.message + 5)
        await look("calm", CALM_S, pid, data, pages, given)
        server.kill()
        await look("away", given.away, pid, data, pages, given)
        await asyncio.to_thread(server.start)
        took_s = await emptied(data, given)
        print(f"  back: caught up {took_s:.0f} s after its start, {given.away / took_s:.1f} times real time")
        await look("after", CALM_S, pid, data, pages, given)
        sending.cancel()
        await asyncio.sleep(given.message)
        await emptied(data, given)
        print(f"  {ward.unconfirmed(5.0)} messages are not confirmed", flush=True)
    listening.cancel()


def main() -> None:
    """Print the account."""
    wanted = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    wanted.add_argument("--wearers", type=int, default=100)
    wanted.add_argument("--away", type=float, default=120.0)
    wanted.add_argument("--message", type=int, default=30)
    wanted.add_argument("--workers", type=int, default=2)
    given = wanted.parse_args()
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        broker = opened.enter_context(running_mosquitto(folder, "max_queued_messages 0\n"))
        (folder / "influx").mkdir()
        settings, server = opened.enter_context(running_influx(folder / "influx", "outage"))
        if server is None:
            raise SystemExit("only a server of our own can be taken away: unset POISE_TEST_INFLUXDB_URL")
        store = {name: getattr(settings, name) for name in ("url", "token", "org", "bucket")}
        environment = {"POISE_STORE__KIND": "influxdb"}
        environment |= {f"POISE_STORE__{name.upper()}": value for name, value in store.items()}
        data = folder / "data"
        pid = opened.enter_context(ingest(broker.port, data, given.workers, environment))
        print(
            f"{given.wearers} wearers, {given.message} s a message, away for {given.away:.0f} s:", flush=True
        )
        length = given.away + 4 * CALM_S + CATCH_UP_S
        ward = Ward(broker.settings, given.wearers, given.message, length)
        asyncio.run(work(ward, Pages(broker.settings), server, pid, data, given))
        asked, there, differ = compare(ward, settings)
        print(f"outage: {asked} rows wanted, {there} there, {differ} wearers have another number of rows")


if __name__ == "__main__":
    main()
