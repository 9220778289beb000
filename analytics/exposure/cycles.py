"""Repeated to-and-fro movement of head and arms: swings about the local mean, counted with hysteresis.

The angle, smoothed over 0.3 s, is held against its mean over the 10 s around it; a swing is a change from 3°
below to 3° above. Between 0.1 and about 1.5 swings a second pass. A swing counts if another one follows or
preceded it within 10 s: a posture taken once is no repetition. RULA (McAtamney and Corlett 1993,
doi:10.1016/0003-6870(93)90080-S) calls a posture repeated from four times a minute on; the widths and the 3°
are project decisions.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from analytics.exposure.streams import UNSEEN, Centidegrees
from poise.samples import Bools, Int64s

CYCLIC: Final = ("head", "c7", "arm_left", "arm_right")
"""Streams that are counted."""
SWING_DEG: Final = 3
WINDOW: Final = 100
"""Frames of the local mean."""
REPEATED_FRAMES: Final = 100
_LEAST: Final = 80
_LAG: Final = 50


class Swings:
    """Counts swings of one stream, fed in blocks of frames."""

    def __init__(self) -> None:
        """Begin unseen."""
        self._kept: Centidegrees = np.full(WINDOW, UNSEEN, np.int16)
        self._below = False
        self._last = -REPEATED_FRAMES - 1
        self._repeated = False

    def update(self, first: int, angle: Centidegrees) -> tuple[Int64s, Int64s]:
        """Return grid indices at which repeated swings were found, and how many each (1 or 2).

        Args:
            first: grid index of the first frame.
            angle: (n,), `UNSEEN` where not judged.
        """
        whole = np.concatenate([self._kept, angle])
        self._kept = whole[-WINDOW:].copy()
        seen = whole != UNSEEN
        if not seen.any():
            self._below = False
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        up = self._upswings(_sides(whole, seen))
        return self._repeats(first + up)

    def _upswings(self, side: NDArray[np.int8]) -> Int64s:
        """Return where the side changes from below to above; unseen in between breaks it off."""
        events = np.flatnonzero(side)
        kinds = side[events]
        before = np.concatenate([[-1 if self._below else 2], kinds[:-1]])
        if len(kinds):
            self._below = bool(kinds[-1] == -1)
        found: Int64s = events[(kinds == 1) & (before == -1)]
        return found

    def _repeats(self, up: Int64s) -> tuple[Int64s, Int64s]:
        again = np.diff(up, prepend=self._last) <= REPEATED_FRAMES
        opening = again & ~np.concatenate([[self._repeated], again[:-1]])
        if len(up):
            self._last, self._repeated = int(up[-1]), bool(again[-1])
        return up[again], 1 + opening[again].astype(np.int64)


def _sides(angle: Centidegrees, seen: Bools) -> NDArray[np.int8]:
    """Return (n - WINDOW,) -1 below, 1 above, 0 between, 2 unseen, `_LAG` frames late; whole numbers only."""
    total = np.concatenate([[0], np.cumsum(np.where(seen, angle, 0), dtype=np.int64)])
    count = np.concatenate([[0], np.cumsum(seen, dtype=np.int64)])
    n = len(angle) - WINDOW
    now, mid = WINDOW + 1, WINDOW + 1 - _LAG
    long_sum, long_count = (_between(sums, now - WINDOW, now, n) for sums in (total, count))
    short_sum, short_count = (_between(sums, mid - 2, mid + 1, n) for sums in (total, count))
    beyond = short_sum * long_count - long_sum * short_count
    limit = 100 * SWING_DEG * short_count * long_count
    side = (beyond >= limit).astype(np.int8) - (beyond <= -limit).astype(np.int8)
    side[(long_count < _LEAST) | (short_count == 0)] = 2
    found: NDArray[np.int8] = side
    return found


def _between(sums: Int64s, first: int, last: int, n: int) -> Int64s:
    """Return (n,) the sums from `first` up to `last`, and from each next to its next."""
    return np.asarray(sums[last : last + n] - sums[first : first + n], np.int64)
