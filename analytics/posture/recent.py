"""The newest frames of whole-number columns, kept so that windows reach back across messages.

Windows are sums of whole numbers, which are exact in any order: any chunking gives the same bits.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from poise.samples import Int64s

REACH: Final = 58
"""How many moments are kept before the newest: the longest window, and one second to smooth before it."""


class Places:
    """Where moments stand after the `REACH` kept ones; the same for every `Recent` of one stream."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self._last = -1

    def of(self, frames: Int64s) -> Int64s:
        """Return (n,) the rows of new moments.

        A gap longer than `REACH` is shortened to that: windows see nothing in it either way.

        Args:
            frames: (n,) grid indices, increasing, n > 0.
        """
        steps = np.ones(len(frames), np.int64)
        if self._last >= 0:
            steps[0] = frames[0] - self._last
        steps[1:] = frames[1:] - frames[:-1]
        self._last = int(frames[-1])
        return np.asarray(np.minimum(steps, REACH + 1).cumsum() + (REACH - 1), np.int64)


class Recent:
    """Keeps the newest `REACH` rows of whole numbers; moments at which nothing came are 0."""

    def __init__(self, columns: int) -> None:
        """Begin with nothing seen."""
        self._kept = np.zeros((REACH, columns), np.int64)

    def extended(self, at: Int64s, *columns: NDArray[np.generic]) -> Int64s:
        """Take new rows and return (REACH + s, c) all after the kept ones, one for each moment.

        Args:
            at: (n,) from `Places`.
            columns: (n,) or (n, …) whole numbers or bools, side by side.
        """
        rows = np.zeros((int(at[-1]) + 1, self._kept.shape[1]), np.int64)
        rows[:REACH] = self._kept
        first = 0
        for column in columns:
            if column.ndim == 1:
                rows[at, first] = column
                first += 1
            else:
                rows[at, first : first + column.shape[1]] = column
                first += column.shape[1]
        self._kept = rows[-REACH:].copy()
        return rows


class Latch:
    """A number that stays as the latest event left it.

    Attributes:
        value: what it is now.
    """

    def __init__(self) -> None:
        """Begin at 0."""
        self.value = 0
        self._since = -(1 << 40)

    def update(self, frames: Int64s, *events: tuple[NDArray[np.generic], int]) -> tuple[Int64s, Int64s]:
        """Return (n,) the value after each frame, and (n,) the frame of the event that left it.

        Args:
            frames: (n,) grid indices, increasing, n > 0.
            events: pairs of (n,) numbers, not 0 where it happens, and the value it leaves; of events in the
                same frame the last named counts.
        """
        if not any(happens.any() for happens, value in events if value != self.value):
            return self._same(frames, [happens for happens, value in events if value == self.value])
        left = np.full(len(frames), -1, np.int64)
        for happens, value in events:
            left[happens != 0] = value
        latest = np.maximum.accumulate(np.where(left >= 0, np.arange(len(frames)), -1))
        values = np.where(latest >= 0, left[latest], self.value)
        since = np.where(latest >= 0, frames[latest], self._since)
        self.value, self._since = int(values[-1]), int(since[-1])
        return values, since

    def _same(self, frames: Int64s, again: list[NDArray[np.generic]]) -> tuple[Int64s, Int64s]:
        """Return the same for frames in which at most what is so already happens again."""
        since = np.full(len(frames), self._since, np.int64)
        for happens in again:
            since = np.where(happens != 0, frames, since)
            since = np.maximum.accumulate(since)
        self._since = int(since[-1])
        return np.full(len(frames), self.value, np.int64), since


def window(total: Int64s, at: Int64s, length: int) -> Int64s:
    """Return the sums over the `length` rows that end at each of `at`; `total` sums from the first row."""
    return np.asarray(total[at] - total[at - length], np.int64)
