"""Seconds that came lately: one row of `fresh` for each message, with all its streams.

A row for each second and stream would cost SQLite a place in another page each; so a message's seconds stay
together, as they were concluded, until their ten minutes are over and `chunks` puts them into pieces. What
came later replaces what came before.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ingest.database.rows import NOTHING, Rows
from ingest.database.sqlite import Connection
from poise.samples import Int64s
from poise.seconds import SecondBlock

LENGTH_S: Final = 600
"""A row holds seconds of the same ten minutes only: those of one piece."""
RECORD: Final = np.dtype(
    [
        ("stream", "<i8"),
        ("judgement", "<i8"),
        ("t_s", "<i8"),
        ("mean", "<f8"),
        ("low", "<f8"),
        ("high", "<f8"),
        ("coverage", "<f8"),
    ]
)
"""A second of a stream, in `fresh.body`: rad, coverage 0 to 1."""
Records = NDArray[np.void]
_BODIES: Final = "SELECT body FROM fresh WHERE wearer = ? AND window_s > ? AND window_s < ? ORDER BY id"


def records_of(block: SecondBlock, streams: Int64s, judgement: int) -> Records:
    """Return a block's seconds as records.

    Args:
        block: what was concluded.
        streams: (k,) the numbers of its streams.
        judgement: the number of its run and calibration.
    """
    records = np.empty(len(block.t_s), RECORD)
    records["stream"], records["judgement"], records["t_s"] = streams[block.of], judgement, block.t_s
    records["mean"], records["low"] = block.mean, block.low
    records["high"], records["coverage"] = block.high, block.coverage
    return records


def put(c: Connection, wearer: str, records: Records) -> None:
    """Keep a message's seconds."""
    windows = records["t_s"] // LENGTH_S
    for window in np.unique(windows).tolist():
        part = records[windows == window]
        c.execute(
            "INSERT INTO fresh (wearer, window_s, body) VALUES (?, ?, ?)",
            (wearer, window * LENGTH_S, part.tobytes()),
        )


def read(c: Connection, wearer: str, from_s: int, to_s: int) -> Records:
    """Return a wearer's records of all windows that reach into `from_s <= t < to_s`, as they came."""
    bodies = c.execute(_BODIES, (wearer, from_s - LENGTH_S, to_s))
    return np.frombuffer(b"".join(body for (body,) in bodies), RECORD)


def windows(c: Connection, wearer: str, before_s: int) -> Sequence[int]:
    """Return the starts of a wearer's windows before a time, UTC s."""
    sql = "SELECT DISTINCT window_s FROM fresh WHERE wearer = ? AND window_s < ? ORDER BY window_s"
    return [int(start) for (start,) in c.execute(sql, (wearer, before_s))]


def rows_of(records: Records, stream: int) -> Rows:
    """Return a stream's seconds by time; of the same second the one that came last."""
    mine = records[records["stream"] == stream]
    if len(mine) == 0:
        return NOTHING
    mine = mine[np.argsort(mine["t_s"], kind="stable")]
    mine = mine[np.append(mine["t_s"][1:] != mine["t_s"][:-1], True)]
    values = np.array([mine[name] for name in ("mean", "low", "high", "coverage")], np.float64)
    return Rows(mine["t_s"].astype(np.int64), values, mine["judgement"].astype(np.int64))
