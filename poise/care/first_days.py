"""What is asked and done in the first days: check-ins, ice, and the skin under a sensor."""

from enum import StrEnum
from typing import Annotated, ClassVar, Final, Self
from uuid import UUID

from pydantic import AfterValidator, Field, model_validator

from poise.care.entry import Entry, Instant, Line, Text, each_once
from poise.care.flags import Sign
from poise.care.injections import Score
from poise.care.treatments import Reliever


class Which(StrEnum):
    """Which check-in an answer belongs to, however late it was asked or given."""

    HOURS_2 = "2h"
    HOURS_24 = "24h"
    HOURS_48 = "48h"
    HOURS_72 = "72h"
    DAY_7 = "day7"


class Extent(StrEnum):
    """How much of something there is at the injection site."""

    NONE = "none"
    SOME = "some"
    INCREASING = "increasing"
    """Becoming more, or spreading."""


class Bleeding(StrEnum):
    """Of the injection site, since the last answer."""

    NONE = "none"
    STOPPED = "stopped"
    """Pressure stopped it."""
    RETURNING = "returning"
    """It stopped under pressure and began again, or still oozes a little."""
    NOT_STOPPING = "not_stopping"
    """Steady pressure does not stop it."""


class Work(StrEnum):
    """How the day's work went, paid or not."""

    AS_USUAL = "as_usual"
    LIMITED = "limited"
    NOT_POSSIBLE = "not_possible"
    NONE_DUE = "none_due"


ASKED: Final = frozenset(
    {
        Sign.BREATHING_DIFFICULTY,
        Sign.SUDDEN_CHEST_PAIN,
        Sign.FACE_OR_THROAT_SWELLING,
        Sign.PAIN_INCREASING,
        Sign.WARMTH,
        Sign.DRAINAGE,
        Sign.FEVER,
        Sign.CHILLS,
        Sign.HIVES,
        Sign.ITCHING,
        Sign.NUMBNESS,
        Sign.TINGLING,
        Sign.WEAKNESS,
    }
)
"""Signs that are asked for by yes or no; the others are read from the rest of the answers."""


class CheckIn(Entry):
    """A patient's answers; None where a question was left out.

    Attributes:
        at: when they were given.
        injection: the entry of the injection that they are about.
        which: None for a report between check-ins.
        soreness: 0 to 10, of the injection site.
        pain: 0 to 10, the pain that the injection was for.
        stiffness: 0 to 10.
        redness: at the site, as swelling and bruising.
        signs: those that were ticked.
        relievers: kinds of pain reliever taken since the last answer; () for none.
        sleep: 0 to 10, how well the last night went, 10 very well.
    """

    kind: ClassVar[str] = "check_in"

    at: Instant
    injection: UUID
    which: Which | None = None
    soreness: Score | None = None
    pain: Score | None = None
    stiffness: Score | None = None
    redness: Extent | None = None
    swelling: Extent | None = None
    bruising: Extent | None = None
    bleeding: Bleeding | None = None
    signs: Annotated[tuple[Sign, ...], AfterValidator(each_once)] = ()
    relievers: Annotated[tuple[Reliever, ...], AfterValidator(each_once)] | None = None
    sleep: Score | None = None
    work: Work | None = None
    note: Text = ""

    @model_validator(mode="after")
    def _signs_that_are_asked(self) -> Self:
        """Refuse signs that are concluded, not asked."""
        if not ASKED.issuperset(self.signs):
            raise ValueError("a check-in holds signs that are asked for by yes or no")
        return self


class IceEnd(StrEnum):
    """Why an icing session ended."""

    DONE = "done"
    STOPPED = "stopped"
    """By choice."""
    SKIN_NUMB = "skin_numb"
    SKIN_CHANGED = "skin_changed"
    """White, mottled, very red or blistered."""
    BURNING = "burning"
    """It burned or hurt."""


class Icing(Entry):
    """One session of ice.

    Attributes:
        at: when it began.
        ended: when it ended, None while it goes on.
        why: why it ended; None while it goes on.
        injection: the entry that it belongs to.
        sensors_off: segments whose sensors were taken off for it.
    """

    kind: ClassVar[str] = "icing"

    at: Instant
    ended: Instant | None = None
    why: IceEnd | None = None
    injection: UUID | None = None
    sensors_off: Annotated[tuple[Line, ...], Field(max_length=11), AfterValidator(each_once)] = ()

    @model_validator(mode="after")
    def _ended_as_a_whole(self) -> Self:
        """Refuse an end without its reason, and one before the beginning."""
        if (self.ended is None) != (self.why is None):
            raise ValueError("an end has a reason, and a reason an end")
        if self.ended is not None and self.ended < self.at:
            raise ValueError("a session must not end before it begins")
        return self


class SkinLook(StrEnum):
    """How the skin under a sensor looks and feels."""

    FINE = "fine"
    RED_FADING = "red_fading"
    """Red where the sensor sat, gone within half an hour."""
    RED_STAYING = "red_staying"
    ITCHING = "itching"
    BROKEN = "broken"
    """Blistered, raw or open."""


class Skin(Entry):
    """The skin under one sensor, asked apart from the injection site.

    Attributes:
        segment: where the sensor sat (`poise.skeleton`).
        look: how it is.
        glued: whether it was fixed by an adhesive.
    """

    kind: ClassVar[str] = "skin"

    at: Instant
    segment: Line
    look: SkinLook
    glued: bool | None = None
    note: Text = ""
