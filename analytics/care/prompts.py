"""Prompts: what a patient is asked or reminded of, when it is due, and when it is delivered.

A prompt that is due in quiet hours waits until they end and keeps its label: a check-in for two hours that is
delivered the next morning is still the check-in for two hours.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from analytics.care.local import day_of, moment, next_moment
from analytics.care.phases import phase_at, plan_at, timeline
from analytics.care.settings import quiet_hours
from poise.care.first_days import Which
from poise.care.injections import Injection
from poise.care.plans import Plan, QuietHours, Reminder

WEEKLY_AT: Final = time(18)
WEEKLY_LABEL: Final = "weekly ratings"
"""Pain and function once a week, as text messages ask for it in cohorts (BMC MSD 21:678); the hour is a
project decision, the weekday that of the newest injection."""
HOURS: Final = {Which.HOURS_2: 2, Which.HOURS_24: 24, Which.HOURS_48: 48, Which.HOURS_72: 72}
"""Elapsed, after the injection."""
DAY_7: Final = 7
"""Local days after; at the local time of the injection."""


class About(StrEnum):
    """What a prompt is about."""

    CHECK_IN = "check_in"
    RATINGS = "ratings"
    REMINDER = "reminder"


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt.

    Attributes:
        about: what kind.
        label: which one; never changed by waiting.
        due: when it would be delivered without quiet hours.
        deliver: when it is delivered.
        injection: of a check-in.
    """

    about: About
    label: str
    due: datetime
    deliver: datetime
    injection: UUID | None = None


def delivered(due: datetime, quiet: Sequence[QuietHours], zone: ZoneInfo) -> datetime:
    """Return `due`, or the end of the quiet hours in which it lies; also of those that follow at once."""
    at = due
    for _ in range(len(quiet) + 1):
        ends = [next_moment(at, q.end, zone) for q in quiet if _within(at.astimezone(zone).time(), q)]
        if not ends:
            return at
        at = min(ends)
    return due  # quiet hours leave no time of the day: better asked than never


def _within(wall: time, quiet: QuietHours) -> bool:
    if quiet.begin < quiet.end:
        return quiet.begin <= wall < quiet.end
    return wall >= quiet.begin or wall < quiet.end


def check_in_due(injection: Injection, which: Which, zone: ZoneInfo) -> datetime:
    """Return when a check-in is due: hours elapsed, or on local day 7 at the local time of the injection."""
    if which in HOURS:
        return injection.at + timedelta(hours=HOURS[which])
    begun = injection.at.astimezone(zone)
    return moment(begun.date() + timedelta(days=DAY_7), begun.time(), zone)


def prompts(
    begin: datetime,
    end: datetime,
    injections: Mapping[UUID, Injection],
    plans: Sequence[Plan],
    zone: ZoneInfo,
) -> tuple[Prompt, ...]:
    """Return every prompt due from `begin` until before `end`, in the order of delivery.

    One due at a moment before the first injection is none. Two with the same label and time are one.
    """
    found = {
        prompt
        for prompt in (
            *_check_ins(injections, plans, zone),
            *_recurring(begin, end, list(injections.values()), plans, zone),
        )
        if begin <= prompt.due < end
    }
    return tuple(sorted(found, key=lambda p: (p.deliver, p.due, p.label, str(p.injection))))


def _check_ins(
    injections: Mapping[UUID, Injection], plans: Sequence[Plan], zone: ZoneInfo
) -> Iterable[Prompt]:
    for key, injection in injections.items():
        for which in Which:
            due = check_in_due(injection, which, zone)
            yield Prompt(About.CHECK_IN, which.value, due, _wait(due, plans, zone), key)


def _recurring(
    begin: datetime, end: datetime, injections: list[Injection], plans: Sequence[Plan], zone: ZoneInfo
) -> Iterable[Prompt]:
    """Yield the reminders of the phases and the weekly ratings, day by day."""
    ahead = [c.now for c in timeline(begin, injections, plans, zone) if c.now is not None and c.at < end]
    reminders = {reminder for held in ahead for reminder in held.settings.reminders}
    hours = {WEEKLY_AT} | {plan.weekly.at for plan in plans if plan.weekly is not None}
    for i in range((day_of(end, zone) - day_of(begin, zone)).days + 1):
        day = day_of(begin, zone) + timedelta(days=i)
        for at in hours | {reminder.at for reminder in reminders}:
            due = moment(day, at, zone)
            for about, reminder in _of(due, injections, plans, zone):
                if reminder.at == at and _on(day, reminder):
                    yield Prompt(about, reminder.label, due, _wait(due, plans, zone))


def _of(
    due: datetime, injections: list[Injection], plans: Sequence[Plan], zone: ZoneInfo
) -> Iterable[tuple[About, Reminder]]:
    """Yield the reminders that hold at a moment; ratings not on the day of the injection itself."""
    plan = plan_at(due, plans)
    held = phase_at(due, injections, plan, zone)
    if held is not None:
        yield from ((About.REMINDER, reminder) for reminder in held.settings.reminders)
        if held.day > 0:
            yield About.RATINGS, weekly(held.injection, plan, zone)


def _on(day: date, reminder: Reminder) -> bool:
    return not reminder.weekdays or day.weekday() in reminder.weekdays


def weekly(injection: Injection, plan: Plan | None, zone: ZoneInfo) -> Reminder:
    """Return when the weekly ratings are asked for."""
    if plan is not None and plan.weekly is not None:
        return plan.weekly
    return Reminder(label=WEEKLY_LABEL, at=WEEKLY_AT, weekdays=(day_of(injection.at, zone).weekday(),))


def _wait(due: datetime, plans: Sequence[Plan], zone: ZoneInfo) -> datetime:
    return delivered(due, quiet_hours(plan_at(due, plans)), zone)
