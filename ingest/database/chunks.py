"""Old seconds of `poise.db`, ten minutes of a stream in one compressed piece.

A second of a stream takes 56 bytes in `fresh`; in a piece about 20, without losing a bit: each column's bytes
are put place by place, neighbours by exclusive or, and compressed. What is fresh is newer than what a piece
holds of the same second. Pieces are made of windows that hardly change any more, by and by.
"""

import zlib
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ingest.database import fresh
from ingest.database.fresh import LENGTH_S, Records
from ingest.database.rows import NOTHING, Rows, joined
from ingest.database.sqlite import Connection

SETTLED_S: Final = 900
"""A second older than this is put into its piece; what comes later still is put to it in the next round."""
_LEVEL: Final = 6
_Words = NDArray[np.uint64]


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
    """Return a stream's seconds in `from_s <= t < to_s`, old and fresh."""
    owner = c.execute("SELECT wearer FROM streams WHERE id = ?", (stream,)).fetchone()
    records = fresh.read(c, owner[0], from_s, to_s) if owner else np.zeros(0, fresh.RECORD)
    return _whole(c, records, stream, from_s, to_s)


def read_of(c: Connection, wearer: str, names: Sequence[str], from_s: int, to_s: int) -> dict[str, Rows]:
    """Return the seconds of several streams of a wearer, by name; what is fresh is read once for all."""
    known = dict(c.execute("SELECT name, id FROM streams WHERE wearer = ?", (wearer,)).fetchall())
    records = fresh.read(c, wearer, from_s, to_s)
    return {
        name: _whole(c, records, known[name], from_s, to_s) if name in known else NOTHING for name in names
    }


def settle(c: Connection, wearer: str, now_s: int) -> None:
    """Put a wearer's seconds that are old enough into pieces."""
    for window_s in fresh.windows(c, wearer, (now_s - SETTLED_S) // LENGTH_S * LENGTH_S):
        until_s = window_s + LENGTH_S
        records = fresh.read(c, wearer, window_s, until_s)
        for stream in np.unique(records["stream"]).tolist():
            rows = fresh.rows_of(records, stream).over(_pieces(c, stream, window_s, until_s))
            c.execute(
                "INSERT OR REPLACE INTO pieces (stream, from_s, body) VALUES (?, ?, ?)",
                (stream, window_s, pack(rows)),
            )
        c.execute("DELETE FROM fresh WHERE wearer = ? AND window_s = ?", (wearer, window_s))


def settle_some(c: Connection, after: str, most: int, now_s: int) -> str:
    """Settle up to `most` wearers with keys above `after`; return the last one, "" at the end."""
    sql = "SELECT DISTINCT wearer FROM streams WHERE wearer > ? ORDER BY wearer LIMIT ?"
    wearers = [str(wearer) for (wearer,) in c.execute(sql, (after, most))]
    for wearer in wearers:
        settle(c, wearer, now_s)
    return wearers[-1] if len(wearers) == most else ""


def times(c: Connection, stream: int, step_s: int) -> Iterator[int]:
    """Yield the starts of the steps in which a stream can have seconds, of a multiple of `LENGTH_S`."""
    sql = (
        "SELECT min(t) FROM (SELECT min(window_s) AS t FROM fresh WHERE wearer = :wearer "
        "AND window_s >= :after UNION ALL "
        "SELECT min(from_s) FROM pieces WHERE stream = :stream AND from_s >= :after)"
    )
    owner = c.execute("SELECT wearer FROM streams WHERE id = ?", (stream,)).fetchone()
    asked = {"wearer": owner[0] if owner else "", "stream": stream}
    after_s = -(2**62)
    while (first := c.execute(sql, {**asked, "after": after_s}).fetchone()[0]) is not None:
        yield first // step_s * step_s
        after_s = (first // step_s + 1) * step_s


def _whole(c: Connection, records: Records, stream: int, from_s: int, to_s: int) -> Rows:
    return fresh.rows_of(records, stream).over(_pieces(c, stream, from_s, to_s)).within(from_s, to_s)


def _pieces(c: Connection, stream: int, from_s: int, to_s: int) -> Rows:
    pieces = c.execute(
        "SELECT body FROM pieces WHERE stream = ? AND from_s > ? AND from_s < ? ORDER BY from_s",
        (stream, from_s - LENGTH_S, to_s),
    )
    return joined([unpack(body) for (body,) in pieces])


def _beside_the_last(words: _Words) -> _Words:
    beside = words.copy()
    beside[1:] ^= words[:-1]
    return beside
