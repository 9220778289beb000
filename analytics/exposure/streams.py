"""The angles that exposure is counted of, and how they are made whole numbers.

From here to the stored row everything is counted in whole numbers (hundredths of a degree, frames of 0.1 s):
sums of whole numbers do not depend on the order, so that merging is addition and any chunking of the
input gives the same bits.
"""

from collections.abc import Mapping, Sequence
from typing import Final

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
_LIMIT: Final = 18000


def streams(sagittal: Floats, frontal: Floats, worn: Worn) -> dict[str, Floats]:
    """Return the streams (n,) rad that can be had from what is worn; NaN where unseen.

    Args:
        sagittal: (n, m) rad, forward of the person's upright positive.
        frontal: (n, m) rad, to the person's right positive.
        worn: what the columns are.
    """
    at = worn.columns
    trunk = next((s for s in (worn.trunk, Segment.LUMBAR) if s in at), None)
    base = at[trunk] if trunk else None
    found: dict[str, Floats] = {}
    for name in (Segment.HEAD, Segment.C7):
        if name in at:
            found[str(name)] = sagittal[:, at[name]]
    if base is not None:
        found |= {"trunk": sagittal[:, base], "side_bend": frontal[:, base]}
        found |= _against(sagittal, frontal, worn, base)
    for arm in _ARMS:
        if arm in at:
            side = arm.removeprefix("upper_arm_")
            upright = np.cos(sagittal[:, at[arm]]) * np.cos(frontal[:, at[arm]])
            found[f"arm_{side}"] = np.arccos(upright)
    return found


def _against(sagittal: Floats, frontal: Floats, worn: Worn, base: int) -> dict[str, Floats]:
    """Return the angles against the thorax; without one C7 stands in for it."""
    at, found = worn.columns, {}
    neck_base = worn.thorax or (Segment.C7 if Segment.C7 in at else None)
    if Segment.HEAD in at and neck_base:
        found["head_relative"] = sagittal[:, at[Segment.HEAD]] - sagittal[:, at[neck_base]]
        found["head_side"] = frontal[:, at[Segment.HEAD]] - frontal[:, at[neck_base]]
    if Segment.C7 in at and worn.thorax:
        found["neck"] = sagittal[:, at[Segment.C7]] - sagittal[:, at[worn.thorax]]
    for scapula in SCAPULAE if worn.trunk else ():
        if scapula in at:
            side = scapula.removeprefix("scapula_")
            # The lateral side of the left shoulder blade goes up when it tilts to the right, and vice versa.
            sign = 1.0 if side == "left" else -1.0
            found[f"shoulder_{side}"] = sagittal[:, at[scapula]] - sagittal[:, base]
            found[f"raise_{side}"] = sign * (frontal[:, at[scapula]] - frontal[:, base])
    return found


def centidegrees(angles: Mapping[str, Floats], names: Sequence[str]) -> Centidegrees:
    """Return (k, n) whole hundredths of a degree; NaN and what no body does (beyond 180°) is `UNSEEN`."""
    values = np.array([angles[name] for name in names])
    values *= 18000 / np.pi
    with np.errstate(invalid="ignore"):
        values[~(np.abs(values) <= _LIMIT)] = UNSEEN
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
