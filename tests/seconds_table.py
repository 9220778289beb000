"""The seconds of `poise.db` as an ordinary table, so that tests can ask for them in SQL."""

import sqlite3
from collections.abc import Sequence

from ingest.database import chunks


def asked(c: sqlite3.Connection, sql: str, values: Sequence[object] = (), wearer: str = "%") -> list[tuple]:
    """Return the rows of a question that may name `seconds`, a table made for it.

    Args:
        c: may be read-only.
        sql: the question.
        values: its parameters.
        wearer: whose seconds the table is to hold, as a pattern.
    """
    if "FROM seconds" not in sql:
        return c.execute(sql, tuple(values)).fetchall()
    c.execute("CREATE TEMP TABLE seconds (stream, t_s, mean, low, high, coverage, judgement)")
    for (stream,) in c.execute("SELECT id FROM streams WHERE wearer LIKE ?", (wearer,)).fetchall():
        rows = chunks.read(c, stream, -(2**61), 2**61)
        found = zip(rows.t_s.tolist(), *rows.values.tolist(), rows.judgement.tolist(), strict=True)
        c.executemany(
            "INSERT INTO temp.seconds VALUES (?, ?, ?, ?, ?, ?, ?)", [(stream, *row) for row in found]
        )
    try:
        return c.execute(sql, tuple(values)).fetchall()
    finally:
        c.execute("DROP TABLE temp.seconds")
