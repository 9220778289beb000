"""The newest frames of whole-number columns, kept so that windows reach back across messages.

Windows are sums of whole numbers, which are exact in any order: any chunking gives the same bits.
"""

import numpy as np
from numpy.typing import NDArray

from poise.samples import Int64s


class Recent:
    """Keeps `reach` moments before the newest; moments at which nothing came count as 0."""

    def __init__(self, reach: int, columns: int) -> None:
        """Begin with nothing seen."""
        self._kept = np.zeros((reach, columns), np.int64)
        self._last = -1

    def extended(self, frames: Int64s, values: Int64s) -> tuple[Int64s, Int64s]:
        """Take new moments and return them after the kept ones.

        Args:
            frames: (n,) grid indices, increasing, n > 0.
            values: (n, c) whole numbers.

        Returns:
            rows (reach + s, c), one for each moment, and (n,) where among them each frame stands. A gap
            longer than `reach` is shortened to that: windows see only zeros in it either way.
        """
        reach = len(self._kept)
        steps = np.diff(frames, prepend=self._last if self._last >= 0 else frames[0] - 1)
        at = np.cumsum(np.minimum(steps, reach + 1)) + (reach - 1)
        rows = np.zeros((int(at[-1]) + 1, self._kept.shape[1]), np.int64)
        rows[:reach] = self._kept
        rows[at] = values
        self._kept, self._last = rows[-reach:].copy(), int(frames[-1])
        return rows, at


class Latch:
    """A number that stays as the latest event left it."""

    def __init__(self) -> None:
        """Begin at 0."""
        self._value = 0
        self._since = -(1 << 40)

    def update(self, frames: Int64s, *events: tuple[NDArray[np.generic], int]) -> tuple[Int64s, Int64s]:
        """Return (n,) the value after each frame, and (n,) the frame of the event that left it.

        Args:
            frames: (n,) grid indices, increasing, n > 0.
            events: pairs of (n,) numbers, not 0 where it happens, and the value it leaves; of events in the
                same frame the last named counts.
        """
        left = np.full(len(frames), -1, np.int64)
        for happens, value in events:
            left[happens != 0] = value
        latest = np.maximum.accumulate(np.where(left >= 0, np.arange(len(frames)), -1))
        values = np.where(latest >= 0, left[latest], self._value)
        since = np.where(latest >= 0, frames[latest], self._since)
        self._value, self._since = int(values[-1]), int(since[-1])
        return values, since


def window(total: Int64s, at: Int64s, length: int) -> Int64s:
    """Return the sums over the `length` rows that end at each of `at`; `total` are cumulative sums."""
    return np.asarray(total[at] - total[at - length], np.int64)
