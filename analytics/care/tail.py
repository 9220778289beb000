"""The newest frames of rows of whole numbers, so that windows of minutes reach back across messages.

As `analytics.posture.recent`, which is made for windows of seconds: sums of whole numbers are exact in any
order, so any chunking gives the same bits. Moments at which nothing was seen are left out, and count as 0.
"""

import numpy as np
from numpy.typing import NDArray

from poise.samples import Int64s


class Tail:
    """Keeps rows as long as a window can reach back."""

    def __init__(self, rows: int) -> None:
        """Begin with nothing seen.

        Args:
            rows: how many numbers a frame has.
        """
        self._frames = np.zeros(0, np.int64)
        self._rows = np.zeros((rows, 0), np.int64)
        self._new = 0

    def take(self, frames: Int64s, rows: NDArray[np.generic], reach: int) -> None:
        """Take new frames.

        Args:
            frames: (n,) grid indices, increasing and newer than all before; n > 0.
            rows: (r, n) whole numbers or bools.
            reach: the longest window that follows, in frames.
        """
        first = int(np.searchsorted(self._frames, int(frames[0]) - reach, "right"))
        self._frames = np.concatenate((self._frames[first:], frames))
        self._rows = np.concatenate((self._rows[:, first:], rows.astype(np.int64)), axis=1)
        self._new = len(frames)

    def sums(self, length: int, from_row: int = 0) -> Int64s:
        """Return (r, n) the sums over the window of `length` frames that ends at each new frame."""
        rows = self._rows[from_row:]
        total = np.zeros((len(rows), len(self._frames) + 1), np.int64)
        np.cumsum(rows, axis=1, out=total[:, 1:])
        n, newest = len(self._frames), self._frames[len(self._frames) - self._new :]
        begins = np.searchsorted(self._frames, newest - length, "right")
        return np.asarray(total[:, n - self._new + 1 :] - total[:, begins], np.int64)

    def within(self, newest: int, length: int) -> tuple[Int64s, Int64s]:
        """Return the frames (k,) and rows (r, k) of the window of `length` frames that ends at one."""
        begin, end = np.searchsorted(self._frames, (newest - length, newest), "right")
        return self._frames[begin:end], self._rows[:, begin:end]
