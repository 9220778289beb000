"""All of a wearer's results once more, from raw messages and the places where runs began.

A run's results depend only on its samples, its calibration and what was known of that when it began, so
the same program gives the same bits. Where two runs have results of the same second, the one that was written
last stands; so runs end here when they ended then.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import islice, pairwise
from typing import Final

from ingest.archive.layout import Raw, RunRow
from ingest.archive.past import Lost, Past
from ingest.database.journal import Lane
from ingest.database.sqlite import Connection, Database
from ingest.database.trusted import unpack
from ingest.judging.analyses import Analyses, Analysis
from ingest.judging.intake import LATE_IDLE_US
from ingest.judging.stream import cut
from ingest.results.store import SqliteResults, storable
from poise.calibration import Calibration
from poise.results import Results
from poise.samples import ImuBatch, SampleMessage
from poise.topics import Wearer
from poise.wire import decode_samples

log = logging.getLogger("poise.ingest")
_AT_ONCE: Final = 500
Write = Callable[[str, Results], None]


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which runs can be computed again.

    Attributes:
        runs: those.
        lost: by id, why another one that was wanted cannot be.
    """

    runs: tuple[RunRow, ...]
    lost: Mapping[int, Lost]


def choose(past: Past, from_us: int, to_us: int) -> Chosen:
    """Choose the runs that may have samples between two times, as far as all their messages are there."""
    span = past.rows(from_us, to_us)
    if span is None:
        return Chosen((), {})
    wanted = [
        (run, last) for run, last in _with_ends(past.runs) if run.message <= span[1] and last >= span[0]
    ]
    lost = {
        run.id: lost for run, last in wanted for lost in past.lost[::-1] if lost.touches(run.message, last)
    }
    return Chosen(tuple(run for run, _ in wanted if run.id not in lost), lost)


def recompute(past: Past, chosen: Chosen, database: Database, new_analysis: Analyses) -> Iterator[int]:
    """Write the results of the chosen runs into a fresh database; yield UTC µs of how far it is.

    Raises:
        StoreError: if a file cannot be read, or the database not be written.
    """
    if not chosen.runs:
        return
    wanted = {run.id for run in chosen.runs}
    last = max(last for run, last in _with_ends(past.runs) if run.id in wanted)
    results, again = SqliteResults(database.path), Again(past, wanted, new_analysis)
    messages = past.messages(min(run.message for run in chosen.runs), last)
    while some := list(islice(messages, _AT_ONCE)):
        with database.transaction() as c:
            again.take(some, _into(results, c, past.wearer))
        yield some[-1].received_us
    with database.transaction() as c:
        again.end(_into(results, c, past.wearer))


class Again:
    """The runs of both lanes, fed with the messages of both as they came."""

    def __init__(self, past: Past, wanted: AbstractSet[int], new_analysis: Analyses) -> None:
        self._new_analysis, self._calibrations, self._wanted = new_analysis, past.calibrations, wanted
        self._lanes = {
            lane: _Lane(deque(run for run in past.runs if run.late == lane))
            for lane in (Lane.LIVE, Lane.LATE)
        }

    def take(self, raws: Iterable[Raw], write: Write) -> None:
        """Analyse messages as they were analysed."""
        for raw in raws:
            late = self._lanes[Lane.LATE]
            if late.is_closed and raw.received_us - late.fed_us > LATE_IDLE_US:
                late.finish(write)
            if raw.lane in self._lanes:
                self._feed(self._lanes[Lane(raw.lane)], raw, decode_samples(raw.payload), write)

    def end(self, write: Write) -> None:
        """End the runs that were ended for good; one that is still open stays so."""
        for lane in self._lanes.values():
            if lane.is_closed:
                lane.finish(write)

    def _feed(self, lane: "_Lane", raw: Raw, message: SampleMessage, write: Write) -> None:
        lane.fed_us = raw.received_us
        while lane.runs and lane.runs[0].message < raw.row:  # began in messages that were not wanted
            lane.runs.popleft()
        starts = [run.from_us for run in lane.runs if run.message == raw.row]
        for batches in cut(message.batches, starts):
            if starts and starts[0] == min(int(batch.t_us[0]) for batch in batches):
                starts.pop(0)
                lane.finish(write)
                self._begin(lane, lane.runs.popleft(), message.origin)
            lane.update(batches, write)

    def _begin(self, lane: "_Lane", run: RunRow, origin: str) -> None:
        lane.run, lane.origin = run, origin
        if run.id not in self._wanted:
            return
        lane.analysis = self._new_analysis()
        calibration: Calibration | None = self._calibrations.get(run.calibration)
        if calibration is not None:
            lane.analysis.calibrate(calibration, unpack(run.trust))


@dataclass(slots=True)
class _Lane:
    """Live or late samples: one run after the other."""

    runs: deque[RunRow]
    run: RunRow | None = None
    origin: str = ""
    fed_us: int = 0
    analysis: Analysis | None = field(default=None)

    @property
    def is_closed(self) -> bool:
        return self.analysis is not None and self.run is not None and bool(self.run.closed)

    def update(self, batches: Sequence[ImuBatch], write: Write) -> None:
        analysis = self.analysis
        if analysis is not None:
            self._guarded(lambda: analysis.update(batches), write)

    def finish(self, write: Write) -> None:
        analysis = self.analysis
        if analysis is not None:
            self._guarded(analysis.finish, write)
        self.analysis = None

    def _guarded(self, conclude: Callable[[], Results], write: Write) -> None:
        """What made the analysis fail then may do so again: the run ends there, as it did."""
        try:
            results = conclude()
        except Exception:
            log.exception("the analysis failed; its run ends here")
            self.analysis = None
        else:
            write(self.origin, results)


def _with_ends(runs: Sequence[RunRow]) -> list[tuple[RunRow, int]]:
    """Return each run with the last row that may be its, in the order in which they began."""
    found: list[tuple[RunRow, int]] = []
    for lane in (0, 1):
        mine = [run for run in runs if run.late == lane]
        found += ((run, after.message) for run, after in pairwise(mine))
        found += ((run, 2**62) for run in mine[-1:])
    return sorted(found, key=lambda pair: pair[0].id)


def _into(results: SqliteResults, c: Connection, wearer: Wearer) -> Write:
    return lambda origin, part: results.write(c, wearer, origin, storable(part))
