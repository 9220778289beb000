"""The load behind a cue: how far times how long, taken back by time near upright.

Exposure variation analysis (Mathiassen and Winkel 1991, doi:10.1080/00140139108964889) sorts time by the
level of an exposure and by how long it lasted without a break. The load weighs each tenth of a second by its
cell of that table and takes off what time near upright gives back, never below zero: a cumulative sum with a
floor (Page 1954, doi:10.1093/biomet/41.1-2.100). Between near upright and the threshold is a level of its
own: a slow sinking is on its way long before it gets there. That level alone never fills the load: a cue
speaks of a posture that is held. Levels, durations and weights are project decisions.

Everything is counted in whole eighths of a frame, so that any chunking gives the same load.
"""

from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from poise.results import GRID_US
from poise.samples import Floats, Int64s

FRAMES_PER_SECOND: Final = 1_000_000 // GRID_US
UNITS_PER_SECOND: Final = 8 * FRAMES_PER_SECOND
"""A second held at the threshold is worth this, once the posture has lasted `PASSING_S`."""
NEAR_UPRIGHT: Final = 0.5
"""Below this share of every threshold the wearer is near upright and recovers; above it, and short of the
threshold, is the moderate level."""
MODERATE_SHARE: Final = (7, 8)
"""The part of the limit up to which the moderate level can bring the load."""
LEVELS: Final = (1.5, 2.0)
"""Deviation over threshold at which the second and the third level begin."""
DURATIONS_S: Final = (10.0, 60.0)
"""A stretch shorter than an episode's dwell weighs half: it may be a glance. One from the minute on at which
RULA calls a posture static (McAtamney and Corlett 1993, doi:10.1016/0003-6870(93)90080-S) weighs double."""
BREAK_S: Final = 5.0
"""A return shorter than this is a fidget and ends no stretch."""
_DURATIONS: Final = [round(seconds * FRAMES_PER_SECOND) for seconds in DURATIONS_S]
_BREAK: Final = round(BREAK_S * FRAMES_PER_SECOND)
_WEIGHTS: Final = np.array([[4, 8, 16], [6, 12, 24], [8, 16, 32]], np.int64)
"""(level, duration) eighths for a frame: passing, lasting and static, at 1, 1.5 and 2 times the threshold."""
_MODERATE_WEIGHTS: Final = (2, 4, 8)
"""Eighths for a frame at the moderate level, by duration."""


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
        self._away = 0
        self._weighed = weighed
        self._back = max(1, round(8 * recovery))

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
        duration = np.searchsorted(_DURATIONS, np.arange(self._stretch, self._stretch + n), "right")
        return np.minimum(self.units + np.cumsum(_WEIGHTS[level, duration]), limit)

    def keep(self, units: int, frames: int) -> None:
        """Go on with `units` after the first `frames` frames of the last `rise`."""
        self.units = units
        self._go_on(frames)

    def approach(self, frames: int, limit: int) -> None:
        """Take frames at the moderate level; the stretch goes on into the posture that follows."""
        most = limit * MODERATE_SHARE[0] // MODERATE_SHARE[1]
        ends = [min(self._stretch + frames, max(self._stretch, edge)) for edge in _DURATIONS]
        edges = [self._stretch, *ends, self._stretch + frames]
        risen = sum(w * (b - a) for w, (a, b) in zip(_MODERATE_WEIGHTS, pairwise(edges), strict=True))
        self.units = max(self.units, min(self.units + risen, most))
        self._go_on(frames)

    def fall(self, frames: int) -> None:
        """Take frames near upright, or of which nothing is known: they are held against nobody."""
        self._away += frames
        if self._away >= _BREAK:
            self._stretch = 0
        self.units = max(0, self.units - self._back * frames)

    def _go_on(self, frames: int) -> None:
        if frames:
            self._stretch, self._away = self._stretch + frames, 0
