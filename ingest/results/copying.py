"""Results from one store into another: resumable day by day, and compared in the end, row by row.

A day is a UTC day of one wearer. Where seconds are, it goes in parts of three hours, so that a day of many
streams need not be in memory at once.
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

from analytics.conclusions import Conclusions
from analytics.exposure.counts import QuarterExposure
from ingest.results.influxdb.lines import kept_name, kept_text
from ingest.results.quarters import quarters_in, to_text
from ingest.results.store import key
from poise.errors import ConfigurationError
from poise.results import Episode, Exposure, Results, Second
from poise.topics import Wearer

DAY_S: Final = 86_400
_PART_S: Final = 3 * 3600
Progress = Callable[[str, int, int], None]
Row = tuple[Any, ...]


class Copyable(Protocol):
    """A store that can be copied from and to."""

    def wearers(self) -> Sequence[Wearer]:
        """Return all of whom it holds any result."""
        ...

    def days(self, wearer: Wearer) -> Mapping[int, bool]:
        """Return the UTC days, s, on which anything is or begins, and whether seconds are among it."""
        ...

    def read(self, wearer: Wearer, from_s: int, to_s: int) -> Sequence[tuple[str, Results]]:
        """Return all that is or begins in the time, by origin."""
        ...

    def write(self, wearer: Wearer, results: Sequence[tuple[str, Results]]) -> None:
        """Write results; they are kept when it returns.

        Raises:
            StoreError: if they are not.
        """
        ...

    def conclude(self, wearer: Wearer, from_s: int, to_s: int) -> None:
        """Make what the store makes of its seconds itself."""
        ...


@dataclass(frozen=True, slots=True)
class Sum:
    """What a store holds of a wearer's day.

    Attributes:
        seconds: how many rows.
        episodes: how many.
        exposures: how many.
        quarters: how many in full.
        checksum: SHA-256 of all of them in order, as both stores can hold them.
    """

    seconds: int
    episodes: int
    exposures: int
    quarters: int
    checksum: str


@dataclass(frozen=True, slots=True)
class Compared:
    """A wearer's day in both stores.

    Attributes:
        wearer: whose.
        day_s: UTC s.
        source: what is there.
        target: what is here; more than in the source is no fault.
        missing: rows of the source that the target does not have, or has otherwise.
    """

    wearer: Wearer
    day_s: int
    source: Sum
    target: Sum
    missing: int


@dataclass(slots=True)
class Copied:
    """What a copy came to.

    Attributes:
        days: how many were compared.
        copied: how many of them were copied by this call, others before.
        seconds: rows compared.
        episodes: rows compared.
        exposures: rows compared.
        quarters: rows compared.
        wrong: those of which something is missing.
    """

    days: int = 0
    copied: int = 0
    seconds: int = 0
    episodes: int = 0
    exposures: int = 0
    quarters: int = 0
    wrong: list[Compared] = field(default_factory=list)

    def add(self, compared: Compared) -> None:
        """Count a day."""
        self.days += 1
        self.seconds += compared.source.seconds
        self.episodes += compared.source.episodes
        self.exposures += compared.source.exposures
        self.quarters += compared.source.quarters
        if compared.missing:
            self.wrong.append(compared)


@dataclass(slots=True)
class _Parts:
    """What is read of one origin."""

    seconds: list[Second] = field(default_factory=list)
    episodes: list[Episode] = field(default_factory=list)
    exposures: list[Exposure] = field(default_factory=list)
    quarters: list[QuarterExposure] = field(default_factory=list)


class Gathered:
    """Rows as they are read, by origin."""

    def __init__(self) -> None:
        self._found: dict[str, _Parts] = {}

    def of(self, origin: str) -> _Parts:
        """Return where the rows of this origin go."""
        return self._found.setdefault(origin, _Parts())

    def results(self) -> list[tuple[str, Results]]:
        """Return them as results."""
        return [
            (
                origin,
                Conclusions(
                    (),
                    parts.seconds,
                    tuple(parts.episodes),
                    tuple(parts.exposures),
                    (),
                    tuple(parts.quarters),
                ),
            )
            for origin, parts in self._found.items()
        ]


class Cursor:
    """Which days are copied, on disk after each: a line each, so that a torn last one is one day again.

    Raises:
        ConfigurationError: if the file cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._done = set(path.read_text("utf-8").split("\n")[:-1] if path.exists() else ())
            self._rewrite()
            self._file = path.open("a", encoding="utf-8")
        except (OSError, UnicodeDecodeError) as exc:
            raise ConfigurationError(f"{path} cannot be used ({exc}); remove it to begin anew") from exc

    def __contains__(self, day: tuple[Wearer, int]) -> bool:
        return _line(*day) in self._done

    def add(self, wearer: Wearer, day_s: int) -> None:
        """Note a day as copied; it is on disk when this returns."""
        self._file.write(_line(wearer, day_s) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._done.add(_line(wearer, day_s))

    def finish(self, wrong: Sequence[Compared]) -> None:
        """Forget everything when all is well, else the days that are to be copied again."""
        self._file.close()
        self._done -= {_line(day.wearer, day.day_s) for day in wrong}
        if wrong:
            self._rewrite()
        else:
            self._path.unlink()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _rewrite(self) -> None:
        """Write the whole file or nothing, without a line that was cut off."""
        new = self._path.with_name(self._path.name + ".new")
        new.write_text("".join(f"{line}\n" for line in sorted(self._done)), "utf-8")
        new.replace(self._path)


def copy(source: Copyable, target: Copyable, cursor: Cursor, progress: Progress) -> Copied:
    """Copy what the cursor does not know as copied, then compare everything.

    Args:
        source: where it is.
        target: where it is to be as well; what is there of others stays.
        cursor: remembers over a kill.
        progress: told what is being done, and how many of how many days are.

    Raises:
        StoreError: if a store fails; the same call goes on where this one was.
    """
    plan = [
        (wearer, day, fine)
        for wearer in source.wearers()
        for day, fine in sorted(source.days(wearer).items())
    ]
    copied = Copied()
    for number, (wearer, day_s, fine) in enumerate(plan):
        progress("copied", number, len(plan))
        if (wearer, day_s) not in cursor:
            _copy_day(source, target, wearer, day_s, fine=fine)
            cursor.add(wearer, day_s)
            copied.copied += 1
    for number, (wearer, day_s, fine) in enumerate(plan):
        progress("compared", number, len(plan))
        copied.add(_compare(source, target, wearer, day_s, fine=fine))
    progress("compared", len(plan), len(plan))
    cursor.finish(copied.wrong)
    return copied


def _copy_day(source: Copyable, target: Copyable, wearer: Wearer, day_s: int, *, fine: bool) -> None:
    for from_s, to_s in _parts(day_s, fine=fine):
        if results := source.read(wearer, from_s, to_s):
            target.write(wearer, results)
            if any(len(part.seconds) for _, part in results):
                target.conclude(wearer, from_s, to_s)


def _compare(source: Copyable, target: Copyable, wearer: Wearer, day_s: int, *, fine: bool) -> Compared:
    sums, missing = (_Summing(), _Summing()), 0
    for from_s, to_s in _parts(day_s, fine=fine):
        there, here = (_rows(store.read(wearer, from_s, to_s)) for store in (source, target))
        for summing, rows in zip(sums, (there, here), strict=True):
            summing.add(rows)
        if there != here:
            # By number too: two rows that the target cannot tell apart are one in it.
            known = set(here)
            missing += sum(row not in known for row in there) + len(there) - len(set(there))
    return Compared(wearer, day_s, sums[0].sum(), sums[1].sum(), missing)


def _parts(day_s: int, *, fine: bool) -> Iterator[tuple[int, int]]:
    length = _PART_S if fine else DAY_S
    for from_s in range(day_s, day_s + DAY_S, length):
        yield from_s, from_s + length


def _rows(results: Sequence[tuple[str, Results]]) -> list[Row]:
    """Return everything in order, as every store can hold it: names without what line protocol cannot say."""
    seconds = [
        (
            "s",
            kept_name(s.stream),
            s.t_s,
            *_plain(s.mean, s.low, s.high, s.coverage),
            s.run_us,
            kept_text(s.calibration),
        )
        for _, part in results
        for s in part.seconds
    ]
    episodes = [
        ("e", kept_text(origin), msgspec.json.encode(e)) for origin, part in results for e in part.episodes
    ]
    exposures = [
        ("x", kept_name(x.kind), x.quarter_s, x.run_us, *_plain(x.seconds))
        for _, part in results
        for x in part.exposures
    ]
    quarters = [("q", q.quarter_s, q.run_us, to_text(q)) for _, part in results for q in quarters_in(part)]
    return [*sorted(seconds), *sorted(episodes), *sorted(exposures), *sorted(quarters)]


def _plain(*values: float) -> Iterator[float]:
    """Return the numbers without the sign of zero, which JSON loses."""
    return (float(value) + 0.0 for value in values)


class _Summing:
    def __init__(self) -> None:
        self._counts = {"s": 0, "e": 0, "x": 0, "q": 0}
        self._hash = hashlib.sha256()

    def add(self, rows: Sequence[Row]) -> None:
        for row in rows:
            self._counts[row[0]] += 1
        self._hash.update(msgspec.msgpack.encode(rows))

    def sum(self) -> Sum:
        return Sum(
            self._counts["s"], self._counts["e"], self._counts["x"], self._counts["q"], self._hash.hexdigest()
        )


def _line(wearer: Wearer, day_s: int) -> str:
    return f"{key(wearer)} {day_s}"
