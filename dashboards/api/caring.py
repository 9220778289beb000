"""Routes of what the rules of care make of a record: today, phases, flags, aftercare, real change."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse, Response
from pydantic import AwareDatetime

from analytics.care.aftercare import sheet
from analytics.care.appointments import occurrences
from analytics.care.flags import open_flags
from analytics.care.phases import Change, plan_at
from analytics.care.sites import Wearing, blocked, wearing
from dashboards.api.people import PatientShown, patients_of, shown
from dashboards.api.routes import PATIENT, Serving, add
from dashboards.api.rules import ANYBODY, Asker, Reach, Rule, only
from dashboards.api.shapes import instant
from dashboards.api.withholding import without_words
from dashboards.sheets.page import page_of
from dashboards.sheets.pdf import pdf_of
from ingest.care.changing import Changed, changes
from ingest.care.ergonomics import Effect, effects
from ingest.care.today import Needs, OpenFlag, Today, needs, phases_ahead, plan_in_force, today, told
from ingest.record.entries import microseconds
from ingest.record.identity import Role
from poise.care.red_flags import BLEEDING_QUESTION, FLAG_TEXTS, QUESTIONS, TEXT_VERSION
from poise.care.sheets import Sheet
from poise.care.treatments import Ergonomics
from poise.care.visits import Appointment
from poise.errors import RecordMissingError, RecordRefusedError, StoreUnavailableError
from poise.strain import Exceedance

_WHOSE: Final = {Role.PATIENT: Reach.OWN, Role.CLINICIAN: Reach.TEAM, Role.THERAPIST: Reach.TEAM}
_AHEAD: Final = timedelta(days=90)
_LATELY: Final = timedelta(days=30)
_LONGEST: Final = timedelta(days=732)
_RESEARCH: Final = {**_WHOSE, Role.RESEARCHER: Reach.STUDY}


@dataclass(frozen=True)
class FlagTexts:
    """The fixed texts: what is asked, and what is answered to each red flag."""

    version: int
    questions: dict[str, str]
    bleeding: str
    flags: list[dict[str, str]]


@dataclass(frozen=True)
class Dated:
    """One appointment, of a row or alone: when, and the entry that says so."""

    at: datetime
    id: UUID
    appointment: Appointment


@dataclass(frozen=True)
class Listed:
    """A patient on the list of those who may need somebody."""

    patient: PatientShown
    needs: Needs


def caring_routes(router: APIRouter) -> None:
    """Add the routes to a router."""
    add(router, "GET", "/red-flags", ANYBODY, red_flags, answer=FlagTexts)
    staff = only(Role.CLINICIAN, Role.THERAPIST)
    add(router, "GET", "/worklist", staff, worklist, answer=list[Listed])
    for path, handler, answer in (
        ("today", show_today, Today),
        ("phases", show_phases, list[Change]),
        ("flags", show_flags, list[OpenFlag]),
        ("wearing", show_wearing, Wearing),
    ):
        add(router, "GET", f"{PATIENT}/{path}", Rule(_WHOSE, about=path), handler, answer=answer)
    efforts_ = Rule(_RESEARCH, about="efforts")
    add(router, "GET", f"{PATIENT}/efforts", efforts_, show_efforts, answer=list[Exceedance])
    effects_, dates = Rule(_RESEARCH, about="ergonomics"), Rule(_WHOSE, about="appointment")
    add(router, "GET", f"{PATIENT}/ergonomics-effects", effects_, show_effects, answer=list[Effect])
    add(router, "GET", f"{PATIENT}/appointments", dates, show_appointments, answer=list[Dated])
    about = Rule(_RESEARCH, about="changes")
    add(router, "GET", f"{PATIENT}/changes", about, show_changes, answer=list[Changed])
    paper, rule = f"{PATIENT}/aftercare/{{entry_id}}", Rule(_WHOSE, about="aftercare")
    add(router, "GET", paper, rule, aftercare, answer=Sheet)
    add(router, "GET", f"{paper}/page", rule, aftercare_page)
    add(router, "GET", f"{paper}/pdf", rule, aftercare_pdf)


def red_flags(asker: Asker) -> FlagTexts:  # noqa: ARG001 - the gate asks for who asks
    """Return the fixed texts of the red flags, and the questions that lead to them."""
    flags = [{name: str(value) for name, value in asdict(text).items()} for text in FLAG_TEXTS.values()]
    questions = {sign.value: question for sign, question in QUESTIONS.items()}
    return FlagTexts(TEXT_VERSION, questions, BLEEDING_QUESTION, flags)


def worklist(asker: Asker, service: Serving) -> list[Listed]:
    """Return one's patients, those who need somebody most urgently first."""
    found = [
        Listed(shown(patient), needs(service.clinic.course(patient, asker.now_us)))
        for patient in patients_of(asker, service)
    ]
    return sorted(found, key=_urgency)


