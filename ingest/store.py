"""Where results are kept: the protocol, and the embedded store in `poise.db`."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from ingest.reading import Day, Series
from ingest.sqlite import Connection, reading
from poise.results import QUARTER_S, Episode, Exposure, Results, Second
from poise.topics import Wearer


class ResultStore(Protocol):
    """Keeps seconds, episodes and exposures. Everything written is idempotent: the same key is replaced."""

    def write(self, connection: Connection, wearer: Wearer, origin: str, results: Results) -> None:
        """Write within the transaction that also stores the raw messages: both are on disk, or neither.

        Raises:
            StoreUnavailableError: if it cannot be written now.
        """
        ...

    def series(self, wearer: Wearer, streams: Sequence[str], from_s: int, to_s: int) -> Mapping[str, Series]:
        """Return the streams' seconds in `from_s <= t < to_s`; a stream without data is empty."""
        ...

    def episodes(self, wearer: Wearer, from_us: int, to_us: int) -> Sequence[Episode]:
        """Return the episodes that overlap the time, by start."""
        ...

    def days(self, wearer: Wearer, first: date, last: date, timezone: str) -> Sequence[Day]:
        """Return the local days from `first` to `last` that have any exposure."""
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

    def series(self, wearer: Wearer, streams: Sequence[str], from_s: int, to_s: int) -> Mapping[str, Series]:
        """See `ResultStore`."""
        with reading(self._path) as connection:
            return {
                stream: series_of(
                    connection.execute(
                        "SELECT t_s, mean, low, high, coverage FROM seconds WHERE stream = "
                        "(SELECT id FROM streams WHERE wearer = ? AND name = ?) "
                        "AND t_s >= ? AND t_s < ? ORDER BY t_s",
                        (key(wearer), stream, from_s, to_s),
                    )
                )
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
            return [msgspec.json.decode(row[0], type=Episode) for row in rows]

    def days(self, wearer: Wearer, first: date, last: date, timezone: str) -> Sequence[Day]:
        """See `ResultStore`."""
        from_s, to_s = span_of(first, last, timezone)
        with reading(self._path) as connection:
            rows = connection.execute(
                "SELECT quarter_s, run_us, kind, seconds FROM exposures "
                "WHERE wearer = ? AND quarter_s >= ? AND quarter_s < ?",
                (key(wearer), from_s - QUARTER_S, to_s),
            )
            return days_of([Exposure(*row) for row in rows], first, last, timezone)


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


def series_of(rows: Iterable[Sequence[float]]) -> Series:
    """Make columns of rows (t_s, mean, low, high, coverage)."""
    table = np.array(list(rows), np.float64).reshape(-1, 5)
    return Series(table[:, 0].astype(np.int64), *(table[:, i].copy() for i in range(1, 5)))


def span_of(first: date, last: date, timezone: str) -> tuple[int, int]:
    """Return UTC s of the beginning of local day `first` and of the end of `last`."""
    zone = ZoneInfo(timezone)
    return (
        int(datetime.combine(first, time(), zone).timestamp()),
        int(datetime.combine(last + timedelta(days=1), time(), zone).timestamp()),
    )


def days_of(exposures: Iterable[Exposure], first: date, last: date, timezone: str) -> list[Day]:
    """Sum quarters of all runs into local days of 23 to 25 hours; every zone in use changes at a quarter."""
    zone = ZoneInfo(timezone)
    sums: dict[date, dict[str, float]] = {}
    for exposure in exposures:
        day = datetime.fromtimestamp(exposure.quarter_s, UTC).astimezone(zone).date()
        if first <= day <= last:
            kinds = sums.setdefault(day, {})
            kinds[exposure.kind] = kinds.get(exposure.kind, 0.0) + exposure.seconds
    return [Day(day, kinds.pop("seen", 0.0), kinds) for day, kinds in sorted(sums.items())]
