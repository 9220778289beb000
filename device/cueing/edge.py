"""The same analytics as in ingest, beside the wearer and on the freshest samples: a cue waits for nothing.

What is concluded here decides cues and nothing else: the record is ingest's (docs/wire.md).
"""

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Final

from analytics.cues.cue import Cue, CueEnded
from analytics.cues.cueing import Cueing
from analytics.cues.plan import DEFAULT_CUE_PLAN, CuePlan
from analytics.pipeline import Pipeline
from analytics.wearing.trust import Trust
from poise.calibration import Calibration, Verdict
from poise.samples import ImuBatch

_log: Final = logging.getLogger(__name__)


class Edge:
    """One wearer's posture as of now, and the cues that follow from it.

    Attributes:
        cueing: the load, budget and pauses.
        cued: called with each cue that is due and may be given.
        ended: called when the signal of a cue has to fall silent.
    """

    def __init__(self, plan: CuePlan = DEFAULT_CUE_PLAN, zone: tzinfo = UTC) -> None:
        """Begin uncalibrated.

        Args:
            plan: when to remind.
            zone: the wearer's time zone, for quiet hours and the day's budget.
        """
        self.cueing = Cueing(plan)
        self.cued: Callable[[Cue], None] = lambda _cue: None
        self.ended: Callable[[CueEnded], None] = lambda _end: None
        self._zone = zone
        self._pipeline = Pipeline()
        self._calibration: Calibration | None = None

    @property
    def trust(self) -> Trust:
        """What is known of the calibration in force."""
        return self._pipeline.trust

    def calibrate(self, calibration: Calibration) -> None:
        """Judge with this calibration from its time on."""
        if calibration.verdict is not Verdict.REPEAT:
            self._calibration = calibration
            self._pipeline.calibrate(calibration)

    def feed(self, batches: Sequence[ImuBatch], now_us: int) -> None:
        """Take fresh samples and give the cues that are due; an analysis that fails begins anew.

        Args:
            batches: of any sensors, any length.
            now_us: UTC µs.
        """
        if not batches:
            return
        try:
            results = self._pipeline.update(batches)
            found = self.cueing.feed(results, now_us, self._offset_s(now_us))
        except Exception:  # noqa: BLE001 - whatever it is, the wearer's samples go on
            _log.exception("the analysis at the gateway failed and begins anew; samples are not affected")
            self._pipeline = Pipeline()
            if self._calibration is not None:
                self._pipeline.calibrate(self._calibration)
            return
        for end in found.ended:
            self.ended(end)
        for cue in found.cues:
            self.cued(cue)

    def _offset_s(self, now_us: int) -> int:
        offset = datetime.fromtimestamp(now_us / 1e6, self._zone).utcoffset()
        return round(offset.total_seconds()) if offset is not None else 0
