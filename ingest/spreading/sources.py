"""The databases that a folder has before, and what goes from each into one of those that it is to have."""

import heapq
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

from ingest.database.shards import Shard, shard_of
from ingest.database.sqlite import Connection, reading
from ingest.results.influxdb import outbox
from ingest.results.store import key, wearer_of
from ingest.spreading.tables import (
    JUDGEMENTS,
    LETTERS,
    OUTBOX,
    Row,
    columns_of,
    ordered,
    refuse_unknown,
    wearers_in,
)
from poise.errors import WireError
from poise.topics import parse

SEQUENCED: Final = ("messages", "runs", "outbox")
"""Tables whose numbers are never given twice, even when their rows have gone."""


@dataclass(frozen=True, slots=True)
class Source:
    """A database that is read, as one moment has it.

    Attributes:
        shard: which one.
        c: reads it.
        wearers: the keys of all of whom anything is in it.
        top: no number of a row in it, or that ever was in it, is greater.
    """

    shard: Shard
    c: Connection
    wearers: tuple[str, ...]
    top: int


@dataclass(frozen=True, slots=True)
class Part:
    """What of a source goes into one target.

    Attributes:
        source: where it is.
        target: where it goes.
        wearers: their keys.
        by: what is added to the numbers of its rows there.
    """

    source: Source
    target: Shard
    wearers: tuple[str, ...]
    by: int

    @property
    def plain(self) -> bool:
        """Whether all numbers stay what they are."""
        return not self.by

    def outbox(self) -> Iterator[Row]:
        """Yield the rows of the outbox with lines of its wearers, oldest first."""
        body = columns_of(self.source.c, OUTBOX.name).index("body")
        for row in ordered(self.source.c, OUTBOX):
            if shard_of(outbox.whose(row[body]), self.target.of) == self.target.number - 1:
                yield row

    def judgements(self) -> Iterator[Row]:
        """Yield all judgements: which of them are its wearers', only compressed pieces know."""
        return ordered(self.source.c, JUDGEMENTS)


@contextmanager
def opened(folder: Path, shards: Sequence[Shard]) -> Iterator[list[Source]]:
    """Open databases to be read.

    Raises:
        ConfigurationError: if one has a table that is not known here.
        StoreUnavailableError: if one cannot be read.
    """
    with ExitStack() as stack:
        yield [_source(shard, stack.enter_context(reading(shard.file(folder)))) for shard in shards]


def parts_for(target: Shard, sources: Sequence[Source]) -> list[Part]:
    """Return what goes into a target; the numbers of the first source stay as they are.

    The others are raised above all numbers before them, and by no less than their own greatest, so that an
    old number can be told from a new one.
    """
    parts, by = list[Part](), 0
    for source in sorted(sources, key=lambda source: -source.top):
        mine = tuple(w for w in source.wearers if shard_of(wearer_of(w), target.of) == target.number - 1)
        if mine:
            parts.append(Part(source, target, mine, by))
            by += source.top
    return parts


def letters_for(target: Shard, sources: Sequence[Source]) -> Iterator[Row]:
    """Yield what was put aside, by the time it came; what is nobody's goes into the first database."""
    names = columns_of(sources[0].c, LETTERS.name)
    by_time = itemgetter(names.index("received_us"))
    merged = heapq.merge(*(ordered(source.c, LETTERS) for source in sources), key=by_time)
    for row in merged:
        if _shard_of_topic(row[names.index("topic")], target.of) == target.number - 1:
            yield row


def nobodys_counters(sources: Sequence[Source]) -> dict[str, int]:
    """Return what was counted for nobody, of all databases together."""
    counted = Counter[str]()
    for source in sources:
        counted.update(
            dict(source.c.execute("SELECT name, count FROM counters WHERE wearer = ''").fetchall())
        )
    return dict(counted)


def sequences_of(c: Connection) -> dict[str, int]:
    """Return the greatest number that was ever given in each table that never gives one twice."""
    known = dict(c.execute("SELECT name, seq FROM sqlite_sequence").fetchall())
    return {table: known.get(table, 0) for table in SEQUENCED}


def _source(shard: Shard, c: Connection) -> Source:
    refuse_unknown(c)
    waiting = {key(outbox.whose(body)) for (body,) in c.execute("SELECT body FROM outbox")}
    return Source(shard, c, tuple(sorted({*wearers_in(c), *waiting})), _top(c))


def _top(c: Connection) -> int:
    greatest = [_greatest(c, table) for table in ("streams", "judgements")]
    return max(*sequences_of(c).values(), *greatest)


def _greatest(c: Connection, table: str) -> int:
    found: Any = c.execute(f"SELECT max(id) FROM {table}").fetchone()[0]  # noqa: S608 - our own names
    return int(found or 0)


def _shard_of_topic(topic: str, count: int) -> int:
    try:
        return shard_of(parse(topic).wearer, count)
    except WireError:
        return 0
