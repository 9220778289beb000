"""Frames at 10 Hz to the seconds that are stored: mean, extremes and coverage of each stream."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from poise.results import GRID_US, PostureFrames, Second
from poise.samples import Floats, Int64s
from poise.seconds import SecondBlock, SecondTable

FRAMES_PER_SECOND: Final = 1_000_000 // GRID_US


class Seconds:
    """Gathers frames until their second is over, so that any chunking gives the same sums."""

    def __init__(self, run_us: int, calibration: str) -> None:
        """Mark every second with its run and calibration."""
        self._mark = run_us, calibration
        self._told: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
        self._names: tuple[str, ...] = ()
        self._t_s = np.zeros(0, np.int64)
        self._values = np.zeros((0, 0))

    def update(self, frames: PostureFrames, derived: Mapping[str, Floats]) -> Sequence[Second]:
        """Take frames and return the seconds that are over."""
        told = frames.segments, tuple(derived)
        if told != self._told:
            self._told = told
            self._rename((*frames.segments, *(f"{name}.frontal" for name in frames.segments), *derived))
        t_s = frames.t_us // 1_000_000
        kept, m = len(self._t_s), len(frames.segments)
        values = np.empty((kept + len(t_s), len(self._names)))
        values[:kept] = self._values
        values[kept:, :m], values[kept:, m : 2 * m] = frames.sagittal, frames.frontal
        for column, angle in enumerate(derived.values(), 2 * m):
            values[kept:, column] = angle
        self._t_s, self._values = np.concatenate([self._t_s, t_s]), values
        return self._cut(int(self._t_s.searchsorted(t_s[-1])))

    def finish(self) -> Sequence[Second]:
        """Return what is left at the end of a run."""
        return self._cut(len(self._t_s))

    def _rename(self, names: tuple[str, ...]) -> None:
        """Take over the columns of `names`; a stream that joins in mid-second was unseen before."""
        values = np.full((len(self._t_s), len(names)), np.nan)
        for column, name in enumerate(names):
            if name in self._names:
                values[:, column] = self._values[:, self._names.index(name)]
        self._names, self._values = names, values

    def _cut(self, n: int) -> Sequence[Second]:
        t_s, values = self._t_s[:n], self._values[:n]
        self._t_s, self._values = self._t_s[n:], self._values[n:]
        return self._summarise(t_s, values) if n else ()

    def _summarise(self, t_s: Int64s, values: Floats) -> Sequence[Second]:
        turns = np.ones(len(t_s), np.bool_)
        turns[1:] = t_s[1:] != t_s[:-1]
        starts = np.flatnonzero(turns)
        seen = np.isfinite(values)
        if seen.all():
            lengths = np.append(starts[1:], len(t_s)) - starts
            count = np.repeat(lengths, values.shape[1]).reshape(len(starts), -1)
            sums, lows, highs = values, values, values
        else:
            count = np.add.reduceat(seen, starts, dtype=np.int64)
            sums, lows, highs = (np.where(seen, values, other) for other in (0.0, np.inf, -np.inf))
        mean = np.add.reduceat(sums, starts) / np.maximum(count, 1)
        low, high = np.minimum.reduceat(lows, starts), np.maximum.reduceat(highs, starts)
        there = np.flatnonzero(count)
        rows, columns = np.divmod(there, len(self._names))
        return SecondTable(
            [
                SecondBlock(
                    t_s[starts[rows]],
                    self._names,
                    columns,
                    mean.take(there),
                    low.take(there),
                    high.take(there),
                    count.take(there) / FRAMES_PER_SECOND,
                    *self._mark,
                )
            ]
        )
