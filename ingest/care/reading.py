"""What the rules need to know of a patient, read from the record in one go."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from ingest.record.database import Session
from ingest.record.entries import MOST, Entries, Version, Wanted
from ingest.record.patients import Patient
from poise.care.assessments import History
from poise.care.consents import DataConsent, Scope
from poise.care.entry import Entry
from poise.care.first_days import CheckIn, Icing, Skin
from poise.care.flags import Flag, FlagHandling
from poise.care.injections import Injection
from poise.care.plans import Plan

E = TypeVar("E", bound=Entry)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Course:
    """A patient's record as the rules of care look at it, at one moment.

    Attributes:
        patient: whose.
        now: the moment.
        injections: by entry, in order of time.
        plans: in the order in which they were recorded.
        check_ins: by entry, in order of time.
        icing: sessions in order of time.
        flags: by entry, in order of time.
        handlings: in order of time.
        skins: in order of time.
        history: the newest, None if there is none.
    """

    patient: Patient
    now: datetime
    injections: Mapping[UUID, Injection]
    plans: Sequence[Plan]
    check_ins: Mapping[UUID, CheckIn]
    icing: Sequence[Icing]
    flags: Mapping[UUID, Flag]
    handlings: Sequence[FlagHandling]
    skins: Sequence[Skin]
    history: History | None

    @property
    def zone(self) -> ZoneInfo:
        """Return the patient's time zone."""
        return ZoneInfo(self.patient.zone)


class CourseReader:
    """Reads what the rules need; an entry that cannot be read is passed over here, and shown in its list."""

    def __init__(self, entries: Entries) -> None:
        """Read from these."""
        self._entries = entries

    def course(self, session: Session, patient: Patient, now_us: int) -> Course:
        """Return a patient's record as of a moment, UTC µs."""

        def all_of(cls: type[E]) -> dict[UUID, E]:
            return {v.id: entry for v, entry in self.every(session, patient, cls)}

        recorded = sorted(self.every(session, patient, Plan), key=lambda one: one[0].recorded_us)
        histories = self.every(session, patient, History)
        return Course(
            patient,
            _EPOCH + timedelta(microseconds=now_us),
            all_of(Injection),
            [plan for _, plan in recorded],
            all_of(CheckIn),
            [entry for _, entry in self.every(session, patient, Icing)],
            all_of(Flag),
            [entry for _, entry in self.every(session, patient, FlagHandling)],
            [entry for _, entry in self.every(session, patient, Skin)],
            histories[-1][1] if histories else None,
        )

    def every(self, session: Session, patient: Patient, cls: type[E]) -> list[tuple[Version, E]]:
        """Return a patient's entries of a kind that hold, in order of the time that they tell of."""
        found: list[tuple[Version, E]] = []
        cursor = ""
        while True:
            page = self._entries.page(session, patient.id, Wanted(cls.kind, cursor=cursor, limit=MOST))
            found += [(v, v.content) for v in page.versions if isinstance(v.content, cls)]
            if not (cursor := page.cursor):
                return found[::-1]

    def said(self, session: Session, patient: Patient, scope: Scope) -> tuple[bool, int] | None:
        """Return the patient's newest word on a use of their data, and when it was recorded, UTC µs.

        None if they have said nothing.
        """
        every = self.every(session, patient, DataConsent)
        said = [(consent.given, v.recorded_us) for v, consent in every if scope in consent.scopes]
        return said[-1] if said else None
