"""The phases after an injection: which holds now, and all changes ahead.

Protected, easing, restoring, strengthening, maintaining. That strenuous effort is limited for 24 to 48 hours
and for a few days after, with gentle range-of-motion movements from the start, is the document's; the five
phases and their limits are this project's decision. Hours are elapsed time, days are the patient's local
days: the day of the injection is day 0, "to day 7" includes day 7 and ends with its last moment, whatever
daylight saving makes of it.

Of injections that overlap, the most protective phase holds.

**A planned series is one course.** Its sessions begin protected and easing anew, each for itself, since these
follow the puncture. The later phases follow what the patient has regained, which a session interrupts and
does not undo: restoring and strengthening count the local days of the course that lie outside of every
session's protected and easing time. So a course goes once through 14 days of restoring and 21 of
strengthening, however many sessions lie between, and it is never further on than a single injection on the
day of its first session would be. A session that comes later than day 21 of the one before, when a single
injection's restoring is over, counts as the first again and is followed by all of it. All of this is a
project decision.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

from analytics.care.local import day_begins, day_of, days_since
from analytics.care.settings import PhaseSettings, settings_for
from poise.care.injections import Injection
from poise.care.plans import Phase, Plan

PROTECTED_H: Final = 48
"""Hours, elapsed: the upper end of the document's 24 to 48."""
EASING_DAY: Final = 7
"""Last local day; soreness that is still there then asks for a look. Project decision, as the next two."""
RESTORING_DAY: Final = 21
STRENGTHENING_DAY: Final = 42
ORDER: Final = tuple(Phase)
"""The most protective first."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Until when each phase lasts: hours elapsed, then the last local day of each."""

    protected_h: int = PROTECTED_H
    easing_day: int = EASING_DAY
    restoring_day: int = RESTORING_DAY
    strengthening_day: int = STRENGTHENING_DAY


@dataclass(frozen=True, slots=True)
class PhaseAt:
    """What holds at a moment.

    Attributes:
        phase: the most protective of all injections.
        injection: the one that it follows; of several the newest.
        day: local days since that one.
        settings: thresholds, cues, effort, exercises, goals, reminders.
    """

    phase: Phase
    injection: Injection
    day: int
    settings: PhaseSettings


@dataclass(frozen=True, slots=True)
class Change:
    """From `at` on `now` holds; None before any injection."""

    at: datetime
    now: PhaseAt | None


def bounds(plan: Plan | None) -> Bounds:
    """Return the limits of a plan, defaults where it names none; none ends before the one before it."""
    given = plan.limits.model_dump(exclude_none=True) if plan else {}
    wanted = Bounds(**given)
    easing = max(wanted.easing_day, wanted.protected_h // 24)
    restoring = max(wanted.restoring_day, easing)
    return Bounds(wanted.protected_h, easing, restoring, max(wanted.strengthening_day, restoring))


def plan_at(now: datetime, plans: Iterable[Plan]) -> Plan | None:
    """Return the plan in force: of those that have begun the one that did last, of two the later given."""
    begun = [plan for plan in plans if plan.begins <= now]
    return max(reversed(begun), key=lambda plan: plan.begins, default=None)


def phase_at(
    now: datetime, injections: Iterable[Injection], plan: Plan | None, zone: ZoneInfo
) -> PhaseAt | None:
    """Return the phase that holds, None before the first injection.

    Args:
        now: an aware time.
        injections: all of the patient's; those after `now` are passed over.
        plan: the plan in force (`plan_at`).
        zone: the patient's.
    """
    limits = bounds(plan)
    found = [
        (ORDER.index(_phase(now, row, limits, zone)), row)
        for row in _courses([i for i in injections if i.at <= now], limits, zone)
    ]
    if not found:
        return None
    rank, row = min(found, key=lambda one: (one[0], -one[1][-1].at.timestamp()))
    fading_from = day_of(row[0].at, zone) + timedelta(days=limits.easing_day + 1)
    settings = settings_for(ORDER[rank], plan, fading_from)
    return PhaseAt(ORDER[rank], row[-1], days_since(row[-1].at, now, zone), settings)


def timeline(
    now: datetime, injections: Sequence[Injection], plans: Sequence[Plan], zone: ZoneInfo
) -> tuple[Change, ...]:
    """Return what holds now and every change ahead, so that a gateway can be told in advance.

    A gateway that has it needs no connection to go on to the next phase at its time.
    """
    changes: list[Change] = []
    for at in (now, *_moments(now, injections, plans, zone)):
        held = phase_at(at, injections, plan_at(at, plans), zone)
        if not changes or _what(changes[-1].now) != _what(held):
            changes.append(Change(at, held))
    return tuple(changes)


def _what(held: PhaseAt | None) -> PhaseSettings | None:
    return held.settings if held else None


def _moments(
    now: datetime, injections: Sequence[Injection], plans: Sequence[Plan], zone: ZoneInfo
) -> list[datetime]:
    """Return, in order, every moment after `now` at which something can change."""
    limits = [bounds(None), *(bounds(plan) for plan in plans)]
    ends = {i.at + timedelta(hours=b.protected_h) for i in injections for b in limits}
    found = ends | {i.at for i in injections} | {plan.begins for plan in plans}
    if injections:
        last = max(day_of(i.at, zone) for i in injections)
        first = day_of(now, zone)
        most = (last - first).days + max(b.strengthening_day for b in limits) + 1
        found |= {day_begins(first + timedelta(days=i), zone) for i in range(1, most + 1)}
    return sorted(at for at in found if at > now)


def _courses(injections: Sequence[Injection], limits: Bounds, zone: ZoneInfo) -> list[list[Injection]]:
    """Return the sessions of each course in order of time; a long pause begins it anew."""
    rows: dict[str | int, list[Injection]] = {}
    for number, injection in enumerate(injections):
        rows.setdefault(injection.course or number, []).append(injection)
    found: list[list[Injection]] = []
    for row in rows.values():
        ordered = sorted(row, key=lambda i: i.at)
        found.append([ordered[0]])
        for before, after in pairwise(ordered):
            if days_since(before.at, after.at, zone) > limits.restoring_day:
                found.append([])
            found[-1].append(after)
    return found


def _phase(now: datetime, course: Sequence[Injection], limits: Bounds, zone: ZoneInfo) -> Phase:
    """Return the phase of one course."""
    last = course[-1].at
    if now - last < timedelta(hours=limits.protected_h):
        return Phase.PROTECTED
    if days_since(last, now, zone) <= limits.easing_day:
        return Phase.EASING
    regained = _regained([day_of(i.at, zone) for i in course], day_of(now, zone), limits.easing_day)
    if regained <= limits.restoring_day - limits.easing_day:
        return Phase.RESTORING
    if regained <= limits.strengthening_day - limits.easing_day:
        return Phase.STRENGTHENING
    return Phase.MAINTAINING


def _regained(days: Sequence[date], today: date, easing_day: int) -> int:
    """Return how many days since the first session, today among them, lie outside of all easing time."""
    held = sum(min((after - before).days, easing_day + 1) for before, after in pairwise(days))
    return (today - days[0]).days + 1 - held - min((today - days[-1]).days + 1, easing_day + 1)
