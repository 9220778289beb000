"""One run: an unbroken stretch of one wearer with one calibration and one plan."""

from collections.abc import Iterable

import numpy as np

from analytics.motion.angles import axes, inclination
from analytics.motion.grid import Grid
from analytics.posture.episodes import EpisodeTracker, Hysteresis
from analytics.posture.rules import Deviation, Plan, Worn, deviations, measures
from analytics.posture.seconds import Seconds
from poise.calibration import Calibration
from poise.results import GRID_US, QUARTER_S, SPINE_KINDS, Episode, Exposure, Kind, PostureFrames, Results
from poise.samples import Bools, Floats, ImuBatch, Int64s
from poise.seconds import together
from poise.skeleton import Segment

_FRAMES_PER_QUARTER = QUARTER_S * 1_000_000 // GRID_US


class Run:
    """Results of a run depend only on its samples, its calibration and its plan (docs/postures.md)."""

    def __init__(self, run_us: int, calibration: Calibration | None, plan: Plan) -> None:
        """Begin at the run's first sample."""
        self.run_us = run_us
        self.last_us = run_us
        self._calibration, self._plan = calibration, plan
        self._grid = Grid()
        self._seconds = Seconds(run_us, self._calibration_id)
        self._hysteresis: dict[Kind, Hysteresis] = {}
        self._trackers: dict[Kind, EpisodeTracker] = {}
        self._seen: dict[int, int] = {}

    @property
    def _calibration_id(self) -> str:
        return self._calibration.id if self._calibration else ""

    def update(self, batches: Iterable[ImuBatch]) -> Results:
        """Take all sensors' samples of one slice of time."""
        batches = list(batches)
        faults = self._grid.add(batches)
        self.last_us = max(self.last_us, *(int(batch.t_us[-1]) for batch in batches if len(batch)))
        counts = zip(faults._fields, faults, strict=True)
        return self._conclude(everything=False, remarks=tuple((name, n) for name, n in counts if n))

    def finish(self) -> Results:
        """End the run."""
        rest = self._conclude(everything=True, remarks=())
        ended = [episode for tracker in self._trackers.values() for episode in tracker.finish()]
        return Results(
            rest.frames,
            together([rest.seconds, self._seconds.finish()]),
            _newest((*rest.episodes, *ended)),
            self._exposures(),
            rest.remarks,
        )

    def _conclude(self, *, everything: bool, remarks: tuple[tuple[str, int], ...]) -> Results:
        moments = self._grid.moments(everything=everything)
        segments, frames = moments.segments, moments.frames
        if len(moments) == 0:
            return Results(remarks=remarks)
        sagittal, frontal = self._angles(segments, moments.up)
        worn = self._worn(segments)
        found = deviations(sagittal, frontal, worn, self._plan)
        held = self._held(found)
        episodes = self._track(frames, found, held)
        self._count_seen(frames, sagittal, worn)
        posture = PostureFrames(
            self.run_us,
            self._calibration_id,
            segments,
            frames * GRID_US,
            sagittal,
            frontal,
            tuple(deviation.kind for deviation in found),
            np.stack(held, axis=1) if held else np.zeros((len(frames), 0), np.bool_),
        )
        seconds = self._seconds.update(posture, measures(sagittal, worn))
        return Results((posture,), seconds, episodes, self._exposures(), remarks)

    def _angles(self, segments: tuple[str, ...], ups: Floats) -> tuple[Floats, Floats]:
        sagittal, frontal = np.full(ups.shape[:2], np.nan), np.full(ups.shape[:2], np.nan)
        known = self._calibration.alignments if self._calibration else {}
        for column, segment in enumerate(segments):
            alignment = known.get(segment)
            if alignment and alignment.sensor == self._grid.tracks[segment].sensor:
                turned = axes(alignment.q_sensor_from_segment)
                sagittal[:, column], frontal[:, column] = inclination(ups[:, column], turned)
        return sagittal, frontal

    def _worn(self, segments: tuple[str, ...]) -> Worn:
        known = self._calibration.alignments if self._calibration else {}
        columns = {segment: column for column, segment in enumerate(segments) if segment in known}
        return Worn(columns, {segment: known[segment].bow_rad for segment in columns})

    def _held(self, found: list[Deviation]) -> list[Bools]:
        """Apply hysteresis, then let only the first spine kind hold at a moment."""
        release = float(np.radians(self._plan.release_deg))
        held = [self._hysteresis.setdefault(d.kind, Hysteresis(release)).update(d) for d in found]
        taken: Bools | None = None
        for i, deviation in enumerate(found):
            if deviation.kind in SPINE_KINDS:
                held[i] = held[i] if taken is None else held[i] & ~taken
                taken = held[i] if taken is None else taken | held[i]
        return held

    def _track(self, frames: Int64s, found: list[Deviation], held: list[Bools]) -> tuple[Episode, ...]:
        changed: list[Episode] = []
        for deviation, now in zip(found, held, strict=True):
            tracker = self._trackers.get(deviation.kind)
            if tracker is None:
                tracker = EpisodeTracker(deviation.kind, self._plan, self.run_us, self._calibration_id)
                self._trackers[deviation.kind] = tracker
            changed += tracker.update(frames, now, deviation)
        return _newest(changed)

    def _count_seen(self, frames: Int64s, sagittal: Floats, worn: Worn) -> None:
        """Count the frames in which posture could be judged: the trunk seen and calibrated."""
        trunk = worn.columns.get(worn.trunk or Segment.HEAD)
        if trunk is None:
            return
        seen = np.isfinite(sagittal[:, trunk])
        quarters, counts = np.unique(frames[seen] // _FRAMES_PER_QUARTER, return_counts=True)
        for quarter, count in zip(quarters, counts, strict=True):
            self._seen[int(quarter)] = self._seen.get(int(quarter), 0) + int(count)

    def _exposures(self) -> tuple[Exposure, ...]:
        """Return this run's totals of its two newest quarters; older ones no longer change."""
        recent = set(sorted(self._seen)[-2:])
        rows = [
            Exposure(q * QUARTER_S, self.run_us, "seen", n * GRID_US / 1e6)
            for q, n in self._seen.items()
            if q in recent
        ]
        for kind, tracker in self._trackers.items():
            for quarter_s, seconds in tracker.seconds().items():
                rows.append(Exposure(quarter_s, self.run_us, kind, seconds))
        return tuple(rows)


def _newest(episodes: Iterable[Episode]) -> tuple[Episode, ...]:
    """Keep the newest state of each episode."""
    return tuple({episode.id: episode for episode in episodes}.values())
