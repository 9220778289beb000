"""When a rule holds and when it no longer does, for all kinds at once."""

from typing import Final

import numpy as np

from poise.samples import Bools, Floats, Int64s

_NEVER: Final = -(2**62)


class Hysteresis:
    """On where a rule is exceeded, off once it falls short by the release; short silences change nothing."""

    def __init__(self, columns: int, release: float, recover: int) -> None:
        """Begin off.

        Args:
            columns: how many rules.
            release: rad below the rule at which it is off.
            recover: frames of silence that are bridged.
        """
        self._release, self._recover = release, recover
        self._on = np.zeros(columns, np.bool_)
        self._seen = np.full(columns, _NEVER, np.int64)

    def update(self, frames: Int64s, excess: Floats, seen: Bools) -> Bools:
        """Return (k, n) bool: the rule is on, also while it is unseen for less than the recovery time.

        Args:
            frames: (n,) grid indices, increasing, n > 0.
            excess: (k, n) rad by which each rule is exceeded, NaN where it is unseen.
            seen: (k, n) bool.
        """
        on, before = excess >= 0.0, self._seen
        self._seen = np.maximum(np.where(seen, frames, _NEVER).max(axis=1), before)
        # A rule that is off and never exceeded stays off.
        rows = (self._on | on.any(axis=1)).nonzero()[0]
        if len(rows):
            off = excess[rows] < -self._release
            silent = self._silent(frames, seen[rows], before[rows])
            if silent is not None:
                off |= silent & ~on[rows]
            on[rows] = self._latest(on[rows], off, self._on[rows, None])
            self._on = on[:, -1].copy()
        return on

    def _silent(self, frames: Int64s, seen: Bools, before: Int64s) -> Bools | None:
        """Return (r, n) bool: unseen for too long right before; None for nowhere.

        What was on before a long silence says nothing about after it: on again only above the threshold.
        """
        first, n = int(frames[0]), len(frames)
        unbroken = int(frames[-1]) - first == n - 1 and seen.all()
        if unbroken and first - int(before.min()) <= self._recover:
            return None
        silent = np.zeros(seen.shape, np.bool_)
        silent[:, 0] = first - before > self._recover
        last = np.maximum.accumulate(np.where(seen, frames, _NEVER), axis=1)
        silent[:, 1:] = frames[1:] - np.maximum(last, before[:, None])[:, :-1] > self._recover
        return silent

    @staticmethod
    def _latest(up: Bools, off: Bools, on: Bools) -> Bools:
        """Return (r, n) bool what the latest change left: up or off; `on` (r, 1) before any."""
        # Twice the number of the moment, and one more if it is on then: the greatest so far is the latest.
        codes = np.arange(0, 2 * up.shape[1], 2) + up
        latest = np.maximum.accumulate(np.where(up | off, codes, on - 2), axis=1)
        return (latest & 1) > 0


class Leads:
    """How long each rule had been on, though not judged, right before a frame."""

    def __init__(self, columns: int, most: int) -> None:
        """Count up to `most` frames."""
        self._most = most
        self._count = np.zeros(columns, np.int64)
        self._last = _NEVER

    def update(self, frames: Int64s, passed: Bools | None) -> Int64s | None:
        """Return (k, n) frames right before each, without a hole, that were passed over; None for none.

        Args:
            frames: (n,) grid indices, increasing, n > 0.
            passed: (k, n) bool, the rule is on and seen in this frame, and not judged; None for nowhere.
        """
        last, self._last = self._last, int(frames[-1])
        if passed is None and not self._count.any():
            return None
        if passed is None:
            passed = np.zeros((len(self._count), len(frames)), np.bool_)
        rows = np.flatnonzero((self._count > 0) | passed.any(axis=1))
        if not len(rows):
            return None
        fresh = np.ones(len(frames), np.bool_)
        fresh[0], fresh[1:] = int(frames[0]) - last != 1, frames[1:] - frames[:-1] != 1
        counts = self._counts(passed[rows], fresh, self._count[rows, None])
        leads = np.zeros(passed.shape, np.int64)
        leads[rows, 1:] = np.where(fresh[1:], 0, counts[:, :-1])
        leads[:, 0] = 0 if fresh[0] else self._count
        self._count[rows] = np.minimum(counts[:, -1], self._most)
        return np.minimum(leads, self._most)

    @staticmethod
    def _counts(passed: Bools, fresh: Bools, count: Int64s) -> Int64s:
        """Return (r, n) frames, up to and with each, that were passed over; `count` (r, 1) came before."""
        number = np.arange(1, len(fresh) + 1)
        # After how many frames counting began anew; -1 where it goes on from the frames before.
        began = np.where(passed, np.where(fresh, number - 1, -1), number)
        began = np.maximum.accumulate(began, axis=1)
        return np.where(began >= 0, number - began, number + count)
