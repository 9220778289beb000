"""The wearer's body as a chain of rigid segments, and the names of everything about it that can move.

Each segment has three angles against its own calibrated upright: sagittal (forward positive), frontal (to the
person's right positive) and heading (to the left positive, seen from above), all in docs/frames.md. As
inclinations are against gravity, every segment's angles are absolute, not relative to its neighbour.
"""

from itertools import pairwise
from typing import Final

import numpy as np

from poise.errors import ConfigurationError
from poise.samples import Floats
from poise.skeleton import Segment

PELVIS: Final = "pelvis"
PARENT: Final = {
    PELVIS: "",
    Segment.LUMBAR: PELVIS,
    Segment.T12: Segment.LUMBAR,
    Segment.T4: Segment.T12,
    Segment.C7: Segment.T4,
    Segment.HEAD: Segment.C7,
    Segment.SCAPULA_LEFT: Segment.T4,
    Segment.SCAPULA_RIGHT: Segment.T4,
    Segment.UPPER_ARM_LEFT: Segment.SCAPULA_LEFT,
    Segment.UPPER_ARM_RIGHT: Segment.SCAPULA_RIGHT,
    Segment.WRIST_LEFT: Segment.UPPER_ARM_LEFT,
    Segment.WRIST_RIGHT: Segment.UPPER_ARM_RIGHT,
}
SEGMENTS: Final = tuple(str(name) for name in PARENT)
DEFAULT_SEGMENTS: Final = ("head", "c7", "t4", "lumbar", "scapula_left", "scapula_right")
"""What the demonstration wears: six sensors."""

SAGITTAL, FRONTAL, HEADING = 0, 1, 2
AHEAD, ASIDE, UP, TURN, WALK, UNREST = range(3 * len(SEGMENTS), 3 * len(SEGMENTS) + 6)
"""Channels of the whole body: m ahead, m to the left, m up, rad turned to the left, then two envelopes."""
CHANNELS: Final = 3 * len(SEGMENTS) + 6

_TO_NEXT_M: Final = {
    PELVIS: (-0.02, 0.0, 0.10),
    "lumbar": (0.0, 0.0, 0.14),
    "t12": (-0.02, 0.0, 0.19),
    "t4": (0.01, 0.0, 0.13),
    "c7": (0.02, 0.0, 0.09),
}
_SHOULDER_M: Final = {
    "scapula": (0.0, 0.08, 0.04),
    "upper_arm": (0.04, 0.11, 0.05),
    "wrist": (0.0, 0.0, -0.30),
}
_SENSOR_M: Final = {
    "head": (0.09, 0.0, 0.12),
    "c7": (-0.06, 0.0, 0.02),
    "t4": (-0.10, 0.0, 0.02),
    "t12": (-0.10, 0.0, 0.02),
    "lumbar": (-0.09, 0.0, 0.03),
    "scapula": (-0.05, 0.03, -0.02),
    "upper_arm": (0.0, 0.05, -0.15),
    "wrist": (0.0, 0.03, -0.22),
}
"""Joint to joint and joint to sensor, m, for 1.75 m of height, in the body's axes; left sides as given.
Round figures of a grown person, chosen for this simulation, not taken from a table."""
_TALL_M: Final = 1.75


def channel(segment: str, axis: int) -> int:
    """Return the channel of one of a segment's three angles."""
    return 3 * SEGMENTS.index(segment) + axis


def chain(segment: str) -> tuple[str, ...]:
    """Return the segments from the pelvis to `segment`.

    Raises:
        ConfigurationError: for a segment that the wearer does not have.
    """
    if segment not in PARENT or segment == PELVIS:
        worn = ", ".join(name for name in SEGMENTS if name != PELVIS)
        raise ConfigurationError(f"the simulated wearer has no {segment!r}; choose from: {worn}")
    links = [segment]
    while PARENT[links[0]]:
        links.insert(0, PARENT[links[0]])
    return tuple(str(link) for link in links)


def levers(segment: str, height_m: float) -> Floats:
    """Return (3, k) m: for each link of the chain the way to the next joint, for the last to its sensor."""
    links = chain(segment)
    ways = [_way(one, two) for one, two in pairwise(links)]
    ways.append(_sided(_SENSOR_M, segment))
    return np.array(ways).T * (height_m / _TALL_M)


def _way(one: str, two: str) -> tuple[float, float, float]:
    part = two.removesuffix("_left").removesuffix("_right")
    return _sided(_SHOULDER_M, two) if part in _SHOULDER_M else _TO_NEXT_M[one]


def _sided(table: dict[str, tuple[float, float, float]], segment: str) -> tuple[float, float, float]:
    part = segment.removesuffix("_left").removesuffix("_right")
    x, y, z = table[part]
    return (x, -y if segment.endswith("_right") else y, z)
