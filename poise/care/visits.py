"""Appointments, the patient's questions for the next of them, and notes."""

from enum import StrEnum
from typing import Annotated, ClassVar, Self
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from poise.care.entry import Entry, Instant, Line, LocalDate, LocalTime, Part, Said, Text, each_once

Zone = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_+/-]{0,63}$")]
"""The IANA name of a time zone; whether there is one of that name is seen where it is used."""


class Repeat(Part):
    """How an appointment comes again, always on the same weekday and at the same local time.

    Attributes:
        every_weeks: 1 for each week.
        count: how many in all, the first among them.
        until: the last day on which there may be one.
    """

    every_weeks: Annotated[int, Field(ge=1, le=52)] = 1
    count: Annotated[int, Field(ge=2, le=200)] | None = None
    until: LocalDate | None = None

    @model_validator(mode="after")
    def _one_end(self) -> Self:
        """Refuse a schedule with two ends."""
        if self.count is not None and self.until is not None:
            raise ValueError("give a number of appointments or a last day, not both")
        return self


class Purpose(StrEnum):
    """What an appointment is for."""

    ASSESSMENT = "assessment"
    INJECTION = "injection"
    THERAPY = "therapy"
    REVIEW = "review"
    OTHER = "other"


class Appointment(Entry):
    """An appointment, or a row of them.

    Attributes:
        day: of the first, in `zone`.
        at: local time of each; daylight saving does not move it.
        zone: where it takes place.
        minutes: how long.
        whom: whom the patient comes to.
        repeat: None for a single one.
        left_out: days of the row on which there is none.
    """

    kind: ClassVar[str] = "appointment"

    day: LocalDate
    at: LocalTime
    zone: Zone
    minutes: Annotated[int, Field(ge=5, le=600)] = 30
    whom: Line
    purpose: Purpose
    repeat: Repeat | None = None
    left_out: Annotated[tuple[LocalDate, ...], Field(max_length=200), AfterValidator(each_once)] = ()
    note: Text = ""

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        """Refuse a last day before the first."""
        if self.repeat and self.repeat.until and self.repeat.until < self.day:
            raise ValueError("the last day must not lie before the first")
        return self


class Question(Entry):
    """What a patient wants to ask at the next visit.

    Attributes:
        at: when it was written down.
        text: the question.
        appointment: the entry of the visit that it is for, None for the next.
        answer: "" while open.
        answered_at: None while open.
        answered_by: who answered.
    """

    kind: ClassVar[str] = "question"

    at: Instant
    text: Said
    appointment: UUID | None = None
    answer: Text = ""
    answered_at: Instant | None = None
    answered_by: Text = ""

    @model_validator(mode="after")
    def _answered_as_a_whole(self) -> Self:
        """Refuse an answer without its time and a time without an answer."""
        if bool(self.answer) != (self.answered_at is not None):
            raise ValueError("an answer has a time, and a time an answer")
        if self.answered_at is not None and self.answered_at < self.at:
            raise ValueError("an answer comes after its question")
        return self


class Note(Entry):
    """A note of a clinician or therapist.

    Attributes:
        about: the entry that it speaks of, None for the patient as a whole.
    """

    kind: ClassVar[str] = "note"

    at: Instant
    text: Said
    about: UUID | None = None
