"""The outbox: lines that wait in `poise.db` until InfluxDB has confirmed them, oldest first, up to a cap.

Each row holds the lines of one write, compressed: they repeat themselves and shrink to about a quarter. How
much waits is kept beside them, so that nobody has to count.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ingest.database.sqlite import Connection
from poise.errors import StoreUnavailableError

ALARM_SHARE: Final = 0.25
"""Share of the cap from which the outbox raises an alarm: project decision."""
DEFAULT_MOST_BYTES: Final = 10_000_000_000
"""115 days of one wearer; their raw samples take five times as much of the same disk. Project decision."""
_FAST: Final = 1
_TAGS: Final = 1024
"""Bytes of a line in which its tags are, whatever they say."""
_COMPRESSED: Final = b"\x78"
"""How zlib begins at this window size; a line begins with a letter. Older rows are one plain line each."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The oldest lines.

    Attributes:
        upto: the last row's id.
        lines: in the order in which they were written.
        stored_bytes: what their rows take.
    """

    upto: int
    lines: tuple[bytes, ...]
    stored_bytes: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """How much waits."""

    lines: int
    stored_bytes: int


def put(c: Connection, lines: Sequence[bytes], most_bytes: int) -> int:
    """Add lines and return their row.

    Raises:
        StoreUnavailableError: if the outbox is full; then nothing is confirmed until there is room.
    """
    body = zlib.compress(b"\n".join(lines), _FAST)
    if waiting(c).stored_bytes + len(body) > most_bytes:
        raise StoreUnavailableError(
            f"the outbox for InfluxDB is full ({most_bytes / 1e6:.0f} MB); mend InfluxDB, or raise "
            "store.outbox_mb: nothing that was confirmed is lost"
        )
    row = c.execute("INSERT INTO outbox (body, lines) VALUES (?, ?)", (body, len(lines))).lastrowid
    _change(c, len(lines), len(body))
    return int(row or 0)


def oldest(c: Connection, most_lines: int) -> Batch:
    """Return whole rows, oldest first, until there are `most_lines` lines or none is left."""
    upto, lines, size = 0, list[bytes](), 0
    for row, body in c.execute("SELECT id, body FROM outbox ORDER BY id"):
        upto, size = row, size + len(body)
        lines += lines_in(body)
        if len(lines) >= most_lines:
            break
    return Batch(upto, tuple(lines), size)


def lines_in(body: bytes) -> list[bytes]:
    """Return the lines of a row."""
    plain = zlib.decompress(body) if body.startswith(_COMPRESSED) else body
    return plain.split(b"\n")


def first_in(body: bytes) -> bytes:
    """Return the beginning of a row's first line, with its tags, without reading all of it."""
    plain = zlib.decompressobj().decompress(body, _TAGS) if body.startswith(_COMPRESSED) else body
    return plain.partition(b"\n")[0]


def remove(c: Connection, batch: Batch) -> None:
    """Forget what the server has confirmed."""
    # Counted anew: of what was on its way, somebody may have been erased meanwhile.
    sql = "SELECT coalesce(sum(lines), 0), coalesce(sum(length(body)), 0) FROM outbox WHERE id <= ?"
    lines, size = c.execute(sql, (batch.upto,)).fetchone()
    c.execute("DELETE FROM outbox WHERE id <= ?", (batch.upto,))
    _change(c, -lines, -size)


def waiting(c: Connection) -> Waiting:
    """Return how much waits."""
    return Waiting(*c.execute("SELECT lines, bytes FROM outbox_size").fetchone())


def first(c: Connection) -> int | None:
    """Return the oldest row, None if nothing waits."""
    row: int | None = c.execute("SELECT min(id) FROM outbox").fetchone()[0]
    return row


def _change(c: Connection, lines: int, size: int) -> None:
    c.execute("UPDATE outbox_size SET lines = lines + ?, bytes = bytes + ?", (lines, size))
