"""What a change at the place of work came to: exposure in the two weeks before it and after it.

It is a comparison of two times of one person and no proof: whatever else changed in between is in it too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from analytics.care.local import day_of
from ingest.reading import Day, Reader
from poise.care.treatments import Ergonomics, Item
from poise.topics import Wearer

DAYS: Final = 14
"""Local days on each side; the day of the change itself belongs to neither. Project decision."""
LEAST_SEEN_S: Final = 8 * 3600.0
"""Less than a day's work in which posture could be judged is too little to compare. Project decision."""


@dataclass(frozen=True)
class Side:
    """Exposure of one side of a change.

    Attributes:
        first: first local day.
        last: last local day.
        seen_h: hours in which posture could be judged.
        minutes_an_hour: minutes in episodes in an hour of those, by kind; None where too little was seen.
    """

    first: date
    last: date
    seen_h: float
    minutes_an_hour: dict[str, float] | None


@dataclass(frozen=True)
class Effect:
    """A change at the place of work, with the exposure before and after it."""

    at: datetime
    place: str
    changed: tuple[Item, ...]
    before: Side
    after: Side


def effects(
    reader: Reader, wearer: Wearer, changes: Sequence[Ergonomics], zone: ZoneInfo, today: date
) -> list[Effect]:
    """Return the effect of each change, in order; of days that are still to come nothing is known."""
    return [
        Effect(
            one.at,
            one.place,
            one.changed,
            _side(reader, wearer, day - timedelta(days=DAYS), day - timedelta(days=1)),
            _side(reader, wearer, day + timedelta(days=1), min(day + timedelta(days=DAYS), today)),
        )
        for one in changes
        if one.changed
        for day in [day_of(one.at, zone)]
    ]


def _side(reader: Reader, wearer: Wearer, first: date, last: date) -> Side:
    days = reader.days(wearer, first, last) if first <= last else []
    seen_s = sum(day.seen_s for day in days)
    return Side(first, last, seen_s / 3600, _rates(days, seen_s) if seen_s >= LEAST_SEEN_S else None)


def _rates(days: Sequence[Day], seen_s: float) -> dict[str, float]:
    kinds = sorted({kind for day in days for kind in day.seconds})
    return {kind: sum(day.seconds.get(kind, 0.0) for day in days) / seen_s * 60 for kind in kinds}
