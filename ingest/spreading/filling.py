"""Fills a new database with what the old ones have for it; a program that was killed goes on where it was.

How many rows are there already stands in the same transaction as the rows.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby, islice
from operator import itemgetter
from typing import Final

from ingest.database.shards import Shard
from ingest.database.sqlite import Connection, Database
from ingest.spreading.sources import Part, Source, letters_for, nobodys_counters, parts_for, sequences_of
from ingest.spreading.tables import (
    JUDGEMENTS,
    LETTERS,
    MARKS,
    OF_WEARERS,
    OUTBOX,
    Carriage,
    Row,
    Table,
    columns_of,
    rows_of,
)

AT_ONCE: Final = 1000
"""Rows in a transaction: about 10 MB of raw messages. Project decision."""
Rows = Iterable[tuple[Table, Row]]


def fill(
    database: Database, target: Shard, sources: Sequence[Source], step: Callable[[], None]
) -> Iterator[str]:
    """Bring in all that is not there yet.

    Args:
        database: the new one.
        target: which one of the new ones.
        sources: the old ones.
        step: called whenever something more is on the disk.

    Yields:
        The keys of its wearers, each when all of it is there.

    Raises:
        StoreUnavailableError: if the disk is full; what is there stays.
    """
    parts = parts_for(target, sources)
    with database.transaction() as c:
        c.execute(f"CREATE TABLE IF NOT EXISTS {MARKS} (what TEXT PRIMARY KEY, rows INTEGER, whole INTEGER)")
    for part in parts:
        yield from _bring_part(database, part, step)
    letters = _numbered(letters_for(target, sources), sources)
    _bring(database, "dead letters", ((LETTERS, row) for row in letters), step)
    _conclude(database, target, parts, sources)
    step()


def forget_marks(database: Database) -> None:
    """Take out what stands in a new database only while it is being filled; again it changes nothing."""
    with database.transaction() as c:
        c.execute(f"DROP TABLE IF EXISTS {MARKS}")


def _bring_part(database: Database, part: Part, step: Callable[[], None]) -> Iterator[str]:
    c, shard = part.source.c, part.source.shard
    judged = map(Carriage(part.by, {}).changed(c, JUDGEMENTS), part.judgements())
    _bring(database, f"judgements of {shard}", ((JUDGEMENTS, row) for row in judged), step)
    carriage = Carriage(part.by, _judgements(database, part))
    waiting = map(carriage.changed(c, OUTBOX), part.outbox())
    _bring(database, f"outbox of {shard}", ((OUTBOX, row) for row in waiting), step)
    for wearer in part.wearers:
        _bring(database, wearer, _of_wearer(c, wearer, carriage), step)
        yield wearer


def _bring(database: Database, what: str, rows: Rows, step: Callable[[], None]) -> None:
    with database.transaction() as c:
        known = c.execute(f"SELECT rows, whole FROM {MARKS} WHERE what = ?", (what,)).fetchone()  # noqa: S608
    done, whole = known or (0, False)
    rows = iter(()) if whole else islice(rows, done, None)
    while not whole:
        some = list(islice(rows, AT_ONCE))
        done, whole = done + len(some), len(some) < AT_ONCE
        with database.transaction() as c:
            for table, group in groupby(some, key=itemgetter(0)):
                _insert(c, table, [row for _, row in group])
            c.execute(f"INSERT OR REPLACE INTO {MARKS} VALUES (?, ?, ?)", (what, done, whole))  # noqa: S608
        step()


def _insert(c: Connection, table: Table, rows: Sequence[Row]) -> None:
    columns = columns_of(c, table.name)
    # The same judgement may be in several of the old ones; anything else twice is refused.
    unless = "OR IGNORE " if table == JUDGEMENTS else ""
    marks = ", ".join("?" * len(columns))
    c.executemany(f"INSERT {unless}INTO {table.name} ({', '.join(columns)}) VALUES ({marks})", rows)  # noqa: S608


def _of_wearer(c: Connection, wearer: str, carriage: Carriage) -> Iterator[tuple[Table, Row]]:
    for table in OF_WEARERS:
        changed = carriage.changed(c, table)
        yield from ((table, changed(row)) for row in rows_of(c, wearer, table))


def _judgements(database: Database, part: Part) -> dict[int, int]:
    """Return by the number of a judgement in the source that in the new database."""
    sql = "SELECT id, run_us, calibration FROM judgements"
    with database.transaction() as c:
        here = {(run_us, calibration): number for number, run_us, calibration in c.execute(sql)}
    return {number: here[run_us, calibration] for number, run_us, calibration in part.source.c.execute(sql)}


def _numbered(letters: Iterator[Row], sources: Sequence[Source]) -> Iterator[Row]:
    """Number dead letters anew, without holes: the oldest go when there are too many."""
    at = columns_of(sources[0].c, LETTERS.name).index("id")
    return ((*row[:at], number, *row[at + 1 :]) for number, row in enumerate(letters, 1))


def _conclude(database: Database, target: Shard, parts: Sequence[Part], sources: Sequence[Source]) -> None:
    """Write what is counted over all rows, and let numbers go on where they ended."""
    with database.transaction() as c:
        c.execute(
            "UPDATE outbox_size SET (lines, bytes) = "
            "(SELECT coalesce(sum(lines), 0), coalesce(sum(length(body)), 0) FROM outbox)"
        )
        counted = nobodys_counters(sources) if target.number == 1 else {}
        rows = [(name, count) for name, count in counted.items()]
        c.executemany("INSERT OR REPLACE INTO counters (wearer, name, count) VALUES ('', ?, ?)", rows)
        for table, number in _ends(parts).items():
            c.execute("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
            c.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, number))


def _ends(parts: Sequence[Part]) -> dict[str, int]:
    """Return the greatest number given in each table; where several were joined, no table lags behind."""
    if len(parts) == 1:
        return sequences_of(parts[0].source.c)
    return (
        dict.fromkeys(sequences_of(parts[-1].source.c), parts[-1].by + parts[-1].source.top) if parts else {}
    )
