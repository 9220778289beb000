"""Stored results against those that were computed again: the same bits, or what differs and by how much."""

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import msgspec

from ingest.database import chunks
from ingest.database.sqlite import Connection

_EPISODES: Final = "SELECT id, origin, episode FROM episodes WHERE wearer = ? ORDER BY id"
_EXPOSURES: Final = (
    "SELECT quarter_s, run_us, kind, seconds FROM exposures WHERE wearer = ? ORDER BY quarter_s, run_us, kind"
)
_DAY_S: Final = 86_400


class Row(NamedTuple):
    """A result: what names it, its stream or kind, its run, and what it says."""

    key: tuple[Any, ...]
    name: str
    run_us: int
    values: tuple[Any, ...]


@dataclass(slots=True)
class Tally:
    """How many results of a kind are the same.

    Attributes:
        same: in every bit.
        differ: there and here, with other values.
        stored_only: not computed again.
        computed_only: not stored.
        greatest: the greatest difference of a number in those that differ, in its own unit.
        names: streams or kinds of which something is not the same.
    """

    same: int = 0
    differ: int = 0
    stored_only: int = 0
    computed_only: int = 0
    greatest: float = 0.0
    names: set[str] = field(default_factory=set)

    @property
    def is_same(self) -> bool:
        """Whether nothing differs."""
        return not self.names


def compare(
    stored: Connection, computed: Connection, wearer: str, runs: AbstractSet[int]
) -> dict[str, Tally]:
    """Compare the results of some runs.

    Args:
        stored: reads the database in which they were stored.
        computed: reads the one into which they were computed again.
        wearer: `site/patient`.
        runs: UTC µs of the first samples of the runs.
    """
    return {
        name: tally(rows(stored, wearer), rows(computed, wearer), runs)
        for name, rows in (("seconds", _seconds), ("episodes", _episodes), ("exposures", _exposures))
    }


def tally(stored: Iterable[Row], computed: Iterable[Row], runs: AbstractSet[int]) -> Tally:
    """Count in two sequences in the order of their keys, of which the first may be of other runs too.

    Where the result of such a run stands, it was written over that of one of these: nothing to be compared.
    """
    found, mine, theirs = Tally(), iter(stored), iter(computed)
    a, b = next(mine, None), next(theirs, None)
    while a is not None or b is not None:
        if b is None or (a is not None and a.key < b.key):
            if a is not None and a.run_us in runs:
                found.stored_only += 1
                found.names.add(a.name)
            a = next(mine, None)
        elif a is None or b.key < a.key:
            found.computed_only += 1
            found.names.add(b.name)
            b = next(theirs, None)
        else:
            if a.run_us in runs:
                _count(found, a, b)
            a, b = next(mine, None), next(theirs, None)
    return found


def _count(found: Tally, a: Row, b: Row) -> None:
    if repr(a) == repr(b):  # also tells 0.0 from -0.0
        found.same += 1
        return
    found.differ += 1
    found.names.add(a.name)
    pairs = zip(a.values, b.values, strict=False)
    steps = [abs(x - y) for x, y in pairs if isinstance(x, int | float) and isinstance(y, int | float)]
    found.greatest = max([found.greatest, *steps])


def _seconds(c: Connection, wearer: str) -> Iterator[Row]:
    judged = {row[0]: row[1:] for row in c.execute("SELECT id, run_us, calibration FROM judgements")}
    streams = c.execute("SELECT name, id FROM streams WHERE wearer = ? ORDER BY name", (wearer,)).fetchall()
    for name, stream in streams:
        for day_s in chunks.times(c, stream, _DAY_S):
            rows = chunks.read(c, stream, day_s, day_s + _DAY_S)
            columns = zip(rows.t_s.tolist(), *rows.values.tolist(), rows.judgement.tolist(), strict=True)
            for t_s, *values, judgement in columns:
                run_us, calibration = judged[judgement]
                yield Row((name, t_s), name, run_us, (*values, calibration))


def _episodes(c: Connection, wearer: str) -> Iterator[Row]:
    for name, origin, text in c.execute(_EPISODES, (wearer,)):
        told = msgspec.json.decode(text)
        yield Row((name,), told["kind"], told["run_us"], (*told.values(), origin))


def _exposures(c: Connection, wearer: str) -> Iterator[Row]:
    for quarter_s, run_us, kind, seconds in c.execute(_EXPOSURES, (wearer,)):
        yield Row((quarter_s, run_us, kind), kind, run_us, (seconds,))
