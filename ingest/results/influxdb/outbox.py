"""The outbox: what waits in `poise.db` until InfluxDB has confirmed it, oldest first, up to a cap.

Each row is of one write and so of one wearer: seconds as columns (`ingest.results.influxdb.columns`), or
lines, compressed: they repeat themselves and shrink to about a quarter. How much waits is kept beside them,
so that nobody has to count.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ingest.database.sqlite import Connection
from ingest.results.influxdb import columns
from ingest.results.influxdb.lines import seconds, wearer_in
from poise.errors import StoreUnavailableError
from poise.topics import Wearer

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
    """The oldest rows.

    Attributes:
        upto: the last row's id.
        bodies: the rows, in the order in which they were written.
        count: how many lines they are.
        stored_bytes: what they take.
    """

    upto: int
    bodies: tuple[bytes, ...]
    count: int
    stored_bytes: int

    @property
    def lines(self) -> tuple[bytes, ...]:
        """The lines, in their order."""
        return tuple(line for body in self.bodies for line in text_of(body).split(b"\n"))


@dataclass(frozen=True, slots=True)
class Waiting:
    """How much waits."""

    lines: int
    stored_bytes: int


def put(c: Connection, lines: Sequence[bytes], most_bytes: int) -> int:
    """Add lines and return their row; raises as `put_row` does."""
    return put_row(c, zlib.compress(b"\n".join(lines), _FAST), len(lines), most_bytes)


def put_row(c: Connection, body: bytes, lines: int, most_bytes: int) -> int:
    """Add what so many lines are made of, as `columns.pack` gives it, and return its row.

    Raises:
        StoreUnavailableError: if the outbox is full; then nothing is confirmed until there is room.
    """
    if waiting(c).stored_bytes + len(body) > most_bytes:
        raise StoreUnavailableError(
            f"the outbox for InfluxDB is full ({most_bytes / 1e6:.0f} MB); mend InfluxDB, or raise "
            "store.outbox_mb: nothing that was confirmed is lost"
        )
    row = c.execute("INSERT INTO outbox (body, lines) VALUES (?, ?)", (body, lines)).lastrowid
    _change(c, lines, len(body))
    return int(row or 0)


def oldest(c: Connection, most_lines: int) -> Batch:
    """Return whole rows, oldest first, until there are `most_lines` lines or none is left."""
    upto, bodies, count, size = 0, list[bytes](), 0, 0
    for row, body, lines in c.execute("SELECT id, body, lines FROM outbox ORDER BY id"):
        upto, count, size = row, count + lines, size + len(body)
        bodies.append(body)
        if count >= most_lines:
            break
    return Batch(upto, tuple(bodies), count, size)


def text_of(body: bytes) -> bytes:
    """Return a row's lines, joined."""
    if body.startswith(columns.MARK):
        packed = columns.unpack(body)
        return seconds(packed.wearer, packed.origin, packed.block())
    return zlib.decompress(body) if body.startswith(_COMPRESSED) else body


def whose(body: bytes) -> Wearer:
    """Return whose a row is, without reading all of it.

    Raises:
        WireError: if it does not say.
    """
    if body.startswith(columns.MARK):
        return columns.unpack(body).wearer
    plain = zlib.decompressobj().decompress(body, _TAGS) if body.startswith(_COMPRESSED) else body
    return wearer_in(plain)


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
