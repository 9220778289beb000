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

    def update(self, frames: Int64s, excess: Floats) -> Bools:
        """Return (n, k) bool: the rule is on, also while it is unseen for less than the recovery time.

        Args:
            frames: (n,) grid indices, increasing.
            excess: (n, k) rad by which each rule is exceeded, NaN where it is unseen.
        """
        if len(frames) == 0:
            return np.zeros(excess.shape, np.bool_)
        seen = np.isfinite(excess)
        up = excess >= 0.0
        at = np.where(seen, frames[:, None], _NEVER)
        if not (self._on.any() or up.any()):
            self._seen = np.maximum(at.max(axis=0), self._seen)
            return up
        last = np.maximum(np.maximum.accumulate(at, axis=0), self._seen)
        before = np.concatenate([self._seen[None], last[:-1]])
        # What was on before a long silence says nothing about after it: on again only above the threshold.
        silent = frames[:, None] - before > self._recover
        off = (excess < -self._release) | (silent & ~up)
        changes = up | off
        rows = np.where(changes, np.arange(len(frames))[:, None], -1)
        latest = np.maximum.accumulate(rows, axis=0)
        on = np.where(latest >= 0, np.take_along_axis(up, np.maximum(latest, 0), axis=0), self._on)
        self._on, self._seen = on[-1].copy(), last[-1].copy()
        return np.asarray(on, np.bool_)


class Leads:
    """How long each rule had been on, though not judged, right before a frame."""

    def __init__(self, columns: int, most: int) -> None:
        """Count up to `most` frames."""
        self._most = most
        self._count = np.zeros(columns, np.int64)
        self._last = _NEVER

    def update(self, frames: Int64s, passed: Bools) -> Int64s | None:
        """Return (n, k) frames right before each, without a hole, that were passed over; None for none.

        Args:
            frames: (n,) grid indices, increasing.
            passed: (n, k) bool, the rule is on and seen in this frame, and not judged.
        """
        last, self._last = self._last, int(frames[-1])
        if not (self._count.any() or passed.any()):
            return None
        rows = np.arange(1, len(frames) + 1)[:, None]
        fresh = np.diff(frames, prepend=last)[:, None] != 1
        # After how many rows counting began anew; -1 where it goes on from the frames before.
        began = np.maximum.accumulate(np.where(passed, np.where(fresh, rows - 1, -1), rows), axis=0)
        counts = np.where(began >= 0, rows - began, rows + self._count)
        if fresh[0, 0]:
            self._count = np.zeros_like(self._count)
        before = np.concatenate([self._count[None], counts[:-1]])
        self._count = np.minimum(counts[-1], self._most)
        return np.minimum(np.where(fresh, 0, before), self._most)
