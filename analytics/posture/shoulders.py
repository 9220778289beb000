"""The rules of the shoulders, each side for itself: rounded, and raised, which is an estimate.

Rounding is seen as the scapula's anterior tilt. Its other half, protraction, turns about the vertical and is
not seen without a magnetometer. Raising is seen as the scapula's lateral (upward) rotation; lifting it
straight up, without any tilt, is not seen by an inertial sensor that only has gravity to go by.
"""

import math
from typing import Final

import numpy as np

from analytics.posture.plan import Plan
from analytics.posture.worn import SCAPULA_UNSEEN, THORAX_UNSEEN, Deviation, Worn, of
from poise.results import Kind
from poise.samples import Floats

_OUTWARD: Final = {"left": 1.0, "right": -1.0}
"""Sign of the frontal inclination of a scapula or upper arm whose outer edge, or elbow, goes up: the upper
end of the right one then tips to the left, and to the right is positive (docs/frames.md)."""
_ROUNDED: Final = {"left": Kind.ROUNDED_SHOULDER_LEFT, "right": Kind.ROUNDED_SHOULDER_RIGHT}
_RAISED: Final = {"left": Kind.RAISED_SHOULDER_LEFT, "right": Kind.RAISED_SHOULDER_RIGHT}


def rounded(sagittal: Floats, worn: Worn, plan: Plan) -> list[Deviation]:
    """Scapula forward beyond the thorax, else beyond C7."""
    found, trunk = [], worn.trunk
    for side, kind in _ROUNDED.items():
        scapula = f"scapula_{side}"
        if trunk is None or scapula not in worn.columns:
            continue
        forward = of(sagittal, worn, scapula)
        beyond = forward - of(sagittal, worn, trunk)
        # C7 goes back alone when one looks up, which is no rounding: then the scapula itself must be forward.
        angle = beyond if worn.thorax else np.minimum(beyond, forward)
        remarks = () if worn.thorax else (THORAX_UNSEEN,)
        threshold = math.radians(plan.rounded_deg)
        found.append(Deviation(kind, angle, threshold, (scapula, trunk), remarks))
    return found


def raised(sagittal: Floats, frontal: Floats, worn: Worn, plan: Plan) -> list[Deviation]:
    """Scapula tilted outward beyond the trunk; without it, the upper arm led away from the body."""
    return [
        deviation
        for side in _RAISED
        if worn.trunk and (deviation := _raised(side, worn.trunk, sagittal, frontal, worn, plan))
    ]


def _raised(
    side: str, trunk: str, sagittal: Floats, frontal: Floats, worn: Worn, plan: Plan
) -> Deviation | None:
    limits_deg = {f"scapula_{side}": plan.raised_deg, f"upper_arm_{side}": plan.raised_arm_deg}
    segment = next((name for name in limits_deg if name in worn.columns), None)
    if segment is None:
        return None
    remarks = () if worn.thorax else (THORAX_UNSEEN,)
    if segment.startswith("upper_arm"):
        remarks = (*remarks, SCAPULA_UNSEEN)
    outward = _OUTWARD[side] * (of(frontal, worn, segment) - of(frontal, worn, trunk))
    margin = outward - plan.raised_share * np.abs(of(sagittal, worn, segment))
    threshold = math.radians(limits_deg[segment])
    return Deviation(_RAISED[side], outward, threshold, (segment, trunk), remarks, margin)
