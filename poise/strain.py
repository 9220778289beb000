"""What the guard of the activity speaks of: effort that the days after an injection ask to leave out."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Strain(StrEnum):
    """Kinds of effort; rules in `docs/guard.md`."""

    VIGOROUS_ARMS = "vigorous_arms"
    OVERHEAD = "overhead"
    LIFTING_LIKE = "lifting_like"
    """The trunk bends far and rises, again and again. What is lifted, and whether anything is, is unknown."""


STRAIN_TEXT: Final = {
    Strain.VIGOROUS_ARMS: "vigorous work of the arms",
    Strain.OVERHEAD: "arms held high",
    Strain.LIFTING_LIKE: "lifting-like bending",
}


@dataclass(frozen=True, slots=True)
class Exceedance:
    """A stretch of effort above the limit of its day; a later one with the same kind and start replaces it.

    Attributes:
        kind: which effort.
        start_us: UTC µs at which it began, dated back before it was known.
        end_us: UTC µs of its last moment, known once calm has returned; None while it lasts.
        estimate: no sensor on an arm saw it, where one is needed to be sure; always so for lifting-like.
        about: the segments that it rests on, "trunk" for whichever of it is worn.
    """

    kind: Strain
    start_us: int
    end_us: int | None
    estimate: bool
    about: tuple[str, ...]
