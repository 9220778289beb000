"""A clinic: its record, its accounts, and what follows when somebody writes an entry."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from ingest.care.following import flags_after
from ingest.care.reading import Course, CourseReader
from ingest.record.accounts import Accounts
from ingest.record.audit import Audit
from ingest.record.bodies import Bodies
from ingest.record.database import RecordDatabase, Session, url_in
from ingest.record.entries import Entries, Version
from ingest.record.identity import BY_HAND, Who
from ingest.record.invitations import Invitations
from ingest.record.keys import key_in
from ingest.record.passwords import Passwords
from ingest.record.patients import Patient, Patients, Status
from ingest.record.tokens import Tokens
from poise.care.consents import Scope
from poise.care.entry import Entry
from poise.care.first_days import CheckIn
from poise.care.kinds import KINDS
from poise.errors import RecordMissingError, RecordRefusedError

Told = Callable[[Patient, Entry | None], None]
"""Is told of an entry once it is on the disk; None: of the patient themselves, as of another time zone."""


@dataclass
class Clinic:
    """The record with its rules. Threads may share it.

    Attributes:
        database: of the record.
        audit: who saw and changed what.
        entries: what is written.
        patients: whose.
        accounts: who may sign in.
        tokens: programs that act for an account.
        invitations: links that make an account.
        told: who hears of each entry after its commit: what must happen outside of the record, as stopping
            the collection of data when consent is withdrawn, or sending the plan to a gateway.
    """

    database: RecordDatabase
    audit: Audit
    entries: Entries
    patients: Patients
    accounts: Accounts
    tokens: Tokens
    invitations: Invitations
    told: list[Told] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Make what reads for the rules."""
        self.reader = CourseReader(self.entries)

    def close(self) -> None:
        """Close the database."""
        self.database.close()

    def course(self, patient: Patient, now_us: int) -> Course:
        """Return what the rules need to know of a patient."""
        with self.database.reading() as session:
            return self.reader.course(session, patient, now_us)

    def consents(self, session: Session, patient: Patient, scope: Scope) -> bool:
        """Tell whether a patient's consent to a use of their data is in force: not without their word."""
        said = self.reader.said(session, patient, scope)
        return said is not None and said[0]

    def write(
        self, who: Who, patient: Patient, entry: Entry, now_us: int, entry_id: UUID | None = None
    ) -> Version:
        """Write an entry and what follows from it, in one transaction.

        Raises:
            RecordConflictError: if there is an entry with this id.
            RecordRefusedError: if it speaks of something that is not there.
        """
        with self.database.writing() as session:
            self._require_known(session, patient, entry)
            version = self.entries.add(session, who, patient, entry, now_us, entry_id=entry_id)
            self._follow(session, patient, version, now_us)
        self._tell(patient, entry)
        return version

    def correct(
        self, who: Who, patient: Patient, seen: tuple[UUID, int], entry: Entry, reason: str, now_us: int
    ) -> Version:
        """Write a later version of an entry; what follows from it is judged anew.

        Raises:
            RecordMissingError: if there is none.
            RecordConflictError: if there is a later version.
            RecordRefusedError: if it was withdrawn, is of another kind, or speaks of what is not there.
        """
        with self.database.writing() as session:
            self._require_known(session, patient, entry)
            version = self.entries.revise(session, who, patient, seen, entry, now_us, reason=reason)
            self._follow(session, patient, version, now_us)
        self._tell(patient, entry)
        return version

    def withdraw(
        self, who: Who, patient: Patient, seen: tuple[UUID, int], reason: str, now_us: int
    ) -> Version:
        """Say that an entry does not hold; a flag that followed from it stays until somebody deals with it.

        Raises:
            RecordMissingError: if there is none.
            RecordConflictError: if there is a later version.
            RecordRefusedError: if it was withdrawn before.
        """
        with self.database.writing() as session:
            version = self.entries.withdraw(session, who, patient, seen, reason, now_us)
        if isinstance(version.content, Entry):
            self._tell(patient, version.content)
        return version

    def _follow(self, session: Session, patient: Patient, version: Version, now_us: int) -> None:
        if isinstance(version.content, CheckIn):
            course = self.reader.course(session, patient, now_us)
            for flag in flags_after(course, version.id):
                self.entries.add(session, BY_HAND, patient, flag, now_us)

    def _require_known(self, session: Session, patient: Patient, entry: Entry) -> None:
        """Refuse an entry that names another one which this patient has not.

        Not a check-in: whatever is wrong with it, the signs that it reports must be heard.
        """
        if isinstance(entry, CheckIn):
            return
        for name in ("injection", "flag", "source", "appointment", "about", "plan"):
            named = getattr(entry, name, None)
            if isinstance(named, UUID) and not self._has(session, patient, named):
                raise RecordRefusedError(f"'{name}' names an entry that this patient does not have")

    def _has(self, session: Session, patient: Patient, entry_id: UUID) -> bool:
        try:
            return bool(self.entries.history(session, patient.id, entry_id))
        except RecordMissingError:
            return False

    def change(
        self, who: Who, patient: Patient, now_us: int, zone: str | None, status: Status | None
    ) -> Patient:
        """Give a patient another time zone or status.

        Raises:
            RecordRefusedError: if there is no such time zone.
        """
        with self.database.writing() as session:
            changed = self.patients.change(session, who, patient, now_us, zone=zone, status=status)
        self._tell(changed, None)
        return changed

    def _tell(self, patient: Patient, entry: Entry | None) -> None:
        for told in self.told:
            told(patient, entry)


def open_clinic(folder: Path, url: str = "", passwords: Passwords | None = None) -> Clinic:
    """Open the record of a data folder, or of a server; its key lies in the folder.

    Args:
        folder: of the data.
        url: of the database; "" for SQLite in the folder.
        passwords: how they are hashed.

    Raises:
        ConfigurationError: if the record cannot be used: the sentence says what to change.
        StoreUnavailableError: if its server is not there now.
    """
    database = RecordDatabase(url or url_in(folder))
    try:
        audit = Audit(database, key_in(folder))
    except BaseException:
        database.close()
        raise
    hashing = passwords or Passwords()
    return Clinic(
        database,
        audit,
        Entries(audit, Bodies(KINDS)),
        Patients(audit),
        Accounts(database, audit, hashing),
        Tokens(database, audit),
        Invitations(database, audit, hashing),
    )
