"""How ratings have changed since before the newest injection: real change told from noise."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

from analytics.care.change import YARDSTICKS, Answer, Change, Measure, change, function_change
from ingest.care.clinic import Clinic
from ingest.record.patients import Patient
from poise.care.entry import Entry
from poise.care.injections import Injection
from poise.care.ratings import Function, Origin, Rating, Target

_MEASURES: Final = {
    Target.TARGET_PAIN: Measure.PAIN,
    Target.SORENESS: Measure.SORENESS,
    Target.HEADACHE: Measure.HEADACHE,
}
E = TypeVar("E", Rating, Function)


@dataclass(frozen=True)
class Changed:
    """A change from the last rating before the newest injection to the newest one after it.

    Attributes:
        since: time of the one before.
        until: time of the one after.
        points: better is positive.
        answer: what can be said of it.
        mdc: points from which on a change is more than noise.
        mcid: points from which on it matters.
        source: where both are from.
    """

    measure: Measure
    since: datetime
    until: datetime
    points: float
    answer: Answer
    mdc: float
    mcid: float
    source: str


def changes(clinic: Clinic, patient: Patient, now_us: int) -> list[Changed]:
    """Return the changes that two ratings each tell of; a measure that was rated once only is left out."""
    with clinic.database.reading() as session:
        course = clinic.reader.course(session, patient, now_us)
        ratings = _of(clinic.reader.every(session, patient, Rating))
        functions = _of(clinic.reader.every(session, patient, Function))
    newest = max(course.injections.values(), key=lambda one: one.at, default=None)
    if newest is None:
        return []
    found = []
    for target in Target:
        rated = [rating for rating in ratings if rating.target is target]
        pair = _pair(_with_the_injection(rated, target, newest), newest.at)
        if pair:
            found.append(_told(change(_measure(pair), pair[0].score, pair[1].score), *pair))
    both = _pair(functions, newest.at)
    told = function_change(*both) if both else None
    return [*found, _told(told, *both)] if both and told else found


def _of(versions: Sequence[tuple[object, E]]) -> list[E]:
    return [entry for _, entry in versions]


def _with_the_injection(ratings: Sequence[Rating], target: Target, injection: Injection) -> list[Rating]:
    """Take the pain right before the injection for a rating, where the patient gave none before it."""
    before = [rating for rating in ratings if rating.at <= injection.at]
    if target is Target.TARGET_PAIN and not before and injection.pain_before is not None:
        return [Rating(at=injection.at, target=target, score=injection.pain_before), *ratings]
    return list(ratings)


def _pair(rated: Sequence[E], at: datetime) -> tuple[E, E] | None:
    before, after = [one for one in rated if one.at <= at], [one for one in rated if one.at > at]
    return (before[-1], after[-1]) if before and after else None


def _measure(pair: tuple[Rating, Rating]) -> Measure:
    """Pain that is also felt elsewhere than where it comes from is rated with more noise."""
    refers = any(spot.origin is Origin.REFERRED for rating in pair for spot in rating.spots)
    measure = _MEASURES[pair[0].target]
    return Measure.PAIN_WITH_REFERRAL if measure is Measure.PAIN and refers else measure


def _told(told: Change, before: Entry, after: Entry) -> Changed:
    stick = YARDSTICKS[told.measure]
    since, until = before.model_dump()["at"], after.model_dump()["at"]
    return Changed(told.measure, since, until, told.points, told.answer, stick.mdc, stick.mcid, stick.source)
