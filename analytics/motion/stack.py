"""The samples of all sensors in one message, stacked: a step costs one numpy call, not one a sensor.

Each sensor's rows follow each other. Before them lies its tail: its last sample of the message before and, in
place of its counts, the sums of the tenth of a second that is not over yet.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from analytics.motion.intensity import SUMS, sums_of
from poise.results import GRID_US
from poise.samples import Bools, Floats, Int16s, Int64s

_MOMENTS: Final = 1 << 36
"""Added to grid indices for each sensor, so that the stack's increase throughout: 217 years."""
_APART: Final = GRID_US * _MOMENTS
_NO_JUMP: Final = np.zeros(1, np.bool_)
_Counts = tuple[Int16s, Int16s]
_Ends = tuple[Int64s, Int64s]
R = TypeVar("R", bound=np.generic)


class Piece(NamedTuple):
    """New samples of one sensor: times, orientation, jumps, and counts (n, 3) of acceleration and rate."""

    number: int
    t_us: Int64s
    q: Floats
    jump: Bools
    acc: Int16s
    gyr: Int16s


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

    def resample(self, pieces: Sequence[Piece]) -> tuple[Made, int]:
        """Put every sensor's samples on the grid; nothing is interpolated across a gap.

        Args:
            pieces: one a sensor at most, in any order; times increase and go on from the sensor's last.

        Returns:
            the moments made, and how many rows repeat the one before them.
        """
        numbers = np.array([piece.number for piece in pieces])
        self._meet(pieces)
        ends = np.array([len(piece.t_us) + 1 for piece in pieces]).cumsum()
        starts, lasts = np.append(0, ends[:-1]), ends - 1
        first = np.arange(len(pieces), dtype=np.int64) * _MOMENTS
        times = _stacked(self._t_us[numbers] + first * GRID_US, [_apart(p, i) for i, p in enumerate(pieces)])
        q = _stacked(self._q[numbers], [piece.q for piece in pieces])
        acc = _stacked(self._acc[numbers], [piece.acc for piece in pieces])
        gyr = _stacked(self._gyr[numbers], [piece.gyr for piece in pieces])
        jump = np.concatenate([part for piece in pieces for part in (_NO_JUMP, piece.jump)])
        self._t_us[numbers], self._q[numbers] = times[lasts] - first * GRID_US, q[lasts]
        self._acc[numbers], self._gyr[numbers] = acc[lasts], gyr[lasts]
        repeated = _repeats(acc, gyr, starts)
        lies_in = -(-times // GRID_US)
        ready = np.maximum(self.ready[numbers] + first, lies_in[starts] - 1)
        moments, owner = _counted(ready + 1, times[lasts] // GRID_US - ready)
        self.ready[numbers] = times[lasts] // GRID_US - first
        at = moments * GRID_US
        # A moment on a sensor's tail itself was made before, so `right` never is a tail.
        right = times.searchsorted(at)
        left = right - 1
        share = (at - times[left]) / (times[right] - times[left])
        acc[starts] = gyr[starts] = 0
        sums = self._summed(numbers, (acc, gyr), lies_in, (starts, lasts), moments)
        made = Made(moments - first[owner], numbers[owner], _towards(q[left], q[right], share), sums)
        return made.where(~jump[right]), repeated

    def _meet(self, pieces: Sequence[Piece]) -> None:
        """Put the tail of a sensor that is new 1 µs before its first sample, which counts as a jump."""
        for piece in pieces:
            if self._t_us[piece.number] < 0:
                self._t_us[piece.number] = piece.t_us[0] - 1

    def _summed(
        self,
        numbers: Int64s,
        counts: tuple[Int16s, Int16s],
        lies_in: Int64s,
        ends: tuple[Int64s, Int64s],
        moments: Int64s,
    ) -> Int64s:
        """Return the sums (k, SUMS) of the moments asked for, and keep each sensor's last ones.

        Args:
            numbers: the sensors in the stack.
            counts: acceleration and angular rate of its rows, 0 in the tails.
            lies_in: the moment that each row belongs to.
            ends: first and last row of each sensor.
            moments: those asked for, increasing.
        """
        begins = np.append(0, (lies_in[1:] != lies_in[:-1]).nonzero()[0] + 1)
        sums, of = sums_of(*counts, begins), lies_in[begins]
        tails = begins.searchsorted(ends[0])
        sums[tails] += self._sums[numbers]
        sums[tails, 0] -= 1
        self._sums[numbers] = sums[begins.searchsorted(ends[1], "right") - 1]
        asked = np.zeros((len(moments), SUMS), np.int64)
        if len(moments):
            place = np.minimum(moments.searchsorted(of), len(moments) - 1)
            found = moments[place] == of
            asked[place[found]] = sums[found]
        return asked


def _apart(piece: Piece, i: int) -> Int64s:
    return piece.t_us + i * _APART


def _stacked(tails: NDArray[R], parts: Sequence[NDArray[R]]) -> NDArray[R]:
    """Return each part after its tail, one after another."""
    return np.concatenate([rows for i, part in enumerate(parts) for rows in (tails[i : i + 1], part)])


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


def _repeats(acc: Int16s, gyr: Int16s, starts: Int64s) -> int:
    """Return how many rows are the row before them: a logger that filled a gap, or a sensor that hangs."""
    same = acc[1:, 0] == acc[:-1, 0]
    same &= gyr[1:, 0] == gyr[:-1, 0]
    # A tail is no successor of another sensor's last row.
    same[starts[1:] - 1] = False
    like = same.nonzero()[0]
    for column in (acc[:, 1], acc[:, 2], gyr[:, 1], gyr[:, 2]):
        like = like[column[like] == column[like + 1]]
    return len(like)
