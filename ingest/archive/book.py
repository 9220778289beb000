"""What `poise.db` knows of the archive: which hours can move, which have moved, what was deleted and why."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from ingest.archive import ranges
from ingest.archive.layout import HOUR_US, CalibrationRow, Raw, RunRow
from ingest.database.sqlite import Connection
from poise.errors import StoreError

MOST_MESSAGES: Final = 10_000
"""In a file; more of an hour make another one. An hour of a message a second has 3,600: project decision."""
_IN_HOUR: Final = (
    "wearer = :wearer AND (first_us >= :begin AND first_us < :end "
    "OR first_us IS NULL AND received_us >= :begin AND received_us < :end)"
)
_ENTRY: Final = (
    "file, wearer, hour_us, messages, samples, first_message, last_message, bytes, sha256, archived_us, "
    "deleted_us, why"
)


class Entry(NamedTuple):
    """A file of the archive.

    Attributes:
        file: below the archive's folder.
        wearer: `site/patient`.
        hour_us: UTC µs at which the hour begins.
        messages: how many are in it.
        samples: of all sensors.
        first_message: the lowest row of a message.
        last_message: the highest.
        bytes: size of the file.
        sha256: of the file, in hexadecimal.
        archived_us: UTC µs at which the messages moved.
        deleted_us: UTC µs at which the file was deleted, None while it is kept.
        why: it was deleted.
    """

    file: str
    wearer: str
    hour_us: int
    messages: int
    samples: int
    first_message: int
    last_message: int
    bytes: int
    sha256: str
    archived_us: int
    deleted_us: int | None = None
    why: str = ""


def closed_hours(c: Connection, before_us: int) -> list[tuple[str, int]]:
    """Return wearer and beginning of the hours that came before a moment and that no open run needs."""
    rows = c.execute(
        f"SELECT DISTINCT wearer, coalesce(first_us, received_us) / {HOUR_US} FROM messages WHERE id < ? "  # noqa: S608
        "ORDER BY 2, 1",
        (_first_since(c, before_us),),
    )
    hours = [(wearer, hour * HOUR_US) for wearer, hour in rows.fetchall()]
    return [hour for hour in hours if _is_closed(c, *hour, before_us)]


def messages_of(c: Connection, wearer: str, hour_us: int) -> list[Raw]:
    """Return the hour's messages that are still in `messages`, by row; of very many only the first."""
    rows = c.execute(
        f"SELECT id, lane, received_us, payload FROM messages WHERE {_IN_HOUR} "  # noqa: S608
        f"ORDER BY id LIMIT {MOST_MESSAGES}",
        _hour(wearer, hour_us),
    )
    return [Raw(*row) for row in rows]


def rest_of(c: Connection, wearer: str, first: int, last: int) -> Iterator[Raw]:
    """Yield the messages between two rows that are still in `messages`."""
    sql = (
        "SELECT id, lane, received_us, payload FROM messages "
        "WHERE wearer = ? AND id BETWEEN ? AND ? ORDER BY id"
    )
    return (Raw(*row) for row in c.execute(sql, (wearer, first, last)))


def rows_in(c: Connection, wearer: str, from_us: int, to_us: int) -> tuple[int, int] | None:
    """Return the first and the last row still in `messages` of samples from about this time."""
    sql = "SELECT min(id), max(id) FROM messages WHERE wearer = ? AND first_us > ? AND first_us < ?"
    first, last = c.execute(sql, (wearer, from_us - HOUR_US, to_us)).fetchone()
    return None if first is None else (first, last)


def runs_of(c: Connection, wearer: str, first: int = 0, last: int = 2**62) -> list[RunRow]:
    """Return the runs that begin in these rows of messages, and those that went on into them."""
    rows = c.execute(
        "SELECT id, late, message, from_us, calibration, reason, closed, trust FROM runs "
        "WHERE wearer = :wearer AND message <= :last AND (message >= :first "
        "OR id IN (SELECT max(id) FROM runs WHERE wearer = :wearer AND message < :first GROUP BY late)) "
        "ORDER BY id",
        {"wearer": wearer, "first": first, "last": last},
    )
    return [RunRow(*row) for row in rows]


