"""Two kinds of consent, kept apart: to the data, and to the procedure."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from poise.care.entry import Entry, Instant, Line, Text, each_once


class Scope(StrEnum):
    """What the data may be used for."""

    COLLECTION = "collection"
    """Sensors and record, for the person's own care."""
    RESEARCH = "research"
    """Exports under a pseudonym."""


class DataConsent(Entry):
    """A patient's word on their data; of two about a scope the later holds.

    Attributes:
        at: from when on it holds.
        scopes: what it speaks of; another scope is left as it was.
        given: False withdraws.
        text_version: of the text that was read.
        through: who took it down, "" for the patient alone.
    """

    kind: ClassVar[str] = "data_consent"

    at: Instant
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1), AfterValidator(each_once)]
    given: bool
    text_version: Line
    through: Text = ""


class Explained(StrEnum):
    """What a patient is told before an injection."""

    BENEFITS = "benefits"
    RISKS = "risks"
    EXPECTED_OUTCOMES = "expected_outcomes"
    ALTERNATIVES = "alternatives"
    AFTERCARE = "aftercare"
    WARNING_SIGNS = "warning_signs"


class ProcedureConsent(Entry):
    """What was explained of a procedure, when and by whom, and what the patient decided.

    Attributes:
        procedure: in words.
        explained: the points gone through; those left out are seen by their absence.
        by: who explained.
        given: False if the patient declined.
        questions: what the patient asked, and what was answered.
    """

    kind: ClassVar[str] = "procedure_consent"

    at: Instant
    procedure: Line
    explained: Annotated[tuple[Explained, ...], AfterValidator(each_once)] = ()
    by: Line
    given: bool
    questions: Text = ""
