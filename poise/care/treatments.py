"""What else is done about the pain: other treatments and changes at the place of work, each dated."""

from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, Field, model_validator

from poise.care.entry import Entry, Instant, Line, Text, each_once


class TreatmentKind(StrEnum):
    """Treatments beside the injection."""

    PAIN_RELIEVER = "pain_reliever"
    HEAT = "heat"
    COLD = "cold"
    MASSAGE = "massage"
    MANUAL_THERAPY = "manual_therapy"
    EXERCISE_THERAPY = "exercise_therapy"
    BEHAVIOURAL_THERAPY = "behavioural_therapy"
    OTHER = "other"


class Reliever(StrEnum):
    """Kinds of pain reliever."""

    ACETAMINOPHEN = "acetaminophen"
    NSAID = "nsaid"
    """Ibuprofen, naproxen and the like."""
    MUSCLE_RELAXANT = "muscle_relaxant"
    OPIOID = "opioid"
    OTHER = "other"


class Treatment(Entry):
    """One treatment, or a stretch of days with it; without this log no outcome can be read.

    Attributes:
        at: when, or when it began.
        until: when it ended; None for a single one.
        reliever: for a pain reliever, and only for one.
        what: name, dose or area in words.
        by: who gave it, "" for the patient.
    """

    kind: ClassVar[str] = "treatment"

    at: Instant
    until: Instant | None = None
    treatment: TreatmentKind
    reliever: Reliever | None = None
    what: Text = ""
    by: Text = ""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        """Refuse a pain reliever without its kind, and an end before the beginning."""
        if (self.treatment is TreatmentKind.PAIN_RELIEVER) != (self.reliever is not None):
            raise ValueError("give the kind of a pain reliever, and of nothing else")
        if self.until is not None and self.until < self.at:
            raise ValueError("a treatment must not end before it begins")
        return self


class Item(StrEnum):
    """What the checklist of a place of work goes through."""

    LUMBAR_SUPPORT = "lumbar_support"
    """A chair that supports the lower back."""
    MONITOR = "monitor"
    """The upper edge of the screen near the height of the eyes."""
    KEYBOARD = "keyboard"
    """Keyboard and mouse within reach of hanging upper arms."""
    RELAXED_SHOULDERS = "relaxed_shoulders"
    """Shoulders can hang while working."""


class Ergonomics(Entry):
    """The checklist at one time; a change has its date, so that exposure before and after it can be told.

    Attributes:
        at: when it was gone through, or when something was changed.
        place: which place of work.
        met: items that are as they should be.
        unmet: items that are not; what is in neither was not looked at.
        changed: items that were changed at `at`.
    """

    kind: ClassVar[str] = "ergonomics"

    at: Instant
    place: Line
    met: Annotated[tuple[Item, ...], AfterValidator(each_once)] = ()
    unmet: Annotated[tuple[Item, ...], AfterValidator(each_once)] = ()
    changed: Annotated[tuple[Item, ...], Field(max_length=4), AfterValidator(each_once)] = ()
    note: Text = ""

    @model_validator(mode="after")
    def _one_or_the_other(self) -> Self:
        """Refuse an item that is both as it should be and not."""
        if set(self.met) & set(self.unmet):
            raise ValueError("an item is met or unmet, not both")
        return self
