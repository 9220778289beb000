"""A small record for tests: one site, simple entries, and a clock that is a number."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import ClassVar
from uuid import UUID

import pytest

from ingest.record.accounts import Accounts
from ingest.record.audit import Audit
from ingest.record.bodies import Bodies
from ingest.record.database import RecordDatabase
from ingest.record.entries import Entries, Page, Version, Wanted
from ingest.record.identity import Identity, Role, Who
from ingest.record.invitations import Invitations
from ingest.record.passwords import Passwords
from ingest.record.patients import Patient, Patients
from ingest.record.tokens import Tokens
from poise.care.entry import Entry, by_kind
from poise.care.injections import Component, Guidance, Injection, Muscle, Position, Side, Site, Substance
from poise.errors import AccessError
from poise.topics import Wearer

KEY = bytes(range(32))
NOW = 1_790_000_000_000_000
SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
ANNA = Who("a" * 32, "198.51.100.7")
WEARER = Wearer("P-0142", "north")
GOOD = "seven quiet herons"
BETTER = "eight louder herons"
HOME = "203.0.113.9"
WRONG = "not the password at all"
CHEAP = Passwords(1, 8, 1)
"""Hashes that are made at once: what is tested is not how long argon2 takes."""


class Remark(Entry):
    """The simplest entry; its second format calls `words` what was `text`."""

    kind: ClassVar[str] = "remark"
    version: ClassVar[int] = 2

    words: str


STEPS = {"remark": {1: lambda old: {"words": old["text"]}}}
BODIES = Bodies(by_kind([Injection, Remark]), STEPS)


def injection(at: datetime = datetime(2026, 9, 1, 10, tzinfo=UTC), pain: int = 7) -> Injection:
    lidocaine = Component(substance=Substance.LIDOCAINE, concentration_percent=1, volume_ml=2.5)
    trapezius = Site(muscle=Muscle.UPPER_TRAPEZIUS, side=Side.LEFT, points=3, components=(lidocaine,))
    return Injection(
        at=at, operator="Dr. A", position=Position.PRONE, sites=(trapezius,), guidance=Guidance.PALPATION,
        pain_before=pain,
    )  # fmt: skip


@dataclass(frozen=True)
class House:
    """A record with its audit, each call in a transaction of its own."""

    database: RecordDatabase
    audit: Audit
    bodies: Bodies = BODIES
    passwords: Passwords = CHEAP

    @property
    def entries(self) -> Entries:
        return Entries(self.audit, self.bodies)

    @property
    def patients(self) -> Patients:
        return Patients(self.audit)

    @property
    def accounts(self) -> Accounts:
        return Accounts(self.database, self.audit, self.passwords)

    @property
    def tokens(self) -> Tokens:
        return Tokens(self.database, self.audit)

    @property
    def invitations(self) -> Invitations:
        return Invitations(self.database, self.audit, self.passwords)

    def account(self, name: str = "anna", role: Role = Role.THERAPIST, now_us: int = NOW) -> Identity:
        """An account whose owner has chosen the password `GOOD`."""
        patient = self.patient(Wearer(f"P-of-{name}")) if role is Role.PATIENT else None
        with self.database.writing() as session:
            handed = self.accounts.create(session, ANNA, name, role, now_us, patient.id if patient else None)
        identity, _ = self.accounts.sign_in(name, handed.password, "", now_us)
        self.accounts.change_password(identity, handed.password, GOOD, "", now_us)
        return replace(identity, must_change=False)

    def reading_with(self, bodies: Bodies) -> "House":
        return replace(self, bodies=bodies)

    def patient(self, wearer: Wearer = WEARER, zone: str = "Europe/Berlin") -> Patient:
        with self.database.writing() as session:
            return self.patients.add(session, ANNA, wearer, zone, NOW)

    def add(self, patient: Patient, entry: Entry, now_us: int = NOW, **more: object) -> Version:
        with self.database.writing() as session:
            return self.entries.add(session, ANNA, patient, entry, now_us, **more)

    def revise(self, patient: Patient, seen: Version, entry: Entry, **more: object) -> Version:
        with self.database.writing() as session:
            key = (seen.id, seen.version_no)
            return self.entries.revise(session, ANNA, patient, key, entry, NOW + 5, **more)

    def withdraw(self, patient: Patient, seen: Version, reason: str = "wrong person") -> Version:
        with self.database.writing() as session:
            return self.entries.withdraw(session, ANNA, patient, (seen.id, seen.version_no), reason, NOW + 9)

    def page(self, patient: Patient, **wanted: object) -> Page:
        with self.database.reading() as session:
            return self.entries.page(session, patient.id, Wanted(**wanted))

    def history(self, patient: Patient, entry_id: UUID) -> list[Version]:
        with self.database.reading() as session:
            return list(self.entries.history(session, patient.id, entry_id))


class Counting(Passwords):
    """Counts how often the slow work is done."""

    def __init__(self) -> None:
        self.compared: list[bool] = []
        super().__init__(1, 8, 1)

    def matches(self, kept: str | None, password: str) -> bool:
        self.compared.append(kept is not None)
        return super().matches(kept, password)


def fails(
    house: House, name: str = "anna", origin: str = HOME, now_us: int = NOW, password: str = WRONG
) -> str:
    with pytest.raises(AccessError) as caught:
        house.accounts.sign_in(name, password, origin, now_us)
    return f"{type(caught.value).__name__}: {caught.value}"
