"""What the pages read of one wearer, gathered from the store in one go; called in a thread."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from analytics.posture.rules import MEASURES
from dashboards import words
from dashboards.figure import Angles
from dashboards.live import TRACE_S
from ingest.reading import Day, Person, Reader, Series
from poise.notices import Presence, SensorStatus
from poise.results import Episode, Kind
from poise.samples import Gap
from poise.skeleton import SCAPULAE, SPINE, THORAX_REFERENCES
from poise.topics import Wearer

DRAWN: Final = tuple(str(segment) for segment in (*SPINE, *SCAPULAE))
"""Streams that the figure is drawn from."""
HISTORY_DAYS: Final = 56
BEFORE_DAYS: Final = 28
LONGEST_STILL_S: Final = 600
"""A still figure is the mean posture of an episode, of its first ten minutes at most."""
_SEEN_BY: Final = ("c7", "t4", "t12", "head", "lumbar")
_JOIN_S: Final = 2


@dataclass(frozen=True, slots=True)
class Today:
    """The wearer's local day so far.

    Attributes:
        person: who.
        zone: the wearer's time zone.
        now_us: UTC µs at which this was read.
        day: the wearer's local date.
        exposure: the day's sums, None without data.
        episodes: that overlap the day, newest first.
        sensors: newest status of each.
        presence: newest of the gateway.
        gaps: reported missing today.
    """

    person: Person
    zone: ZoneInfo
    now_us: int
    day: date
    exposure: Day | None
    episodes: tuple[Episode, ...]
    sensors: tuple[SensorStatus, ...]
    presence: Presence | None
    gaps: tuple[Gap, ...]

    @property
    def open_since(self) -> dict[Kind, int]:
        """Start of each episode that is still going on, by kind."""
        return {e.kind: e.start_us for e in self.episodes if e.end_us is None}


def read_today(reader: Reader, wearer: Wearer, now_us: int) -> Today | None:
    """Return the wearer's day so far, None if nobody is known by that name.

    Raises:
        StoreError: if the store cannot be read.
    """
    person = reader.person(wearer)
    if person is None:
        return None
    zone = words.zone_of(person)
    day = words.local_day(now_us, zone)
    first_us, last_us = words.day_bounds_us(day, zone)
    return Today(
        person,
        zone,
        now_us,
        day,
        next(iter(reader.days(wearer, day, day)), None),
        tuple(reversed(reader.episodes(wearer, first_us, last_us))),
        tuple(reader.sensors(wearer)),
        reader.presence(wearer),
        tuple(reader.gaps(wearer, first_us, last_us)),
    )


def read_seen(reader: Reader, today: Today) -> list[tuple[int, int]]:
    """Return the stretches (UTC µs) of the wearer's day in which any part of the spine was seen.

    Raises:
        StoreError: if the store cannot be read.
    """
    first_us, last_us = words.day_bounds_us(today.day, today.zone)
    found = reader.series(today.person.wearer, _SEEN_BY, first_us // 1_000_000, last_us // 1_000_000)
    times = [series.t_s[series.coverage > 0] for series in found.values()]
    t_s = np.unique(np.concatenate(times)) if times else np.empty(0, np.int64)
    if len(t_s) == 0:
        return []
    cuts = np.flatnonzero(np.diff(t_s) > _JOIN_S)
    starts, ends = t_s[np.r_[0, cuts + 1]], t_s[np.r_[cuts, len(t_s) - 1]] + 1
    return [(int(a) * 1_000_000, int(b) * 1_000_000) for a, b in zip(starts, ends, strict=True)]


def read_history(reader: Reader, today: Today) -> Sequence[Day]:
    """Return the days around the newest injection, eight weeks at most, up to today.

    Raises:
        StoreError: if the store cannot be read.
    """
    first = today.day - timedelta(days=HISTORY_DAYS - 1)
    injection = newest_injection(today.person, today.day)
    if injection is not None:
        first = max(first, injection - timedelta(days=BEFORE_DAYS))
    return reader.days(today.person.wearer, first, today.day)


def read_still(reader: Reader, wearer: Wearer, episode: Episode) -> Angles:
    """Return the mean inclinations during an episode, rad by segment; empty if none is stored.

    Raises:
        StoreError: if the store cannot be read.
    """
    first = episode.start_us // 1_000_000
    last = (episode.last_us if episode.end_us is None else episode.end_us) // 1_000_000
    found = reader.series(wearer, DRAWN, first, min(last, first + LONGEST_STILL_S) + 1)
    return {name: float(series.mean.mean()) for name, series in found.items() if len(series.mean)}


def read_recent(reader: Reader, wearer: Wearer, now_us: int) -> Mapping[str, Series]:
    """Return the last two minutes of the live curves, by the names that `LivePosture.traces` knows.

    Raises:
        StoreError: if the store cannot be read.
    """
    now_s = now_us // 1_000_000
    found = dict(reader.series(wearer, (*MEASURES, *THORAX_REFERENCES), now_s - TRACE_S, now_s + 1))
    thorax = [found.pop(name) for name in THORAX_REFERENCES if name in found]
    return {**found, "thorax": next((s for s in thorax if len(s.t_s)), thorax[0])} if thorax else found


def newest_injection(person: Person, day: date) -> date | None:
    """Return the newest injection up to `day`."""
    return max((d for d in person.injections if d <= day), default=None)


def span_s(seen: Sequence[tuple[int, int]]) -> float:
    """Return the seconds from the first to the last moment seen: what coverage is a share of."""
    return (seen[-1][1] - seen[0][0]) / 1e6 if seen else 0.0


@dataclass(frozen=True, slots=True)
class Half:
    """Days before or after the injection.

    Attributes:
        days: those that count, with enough seen.
        forward_s: mean seconds forward of upright a day.
        seen_s: mean seconds seen a day.
    """

    days: int
    forward_s: float
    seen_s: float


ENOUGH_S: Final = 4 * 3600.0
"""A day with less than this seen is hatched, and is left out of the means."""


def halves(days: Sequence[Day], injection: date | None, today: date) -> Mapping[str, Half]:
    """Return the means "before" and "after"; neither today nor the day of the injection is counted."""
    whole = [d for d in days if d.seen_s >= ENOUGH_S and d.day != today and injection is not None]
    return {
        "before": _half([d for d in whole if injection and d.day < injection]),
        "after": _half([d for d in whole if injection and d.day > injection]),
    }


def _half(days: Sequence[Day]) -> Half:
    n = max(len(days), 1)
    return Half(len(days), sum(map(words.forward_s, days)) / n, sum(d.seen_s for d in days) / n)
