"""Old seconds of `poise.db`, ten minutes of a stream in one compressed piece.

A row of five numbers costs SQLite 92 bytes; in a piece it costs about 20, without losing a bit: each column's
bytes are put place by place, neighbours by exclusive or, and compressed. A row beside a piece is newer than
what the piece holds of the same second. Pieces are made of rows that nobody changes any more, by and by.
"""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ingest.database.sqlite import Connection
from poise.samples import Floats, Int64s

LENGTH_S: Final = 600
SETTLED_S: Final = 900
"""A second older than this is put into its piece; what comes later still is put to it in the next round."""
_LEVEL: Final = 6
_ROWS: Final = (
    "SELECT t_s, mean, low, high, coverage, judgement FROM seconds WHERE stream = ? AND t_s >= ? AND t_s < ?"
)
_Words = NDArray[np.uint64]


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Seconds of one stream by time.

    Attributes:
        t_s: (n,) int64 UTC s, increasing.
        values: (4, n) mean, least, greatest in rad, coverage 0 to 1.
        judgement: (n,) int64, which run and calibration.
    """

    t_s: Int64s
    values: Floats
    judgement: Int64s

    def within(self, from_s: int, to_s: int) -> "Rows":
        """Return those in `from_s <= t < to_s`."""
        i, j = (int(k) for k in np.searchsorted(self.t_s, (from_s, to_s)))
        return Rows(self.t_s[i:j], self.values[:, i:j], self.judgement[i:j])


NOTHING: Final = Rows(np.zeros(0, np.int64), np.zeros((4, 0)), np.zeros(0, np.int64))


def pack(rows: Rows) -> bytes:
    """Return rows as bytes; `unpack` gives the same bits."""
    words = np.ascontiguousarray(rows.values, np.float64).view(np.uint64)
    mean, low, high, coverage = words
    columns = [
        np.diff(rows.t_s, prepend=0).view(np.uint64),
        _beside_the_last(mean), low ^ mean, high ^ mean, _beside_the_last(coverage),
        np.diff(rows.judgement, prepend=0).view(np.uint64),
    ]  # fmt: skip
    table = np.array(columns, "<u8")
    return zlib.compress(
        table.view(np.uint8).reshape(len(columns), -1, 8).transpose(0, 2, 1).tobytes(), _LEVEL
    )


def unpack(body: bytes) -> Rows:
    """Return what was packed."""
    places = np.frombuffer(zlib.decompress(body), np.uint8).reshape(6, 8, -1)
    table = np.ascontiguousarray(places.transpose(0, 2, 1)).view("<u8")[..., 0].astype(np.uint64)
    t_s, mean, low, high, coverage, judgement = table
    mean = np.bitwise_xor.accumulate(mean)
    words = np.array([mean, low ^ mean, high ^ mean, np.bitwise_xor.accumulate(coverage)])
    return Rows(np.cumsum(t_s.view(np.int64)), words.view(np.float64), np.cumsum(judgement.view(np.int64)))


def read(c: Connection, stream: int, from_s: int, to_s: int) -> Rows:
    """Return a stream's seconds in `from_s <= t < to_s`, from pieces and rows."""
    pieces = c.execute(
        "SELECT body FROM pieces WHERE stream = ? AND from_s > ? AND from_s < ? ORDER BY from_s",
        (stream, from_s - LENGTH_S, to_s),
    )
    old = _joined([unpack(body) for (body,) in pieces]).within(from_s, to_s)
    return _over(old, _of(c.execute(_ROWS, (stream, from_s, to_s)).fetchall()))


def settle(c: Connection, stream: int, now_s: int) -> int:
    """Put a stream's rows that are old enough into pieces, and return how many rows that were."""
    before_s, count = (now_s - SETTLED_S) // LENGTH_S * LENGTH_S, 0
    while (first := _first(c, stream, before_s)) is not None:
        from_s = first // LENGTH_S * LENGTH_S
        rows = read(c, stream, from_s, from_s + LENGTH_S)
        c.execute(
            "INSERT OR REPLACE INTO pieces (stream, from_s, body) VALUES (?, ?, ?)",
            (stream, from_s, pack(rows)),
        )
        during = (stream, from_s, from_s + LENGTH_S)
        gone = c.execute("DELETE FROM seconds WHERE stream = ? AND t_s >= ? AND t_s < ?", during)
        count += gone.rowcount
    return count


def settle_some(c: Connection, after: int, most: int, now_s: int) -> int:
    """Settle up to `most` streams with numbers above `after`; return the last one, 0 at the end."""
    streams = c.execute("SELECT id FROM streams WHERE id > ? ORDER BY id LIMIT ?", (after, most)).fetchall()
    for (stream,) in streams:
        settle(c, stream, now_s)
    return int(streams[-1][0]) if len(streams) == most else 0


def times(c: Connection, stream: int, step_s: int) -> Iterator[int]:
    """Yield the steps of `step_s`, a multiple of `LENGTH_S`, in which a stream has seconds: their starts."""
    sql = (
        "SELECT min(t) FROM (SELECT min(t_s) AS t FROM seconds WHERE stream = :stream AND t_s >= :after "
        "UNION ALL SELECT min(from_s) FROM pieces WHERE stream = :stream AND from_s >= :after)"
    )
    after_s = -(2**62)
    while (first := c.execute(sql, {"stream": stream, "after": after_s}).fetchone()[0]) is not None:
        yield first // step_s * step_s
        after_s = (first // step_s + 1) * step_s


def _first(c: Connection, stream: int, before_s: int) -> int | None:
    sql = "SELECT min(t_s) FROM seconds WHERE stream = ? AND t_s < ?"
    found: int | None = c.execute(sql, (stream, before_s)).fetchone()[0]
    return found


def _of(rows: Sequence[tuple[float, ...]]) -> Rows:
    if not rows:
        return NOTHING
    t_s, *values, judgement = zip(*rows, strict=True)
    return Rows(np.array(t_s, np.int64), np.array(values, np.float64), np.array(judgement, np.int64))


def _joined(parts: Sequence[Rows]) -> Rows:
    if not parts:
        return NOTHING
    return Rows(
        np.concatenate([part.t_s for part in parts]),
        np.concatenate([part.values for part in parts], axis=1),
        np.concatenate([part.judgement for part in parts]),
    )


def _over(old: Rows, new: Rows) -> Rows:
    """Return both by time; of a second that both have, the new one."""
    if len(new.t_s) == 0 or len(old.t_s) == 0:
        return old if len(new.t_s) == 0 else new
    kept = ~np.isin(old.t_s, new.t_s)
    both = _joined([Rows(old.t_s[kept], old.values[:, kept], old.judgement[kept]), new])
    order = np.argsort(both.t_s, kind="stable")
    return Rows(both.t_s[order], both.values[:, order], both.judgement[order])


def _beside_the_last(words: _Words) -> _Words:
    beside = words.copy()
    beside[1:] ^= words[:-1]
    return beside
