"""The samples of all sensors in one message, stacked: a step costs one numpy call, not one a sensor.

Each sensor's rows follow each other. Before them lies its tail: its last sample of the message before and, in
place of its counts, the sums of the tenth of a second that is not over yet.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from analytics.motion.intensity import SUMS, sums_of
from poise.results import GRID_US
from poise.samples import Bools, Floats, Int16s, Int64s

_MOMENTS: Final = 1 << 36
"""Added to grid indices for each sensor, so that the stack's increase throughout: 217 years."""
_FIRST: Final = np.zeros(1, np.int64)


class Piece(NamedTuple):
    """New samples of one sensor: its number, times, and counts (n, 3) of acceleration and rate."""

    number: int
    t_us: Int64s
    acc: Int16s
    gyr: Int16s


class Rows(NamedTuple):
    """Samples of m sensors, each sensor's after its tail.

    Attributes:
        numbers: (m,) which sensors.
        starts: (m,) row of each tail.
        lasts: (m,) row of each sensor's last sample.
        t_us: (n,) UTC µs.
        counts: (2, 3, n) acceleration and angular rate along x, y and z.
    """

    numbers: Int64s
    starts: Int64s
    lasts: Int64s
    t_us: Int64s
    counts: Int16s

    def apart(self) -> list[Int16s]:
        """Return the counts (2, 3, k) of each sensor's samples, without its tail; no copy."""
        ends = zip(self.starts.tolist(), self.lasts.tolist(), strict=True)
        return [self.counts[:, :, start + 1 : last + 1] for start, last in ends]

    def unbroken(self, longest_ns: Floats) -> bool:
        """Tell whether times increase, and no two samples of a sensor lie further apart than `longest_ns`.

        The time from a tail to the first sample after it may be as long as it likes.
        """
        steps = self.t_us[1:] - self.t_us[:-1]
        # From one sensor's last sample to another's tail is no step.
        steps[self.lasts[:-1]] = 1
        if steps.min() <= 0:
            return False
        steps[self.starts] = 1
        return bool((np.maximum.reduceat(steps, self.starts) * 1000 <= longest_ns).all())


class Made(NamedTuple):
    """Moments that samples on both sides are now known of, of all sensors in a message.

    Attributes:
        frames: (k,) grid indices.
        numbers: (k,) which sensor.
        q: (k, 4) orientation, not yet of length 1.
        sums: (k, SUMS) of motion.
    """

    frames: Int64s
    numbers: Int64s
    q: Floats
    sums: Int64s

    def where(self, wanted: Bools) -> "Made":
        """Return those that are `wanted` (k,)."""
        if wanted.all():
            return self
        return Made(self.frames[wanted], self.numbers[wanted], self.q[wanted], self.sums[wanted])


def joined(parts: Sequence[Made]) -> Made:
    """Put moments one after another."""
    if len(parts) == 1:
        return parts[0]
    frames, numbers = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
    return Made(
        frames, numbers, np.concatenate([p.q for p in parts]), np.concatenate([p.sums for p in parts])
    )


