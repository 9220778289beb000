"""The posture of a held stretch: one answer for a pose that has been sat in for a while.

Rules of docs/postures.md on the stretch's median angles, with two differences that a held pose allows and a
live stream does not: it is known to be a pose, so leaning back is a posture, and half a side bend is enough.
"""

from enum import StrEnum
from typing import Final

import numpy as np

from analytics.posture.plan import DEFAULT_PLAN, Plan
from analytics.posture.rules import deviations
from analytics.posture.worn import Worn, of
from poise.results import SPINE_KINDS
from poise.samples import Floats
from poise.skeleton import Segment


class HeldPosture(StrEnum):
    """What a held pose is called; the kinds of the spine have the names of `Kind`."""

    UPRIGHT = "upright"
    SLOUCH = "slouch"
    HIP_LEAN = "hip_lean"
    FORWARD_HEAD = "forward_head"
    LOOKING_DOWN = "looking_down"
    BACKWARD_BEND = "backward_bend"
    RIGHT_BEND = "right_bend"
    LEFT_BEND = "left_bend"
    UNSEEN = "unseen"


SIDEWAYS_SHARE: Final = 0.5
"""Of the side bend's threshold: a held pose needs no safety against flicker. A project decision."""


def held_posture(sagittal: Floats, frontal: Floats, worn: Worn, plan: Plan = DEFAULT_PLAN) -> HeldPosture:
    """Name the posture of one held stretch.

    Args:
        sagittal: (n, m) or (m,) rad over the stretch; its median is judged. NaN where unseen.
        frontal: likewise.
        worn: what the columns are.
        plan: thresholds.

    Returns:
        the posture; UNSEEN where neither a thorax reference nor C7 was seen.
    """
    pose, side = _median(sagittal), _median(frontal)
    seen = {name: j for name, j in worn.columns.items() if np.isfinite(pose[0, j])}
    there = Worn(seen, worn.bow)
    if there.trunk is None:
        return HeldPosture.UNSEEN
    return (
        _backward(pose, there, there.trunk, plan)
        or _sideways(side, there, there.trunk, plan)
        or _forward(pose, side, there, plan)
        or HeldPosture.UPRIGHT
    )


def _median(angles: Floats) -> Floats:
    rows = np.atleast_2d(angles)
    seen = np.isfinite(rows).any(axis=0)
    median = np.full((1, rows.shape[1]), np.nan)
    if seen.any():
        median[0, seen] = np.nanmedian(rows[:, seen], axis=0)
    return median


def _backward(pose: Floats, worn: Worn, trunk: str, plan: Plan) -> HeldPosture | None:
    """Leaning back tips the pelvis first; the upper back may follow the head and stay."""
    back = [of(pose, worn, name)[0] for name in (trunk, Segment.LUMBAR) if name in worn.columns]
    return HeldPosture.BACKWARD_BEND if min(back) <= -np.radians(plan.slouch_deg) else None


def _sideways(side: Floats, worn: Worn, trunk: str, plan: Plan) -> HeldPosture | None:
    lean = float(of(side, worn, trunk)[0])
    if abs(lean) < SIDEWAYS_SHARE * np.radians(plan.side_bend_deg):
        return None
    return HeldPosture.RIGHT_BEND if lean > 0 else HeldPosture.LEFT_BEND


def _forward(pose: Floats, side: Floats, worn: Worn, plan: Plan) -> HeldPosture | None:
    found = {d.kind for d in deviations(pose, side, worn, plan) if d.excess[0] >= 0}
    return next((HeldPosture(kind) for kind in SPINE_KINDS if kind in found), None)
