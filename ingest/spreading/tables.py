"""How the rows of each table go into another database, and what they say however they are numbered there.

Rows of `messages`, `runs`, `streams` and `outbox` have numbers that other rows, saved states and the files of
the archive refer to. One database that becomes several keeps them all. Where several become one, all numbers
of a database are raised by the same, so that no two are the same and their order stays. Judgements belong to
nobody and are joined by what they say.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np

from ingest.database import chunks, fresh
from ingest.database.kept import Kept
from ingest.database.rows import Rows
from ingest.database.sqlite import Connection
from poise.errors import ConfigurationError

Row = tuple[Any, ...]
Judgements = Mapping[int, Any]
_Change = Callable[[Any], Any]
_OF_STREAMS: Final = "stream IN (SELECT id FROM streams WHERE wearer = ?)"


class Table(NamedTuple):
    """A table whose rows are each a wearer's.

    Attributes:
        name: of the table.
        numbers: columns that are numbers of rows.
        where: which rows are a wearer's.
        order: of the rows, "" for that of the table's key.
    """

    name: str
    numbers: tuple[str, ...] = ()
    where: str = "wearer = ?"
    order: str = ""


OF_WEARERS: Final = (
    Table("people"),
    Table(
        "messages", ("id",), order="lane, id"
    ),  # as an index has them: a sort would take as much room again
    Table("sessions"),
    Table("ledger"),
    Table("gaps", ("message",)),
    Table("runs", ("id", "message")),
    Table("states"),
    Table("calibrations"),
    Table("notices"),
    Table("counters"),
    Table("streams", ("id",)),
    Table("fresh", ("id",)),
    Table("pieces", ("stream",), _OF_STREAMS),
    Table("episodes"),
    Table("exposures"),
    Table("quarters"),
    Table("stale_hours", ("upto",)),
    Table("archive", ("first_message", "last_message")),
    Table("archived"),
)
OUTBOX: Final = Table("outbox", ("id",))
LETTERS: Final = Table("dead_letters", ("id",))
JUDGEMENTS: Final = Table("judgements", ("id",))
COUNTERS: Final = Table("counters")
OTHERS: Final = (OUTBOX, LETTERS, JUDGEMENTS, Table("outbox_size"))
"""Tables without a wearer's name: each has its own way."""
MARKS: Final = "spreading"
"""Stands in a database only while it is being filled."""


def refuse_unknown(c: Connection) -> None:
    """Refuse a database of which something would be left behind.

    Raises:
        ConfigurationError: if it has a table that is not known here.
    """
    known = {table.name for table in (*OF_WEARERS, *OTHERS)} | {MARKS}
    if strangers := tables_in(c) - known:
        raise ConfigurationError(
            f"the database has tables that cannot be moved ({', '.join(sorted(strangers))}); nothing was "
            "changed"
        )


def tables_in(c: Connection) -> set[str]:
    """Return the names of all tables, without those that SQLite keeps for itself."""
    rows = c.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    return {name for (name,) in rows}


def columns_of(c: Connection, table: str) -> list[str]:
    """Return a table's columns in the order of their names: an older file may have them in another one."""
    return sorted(name for (name,) in c.execute("SELECT name FROM pragma_table_info(?)", (table,)))


def wearers_in(c: Connection) -> list[str]:
    """Return the keys of all of whom anything is in a database."""
    tables = [table.name for table in OF_WEARERS if table.where.startswith("wearer")]
    each = " UNION ".join(f"SELECT wearer FROM {name}" for name in tables)  # noqa: S608 - our own names
    return [name for (name,) in c.execute(f"{each} ORDER BY 1") if name]


def rows_of(c: Connection, wearer: str, table: Table) -> Iterator[Row]:
    """Yield a wearer's rows of a table, in an order that raised numbers do not change."""
    return ordered(c, table, f"WHERE {table.where}", wearer)


