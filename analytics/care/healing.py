"""What a row of answers shows: normal healing is called so, and what is not raises signs.

Normal, after the document: some soreness with its peak at 24 to 48 hours that is gone within a few days, some
redness, swelling and bruising, a little bleeding that pressure stops. What is a project decision is said
where it stands. A sign is what was answered, or a difference of answers; nothing is diagnosed.

An answer counts for the hour of its check-in while that is open, however late within it, and for the time at
which it was given otherwise; so one for 48 hours that quiet hours delayed is not one from "after 48 hours".
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from analytics.care.checkins import OPEN_H
from analytics.care.local import days_since
from analytics.care.prompts import DAY_7, HOURS, check_in_due
from poise.care.first_days import Bleeding, CheckIn, Extent, Which
from poise.care.flags import Sign
from poise.care.injections import Injection

PEAK_H: Final = 48
"""Until then soreness may rise: the document's 24 to 48 hours."""
RISE: Final = 1
"""Soreness this much above every answer before, one from 48 hours on among them, is still rising."""
RISE_AGAIN: Final = 2
"""Soreness that has fallen and comes back by this is rising too; 1 is common from one answer to the next.
Both are project decisions, on the careful side: all that follows is a look at it."""
GROWN: Final = 2
"""Points by which pain must have grown: 1.5 is the least that matters to patients with neck pain (Kovacs
2008, doi:10.1186/1471-2474-9-43), on a scale of whole numbers 2."""
MATTERS: Final = 4
"""Pain that has not eased by day 7 is a question for the clinician from here on; below it is mild. Project
decision."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A check-in and the hours after the injection for which it counts."""

    given: CheckIn
    hours: float
    week: bool
    """Whether it counts for day 7 or later."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What the newest answer shows, in the light of those before.

    Attributes:
        signs: what raises a flag, in the order of `Sign`.
        normal: keys of `poise.care.red_flags.NORMAL_TEXTS` to be read to the patient.
    """

    signs: tuple[Sign, ...]
    normal: tuple[str, ...]


def counted(key: UUID, injection: Injection, check_ins: Iterable[CheckIn], zone: ZoneInfo) -> list[Answer]:
    """Return the answers about an injection in the order in which they were given."""
    about = [one for one in check_ins if one.injection == key and one.at >= injection.at]
    return [_counted(one, injection, zone) for one in sorted(about, key=lambda one: one.at)]


def _counted(one: CheckIn, injection: Injection, zone: ZoneInfo) -> Answer:
    elapsed = (one.at - injection.at) / timedelta(hours=1)
    week = days_since(injection.at, one.at, zone) >= DAY_7
    if one.which is None:
        return Answer(one, elapsed, week)
    if one.which is Which.DAY_7:
        return Answer(one, elapsed, week=True)
    due = check_in_due(injection, one.which, zone)
    in_time = one.at < due + timedelta(hours=OPEN_H[one.which])
    return Answer(one, HOURS[one.which] if in_time else elapsed, week)


def judged(answers: Sequence[Answer], injection: Injection, *, blood_thinner: bool) -> Judged:
    """Judge the last of the answers.

    Args:
        answers: as `counted`, the last being the one to judge.
        injection: for the pain before it.
        blood_thinner: whether the patient takes one.
    """
    if not answers:
        return Judged((), ())
    *before, last = answers
    found = {*answered(last.given, blood_thinner=blood_thinner), *_came(before, last)}
    found |= {*_soreness(before, last), *_pain(before, last, injection)}
    return Judged(tuple(sign for sign in Sign if sign in found), _normal(last, found))


def answered(given: CheckIn, *, blood_thinner: bool) -> Iterable[Sign]:
    """Yield the signs that an answer holds by itself, whenever it was given.

    Bleeding that pressure does not stop is one; on a blood thinner so is bleeding that begins again.
    """
    yield from given.signs
    if given.redness is Extent.INCREASING:
        yield Sign.REDNESS_INCREASING
    if given.swelling is Extent.INCREASING:
        yield Sign.SWELLING_INCREASING
    soon = (Bleeding.NOT_STOPPING, Bleeding.RETURNING) if blood_thinner else (Bleeding.NOT_STOPPING,)
    if given.bleeding in soon:
        yield Sign.BLEEDING


def _came(before: Sequence[Answer], last: Answer) -> Iterable[Sign]:
    """Yield redness and swelling that came late.

    Some is normal. What was answered to be none after a day and is there after 48 hours has increased, even
    if the patient says "some": the normal kind comes with the injection and goes. A project decision.
    """
    if last.hours <= PEAK_H:
        return
    for name, sign in (("redness", Sign.REDNESS_INCREASING), ("swelling", Sign.SWELLING_INCREASING)):
        known = [(a.hours, getattr(a.given, name)) for a in before if getattr(a.given, name) is not None]
        gone = bool(known) and known[-1][1] is Extent.NONE and known[-1][0] >= HOURS[Which.HOURS_24]
        if gone and getattr(last.given, name) is Extent.SOME:
            yield sign


def _soreness(before: Sequence[Answer], last: Answer) -> Iterable[Sign]:
    """Yield soreness that rises after 48 hours or is there on day 7.

    Whether it rises is not told without an answer from 48 hours on: the peak may have gone unanswered.
    """
    now = last.given.soreness
    if not now:
        return
    if last.week:
        yield Sign.SORENESS_LASTING
    earlier = [(a.hours, a.given.soreness) for a in before if a.given.soreness is not None]
    if last.hours <= PEAK_H or not earlier or earlier[-1][0] < PEAK_H:
        return
    if now >= max(score for _, score in earlier) + RISE or now >= earlier[-1][1] + RISE_AGAIN:
        yield Sign.SORENESS_RISING


def _pain(before: Sequence[Answer], last: Answer, injection: Injection) -> Iterable[Sign]:
    """Yield the pain that the injection was for, where it grows or has not eased.

    Not within 48 hours: what was injected wears off after hours, and relief usually begins within one to
    three days (clinic pages, such as steinermd.com). Where the pain before is not known, growth is told from
    the first answer after a day, and whether it has eased is not judged.
    """
    now = last.given.pain
    if now is None or last.hours <= PEAK_H:
        return
    settled = [a.given.pain for a in before if a.given.pain is not None and a.hours >= HOURS[Which.HOURS_24]]
    reference = injection.pain_before if injection.pain_before is not None else next(iter(settled), None)
    if reference is not None and now >= reference + GROWN:
        yield Sign.PAIN_GROWING
    eased = injection.pain_before is None or now <= injection.pain_before - GROWN
    if last.week and not eased and now >= MATTERS:
        yield Sign.PAIN_PERSISTING


def _normal(last: Answer, found: set[Sign]) -> tuple[str, ...]:
    """Return what of the answer is normal healing, so that it is called so."""
    given = last.given
    named = {
        "soreness": bool(given.soreness) and not found & {Sign.SORENESS_RISING, Sign.SORENESS_LASTING},
        "redness": given.redness is Extent.SOME and Sign.REDNESS_INCREASING not in found,
        "swelling": given.swelling is Extent.SOME and Sign.SWELLING_INCREASING not in found,
        "bruising": given.bruising is Extent.SOME,
        "bleeding": given.bleeding in (Bleeding.STOPPED, Bleeding.RETURNING) and Sign.BLEEDING not in found,
        "stiffness": bool(given.stiffness),
    }
    return tuple(name for name, is_normal in named.items() if is_normal)
