"""What a page waits for, and what a wearer's day takes, in each result store.

Data: made-up seconds (random walks in full precision, the hardest to pack), 40 episodes a day, and quarters
of exposure with "seen" and two of five kinds on average. All patients but the first have seconds of one day,
the first of several; all have a year of exposure and episodes. How many is an argument: the default is small;
`--full` is 1,000 patients, the first with 30 days. 997 of them are others: rows of their own, with the
numbers of the last patient (`tests/store_crowd.py`). `--keep FOLDER` keeps the stores: a full one is only
asked, and one with fewer others gets those that it lacks, so what was filled on a busy machine can be asked
when it is quiet. Servers are those of the tests: SQLite, and InfluxDB 2.7 and 1.8 where they are
(tools/influxd.sh).
An InfluxDB is started anew to be asked, with its own defaults, but 2.7 without profiling as in `deploy/`
(INFLUXD_PPROF_DISABLED=false shows what that costs).
Rival: all seconds of the day read and joined by the reader. Times are the wall clock's, median and best of
several; beside other programs the median says more about those. Sizes are of the whole store: bytes a
wearer-day of seconds (with minutes and hours), and of episodes and exposure.
"""

import argparse
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import partial
from pathlib import Path

import msgspec
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from servers import INFLUX_VERSIONS, find_influxd, running_influx
from store_crowd import CrowdedServer, sqlite_crowd

from ingest.database.sqlite import Database
from ingest.results.coarse import coarser
from ingest.results.copying import Copyable
from ingest.results.influxdb.copying import InfluxCopy
from ingest.results.influxdb.results import InfluxResults
from ingest.results.influxdb.server import InfluxServer
from ingest.results.sqlite_copy import SqliteCopy
from ingest.results.store import ResultStore, SqliteResults
from poise.memory import spare_collector
from poise.results import Episode, Exposure, Kind, Results, Second
from poise.topics import Wearer

DAY = 86_400
D0 = 1_790_000_000 // DAY * DAY
STREAMS = ("head", "c7", "t4", "lumbar", "neck", "head.frontal", "t4.frontal", "scapula_left")
KINDS = ("seen", *list(Kind)[:5])
EPISODES_A_DAY = 40
POINTS = 500
REPEATS = 9
AT_ONCE = 50
SETTLED_S = 8.0
ZONE = "Europe/Berlin"
LIMITS_MS = (100, 200)
SERVERS = {
    f"{prefix}_CACHE_SNAPSHOT_{what}": value
    for prefix in ("INFLUXD_STORAGE", "INFLUXDB_DATA")
    for what, value in (("WRITE_COLD_DURATION", "3s"), ("MEMORY_SIZE", str(200 * 2**20)))
} | {"GOGC": "400"}
"""How servers are filled: packing what has been quiet for a while soon, or nobody would wait for its size, in
large files, which need not be packed again and again, and with more memory. They are asked as they come."""


@dataclass(frozen=True)
class Size:
    """How much there is."""

    patients: int
    long_days: int
    year_days: int
    worn_h: float
    streams: int
    others: int


@dataclass(frozen=True)
class Filled:
    """What filling took, and the bytes of a wearer-day of seconds, a day of the rest, and all."""

    day_bytes: float
    rest_bytes: float
    all_bytes: int
    took_s: float


@dataclass(frozen=True)
class Shop:
    """A store with its way to be filled, its way to be read, and the bytes it takes."""

    fill: Copyable
    read: ResultStore
    size: Callable[[], int]
    crowd: Callable[[range], None]


def seconds_of(rng: np.random.Generator, day_s: int, size: Size) -> Iterator[Results]:
    """Yield a day's seconds, an hour at a time; worn from six in the morning."""
    begin, run = day_s + 6 * 3600, (day_s + 6 * 3600) * 1_000_000
    for hour in np.arange(0, size.worn_h):
        first = begin + int(hour) * 3600
        rows = []
        for stream in STREAMS[: size.streams]:
            mean = 0.1 + np.cumsum(rng.normal(0, 0.01, 3600))
            low, high = mean - rng.random(3600) * 0.02, mean + rng.random(3600) * 0.02
            columns = zip(mean.tolist(), low.tolist(), high.tolist(), strict=True)
            rows += [
                Second(first + i, stream, m, a, b, 1.0, run, "k1") for i, (m, a, b) in enumerate(columns)
            ]
        yield Results(seconds=rows)


def conclusions_of(rng: np.random.Generator, day_s: int, size: Size) -> Results:
    """Return a day's episodes and exposure."""
    begin, run = day_s + 6 * 3600, (day_s + 6 * 3600) * 1_000_000
    exposures = [
        Exposure(begin + quarter * 900, run, kind, round(float(rng.random()) * 900, 1))
        for quarter in range(int(size.worn_h * 4))
        for kind in KINDS
        if kind == KINDS[0] or rng.random() < 0.4
    ]
    starts = np.sort(rng.choice(int(size.worn_h * 36_000), EPISODES_A_DAY, replace=False)) * 100_000
    episodes = [_episode(rng, run, run + t_us) for t_us in starts.tolist()]
    return Results(episodes=tuple(episodes), exposures=tuple(exposures))


