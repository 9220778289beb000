"""The aftercare sheet: what it is made of, and the patient's word that they have read it."""

from dataclasses import dataclass
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field, StringConstraints

from poise.care.entry import Entry, Instant


@dataclass(frozen=True, slots=True)
class Section:
    """One part of a sheet.

    Attributes:
        heading: what it is about.
        text: a sentence or two before the points, "" for none.
        points: one below the other.
        urgent: to be seen first.
    """

    heading: str
    text: str = ""
    points: tuple[str, ...] = ()
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a patient takes home.

    Attributes:
        title: of the whole.
        sections: in order.
        digest: of all its words: a sheet that says anything else has another one.
        text_version: of the fixed texts in it.
    """

    title: str
    sections: tuple[Section, ...]
    digest: str
    text_version: int


class SheetRead(Entry):
    """The patient has read a sheet.

    Attributes:
        injection: the entry that the sheet is about.
        digest: of the sheet that was read.
    """

    kind: ClassVar[str] = "sheet_read"

    at: Instant
    injection: UUID
    digest: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    text_version: Annotated[int, Field(ge=1)]
