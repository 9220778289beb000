"""The rules of the spine: lean from the hips, slouch, forward head, looking down, side bend."""

import math

import numpy as np

from analytics.posture.plan import Plan
from analytics.posture.worn import C7_UNSEEN, LUMBAR_UNSEEN, THORAX_UNSEEN, Deviation, Worn, of
from poise.results import Kind
from poise.samples import Floats
from poise.skeleton import SCAPULAE, Segment


def hip_lean(sagittal: Floats, worn: Worn, plan: Plan) -> list[Deviation]:
    """Trunk and lumbar forward together; without a thorax reference C7 stands in for it."""
    trunk = worn.trunk
    if trunk is None or Segment.LUMBAR not in worn.columns:
        return []
    # C7 leans less than the thorax (recordings: 12° against 18°) and must not be a forward head first.
    limit_deg = _forward_deg(worn, plan)
    if worn.thorax is None:
        limit_deg = min(limit_deg, plan.forward_head_deg)
    return [
        Deviation(
            Kind.HIP_LEAN,
            of(sagittal, worn, trunk),
            math.radians(limit_deg),
            (trunk, Segment.LUMBAR),
            () if worn.thorax else (THORAX_UNSEEN,),
            _leaning(sagittal, worn, trunk, plan),
        )
    ]


def slouch(sagittal: Floats, worn: Worn, plan: Plan) -> list[Deviation]:
    """Thorax forward with the lumbar still; without lumbar the two are not told apart, and that is said."""
    threshold = math.radians(_forward_deg(worn, plan))
    if worn.thorax is None:
        return _slouch_by_shoulders(sagittal, worn, threshold)
    angle = of(sagittal, worn, worn.thorax)
    if Segment.LUMBAR not in worn.columns:
        return [Deviation(Kind.SLOUCH, angle, threshold, (worn.thorax,), (LUMBAR_UNSEEN,))]
    still = -_leaning(sagittal, worn, worn.thorax, plan)
    return [Deviation(Kind.SLOUCH, angle, threshold, (worn.thorax, Segment.LUMBAR), (), still)]


def forward_head(sagittal: Floats, worn: Worn, plan: Plan) -> list[Deviation]:
    """C7 forward of upright and beyond the thorax: leaning back moves it against the thorax, not forward."""
    if Segment.C7 not in worn.columns:
        return []
    c7, threshold = of(sagittal, worn, Segment.C7), math.radians(plan.forward_head_deg)
    if worn.thorax is None:
        return [Deviation(Kind.FORWARD_HEAD, c7, threshold, (Segment.C7,), (THORAX_UNSEEN,))]
    beyond = np.minimum(c7 - of(sagittal, worn, worn.thorax), c7)
    return [Deviation(Kind.FORWARD_HEAD, beyond, threshold, (Segment.C7, worn.thorax))]


def looking_down(sagittal: Floats, worn: Worn, plan: Plan) -> list[Deviation]:
    """Head forward of C7; where C7 is not worn, of the thorax."""
    if Segment.HEAD not in worn.columns or worn.trunk is None:
        return []
    base = Segment.C7 if Segment.C7 in worn.columns else worn.trunk
    angle = of(sagittal, worn, Segment.HEAD) - of(sagittal, worn, base)
    remarks = () if base == Segment.C7 else (C7_UNSEEN,)
    threshold = math.radians(plan.looking_down_deg)
    return [Deviation(Kind.LOOKING_DOWN, angle, threshold, (Segment.HEAD, base), remarks)]


def side_bend(frontal: Floats, worn: Worn, plan: Plan) -> list[Deviation]:
    """Thorax sideways, either side."""
    if worn.thorax is None:
        return []
    angle = np.abs(of(frontal, worn, worn.thorax))
    return [Deviation(Kind.SIDE_BEND, angle, math.radians(plan.side_bend_deg), (worn.thorax,))]


def _forward_deg(worn: Worn, plan: Plan) -> float:
    """Return how far forward the trunk must be: T12 leans less in a slouch than T4."""
    return plan.slouch_t12_deg if worn.thorax == Segment.T12 else plan.slouch_deg


def _leaning(sagittal: Floats, worn: Worn, trunk: str, plan: Plan) -> Floats:
    """Return (n,) rad by which the lumbar leans far enough with the trunk for a lean from the hips.

    A still lumbar in a slouch is below 0; so is a lumbar that sways a little, or trails far behind the trunk.
    """
    lumbar = of(sagittal, worn, Segment.LUMBAR)
    share = plan.still_share * worn.hip_ratio
    far: Floats = lumbar - math.radians(plan.hip_lean_deg)
    return np.minimum(far, lumbar - share * of(sagittal, worn, trunk))


def _slouch_by_shoulders(sagittal: Floats, worn: Worn, threshold: float) -> list[Deviation]:
    """Without a thorax reference C7 and both scapulae forward together are a slouch (docs/postures.md)."""
    sensors = (Segment.C7, *SCAPULAE)
    if not worn.has(*sensors):
        return []
    least = np.minimum.reduce([of(sagittal, worn, segment) for segment in sensors])
    if Segment.LUMBAR not in worn.columns:
        return [Deviation(Kind.SLOUCH, least, threshold, sensors, (THORAX_UNSEEN, LUMBAR_UNSEEN))]
    return [Deviation(Kind.SLOUCH, least, threshold, sensors, (THORAX_UNSEEN,))]
