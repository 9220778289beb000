"""Invitations: a link that makes one account, once, with a role and for a patient.

Of a role that looks after people, the account joins that patient's care team; with the role patient it is the
patient's own.
"""

from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from ingest.record import patients
from ingest.record.accounts import about, new_account, refuse_name
from ingest.record.audit import About, Action, Audit
from ingest.record.database import RecordDatabase
from ingest.record.identity import CARERS, Identity, Role, Who
from ingest.record.keys import digest, new_secret
from ingest.record.passwords import Passwords, refuse_weak
from ingest.record.patients import Patient, Patients
from ingest.record.sessions import identity_of
from ingest.record.tables import AccountRow, InvitationRow
from poise.errors import AccessError, RecordMissingError, RecordRefusedError

LASTS_US: Final = 7 * 24 * 3600 * 1_000_000
"""Project decision: time to get a letter and sit down, not more."""


@dataclass(frozen=True, slots=True)
class Invitation:
    """What a link is for.

    Attributes:
        patient_id: whose account it makes, or whose care team it leads to.
    """

    id: UUID
    role: Role
    patient_id: UUID | None
    expires_us: int


class Invitations:
    """Makes invitations and accounts from them, each with its row in the audit."""

    def __init__(self, database: RecordDatabase, audit: Audit, passwords: Passwords) -> None:
        self._database = database
        self._audit = audit
        self._passwords = passwords

    def invite(
        self, session: Session, who: Who, role: Role, patient: Patient | None, now_us: int,
        lasts_us: int = LASTS_US,
    ) -> tuple[Invitation, str]:  # fmt: skip
        """Make an invitation and return it with the secret for its link, which is kept nowhere.

        Raises:
            RecordRefusedError: if the role and the patient do not fit.
        """
        if role is Role.PATIENT and patient is None:
            raise RecordRefusedError("say whose account it will be")
        if patient is not None and role is not Role.PATIENT and role not in CARERS:
            raise RecordRefusedError(f"an account of an {role} cannot be in a care team")
        secret = new_secret()
        row = InvitationRow(
            id=uuid4(), secret_hash=digest(secret), role=role.value,
            patient_id=patient.id if patient else None, invited_by=who.actor, created_us=now_us,
            expires_us=now_us + lasts_us,
        )  # fmt: skip
        session.add(row)
        session.flush()
        self._note(session, who, Action.CREATED, row, now_us)
        return _invitation(row), secret

    def look(self, session: Session, secret: str, now_us: int) -> Invitation:
        """Return what a link is for.

        Raises:
            AccessError: if it is none, was used or is over; it does not say which.
        """
        return _invitation(_open(session, secret, now_us))

    def accept(self, secret: str, name: str, password: str, origin: str, now_us: int) -> Identity:
        """Make the account; of two who use a link at once, one does.

        Raises:
            AccessError: if the link is none, was used or is over.
            RecordRefusedError: if the name or the password cannot be used; the link can be, again.
            RecordConflictError: if the name is taken; the link can be used again.
        """
        with self._database.reading() as session:
            _open(session, secret, now_us)
        refuse_name(name)
        refuse_weak(password, name)
        kept = self._passwords.hash(password)
        with self._database.writing() as session:
            row = _open(session, secret, now_us, alone=True)
            mine = row.patient_id if row.role == Role.PATIENT else None
            account = new_account(session, name, Role(row.role), kept, now_us, mine)
            row.used_us, row.account_id = now_us, account.id
            self._welcome(session, row, account, origin, now_us)
            return identity_of(account)

    def withdraw(self, session: Session, who: Who, invitation_id: UUID, now_us: int) -> None:
        """Let an invitation end now.

        Raises:
            RecordMissingError: if there is none that could still be used.
        """
        row = session.get(InvitationRow, invitation_id, with_for_update=True)
        if row is None or row.used_us is not None or row.expires_us <= now_us:
            raise RecordMissingError("there is no such invitation")
        row.expires_us = now_us
        self._note(session, who, Action.WITHDRAWN, row, now_us)

    def _welcome(
        self, session: Session, row: InvitationRow, account: AccountRow, origin: str, now_us: int
    ) -> None:
        who = Who(account.id.hex, origin)
        self._note(session, who, Action.ENDED, row, now_us)
        self._audit.note(session, who, Action.CREATED, about(account), now_us)
        if row.patient_id is not None and account.patient_id is None:
            patient = patients.by_id(session, row.patient_id)
            Patients(self._audit).join(session, who, patient, account.id, now_us)

    def _note(self, session: Session, who: Who, action: Action, row: InvitationRow, now_us: int) -> None:
        wearer = patients.by_id(session, row.patient_id).wearer if row.patient_id else None
        self._audit.note(session, who, action, About("invitation", row.id.hex), now_us, wearer)


def _open(session: Session, secret: str, now_us: int, *, alone: bool = False) -> InvitationRow:
    """Return an invitation that can be used now, `alone`: by nobody else until the transaction ends."""
    rows = select(InvitationRow).where(InvitationRow.secret_hash == digest(secret))
    row = session.scalars(rows.with_for_update() if alone else rows).one_or_none()
    if row is None or row.used_us is not None or now_us >= row.expires_us:
        raise AccessError("this invitation was used or is over; ask for a new one")
    return row


def _invitation(row: InvitationRow) -> Invitation:
    return Invitation(row.id, Role(row.role), row.patient_id, row.expires_us)
