"""The patient's local days and clock times as moments, also where daylight saving bends them."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


def day_of(at: datetime, zone: ZoneInfo) -> date:
    """Return the local day in which a moment lies."""
    return at.astimezone(zone).date()


def days_since(at: datetime, now: datetime, zone: ZoneInfo) -> int:
    """Return how many local days lie between: 0 on the same day, whatever the hours."""
    return (day_of(now, zone) - day_of(at, zone)).days


def moment(day: date, at: time, zone: ZoneInfo) -> datetime:
    """Return when a local clock shows a time on a day, in UTC.

    A time that the clocks skip is the moment as far after the skip; one that they show twice is the first.
    """
    return datetime.combine(day, at.replace(fold=0), zone).astimezone(UTC)


def day_begins(day: date, zone: ZoneInfo) -> datetime:
    """Return the first moment of a local day, in UTC; where midnight is skipped, when the clocks skip it."""
    return moment(day, time(), zone)


def next_moment(after: datetime, at: time, zone: ZoneInfo) -> datetime:
    """Return the first moment later than `after` at which a local clock shows a time, in UTC.

    A time shown twice on a day is two moments; for one that is skipped see `moment`.
    """
    days = [day_of(after, zone) + timedelta(days=i) for i in range(3)]
    again = [datetime.combine(day, at.replace(fold=1), zone).astimezone(UTC) for day in days]
    shown = [one for one in again if one.astimezone(zone).time().replace(fold=0) == at.replace(fold=0)]
    return min(one for one in (*(moment(day, at, zone) for day in days), *shown) if one > after)