def _urgency(listed: Listed) -> tuple[int, bool, str]:
    ranks = {flag.flag.urgency: i for i, flag in enumerate(listed.needs.flags[:1])}
    order = ["emergency_now", "medical_attention_promptly", "ask_your_clinician"]
    rank = min((order.index(urgency.value) for urgency in ranks), default=len(order))
    return rank, not listed.needs.silent, listed.patient.patient


def show_today(asker: Asker, service: Serving) -> Today:
    """Return what holds for a patient now: phase, goals, flags, check-ins, ice, and what comes next."""
    return today(service.clinic.course(asker.patient, asker.now_us), service.worn(asker))


def show_phases(asker: Asker, service: Serving) -> list[Change]:
    """Return the phase that holds now, and every change ahead."""
    return list(phases_ahead(service.clinic.course(asker.patient, asker.now_us)))


def show_flags(asker: Asker, service: Serving) -> list[OpenFlag]:
    """Return the flags that nobody has dealt with, the most urgent first, with their fixed texts."""
    course = service.clinic.course(asker.patient, asker.now_us)
    return list(told(course, open_flags(course.flags, course.handlings)))


def show_wearing(
    asker: Asker,
    service: Serving,
    segment: Annotated[list[str], Query(max_length=20)] = [],  # noqa: B006 - FastAPI copies it
) -> Wearing:
    """Return which of the places can be worn now, what to wear instead, and what that can tell."""
    course = service.clinic.course(asker.patient, asker.now_us)
    flags = open_flags(course.flags, course.handlings).values()
    places = blocked(course.now, course.injections, plan_in_force(course), flags, course.skins)
    return wearing(segment, places)


def show_changes(asker: Asker, service: Serving) -> Any:
    """Return how each rating has changed since before the newest injection: real change told from noise."""
    return changes(service.clinic, asker.patient, asker.now_us)


def show_effects(asker: Asker, service: Serving) -> list[Effect]:
    """Return each change at the place of work with the exposure in the two weeks before and after it.

    A comparison of two times of one person, and no proof: whatever else changed is in it too.
    """
    clinic, patient, zone = service.clinic, asker.patient, ZoneInfo(asker.patient.zone)
    with clinic.database.reading() as session:
        changed = [one for _, one in clinic.reader.every(session, patient, Ergonomics)]
    if service.reader is None:
        raise StoreUnavailableError("what was measured cannot be read here")
    today = instant(asker.now_us).astimezone(zone).date()
    if asker.known.role is Role.RESEARCHER:
        changed = [without_words(one) for one in changed]
    return effects(service.reader, patient.wearer, changed, zone, today)


def show_efforts(
    asker: Asker, service: Serving, begin: AwareDatetime | None = None, end: AwareDatetime | None = None
) -> list[Exceedance]:
    """Return what the activity guard has found, of the last 30 days by default; times are UTC µs."""
    until = instant(asker.now_us) if end is None else end
    since = until - _LATELY if begin is None else begin
    if service.reader is None:
        raise StoreUnavailableError("what was measured cannot be read here")
    from_us, to_us = microseconds(since), microseconds(until)
    return list(service.reader.efforts(asker.patient.wearer, from_us, to_us))


def show_appointments(
    asker: Asker, service: Serving, begin: AwareDatetime | None = None, end: AwareDatetime | None = None
) -> list[Dated]:
    """Return when appointments take place, those of a row one by one; the next 90 days by default."""
    since = begin or instant(asker.now_us)
    until = min(end or since + _AHEAD, since + _LONGEST)
    with service.clinic.database.reading() as session:
        every = service.clinic.reader.every(session, asker.patient, Appointment)
    return sorted(
        (Dated(at, v.id, one) for v, one in every for at in _occurrences(one, since, until)),
        key=lambda dated: dated.at,
    )


def _occurrences(appointment: Appointment, begin: datetime, end: datetime) -> Sequence[datetime]:
    try:
        return occurrences(appointment, begin, end)
    except (ZoneInfoNotFoundError, OverflowError, ValueError) as exc:
        raise RecordRefusedError(f"the appointment's days cannot be told: {exc}") from exc


def aftercare(asker: Asker, service: Serving, entry_id: UUID) -> Sheet:
    """Return the aftercare sheet of an injection; an entry of the kind sheet_read confirms its reading."""
    course = service.clinic.course(asker.patient, asker.now_us)
    injection = course.injections.get(entry_id)
    if injection is None:
        raise RecordMissingError("there is no such injection")
    return sheet(injection, plan_at(injection.at, course.plans), course.history, course.zone)


def aftercare_page(asker: Asker, service: Serving, entry_id: UUID) -> HTMLResponse:
    """Return the aftercare sheet as a page to read or print."""
    return HTMLResponse(page_of(aftercare(asker, service, entry_id)))


def aftercare_pdf(asker: Asker, service: Serving, entry_id: UUID) -> Response:
    """Return the aftercare sheet as PDF."""
    return Response(pdf_of(aftercare(asker, service, entry_id)), media_type="application/pdf")
