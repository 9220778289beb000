"""A wearer's local days on the UTC scale: 23 to 25 hours, by the time zone. Pure functions."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import groupby
from typing import Final
from zoneinfo import ZoneInfo

from ingest.reading import Day

_DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class Stretch:
    """Days of equal length, one after another: a store sums them with one question.

    Attributes:
        first: the first local day.
        from_s: UTC s of its beginning.
        days: how many.
        length_s: of each, s.
    """

    first: date
    from_s: int
    days: int
    length_s: int

    @property
    def to_s(self) -> int:
        """UTC s of the last day's end."""
        return self.from_s + self.days * self.length_s

    def day(self, index: int) -> date:
        """Return the day with this number."""
        return self.first + timedelta(days=index)


def local_days(first: date, last: date, timezone: str) -> Iterator[tuple[date, int, int]]:
    """Yield the local days from `first` to `last` with their beginning and end, UTC s."""
    zone = ZoneInfo(timezone)
    days = [first + timedelta(days=i) for i in range((last - first).days + 2)]
    begins = [int(datetime.combine(day, time(), zone).timestamp()) for day in days]
    yield from zip(days, begins, begins[1:], strict=False)


def stretches(first: date, last: date, timezone: str) -> Iterator[Stretch]:
    """Yield the local days from `first` to `last`; a day on which clocks are changed stands alone."""
    days = list(local_days(first, last, timezone))
    lengths = [to_s - from_s for _, from_s, to_s in days]
    for _, group in groupby(range(len(days)), lambda i: i if lengths[i] != _DAY_S else -1):
        numbers = list(group)
        day, from_s, _ = days[numbers[0]]
        yield Stretch(day, from_s, len(numbers), lengths[numbers[0]])


def days_of(sums: Iterable[tuple[date, str, float]]) -> list[Day]:
    """Make days of the seconds by day and kind, "seen" among the kinds."""
    found: dict[date, dict[str, float]] = {}
    for day, kind, seconds in sums:
        kinds = found.setdefault(day, {})
        kinds[kind] = kinds.get(kind, 0.0) + seconds
    return [Day(day, kinds.pop("seen", 0.0), kinds) for day, kinds in sorted(found.items())]
