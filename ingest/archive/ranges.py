"""Which messages have moved into the archive, as ranges of sequences: one that comes again is known.

The ranges outlive the files, so that a message is never stored anew because its hour was deleted by policy.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby

from ingest.database.sqlite import Connection


def holds(c: Connection, wearer: str, session: str, sequence: int) -> bool:
    """Return whether the message has been archived."""
    row = c.execute(
        "SELECT last FROM archived WHERE wearer = ? AND session = ? AND first <= ? "
        "ORDER BY first DESC LIMIT 1",
        (wearer, session, sequence),
    ).fetchone()
    return row is not None and row[0] >= sequence


def known_of(c: Connection, wearer: str, session: str) -> list[tuple[int, int]]:
    """Return first and last of each range, in order; no two touch."""
    sql = "SELECT first, last FROM archived WHERE wearer = ? AND session = ? ORDER BY first"
    return c.execute(sql, (wearer, session)).fetchall()


def floor_of(known: Iterable[tuple[int, int]], floor: int) -> int:
    """Return the first sequence from a session's floor on that the ranges do not hold."""
    for first, last in known:
        if first <= floor <= last:
            floor = last + 1
    return floor


def sequences(known: Iterable[tuple[int, int]], floor: int) -> Iterator[int]:
    """Yield all from `floor` on that lie in the ranges."""
    for first, last in known:
        yield from range(max(first, floor), last + 1)


def add(c: Connection, wearer: str, messages: Iterable[tuple[str, int]]) -> None:
    """Take in (session, sequence) of messages that leave `messages`, in the caller's transaction."""
    for session, group in groupby(sorted(messages), key=lambda message: message[0]):
        known = known_of(c, wearer, session)
        new = [(sequence, sequence) for _, sequence in group]
        c.execute("DELETE FROM archived WHERE wearer = ? AND session = ?", (wearer, session))
        c.executemany(
            "INSERT INTO archived (wearer, session, first, last) VALUES (?, ?, ?, ?)",
            [(wearer, session, *joined) for joined in merged([*known, *new])],
        )


def merged(parts: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join ranges that overlap or touch."""
    whole: list[tuple[int, int]] = []
    for first, last in sorted(parts):
        if whole and first <= whole[-1][1] + 1:
            whole[-1] = (whole[-1][0], max(whole[-1][1], last))
        else:
            whole.append((first, last))
    return whole
