"""The newest moments of rows of whole numbers, kept so that windows reach back across messages.

Windows are sums of whole numbers, which are exact in any order: any chunking gives the same bits.
"""

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from poise.samples import Bools, Int64s

REACH: Final = 58
"""How many moments are kept before the newest: the longest window, and one second to smooth before it."""


Where: TypeAlias = slice | Int64s
"""Rows of moments: a slice where none is missing between them, which is much faster, else (n,)."""


class Places:
    """Where moments stand after the `REACH` kept ones; the same for every `Recent` of one stream."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self._last = -1

    def of(self, frames: Int64s) -> Where:
        """Return the rows of new moments.

        A gap longer than `REACH` is shortened to that: windows see nothing in it either way.

        Args:
            frames: (n,) grid indices, increasing, n > 0.
        """
        n, first, last = len(frames), int(frames[0]), self._last
        self._last = int(frames[-1])
        if self._last - (last if last >= 0 else first - 1) == n:
            return slice(REACH, REACH + n)
        steps = np.ones(n, np.int64)
        if last >= 0:
            steps[0] = first - last
        steps[1:] = frames[1:] - frames[:-1]
        return np.asarray(np.minimum(steps, REACH + 1).cumsum() + (REACH - 1), np.int64)


def before(at: Where, moments: int) -> Where:
    """Return the rows so many moments before."""
    return slice(at.start - moments, at.stop - moments) if isinstance(at, slice) else at - moments


def numbers(at: Where) -> Int64s:
    """Return (n,) the rows one by one."""
    return np.arange(at.start, at.stop) if isinstance(at, slice) else at


def _length(at: Where) -> int:
    return int(at.stop if isinstance(at, slice) else at[-1] + 1)


class Recent:
    """Keeps the newest `REACH` moments of rows of whole numbers; where nothing came they are 0."""

    def __init__(self, rows: int) -> None:
        """Begin with nothing seen."""
        self._kept = np.zeros((rows, REACH), np.int64)

    def extended(self, at: Where, *rows: NDArray[np.generic]) -> Int64s:
        """Take new moments and return (r, REACH + s) all after the kept ones.

        Args:
            at: from `Places`.
            rows: (n,) or (…, n) whole numbers or bools, one below the other.
        """
        whole = np.zeros((len(self._kept), _length(at)), np.int64)
        whole[:, :REACH] = self._kept
        first = 0
        for row in rows:
            height = 1 if row.ndim == 1 else len(row)
            whole[first : first + height, at] = row
            first += height
        self._kept = whole[:, -REACH:].copy()
        return whole


class Flags:
    """Keeps what happened in the newest `REACH` moments, at no cost while nothing does."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self._kept: Int64s | None = None

    def extended(self, at: Where, happens: Bools | None) -> Int64s | None:
        """Take new moments and return (REACH + s,) all after the kept ones; None where it never happens.

        Args:
            at: from `Places`.
            happens: (n,) bool, None for nowhere.
        """
        if happens is None and self._kept is None:
            return None
        whole = np.zeros(_length(at), np.int64)
        if self._kept is not None:
            whole[:REACH] = self._kept
        if happens is not None:
            whole[at] = happens
        kept = whole[-REACH:]
        self._kept = kept.copy() if kept.any() else None
        return whole

    def forget(self) -> None:
        """Go on as if nothing had happened."""
        self._kept = None


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


def window(total: Int64s, at: Where, length: int) -> Int64s:
    """Return (…, n) sums over the `length` moments that end at each; `total` (…, k) sums from the first."""
    return np.asarray(total[..., at] - total[..., before(at, length)], np.int64)
