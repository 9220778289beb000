"""Tracks of several sensors on one common 10 Hz UTC grid."""

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from analytics.motion.faults import CLIPPED, Faults, repeats
from analytics.motion.intensity import SUMS, Intensity, intensities
from analytics.motion.moments import Moments
from analytics.motion.orientation import Orientation, Track, up_in_sensor
from poise.results import GRID_US
from poise.samples import Floats, ImuBatch, Int16s, Int64s

LATE_FRAMES: Final = 20
"""A sensor this far (2 s) behind the newest is not waited for: its frames are shown as unseen."""
SILENT_FRAMES: Final = 50
"""A sensor silent for 5 s is no longer expected; the same time ends a run (docs/postures.md)."""


class SensorTrack:
    """One sensor's filter and its orientation on the grid, waiting to be put beside the other sensors'."""

    def __init__(self, batch: ImuBatch) -> None:
        """Begin at the period of the sensor's first batch; the batch itself is not taken."""
        self.sensor = batch.sensor
        self.scale = batch.scale
        self._orientation = Orientation(batch.period_ns)
        self._intensity = Intensity()
        self._row = np.zeros((0, 6), np.int16)
        self._t_us = np.zeros(0, np.int64)
        self._q = np.zeros((0, 4))
        self.frames = np.zeros(0, np.int64)
        self.values = np.zeros((0, 4))
        self.sums = np.zeros((0, SUMS), np.int64)
        self.ready = -1

    def update(self, batch: ImuBatch) -> Faults:
        """Take a batch and return what was wrong with its samples."""
        track = self._orientation.update(batch)
        n = len(track.t_us)
        if n == 0:
            return Faults(late=len(batch))
        whole = n == len(batch)
        acc, gyr = (batch.acc, batch.gyr) if whole else (batch.acc[track.taken], batch.gyr[track.taken])
        self._resample(track, acc, gyr)
        repeated = repeats(np.concatenate([self._row, np.concatenate([acc, gyr], axis=1)]))
        self._row = np.concatenate([acc[-1:], gyr[-1:]], axis=1)
        clipped = 0 if batch.flags is None else int(np.count_nonzero(batch.flags[track.taken] & CLIPPED))
        return Faults(len(batch) - n, clipped, repeated)

    def take(self, through: int) -> tuple[Int64s, Floats, Int64s]:
        """Return and forget the frames up to `through`.

        Returns:
            grid indices (k,), orientations (k, 4) not yet of length 1, and sums of motion (k, SUMS).
        """
        cut = int(np.searchsorted(self.frames, through, side="right"))
        frames, values, sums = self.frames[:cut], self.values[:cut], self.sums[:cut]
        self.frames, self.values, self.sums = self.frames[cut:], self.values[cut:], self.sums[cut:]
        return frames, values, sums

    def _resample(self, track: Track, acc: Int16s, gyr: Int16s) -> None:
        """Interpolate linearly between neighbouring samples; nothing is interpolated across a gap."""
        t_us = np.concatenate([self._t_us, track.t_us])
        q = np.concatenate([self._q, track.q_earth_from_sensor])
        broken = track.jump if len(self._t_us) else track.jump[1:]
        self._t_us, self._q = t_us[-1:], q[-1:]
        frames = self._due(t_us)
        sums = self._intensity.update(track.t_us, acc, gyr, frames)
        if len(frames) == 0:
            return
        self.ready = int(frames[-1])
        at = frames * GRID_US
        right = np.clip(np.searchsorted(t_us, at, side="left"), 1, len(t_us) - 1)
        left = right - 1
        share = ((at - t_us[left]) / (t_us[right] - t_us[left]))[:, None]
        seen = ~broken[left]
        self.frames = np.concatenate([self.frames, frames[seen]])
        self.values = np.concatenate([self.values, _towards(q[left], q[right], share)[seen]])
        self.sums = np.concatenate([self.sums, sums[seen]])

    def _due(self, t_us: Int64s) -> Int64s:
        """Return the grid indices that samples on both sides are now known of."""
        if len(t_us) < 2:
            return np.zeros(0, np.int64)
        first = self.ready + 1 if self.ready >= 0 else -(-int(t_us[0]) // GRID_US)
        return np.arange(first, int(t_us[-1]) // GRID_US + 1, dtype=np.int64)


def _towards(before: Floats, after: Floats, share: Floats) -> Floats:
    """Return quaternions between, not of length 1; q and -q are the same turn, the nearer one is meant."""
    b, a = before, after
    same = b[:, 0] * a[:, 0] + b[:, 1] * a[:, 1] + b[:, 2] * a[:, 2] + b[:, 3] * a[:, 3] >= 0
    return b + share * (np.where(same[:, None], a, -a) - b)


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

    def add(self, batch: ImuBatch) -> Faults:
        """Take a batch and return what was wrong with its samples."""
        track = self.tracks.get(batch.segment)
        if track is None or (track.sensor, track.scale) != (batch.sensor, batch.scale):
            track = self.tracks[batch.segment] = SensorTrack(batch)
        if self.first < 0:
            self.first = int(batch.t_us[0]) // GRID_US
        return track.update(batch)

    def moments(self, *, everything: bool = False) -> Moments:
        """Return the moments that are complete by now, a column for each segment in alphabetical order.

        Args:
            everything: also what would still wait for a slower sensor, at the end of a run.
        """
        segments = tuple(sorted(self.tracks))
        through = self._newest() if everything else self._complete()
        start = max(self.emitted + 1, self.first)
        n = max(through - start + 1, 0) if through > self.emitted else 0
        q = np.full((n, len(segments), 4), np.nan)
        sums = np.zeros((n, len(segments), SUMS), np.int64)
        for column, segment in enumerate(segments if n else ()):
            frames, values, counts = self.tracks[segment].take(through)
            timely = frames >= start
            rows = frames[timely] - start
            q[rows, column], sums[rows, column] = values[timely], counts[timely]
        self.emitted = max(self.emitted, through)
        kept = np.flatnonzero(np.isfinite(q[:, :, 0]).any(axis=1))
        return self._moments(start + kept, segments, q[kept], sums[kept])

    def _moments(self, frames: Int64s, segments: tuple[str, ...], q: Floats, sums: Int64s) -> Moments:
        w, x, y, z = (q[..., i] for i in range(4))
        q = q / np.sqrt(w * w + x * x + y * y + z * z)[..., None]
        scales = [self.tracks[segment].scale for segment in segments]
        acc_scale = np.array([scale.acc_nano for scale in scales]) * 1e-9
        gyr_scale = np.array([scale.gyr_nano for scale in scales]) * 1e-9
        rate, force, shake = intensities(sums, acc_scale, gyr_scale)
        return Moments(frames, segments, q, up_in_sensor(q), rate, force, shake)

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
