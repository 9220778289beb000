"""One run: an unbroken stretch of one wearer with one calibration and one plan."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analytics.conclusions import Conclusions, joined
from analytics.exposure.streams import streams
from analytics.exposure.tracker import ExposureTracker
from analytics.motion.grid import Grid
from analytics.motion.moments import Moments
from analytics.posture.activity import ActivityGate
from analytics.posture.episodes import judged_in
from analytics.posture.judge import Judge
from analytics.posture.rules import KINDS, Plan, Worn, measures
from analytics.posture.seconds import Seconds
from analytics.wearing.aligned import Aligned
from analytics.wearing.trust import UNDOUBTED, Trust
from poise.calibration import Calibration
from poise.results import GRID_US, QUARTER_S, Exposure, PostureFrames
from poise.samples import Floats, ImuBatch, Int64s
from poise.skeleton import Segment

_FRAMES_PER_QUARTER: Final = QUARTER_S * 1_000_000 // GRID_US
Activities = NDArray[np.int8]


class Run:
    """Results of a run depend only on its samples, its calibration and its plan (docs/postures.md).

    With the calibration comes what is known of it: what has ended stays ended (decision 14).
    """

    def __init__(
        self, run_us: int, calibration: Calibration | None, plan: Plan, trust: Trust = UNDOUBTED
    ) -> None:
        """Begin at the run's first sample."""
        self.run_us = run_us
        self.last_us = run_us
        self._calibration_id = calibration.id if calibration else ""
        self._grid = Grid(calibration)
        self._aligned = Aligned(calibration, trust)
        self._gate = ActivityGate()
        self._judge = Judge(plan, run_us, self._calibration_id)
        self._seconds = Seconds(run_us, self._calibration_id)
        self._exposure = ExposureTracker(run_us)
        self._seen: dict[int, int] = {}

    def trust(self) -> Trust:
        """Return what is known of the calibration by now."""
        return self._aligned.trust()

    def update(self, batches: Sequence[ImuBatch]) -> Conclusions:
        """Take all sensors' samples of one slice of time."""
        faults = self._grid.add(batches)
        self.last_us = max(self.last_us, *(int(batch.t_us[-1]) for batch in batches if len(batch)))
        counts = zip(faults._fields, faults, strict=True)
        return self._conclude(self._grid.moments(), tuple((name, n) for name, n in counts if n))

    def finish(self) -> Conclusions:
        """End the run."""
        rest = self._conclude(self._grid.moments(everything=True), ())
        ended = Conclusions(
            seconds=self._seconds.finish(),
            episodes=self._judge.finish(),
            quarters=self._exposure.finish(),
            taken_off=rest.taken_off,
        )
        last = Conclusions(exposures=self._exposures(self._grid.emitted), taken_off=rest.taken_off)
        return joined([rest, ended, last])

    def _conclude(self, moments: Moments, remarks: tuple[tuple[str, int], ...]) -> Conclusions:
        if len(moments) == 0:
            return Conclusions(remarks=remarks)
        sensors = {segment: track.sensor for segment, track in self._grid.tracks.items()}
        angles = self._aligned.update(moments, sensors)
        activity = self._gate.update(moments, angles.sagittal, angles.frontal, angles.on)
        frames, sagittal, frontal, worn = moments.frames, angles.sagittal, angles.frontal, angles.worn
        judged = self._judge.update(frames, sagittal, frontal, worn, activity)
        self._exposure.update(frames, streams(sagittal, frontal, worn), activity)
        self._count_seen(frames, sagittal, worn, activity)
        posture = PostureFrames(
            self.run_us,
            self._calibration_id,
            moments.segments,
            frames * GRID_US,
            sagittal,
            frontal,
            KINDS,
            judged.held,
            activity,
            moments.rate,
            moments.force,
            moments.shake,
        )
        return Conclusions(
            (posture,),
            self._seconds.update(posture, measures(sagittal, worn)),
            judged.episodes,
            self._exposures(int(frames[0])),
            remarks,
            self._exposure.quarters(settled_only=True),
            angles.doubts,
            angles.taken_off,
        )

    def _count_seen(self, frames: Int64s, sagittal: Floats, worn: Worn, activity: Activities) -> None:
        """Count the frames in which posture could be judged: the trunk seen, calibrated, and held."""
        trunk = worn.columns.get(worn.trunk or Segment.HEAD)
        if trunk is None:
            return
        seen = frames[np.isfinite(sagittal[:, trunk]) & judged_in(activity)] // _FRAMES_PER_QUARTER
        if len(seen) == 0:
            return
        counts = np.bincount(seen - seen[0])
        for quarter in np.flatnonzero(counts).tolist():
            at = int(seen[0]) + quarter
            self._seen[at] = self._seen.get(at, 0) + int(counts[quarter])

    def _exposures(self, first: int) -> tuple[Exposure, ...]:
        """Return this run's totals of the quarters that frames from grid index `first` on can change.

        An episode is dated back before its dwell, so the quarter before may change too.
        """
        since = first // _FRAMES_PER_QUARTER - 1
        self._seen = {quarter: n for quarter, n in self._seen.items() if quarter >= since}
        rows = [
            Exposure(q * QUARTER_S, self.run_us, "seen", n * GRID_US / 1e6) for q, n in self._seen.items()
        ]
        for kind, quarters in self._judge.seconds(since * QUARTER_S).items():
            rows += [Exposure(at_s, self.run_us, kind, seconds) for at_s, seconds in quarters.items()]
        return tuple(rows)
