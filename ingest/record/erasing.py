"""Erasing a patient from the record: entries with their history, accounts, team, invitations, and the name.

What stays is in the audit: keyed hashes, random ids and times. Measured data are erased elsewhere.
"""

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from ingest.record import failures
from ingest.record.audit import Action, Audit
from ingest.record.identity import Who
from ingest.record.patients import Patient
from ingest.record.tables import (
    AccountRow,
    EntryRow,
    ErasingRow,
    InvitationRow,
    PatientRow,
    SessionRow,
    TeamRow,
    TokenRow,
)


def erase(session: Session, audit: Audit, who: Who, patient: Patient, now_us: int) -> None:
    """Erase a patient within a transaction; call `RecordDatabase.settle` after it.

    Args:
        session: a transaction that writes.
        audit: keeps that it was done, when, by whom, and the keyed hash of the pseudonym.
        who: who erases.
        patient: who is erased.
        now_us: UTC µs.
    """
    rows = select(AccountRow.id, AccountRow.name).where(AccountRow.patient_id == patient.id)
    names = {row.id: row.name for row in session.execute(rows)}
    audit.forget_origins(session, list(names))
    failures.forget(session, [audit.hashed("account", name.casefold()) for name in names.values()])
    session.add(ErasingRow(patient_id=patient.id))
    session.flush()
    for gone in (
        delete(EntryRow).where(EntryRow.patient_id == patient.id),
        delete(InvitationRow).where(
            or_(InvitationRow.patient_id == patient.id, InvitationRow.account_id.in_(names))
        ),
        delete(TeamRow).where(or_(TeamRow.patient_id == patient.id, TeamRow.account_id.in_(names))),
        delete(SessionRow).where(SessionRow.account_id.in_(names)),
        delete(TokenRow).where(TokenRow.account_id.in_(names)),
        delete(AccountRow).where(AccountRow.id.in_(names)),
        delete(PatientRow).where(PatientRow.id == patient.id),
        delete(ErasingRow).where(ErasingRow.patient_id == patient.id),
    ):
        session.execute(gone, execution_options={"synchronize_session": False})
    audit.note(session, who, Action.ERASED, patient.about, now_us, patient.wearer)
