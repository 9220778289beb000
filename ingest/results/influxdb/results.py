"""InfluxDB as a `ResultStore`: lines into the outbox, answers from the server."""

from bisect import bisect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import pairwise
from operator import attrgetter
from pathlib import Path
from typing import Final

import numpy as np

from analytics.exposure.counts import QuarterExposure
from ingest.database.sqlite import Connection, reading
from ingest.reading import Day, Series
from ingest.results.coarse import coarser, joined, kept_for, step_for, whole_steps
from ingest.results.influxdb import columns, lines, outbox
from ingest.results.influxdb.downsampling import HOUR_S, mark, stale_hours
from ingest.results.influxdb.layout import TABLES
from ingest.results.influxdb.server import InfluxServer
from ingest.results.localdays import Stretch, days_of, stretches
from ingest.results.quarters import from_text
from ingest.results.store import EPISODE, series_of
from poise.results import QUARTER_S, Episode, Results
from poise.seconds import blocks_of
from poise.topics import Wearer

_DAY_US: Final = 86_400_000_000
_EVER_US: Final = 9_000_000_000_000_000
_LONG_US: Final = 60 * _DAY_US
_MOST_PARTS: Final = 4
"""Of a year: 2.7 worked 86 ms for it in four parts, 101 in eight, 137 in twelve."""
_STRETCHES_AT_ONCE: Final = 8
"""A question of these has about 3 kB; some of what stands before servers takes no address of 8 kB."""
Span = tuple[int, int]


