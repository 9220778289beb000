"""Copying between stores: everything arrives, a break costs nothing, and what is missing is told."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import pytest
from servers import INFLUX_VERSIONS

from analytics.conclusions import Conclusions
from analytics.exposure.counts import Counts, QuarterExposure
from ingest.database.sqlite import Database
from ingest.results.copying import Copied, Cursor, copy
from ingest.results.influxdb.copying import InfluxCopy
from ingest.results.influxdb.layout import create
from ingest.results.influxdb.results import InfluxResults
from ingest.results.influxdb.server import InfluxServer, InfluxSettings
from ingest.results.sqlite_copy import SqliteCopy
from ingest.results.store import ResultStore, SqliteResults
from poise.errors import StoreUnavailableError
from poise.results import Episode, Exposure, Kind, Results, Second
from poise.topics import Wearer

DAY = 86_400
D0 = 1_790_000_000 // DAY * DAY
WEARERS = (Wearer("anna"), Wearer("bo", "clinic"))
STREAMS = ("head", "t4.frontal", "it's, =x")
SPAN = (D0 - DAY, D0 + 4 * DAY)
PAIRS = [
    ("sqlite", "2.7"),
    ("sqlite", "1.8"),
    ("2.7", "sqlite"),
    ("1.8", "sqlite"),
    ("2.7", "1.8"),
    ("1.8", "2.7"),
]


def made_up(seed: int) -> Results:
    rng = Random(seed)  # noqa: S311 - test data
    run = (D0 + 100) * 1_000_000 + 7
    seconds = []
    for stream in STREAMS:
        for t_s in sorted(rng.sample(range(D0 - 50, D0 + DAY), 900)):
            mean = rng.choice([0.0, -0.0, 1.0, rng.uniform(-1, 1), 1e-9, -3.0])
            seconds.append(
                Second(t_s, stream, mean, mean - 1, mean + 1, rng.random(), run, rng.choice(["k1", 'k"2\\']))
            )
    episodes = []
    for _ in range(40):
        start_us = (D0 + rng.randrange(3 * DAY)) * 1_000_000 + rng.randrange(10) * 100_000
        end_us = rng.choice([None, start_us + 90_000_000])
        kind = rng.choice([Kind.SLOUCH, Kind.HIP_LEAN])
        episodes.append(
            Episode(
                f"{run}-{start_us}",
                kind,
                run,
                start_us,
                start_us,
                end_us,
                start_us,
                rng.random(),
                0.1,
                "k1",
                ("t4",),
            )
        )
    exposures = [
        Exposure(D0 + quarter * 900, run + other, kind, rng.random() * 900)
        for quarter in range(0, 300, 7)
        for other in (0, 3_000_001)
        for kind in ("seen", "slouch")
    ]
    quarters = []
    for number in range(10):
        counts = Counts.zero(("head",))
        counts.angle[0, 30 + number] = counts.judged = number
        quarters.append(QuarterExposure(D0 + number * 9000, run, counts))
    return Conclusions((), seconds, tuple(episodes), tuple(exposures), (), tuple(quarters))


@pytest.fixture
def shops(tmp_path: Path, influx_of: Callable[[str], Any]):
    """Gives a fresh store of a kind: what copies it, and what reads it."""
    with ExitStack() as stack:

        def open_one(kind: str, name: str) -> tuple[Any, ResultStore]:
            path = tmp_path / f"{name}.db"
            Database(path).close()
            if kind == "sqlite":
                return stack.enter_context(closing(SqliteCopy(path))), SqliteResults(path)
            usual: InfluxSettings = influx_of(kind)[0]
            settings = replace(usual, bucket=f"{usual.bucket}{name}{time.time_ns()}")
            server = stack.enter_context(closing(InfluxServer(settings)))
            list(create(server))
            return InfluxCopy(server), InfluxResults(server, path)

        yield open_one


def filled(store: Any) -> None:
    for number, wearer in enumerate(WEARERS):
        results = made_up(number)
        store.write(wearer, [("simulated", results)])


def run_copy(source: Any, target: Any, path: Path) -> Copied:
    with closing(Cursor(path)) as cursor:
        return copy(source, target, cursor, lambda *_: None)


def seen(store: ResultStore) -> list[object]:
    """Everything that pages can see."""
    found: list[object] = []
    for wearer in WEARERS:
        for points in (0, 2000, 100):
            series = store.series(wearer, STREAMS, *SPAN, points)
            found += [[column.round(12).tolist() for column in series[name].columns] for name in STREAMS]
        found.append([quarter.to_plain() for quarter in store.quarters(wearer, *SPAN)])
        found.append(list(store.episodes(wearer, SPAN[0] * 1_000_000, SPAN[1] * 1_000_000)))
        found.append(
            [
                (day.day, round(day.seen_s, 9), {kind: round(s, 9) for kind, s in day.seconds.items()})
                for day in store.days(wearer, date(2026, 9, 20), date(2026, 9, 25), "Asia/Kolkata")
            ]
        )
    return found


@pytest.mark.influxdb
@pytest.mark.parametrize(("kind", "other"), PAIRS)
def test_everything_arrives_and_reads_the_same(shops: Any, tmp_path: Path, kind: str, other: str) -> None:
    (source, there), (target, here) = shops(kind, "a"), shops(other, "b")
    filled(source)
    copied = run_copy(source, target, tmp_path / "cursor.txt")
    assert copied.wrong == []
    assert (copied.seconds, copied.episodes) == (2 * 2700, 2 * 40)
    assert (copied.exposures, copied.quarters) == (2 * 43 * 4, 2 * 10)
    assert copied.days == copied.copied >= 2 * 4
    assert not (tmp_path / "cursor.txt").exists()
    for wearer in WEARERS:
        source.conclude(wearer, *SPAN)
    assert seen(here) == seen(there)
    again = run_copy(source, target, tmp_path / "cursor.txt")
    assert (again.wrong, again.seconds) == ([], copied.seconds)


class Failing:
    """A store that is cut off after some writes, or loses rows."""

    def __init__(self, store: Any, writes: int = 10**9, lost: int = 0) -> None:
        self._store, self._writes, self.lost = store, writes, lost

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def write(self, wearer: Wearer, results: Sequence[tuple[str, Results]]) -> None:
        if self._writes == 0:
            raise StoreUnavailableError("cut off")
        self._writes -= 1
        if self.lost and results[0][1].seconds:
            self.lost -= 1
            origin, part = results[0]
            results = [(origin, replace(part, seconds=part.seconds[1:]))]
        self._store.write(wearer, results)


def test_a_copy_that_was_cut_off_goes_on_where_it_was(shops: Any, tmp_path: Path) -> None:
    (source, there), (target, here), cursor = (
        shops("sqlite", "a"),
        shops("sqlite", "b"),
        tmp_path / "cursor.txt",
    )
    filled(source)
    with pytest.raises(StoreUnavailableError):
        run_copy(source, Failing(target, 20), cursor)
    done = cursor.read_text().count("\n")
    assert done >= 1
    cursor.write_text(cursor.read_text() + "home/anna 17")  # a line that was cut off
    copied = run_copy(source, target, cursor)
    assert (copied.wrong, copied.copied) == ([], copied.days - done)
    assert seen(here) == seen(there)


def test_what_is_missing_is_found_by_the_comparison_and_copied_again(shops: Any, tmp_path: Path) -> None:
    (source, there), (target, here), cursor = (
        shops("sqlite", "a"),
        shops("sqlite", "b"),
        tmp_path / "cursor.txt",
    )
    filled(source)
    copied = run_copy(source, Failing(target, lost=3), cursor)
    assert sum(day.missing for day in copied.wrong) == 3
    for day in copied.wrong:
        assert day.source.checksum != day.target.checksum
        assert day.source.seconds == day.target.seconds + day.missing
    again = run_copy(source, target, cursor)
    assert (again.wrong, again.copied) == ([], len(copied.wrong))
    assert seen(here) == seen(there)


def test_what_is_there_of_others_stays_and_is_no_fault(shops: Any, tmp_path: Path) -> None:
    (source, _), (target, here) = shops("sqlite", "a"), shops("sqlite", "b")
    filled(source)
    own = Second(D0 + 5 * 3600, "own", 1.0, 1.0, 1.0, 1.0, 1, "k")
    target.write(WEARERS[0], [("worn", Results(seconds=(own,)))])
    assert run_copy(source, target, tmp_path / "cursor.txt").wrong == []
    assert here.series(WEARERS[0], ["own"], *SPAN)["own"].mean.tolist() == [1.0]


@pytest.mark.influxdb
def test_rows_that_the_target_cannot_tell_apart_are_missing(
    shops: Any, tmp_path: Path, influx_of: Any
) -> None:
    (source, _), (target, _) = shops("sqlite", "a"), shops("2.7", "b")
    rows = (Second(D0, "a\\", 1.0, 1.0, 1.0, 1.0, 1, "k"), Second(D0, "a_", 1.0, 1.0, 1.0, 1.0, 1, "k"))
    source.write(WEARERS[0], [("worn", Results(seconds=rows))])
    (day,) = run_copy(source, target, tmp_path / "cursor.txt").wrong
    assert (day.missing, day.source.seconds, day.target.seconds) == (1, 2, 1)


def command(folder: Path, *arguments: str, **settings: str) -> subprocess.Popen[str]:
    env = {**os.environ, "POISE_DATA": str(folder), "POISE_TIMEZONE": "UTC", **settings}
    return subprocess.Popen(
        [sys.executable, "-c", "from poise.cli.app import main; main()", "store", *arguments],
        env=env, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.influxdb
@pytest.mark.parametrize("version", INFLUX_VERSIONS)
def test_the_command_survives_a_kill_and_says_what_it_compared(
    shops: Any, tmp_path: Path, influx_of: Any, version: str
) -> None:
    source, there = shops("sqlite", "poise")
    filled(source)
    usual: InfluxSettings = influx_of(version)[0]
    settings = replace(usual, bucket=f"{usual.bucket}cli{time.time_ns()}")
    env = {
        f"POISE_STORE__{name.upper()}": getattr(settings, name) for name in ("url", "token", "org", "bucket")
    }
    env["POISE_STORE__KIND"] = "influxdb"
    made, errors = command(tmp_path, "init", **env).communicate(timeout=60)
    assert (made.count("made: "), errors) == (4, "")
    both = ("copy", "--from", "sqlite", "--to", "influxdb")
    first = command(tmp_path, *both, **env)
    until = time.monotonic() + 60
    while not any(path.read_text() for path in tmp_path.glob("copy-*.txt")) and time.monotonic() < until:
        time.sleep(0.005)
    first.send_signal(signal.SIGKILL)
    out, _ = first.communicate()
    assert "nothing is missing" not in out
    (cursor,) = tmp_path.glob("copy-*.txt")
    done = cursor.read_text().count("\n")
    second = command(tmp_path, *both, **env)
    out, errors = second.communicate(timeout=120)
    assert second.returncode == 0, errors
    days = sum(len(source.days(wearer)) for wearer in WEARERS)
    assert f"on {days} wearer-days ({days - done} copied now)" in out
    assert (
        "Compared, nothing is missing: 5400 seconds, 80 episodes, 344 exposures, 20 quarters in full" in out
    )
    with closing(InfluxServer(settings)) as server:
        assert seen(InfluxResults(server, tmp_path / "poise.db")) == seen(there)
    third = command(tmp_path, "copy", "--from", "influxdb", "--to", str(tmp_path / "back.db"), **env)
    out, errors = third.communicate(timeout=120)
    assert (third.returncode, "nothing is missing" in out) == (0, True), errors
    assert seen(SqliteResults(tmp_path / "back.db")) == seen(there)
