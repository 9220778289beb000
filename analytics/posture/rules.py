"""The rules of docs/postures.md behind one door: angles in, how strongly each kind is present out."""

from typing import Final

from analytics.posture import shoulders, spine
from analytics.posture.plan import DEFAULT_PLAN, Plan
from analytics.posture.worn import MEASURES, Deviation, Worn, measures, unseen
from poise.results import SPINE_KINDS, Kind
from poise.samples import Floats

KINDS: Final = (*SPINE_KINDS, *(kind for kind in Kind if kind not in SPINE_KINDS))
"""Every kind, spine kinds first and in the order in which they go before each other."""

__all__ = [
    "DEFAULT_PLAN",
    "KINDS",
    "MEASURES",
    "Deviation",
    "Plan",
    "Worn",
    "deviations",
    "measures",
    "unseen",
]


def deviations(sagittal: Floats, frontal: Floats, worn: Worn, plan: Plan) -> list[Deviation]:
    """Return every kind that can be judged with what is worn, spine kinds first and in their order.

    Args:
        sagittal: (n, m) rad.
        frontal: (n, m) rad.
        worn: what the columns are.
        plan: thresholds.
    """
    return [
        *spine.hip_lean(sagittal, worn, plan),
        *spine.slouch(sagittal, worn, plan),
        *spine.forward_head(sagittal, worn, plan),
        *spine.looking_down(sagittal, worn, plan),
        *shoulders.rounded(sagittal, worn, plan),
        *shoulders.raised(sagittal, frontal, worn, plan),
        *spine.side_bend(frontal, worn, plan),
    ]
