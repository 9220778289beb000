"""Tracks of several sensors on one common 10 Hz UTC grid."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from analytics.motion.angles import axes
from analytics.motion.faults import Faults, clipped
from analytics.motion.intensity import SUMS, intensities
from analytics.motion.moments import Moments
from analytics.motion.orientation import HOLE, Orientation, frame_from_sensor, up_in_sensor
from analytics.motion.stack import Made, Piece, Rows, Stack, joined
from poise.calibration import Calibration
from poise.results import GRID_US
from poise.samples import Bools, Floats, ImuBatch, Int16s, Int64s, Scale

LATE_FRAMES: Final = 20
"""A sensor this far (2 s) behind the newest is not waited for: its frames are shown as unseen."""
SILENT_FRAMES: Final = 50
"""A sensor silent for 5 s is no longer expected; the same time ends a run (docs/postures.md)."""

PORTION: Final = 8000
"""Samples of a sensor that are taken at once. Larger arrays go back to the system after each step,
and getting their pages again takes longer than the step itself."""

_TERMS: Final = np.array([[0, 1, 2, 3], [1, 0, 3, 2], [2, 3, 0, 1], [3, 2, 1, 0]])
_SIGNS: Final = np.array([[1, 1, 1, 1], [-1, 1, -1, 1], [-1, 1, 1, -1], [-1, -1, 1, 1]])[..., None] * 1.0
"""Row i: which component of the right factor, with which sign, component i of the left one is multiplied
with for w, x, y and z of a product."""

A = TypeVar("A", bound=np.generic)


class Oriented(NamedTuple):
    """Samples of one sensor with their orientation (n, 4), and before which of them (n,) a gap lies."""

    piece: Piece
    q: Floats
    jump: Bools


class SensorTrack:
    """One sensor's filter and its row in the stack."""

    def __init__(self, batch: ImuBatch, number: int, frame: Floats | None) -> None:
        """Begin at the period of the sensor's first batch; the batch itself is not taken."""
        self.sensor: str = batch.sensor
        self.scale: Scale = batch.scale
        self.number = number
        self.q_frame_from_sensor = frame_from_sensor(np.eye(3) if frame is None else frame)
        self._orientation = Orientation(batch.period_ns, frame)

    def piece(self, batch: ImuBatch) -> Piece:
        """Return a batch as it is."""
        return Piece(self.number, batch.t_us, batch.acc, batch.gyr)

    def follow(self, batch: ImuBatch, counts: Int16s) -> tuple[Floats, bool]:
        """Return the orientation (n, 4) at unbroken samples, and whether a gap lies before the first."""
        return self._orientation.follow(batch, counts)

    def orient(self, batches: Sequence[ImuBatch]) -> tuple[Oriented | None, Faults]:
        """Return any samples with their orientation, without those that came too late."""
        tracks = [self._orientation.update(batch) for batch in batches]
        late = sum(len(batch) for batch in batches) - sum(len(track.t_us) for track in tracks)
        if not any(len(track.t_us) for track in tracks):
            return None, Faults(late=late)
        counts = [(batch.acc, batch.gyr) for batch in batches]
        if late:
            counts = [(a[t.taken], g[t.taken]) for (a, g), t in zip(counts, tracks, strict=True)]
        beyond = sum(clipped(b.flags, track.taken) for b, track in zip(batches, tracks, strict=True))
        piece = Piece(
            self.number,
            _one([track.t_us for track in tracks]),
            _one([acc for acc, _ in counts]),
            _one([gyr for _, gyr in counts]),
        )
        q, jump = _one([t.q_earth_from_frame for t in tracks]), _one([t.jump for t in tracks])
        return Oriented(piece, q, jump), Faults(late, beyond)


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
        faults = [self._add(part) for part in _portions([batch for batch in batches if len(batch)])]
        return (
            faults[0] if len(faults) == 1 else Faults(*(sum(column) for column in zip(*faults, strict=True)))
        )

    def _add(self, batches: Sequence[ImuBatch]) -> Faults:
        """Take one batch a sensor at once if all are in order, as they mostly are; else one by one."""
        tracks = [self._track(batch) for batch in batches]
        if len({track.number for track in tracks}) == len(tracks):
            rows = self._stack.rows(
                [track.piece(batch) for track, batch in zip(tracks, batches, strict=True)]
            )
            if rows.unbroken(np.array([HOLE * batch.period_ns for batch in batches])):
                told = zip(tracks, batches, rows.apart(), strict=True)
                oriented = [track.follow(batch, counts) for track, batch, counts in told]
                jumps = rows.starts[[jumped for _, jumped in oriented]] + 1
                repeated = self._resample(rows, [q for q, _ in oriented], jumps)
                return Faults(0, sum(clipped(batch.flags) for batch in batches), repeated)
        return self._add_broken(tracks, batches)

    def _add_broken(self, tracks: Sequence[SensorTrack], batches: Sequence[ImuBatch]) -> Faults:
        """Take batches with holes, several of a sensor, or samples that came before."""
        by_number: dict[int, tuple[SensorTrack, list[ImuBatch]]] = {}
        for track, batch in zip(tracks, batches, strict=True):
            by_number.setdefault(track.number, (track, []))[1].append(batch)
        oriented, faults = zip(*(track.orient(parts) for track, parts in by_number.values()), strict=True)
        there = [one for one in oriented if one is not None]
        repeated = 0
        if there:
            rows = self._stack.rows([one.piece for one in there])
            jumps = [one.jump.nonzero()[0] + start + 1 for one, start in zip(there, rows.starts, strict=True)]
            repeated = self._resample(rows, [one.q for one in there], np.concatenate(jumps))
        return Faults(sum(f.late for f in faults), sum(f.clipped for f in faults), repeated)

    def _resample(self, rows: Rows, oriented: Sequence[Floats], jumps: Int64s) -> int:
        made, repeated = self._stack.resample(rows, oriented, jumps)
        self._waiting.append(made)
        return repeated

    def moments(self, *, everything: bool = False) -> Moments:
        """Return the moments that are complete by now, a column for each segment in alphabetical order.

        Args:
            everything: also what would still wait for a slower sensor, at the end of a run.
        """
        segments = tuple(sorted(self.tracks))
        through = self._newest() if everything else self._complete()
        start = max(self.emitted + 1, self.first)
        n = max(through - start + 1, 0) if through > self.emitted else 0
        q, sums = self._laid_out(start, n, segments)
        self.emitted = max(self.emitted, through)
        seen = np.isfinite(q[0]).any(axis=0)
        if seen.all():
            return self._moments(np.arange(start, start + n), segments, q, sums)
        kept = np.flatnonzero(seen)
        return self._moments(start + kept, segments, q[:, :, kept], sums[:, :, kept])

    def _laid_out(self, start: int, n: int, segments: tuple[str, ...]) -> tuple[Floats, Int64s]:
        """Return orientations (4, m, n), NaN where unseen, and sums (SUMS, m, n) of n moments."""
        m = len(segments)
        if not n:
            return np.zeros((4, m, 0)), np.zeros((SUMS, m, 0), np.int64)
        made = self._take(start, start + n - 1)
        columns = np.array([segments.index(name) for name in self._segments])
        place = columns[made.numbers] * n + (made.frames - start)
        order = np.full(m * n, -1)
        order[place] = np.arange(len(place))
        if order.min() >= 0:  # nothing is unseen: to gather costs half as much as to strew
            q = np.ascontiguousarray(made.q.take(order, axis=0).T)
            return q.reshape(4, m, n), made.sums.T.take(order, axis=1).reshape(SUMS, m, n)
        q, sums = np.full((4, m * n), np.nan), np.zeros((SUMS, m * n), np.int64)
        q[:, place], sums[:, place] = made.q.T, made.sums.T
        return q.reshape(4, m, n), sums.reshape(SUMS, m, n)

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
        """Return moments of (4, m, n) orientations and (SUMS, m, n) sums.

        In memory each segment's angles follow each other: everything after works by columns.
        """
        tracks = [self.tracks[segment] for segment in segments]
        squares = q * q
        q = q / np.sqrt(squares[0] + squares[1] + squares[2] + squares[3])
        if tracks:
            q = _times(q, np.array([track.q_frame_from_sensor for track in tracks]))
        acc, gyr = [track.scale.acc_nano for track in tracks], [track.scale.gyr_nano for track in tracks]
        rate, force, shake = intensities(sums, np.array(acc) * 1e-9, np.array(gyr) * 1e-9)
        up = np.empty((3, *q.shape[1:]))
        up_in_sensor(q.transpose(2, 1, 0), out=up.T)
        return Moments(frames, segments, q.transpose(2, 1, 0), up.T, rate.T, force.T, shake.T)

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


def _times(q: Floats, r: Floats) -> Floats:
    """Return the quaternion products q r, (4, m, n), of (4, m, n) and (m, 4).

    The same products and sums as in `orientation.product`, for all four components at once.
    """
    terms = (r.T[_TERMS] * _SIGNS)[..., None]
    found: Floats = q[0] * terms[0]
    for component, term in zip(q[1:], terms[1:], strict=True):
        found += component * term
    return found


def _portions(batches: Sequence[ImuBatch]) -> Iterator[Sequence[ImuBatch]]:
    """Yield the batches in parts of up to `PORTION` samples, if there is one a sensor."""
    longest = max((len(batch) for batch in batches), default=0)
    if longest <= PORTION or len({batch.segment for batch in batches}) < len(batches):
        yield batches
        return
    for start in range(0, longest, PORTION):
        yield [b.part(start, min(start + PORTION, len(b))) for b in batches if len(b) > start]


def _one(parts: Sequence[NDArray[A]]) -> NDArray[A]:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
