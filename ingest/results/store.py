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
from ingest.database import chunks, fresh
from ingest.database.sqlite import Connection, reading
from ingest.reading import Day, Series
from ingest.results.coarse import coarser, step_for, whole_steps
from ingest.results.localdays import days_of, local_days
from ingest.results.quarters import pack, quarters_in, unpack
from poise.results import Episode, Results, Second
from poise.samples import Int64s
from poise.seconds import SecondTable, blocks_of
from poise.topics import Wearer

EPISODE: Final = msgspec.json.Decoder(Episode)
"""Reads an episode as it is stored; made once, because there may be thousands of them."""


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
        with reading(self._path) as connection:
            found = chunks.read_of(connection, key(wearer), streams, *within)
        return {stream: coarser(Series(rows.t_s, *rows.values), step_s) for stream, rows in found.items()}

    def episodes(self, wearer: Wearer, from_us: int, to_us: int) -> Sequence[Episode]:
        """See `ResultStore`."""
        with reading(self._path) as connection:
            connection.text_factory = bytes  # JSON is read from bytes: a year of text need not be made first
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
    for block in blocks_of(seconds):
        streams = _streams(connection, wearer, block.streams)
        judgement = _judgement(connection, block.run_us, block.calibration)
        fresh.put(connection, wearer, fresh.records_of(block, streams, judgement))


def _streams(c: Connection, wearer: str, names: Sequence[str]) -> Int64s:
    """Return the numbers of a wearer's streams, new ones for new names."""
    sql = "SELECT name, id FROM streams WHERE wearer = ?"
    known = dict(c.execute(sql, (wearer,)).fetchall())
    if not known.keys() >= set(names):
        new = [(wearer, name) for name in names]
        c.executemany("INSERT OR IGNORE INTO streams (wearer, name) VALUES (?, ?)", new)
        known = dict(c.execute(sql, (wearer,)).fetchall())
    return np.array([known[name] for name in names], np.int64)


def _judgement(c: Connection, run_us: int, calibration: str) -> int:
    mark = (run_us, calibration)
    sql = "SELECT id FROM judgements WHERE run_us = ? AND calibration = ?"
    known = c.execute(sql, mark).fetchone()
    if known is None:
        c.execute("INSERT INTO judgements (run_us, calibration) VALUES (?, ?)", mark)
        known = c.execute(sql, mark).fetchone()
    return int(known[0])


def storable(results: Results) -> Results:
    """Return the results without rows that hold no number: absence says the same."""
    return replace(
        results,
        seconds=_finite(results.seconds),
        episodes=tuple(e for e in results.episodes if math.isfinite(e.peak_rad + e.mean_rad + e.dose_rad_s)),
        exposures=tuple(e for e in results.exposures if math.isfinite(e.seconds)),
    )


def _finite(seconds: Sequence[Second]) -> Sequence[Second]:
    if isinstance(seconds, SecondTable) and all(
        np.isfinite(b.mean + b.low + b.high + b.coverage).all() for b in seconds.blocks
    ):
        return seconds
    return tuple(s for s in seconds if math.isfinite(s.mean + s.low + s.high + s.coverage))


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
