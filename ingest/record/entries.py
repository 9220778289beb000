"""The entries of patients: written once, corrected by a later version, withdrawn by one that says so.

Nothing here changes or deletes a row. Whoever corrects an entry says which version they saw; if somebody was
faster, they are told to look again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from sqlalchemy import Select, and_, or_, select
from sqlalchemy.orm import Session, aliased

from ingest.record.audit import About, Action, Audit
from ingest.record.bodies import Bodies, Unreadable, text_of
from ingest.record.database import unique_or
from ingest.record.identity import Who
from ingest.record.patients import Patient
from ingest.record.tables import EntryRow
from poise.care.entry import Entry
from poise.errors import RecordConflictError, RecordMissingError, RecordRefusedError

MOST: Final = 500
"""Entries in one answer."""
_FARTHEST: Final = 2**63 - 1
_CURRENT: Final = "current"
_WITHDRAWN: Final = "withdrawn"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Version:
    """One version of an entry, as it was stored.

    Attributes:
        at_us: the time that it tells of, UTC µs.
        author: the account's id as hexadecimal digits, or "machine".
        recorded_us: when it was stored, UTC µs.
        withdrawn: whether this version says that the entry does not hold.
        reason: why it was corrected or withdrawn.
    """

    id: UUID
    version_no: int
    patient_id: UUID
    kind: str
    at_us: int
    author: str
    recorded_us: int
    withdrawn: bool
    reason: str
    content: Entry | Unreadable


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries of a patient are asked for.

    Attributes:
        kind: "" for every kind.
        kinds: where it is "": only these, () for every kind.
        from_us: the earliest time that they tell of, UTC µs.
        to_us: the first time that is too late.
        withdrawn: whether those that were withdrawn are wanted too.
        cursor: of the page before, "" for the first.
        limit: how many at most, never more than `MOST`.
    """

    kind: str = ""
    from_us: int | None = None
    to_us: int | None = None
    withdrawn: bool = False
    cursor: str = ""
    limit: int = 100
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """Entries, the latest time first.

    Attributes:
        cursor: asks for what comes next; "" at the end.
    """

    versions: Sequence[Version]
    cursor: str = ""


class Entries:
    """Writes and reads entries; each change with its row in the audit. Who reads notes that themselves."""

    def __init__(self, audit: Audit, bodies: Bodies) -> None:
        self._audit = audit
        self._bodies = bodies

    def add(
        self, session: Session, who: Who, patient: Patient, entry: Entry, now_us: int, *,
        entry_id: UUID | None = None, at_us: int | None = None,
    ) -> Version:  # fmt: skip
        """Store a new entry.

        Args:
            session: a transaction that writes.
            who: its author.
            patient: whose it is.
            entry: what it says.
            now_us: UTC µs.
            entry_id: chosen by the caller, so that sending it again does not make a second one.
            at_us: the time that it tells of; if None its field `at`, or now if it has none.

        Raises:
            RecordConflictError: if there is an entry with this id.
        """
        row = EntryRow(
            id=entry_id or uuid4(), version_no=1, patient_id=patient.id, kind=entry.kind,
            format=entry.version, body=text_of(entry), at_us=_time(entry, now_us) if at_us is None else at_us,
            author=who.actor, recorded_us=now_us, state=_CURRENT, reason="",
        )  # fmt: skip
        taken = RecordConflictError("there is an entry with this id already")
        return self._put(session, who, patient, row, Action.CREATED, taken)

    def revise(
        self, session: Session, who: Who, patient: Patient, seen: tuple[UUID, int], entry: Entry,
        now_us: int, *, reason: str = "", at_us: int | None = None,
    ) -> Version:  # fmt: skip
        """Store a corrected version beside the ones before.

        Args:
            session: a transaction that writes.
            who: the author of this version.
            patient: whose it is.
            seen: the entry's id, and the number of the version that the author saw.
            entry: what it says now, of the same kind.
            now_us: UTC µs.
            reason: why.
            at_us: as in `add`.

        Raises:
            RecordMissingError: if this patient has no such entry.
            RecordConflictError: if there is a later version.
            RecordRefusedError: if the entry is of another kind or was withdrawn.
        """
        last = self._seen(session, patient, seen)
        if entry.kind != last.kind:
            raise RecordRefusedError(f"this entry is of the kind {last.kind}, it cannot become {entry.kind}")
        row = _after(last, who, reason, now_us)
        row.format, row.body, row.state = entry.version, text_of(entry), _CURRENT
        row.at_us = _time(entry, last.at_us) if at_us is None else at_us
        return self._put(session, who, patient, row, Action.REVISED, _later(seen))

    def withdraw(
        self, session: Session, who: Who, patient: Patient, seen: tuple[UUID, int], reason: str, now_us: int
    ) -> Version:
        """Store a version that says that the entry does not hold; what it said stays to be read.

        Raises:
            RecordMissingError: if this patient has no such entry.
            RecordConflictError: if there is a later version.
            RecordRefusedError: if no reason is given, or it was withdrawn before.
        """
        if not reason.strip():
            raise RecordRefusedError("say why this entry is withdrawn")
        row = _after(self._seen(session, patient, seen), who, reason, now_us)
        row.state = _WITHDRAWN
        return self._put(session, who, patient, row, Action.WITHDRAWN, _later(seen))

    def page(self, session: Session, patient_id: UUID, wanted: Wanted) -> Page:
        """Return the latest versions of a patient's entries, those of the latest time first.

        Raises:
            RecordRefusedError: if the cursor is none.
        """
        most = max(1, min(wanted.limit, MOST))
        rows = session.scalars(_latest(patient_id, wanted).limit(most + 1)).all()
        cursor = f"{rows[most - 1].at_us}.{rows[most - 1].id.hex}" if len(rows) > most else ""
        return Page([self._version(row) for row in rows[:most]], cursor)

    def newest(self, session: Session, patient_id: UUID, kind: str) -> Version | None:
        """Return the entry of a kind with the latest time that was not withdrawn."""
        versions = self.page(session, patient_id, Wanted(kind, limit=1)).versions
        return versions[0] if versions else None

    def history(self, session: Session, patient_id: UUID, entry_id: UUID) -> Sequence[Version]:
        """Return all versions of an entry, the first one first.

        Raises:
            RecordMissingError: if this patient has no such entry.
        """
        rows = session.scalars(
            select(EntryRow)
            .where(EntryRow.id == entry_id, EntryRow.patient_id == patient_id)
            .order_by(EntryRow.version_no)
        ).all()
        if not rows:
            raise RecordMissingError("there is no such entry")
        return [self._version(row) for row in rows]

    def _seen(self, session: Session, patient: Patient, seen: tuple[UUID, int]) -> EntryRow:
        """Return the latest version, if it is the one that was seen and can still be corrected."""
        entry_id, version_no = seen
        last = session.scalars(
            select(EntryRow)
            .where(EntryRow.id == entry_id, EntryRow.patient_id == patient.id)
            .order_by(EntryRow.version_no.desc())
            .limit(1)
        ).one_or_none()
        if last is None:
            raise RecordMissingError("there is no such entry")
        if last.version_no != version_no:
            raise _later(seen)
        if last.state == _WITHDRAWN:
            raise RecordRefusedError("this entry was withdrawn; write a new one")
        return last

    def _put(
        self, session: Session, who: Who, patient: Patient, row: EntryRow, action: Action,
        taken: RecordConflictError,
    ) -> Version:  # fmt: skip
        with unique_or(session, taken):
            session.add(row)
        about = About(row.kind, row.id.hex, row.version_no)
        self._audit.note(session, who, action, about, row.recorded_us, patient.wearer)
        return self._version(row)

    def _version(self, row: EntryRow) -> Version:
        return Version(
            row.id, row.version_no, row.patient_id, row.kind, row.at_us, row.author, row.recorded_us,
            row.state == _WITHDRAWN, row.reason, self._bodies.read(row.kind, row.format, row.body),
        )  # fmt: skip


