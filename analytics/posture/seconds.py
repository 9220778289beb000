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
        self._names: tuple[str, ...] = ()
        self._t_s = np.zeros(0, np.int64)
        self._values = np.zeros((0, 0))

    def update(self, frames: PostureFrames, derived: Mapping[str, Floats]) -> Sequence[Second]:
        """Take frames and return the seconds that are over."""
        t_s = frames.t_us // 1_000_000
        self._rename((*frames.segments, *(f"{name}.frontal" for name in frames.segments), *derived))
        values = np.column_stack([frames.sagittal, frames.frontal, *derived.values()])
        self._t_s = np.concatenate([self._t_s, t_s])
        self._values = np.concatenate([self._values, values])
        return self._cut(int(np.searchsorted(self._t_s, t_s[-1])))

    def finish(self) -> Sequence[Second]:
        """Return what is left at the end of a run."""
        return self._cut(len(self._t_s))

    def _rename(self, names: tuple[str, ...]) -> None:
        """Take over the columns of `names`; a stream that joins in mid-second was unseen before."""
        if names == self._names:
            return
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
        starts = np.flatnonzero(np.diff(t_s, prepend=t_s[0] - 1))
        seen = np.isfinite(values)
        count = np.add.reduceat(seen.astype(np.int64), starts)
        mean = np.add.reduceat(np.where(seen, values, 0.0), starts) / np.maximum(count, 1)
        low = np.minimum.reduceat(np.where(seen, values, np.inf), starts)
        high = np.maximum.reduceat(np.where(seen, values, -np.inf), starts)
        rows, columns = np.nonzero(count)
        return SecondTable(
            [
                SecondBlock(
                    t_s[starts][rows],
                    self._names,
                    columns,
                    mean[rows, columns],
                    low[rows, columns],
                    high[rows, columns],
                    count[rows, columns] / FRAMES_PER_SECOND,
                    *self._mark,
                )
            ]
        )