def calibrations_of(c: Connection, wearer: str, until_us: int = 2**62) -> list[CalibrationRow]:
    """Return the calibrations made until then, oldest first."""
    rows = c.execute(
        "SELECT id, made_us, received_us, notice FROM calibrations WHERE wearer = ? AND made_us < ? "
        "ORDER BY made_us, id",
        (wearer, until_us),
    )
    return [CalibrationRow(*row) for row in rows]


def entries(c: Connection, wearer: str | None = None) -> list[Entry]:
    """Return all files, or those of a wearer, in the order of their messages."""
    rows = c.execute(
        f"SELECT {_ENTRY} FROM archive WHERE wearer = coalesce(?, wearer) "  # noqa: S608
        "ORDER BY wearer, first_message, file",
        (wearer,),
    )
    return [Entry(*row) for row in rows]


def move(c: Connection, entry: Entry, rows: Sequence[int]) -> None:
    """Enter a file that is on the disk, and let go of the messages in it; all in the caller's transaction.

    Raises:
        StoreError: if the messages are no longer what they were.
    """
    marks = ", ".join("?" * len(entry))
    c.execute(f"INSERT INTO archive ({_ENTRY}) VALUES ({marks})", entry)  # noqa: S608
    c.execute("CREATE TEMP TABLE IF NOT EXISTS moving (id INTEGER PRIMARY KEY)")
    c.execute("DELETE FROM temp.moving")
    c.executemany("INSERT INTO temp.moving (id) VALUES (?)", [(row,) for row in rows])
    moving = "FROM messages WHERE wearer = ? AND id IN (SELECT id FROM temp.moving)"
    known = c.execute(f"SELECT session, sequence {moving}", (entry.wearer,)).fetchall()
    ranges.add(c, entry.wearer, known)
    c.execute(f"DELETE {moving}", (entry.wearer,))
    if len(known) != len(rows):
        raise StoreError(f"messages of {entry.file} have gone meanwhile; another archiver is at work")


def delete(c: Connection, files: Iterable[str], now_us: int, why: str) -> None:
    """Note that files are deleted."""
    c.executemany(
        "UPDATE archive SET deleted_us = ?, why = ? WHERE file = ? AND deleted_us IS NULL",
        [(now_us, why, file) for file in files],
    )


def _hour(wearer: str, hour_us: int) -> dict[str, object]:
    return {"wearer": wearer, "begin": hour_us, "end": hour_us + HOUR_US}


def _first_since(c: Connection, since_us: int) -> int:
    """Return the row from which on messages came since a moment: rows are numbered as they come."""
    first, last = c.execute("SELECT min(id), max(id) FROM messages").fetchone()
    if first is None:
        return 0

    def received_us(row: int) -> int:
        sql = "SELECT received_us FROM messages WHERE id >= ? ORDER BY id LIMIT 1"
        return int(c.execute(sql, (row,)).fetchone()[0])

    return bisect_left(range(last + 1), since_us, first, key=received_us)


def _is_closed(c: Connection, wearer: str, hour_us: int, before_us: int) -> bool:
    newest: dict[int, int] = {}
    sql = f"SELECT lane, max(id), max(received_us) FROM messages WHERE {_IN_HOUR} GROUP BY lane"  # noqa: S608
    for lane, row, received_us in c.execute(sql, _hour(wearer, hour_us)):
        if received_us >= before_us:
            return False
        newest[lane] = row
    return all(_needed_from(c, wearer, lane) > row for lane, row in newest.items())


def _needed_from(c: Connection, wearer: str, lane: int) -> int:
    """Return from which row on an open run may be fed again."""
    row = c.execute(
        "SELECT message, closed FROM runs WHERE wearer = ? AND late = ? ORDER BY id DESC LIMIT 1",
        (wearer, lane),
    ).fetchone()
    return 2**62 if row is None or row[1] else int(row[0])
