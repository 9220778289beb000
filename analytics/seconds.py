"""Frames at 10 Hz to the seconds that are stored: mean, extremes and coverage of each stream."""

from collections.abc import Mapping
from typing import Final

import numpy as np

from poise.results import GRID_US, PostureFrames, Second
from poise.samples import Floats, Int64s

FRAMES_PER_SECOND: Final = 1_000_000 // GRID_US


class Seconds:
    """Gathers frames until their second is over, so that any chunking gives the same sums."""

    def __init__(self, run_us: int, calibration: str) -> None:
        """Mark every second with its run and calibration."""
        self._run_us, self._calibration = run_us, calibration
        self._waiting: dict[str, list[tuple[Int64s, Floats]]] = {}

    def update(self, frames: PostureFrames, derived: Mapping[str, Floats]) -> tuple[Second, ...]:
        """Take frames and return the seconds that are over."""
        t_s = frames.t_us // 1_000_000
        for stream, values in _streams(frames, derived).items():
            self._waiting.setdefault(stream, []).append((t_s, values))
        return self._cut(int(t_s[-1]))

    def finish(self) -> tuple[Second, ...]:
        """Return what is left at the end of a run."""
        return self._cut(None)

    def _cut(self, before_s: int | None) -> tuple[Second, ...]:
        seconds: list[Second] = []
        for stream, parts in self._waiting.items():
            t_s = np.concatenate([part[0] for part in parts])
            values = np.concatenate([part[1] for part in parts])
            cut = len(t_s) if before_s is None else int(np.searchsorted(t_s, before_s))
            seconds += self._summarise(stream, t_s[:cut], values[:cut])
            self._waiting[stream] = [(t_s[cut:], values[cut:])]
        return tuple(seconds)

    def _summarise(self, stream: str, t_s: Int64s, values: Floats) -> list[Second]:
        seen = np.isfinite(values)
        t_s, values = t_s[seen], values[seen]
        if len(t_s) == 0:
            return []
        starts = np.flatnonzero(np.diff(t_s, prepend=t_s[0] - 1))
        count = np.diff(starts, append=len(t_s))
        mean = np.add.reduceat(values, starts) / count
        low, high = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
        return [
            Second(int(t), stream, float(m), float(a), float(b), int(n) / FRAMES_PER_SECOND, *self._mark)
            for t, m, a, b, n in zip(t_s[starts], mean, low, high, count, strict=True)
        ]

    @property
    def _mark(self) -> tuple[int, str]:
        return self._run_us, self._calibration


def _streams(frames: PostureFrames, derived: Mapping[str, Floats]) -> dict[str, Floats]:
    columns = {segment: frames.sagittal[:, j] for j, segment in enumerate(frames.segments)}
    columns |= {f"{segment}.frontal": frames.frontal[:, j] for j, segment in enumerate(frames.segments)}
    return columns | dict(derived)
