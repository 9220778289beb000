"""The same analytics as in ingest, beside the wearer and on the freshest samples: a cue waits for nothing.

What is concluded here decides cues and nothing else: the record is ingest's (docs/wire.md). The guard of the
activity works here alone.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from analytics.care.guard import ActivityGuard
from analytics.care.limits import schedule
from analytics.care.told import cues_of, effort_of, posture_of, stage_at
from analytics.cues.cue import Cue, CueEnded, How
from analytics.cues.cueing import Cueing
from analytics.cues.plan import DEFAULT_CUE_PLAN, CuePlan
from analytics.pipeline import Pipeline
from analytics.posture.plan import DEFAULT_PLAN
from analytics.wearing.trust import Trust
from poise.calibration import Calibration, Verdict
from poise.planned import Stage
from poise.results import Results
from poise.samples import ImuBatch
from poise.strain import Exceedance

UTC: Final = ZoneInfo("UTC")
_log: Final = logging.getLogger(__name__)


class Edge:
    """One wearer's posture as of now, and the cues that follow from it.

    Attributes:
        cueing: the load, budget and pauses.
        guard: the guard of the activity; off until a plan says otherwise.
        cued: called with each cue that is due and may be given.
        ended: called when the signal of a cue has to fall silent.
        exceeded: called with each exceedance that began or ended, and the newest frame's UTC µs.
    """

    def __init__(self, plan: CuePlan = DEFAULT_CUE_PLAN, zone: ZoneInfo = UTC) -> None:
        """Begin uncalibrated.

        Args:
            plan: when to remind, where no stage of a plan from elsewhere holds.
            zone: the wearer's time zone, for quiet hours and the day's budget.
        """
        self.cueing, self._own = Cueing(plan), plan
        self.guard = ActivityGuard()
        self.cued: Callable[[Cue], None] = lambda _cue: None
        self.ended: Callable[[CueEnded], None] = lambda _end: None
        self.exceeded: Callable[[Exceedance, int], None] = lambda _exceedance, _newest_us: None
        self.zone = zone
        self._stages: tuple[Stage, ...] = ()
        self._stage: Stage | None = None
        self._turned_us = 0
        self._posture = DEFAULT_PLAN
        self._pipeline = Pipeline()
        self._calibration: Calibration | None = None
        self._cue_us = 0

    @property
    def trust(self) -> Trust:
        """What is known of the calibration in force."""
        return self._pipeline.trust

    def calibrate(self, calibration: Calibration) -> None:
        """Judge with this calibration from its time on."""
        if calibration.verdict is not Verdict.REPEAT:
            self._calibration = calibration
            self._pipeline.calibrate(calibration)

    def plan(self, stages: Sequence[Stage]) -> None:
        """Go by these stages, each from its moment on; none: by what this gateway is set to itself."""
        self._stages, self._turned_us = tuple(stages), 0
        efforts = [(stage.from_us, effort_of(stage)) for stage in stages]
        self.guard.plan(schedule(efforts, self.zone))

    def feed(self, batches: Sequence[ImuBatch], now_us: int) -> None:
        """Take fresh samples and give the cues that are due; an analysis that fails begins anew.

        Args:
            batches: of any sensors, any length.
            now_us: UTC µs.
        """
        try:
            for first_us, piece in self._pieces(batches):
                # Sensors are not equally fast: who has turned to a stage does not turn back for a slow one.
                self._turned_us = max(self._turned_us, first_us)
                self._turn_to(stage_at(self._stages, self._turned_us), first_us, now_us)
                self._conclude(self._pipeline.update(piece), now_us)
        except Exception:  # noqa: BLE001 - whatever it is, the wearer's samples go on
            _log.exception("the analysis at the gateway failed and begins anew; samples are not affected")
            self._begin(None)

    def _pieces(self, batches: Sequence[ImuBatch]) -> Iterator[tuple[int, list[ImuBatch]]]:
        """Yield the samples of each stage with the time of the first: a new plan ends a run."""
        batches = [batch for batch in batches if len(batch)]
        if not batches:
            return
        first_us = min(int(batch.t_us[0]) for batch in batches)
        last_us = max(int(batch.t_us[-1]) for batch in batches)
        cuts = [stage.from_us for stage in self._stages if first_us < stage.from_us <= last_us]
        if not cuts:
            yield first_us, batches
            return
        for start, stop in pairwise([first_us, *cuts, last_us + 1]):
            ends = ((batch, *np.searchsorted(batch.t_us, (start, stop)).tolist()) for batch in batches)
            if piece := [batch.part(i, j) for batch, i, j in ends if j > i]:
                yield start, piece

    def _turn_to(self, stage: Stage | None, first_us: int, now_us: int) -> None:
        """Go by a stage from here on, if it changes anything."""
        if stage is self._stage:
            return
        self._stage = stage
        posture = posture_of(stage) if stage else DEFAULT_PLAN
        cues = cues_of(stage) if stage else self._own
        if posture != self._posture:
            self._conclude(self._pipeline.finish(), now_us)
            self._posture = posture
            self._begin(self._pipeline.trust)
        if cues != self.cueing.plan:
            if self.cueing.asking:
                self.ended(CueEnded(first_us, self._cue_us, How.IN_VAIN))
            self.cueing = self.cueing.under(cues)

    def _begin(self, trust: Trust | None) -> None:
        """Begin a new analysis with the calibration in force, and what is known of it."""
        self._pipeline = Pipeline(self._posture)
        if self._calibration is not None:
            self._pipeline.calibrate(self._calibration, *(() if trust is None else (trust,)))

    def _conclude(self, results: Results, now_us: int) -> None:
        for frames in results.frames:
            for exceedance in self.guard.update(frames):
                self.exceeded(exceedance, int(frames.t_us[-1]))
        found = self.cueing.feed(results, now_us, self._offset_s(now_us), self._posture)
        for end in found.ended:
            self.ended(end)
        for cue in found.cues:
            self._cue_us = cue.t_us
            self.cued(cue)

    def _offset_s(self, now_us: int) -> int:
        offset = datetime.fromtimestamp(now_us / 1e6, self.zone).utcoffset()
        return round(offset.total_seconds()) if offset is not None else 0
