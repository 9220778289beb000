"""What the rules need to know of a patient, read from the record in one go."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
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
_READ: Final = (Injection, Plan, CheckIn, Icing, Flag, FlagHandling, Skin, History)
_RULED: Final = tuple(cls.kind for cls in _READ)
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
        found = self._versions(session, patient, Wanted(kinds=_RULED))
        recorded = sorted(_of(found, Plan), key=lambda one: one[0].recorded_us)
        histories = _of(found, History)
        return Course(
            patient,
            _EPOCH + timedelta(microseconds=now_us),
            {version.id: injection for version, injection in _of(found, Injection)},
            [plan for _, plan in recorded],
            {version.id: answers for version, answers in _of(found, CheckIn)},
            [icing for _, icing in _of(found, Icing)],
            {version.id: flag for version, flag in _of(found, Flag)},
            [handling for _, handling in _of(found, FlagHandling)],
            [skin for _, skin in _of(found, Skin)],
            histories[-1][1] if histories else None,
        )

    def every(self, session: Session, patient: Patient, cls: type[E]) -> list[tuple[Version, E]]:
        """Return a patient's entries of a kind that hold, in order of the time that they tell of."""
        return _of(self._versions(session, patient, Wanted(cls.kind)), cls)

    def said(self, session: Session, patient: Patient, scope: Scope) -> tuple[bool, int] | None:
        """Return the patient's newest word on a use of their data, and when it was recorded, UTC µs.

        None if they have said nothing.
        """
        every = self.every(session, patient, DataConsent)
        said = [(consent.given, v.recorded_us) for v, consent in every if scope in consent.scopes]
        return said[-1] if said else None

    def _versions(self, session: Session, patient: Patient, wanted: Wanted) -> list[Version]:
        """Return all that is wanted, in order of the time that it tells of."""
        found: list[Version] = []
        cursor = ""
        while True:
            page = self._entries.page(session, patient.id, replace(wanted, cursor=cursor, limit=MOST))
            found += page.versions
            if not (cursor := page.cursor):
                return found[::-1]


def _of(versions: Iterable[Version], cls: type[E]) -> list[tuple[Version, E]]:
    return [(version, version.content) for version in versions if isinstance(version.content, cls)]
