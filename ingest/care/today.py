"""What a patient should know and do today, and who of many patients needs somebody: from record and rules."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from analytics.care.checkins import Asked, State, asked, silent
from analytics.care.flags import on_blood_thinner, open_flags
from analytics.care.healing import counted, judged
from analytics.care.icing import Coaching, coach, recheck_asked
from analytics.care.phases import Change, PhaseAt, phase_at, plan_at, timeline
from analytics.care.prompts import Prompt, prompts
from analytics.care.settings import quiet_hours
from analytics.care.sites import Blocked, blocked, skin_asked
from ingest.care.reading import Course
from poise.care.assessments import History
from poise.care.flags import Flag
from poise.care.plans import Plan
from poise.care.red_flags import FLAG_TEXTS, NORMAL_TEXTS

_AHEAD: Final = timedelta(days=1)


@dataclass(frozen=True)
class OpenFlag:
    """A red flag that nobody has dealt with.

    Attributes:
        id: of the flag's entry.
        heading: of the fixed text.
        patient: what the patient reads.
        team: what clinician and therapist read.
    """

    id: UUID
    flag: Flag
    heading: str
    patient: str
    team: str


@dataclass(frozen=True)
class InjectionCheckIns:
    """How it stands with the check-ins of an injection.

    Attributes:
        injection: its entry.
        silent: so many were missed that somebody should call.
    """

    injection: UUID
    asked: tuple[Asked, ...]
    silent: bool


@dataclass(frozen=True)
class Worn:
    """What is known of a patient's sensors.

    Attributes:
        segments: where they are worn today.
        checked: times of calibrations and re-checks.
    """

    segments: tuple[str, ...] = ()
    checked: tuple[datetime, ...] = ()


NOTHING_WORN: Final = Worn()


@dataclass(frozen=True)
class Today:
    """What holds for a patient now.

    Attributes:
        now: the moment.
        zone: the patient's time zone, in which the days are counted.
        phase: None before the first injection.
        flags: the most urgent first.
        normal: of the newest check-in, what is normal, in sentences.
        check_ins: of each injection of the last days.
        ice: what the coach says.
        blocked: places for no sensor.
        recheck: places whose sensors were taken off for ice and not checked since.
        skin: places whose skin is to be asked about today.
        prompts: of the next 24 hours.
    """

    now: datetime
    zone: str
    phase: PhaseAt | None
    flags: tuple[OpenFlag, ...]
    normal: tuple[str, ...]
    check_ins: tuple[InjectionCheckIns, ...]
    ice: Coaching
    blocked: tuple[Blocked, ...]
    recheck: tuple[str, ...]
    skin: tuple[str, ...]
    prompts: tuple[Prompt, ...]


def today(course: Course, worn: Worn = NOTHING_WORN) -> Today:
    """Return what holds for a patient now.

    Args:
        course: the patient's record.
        worn: what is known of the sensors.
    """
    plan = plan_in_force(course)
    flags = open_flags(course.flags, course.handlings)
    return Today(
        course.now,
        course.patient.zone,
        phase_at(course.now, course.injections.values(), plan, course.zone),
        told(course, flags),
        normal(course),
        check_ins(course),
        coach(
            course.now,
            course.injections.values(),
            course.icing,
            course.zone,
            cold_sensitive=course.history.cold_sensitive if course.history else None,
            open_flags=flags.values(),
        ),
        blocked(course.now, course.injections, plan, flags.values(), course.skins),
        recheck_asked(course.icing, worn.checked, course.now),
        skin_asked(course.now, worn.segments, course.skins, course.zone),
        prompts(course.now, course.now + _AHEAD, course.injections, course.plans, course.zone),
    )


def plan_in_force(course: Course) -> Plan | None:
    """Return the plan that holds now, None without one."""
    return plan_at(course.now, course.plans)


def phases_ahead(course: Course) -> Sequence[Change]:
    """Return what holds now and every change ahead."""
    return timeline(course.now, list(course.injections.values()), course.plans, course.zone)


def told(course: Course, flags: Mapping[UUID, Flag]) -> tuple[OpenFlag, ...]:
    """Return flags with their fixed texts, as this patient reads them."""
    thinner = on_blood_thinner(_histories(course), course.now, course.zone)
    texts = {code: FLAG_TEXTS[code] for code in {flag.code for flag in flags.values()}}
    return tuple(
        OpenFlag(
            key,
            flag,
            texts[flag.code].heading,
            texts[flag.code].told(blood_thinner=thinner),
            texts[flag.code].team,
        )
        for key, flag in flags.items()
    )


def normal(course: Course) -> tuple[str, ...]:
    """Return what of the newest check-in is normal healing, so that it is called so."""
    given = max(course.check_ins.values(), key=lambda one: one.at, default=None)
    injection = course.injections.get(given.injection) if given else None
    if given is None or injection is None:
        return ()
    answers = counted(given.injection, injection, course.check_ins.values(), course.zone)
    thinner = on_blood_thinner(_histories(course), given.at, course.zone)
    return tuple(NORMAL_TEXTS[key] for key in judged(answers, injection, blood_thinner=thinner).normal)


def check_ins(course: Course) -> tuple[InjectionCheckIns, ...]:
    """Return how it stands with the check-ins of each injection that has any open or ahead, or just had."""
    quiet = quiet_hours(plan_in_force(course))
    rows = (
        (key, asked(course.now, key, injection, course.check_ins.values(), quiet, course.zone))
        for key, injection in course.injections.items()
        if injection.at <= course.now < injection.at + timedelta(days=14)
    )
    return tuple(InjectionCheckIns(key, row, silent(row)) for key, row in rows)


@dataclass(frozen=True)
class Needs:
    """Why a patient is on the list of those who need somebody.

    Attributes:
        flags: that nobody has dealt with, the most urgent first.
        silent: several check-ins in a row were missed.
        open_check_ins: labels of those that wait for an answer.
    """

    flags: tuple[OpenFlag, ...]
    silent: bool
    open_check_ins: tuple[str, ...]


def needs(course: Course) -> Needs:
    """Return what a patient needs somebody for."""
    rows = check_ins(course)
    waiting = tuple(one.which.value for row in rows for one in row.asked if one.state is State.OPEN)
    flags = told(course, open_flags(course.flags, course.handlings))
    return Needs(flags, any(row.silent for row in rows), waiting)


def _histories(course: Course) -> list[History]:
    return [course.history] if course.history else []