def _episode(rng: np.random.Generator, run: int, start_us: int) -> Episode:
    end_us, peak, mean, dose = start_us + 60_000_000, *rng.random(3).tolist()
    name = f"{run}-slouch-{start_us}"
    known = (start_us + 10_000_000, end_us, end_us, peak, mean, "k1", ("t4", "c7"), ("lumbar unseen",), dose)
    return Episode(name, Kind.SLOUCH, run, start_us, *known)


def fill(shop: Shop, size: Size) -> tuple[float, float]:
    """Fill the store; return bytes a wearer-day of seconds, and of episodes and exposure."""
    rng, empty = np.random.default_rng(1), shop.size()
    wearers = [Wearer(f"P-{number:04d}") for number in range(size.patients)]
    spans = dict.fromkeys(wearers, 1) | {wearers[0]: size.long_days}
    for wearer, days in spans.items():
        for day in range(days):
            for part in seconds_of(rng, D0 - day * DAY, size):
                shop.fill.write(wearer, [("simulated", part)])
            shop.fill.conclude(wearer, D0 - day * DAY, D0 - (day - 1) * DAY)
    filled = shop.size()
    for wearer in wearers:
        for day in range(size.year_days):
            shop.fill.write(wearer, [("simulated", conclusions_of(rng, D0 - day * DAY, size))])
    rest = shop.size() - filled
    return (filled - empty) / sum(spans.values()), rest / (size.patients * size.year_days)


def filled_once(shop: Shop, size: Size, note: Path) -> Filled:
    """Fill the store as far as it is not, and note how full it is."""
    if note.exists():
        held, filled = noted(note)
        if replace(held, others=size.others) != size or held.others > size.others:
            raise SystemExit(f"{note.parent} holds another size: {held}")
    else:
        began = time.perf_counter()
        sizes = fill(shop, size)
        held, filled = replace(size, others=0), Filled(*sizes, 0, time.perf_counter() - began)
        note.write_bytes(msgspec.json.encode((held, filled)))
    while held.others < size.others:
        began, number = time.perf_counter(), min(held.others + AT_ONCE, size.others)
        shop.crowd(range(held.others, number))
        took_s, held = time.perf_counter() - began, replace(held, others=number)
        filled = replace(filled, took_s=filled.took_s + took_s, all_bytes=0)
        note.write_bytes(msgspec.json.encode((held, filled)))
        print(f"{number} of {size.others} others; the last took {took_s:.0f} s", file=sys.stderr, flush=True)
    if not filled.all_bytes:
        filled = replace(filled, all_bytes=shop.size())
        note.write_bytes(msgspec.json.encode((held, filled)))
    return filled


def noted(note: Path) -> tuple[Size, Filled]:
    """Return how much a store holds and what filling it took."""
    return msgspec.json.decode(note.read_bytes(), type=tuple[Size, Filled])


def timed(question: Callable[[], bool]) -> tuple[float, float]:
    """Return median and best, ms, without the first time; the question says whether its answer is whole."""
    if not question():
        raise SystemExit("the store does not give back what was put in: no figure")
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        question()
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1e3, min(times) * 1e3


