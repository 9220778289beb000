"""Tracks of several sensors on one common 10 Hz UTC grid."""

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from analytics.motion.angles import unit
from analytics.motion.orientation import Orientation, UpTrack
from poise.results import GRID_US
from poise.samples import Floats, ImuBatch, Int64s

LATE_FRAMES: Final = 20
"""A sensor this far (2 s) behind the newest is not waited for: its frames are shown as unseen."""
SILENT_FRAMES: Final = 50
"""A sensor silent for 5 s is no longer expected; the same time ends a run (docs/postures.md)."""


class SensorTrack:
    """One sensor's filter and its up vectors on the grid, waiting to be put beside the other sensors'."""

    def __init__(self, batch: ImuBatch) -> None:
        """Begin at the period of the sensor's first batch; the batch itself is not taken."""
        self.sensor = batch.sensor
        self._orientation = Orientation(batch.period_ns)
        self._t_us = np.zeros(0, np.int64)
        self._up = np.zeros((0, 3))
        self.frames = np.zeros(0, np.int64)
        self.ups = np.zeros((0, 3))
        self.ready = -1

    def update(self, batch: ImuBatch) -> int:
        """Take a batch and return how many of its samples came too late to be used."""
        track = self._orientation.update(batch)
        if len(track.t_us):
            self._resample(track)
        return len(batch) - len(track.t_us)

    def take(self, through: int) -> tuple[Int64s, Floats]:
        """Return and forget the frames up to `through`: grid indices (k,) and up vectors (k, 3)."""
        cut = int(np.searchsorted(self.frames, through, side="right"))
        frames, ups = self.frames[:cut], self.ups[:cut]
        self.frames, self.ups = self.frames[cut:], self.ups[cut:]
        return frames, ups

    def _resample(self, track: UpTrack) -> None:
        """Interpolate linearly between neighbouring samples; nothing is interpolated across a gap."""
        t_us = np.concatenate([self._t_us, track.t_us])
        up = np.concatenate([self._up, track.up])
        broken = track.jump if len(self._t_us) else track.jump[1:]
        self._t_us, self._up = t_us[-1:], up[-1:]
        if len(t_us) < 2:
            return
        first = self.ready + 1 if self.ready >= 0 else -(-int(t_us[0]) // GRID_US)
        self.ready = int(t_us[-1]) // GRID_US
        frames = np.arange(first, self.ready + 1, dtype=np.int64)
        at = frames * GRID_US
        right = np.clip(np.searchsorted(t_us, at, side="left"), 1, len(t_us) - 1)
        share = ((at - t_us[right - 1]) / (t_us[right] - t_us[right - 1]))[:, None]
        between = up[right - 1] + share * (up[right] - up[right - 1])
        seen = ~broken[right - 1]
        self.frames = np.concatenate([self.frames, frames[seen]])
        self.ups = np.concatenate([self.ups, unit(between[seen])])


@dataclass(slots=True)
class Grid:
    """All sensors of one wearer in one run.

    Attributes:
        tracks: by segment; the last sensor seen on a segment holds it.
        emitted: grid index of the newest frame given out, -1 before the first.
        first: grid index of the run's first sample.
    """

    tracks: dict[str, SensorTrack] = field(default_factory=dict)
    emitted: int = -1
    first: int = -1

    def add(self, batch: ImuBatch) -> int:
        """Take a batch and return how many of its samples came too late."""
        track = self.tracks.get(batch.segment)
        if track is None or track.sensor != batch.sensor:
            track = self.tracks[batch.segment] = SensorTrack(batch)
        if self.first < 0:
            self.first = int(batch.t_us[0]) // GRID_US
        return track.update(batch)

    def rows(self, segments: tuple[str, ...], *, everything: bool = False) -> tuple[Int64s, Floats]:
        """Return the frames that are complete by now: grid indices (n,) and up vectors (n, m, 3), NaN unseen.

        Args:
            segments: the m columns wanted.
            everything: also what would still wait for a slower sensor, at the end of a run.
        """
        through = self._newest() if everything else self._complete()
        if through <= self.emitted:
            return np.zeros(0, np.int64), np.zeros((0, len(segments), 3))
        start = max(self.emitted + 1, self.first)
        ups = np.full((through - start + 1, len(segments), 3), np.nan)
        for segment, track in self.tracks.items():
            frames, values = track.take(through)
            timely = frames >= start
            if segment in segments:
                ups[frames[timely] - start, segments.index(segment)] = values[timely]
        self.emitted = through
        kept = np.flatnonzero(np.isfinite(ups[:, :, 0]).any(axis=1))
        return start + kept, ups[kept]

    def _newest(self) -> int:
        return max((track.ready for track in self.tracks.values()), default=-1)

    def _complete(self) -> int:
        """Return the newest grid index that no expected sensor can still add to."""
        newest = self._newest()
        expected = [track.ready for track in self.tracks.values() if track.ready > newest - SILENT_FRAMES]
        slowest = min(expected, default=-1)
        # At the start of a run other sensors may not have spoken yet: wait as long as for a late one.
        if newest - self.first < LATE_FRAMES:
            return -1
        return max(slowest, newest - LATE_FRAMES)