class InfluxResults:
    """A `ResultStore`: writes lines into the outbox, reads from the server.

    Args:
        server: InfluxDB.
        path: `poise.db`, which knows the hours whose minutes are not made yet.
        most_bytes: cap of the outbox; when it is full nothing is confirmed until there is room.
    """

    def __init__(self, server: InfluxServer, path: Path, most_bytes: int = outbox.DEFAULT_MOST_BYTES) -> None:
        self._server, self._path, self._most_bytes = server, path, most_bytes

    def write(self, connection: Connection, wearer: Wearer, origin: str, results: Results) -> None:
        """Put the results into the outbox, in the caller's transaction."""
        for block in blocks_of(results.seconds):
            packed = columns.pack(wearer, origin, block)
            row = outbox.put_row(connection, packed, len(block.t_s), self._most_bytes)
            mark(connection, wearer, np.unique(block.t_s // HOUR_S * HOUR_S).tolist(), row)
        if body := lines.conclusions(wearer, origin, results):
            outbox.put(connection, body, self._most_bytes)

    def series(
        self, wearer: Wearer, streams: Sequence[str], from_s: int, to_s: int, points: int = 0
    ) -> Mapping[str, Series]:
        """See `ResultStore`; hours whose minutes are not made yet are made of their seconds here."""
        step_s = step_for(from_s, to_s, points)
        kept_s, within = kept_for(step_s), whole_steps(from_s, to_s, step_s)
        fine = self._stale(wearer, *within) if kept_s > 1 else [within]
        parts: dict[str, list[Series]] = {lines.kept_name(stream): [] for stream in streams}
        for name, part in self._ask(wearer, list(parts), 1, fine):
            parts[name].append(coarser(part, kept_s))
        for name, part in self._ask(wearer, list(parts), kept_s, _between(fine, *within)):
            parts[name].append(part)
        return {stream: coarser(joined(parts[lines.kept_name(stream)], kept_s), step_s) for stream in streams}

    def episodes(self, wearer: Wearer, from_us: int, to_us: int) -> Sequence[Episode]:
        """See `ResultStore`; an episode is found if it began at most a day before `from_us`."""
        # What begins in the time has not ended before it: asking for their end, too, costs a server a tenth.
        before = f'{during(from_us - _DAY_US, from_us)} AND "until_us" >= {from_us}'
        questions = [
            f'SELECT "episode" FROM "posture_episode" WHERE {of(wearer)} AND {when}'  # noqa: S608 - quoted
            for when in (before, *(during(*part) for part in _parts(from_us, to_us)))
        ]
        # The first two are one question: seldom is there anything from before.
        found = self._server.ask(["; ".join(questions[:2]), *questions[2:]])
        episodes = [EPISODE.decode(row[1]) for _, rows in found for row in rows]
        return sorted(episodes, key=lambda episode: (episode.start_us, episode.id))

    def days(self, wearer: Wearer, first: date, last: date, timezone: str) -> Sequence[Day]:
        """See `ResultStore`; the server sums."""
        spans = list(stretches(first, last, timezone))
        return days_of(
            (_day(spans, row[0] // 1_000_000), tags["kind"], row[1])
            for at_once in range(0, len(spans), _STRETCHES_AT_ONCE)
            for tags, rows in self._server.query(
                "; ".join(_sums(wearer, stretch) for stretch in spans[at_once : at_once + _STRETCHES_AT_ONCE])
            )
            for row in rows
        )

    def quarters(self, wearer: Wearer, from_s: int, to_s: int) -> Sequence[QuarterExposure]:
        """See `ResultStore`."""
        # A point's time lies somewhere in its quarter, by its run.
        first_s, end_s = (-(-t_s // QUARTER_S) * QUARTER_S for t_s in (from_s, to_s))
        sql = (
            f'SELECT "counts" FROM "posture_quarter" WHERE {of(wearer)} '  # noqa: S608 - quoted
            f"AND {during(first_s * 1_000_000, end_s * 1_000_000)}"
        )
        found = [from_text(row[1]) for _, rows in self._server.query(sql) for row in rows]
        return sorted(found, key=lambda quarter: (quarter.quarter_s, quarter.run_us))

    def _stale(self, wearer: Wearer, from_s: int, to_s: int) -> list[Span]:
        with reading(self._path) as connection:
            hours = stale_hours(connection, wearer, from_s, to_s)
        spans: list[Span] = []
        for hour in hours:
            begin = spans.pop()[0] if spans and spans[-1][1] == hour else max(hour, from_s)
            spans.append((begin, min(hour + HOUR_S, to_s)))
        return spans

    def _ask(
        self, wearer: Wearer, names: Sequence[str], step_s: int, spans: Iterable[Span]
    ) -> Iterable[tuple[str, Series]]:
        table = TABLES[step_s]
        one_of = " OR ".join(f'"stream" = {lines.literal(name)}' for name in names)
        for from_s, to_s in spans if names else ():
            sql = (
                f'SELECT "mean", "low", "high", "coverage" FROM "{table.measurement}" WHERE {of(wearer)} '  # noqa: S608
                f'AND ({one_of}) AND {during(from_s * 1_000_000, to_s * 1_000_000)} GROUP BY "stream"'
            )
            for tags, rows in self._server.query(sql, table.suffix):
                series = series_of(rows, step_s)
                yield tags["stream"], Series(series.t_s // 1_000_000, *series.columns[1:], step_s)


def _between(spans: Sequence[Span], from_s: int, to_s: int) -> list[Span]:
    """Return what the spans leave of the time."""
    edges = [from_s, *(edge for span in spans for edge in span), to_s]
    return [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if a < b]


def _parts(from_us: int, to_us: int) -> Iterator[Span]:
    """Yield the time in parts, of which the server finds one while another is read here."""
    count = min(_MOST_PARTS, 1 + max(0, to_us - from_us) // _LONG_US)
    edges = [from_us + (to_us - from_us) * i // count for i in range(count + 1)]
    yield from pairwise(edges)


def _day(spans: Sequence[Stretch], t_s: int) -> date:
    """Return the day that a sum is of: its time is the day's beginning."""
    stretch = spans[bisect(spans, t_s, key=attrgetter("from_s")) - 1]
    return stretch.day((t_s - stretch.from_s) // stretch.length_s)


def _sums(wearer: Wearer, stretch: Stretch) -> str:
    # A day that is not 24 h long stands alone: the server sums all that is in its time.
    every = f"time({stretch.length_s}s, {stretch.from_s % stretch.length_s}s), " if stretch.days > 1 else ""
    when = during(stretch.from_s * 1_000_000, stretch.to_s * 1_000_000)
    return (
        f'SELECT sum("seconds") FROM "posture_exposure" WHERE {of(wearer)} AND {when} '  # noqa: S608 - quoted
        f'GROUP BY {every}"kind" fill(none)'
    )


def during(from_us: int, to_us: int) -> str:
    """Limit the time; the server's ends in the year 2262."""
    start, stop = (min(max(t_us, -_EVER_US), _EVER_US) for t_us in (from_us, to_us))
    return f"time >= {start}u AND time < {stop}u"


def of(wearer: Wearer) -> str:
    """Limit the wearer."""
    return f'"site" = {lines.literal(wearer.site)} AND "patient" = {lines.literal(wearer.patient)}'
