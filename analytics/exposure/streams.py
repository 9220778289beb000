"""The angles that exposure is counted of, and how they are made whole numbers.

From here to the stored row everything is counted in whole numbers (hundredths of a degree, frames of 0.1 s):
sums of whole numbers do not depend on the order, so that merging is addition and any chunking of the
input gives the same bits.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from analytics.posture.rules import Worn
from poise.samples import Floats
from poise.skeleton import SCAPULAE, Segment

Centidegrees = NDArray[np.int16]
"""Hundredths of a degree; `UNSEEN` where there is no angle."""

UNSEEN: Final = -32768
STREAMS: Final = (
    "head",
    "c7",
    "head_relative",
    "neck",
    "trunk",
    "side_bend",
    "head_side",
    "shoulder_left",
    "shoulder_right",
    "raise_left",
    "raise_right",
    "arm_left",
    "arm_right",
)
"""head and c7 against gravity; head_relative and neck (C7) against the thorax; trunk and side_bend (frontal)
against gravity; head_side (frontal) against the thorax; shoulder (scapula forward, anterior tilt) and raise
(scapula's lateral side up, an estimate) against the trunk; arm: upper arm away from where it hung, never
negative. All against the person's own calibrated upright, forward and to the right positive."""

_ARMS: Final = (Segment.UPPER_ARM_LEFT, Segment.UPPER_ARM_RIGHT)
_LED_AWAY: Final = ("arm_left", "arm_right")
_LIMIT: Final = 18000


@dataclass(frozen=True, slots=True)
class StreamAngles:
    """Streams at consecutive frames.

    Attributes:
        names: (k,) in the order of `STREAMS`.
        values: (k, n) rad, NaN where unseen.
    """

    names: tuple[str, ...]
    values: Floats

    @classmethod
    def of(cls, angles: Mapping[str, Floats]) -> "StreamAngles":
        """Put streams (n,) together; names that are no stream are left out."""
        names = tuple(name for name in STREAMS if name in angles)
        n = len(next(iter(angles.values()), ()))
        return cls(names, np.array([angles[name] for name in names]).reshape(len(names), n))


def streams(sagittal: Floats, frontal: Floats, worn: Worn) -> StreamAngles:
    """Return the streams that can be had from what is worn.

    Args:
        sagittal: (n, m) rad, forward of the person's upright positive; NaN where unseen.
        frontal: (n, m) rad, to the person's right positive.
        worn: what the columns are.
    """
    names, pairs = _named_pairs(tuple(worn.columns.items()))
    values = np.empty((len(names), len(sagittal)))
    inclined = frontal, sagittal
    # Column by column: turning the whole array over at once takes ten times as long.
    for row, name, (plus, minus) in zip(values, names, pairs, strict=True):
        angle = inclined[plus[0]][:, plus[1]]
        if minus == _ZERO:
            row[:] = angle
        elif name in _LED_AWAY:
            row[:] = np.arccos(np.cos(angle) * np.cos(inclined[minus[0]][:, minus[1]]))
        else:
            np.subtract(angle, inclined[minus[0]][:, minus[1]], out=row)
    return StreamAngles(names, values)


@lru_cache(maxsize=64)
def _named_pairs(
    columns: tuple[tuple[str, int], ...],
) -> tuple[tuple[str, ...], tuple[tuple["_Column", "_Column"], ...]]:
    """Return the streams' names, and the columns each is the difference of.

    It is the same for every update of a run, and is looked up once.
    """
    pairs = _pairs(Worn(dict(columns), {}))
    names = tuple(name for name in STREAMS if name in pairs)
    return names, tuple(pairs[name] for name in names)


_Column: TypeAlias = tuple[bool, int]
"""Whether it is a sagittal one, and its number; `_ZERO` is a column of zeros."""
_ZERO: Final = (True, -1)


def _pairs(worn: Worn) -> dict[str, tuple[_Column, _Column]]:
    """Return by stream the column that it is, and the one that is taken away."""
    at: dict[str, int] = {str(name): column for name, column in worn.columns.items()}
    trunk = next((str(s) for s in (worn.trunk, Segment.LUMBAR) if s in at), None)
    found: dict[str, tuple[_Column, _Column]] = {}
    for name in ("head", "c7"):
        if name in at:
            found[name] = (True, at[name]), _ZERO
    if trunk:
        found |= {"trunk": ((True, at[trunk]), _ZERO), "side_bend": ((False, at[trunk]), _ZERO)}
    if worn.trunk:
        found |= _against(at, at[worn.trunk], neck=worn.thorax is not None)
    for arm in _ARMS:
        if arm in at:
            side = arm.removeprefix("upper_arm_")
            found[f"arm_{side}"] = (True, at[arm]), (False, at[arm])
    return found


def _against(at: Mapping[str, int], base: int, *, neck: bool) -> dict[str, tuple[_Column, _Column]]:
    """Return what is taken against the thorax; without one C7 stands in for it."""
    found: dict[str, tuple[_Column, _Column]] = {}
    if "head" in at:
        found["head_relative"] = (True, at["head"]), (True, base)
        found["head_side"] = (False, at["head"]), (False, base)
    if "c7" in at and neck:
        found["neck"] = (True, at["c7"]), (True, base)
    for scapula in SCAPULAE:
        if scapula in at:
            side = scapula.removeprefix("scapula_")
            blade, trunk = (False, at[scapula]), (False, base)
            found[f"shoulder_{side}"] = (True, at[scapula]), (True, base)
            # The outer edge of the left shoulder blade goes up when it tilts to the right, and vice versa.
            found[f"raise_{side}"] = (blade, trunk) if side == "left" else (trunk, blade)
    return found


def centidegrees(angles: Floats) -> Centidegrees:
    """Return whole hundredths of a degree; NaN and what no body does (beyond 180°) is `UNSEEN`."""
    values = angles * (18000 / np.pi)
    there = np.abs(values) <= _LIMIT
    if not there.all():
        values[~there] = UNSEEN
    whole: Centidegrees = np.rint(values, out=values).astype(np.int16)
    return whole


def unseen_exposure(worn: Worn) -> list[str]:
    """Return a sentence for each part of the exposure that what is worn cannot see."""
    said = []
    if Segment.HEAD not in worn.columns:
        said.append("Without a sensor at the head, looking down and bending the neck sideways do not count.")
    if Segment.C7 not in worn.columns:
        said.append("Without a sensor at C7, a head pushed forward with a level gaze does not count.")
    if worn.thorax is None:
        said.append("Without a sensor at T4 or T12, neck and shoulders are told from the trunk only in part.")
    if not any(scapula in worn.columns for scapula in SCAPULAE):
        said.append("Without sensors at the shoulder blades, rounded and raised shoulders do not count.")
    if not any(arm in worn.columns for arm in _ARMS):
        said.append("Without sensors at the upper arms, arm movements do not count.")
    said.append(
        "Turning the head or the trunk does not count: these sensors cannot tell it over a whole day."
    )
    return said