class Stack:
    """What of every sensor's past its next samples need; a row a sensor, by its number.

    Attributes:
        ready: (s,) grid index of the newest moment made, -1 before the first sample.
    """

    def __init__(self) -> None:
        """Begin without a sensor."""
        self.ready = np.zeros(0, np.int64)
        self._t_us = np.zeros(0, np.int64)
        self._q = np.zeros((0, 4))
        self._acc, self._gyr = np.zeros((0, 3), np.int16), np.zeros((0, 3), np.int16)
        self._sums = np.zeros((0, SUMS), np.int64)

    def add(self) -> int:
        """Return the number of a new sensor."""
        self.ready = np.append(self.ready, -1)
        self._t_us = np.append(self._t_us, -1)
        self._q = np.concatenate([self._q, [[1.0, 0.0, 0.0, 0.0]]])
        self._acc = np.concatenate([self._acc, np.zeros((1, 3), np.int16)])
        self._gyr = np.concatenate([self._gyr, np.zeros((1, 3), np.int16)])
        self._sums = np.concatenate([self._sums, np.zeros((1, SUMS), np.int64)])
        return len(self.ready) - 1

    def rows(self, pieces: Sequence[Piece]) -> Rows:
        """Put every sensor's samples after its tail.

        Args:
            pieces: one a sensor at most, in any order, none of them empty.
        """
        numbers = np.array([piece.number for piece in pieces])
        lasts = np.array([len(piece.t_us) + 1 for piece in pieces]).cumsum() - 1
        starts = np.concatenate((_FIRST, lasts[:-1] + 1))
        n = int(lasts[-1]) + 1
        t_us, counts = np.empty(n, np.int64), np.empty((2, 3, n), np.int16)
        for piece, start, last in zip(pieces, starts.tolist(), lasts.tolist(), strict=True):
            t_us[start + 1 : last + 1] = piece.t_us
            counts[0, :, start + 1 : last + 1], counts[1, :, start + 1 : last + 1] = piece.acc.T, piece.gyr.T
        tails = self._t_us[numbers]
        new = tails < 0
        if new.any():
            # The tail of a new sensor lies 1 µs before its first sample, which counts as a jump.
            tails[new] = t_us[starts[new] + 1] - 1
        t_us[starts] = tails
        counts[0, :, starts], counts[1, :, starts] = self._acc[numbers], self._gyr[numbers]
        return Rows(numbers, starts, lasts, t_us, counts)

    def resample(self, rows: Rows, oriented: Sequence[Floats], jumps: Int64s) -> tuple[Made, int]:
        """Put every sensor's samples on the grid; nothing is interpolated across a gap.

        Args:
            rows: from `rows`; times increase and go on from the sensor's last. Its counts are used up.
            oriented: (n, 4) orientation of each sensor's samples.
            jumps: rows before which a gap lies.

        Returns:
            the moments made, and how many rows repeat the one before them.
        """
        numbers, starts, lasts, t_us, counts = rows
        q = np.empty((len(t_us), 4))
        q[starts] = self._q[numbers]
        for part, last in zip(oriented, lasts.tolist(), strict=True):
            q[last + 1 - len(part) : last + 1] = part
        self._t_us[numbers], self._q[numbers] = t_us[lasts], q[lasts]
        self._acc[numbers], self._gyr[numbers] = counts[0, :, lasts], counts[1, :, lasts]
        repeated = _repeats(counts, starts)
        counts[:, :, starts] = 0
        first = np.arange(len(numbers)) * _MOMENTS
        times = t_us + (first * GRID_US).repeat(lasts - starts + 1)
        lies_in = -(-times // GRID_US)
        ready = np.maximum(self.ready[numbers] + first, lies_in[starts] - 1)
        reached = times[lasts] // GRID_US
        moments, owner = _counted(ready + 1, reached - ready)
        self.ready[numbers] = reached - first
        at = moments * GRID_US
        # A moment on a sensor's tail itself was made before, so `right` never is a tail.
        right = times.searchsorted(at)
        left = right - 1
        before = times[left]
        share = (at - before) / (times[right] - before)
        between = _towards(q.take(left, axis=0), q.take(right, axis=0), share)
        sums = self._summed(rows, lies_in, moments)
        made = Made(moments - first[owner], numbers[owner], between, sums)
        if not len(jumps):
            return made, repeated
        jumped = np.zeros(len(t_us), np.bool_)
        jumped[jumps] = True
        return made.where(~jumped[right]), repeated

    def _summed(self, rows: Rows, lies_in: Int64s, moments: Int64s) -> Int64s:
        """Return the sums (k, SUMS) of the moments asked for, and keep each sensor's last ones.

        Args:
            rows: the samples, with counts of 0 in the tails.
            lies_in: the moment that each row belongs to.
            moments: those asked for, increasing.
        """
        begins = np.concatenate((_FIRST, (lies_in[1:] != lies_in[:-1]).nonzero()[0] + 1))
        sums, of = sums_of(rows.counts, begins), lies_in[begins]
        tails = begins.searchsorted(rows.starts)
        sums[:, tails] += self._sums[rows.numbers].T
        sums[0, tails] -= 1
        self._sums[rows.numbers] = sums[:, np.concatenate((tails[1:], [len(begins)])) - 1].T
        if not len(moments):
            return np.zeros((0, SUMS), np.int64)
        place = np.minimum(of.searchsorted(moments), len(of) - 1)
        asked: Int64s = sums.take(place, axis=1)
        found = of[place] == moments
        if not found.all():
            asked[:, ~found] = 0
        return asked.T


def _counted(first: Int64s, due: Int64s) -> tuple[Int64s, Int64s]:
    """Return `due` whole numbers from each of `first` on, one after another, and whose they are."""
    owner: Int64s = np.arange(len(due), dtype=np.int64).repeat(due)
    begin = first - (due.cumsum() - due)
    return np.asarray(np.arange(len(owner)) + begin[owner], np.int64), owner


def _towards(before: Floats, after: Floats, share: Floats) -> Floats:
    """Return quaternions between, not of length 1; q and -q are the same turn, the nearer one is meant."""
    b, a = before, after
    same = b[:, 0] * a[:, 0] + b[:, 1] * a[:, 1] + b[:, 2] * a[:, 2] + b[:, 3] * a[:, 3] >= 0
    if not same.all():
        a = np.where(same[:, None], a, -a)
    return b + share[:, None] * (a - b)


def _repeats(counts: Int16s, starts: Int64s) -> int:
    """Return how many rows are the row before them: a logger that filled a gap, or a sensor that hangs."""
    same = (counts[:, :, 1:] == counts[:, :, :-1]).all(axis=(0, 1))
    # A tail is no successor of another sensor's last row.
    same[starts[1:] - 1] = False
    return int(np.count_nonzero(same))
