"""An injection into a trigger point, or dry needling: what was done, where, with what, by whom."""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from poise.care.entry import SCORE, Entry, Instant, Line, Part, Text

Score = Annotated[int, Field(ge=SCORE[0], le=SCORE[1])]


class Muscle(StrEnum):
    """The muscles of the upper back that the document names."""

    UPPER_TRAPEZIUS = "upper_trapezius"
    RHOMBOID_MAJOR = "rhomboid_major"
    RHOMBOID_MINOR = "rhomboid_minor"
    LEVATOR_SCAPULAE = "levator_scapulae"
    SERRATUS_POSTERIOR_SUPERIOR = "serratus_posterior_superior"


class Side(StrEnum):
    """Of the patient's body."""

    LEFT = "left"
    RIGHT = "right"


class Substance(StrEnum):
    """What is injected."""

    LIDOCAINE = "lidocaine"
    BUPIVACAINE = "bupivacaine"
    SALINE = "saline"
    CORTICOSTEROID = "corticosteroid"


class Component(Part):
    """One part of what was injected.

    Attributes:
        concentration_percent: 1 for lidocaine 1 %; None where it is given otherwise (a corticosteroid in mg).
        dose_mg: in all, where that is how it is given.
        volume_ml: into all points of this site together.
    """

    substance: Substance
    concentration_percent: Annotated[float, Field(gt=0, le=100)] | None = None
    dose_mg: Annotated[float, Field(gt=0, le=1000)] | None = None
    volume_ml: Annotated[float, Field(gt=0, le=50)]


class Point(Part):
    """A point on the body map, as shares of its width and height from the top left of the back view.

    Attributes:
        view: the map that it lies on.
    """

    view: Literal["back", "front", "head_left", "head_right"] = "back"
    x: Annotated[float, Field(ge=0, le=1)]
    y: Annotated[float, Field(ge=0, le=1)]


class Needle(Part):
    """Gauge and length; the document gives 25 to 30 gauge and 1 to 1.5 inches, others are not refused."""

    gauge: Annotated[int, Field(ge=14, le=40)]
    length_mm: Annotated[float, Field(gt=0, le=150)]


class Site(Part):
    """One muscle on one side.

    Attributes:
        points: trigger points that were needled.
        components: empty for dry needling.
        twitch: whether a local twitch was seen; None if it was not noted.
    """

    muscle: Muscle
    side: Side
    at: Point | None = None
    points: Annotated[int, Field(ge=1, le=20)]
    components: tuple[Component, ...] = ()
    twitch: bool | None = None

    @property
    def dry(self) -> bool:
        """Whether nothing was injected."""
        return not self.components


class Position(StrEnum):
    """How the patient lay or sat."""

    SEATED = "seated"
    PRONE = "prone"
    SIDE_LYING = "side_lying"


class Guidance(StrEnum):
    """What led the needle."""

    PALPATION = "palpation"
    ULTRASOUND = "ultrasound"


class Injection(Entry):
    """One session of injections.

    Attributes:
        at: when it ended; phases and check-ins count from here.
        course: names the planned series that it belongs to; a planned series is one course. "" for a course
            of its own.
        pain_before: 0 to 10, right before.
        pain_after: 0 to 10, right after.
    """

    kind: ClassVar[str] = "injection"

    at: Instant
    operator: Line
    position: Position
    sites: Annotated[tuple[Site, ...], Field(min_length=1, max_length=20)]
    needle: Needle | None = None
    guidance: Guidance
    course: Annotated[Text, Field(max_length=100)] = ""
    pain_before: Score | None = None
    pain_after: Score | None = None
    note: Text = ""

    @model_validator(mode="after")
    def _each_site_once(self) -> Self:
        """Refuse the same muscle and side twice: their points are counted in one site."""
        places = [(site.muscle, site.side) for site in self.sites]
        if len(set(places)) < len(places):
            raise ValueError("name each muscle and side once, with the number of its points")
        return self