def microseconds(at: datetime) -> int:
    """Return a time as UTC µs, exactly."""
    return (at - _EPOCH) // _MICROSECOND


def _time(entry: Entry, otherwise_us: int) -> int:
    at = getattr(entry, "at", None)
    return microseconds(at) if isinstance(at, datetime) else otherwise_us


def _after(last: EntryRow, who: Who, reason: str, now_us: int) -> EntryRow:
    """Return the next version of an entry, which says the same so far."""
    return EntryRow(
        id=last.id, version_no=last.version_no + 1, patient_id=last.patient_id, kind=last.kind,
        format=last.format, body=last.body, at_us=last.at_us, author=who.actor, recorded_us=now_us,
        state=last.state, reason=reason.strip(),
    )  # fmt: skip


def _later(seen: tuple[UUID, int]) -> RecordConflictError:
    return RecordConflictError(
        f"somebody has changed this entry since version {seen[1]}; look at it again, then decide anew"
    )


def _latest(patient_id: UUID, wanted: Wanted) -> Select[EntryRow]:
    later = aliased(EntryRow)
    is_later = and_(later.id == EntryRow.id, later.version_no > EntryRow.version_no)
    rows = select(EntryRow).where(
        EntryRow.patient_id == patient_id, ~select(later.id).where(is_later).exists()
    )
    if wanted.kind:
        rows = rows.where(EntryRow.kind == wanted.kind)
    elif wanted.kinds:
        rows = rows.where(EntryRow.kind.in_(wanted.kinds))
    if wanted.from_us is not None:
        rows = rows.where(EntryRow.at_us >= wanted.from_us)
    if wanted.to_us is not None:
        rows = rows.where(EntryRow.at_us < wanted.to_us)
    if not wanted.withdrawn:
        rows = rows.where(EntryRow.state == _CURRENT)
    if wanted.cursor:
        at_us, entry_id = _place(wanted.cursor)
        same = and_(EntryRow.at_us == at_us, EntryRow.id < entry_id)
        rows = rows.where(or_(EntryRow.at_us < at_us, same))
    return rows.order_by(EntryRow.at_us.desc(), EntryRow.id.desc())


def _place(cursor: str) -> tuple[int, UUID]:
    at_us, _, entry_id = cursor.partition(".")
    refused = RecordRefusedError("this cursor is not one that an answer gave")
    try:
        place = int(at_us), UUID(entry_id)
    except ValueError as exc:
        raise refused from exc
    if abs(place[0]) > _FARTHEST:
        raise refused
    return place
