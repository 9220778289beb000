"""One wearer's samples through the analytics, in runs whose beginnings are on disk.

A run's results depend only on its samples and its calibration. So each run gets a fresh `Pipeline`, the raw
message with which it begins is noted in the same transaction, and after a restart the open run is fed again.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, Protocol

import numpy as np

from ingest.journal import Journal, Run
from ingest.sqlite import Connection
from ingest.telling import Advice
from poise.calibration import Calibration, Verdict
from poise.results import Results
from poise.samples import ImuBatch, SampleMessage
from poise.topics import Wearer
from poise.wire import decode_samples

log = logging.getLogger("poise.ingest")
RUN_GAP_US: Final = 5_000_000
LATE_US: Final = 1_000_000
"""A message that ends this far before what is analysed already forms a run of its own."""
FUTURE_US: Final = 86_400_000_000
"""A worn sensor's message this far ahead of our clock has a broken time: the live stream must not follow."""


class Analysis(Protocol):
    """What ingest needs of `analytics.pipeline.Pipeline`."""

    def calibrate(self, calibration: Calibration) -> Results:
        """Judge what follows with it."""
        ...

    def update(self, batches: Sequence[ImuBatch]) -> Results:
        """Conclude what can be."""
        ...

    def finish(self) -> Results:
        """Close what is open."""
        ...


@dataclass(slots=True)
class Stream:
    """The live samples of a wearer, or (`late`) those that came behind what was analysed already.

    Attributes:
        analysed_us: UTC µs of the newest sample given to the analytics, 0 before the first.
        run: the open run, None before the first and after a fault.
        session: gateway session of the newest message.
        advice: what the wearer should know, of the results that were told and of those taken up again.
    """

    wearer: Wearer
    late: bool
    journal: Journal
    new_analysis: Callable[[], Analysis]
    calibrations: list[Calibration] = field(default_factory=list)
    analysed_us: int = 0
    run: Run | None = None
    origin: str = ""
    session: str = ""
    fault: bool = False
    advice: Advice = field(default_factory=Advice)
    _analysis: Analysis | None = None

    def restore(self, c: Connection) -> None:
        """Take the open run up again by feeding its raw messages; its results are in the store already."""
        self.calibrations = self.journal.calibrations(c, self.wearer)
        run = self.journal.open_run(c, self.wearer, late=self.late)
        if run is None:
            return
        self._begin(run)
        from_us = run.from_us
        for payload in self.journal.raw(c, self.wearer, late=self.late, from_row=run.message):
            message = decode_samples(payload)
            self.origin, self.session = message.origin, message.session
            for batches in _cut(message.batches, [from_us])[-1:]:
                self.advice.note(self._update(batches))
            from_us = 0

    def is_behind(self, message: SampleMessage, now_us: int) -> bool:
        """Return whether the message does not continue this stream: too old, or of a broken clock."""
        if not message.batches:
            return False
        last_us = _last_us(message.batches)
        ahead = message.origin == "worn" and last_us > now_us + FUTURE_US
        return ahead or last_us < self.analysed_us - LATE_US

    def goes_on_with(self, message: SampleMessage, until_us: int) -> bool:
        """Return whether the open run is of the message's session and the message ends by then."""
        same = self.run is not None and message.session == self.session
        return same and bool(message.batches) and _last_us(message.batches) <= until_us

    def feed(self, c: Connection, row: int, message: SampleMessage) -> list[tuple[str, Results]]:
        """Analyse a stored message; a new calibration within it cuts it in two.

        Returns:
            what was concluded, each with the origin of its samples.
        """
        results: list[tuple[str, Results]] = []
        self.session = message.session
        made = [calibration.made_us for calibration in self._usable()]
        for batches in _cut(message.batches, made):
            first_us = min(int(batch.t_us[0]) for batch in batches)
            calibration = self._calibration_at(first_us)
            reason = self._ends_here(first_us, calibration, message.origin)
            if reason:
                results.append((self.origin, self._finish()))
                self.origin = message.origin
                name = "" if calibration is None else calibration.id
                run = Run(row, first_us, name, reason)
                self.journal.put_run(c, self.wearer, run, late=self.late)
                self._begin(run)
            results.append((self.origin, self._update(batches)))
        return results

    def close(self, c: Connection) -> Results:
        """End the open run for good."""
        results = self._finish()
        self.journal.close_run(c, self.wearer, late=self.late)
        self.run = None
        return results

    def _ends_here(self, first_us: int, calibration: Calibration | None, origin: str) -> str:
        """Say why the samples from here on are a new run, "" if they are not."""
        if self.run is None:
            return "fault" if self.fault else "start"
        if first_us - self.analysed_us > RUN_GAP_US:
            return "gap"
        if self.late and first_us < self.analysed_us - LATE_US:
            return "earlier"
        if origin != self.origin:
            return "origin"
        return "calibration" if (calibration.id if calibration else "") != self.run.calibration else ""

    def _begin(self, run: Run) -> None:
        self.run, self.analysed_us, self.fault = run, run.from_us, False
        self._analysis = self.new_analysis()
        known = next((k for k in self.calibrations if k.id == run.calibration), None)
        if known is not None:
            self._analysis.calibrate(known)

    def _usable(self) -> list[Calibration]:
        return [k for k in self.calibrations if k.verdict is not Verdict.REPEAT]

    def _calibration_at(self, t_us: int) -> Calibration | None:
        return max((k for k in self._usable() if k.made_us <= t_us), key=lambda k: k.made_us, default=None)

    def _update(self, batches: Sequence[ImuBatch]) -> Results:
        self.analysed_us = max(self.analysed_us, _last_us(batches))
        analysis = self._analysis
        return Results() if analysis is None else self._guarded(lambda: analysis.update(batches))

    def _finish(self) -> Results:
        analysis, self._analysis = self._analysis, None
        return Results() if analysis is None else self._guarded(analysis.finish)

    def _guarded(self, conclude: Callable[[], Results]) -> Results:
        """Analytics must never raise; if they do, the samples stay stored and a new run begins after them."""
        try:
            return conclude()
        except Exception:
            log.exception("the analysis of %s failed; a new run begins", self.wearer.patient)
            self._analysis, self.run, self.fault = None, None, True
            return Results(remarks=(("analysis failed", 1),))


def _last_us(batches: Iterable[ImuBatch]) -> int:
    return max(int(batch.t_us[-1]) for batch in batches)


def _cut(batches: Sequence[ImuBatch], times_us: Iterable[int]) -> list[list[ImuBatch]]:
    """Cut all batches at the given times; a piece holds what lies in `time <= t < next time`."""
    pieces: list[list[ImuBatch]] = []
    edges = [-1, *sorted(set(times_us)), 2**62]
    for start, stop in pairwise(edges):
        piece = []
        for batch in batches:
            i, j = (int(k) for k in np.searchsorted(batch.t_us, (start, stop)))
            if (i, j) == (0, len(batch)):
                piece.append(batch)
            elif j > i:
                piece.append(batch.part(i, j))
        if piece:
            pieces.append(piece)
    return pieces
