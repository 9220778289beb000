"""How far beyond its threshold each kind is, from the angles of posture frames."""

from typing import Final

import numpy as np

from analytics.cues.exposure import NEAR_UPRIGHT
from analytics.posture.rules import Plan, Worn, deviations
from poise.results import PostureFrames
from poise.samples import Floats

_UPRIGHT: Final = NEAR_UPRIGHT / 2


def ratios_of(frames: PostureFrames, plan: Plan) -> Floats:
    """Return (n, k) deviation over threshold for the columns of `held`; NaN where it cannot be seen.

    The person's bow decides which kind holds, never how far it goes, and is not needed here. Where a rule's
    other condition fails, its angle is no posture on its way: it counts as near upright.
    """
    worn = Worn({segment: j for j, segment in enumerate(frames.segments)}, {})
    ratio = np.full(frames.held.shape, np.nan)
    column = {kind: j for j, kind in enumerate(frames.kinds)}
    for found in deviations(frames.sagittal, frames.frontal, worn, plan):
        j = column.get(found.kind)
        if j is not None and found.threshold > 0:
            ratio[:, j] = found.angle / found.threshold
            if found.margin is not None:
                ratio[found.margin < 0, j] = np.minimum(ratio[found.margin < 0, j], _UPRIGHT)
    return ratio
