"""Which sensors ride on the same part of the body, and what one of them does by itself."""

from collections.abc import Mapping
from typing import Final

import numpy as np

from poise.skeleton import Segment

NEIGHBOURS: Final[Mapping[str, tuple[str, ...]]] = {
    Segment.HEAD: (Segment.C7, Segment.T4),
    Segment.C7: (Segment.T4, Segment.T12, Segment.SCAPULA_LEFT, Segment.SCAPULA_RIGHT),
    Segment.T4: (Segment.C7, Segment.T12, Segment.SCAPULA_LEFT, Segment.SCAPULA_RIGHT),
    Segment.T12: (Segment.T4, Segment.C7, Segment.LUMBAR),
    Segment.LUMBAR: (Segment.T12, Segment.T4, Segment.C7),
    Segment.SCAPULA_LEFT: (Segment.T4, Segment.C7, Segment.SCAPULA_RIGHT),
    Segment.SCAPULA_RIGHT: (Segment.T4, Segment.C7, Segment.SCAPULA_LEFT),
}
"""The segments that a segment is held against. Arms hang where they like: nothing is said about them."""
TRUNK: Final = (Segment.C7, Segment.T4, Segment.T12, Segment.LUMBAR)
WITNESSES: Final = 2
"""So many neighbours must be seen before a difference is one sensor's: of two that differ, nobody knows which
one moved."""


def alone(segment: str, offsets: Mapping[str, tuple[float, float]]) -> tuple[float, float] | None:
    """Return how far a sensor is from the nearest of its neighbours, each angle for itself, rad.

    The nearest, so that one neighbour with a posture of its own does not make a slip of it. None without
    `WITNESSES`.
    """
    beside = [offsets[other] for other in NEIGHBOURS.get(segment, ()) if other in offsets]
    if len(beside) < WITNESSES:
        return None
    own = offsets[segment]
    sagittal = min((own[0] - other[0] for other in beside), key=abs)
    frontal = min((own[1] - other[1] for other in beside), key=abs)
    return sagittal, frontal


def trunk_lean(offsets: Mapping[str, tuple[float, float]]) -> tuple[float, float]:
    """Return median sagittal and frontal inclination of the trunk's sensors (without any, of all), rad."""
    seen = [offsets[segment] for segment in TRUNK if segment in offsets] or list(offsets.values())
    if not seen:
        return 0.0, 0.0
    sagittal, frontal = np.median(np.array(seen), axis=0)
    return float(sagittal), float(frontal)
