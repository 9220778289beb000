"""Red flags: signs, how urgent they are, and what somebody did about them. The texts: `red_flags`."""

from enum import StrEnum
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import AfterValidator, Field

from poise.care.entry import Entry, Instant, Line, Said, each_once


class Urgency(StrEnum):
    """How soon to act, the most urgent first."""

    EMERGENCY_NOW = "emergency_now"
    PROMPTLY = "medical_attention_promptly"
    ASK_CLINICIAN = "ask_your_clinician"


class Sign(StrEnum):
    """What a patient notices, or what answers in a row show. A sign is no diagnosis."""

    BREATHING_DIFFICULTY = "breathing_difficulty"
    SUDDEN_CHEST_PAIN = "sudden_chest_pain"
    FACE_OR_THROAT_SWELLING = "face_or_throat_swelling"
    REDNESS_INCREASING = "redness_increasing"
    SWELLING_INCREASING = "swelling_increasing"
    PAIN_INCREASING = "pain_increasing"
    """At the injection site, apart from the soreness: growing by the hour, or spreading."""
    WARMTH = "warmth"
    DRAINAGE = "drainage"
    FEVER = "fever"
    CHILLS = "chills"
    HIVES = "hives"
    ITCHING = "itching"
    NUMBNESS = "numbness"
    TINGLING = "tingling"
    WEAKNESS = "weakness"
    BLEEDING = "bleeding"
    SORENESS_RISING = "soreness_rising"
    SORENESS_LASTING = "soreness_lasting"
    PAIN_PERSISTING = "pain_persisting"
    PAIN_GROWING = "pain_growing"


class FlagCode(StrEnum):
    """Which red flag; each has a text of its own."""

    BREATHING = "breathing"
    CHEST_PAIN = "chest_pain"
    FACE_OR_THROAT = "face_or_throat"
    SITE = "site"
    FEVER = "fever"
    SKIN_REACTION = "skin_reaction"
    NERVE = "nerve"
    BLEEDING = "bleeding"
    PAIN = "pain"
    SORENESS = "soreness"


class Flag(Entry):
    """A red flag that was raised; it stays until somebody has dealt with it.

    Attributes:
        at: when the signs were reported.
        code: which.
        urgency: as the patient was told.
        signs: what raised it.
        injection: the entry of the injection that it follows.
        source: the entry whose answers raised it, None if a person did.
        text_version: of the texts that the patient was shown.
    """

    kind: ClassVar[str] = "flag"

    at: Instant
    code: FlagCode
    urgency: Urgency
    signs: Annotated[tuple[Sign, ...], Field(min_length=1), AfterValidator(each_once)]
    injection: UUID | None = None
    source: UUID | None = None
    text_version: Annotated[int, Field(ge=1)]


class FlagHandling(Entry):
    """What somebody did about a flag.

    Attributes:
        flag: its entry.
        by: who.
        done: what was done, in words.
        dealt_with: False leaves the flag up (seen, called, nobody answered).
    """

    kind: ClassVar[str] = "flag_handling"

    at: Instant
    flag: UUID
    by: Line
    done: Said
    dealt_with: bool
