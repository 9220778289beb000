"""The parts of the body that sensors are worn on.

A segment is a plain string on the wire, so that a name this version does not know is kept, never rejected.
Frames and axes are drawn in `docs/frames.md`.
"""

from enum import StrEnum
from typing import Final


class Segment(StrEnum):
    """Segments that this version knows how to judge."""

    HEAD = "head"
    C7 = "c7"
    T4 = "t4"
    T12 = "t12"
    LUMBAR = "lumbar"
    SCAPULA_LEFT = "scapula_left"
    SCAPULA_RIGHT = "scapula_right"
    UPPER_ARM_LEFT = "upper_arm_left"
    UPPER_ARM_RIGHT = "upper_arm_right"
    WRIST_LEFT = "wrist_left"
    WRIST_RIGHT = "wrist_right"


SPINE: Final = (Segment.HEAD, Segment.C7, Segment.T4, Segment.T12, Segment.LUMBAR)
SCAPULAE: Final = (Segment.SCAPULA_LEFT, Segment.SCAPULA_RIGHT)
THORAX_REFERENCES: Final = (Segment.T4, Segment.T12)
"""Best first: the first of these that is worn is the thorax reference."""


def spoken(segment: str) -> str:
    """Return the segment's name as a person would say it, for pages and messages."""
    names = {"head": "head", "c7": "C7", "t4": "T4", "t12": "T12", "lumbar": "lower back"}
    if segment in names:
        return names[segment]
    part, _, side = segment.rpartition("_")
    return f"{side} {part.replace('_', ' ')}" if part and side in ("left", "right") else segment


def place(segment: str) -> str:
    """Return the segment as a place within a sentence: "the head", but "C7"."""
    name = spoken(segment)
    return name if name[:1].isupper() else f"the {name}"
