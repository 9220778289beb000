"""Pain and function as the patient rates them."""

from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from poise.care.entry import Entry, Instant, Line, Part, Text, each_once
from poise.care.injections import Point, Score


class Target(StrEnum):
    """What a rating is of."""

    TARGET_PAIN = "target_pain"
    """The pain that the injection was for."""
    SORENESS = "soreness"
    """Of the injection site."""
    HEADACHE = "headache"


class Origin(StrEnum):
    """Whether a pain is felt where it comes from, as the patient or the examiner says."""

    LOCAL = "local"
    REFERRED = "referred"
    UNKNOWN = "unknown"


class Spot(Part):
    """A place of pain on the body map, which covers head and face."""

    at: Point
    origin: Origin = Origin.UNKNOWN


class Rating(Entry):
    """0 to 10, 10 the worst imaginable; the last 24 hours unless it is said otherwise."""

    kind: ClassVar[str] = "rating"

    at: Instant
    target: Target
    score: Score
    spots: Annotated[tuple[Spot, ...], Field(max_length=40)] = ()
    note: Text = ""


class Flare(Entry):
    """A time in which the pain was clearly worse than usual.

    Attributes:
        at: when it began.
        ended: None while it goes on.
        worst: 0 to 10.
        before_it: what the patient was doing or thinks that it came from.
    """

    kind: ClassVar[str] = "flare"

    at: Instant
    ended: Instant | None = None
    worst: Score
    spots: Annotated[tuple[Spot, ...], Field(max_length=40)] = ()
    before_it: Text = ""

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        """Refuse an end before the beginning."""
        if self.ended is not None and self.ended < self.at:
            raise ValueError("a flare must not end before it begins")
        return self


class Doing(Part):
    """An activity that has become hard.

    Attributes:
        activity: in the patient's own words, kept the same from time to time.
        score: 0 cannot be done, 10 as well as before the trouble.
    """

    activity: Line
    score: Score


class Function(Entry):
    """How everyday life goes: up to five activities of the patient's own, and four ratings beside them.

    Activities chosen by the patient and rated from 0 to 10 are the idea of the Patient-Specific Functional
    Scale (Stratford and others 1995, Physiother Can 47:258); none of its wording is used. Licensed
    questionnaires are not in this program.

    Attributes:
        activities: each once; may be none at a time at which only the ratings were asked for.
        sleep: 0 to 10, 10 very well.
        stiffness: 0 to 10, 10 the worst imaginable.
        work: 0 to 10, 10 the day's work as well as before the trouble.
        stress: 0 to 10, 10 as tense as can be.
    """

    kind: ClassVar[str] = "function"

    at: Instant
    activities: Annotated[tuple[Doing, ...], Field(max_length=5)] = ()
    sleep: Score | None = None
    stiffness: Score | None = None
    work: Score | None = None
    stress: Score | None = None
    note: Text = ""

    @model_validator(mode="after")
    def _each_activity_once(self) -> Self:
        """Refuse the same activity twice."""
        each_once(tuple(doing.activity.casefold() for doing in self.activities))
        return self
