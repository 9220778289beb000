"""Times for the samples of Polar's streams, and one stream out of two.

Only the last sample of a frame is stamped, and the Verity Sense sends accelerations and angular rates in
frames of their own, which begin and end at different times: the stiller the signal, the more samples fit into
a frame. With 17 bits for a difference they are 33, with 3 they are 191: 0.6 to 3.7 s. (55 and 130 were seen,
says issue 439 of github.com/polarofficial/polar-ble-sdk, where the maker explains it.)
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from poise.samples import Bools, Floats, Int64s

CONTIGUOUS: Final = 0.1
"""Frames follow each other if the period between their stamps is this near to the nominal one.

Project decision: 33 samples lost before a frame of 191 are still seen (17 %); no sensor's rate is so far off.
"""
WAIT_NS: Final = 5_000_000_000
"""How far accelerations may run ahead of angular rates before they go without.

Project decision: longer than the longest frame, 3.7 s. With less, the angular rates of a sensor held still
would be given up while they are on their way.
"""
_HOLES: Final = 2.5
"""Angular rates are not interpolated over more than so many periods: one missing sample is bridged."""
_KEPT: Final = 2048
"""Angular rates kept when no accelerations come, about 40 s."""


class Merged(NamedTuple):
    """Samples at (n,) ns of the sensor's clock: (n, 3) m/s² and (n, 3) rad/s, NaN where unknown."""

    ns: Int64s
    acc: Floats
    gyr: Floats


class Stamper:
    """Times of samples in the frames of one stream."""

    def __init__(self, period_ns: int) -> None:
        """Take the nominal period."""
        self._period_ns = period_ns
        self._last_ns: int | None = None

    def times(self, last_ns: int, n: int) -> Int64s:
        """Return (n,) ns of a frame's samples, given the stamp of its last one.

        They are spread evenly since the frame before, as the SDK does (`PmdTimeStampUtils`), unless one was
        lost between: then by the nominal period.
        """
        span = n * self._period_ns
        if self._last_ns is not None and abs(last_ns - self._last_ns - span) <= CONTIGUOUS * span:
            span = last_ns - self._last_ns
        self._last_ns = last_ns
        return last_ns - np.arange(n - 1, -1, -1, dtype=np.int64) * span // n


class Merger:
    """Gives each acceleration the angular rate of its moment, as soon as that is known.

    Attributes:
        alone: no angular rates are to be expected: accelerations need not wait.
    """

    def __init__(self, period_ns: int, *, alone: bool) -> None:
        """Take the nominal period of both streams."""
        self.alone = alone
        self._period_ns = period_ns
        # Both clocks are one, but stamps are spread and rounded: what is this near counts as the same moment.
        self._near_ns = period_ns // 10
        self._acc_ns, self._acc = np.zeros(0, np.int64), np.zeros((0, 3))
        self._gyr_ns, self._gyr = np.zeros(0, np.int64), np.zeros((0, 3))

    def accelerate(self, ns: Int64s, acc: Floats) -> Merged:
        """Take accelerations and return the samples that are complete now."""
        back = len(self._acc_ns) > 0 and ns[0] <= self._acc_ns[-1]
        before = self._give(len(self._acc_ns) if back else 0)
        self._acc_ns, self._acc = np.append(self._acc_ns, ns), np.concatenate([self._acc, acc])
        return joined([before, self._give(self._complete())])

    def rotate(self, ns: Int64s, gyr: Floats) -> Merged:
        """Take angular rates and return the samples that are complete now."""
        if len(self._gyr_ns) and ns[0] <= self._gyr_ns[-1]:
            self._gyr_ns, self._gyr = ns, gyr
        else:
            self._gyr_ns = np.append(self._gyr_ns, ns)[-_KEPT:]
            self._gyr = np.concatenate([self._gyr, gyr])[-_KEPT:]
        return self._give(self._complete())

    def _complete(self) -> int:
        if self.alone or not len(self._acc_ns):
            return len(self._acc_ns)
        known = self._acc_ns[-1] - WAIT_NS
        if len(self._gyr_ns):
            known = max(known, self._gyr_ns[-1] + self._near_ns)
        return int(np.searchsorted(self._acc_ns, known, side="right"))

    def _give(self, n: int) -> Merged:
        ns, acc = self._acc_ns[:n], self._acc[:n]
        gyr = self._rates(ns)
        self._acc_ns, self._acc = self._acc_ns[n:], self._acc[n:]
        if n:
            old = max(0, int(np.searchsorted(self._gyr_ns, ns[-1])) - 1)
            self._gyr_ns, self._gyr = self._gyr_ns[old:], self._gyr[old:]
        return Merged(ns, acc, gyr)

    def _rates(self, ns: Int64s) -> Floats:
        """Return (n, 3) angular rates at these moments, NaN where none is near."""
        if not len(self._gyr_ns) or not len(ns):
            return np.full((len(ns), 3), np.nan)
        # Counted from one of the moments: float64 would round ns since 2000 to 128.
        known, asked = self._gyr_ns - ns[0], ns - ns[0]
        gyr = np.stack([np.interp(asked, known, axis) for axis in self._gyr.T], axis=1)
        gyr[~self._near(asked, known)] = np.nan
        return gyr

    def _near(self, asked: Int64s, known: Int64s) -> Bools:
        after = np.searchsorted(known, asked)
        left, right = known[np.maximum(after - 1, 0)], known[np.minimum(after, len(known) - 1)]
        close = np.minimum(np.abs(asked - left), np.abs(right - asked)) <= self._near_ns
        between = (left <= asked) & (asked <= right) & (right - left <= _HOLES * self._period_ns)
        return np.asarray(close | between, np.bool_)


def joined(parts: Sequence[Merged]) -> Merged:
    """Return one stretch of samples made of others, at least one."""
    return Merged(*(np.concatenate(column) for column in zip(*parts, strict=True)))
