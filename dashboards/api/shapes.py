"""What the API sends and takes beside the entries themselves."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from ingest.record.audit import Noted
from ingest.record.bodies import Unreadable
from ingest.record.entries import Version
from poise.care.entry import Entry

E = TypeVar("E", bound=Entry)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


def instant(us: int) -> datetime:
    """Return UTC µs as a time."""
    return _EPOCH + timedelta(microseconds=us)


class Shape(BaseModel):
    """Something sent or taken; what it does not know is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Kept(Shape, Generic[E]):
    """One version of an entry as it is kept.

    Attributes:
        version: give it back when you correct or withdraw the entry.
        withdrawn: this version says that the entry does not hold.
        reason: why it was corrected or withdrawn.
        entry: what it says; null where this program cannot read it.
        unreadable: why it cannot be read, and what is stored.
    """

    id: UUID
    version: int
    kind: str
    author: str
    recorded: datetime
    withdrawn: bool = False
    reason: str = ""
    entry: E | None = None
    unreadable: tuple[str, str] | None = None


class Listed(Shape, Generic[E]):
    """Entries, the latest time first; `cursor` asks for more, "" at the end."""

    entries: list[Kept[E]]
    cursor: str = ""


class Correction(Shape, Generic[E]):
    """A later version of an entry.

    Attributes:
        version: the one that was seen.
        reason: why it changes.
    """

    version: Annotated[int, Field(ge=1, lt=2**31)]
    reason: Reason
    entry: E


class Withdrawal(Shape):
    """A word that an entry does not hold."""

    version: Annotated[int, Field(ge=1, lt=2**31)]
    reason: Reason


def kept(version: Version) -> Kept[Entry]:
    """Return a version as it is sent."""
    content = version.content
    lost = content if isinstance(content, Unreadable) else None
    return Kept(
        id=version.id,
        version=version.version_no,
        kind=version.kind,
        author=version.author,
        recorded=instant(version.recorded_us),
        withdrawn=version.withdrawn,
        reason=version.reason,
        entry=None if isinstance(content, Unreadable) else content,
        unreadable=(lost.why, lost.body) if lost else None,
    )


class AuditRow(Shape):
    """Who saw or changed what, and when.

    Attributes:
        actor: the id of an account, "machine" or "nobody".
        kind: of what was seen or changed.
        subject: its id, "" for all of the kind.
    """

    number: int
    at: datetime
    actor: str
    action: str
    kind: str
    subject: str
    version: int | None
    origin: str = ""


def audit_rows(noted: Sequence[Noted], *, origins: bool) -> list[AuditRow]:
    """Return rows of the audit as they are sent."""
    return [
        AuditRow(
            number=row.seq,
            at=instant(row.at_us),
            actor=row.actor,
            action=row.action,
            kind=row.about.kind,
            subject=row.about.subject,
            version=row.about.version_no,
            origin=row.origin if origins else "",
        )
        for row in noted
    ]
