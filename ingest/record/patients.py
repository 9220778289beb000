"""Patients under their pseudonyms, and who looks after them."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from ingest.record.audit import About, Action, Audit
from ingest.record.database import unique_or
from ingest.record.identity import CARERS, Role, Who
from ingest.record.tables import AccountRow, PatientRow, TeamRow
from poise.errors import RecordConflictError, RecordMissingError, RecordRefusedError, WireError
from poise.topics import Wearer

CONSENT: Final = "data_consent"
"""The kind of entry that tells whether a patient's data may be kept. Whether it does is read from the newest
of these (`Entries.newest`), not from a column of its own: so the history of consent is the record's."""


class Status(StrEnum):
    """Whether a patient is looked after now."""

    ACTIVE = "active"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Patient:
    """A person under a pseudonym.

    Attributes:
        zone: IANA name of the time zone in which this person's days begin.
    """

    id: UUID
    wearer: Wearer
    zone: str
    status: Status
    created_us: int

    @property
    def about(self) -> About:
        """Return it as the audit names it."""
        return About("patient", self.id.hex)


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody in a patient's care team.

    Attributes:
        from_us: first instant of it, UTC µs.
        until_us: the first instant when it is over; None while it lasts.
    """

    account_id: UUID
    patient_id: UUID
    role: Role
    from_us: int
    until_us: int | None


class Patients:
    """Adds patients and their care teams, each change with its row in the audit."""

    def __init__(self, audit: Audit) -> None:
        self._audit = audit

    def add(self, session: Session, who: Who, wearer: Wearer, zone: str, now_us: int) -> Patient:
        """Add a patient.

        Raises:
            RecordConflictError: if the pseudonym is taken.
            RecordRefusedError: if there is no such time zone.
        """
        row = PatientRow(
            id=uuid4(), site=wearer.site, patient=wearer.patient, zone=_zone(zone),
            status=Status.ACTIVE.value, created_us=now_us,
        )  # fmt: skip
        with unique_or(session, RecordConflictError(f"there is a patient {wearer.patient} already")):
            session.add(row)
        patient = _patient(row)
        self._audit.note(session, who, Action.CREATED, patient.about, now_us, wearer)
        return patient

    def change(
        self, session: Session, who: Who, patient: Patient, now_us: int, *,
        zone: str | None = None, status: Status | None = None,
    ) -> Patient:  # fmt: skip
        """Give a patient another time zone or status.

        Raises:
            RecordMissingError: if the patient was erased meanwhile.
            RecordRefusedError: if there is no such time zone.
        """
        if (row := session.get(PatientRow, patient.id)) is None:
            raise RecordMissingError("there is no such patient")
        row.zone = row.zone if zone is None else _zone(zone)
        row.status = row.status if status is None else status.value
        self._audit.note(session, who, Action.CHANGED, patient.about, now_us, patient.wearer)
        return _patient(row)

    def join(self, session: Session, who: Who, patient: Patient, account_id: UUID, now_us: int) -> Member:
        """Put an account into a patient's care team, in the role that the account has.

        Raises:
            RecordMissingError: if there is no such account.
            RecordRefusedError: if its role looks after nobody.
            RecordConflictError: if it is in the team already.
        """
        account = session.get(AccountRow, account_id)
        if account is None or account.ended_us is not None:
            raise RecordMissingError("there is no such account")
        if account.role not in CARERS:
            raise RecordRefusedError(f"an account of a {account.role} cannot be in a care team")
        row = TeamRow(
            id=uuid4(), patient_id=patient.id, account_id=account_id, role=account.role, from_us=now_us
        )
        with unique_or(session, RecordConflictError("this account is in the care team already")):
            session.add(row)
        about = About("team", account_id.hex)
        self._audit.note(session, who, Action.JOINED, about, now_us, patient.wearer)
        return _member(row)

    def leave(self, session: Session, who: Who, patient: Patient, account_id: UUID, now_us: int) -> None:
        """End an account's part in a patient's care team.

        Raises:
            RecordMissingError: if it has none.
        """
        row = session.scalars(
            select(TeamRow)
            .where(TeamRow.patient_id == patient.id, TeamRow.account_id == account_id)
            .where(TeamRow.until_us.is_(None))
            .with_for_update()
        ).one_or_none()
        if row is None:
            raise RecordMissingError("this account is not in the care team")
        row.until_us = now_us
        about = About("team", account_id.hex)
        self._audit.note(session, who, Action.LEFT, about, now_us, patient.wearer)


def find(session: Session, wearer: Wearer) -> Patient:
    """Return the patient of a pseudonym.

    Raises:
        RecordMissingError: if there is none.
    """
    rows = select(PatientRow).where(PatientRow.site == wearer.site, PatientRow.patient == wearer.patient)
    if (row := session.scalars(rows).one_or_none()) is None:
        raise RecordMissingError(f"there is no patient {wearer.patient}")
    return _patient(row)


def by_id(session: Session, patient_id: UUID) -> Patient:
    """Return the patient with an id.

    Raises:
        RecordMissingError: if there is none.
    """
    if (row := session.get(PatientRow, patient_id)) is None:
        raise RecordMissingError("there is no such patient")
    return _patient(row)


def everybody(session: Session) -> Sequence[Patient]:
    """Return all patients, by site and pseudonym."""
    rows = select(PatientRow).order_by(PatientRow.site, PatientRow.patient)
    return [_patient(row) for row in session.scalars(rows)]


def team(session: Session, patient_id: UUID, at_us: int | None = None) -> Sequence[Member]:
    """Return who looks after a patient at a time, or who ever did."""
    rows = select(TeamRow).where(TeamRow.patient_id == patient_id, *_at(at_us))
    return [_member(row) for row in session.scalars(rows.order_by(TeamRow.from_us, TeamRow.id))]


def looked_after_by(session: Session, account_id: UUID, at_us: int) -> Sequence[Patient]:
    """Return the patients in whose care team an account is at a time, by site and pseudonym."""
    rows = select(PatientRow).join(TeamRow).where(TeamRow.account_id == account_id, *_at(at_us))
    return [_patient(row) for row in session.scalars(rows.order_by(PatientRow.site, PatientRow.patient))]


def looks_after(session: Session, account_id: UUID, patient_id: UUID, at_us: int) -> bool:
    """Whether an account is in a patient's care team at a time."""
    rows = select(TeamRow.id).where(
        TeamRow.account_id == account_id, TeamRow.patient_id == patient_id, *_at(at_us)
    )
    return session.scalars(rows).first() is not None


def _at(at_us: int | None) -> list[ColumnElement[bool]]:
    if at_us is None:
        return []
    return [TeamRow.from_us <= at_us, or_(TeamRow.until_us.is_(None), TeamRow.until_us > at_us)]


def _zone(name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise RecordRefusedError(f"there is no time zone {name!r}; give one like Europe/Berlin") from exc


def _patient(row: PatientRow) -> Patient:
    try:
        wearer = Wearer(row.patient, row.site)
    except WireError as exc:
        raise RecordRefusedError(f"the record holds a patient whose name is none: {exc}") from exc
    return Patient(row.id, wearer, row.zone, Status(row.status), row.created_us)


def _member(row: TeamRow) -> Member:
    return Member(row.account_id, row.patient_id, Role(row.role), row.from_us, row.until_us)
