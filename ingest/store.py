"""Where results are kept: the protocol, and the embedded store in `poise.db`."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Final, Protocol

import msgspec
import numpy as np

from analytics.exposure.counts import QuarterExposure
from ingest.coarse import step_for, whole_steps
from ingest.localdays import days_of, local_days
from ingest.quarters import pack, quarters_in, unpack
from ingest.reading import Day, Series
from ingest.sqlite import Connection, reading
from poise.results import Episode, Results, Second
from poise.topics import Wearer

EPISODE: Final = msgspec.json.Decoder(Episode)
"""Reads an episode as it is stored; made once, because there may be thousands of them."""
_OF_STREAM: Final = (
    "FROM seconds WHERE stream = (SELECT id FROM streams WHERE wearer = ? AND name = ?) "
    "AND t_s >= ? AND t_s < ?"
)
_SECONDS: Final = f"SELECT t_s, mean, low, high, coverage {_OF_STREAM} ORDER BY t_s"
_STEPS: Final = (
    "SELECT t_s / :step * :step AS step, sum(mean * coverage) / sum(coverage), min(low), max(high), "
    f"sum(coverage) / :step {_OF_STREAM} AND coverage > 0 GROUP BY step ORDER BY step"
)
"""What `ingest.coarse.coarser` does, where the rows are."""


class ResultStore(Protocol):
    """Keeps seconds, episodes and exposures. Everything written is idempotent: the same key is replaced."""

    def write(self, connection: Connection, wearer: Wearer, origin: str, results: Results) -> None:
        """Write within the transaction that also stores the raw messages: both are on disk, or neither.

        Raises:
            StoreUnavailableError: if it cannot be written now.
        """
        ...

    def series(
        self, wearer: Wearer, streams: Sequence[str], from_s: int, to_s: int, points: int = 0
    ) -> Mapping[str, Series]:
        """Return the streams' seconds in `from_s <= t < to_s`, or longer steps; see `Reader`."""
        ...

    def episodes(self, wearer: Wearer, from_us: int, to_us: int) -> Sequence[Episode]:
        """Return the episodes that overlap the time, by start."""
        ...

    def days(self, wearer: Wearer, first: date, last: date, timezone: str) -> Sequence[Day]:
        """Return the local days from `first` to `last` that have any exposure."""
        ...

    def quarters(self, wearer: Wearer, from_s: int, to_s: int) -> Sequence[QuarterExposure]:
        """Return the full exposure of the quarters that begin in the time, by quarter and run."""
        ...