def ordered(c: Connection, table: Table, where: str = "", *values: object) -> Iterator[Row]:
    """Yield rows in the order of their key."""
    sql = "SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk"
    by = table.order or ", ".join(name for (name,) in c.execute(sql, (table.name,))) or "rowid"
    columns = ", ".join(columns_of(c, table.name))
    yield from c.execute(f"SELECT {columns} FROM {table.name} {where} ORDER BY {by}", values)  # noqa: S608


@dataclass(frozen=True, slots=True)
class Carriage:
    """How rows change on their way from one database to another.

    Attributes:
        by: what is added to numbers of rows; 0 leaves everything as it is.
        judgements: by number, the number in the other database.
    """

    by: int
    judgements: Judgements

    def changed(self, c: Connection, table: Table) -> Callable[[Row], Row]:
        """Return what a row of this table becomes."""
        if not self.by:
            return lambda row: row
        special = _special(table, self.judgements, self._state, self._piece, self._fresh)
        return _changing(columns_of(c, table.name), table, self._raised, special)

    def _raised(self, number: int) -> int:
        return number + self.by

    def _state(self, state: bytes) -> bytes:
        return raised_state(state, self.by)

    def _piece(self, body: bytes) -> bytes:
        rows = chunks.unpack(body)
        judgement = np.array([self.judgements[number] for number in rows.judgement.tolist()], np.int64)
        return chunks.pack(Rows(rows.t_s, rows.values, judgement))

    def _fresh(self, body: bytes) -> bytes:
        records = np.frombuffer(body, fresh.RECORD).copy()
        records["stream"] += self.by
        records["judgement"] = [self.judgements[number] for number in records["judgement"].tolist()]
        return records.tobytes()


@dataclass(frozen=True, slots=True)
class Saying:
    """What rows say, the same in both databases.

    Attributes:
        by: what was added to their numbers.
        plain: whether all numbers are the same in both, so that rows say what they are.
        judgements: by number, run and calibration.
    """

    by: int
    plain: bool
    judgements: Judgements

    def said(self, c: Connection, table: Table) -> Callable[[Row], Row]:
        """Return what a row of this table says."""
        if self.plain:
            return lambda row: row
        special = _special(table, self.judgements, self._state, self._piece, self._fresh)
        return _changing(columns_of(c, table.name), table, self._lowered, special)

    def _lowered(self, number: int) -> int:
        return number - self.by

    def _state(self, state: bytes) -> bytes:
        return raised_state(state, -self.by)

    def _piece(self, body: bytes) -> Row:
        rows = chunks.unpack(body)
        judged = [self.judgements[number] for number in rows.judgement.tolist()]
        return rows.t_s.tobytes(), rows.values.tobytes(), judged

    def _fresh(self, body: bytes) -> Row:
        records = np.frombuffer(body, fresh.RECORD)
        judged = [self.judgements[number] for number in records["judgement"].tolist()]
        numbers = [records[name].tobytes() for name in ("t_s", "mean", "low", "high", "coverage")]
        return (records["stream"] - self.by).tobytes(), *numbers, judged


def raised_state(state: bytes, by: int) -> bytes:
    """Return a saved state with the rows that it names raised; what cannot be read here is never used."""
    if not by:
        return state
    try:
        kept = msgspec.msgpack.decode(state, type=Kept)
    except msgspec.MsgspecError:
        return state
    raised = msgspec.structs.replace(kept, run_message=kept.run_message + by, message=kept.message + by)
    return msgspec.msgpack.encode(raised)


def _special(
    table: Table, judgements: Judgements, state: _Change, piece: _Change, fresh_: _Change
) -> Mapping[str, _Change]:
    """Return by column what becomes of values that are no numbers of rows, but hold some."""
    if table == OUTBOX:  # its lines name no rows
        return {}
    body = fresh_ if table.name == "fresh" else piece
    return {"judgement": judgements.__getitem__, "state": state, "body": body}


def _changing(
    columns: list[str],
    table: Table,
    numbers: Callable[[int], int],
    special: Mapping[str, _Change],
) -> Callable[[Row], Row]:
    changes = [numbers if name in table.numbers else special.get(name) for name in columns]
    return lambda row: tuple(
        value if change is None else change(value) for value, change in zip(row, changes, strict=True)
    )
