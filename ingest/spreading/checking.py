"""Compares the new databases with the old ones, row for row, before anything is given up."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from ingest.spreading.sources import Part, Source, letters_for, nobodys_counters, parts_for, sequences_of
from ingest.spreading.tables import (
    COUNTERS,
    JUDGEMENTS,
    LETTERS,
    OF_WEARERS,
    OUTBOX,
    Row,
    Saying,
    Table,
    columns_of,
    ordered,
    rows_of,
)
from poise.errors import StoreError


class Sum(NamedTuple):
    """How many rows, and the SHA-256 of what they say."""

    rows: int
    sha256: str


@dataclass(slots=True)
class Compared:
    """What was found the same.

    Attributes:
        wearers: how many.
        rows: how many of theirs, by table.
    """

    wearers: int = 0
    rows: Counter[str] = field(default_factory=Counter)


def compare(targets: Sequence[Source], sources: Sequence[Source], compared: Compared) -> Iterator[str]:
    """Compare everything.

    Args:
        targets: the new databases.
        sources: the old ones.
        compared: takes what was found the same.

    Yields:
        The keys of the wearers, each when all of it is the same.

    Raises:
        StoreError: if anything is missing, different or too much.
    """
    for target in targets:
        parts = parts_for(target.shard, sources)
        for part in parts:
            yield from _compare_part(part, target, compared)
        wearers = sorted(wearer for part in parts for wearer in part.wearers)
        _must_be(f"{target.shard} has the wearers", target.wearers, tuple(wearers))
        letters = summed(_without_number(target, letters_for(target.shard, sources)))
        _must_be("dead letters", summed(_without_number(target, ordered(target.c, LETTERS))), letters)
        _must_be("the size of the outbox", *_outbox_sizes(target))
    _compare_totals(targets, sources, compared)


def summed(rows: Iterable[Row]) -> Sum:
    """Return number and checksum of rows."""
    found, number = hashlib.sha256(), 0
    for row in rows:
        found.update(msgspec.msgpack.encode(row))
        number += 1
    return Sum(number, found.hexdigest())


def _compare_part(part: Part, target: Source, compared: Compared) -> Iterator[str]:
    both = _Both(part, target)
    for wearer in part.wearers:
        for table in OF_WEARERS:
            compared.rows[table.name] += both.same(wearer, table)
        compared.wearers += 1
        yield wearer
    both.same_outbox()
    # What was numbered and has gone, archived or forwarded, must not be numbered so again.
    ends = sequences_of(target.c)
    behind = [
        table for table, end in sequences_of(part.source.c).items() if end and ends[table] < end + part.by
    ]
    _must_be("tables of which a number could come twice", behind, [])


class _Both:
    """A part where it was and where it is."""

    def __init__(self, part: Part, target: Source) -> None:
        self._part, self._target = part, target
        there, here = _judgements(part.source), _judgements(target)
        missing = there.items() - here.items() if part.plain else set(there.values()) - set(here.values())
        _must_be(f"judgements of {part.source.shard} that are missing", sorted(missing), [])
        self._there = Saying(0, part.plain, there)
        self._here = Saying(part.by, part.plain, here)

    def same(self, wearer: str, table: Table) -> int:
        """Compare a wearer's rows and return how many they are."""
        there = rows_of(self._part.source.c, wearer, table)
        here = rows_of(self._target.c, wearer, table)
        return self._compare(f"{table.name} of a wearer ({wearer})", table, there, here)

    def same_outbox(self) -> None:
        """Compare what waits of the part."""
        by = self._part.by
        here = ordered(self._target.c, OUTBOX, "WHERE id > ? AND id <= ?", by, by + self._part.source.top)
        self._compare("outbox", OUTBOX, self._part.outbox(), here)

    def _compare(self, what: str, table: Table, there: Iterator[Row], here: Iterator[Row]) -> int:
        old = summed(map(self._there.said(self._part.source.c, table), there))
        new = summed(map(self._here.said(self._target.c, table), here))
        _must_be(what, new, old)
        return old.rows


def _compare_totals(targets: Sequence[Source], sources: Sequence[Source], compared: Compared) -> None:
    """Each row has been found in its place; so if there are no more, none is in two."""
    for table in (*OF_WEARERS, OUTBOX, LETTERS):
        where = "WHERE wearer != ''" if table == COUNTERS else ""
        old, new = (sum(_count(one, table, where) for one in all_) for all_ in (sources, targets))
        _must_be(f"{table.name} in all", new, old)
        if table in OF_WEARERS:
            _must_be(f"{table.name} of wearers", compared.rows[table.name], old)
    _must_be("counters of nobody", nobodys_counters(targets), nobodys_counters(sources))


def _count(source: Source, table: Table, where: str) -> int:
    return int(source.c.execute(f"SELECT count(*) FROM {table.name} {where}").fetchone()[0])  # noqa: S608


def _judgements(source: Source) -> Mapping[int, tuple[int, str]]:
    rows = source.c.execute(f"SELECT id, run_us, calibration FROM {JUDGEMENTS.name}")  # noqa: S608
    return {number: (run_us, calibration) for number, run_us, calibration in rows}


def _without_number(target: Source, letters: Iterator[Row]) -> Iterator[Row]:
    at = columns_of(target.c, LETTERS.name).index("id")
    return ((*row[:at], *row[at + 1 :]) for row in letters)


def _outbox_sizes(target: Source) -> tuple[Row, Row]:
    counted = "SELECT coalesce(sum(lines), 0), coalesce(sum(length(body)), 0) FROM outbox"
    noted = "SELECT lines, bytes FROM outbox_size"
    return target.c.execute(noted).fetchone(), target.c.execute(counted).fetchone()


def _must_be(what: str, found: Any, wanted: Any) -> None:
    if found != wanted:
        raise StoreError(f"the new databases are not the old ones: {what}: {found}, not {wanted}")
