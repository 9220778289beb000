"""A person's rows in one database of ingest: found by name, deleted from every table, and their bytes gone.

What SQLite deletes is overwritten (`secure_delete`), but when it moves rows between pages it leaves copies in
the room between them, which nothing overwrites: tried, names were still there. So the file is written anew
(VACUUM), and its log is cut to nothing.
"""

import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

from ingest.database import chunks, fresh
from ingest.database.sqlite import Connection, Database
from ingest.results.influxdb import outbox
from ingest.results.influxdb.lines import wearer_in
from ingest.results.store import key
from ingest.spreading.tables import OF_WEARERS, wearers_in
from poise.errors import WireError
from poise.topics import Wearer

_ROOM: Final = 2.2
"""How many times what is in use a file takes while it is written anew: once beside it, once in its log, and
a little. Project decision."""
_PIECES: Final = "SELECT body FROM pieces WHERE stream IN (SELECT id FROM streams WHERE wearer = ?)"
_RUNS: Final = (("runs", "from_us"), ("exposures", "run_us"), ("quarters", "run_us"))
"""Where the beginnings of runs stand, by which it is known whose a judgement is."""


def names_in(c: Connection) -> set[str]:
    """Return the `site/patient` of all of whom anything is in a database."""
    names = {*wearers_in(c), *(name for _, name in _letters(c)), *(name for _, name, _, _ in _outbox(c))}
    return names - {""}


def erase(c: Connection, name: str) -> Counter[str]:
    """Delete all that a database holds of a wearer, in the caller's transaction; return how many rows.

    Args:
        c: the transaction.
        name: `site/patient`.
    """
    removed = Counter({"judgements": _forget_judgements(c, name)})
    # Pieces first: they are known by streams, which go as well.
    for table in sorted(OF_WEARERS, key=lambda table: table.where.startswith("wearer")):
        sql = f"DELETE FROM {table.name} WHERE {table.where}"  # noqa: S608 - our own names
        removed[table.name] = c.execute(sql, (name,)).rowcount
    removed["dead_letters"] = _delete(c, "dead_letters", [row for row, whose in _letters(c) if whose == name])
    mine = [(row, lines, size) for row, whose, lines, size in _outbox(c) if whose == name]
    removed["outbox"] = _delete(c, "outbox", [row for row, _, _ in mine])
    c.execute(
        "UPDATE outbox_size SET lines = lines - ?, bytes = bytes - ?",
        (sum(lines for _, lines, _ in mine), sum(size for _, _, size in mine)),
    )
    return +removed


def scrub(database: Database) -> str:
    """Write the file anew, so that no byte of what was deleted is left in it or its log.

    Returns:
        Why it could not be done now, a sentence; "" if it was.

    Raises:
        StoreUnavailableError: if the disk refuses.
    """
    pages = database.pages
    needed, free = round(pages * _ROOM), shutil.disk_usage(database.path.parent).free
    if free < needed:
        return (
            f"{database.path.name} has to be written anew, so that deleted bytes are gone from it, and that "
            f"needs {needed / 1e6:.0f} MB; its disk has {free / 1e6:.0f} MB"
        )
    if database.rewrite():
        return ""
    return f"another program is reading {database.path.name}, so that its log still holds deleted bytes"


def _delete(c: Connection, table: str, rows: list[int]) -> int:
    c.executemany(f"DELETE FROM {table} WHERE id = ?", [(row,) for row in rows])  # noqa: S608
    return len(rows)


def _letters(c: Connection) -> Iterator[tuple[int, str]]:
    """Yield row and owner of each dead letter; a line that InfluxDB refused says itself whose it is."""
    for row, name, payload in c.execute("SELECT id, wearer, payload FROM dead_letters").fetchall():
        yield row, name or _owner(wearer_in, payload)


def _outbox(c: Connection) -> Iterator[tuple[int, str, int, int]]:
    """Yield row, owner, lines and bytes of what waits; each row is of one write, and so of one wearer."""
    for row, body, lines in c.execute("SELECT id, body, lines FROM outbox"):
        yield row, _owner(outbox.whose, body), lines, len(body)


def _owner(said_in: Callable[[bytes], Wearer], body: bytes) -> str:
    try:
        return key(said_in(body))
    except WireError:
        return ""


def _forget_judgements(c: Connection, name: str) -> int:
    """Delete the judgements that only this wearer's seconds speak of: they say when a run began.

    A row of `judgements` names nobody, and two wearers share one if their runs began in the same µs.
    """
    bodies = (np.frombuffer(body, fresh.RECORD)["judgement"] for body in _bodies(c, name))
    packed = (chunks.unpack(body).judgement for (body,) in c.execute(_PIECES, (name,)))
    numbers = {int(number) for part in (*bodies, *packed) for number in np.unique(part).tolist()}
    others: set[int] = set()
    for table, column in _RUNS:
        sql = f"SELECT DISTINCT {column} FROM {table} WHERE wearer != ?"  # noqa: S608 - our own names
        others.update(run_us for (run_us,) in c.execute(sql, (name,)))
    known = c.execute("SELECT id, run_us FROM judgements").fetchall()
    return _delete(c, "judgements", [row for row, run_us in known if row in numbers and run_us not in others])


def _bodies(c: Connection, name: str) -> Iterator[bytes]:
    return (body for (body,) in c.execute("SELECT body FROM fresh WHERE wearer = ?", (name,)))
