"""Tracks of several sensors on one common 10 Hz UTC grid."""

from collections.abc import Iterable, Sequence
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from analytics.motion.angles import axes
from analytics.motion.faults import CLIPPED, Faults
from analytics.motion.intensity import SUMS, intensities
from analytics.motion.moments import Moments
from analytics.motion.orientation import Orientation, frame_from_sensor, product, up_in_sensor
from analytics.motion.stack import Made, Piece, Stack, joined
from poise.calibration import Calibration
from poise.results import GRID_US
from poise.samples import Floats, ImuBatch, Int64s, Scale

LATE_FRAMES: Final = 20
"""A sensor this far (2 s) behind the newest is not waited for: its frames are shown as unseen."""
SILENT_FRAMES: Final = 50
"""A sensor silent for 5 s is no longer expected; the same time ends a run (docs/postures.md)."""

A = TypeVar("A", bound=np.generic)


class SensorTrack:
    """One sensor's filter and its row in the stack."""

    def __init__(self, batch: ImuBatch, number: int, frame: Floats | None) -> None:
        """Begin at the period of the sensor's first batch; the batch itself is not taken."""
        self.sensor: str = batch.sensor
        self.scale: Scale = batch.scale
        self.number = number
        self.q_frame_from_sensor = frame_from_sensor(np.eye(3) if frame is None else frame)
        self._orientation = Orientation(batch.period_ns, frame)

    def orient(self, batches: Sequence[ImuBatch]) -> tuple[Piece | None, Faults]:
        """Return the sensor's samples with their orientation, and what was wrong with them."""
        tracks = [self._orientation.update(batch) for batch in batches]
        late = sum(len(batch) for batch in batches) - sum(len(track.t_us) for track in tracks)
        if not any(len(track.t_us) for track in tracks):
            return None, Faults(late=late)
        counts = [(batch.acc, batch.gyr) for batch in batches]
        if late:
            counts = [(a[t.taken], g[t.taken]) for (a, g), t in zip(counts, tracks, strict=True)]
        clipped = sum(
            int(np.count_nonzero(batch.flags[track.taken] & CLIPPED))
            for batch, track in zip(batches, tracks, strict=True)
            if batch.flags is not None
        )
        piece = Piece(
            self.number,
            _one([track.t_us for track in tracks]),
            _one([track.q_earth_from_frame for track in tracks]),
            _one([track.jump for track in tracks]),
            _one([acc for acc, _ in counts]),
            _one([gyr for _, gyr in counts]),
        )
        return piece, Faults(late, clipped)


class Grid:
    """All sensors of one wearer in one run.

    Attributes:
        tracks: by segment; the last sensor seen on a segment holds it.
        emitted: grid index of the newest frame given out, -1 before the first.
        first: grid index of the run's first sample.
    """

    def __init__(self, calibration: Calibration | None = None) -> None:
        """Begin without a sensor; those that the calibration knows are filtered in their segment's frame."""
        self._calibration = calibration
        self.tracks: dict[str, SensorTrack] = {}
        self.emitted = -1
        self.first = -1
        self._stack = Stack()
        self._segments: list[str] = []
        self._waiting: list[Made] = []

    def add(self, batches: Iterable[ImuBatch]) -> Faults:
        """Take the batches of all sensors and return what was wrong with their samples."""
        by_track: dict[int, list[ImuBatch]] = {}
        for batch in batches:
            if len(batch):
                by_track.setdefault(self._track(batch).number, []).append(batch)
        oriented = [self.tracks[self._segments[n]].orient(parts) for n, parts in by_track.items()]
        pieces = [piece for piece, _ in oriented if piece is not None]
        repeated = 0
        if pieces:
            made, repeated = self._stack.resample(pieces)
            self._waiting.append(made)
        late, clipped = (sum(faults[i] for _, faults in oriented) for i in (0, 1))
        return Faults(late, clipped, repeated)

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
        if n:
            made = self._take(start, through)
            columns = np.array([segments.index(name) for name in self._segments])[made.numbers]
            q[made.frames - start, columns], sums[made.frames - start, columns] = made.q, made.sums
        self.emitted = max(self.emitted, through)
        seen = np.isfinite(q[:, :, 0]).any(axis=1)
        if seen.all():
            return self._moments(start + np.arange(n), segments, q, sums)
        kept = np.flatnonzero(seen)
        return self._moments(start + kept, segments, q[kept], sums[kept])

    def _track(self, batch: ImuBatch) -> SensorTrack:
        """Return the track of the batch's sensor; another sensor or scale on a segment begins a new one."""
        track = self.tracks.get(batch.segment)
        if track is None or (track.sensor, track.scale) != (batch.sensor, batch.scale):
            known = self._calibration.alignments if self._calibration else {}
            alignment = known.get(batch.segment)
            frame = axes(alignment.q_sensor_from_segment) if alignment else None
            track = self.tracks[batch.segment] = SensorTrack(batch, self._stack.add(), frame)
            self._segments.append(batch.segment)
        if self.first < 0:
            self.first = int(batch.t_us[0]) // GRID_US
        return track

    def _take(self, start: int, through: int) -> Made:
        """Return the waiting moments of `start` to `through` and forget them; earlier ones came too late."""
        made = joined(self._waiting)
        later = made.frames > through
        self._waiting = [made.where(later)]
        return made.where(~later & (made.frames >= start))

    def _moments(self, frames: Int64s, segments: tuple[str, ...], q: Floats, sums: Int64s) -> Moments:
        w, x, y, z = (q[..., i] for i in range(4))
        q = q / np.sqrt(w * w + x * x + y * y + z * z)[..., None]
        if segments:
            q = product(q, np.stack([self.tracks[segment].q_frame_from_sensor for segment in segments]))
        scales = [self.tracks[segment].scale for segment in segments]
        acc_scale = np.array([scale.acc_nano for scale in scales]) * 1e-9
        gyr_scale = np.array([scale.gyr_nano for scale in scales]) * 1e-9
        rate, force, shake = intensities(sums, acc_scale, gyr_scale)
        return Moments(frames, segments, q, up_in_sensor(q), rate, force, shake)

    def _ready(self) -> list[int]:
        ready = self._stack.ready.tolist()
        return [ready[track.number] for track in self.tracks.values()]

    def _newest(self) -> int:
        return max(self._ready(), default=-1)

    def _complete(self) -> int:
        """Return the newest grid index that no expected sensor can still add to."""
        ready = self._ready()
        newest = max(ready, default=-1)
        # At the start of a run other sensors may not have spoken yet: wait as long as for a late one.
        if newest - self.first < LATE_FRAMES:
            return -1
        slowest = min(frame for frame in ready if frame > newest - SILENT_FRAMES)
        return max(slowest, newest - LATE_FRAMES)


def _one(parts: Sequence[NDArray[A]]) -> NDArray[A]:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
