"""The load behind a cue: how far times how long, taken back by time near upright.

Exposure variation analysis (Mathiassen and Winkel 1991, doi:10.1080/00140139108964889) sorts time by the
level of an exposure and by how long it lasted without a break. The load weighs each tenth of a second by its
cell of that table and takes off what time near upright gives back, never below zero: a cumulative sum with a
floor (Page 1954, doi:10.1093/biomet/41.1-2.100). Levels, durations and weights are project decisions.

Everything is counted in whole eighths of a frame, so that any chunking gives the same load.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from poise.results import GRID_US
from poise.samples import Bools, Floats, Int64s

FRAMES_PER_SECOND: Final = 1_000_000 // GRID_US
UNITS_PER_SECOND: Final = 8 * FRAMES_PER_SECOND
"""A second held at the threshold is worth this, once the posture has lasted `PASSING_S`."""
NEAR_UPRIGHT: Final = 0.5
"""Below this share of every threshold the wearer is near upright and recovers fully; above it by half."""
LEVELS: Final = (1.5, 2.0)
"""Deviation over threshold at which the second and the third level begin."""
PASSING_S: Final = 10.0
"""A stretch shorter than an episode's dwell weighs half: it may be a glance."""
_PASSING: Final = round(PASSING_S * FRAMES_PER_SECOND)
_WEIGHTS: Final = np.array([[4, 8], [6, 12], [8, 16]], np.int64)
"""(level, duration) eighths for a frame: passing and lasting, at 1, 1.5 and 2 times the threshold."""


def levels(ratio: Floats) -> NDArray[np.int8]:
    """Return (n,) levels 0 to 2 of held frames.

    Args:
        ratio: (n,) deviation over its threshold; NaN counts as at the threshold.
    """
    with np.errstate(invalid="ignore"):
        return np.asarray((ratio >= LEVELS[0]).astype(np.int8) + (ratio >= LEVELS[1]), np.int8)


class Load:
    """The load of one wearer over all kinds, so that changing one bad posture for another is no return."""

    def __init__(self, recovery: float, *, weighed: bool = True) -> None:
        """Begin without load.

        Args:
            recovery: s of load that a second near upright takes away.
            weighed: False counts every held frame as one, for plain threshold cueing.
        """
        self.units = 0
        self._stretch = 0
        self._weighed = weighed
        self._half = max(1, round(4 * recovery))

    def rise(self, level: NDArray[np.int8], limit: int) -> Int64s:
        """Take consecutive held frames; nothing rises above the limit.

        Args:
            level: (n,) from `levels`.
            limit: units.

        Returns:
            (n,) units after each frame; `keep` says how many of them were meant.
        """
        n = len(level)
        if not self._weighed:
            return np.minimum(self.units + 8 * np.arange(1, n + 1, dtype=np.int64), limit)
        lasting = np.arange(self._stretch, self._stretch + n) >= _PASSING
        return np.minimum(self.units + np.cumsum(_WEIGHTS[level, lasting.astype(np.int8)]), limit)

    def keep(self, units: int, frames: int) -> None:
        """Go on with `units` after the first `frames` frames of the last `rise`."""
        self.units = units
        self._stretch += frames

    def fall(self, near: Bools) -> None:
        """Take frames in which nothing was held; (n,) True where near upright or unseen."""
        self._stretch = 0
        self.units = max(0, self.units - self._half * (len(near) + int(np.count_nonzero(near))))

    def wait(self, frames: int) -> None:
        """Take frames that are missing: nothing is known of them, and they are held against nobody."""
        self._stretch = 0
        self.units = max(0, self.units - 2 * self._half * frames)