class SqliteResults:
    """Results in ordinary tables of `poise.db`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, connection: Connection, wearer: Wearer, origin: str, results: Results) -> None:
        """Replace rows of the same key; see `ResultStore`."""
        name = key(wearer)
        _write_seconds(connection, name, results.seconds)
        connection.executemany(
            "INSERT INTO episodes (wearer, id, start_us, last_us, end_us, origin, episode) "
            "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (wearer, id) DO UPDATE SET "
            "start_us = excluded.start_us, last_us = excluded.last_us, end_us = excluded.end_us, "
            "episode = excluded.episode",
            [
                (name, e.id, e.start_us, e.last_us, e.end_us, origin, msgspec.json.encode(e).decode())
                for e in results.episodes
            ],
        )
        connection.executemany(
            "INSERT OR REPLACE INTO exposures (wearer, quarter_s, run_us, kind, seconds) "
            "VALUES (?, ?, ?, ?, ?)",
            [(name, e.quarter_s, e.run_us, e.kind, e.seconds) for e in results.exposures],
        )
        connection.executemany(
            "INSERT OR REPLACE INTO quarters (wearer, quarter_s, run_us, origin, counts) "
            "VALUES (?, ?, ?, ?, ?)",
            [(name, q.quarter_s, q.run_us, origin, pack(q)) for q in quarters_in(results)],
        )

    def series(
        self, wearer: Wearer, streams: Sequence[str], from_s: int, to_s: int, points: int = 0
    ) -> Mapping[str, Series]:
        """See `ResultStore`."""
        step_s = step_for(from_s, to_s, points)
        within = whole_steps(from_s, to_s, step_s)
        sql = (_SECONDS if step_s == 1 else _STEPS).replace(":step", str(step_s))
        with reading(self._path) as connection:
            return {
                stream: series_of(connection.execute(sql, (key(wearer), stream, *within)), step_s)
                for stream in streams
            }

    def episodes(self, wearer: Wearer, from_us: int, to_us: int) -> Sequence[Episode]:
        """See `ResultStore`."""
        with reading(self._path) as connection:
            rows = connection.execute(
                "SELECT episode FROM episodes WHERE wearer = ? AND start_us < ? "
                "AND coalesce(end_us, last_us) >= ? ORDER BY start_us, id",
                (key(wearer), to_us, from_us),
            )
            return [EPISODE.decode(row[0]) for row in rows]

    def days(self, wearer: Wearer, first: date, last: date, timezone: str) -> Sequence[Day]:
        """See `ResultStore`; every time zone in use changes its clocks at a quarter."""
        # Day by day: one question for all of them would have to sort a year of quarters.
        sql = (
            "SELECT kind, sum(seconds) FROM exposures "
            "WHERE wearer = ? AND quarter_s >= ? AND quarter_s < ? GROUP BY kind"
        )
        with reading(self._path) as connection:
            return days_of(
                (day, kind, seconds)
                for day, from_s, to_s in local_days(first, last, timezone)
                for kind, seconds in connection.execute(sql, (key(wearer), from_s, to_s))
            )

    def quarters(self, wearer: Wearer, from_s: int, to_s: int) -> Sequence[QuarterExposure]:
        """See `ResultStore`."""
        sql = (
            "SELECT counts FROM quarters WHERE wearer = ? AND quarter_s >= ? AND quarter_s < ? "
            "ORDER BY quarter_s, run_us"
        )
        with reading(self._path) as connection:
            return [unpack(row[0]) for row in connection.execute(sql, (key(wearer), from_s, to_s))]


def _write_seconds(connection: Connection, wearer: str, seconds: Sequence[Second]) -> None:
    streams = {second.stream for second in seconds}
    judgements = {(second.run_us, second.calibration) for second in seconds}
    connection.executemany(
        "INSERT OR IGNORE INTO streams (wearer, name) VALUES (?, ?)", [(wearer, name) for name in streams]
    )
    connection.executemany("INSERT OR IGNORE INTO judgements (run_us, calibration) VALUES (?, ?)", judgements)
    connection.executemany(
        "INSERT OR REPLACE INTO seconds (stream, t_s, mean, low, high, coverage, judgement) VALUES "
        "((SELECT id FROM streams WHERE wearer = ? AND name = ?), ?, ?, ?, ?, ?, "
        "(SELECT id FROM judgements WHERE run_us = ? AND calibration = ?))",
        [
            (wearer, s.stream, s.t_s, s.mean, s.low, s.high, s.coverage, s.run_us, s.calibration)
            for s in seconds
        ],
    )


def storable(results: Results) -> Results:
    """Return the results without rows that hold no number: absence says the same."""
    return replace(
        results,
        seconds=tuple(s for s in results.seconds if math.isfinite(s.mean + s.low + s.high + s.coverage)),
        episodes=tuple(e for e in results.episodes if math.isfinite(e.peak_rad + e.mean_rad + e.dose_rad_s)),
        exposures=tuple(e for e in results.exposures if math.isfinite(e.seconds)),
    )


def key(wearer: Wearer) -> str:
    """Return `site/patient`, the wearer as one column; neither can hold a slash."""
    return f"{wearer.site}/{wearer.patient}"


def wearer_of(name: str) -> Wearer:
    """Return the wearer of a `key`."""
    site, _, patient = name.partition("/")
    return Wearer(patient, site)


def series_of(rows: Iterable[Sequence[float]], step_s: int = 1) -> Series:
    """Make columns of rows (t_s, mean, low, high, coverage)."""
    table = np.array(list(rows), np.float64).reshape(-1, 5)
    mean, low, high, coverage = (table[:, i].copy() for i in range(1, 5))
    return Series(table[:, 0].astype(np.int64), mean, low, high, coverage, step_s)
