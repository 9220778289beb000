"""What every entry of the clinical record has in common.

The record of a patient is a row of entries. An entry is never changed: a correction is a later version beside
it, a withdrawal a version that says so. What an entry holds is told by its kind, one class each.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from typing import Annotated, ClassVar, Final, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, StringConstraints

_CONTROL: Final = frozenset(chr(i) for i in (*range(32), 127))
_FIRST, _LAST = date(1900, 1, 1), date(2199, 12, 31)


def _writable(text: str) -> str:
    if _CONTROL.intersection(text) - {"\n", "\r", "\t"}:
        raise ValueError("a text holds no control characters")
    return text


def _one_line(text: str) -> str:
    if _CONTROL.intersection(text):
        raise ValueError("a short text is one line without control characters")
    return text


def _day(day: date) -> date:
    if not _FIRST <= day <= _LAST:
        raise ValueError(f"a day lies from {_FIRST} to {_LAST}")
    return day


def _utc(at: datetime) -> datetime:
    _day(at.date())
    return at.astimezone(UTC)


Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=4000), AfterValidator(_writable)]
"""Free text of a clinician, therapist or patient."""
Said = Annotated[Text, StringConstraints(min_length=1)]
"""Free text that is not empty."""
Line = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(_one_line)
]
"""A name or a short answer."""
LocalDate = Annotated[date, AfterValidator(_day)]
"""A local day; far beyond a life's it is refused, so that no sum of days leaves the calendar."""
Instant = Annotated[AwareDatetime, AfterValidator(_utc)]
"""A time with its offset; kept in UTC. Which local day it belongs to is told by the patient's time zone."""


def _wall(at: time) -> time:
    if at.tzinfo is not None or at.second or at.microsecond:
        raise ValueError("a local time has hours and minutes, and no offset")
    return at


LocalTime = Annotated[time, AfterValidator(_wall)]
"""What a clock on the wall shows, to the minute; the time zone comes from elsewhere."""

_T = TypeVar("_T")


def each_once(values: tuple[_T, ...]) -> tuple[_T, ...]:
    """Refuse a row that names something twice.

    Raises:
        ValueError: if it does.
    """
    if len(set(values)) < len(values):
        raise ValueError("name each once")
    return values


class Part(BaseModel):
    """A piece of an entry: frozen, and refusing what it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Entry(Part):
    """One statement in the record of a patient.

    Attributes:
        kind: the name of the class in storage and in addresses; never changed once released.
        version: of the fields; raised when stored entries of before need a step to be read.
    """

    kind: ClassVar[str]
    version: ClassVar[int] = 1


Kinds = dict[str, type[Entry]]


def by_kind(kinds: Iterable[type[Entry]]) -> Kinds:
    """Return the classes by their kind.

    Raises:
        ValueError: if two have the same.
    """
    found: Kinds = {}
    for cls in kinds:
        if cls.kind in found:
            raise ValueError(f"two kinds of entry are called {cls.kind}")
        found[cls.kind] = cls
    return found


SCORE: Final = (0, 10)
"""A pain or soreness rating: 0 none, 10 the worst imaginable (LOINC 72514-3)."""
