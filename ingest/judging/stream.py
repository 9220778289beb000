"""One wearer's samples through the analytics, in runs whose beginnings are on disk.

A run's results depend only on its samples, its calibration and what was known of that. So each run gets a
fresh `Pipeline`, the raw message with which it begins and what was known are noted in the same transaction,
and after a restart the open run goes on from its kept state, or is fed again.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

import numpy as np

from analytics.wearing.doubts import Doubt, Standing
from analytics.wearing.trust import UNDOUBTED, Trust
from analytics.wearing.validity import JUMP_US
from ingest.database.journal import Journal, Run
from ingest.database.kept import EVERY_US, Kept, begins_at, keep, kept_of, unreadable
from ingest.database.sqlite import Connection
from ingest.database.trusted import doubts_in, known, learn
from ingest.judging.analyses import Analyses, Analysis
from ingest.judging.telling import Advice
from ingest.results.store import key
from poise.calibration import Calibration, Verdict
from poise.errors import StateError
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


@dataclass(slots=True)
class Stream:
    """The live samples of a wearer, or (`late`) those that came behind what was analysed already.

    Attributes:
        analysed_us: UTC µs of the newest sample given to the analytics, 0 before the first.
        run: the open run, None before the first and after a fault.
        session: gateway session of the newest message.
        sequence: its number in the session.
        trust: what is known of the open run's calibration, as of the newest doubt.
        advice: what the wearer should know, of the results that were told and of those taken up again.
    """

    wearer: Wearer
    late: bool
    journal: Journal
    new_analysis: Analyses
    calibrations: list[Calibration] = field(default_factory=list)
    analysed_us: int = 0
    run: Run | None = None
    origin: str = ""
    session: str = ""
    sequence: int = -1
    fault: bool = False
    trust: Trust = UNDOUBTED
    advice: Advice = field(default_factory=Advice)
    _analysis: Analysis | None = None
    _elsewhere: tuple[Doubt, ...] = ()
    _row: int = 0
    _keep_us: int = 0

    def restore(self, c: Connection) -> None:
        """Take the open run up again by feeding its raw messages; its results are in the store already."""
        self.calibrations = self.journal.calibrations(c, self.wearer)
        run = self.journal.open_run(c, self.wearer, late=self.late)
        if run is None:
            return
        from_row, from_us = run.message, run.from_us
        if self._goes_on(c, run):
            from_row, from_us = self._row + 1, 0
        else:
            self._begin(run)
        for row, payload in self.journal.raw(c, self.wearer, late=self.late, from_row=from_row):
            message, self._row = decode_samples(payload), row
            self.origin, self.session, self.sequence = message.origin, message.session, message.sequence
            for batches in cut(message.batches, [from_us])[-1:]:
                self.advice.note(self._update(batches), self.trust.doubts)
            from_us = 0
        self.look_elsewhere(c)

    def keep(self, c: Connection) -> None:
        """Keep the open run's state; late runs are short and fed again."""
        if self._analysis is None or self.run is None or self.late or not self._row:
            return
        self._keep_us = self.analysed_us + EVERY_US
        try:
            analysis = self._analysis.save()
        except Exception:
            who = {"wearer": key(self.wearer)}
            log.exception("a state cannot be kept; its run is fed again if need be", extra=who)
            return
        state = Kept(
            run_message=self.run.message,
            run_us=self.run.from_us,
            message=self._row,
            analysed_us=self.analysed_us,
            origin=self.origin,
            session=self.session,
            sequence=self.sequence,
            trust=self.trust,
            taken_off=self.advice.taken_off,
            analysis=analysis,
        )
        keep(c, self.wearer, state)

    def _goes_on(self, c: Connection, run: Run) -> bool:
        """Take the run up where it was kept; False if it was not, or cannot be read."""
        kept = None if self.late else kept_of(c, self.wearer)
        if kept is None or (kept.run_message, kept.run_us) != (run.message, run.from_us):
            return False
        try:
            self._analysis = self.new_analysis.restore(kept.analysis)
        except StateError as exc:
            unreadable(self.wearer, exc)
            return False
        self.run, self.trust, self._row = run, kept.trust, kept.message
        self.analysed_us, self._keep_us = kept.analysed_us, kept.analysed_us + EVERY_US
        self.origin, self.session, self.sequence = kept.origin, kept.session, kept.sequence
        self.advice = Advice(kept.trust.doubts, kept.taken_off)
        return True

    def look_elsewhere(self, c: Connection) -> None:
        """Note what late samples have found that ends the calibration of the open run."""
        if self.run is not None:
            name = self.run.calibration
            self._missed(self._known(c, next((k for k in self.calibrations if k.id == name), None)))

    @property
    def is_now(self) -> bool:
        """Whether the samples show what the wearer does now."""
        return not self.late or (self.run is not None and self.run.reason == "clock")

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

    def is_set_back(self, message: SampleMessage) -> bool:
        """Return whether the message was made after the newest one here, by a clock that was set back."""
        if message.session != self.session or message.sequence <= self.sequence or not message.batches:
            return False
        return _last_us(message.batches) < self.analysed_us - JUMP_US

    def put_by(self, c: Connection) -> None:
        """Put what the open run knows of its calibration on the disk, for a run beside it."""
        analysis = self._analysis
        if analysis is not None and self.run is not None and self.run.calibration:
            self.trust = analysis.trust
            learn(c, self.wearer, self.run.calibration, self.trust, late=self.late)

    def feed(
        self, c: Connection, row: int, message: SampleMessage, *, set_back: bool = False
    ) -> list[tuple[str, Results]]:
        """Analyse a stored message; a new calibration within it cuts it in two.

        Args:
            c: the transaction.
            row: where it is stored.
            message: it.
            set_back: it comes behind the live stream because the clock was set back.

        Returns:
            what was concluded, each with the origin of its samples.
        """
        results: list[tuple[str, Results]] = []
        self.session, self.sequence = message.session, message.sequence
        made = [calibration.made_us for calibration in self._usable()]
        for batches in cut(message.batches, made):
            first_us = min(int(batch.t_us[0]) for batch in batches)
            calibration = self._calibration_at(first_us)
            reason = self._ends_here(first_us, calibration, message.origin)
            if reason or (set_back and self.run and self.run.reason != "clock"):
                results.append((self.origin, self._finish(c)))
                self.origin = message.origin
                self._begin_new(c, row, first_us, calibration, "clock" if set_back else reason)
            results.append((self.origin, self._update(batches)))
            self._learn(c, results[-1][1])
        self._row = row
        if self.analysed_us >= self._keep_us:
            self.keep(c)
        return results

    def close(self, c: Connection) -> Results:
        """End the open run for good."""
        results = self._finish(c)
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
        if any(doubt.t_us <= first_us for doubt in self._elsewhere):
            return "doubt"
        return "calibration" if (calibration.id if calibration else "") != self.run.calibration else ""

    def _begin_new(
        self, c: Connection, row: int, first_us: int, calibration: Calibration | None, reason: str
    ) -> None:
        """Begin a run with what is known of its calibration by then; late samples go on with no watch."""
        name = "" if calibration is None else calibration.id
        found = self._known(c, calibration)
        trust = found.as_of(first_us)
        if self.late and reason != "clock":
            trust = Trust(trust.doubts)
        run = Run(row, first_us, name, reason, trust)
        self.journal.put_run(c, self.wearer, run, late=self.late)
        self._begin(run)
        self._missed(found)

    def _begin(self, run: Run) -> None:
        self.run, self.analysed_us, self.fault = run, run.from_us, False
        self.trust, self._keep_us = run.trust, run.from_us + begins_at(self.wearer)
        self._analysis = self.new_analysis()
        calibration = next((k for k in self.calibrations if k.id == run.calibration), None)
        if calibration is not None:
            self._analysis.calibrate(calibration, run.trust)

    def _known(self, c: Connection, calibration: Calibration | None) -> Trust:
        """Return what is known of a calibration, and what had ended those that it renews."""
        trust = UNDOUBTED if calibration is None else known(c, self.wearer, calibration.id)
        by_id, told = {k.id: k for k in self.calibrations}, set[str]()
        while calibration is not None and calibration.renews not in told:
            told.add(calibration.renews)
            trust = trust.with_doubts(known(c, self.wearer, calibration.renews).renewed().doubts)
            calibration = by_id.get(calibration.renews)
        return trust

    def _missed(self, found: Trust) -> None:
        """Keep what ends the calibration and is not known to the open run."""
        mine = {doubt.about for doubt in self.trust.doubts}
        ended = (doubt for doubt in found.doubts if doubt.standing is Standing.ENDED)
        self._elsewhere = tuple(doubt for doubt in ended if doubt.about not in mine)

    def _learn(self, c: Connection, results: Results) -> None:
        """Put what became known on the disk, in the transaction of the results that it came with."""
        if doubts_in(results) and self.run is not None:
            learn(c, self.wearer, self.run.calibration, self.trust, late=self.late)

    def _usable(self) -> list[Calibration]:
        return [k for k in self.calibrations if k.verdict is not Verdict.REPEAT]

    def _calibration_at(self, t_us: int) -> Calibration | None:
        return max((k for k in self._usable() if k.made_us <= t_us), key=lambda k: k.made_us, default=None)

    def _update(self, batches: Sequence[ImuBatch]) -> Results:
        self.analysed_us = max(self.analysed_us, _last_us(batches))
        analysis = self._analysis
        if analysis is None:
            return Results()

        def conclude() -> Results:
            results = analysis.update(batches)
            if doubts_in(results):
                self.trust = analysis.trust
            return results

        return self._guarded(conclude)

    def _finish(self, c: Connection) -> Results:
        """End the run; what it knew of its calibration is kept for the next one."""
        analysis, self._analysis = self._analysis, None
        if analysis is None or self.run is None:
            return Results()

        def conclude() -> Results:
            results = analysis.finish()
            self.trust = analysis.trust
            return results

        name, results = self.run.calibration, self._guarded(conclude)
        if name:
            learn(c, self.wearer, name, self.trust, late=self.late)
        return results

    def _guarded(self, conclude: Callable[[], Results]) -> Results:
        """Analytics must never raise; if they do, the samples stay stored and a new run begins after them."""
        try:
            return conclude()
        except Exception:
            log.exception("an analysis failed; a new run begins", extra={"wearer": key(self.wearer)})
            self._analysis, self.run, self.fault = None, None, True
            return Results(remarks=(("analysis failed", 1),))


def _spanned(batches: Iterable[ImuBatch]) -> tuple[int, int]:
    """Return the earliest and the latest time of any sample, UTC µs."""
    spans = [(int(batch.t_us[0]), int(batch.t_us[-1])) for batch in batches]
    return min((first for first, _ in spans), default=0), max((last for _, last in spans), default=0)


def _last_us(batches: Iterable[ImuBatch]) -> int:
    return max(int(batch.t_us[-1]) for batch in batches)


def cut(batches: Sequence[ImuBatch], times_us: Iterable[int]) -> list[list[ImuBatch]]:
    """Cut all batches at the given times; a piece holds what lies in `time <= t < next time`."""
    pieces: list[list[ImuBatch]] = []
    within = _spanned(batches)
    edges = [-1, *sorted({t_us for t_us in times_us if within[0] < t_us <= within[1]}), 2**62]
    if len(edges) == 2:
        return [list(batches)] if batches else []
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
