"""The moments of an appointment that comes again: the same weekday and local time, whatever the clocks do."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

from analytics.care.local import moment
from poise.care.visits import Appointment


def occurrences(appointment: Appointment, begin: datetime, end: datetime) -> tuple[datetime, ...]:
    """Return when an appointment takes place from `begin` until before `end`, in UTC.

    Days that were left out count among `count`: a row of six with one left out has five.

    Raises:
        zoneinfo.ZoneInfoNotFoundError: if its time zone is none.
    """
    zone = ZoneInfo(appointment.zone)
    last = end.astimezone(zone).date()
    days = (day for day in _days(appointment, last) if day not in appointment.left_out)
    found = (moment(day, appointment.at, zone) for day in days)
    return tuple(at for at in found if begin <= at < end)


def _days(appointment: Appointment, last: date) -> Iterator[date]:
    """Yield the days of the row up to and with `last`, those left out too."""
    repeat = appointment.repeat
    if repeat is None:
        yield appointment.day
        return
    count = repeat.count or (last - appointment.day).days // 7 + 1
    days = (appointment.day + timedelta(weeks=repeat.every_weeks * i) for i in range(max(count, 0)))
    yield from takewhile(lambda day: day <= min(last, repeat.until or last), days)
