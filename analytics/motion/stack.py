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

_Two = tuple[Int64s, Int64s]
_APART: Final = 1 << 53
"""Added to times for each sensor, so that the stack's times increase throughout: 285 years in µs."""


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
        self._raw = np.zeros((0, 6), np.int16)
        self._sums = np.zeros((0, SUMS), np.int64)

    def add(self) -> int:
        """Return the number of a new sensor."""
        self.ready = np.append(self.ready, -1)
        self._t_us = np.append(self._t_us, -1)
        self._q = np.concatenate([self._q, [[1.0, 0.0, 0.0, 0.0]]])
        self._raw = np.concatenate([self._raw, np.zeros((1, 6), np.int16)])
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
        lengths = np.array([len(piece.t_us) + 1 for piece in pieces])
        ends = np.cumsum(lengths)
        starts = ends - lengths
        which = np.repeat(np.arange(len(pieces)), lengths)
        t_us = np.concatenate([x for p in pieces for x in (self._t_us[p.number, None], p.t_us)])
        q = np.concatenate([x for p in pieces for x in (self._q[p.number, None], p.q)])
        raw = self._counts(pieces, len(t_us), ends)
        jump = np.concatenate([x for p in pieces for x in (_NO_JUMP, p.jump)])
        ready = np.maximum(self.ready[numbers], -(-t_us[starts] // GRID_US) - 1)
        due = t_us[ends - 1] // GRID_US - ready
        frames, owner = _counted(ready + 1, due)
        repeated = _repeats(raw, starts)
        last_raw = raw[ends - 1]
        sums = self._summed(numbers, raw, starts, (-(-t_us // GRID_US), which), (ready + 1, due))
        times = t_us + which * _APART
        right = np.searchsorted(times, frames * GRID_US + owner * _APART)
        # A moment on a sensor's tail itself was made before, so `right` never is a tail.
        left = right - 1
        share = (frames * GRID_US - t_us[left]) / (t_us[right] - t_us[left])
        seen = ~jump[right]
        made = Made(frames, numbers[owner], _towards(q[left], q[right], share), sums).where(seen)
        self.ready[numbers] = ready + due
        self._t_us[numbers], self._q[numbers], self._raw[numbers] = t_us[ends - 1], q[ends - 1], last_raw
        return made, repeated

    def _meet(self, pieces: Sequence[Piece]) -> None:
        """Put the tail of a sensor that is new 1 µs before its first sample, which counts as a jump."""
        for piece in pieces:
            if self._t_us[piece.number] < 0:
                self._t_us[piece.number] = piece.t_us[0] - 1

    def _counts(self, pieces: Sequence[Piece], n: int, ends: Int64s) -> Int16s:
        """Return the stack's counts (n, 6)."""
        raw = np.empty((n, 6), np.int16)
        for piece, end in zip(pieces, ends.tolist(), strict=True):
            begin = end - len(piece.t_us)
            raw[begin - 1] = self._raw[piece.number]
            raw[begin:end, :3], raw[begin:end, 3:] = piece.acc, piece.gyr
        return raw

    def _summed(self, numbers: Int64s, raw: Int16s, starts: Int64s, key: _Two, span: _Two) -> Int64s:
        """Return the sums (k, SUMS) of the moments in `span` (first, how many) by piece, and keep the rest.

        `key` says of every row which moment's tenth of a second it lies in, and which piece's it is.
        """
        (moment, which), (first, due) = key, span
        apart = moment + which * _APART
        begins = np.append(0, np.flatnonzero(apart[1:] != apart[:-1]) + 1)
        raw[starts] = 0
        sums, owner, moment = sums_of(raw, begins), which[begins], moment[begins]
        tails = np.searchsorted(begins, starts)
        sums[tails] += self._sums[numbers]
        sums[tails, 0] -= 1
        self._sums[numbers] = sums[np.append(np.flatnonzero(np.diff(owner)), len(owner) - 1)]
        inside = (moment >= first[owner]) & (moment < (first + due)[owner])
        owner = owner[inside]
        asked = np.zeros((int(due.sum()), SUMS), np.int64)
        asked[(np.cumsum(due) - due - first)[owner] + moment[inside]] = sums[inside]
        return asked


_NO_JUMP: Final = np.zeros(1, np.bool_)


def _counted(first: Int64s, due: Int64s) -> tuple[Int64s, Int64s]:
    """Return `due` whole numbers from each of `first` on, one after another, and whose they are."""
    owner = np.repeat(np.arange(len(due)), due)
    return np.arange(len(owner)) + (first - (np.cumsum(due) - due))[owner], owner


def _towards(before: Floats, after: Floats, share: Floats) -> Floats:
    """Return quaternions between, not of length 1; q and -q are the same turn, the nearer one is meant."""
    b, a = before, after
    same = b[:, 0] * a[:, 0] + b[:, 1] * a[:, 1] + b[:, 2] * a[:, 2] + b[:, 3] * a[:, 3] >= 0
    return b + share[:, None] * (np.where(same[:, None], a, -a) - b)


def _repeats(raw: Int16s, starts: Int64s) -> int:
    """Return how many rows are the row before them: a logger that filled a gap, or a sensor that hangs."""
    words = raw.view(np.int32)
    same = words[1:, 0] == words[:-1, 0]
    # A tail is no successor of another sensor's last row.
    same[starts[1:] - 1] = False
    like = np.flatnonzero(same)
    return int(np.count_nonzero((words[like + 1, 1:] == words[like, 1:]).all(axis=1)))
