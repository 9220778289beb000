"""Whether the wearer varies posture unasked: shifts in the last ten minutes.

A lapse in work that varies ends by itself with the next shift; one in steady work stays. And variation is
what ergonomics asks for: where office workers were prompted to shift, fewer got neck pain within six months
(17 % against 44 %, doi:10.5271/sjweh.3949). So who shifts is left longer (`CuePlan.delay_s`), and who sits
still is asked early (`CuePlan.steady_s`).

This looks at the deviation that a cue is about, in thresholds, and not at what follows a cue; the shifts of
`analytics.exposure.stillness` are of the trunk in degrees, whatever made them. Seated office workers shifted
about nine times in 15 min (doi:10.1016/j.apergo.2024.104374); half as often is called varied here. All limits
are project decisions, tried in `benchmarks/cues.py`.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from analytics.cues.exposure import FRAMES_PER_SECOND
from poise.samples import Floats

BLOCK: Final = 10 * FRAMES_PER_SECOND
"""Frames of a block. A fidget of a few seconds hardly moves the mean of ten."""
SHIFT_RATIO: Final = 0.4
"""The mean of a block differs by so much from the one before the last: a shift, 5° of 12°."""
APART: Final = 3
"""Blocks from one shift to the next at least, so that none is counted twice."""
WINDOW: Final = 60
"""Blocks for which a shift counts."""
SHIFTS: Final = 3
"""With so many in the window the work varies."""
STEPS: Final = 64
"""A threshold has so many steps: whole numbers, so that any chunking gives the same sum."""
UNKNOWN: Final = -1
"""Steps of a deviation that is not known, or in an activity in which posture is not judged."""
_MOST: Final = 8.0


def steps_of(far: Floats) -> NDArray[np.int16]:
    """Return (n,) whole steps of the deviation.

    Args:
        far: (n,) deviation over threshold; NaN is unknown, and so is every block with it.
    """
    known = np.where(np.isnan(far), 0.0, np.clip(far, 0.0, _MOST))
    steps: NDArray[np.int16] = np.rint(known * STEPS).astype(np.int16)
    steps[np.isnan(far)] = UNKNOWN
    return steps


class Variation:
    """Counts a wearer's own shifts, block by block of the grid."""

    def __init__(self) -> None:
        """Begin without a shift: work counts as steady until it is seen to vary."""
        self._block = -1
        self._sum = 0
        self._seen = 0
        self._before: tuple[int | None, int | None] = (None, None)
        self._shifts: list[int] = []

    @property
    def varied(self) -> bool:
        """The wearer shifted often enough in the last ten minutes."""
        return len(self._shifts) >= SHIFTS

    def turn(self, frame: int) -> bool:
        """Say where the next frames lie; True if a block begins: only then does `varied` change."""
        block = frame // BLOCK
        if block == self._block:
            return False
        mean = self._sum if self._seen == BLOCK else None
        if mean is not None and self._shifted(mean):
            self._shifts.append(self._block)
        self._before = (self._before[1], mean) if block == self._block + 1 else (None, None)
        self._shifts = [at for at in self._shifts if at > block - 1 - WINDOW]
        self._block, self._sum, self._seen = block, 0, 0
        return True

    def take(self, steps: NDArray[np.int16], *, asked: bool) -> None:
        """Take consecutive frames of one block; what a cue asks for is no shift of one's own.

        Args:
            steps: (n,) from `steps_of`.
            asked: a cue asked meanwhile.
        """
        if asked or int(steps.min()) == UNKNOWN:
            return
        self._sum += int(steps.sum())
        self._seen += len(steps)

    def _shifted(self, mean: int) -> bool:
        """Tell whether the block that ends is a shift away from the one before the last."""
        earlier, between = self._before
        if earlier is None or between is None or (self._shifts and self._block - self._shifts[-1] < APART):
            return False
        return abs(mean - earlier) >= SHIFT_RATIO * STEPS * BLOCK