def measure(name: str, shop: Shop, size: Size, filled: Filled) -> tuple[float, float]:
    """Ask a store, and print a line."""
    who, last = Wearer("P-0000"), date(1970, 1, 1) + timedelta(days=D0 // DAY)
    first = last - timedelta(days=size.year_days - 1)
    from_us, to_us = (D0 - (size.year_days - 1) * DAY) * 1_000_000, (D0 + DAY) * 1_000_000

    def year() -> bool:
        days, held = shop.read.days(who, first, last, ZONE), shop.read.episodes(who, from_us, to_us)
        return (len(days), len(held)) == (size.year_days, EPISODES_A_DAY * size.year_days)

    def day() -> bool:
        found = shop.read.series(who, ["head"], D0, D0 + DAY, POINTS)["head"]
        return len(found.t_s) == size.worn_h * 3600 / found.step_s and DAY / found.step_s >= POINTS

    def rival() -> bool:
        found = shop.read.series(who, ["head"], D0, D0 + DAY)["head"]
        return len(coarser(found, 120).t_s) == size.worn_h * 30

    times = timed(day), timed(year), timed(rival)
    shown = [f"{median:.0f} ({best:.0f})" for median, best in times]
    sizes = f"{filled.day_bytes / 1e6:>12.2f} {filled.rest_bytes / 1e3:>14.1f}"
    sizes += f" {filled.all_bytes / 1e9:>7.2f} {filled.took_s:>10.0f}"
    print(f"{name:<14} {shown[0]:>12} {shown[1]:>12} {shown[2]:>12} {sizes}", flush=True)
    return times[0][0], times[1][0]


def sqlite_bytes(path: Path) -> int:
    """Return the size of the file when everything is folded into it."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path.stat().st_size


def influx_bytes(folder: Path) -> int:
    """Return the size of a server's folder when it has packed what it holds, without its write-ahead log."""
    before, since = -1, time.monotonic()
    while time.monotonic() - since < SETTLED_S:
        sizes = [
            path.stat().st_size for path in folder.rglob("*") if path.is_file() and path.suffix == ".tsm"
        ]
        logs = sum(path.stat().st_size for path in folder.rglob("*.wal"))
        if (now := sum(sizes) + logs) != before:
            before, since = now, time.monotonic()
        time.sleep(0.5)
    return sum(path.stat().st_size for path in folder.rglob("*.tsm"))


@contextmanager
def filling() -> Iterator[None]:
    """Let servers that are started within be filled quickly."""
    before = dict(os.environ)
    os.environ.update(SERVERS)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def sqlite_shop(place: Path, _size: Size) -> Iterator[Shop]:
    """Give the embedded store."""
    path = place / "poise.db"
    Database(path).close()
    with closing(SqliteCopy(path)) as copy:
        yield Shop(copy, SqliteResults(path), partial(sqlite_bytes, path), partial(sqlite_crowd, path))


@contextmanager
def influx_shop(version: str, place: Path, size: Size) -> Iterator[Shop]:
    """Give an InfluxDB that runs meanwhile."""
    path, like = place / "poise.db", Wearer(f"P-{size.patients - 1:04d}")
    Database(path).close()
    with (
        running_influx(place, "bench", version) as (settings, _),
        closing(CrowdedServer(settings, like, place / "lines")) as server,
        closing(InfluxServer(settings)) as asked,
    ):
        read = InfluxResults(asked, path)
        yield Shop(InfluxCopy(server), read, partial(influx_bytes, place), server.crowd)


def found(only: str) -> Iterator[tuple[str, str, Callable[[Path, Size], AbstractContextManager[Shop]]]]:
    """Yield the name, the folder and the opening of each store that is there."""
    if only in ("", "sqlite"):
        yield "SQLite", "sqlite", sqlite_shop
    for version in INFLUX_VERSIONS:
        if only in ("", version) and find_influxd(version) is None:
            print(f"InfluxDB {version}: not there; tools/influxd.sh {version} builds it")
        elif only in ("", version):
            yield f"InfluxDB {version}", version, partial(influx_shop, version)


def arguments() -> tuple[Size, argparse.Namespace]:
    """Return how much there is to be, and the rest of what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--patients", type=int, default=3, help="of one day of seconds and a year of the rest"
    )
    parser.add_argument("--long-days", type=int, default=3, help="of the first patient's seconds")
    parser.add_argument("--year-days", type=int, default=365)
    parser.add_argument("--worn-h", type=float, default=8.0, help="a day")
    parser.add_argument("--streams", type=int, default=4, choices=range(1, len(STREAMS) + 1))
    parser.add_argument("--others", type=int, default=0, help="more patients with the last one's numbers")
    parser.add_argument("--full", action="store_true", help="3 patients, 997 others, 30 days of the first")
    parser.add_argument("--only", default="", choices=("", "sqlite", *INFLUX_VERSIONS))
    parser.add_argument("--keep", type=Path, help="a folder that keeps the stores; full ones are only asked")
    words = parser.parse_args()
    if words.full:
        words.patients, words.others, words.long_days, words.year_days = 3, 997, 30, 365
    size = Size(words.patients, words.long_days, words.year_days, words.worn_h, words.streams, words.others)
    return size, words


def main() -> None:
    """Print a line for each store, and whether each is quick enough."""
    spare_collector()  # as the pages do
    size, words = arguments()
    os.environ.setdefault("INFLUXD_PPROF_DISABLED", "true")
    print(
        f"{size.patients} patients, {size.worn_h:g} h a day, {size.streams} streams, {size.long_days} days "
        f"of the first; {size.year_days} days of exposure and {EPISODES_A_DAY} episodes each; "
        f"{size.others} others with the last one's numbers"
    )
    heads = ("store", "day ms", "year ms", "seconds ms", "MB/wearer-d", "kB/d the rest", "GB", "filled s")
    print("{:<14} {:>12} {:>12} {:>12} {:>12} {:>14} {:>7} {:>10}".format(*heads))
    times = []
    with tempfile.TemporaryDirectory() as passing:
        for name, folder, opened in found(words.only):
            place = (words.keep or Path(passing)) / folder
            note = place / "filled.json"
            if place.exists() and not note.exists():
                raise SystemExit(f"{place} is half full: delete it")
            place.mkdir(parents=True, exist_ok=True)
            with filling(), opened(place, size) as shop:
                filled = filled_once(shop, size, note)
            with opened(place, size) as shop:
                times.append((name, measure(name, shop, size, filled)))
    for name, took in times:
        kept = all(ms <= limit for ms, limit in zip(took, LIMITS_MS, strict=True))
        print(
            f"{name}: {'within' if kept else 'NOT within'} {LIMITS_MS[0]} and {LIMITS_MS[1]} ms at this size"
        )


if __name__ == "__main__":
    main()
