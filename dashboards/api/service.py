"""What the routes work with: the record, the accounts, the rules of care, and a clock."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from fastapi import Request

from dashboards.api.errors import RefusedError
from dashboards.api.limits import Limits
from dashboards.api.rules import Asker, Reach
from dashboards.api.shapes import instant
from ingest.care.clinic import Clinic
from ingest.care.collecting import Collecting
from ingest.care.today import NOTHING_WORN, Worn
from ingest.reading import Reader
from ingest.record import sessions
from ingest.record.audit import About, Action
from ingest.record.entries import Page, Version, Wanted
from ingest.record.identity import NOBODY, Identity, Role, Who
from ingest.record.patients import Patient, find, looks_after
from poise.care.consents import Scope
from poise.care.entry import Entry
from poise.errors import AccessError, RecordMissingError, StoreUnavailableError
from poise.topics import Wearer

LATELY_US: Final = 86_400_000_000
"""A sensor that was heard within a day counts as worn."""
COOKIE = "poise_session"


@dataclass(frozen=True)
class Service:
    """The clinic behind the API, and who is asking it.

    Attributes:
        clinic: the record with its rules.
        now: UTC µs.
        collecting: what the record decides about measured data.
        reader: what was measured, None where there is nothing to read.
        secure: whether the pages are reached by HTTPS only, and so the cookie too.
        limits: how often somebody may ask.
        strangers: the same for those who have not signed in, by address.
    """

    clinic: Clinic
    now: Callable[[], int]
    collecting: Collecting
    reader: Reader | None = None
    secure: bool = False
    limits: Limits = field(default_factory=Limits)
    strangers: Limits = field(default_factory=lambda: Limits(60))

    def identify(self, request: Request, now_us: int) -> Identity | None:
        """Return who asks, by token or session; None if nobody has signed in, or no longer."""
        kind, _, secret = request.headers.get("authorization", "").partition(" ")
        try:
            if kind.lower() == "bearer":
                return self.clinic.tokens.recognise(secret.strip(), now_us)
            secret = request.cookies.get(COOKIE, "")
            return sessions.recognise(self.clinic.database, secret, now_us) if secret else None
        except AccessError:
            return None

    def nobody(self, origin: str) -> Who:
        """Return somebody unknown who asks from an address."""
        return Who(NOBODY, origin)

    def patient(self, wearer: Wearer) -> Patient:
        """Return the patient of a pseudonym.

        Raises:
            RecordMissingError: if there is none.
        """
        with self.clinic.database.reading() as session:
            return find(session, wearer)

    def reaches(self, identity: Identity, patient: Patient, reach: Reach, now_us: int) -> bool:
        """Tell whether an account may reach a patient's data in a way."""
        if reach is Reach.OWN:
            return identity.patient_id == patient.id
        if reach in (Reach.ANY, Reach.NAMED):
            return reach is Reach.NAMED  # a route about a patient must say whose
        with self.clinic.database.reading() as session:
            if not looks_after(session, identity.account_id, patient.id, now_us):
                return False
            return reach is Reach.TEAM or self.clinic.consents(session, patient, Scope.RESEARCH)

    def note(self, who: Who, action: Action, about: About, now_us: int, wearer: Wearer) -> None:
        """Write into the audit what somebody saw."""
        with self.clinic.database.writing() as session:
            self.clinic.audit.note(session, who, action, about, now_us, wearer)

    def page(self, asker: Asker, wanted: Wanted) -> Page:
        """Return entries of the patient asked about."""
        with self.clinic.database.reading() as session:
            return self.clinic.entries.page(session, asker.patient.id, wanted)

    def history(self, asker: Asker, kind: str, entry_id: UUID) -> Sequence[Version]:
        """Return all versions of an entry.

        Raises:
            RecordMissingError: if the patient has no such entry of this kind.
        """
        with self.clinic.database.reading() as session:
            versions = self.clinic.entries.history(session, asker.patient.id, entry_id)
        if versions[0].kind != kind:
            raise RecordMissingError("there is no such entry")
        return versions

    def worn(self, asker: Asker) -> Worn:
        """Return what is known of the sensors of the patient asked about; nothing where it cannot be read."""
        wearer = asker.patient.wearer
        if self.reader is None:
            return NOTHING_WORN
        try:
            sensors, checked = self.reader.sensors(wearer), self.reader.calibrated(wearer)
        except StoreUnavailableError:
            return NOTHING_WORN
        lately = asker.now_us - LATELY_US
        segments = {sensor.segment for sensor in sensors if sensor.last_us > lately}
        return Worn(tuple(sorted(segments)), tuple(instant(at_us) for at_us in checked))

    def write(self, asker: Asker, entry: Entry, entry_id: UUID | None) -> Version:
        """Write a new entry, with all that follows from it."""
        return self.clinic.write(asker.who, asker.patient, entry, asker.now_us, entry_id)

    def correct(self, asker: Asker, seen: tuple[UUID, int], entry: Entry, reason: str) -> Version:
        """Write a later version of an entry.

        Raises:
            RefusedError: if a patient corrects what somebody else wrote.
        """
        self._own(asker, entry.kind, seen[0])
        return self.clinic.correct(asker.who, asker.patient, seen, entry, reason, asker.now_us)

    def withdraw(self, asker: Asker, kind: str, seen: tuple[UUID, int], reason: str) -> Version:
        """Say that an entry does not hold.

        Raises:
            RefusedError: if a patient withdraws what somebody else wrote.
        """
        self._own(asker, kind, seen[0])
        return self.clinic.withdraw(asker.who, asker.patient, seen, reason, asker.now_us)

    def _own(self, asker: Asker, kind: str, entry_id: UUID) -> None:
        first = self.history(asker, kind, entry_id)[0]
        if asker.known.role is Role.PATIENT and first.author != asker.who.actor:
            raise RefusedError("somebody else wrote this entry; tell them what is wrong with it")
