"""Routes of patients, their care teams, their invitations, and who saw their record."""

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from dashboards.api.administering import Invited
from dashboards.api.errors import RefusedError
from dashboards.api.routes import PATIENT, Serving, add
from dashboards.api.rules import Asker, Reach, Rule, only
from dashboards.api.shapes import AuditRow, Shape, audit_rows, instant
from ingest.record.identity import CARERS, Identity, Role
from ingest.record.patients import Member, Patient, Status, by_id, looked_after_by, team
from poise.errors import RecordRefusedError, WireError
from poise.topics import Wearer

_STAFF: Final = {Role.CLINICIAN: Reach.TEAM, Role.THERAPIST: Reach.TEAM}
_WHOSE: Final = {Role.PATIENT: Reach.OWN, **_STAFF, Role.RESEARCHER: Reach.STUDY}
Name = Annotated[str, Field(min_length=1, max_length=64)]


class NewPatient(Shape):
    """A patient under a pseudonym; nobody's name belongs here."""

    site: Name
    patient: Name
    zone: Name


class PatientShown(Shape):
    """A patient under a pseudonym; `zone` is where this person's days begin."""

    id: UUID
    site: str
    patient: str
    zone: str
    status: Status
    created: datetime


class PatientChange(Shape):
    """What changes; null leaves it."""

    zone: Name | None = None
    status: Status | None = None


class MemberShown(Shape):
    """Somebody in a care team."""

    account: UUID
    role: Role
    since: datetime
    until: datetime | None


class Joining(Shape):
    """Who joins a care team, by the id of the account."""

    account: UUID


class InvitePerson(Shape):
    """Who is invited: the patient, or somebody into the care team."""

    role: Role


def people_routes(router: APIRouter) -> None:
    """Add the routes to a router."""
    staff, anybody = Rule(_STAFF), Rule(dict.fromkeys({Role.PATIENT, *CARERS}, Reach.ANY))
    opening = only(Role.CLINICIAN, Role.THERAPIST)
    add(router, "GET", "/patients", anybody, list_patients, answer=list[PatientShown])
    add(router, "POST", "/patients", opening, add_patient, answer=PatientShown, status=201)
    add(router, "GET", PATIENT, Rule(_WHOSE, about="patient"), show_patient, answer=PatientShown)
    add(router, "PATCH", PATIENT, staff, change_patient, answer=PatientShown)
    whose = Rule({Role.PATIENT: Reach.OWN, **_STAFF}, about="team")
    add(router, "GET", f"{PATIENT}/team", whose, show_team, answer=list[MemberShown])
    add(router, "POST", f"{PATIENT}/team", staff, join_team, answer=MemberShown, status=201)
    add(router, "DELETE", f"{PATIENT}/team/{{account_id}}", staff, leave_team, status=204)
    add(router, "POST", f"{PATIENT}/invitations", staff, invite_person, answer=Invited, status=201)
    seen = Rule({Role.PATIENT: Reach.OWN, **_STAFF}, about="audit")
    add(router, "GET", f"{PATIENT}/audit", seen, who_saw, answer=list[AuditRow])


def list_patients(asker: Asker, service: Serving) -> list[PatientShown]:
    """Return the patients in whose care team the account is; for a patient, themselves."""
    return [shown(patient) for patient in patients_of(asker, service)]


def patients_of(asker: Asker, service: Any) -> list[Patient]:
    """Return whom somebody may see: a researcher, only who consents to research."""
    identity: Identity = asker.known
    with service.clinic.database.reading() as session:
        if identity.patient_id is not None:
            return [by_id(session, identity.patient_id)]
        found = looked_after_by(session, identity.account_id, asker.now_us)
    if identity.role is not Role.RESEARCHER:
        return list(found)
    return [patient for patient in found if service.reaches(identity, patient, Reach.STUDY, asker.now_us)]


def add_patient(asker: Asker, service: Serving, new: NewPatient) -> PatientShown:
    """Add a patient, with the one who asks as the first of the care team."""
    try:
        wearer = Wearer(new.patient, new.site)
    except WireError as exc:
        raise RecordRefusedError(f"this cannot be a pseudonym: {exc}") from exc
    service.collecting.refuse_erased(wearer)
    clinic = service.clinic
    with clinic.database.writing() as session:
        patient = clinic.patients.add(session, asker.who, wearer, new.zone, asker.now_us)
        clinic.patients.join(session, asker.who, patient, asker.known.account_id, asker.now_us)
    return shown(patient)


def show_patient(asker: Asker) -> PatientShown:
    """Return a patient."""
    return shown(asker.patient)


def change_patient(asker: Asker, service: Serving, change: PatientChange) -> PatientShown:
    """Give a patient another time zone or status."""
    changed = service.clinic.change(asker.who, asker.patient, asker.now_us, change.zone, change.status)
    return shown(changed)


def show_team(asker: Asker, service: Serving) -> list[MemberShown]:
    """Return who looks after a patient, and who did."""
    with service.clinic.database.reading() as session:
        return [_member(member) for member in team(session, asker.patient.id)]


def join_team(asker: Asker, service: Serving, joining: Joining) -> MemberShown:
    """Put an account into a patient's care team."""
    with service.clinic.database.writing() as session:
        member = service.clinic.patients.join(
            session, asker.who, asker.patient, joining.account, asker.now_us
        )
    return _member(member)


def leave_team(asker: Asker, service: Serving, account_id: UUID) -> None:
    """End an account's part in a patient's care team; the last clinician or therapist cannot leave."""
    with service.clinic.database.writing() as session:
        now = team(session, asker.patient.id, asker.now_us)
        carers = [one.account_id for one in now if one.role in (Role.CLINICIAN, Role.THERAPIST)]
        if carers == [account_id]:
            raise RefusedError("nobody would look after this patient; let somebody else join first")
        service.clinic.patients.leave(session, asker.who, asker.patient, account_id, asker.now_us)


def invite_person(asker: Asker, service: Serving, wanted: InvitePerson) -> Invited:
    """Invite the patient to an account of their own, or somebody into the care team."""
    with service.clinic.database.writing() as session:
        made, secret = service.clinic.invitations.invite(
            session, asker.who, wanted.role, asker.patient, asker.now_us
        )
    return Invited(id=made.id, role=made.role, expires=instant(made.expires_us), secret=secret)


def who_saw(
    asker: Asker, service: Serving, before: Annotated[int | None, Field(ge=1, lt=2**63)] = None
) -> list[AuditRow]:
    """Return who saw or changed a patient's record, the newest first."""
    with service.clinic.database.reading() as session:
        noted = service.clinic.audit.of_patient(session, asker.patient.wearer, before)
    return audit_rows(noted, origins=False)


def shown(patient: Patient) -> PatientShown:
    """Return a patient as they are sent."""
    return PatientShown(
        id=patient.id,
        site=patient.wearer.site,
        patient=patient.wearer.patient,
        zone=patient.zone,
        status=patient.status,
        created=instant(patient.created_us),
    )


def _member(member: Member) -> MemberShown:
    until = member.until_us
    return MemberShown(
        account=member.account_id,
        role=member.role,
        since=instant(member.from_us),
        until=None if until is None else instant(until),
    )
