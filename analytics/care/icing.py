"""The icing coach: 15 to 20 minutes, several times a day, a gap between, and when to stop.

Minutes and "several times a day" are the document's. The gap, the number and the days are project decisions:
the skin is to be warm again before the next time.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from analytics.care.local import day_begins, day_of
from poise.care.first_days import IceEnd, Icing
from poise.care.flags import Flag, FlagCode
from poise.care.injections import Injection

LEAST_MIN: Final = 15
MOST_MIN: Final = 20
GAP_MIN: Final = 120
"""From the end of one to the beginning of the next. Project decision."""
A_DAY: Final = 6
"""Per local day at most. Project decision."""
OFFERED_H: Final = 72
"""Hours after the injection for which the coach offers ice. Project decision."""
REST_H: Final = 12
"""After the skin did not bear it, no ice on this local day and for so long at least. Project decision."""
_SKIN: Final = (IceEnd.SKIN_NUMB, IceEnd.SKIN_CHANGED, IceEnd.BURNING)
_NO_ICE: Final = (FlagCode.NERVE, FlagCode.SITE, FlagCode.SKIN_REACTION)
"""Open flags that hold the ice: over skin that feels less, or that somebody must look at first."""
BEFORE: Final = (
    "Put a thin cloth between ice and skin. Stop at once if the skin turns white, mottled or blistered, goes "
    "numb, or if it burns. Do not use ice if cold gives you hives or white fingers."
)


class Ice(StrEnum):
    """What the coach says."""

    READY = "ready"
    GO_ON = "go_on"
    MAY_STOP = "may_stop"
    """15 minutes are over."""
    STOP_NOW = "stop_now"
    """20 minutes are over."""
    WAIT = "wait"
    """The gap is not over."""
    ENOUGH_TODAY = "enough_today"
    NOT_NOW = "not_now"
    """The skin did not bear it."""
    NOT_FOR_YOU = "not_for_you"
    """Cold harms this patient, or a flag must be dealt with first."""
    NOT_OFFERED = "not_offered"
    """No injection in the last days."""


@dataclass(frozen=True, slots=True)
class Coaching:
    """Where the coach stands.

    Attributes:
        says: what.
        until: when that ends; None if nothing is known to end it.
        today: sessions begun on this local day.
    """

    says: Ice
    until: datetime | None
    today: int


def coach(
    now: datetime,
    injections: Iterable[Injection],
    sessions: Iterable[Icing],
    zone: ZoneInfo,
    *,
    cold_sensitive: bool | None = None,
    open_flags: Iterable[Flag] = (),
) -> Coaching:
    """Return what the coach says now.

    Args:
        now: an aware time.
        injections: the patient's.
        sessions: of ice. One that nobody ended counts as ended after 20 minutes, once an hour is over.
        zone: the patient's.
        cold_sensitive: of the newest history.
        open_flags: that nobody has dealt with.
    """
    row = sorted((one for one in sessions if one.at <= now), key=lambda one: one.at)
    today = sum(day_of(one.at, zone) == day_of(now, zone) for one in row)
    harms = bool(cold_sensitive) or any(flag.code in _NO_ICE for flag in open_flags)
    runs = bool(row) and _end(row[-1], now) is None
    if harms:
        return Coaching(Ice.STOP_NOW if runs else Ice.NOT_FOR_YOU, None, today)
    if runs:
        says, until = _running(now, row)
    else:
        says, until = _resting(now, row, zone) or _offered(now, injections, row, today, zone)
    return Coaching(says, until, today)


def _running(now: datetime, row: Sequence[Icing]) -> tuple[Ice, datetime | None]:
    began = row[-1].at
    for says, minutes in ((Ice.GO_ON, LEAST_MIN), (Ice.MAY_STOP, MOST_MIN)):
        if now < began + timedelta(minutes=minutes):
            return says, began + timedelta(minutes=minutes)
    return Ice.STOP_NOW, None


def _end(one: Icing, now: datetime) -> datetime | None:
    """Return when a session ended, None while it runs."""
    if one.ended is not None and one.ended <= now:
        return one.ended
    forgotten = now >= one.at + timedelta(hours=1)
    return one.at + timedelta(minutes=MOST_MIN) if forgotten else None


def _resting(now: datetime, row: Sequence[Icing], zone: ZoneInfo) -> tuple[Ice, datetime | None] | None:
    """Not again on the day on which the skin did not bear it, nor within some hours."""
    ends = [one.ended for one in row if one.why in _SKIN and one.ended is not None and one.ended <= now]
    if not ends:
        return None
    tomorrow = day_begins(day_of(ends[-1], zone) + timedelta(days=1), zone)
    until = max(tomorrow, ends[-1] + timedelta(hours=REST_H))
    return (Ice.NOT_NOW, until) if now < until else None


def _offered(
    now: datetime, injections: Iterable[Injection], row: Sequence[Icing], today: int, zone: ZoneInfo
) -> tuple[Ice, datetime | None]:
    offered = timedelta(hours=OFFERED_H)
    if not any(i.at <= now < i.at + offered for i in injections):
        return Ice.NOT_OFFERED, None
    if today >= A_DAY:
        return Ice.ENOUGH_TODAY, day_begins(day_of(now, zone) + timedelta(days=1), zone)
    ended = _end(row[-1], now) if row else None
    again = ended + timedelta(minutes=GAP_MIN) if ended else now
    return (Ice.WAIT, again) if now < again else (Ice.READY, None)


def by_day(sessions: Iterable[Icing], zone: ZoneInfo) -> dict[date, int]:
    """Return how many sessions began on each local day."""
    return dict(sorted(Counter(day_of(one.at, zone) for one in sessions).items()))


def recheck_asked(sessions: Iterable[Icing], checked: Iterable[datetime], now: datetime) -> tuple[str, ...]:
    """Return the segments that were taken off for ice and put on again without a re-check since.

    Args:
        sessions: of ice; one that runs asks for nothing yet.
        checked: times of re-checks and calibrations.
        now: an aware time.
    """
    last = max((at for at in checked if at <= now), default=None)
    found: dict[str, None] = {}
    for one in sorted(sessions, key=lambda one: one.at):
        ended = _end(one, now) if one.at <= now else None
        if ended is not None and (last is None or last < ended):
            found |= dict.fromkeys(one.sensors_off)
    return tuple(found)
