"""What a page waits for, and what a wearer's day takes, in each result store.

Data: made-up seconds (random walks in full precision, the hardest to pack), 40 episodes a day, and quarters
of exposure with "seen" and two of five kinds on average. All patients but the first have seconds of one day,
the first of several; all have a year of exposure and episodes. How many is an argument: the default is small;
`--full` is 1,000 patients of one day, one of them of 30, 16 h a day, eight streams, and takes many hours.
Servers are those of the tests: SQLite, and InfluxDB 2.7 and 1.8 where they are (tools/influxd.sh).
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
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from servers import INFLUX_VERSIONS, find_influxd, running_influx

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
SETTLED_S = 8.0
ZONE = "Europe/Berlin"
LIMITS_MS = (100, 200)


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
class Shop:
    """A store with its way to be filled, its way to be read, and the bytes it takes."""

    fill: Copyable
    read: ResultStore
    size: Callable[[], int]
    crowd: Callable[[int], None] = lambda _count: None


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


def crowd(path: Path, count: int) -> None:
    """Give so many more patients of `poise.db` what the last one has, copied within the database."""
    with closing(sqlite3.connect(path, isolation_level=None)) as c:
        (like,) = c.execute("SELECT max(wearer) FROM streams").fetchone()
        for number in range(count):
            who = {"who": f"home/Q-{number:04d}", "like": like}
            c.execute("BEGIN")
            c.execute(
                "INSERT INTO streams (wearer, name) SELECT :who, name FROM streams WHERE wearer = :like", who
            )
            c.execute(
                "INSERT INTO pieces SELECT mine.id, from_s, body FROM pieces "
                "JOIN streams AS theirs ON theirs.id = stream "
                "JOIN streams AS mine ON mine.wearer = :who AND mine.name = theirs.name "
                "WHERE theirs.wearer = :like",
                who,
            )
            for table, rest in (
                ("episodes", "id, start_us, last_us, end_us, origin, episode"),
                ("exposures", "quarter_s, run_us, kind, seconds"),
            ):
                c.execute(f"INSERT INTO {table} SELECT :who, {rest} FROM {table} WHERE wearer = :like", who)  # noqa: S608
            c.execute("COMMIT")


def measure(name: str, shop: Shop, size: Size) -> tuple[float, float]:
    """Fill a store, ask it, and print a line."""
    began = time.perf_counter()
    day_bytes, rest_bytes = fill(shop, size)
    shop.crowd(size.others)
    filled_s = time.perf_counter() - began
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
    sizes = f"{day_bytes / 1e6:>12.2f} {rest_bytes / 1e3:>14.1f} {filled_s:>10.0f}"
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
def shops(only: str, folder: Path) -> Iterator[Iterator[tuple[str, Shop]]]:
    """Give each store that is there."""

    def each() -> Iterator[tuple[str, Shop]]:
        path = folder / "poise.db"
        Database(path).close()
        if only in ("", "sqlite"):
            with closing(SqliteCopy(path)) as copy:
                yield (
                    "SQLite",
                    Shop(copy, SqliteResults(path), lambda: sqlite_bytes(path), partial(crowd, path)),
                )
        for version in INFLUX_VERSIONS:
            if only not in ("", version):
                continue
            if find_influxd(version) is None:
                print(f"InfluxDB {version}: not there; tools/influxd.sh {version} builds it")
                continue
            place = folder / version
            place.mkdir()
            with (
                running_influx(place, "bench", version) as (settings, _),
                closing(InfluxCopy(InfluxServer(settings))) as influx,
            ):
                read = InfluxResults(InfluxServer(settings), path)
                yield f"InfluxDB {version}", Shop(influx, read, lambda place=place: influx_bytes(place))

    yield each()


def main() -> None:
    """Print a line for each store, and whether each is quick enough."""
    spare_collector()  # as the pages do
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
    parser.add_argument(
        "--others", type=int, default=0, help="more patients with the last one's numbers, SQLite"
    )
    parser.add_argument("--full", action="store_true", help="1,000 patients, 30 days, 16 h, 8 streams")
    parser.add_argument("--only", default="", choices=("", "sqlite", *INFLUX_VERSIONS))
    words = parser.parse_args()
    size = Size(words.patients, words.long_days, words.year_days, words.worn_h, words.streams, words.others)
    if words.full:
        size = Size(1000, 30, 365, 16.0, len(STREAMS), 0)
    # The servers pack what has been quiet for a while: soon, or nobody would wait for its size.
    os.environ["INFLUXD_STORAGE_CACHE_SNAPSHOT_WRITE_COLD_DURATION"] = "3s"
    os.environ["INFLUXDB_DATA_CACHE_SNAPSHOT_WRITE_COLD_DURATION"] = "3s"
    print(
        f"{size.patients} patients, {size.worn_h:g} h a day, {size.streams} streams, {size.long_days} days "
        f"of the first; {size.year_days} days of exposure and {EPISODES_A_DAY} episodes each; "
        f"{size.others} others in SQLite"
    )
    heads = ("store", "day ms", "year ms", "seconds ms", "MB/wearer-d", "kB/d the rest", "filled s")
    print("{:<14} {:>12} {:>12} {:>12} {:>12} {:>14} {:>10}".format(*heads))
    with tempfile.TemporaryDirectory() as folder, shops(words.only, Path(folder)) as found:
        times = [(name, measure(name, shop, size)) for name, shop in found]
    for name, took in times:
        kept = all(ms <= limit for ms, limit in zip(took, LIMITS_MS, strict=True))
        print(
            f"{name}: {'within' if kept else 'NOT within'} {LIMITS_MS[0]} and {LIMITS_MS[1]} ms at this size"
        )


if __name__ == "__main__":
    main()
