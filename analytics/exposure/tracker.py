"""Frames of one run to the exposure of each quarter of an hour.

Frames wait until their block of five minutes is over and are then counted at once: blocks lie on fixed
multiples of the UTC grid, everything counted is a whole number, and what reaches over the end of a block is
carried on exactly. So any chunking of the input gives the same rows.
"""

from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from analytics.exposure.counts import (
    ANGLE_BINS,
    RATE_EDGES,
    RULA_SCORES,
    Counts,
    QuarterExposure,
    angle_bins,
    levels,
    rate_bins,
)
from analytics.exposure.cycles import CYCLIC, Swings
from analytics.exposure.rula import neck_scores, trunk_scores
from analytics.exposure.stillness import KEPT_S, SETTLED_S, Breaks, Shifts, Stillness, second_means
from analytics.exposure.streams import STREAMS, UNSEEN, Centidegrees, StreamAngles, centidegrees
from analytics.exposure.variation import Variation
from poise.results import ACTIVITIES, GRID_US, JUDGED, QUARTER_S, Activity
from poise.samples import Bools, Int64s

BLOCK: Final = 3000
"""Frames that are counted at once: five minutes, a third of a quarter. Most of what a counting costs is
calls, however long the block; blocks of 90 s took 2.4 times as much. They wait in 6 kB a stream."""
FRAMES_PER_QUARTER: Final = QUARTER_S * 1_000_000 // GRID_US
FORGOTTEN: Final = 3000
"""After this many frames (5 min) without any, everything that was going on has ended."""

_ABSENT: Final = -1
# An absent frame's activity, -1, is the last entry.
_IS_JUDGED: Final = np.array([activity in JUDGED for activity in ACTIVITIES] + [False])
_AWAY: Final = (Activity.STANDING, Activity.WALKING, Activity.LYING)
_IS_AWAY: Final = np.array([activity in _AWAY for activity in ACTIVITIES] + [False])


class ExposureTracker:
    """Counts one run's exposure; rows of open quarters lag by up to a block, and by stretches going on."""

    def __init__(self, run_us: int) -> None:
        """Begin a run.

        Args:
            run_us: the run's identity.
        """
        self.run_us = run_us
        self.late = 0
        """Frames left out because they were not newer than the one before them."""
        self._streams: tuple[str, ...] = ()
        self._quarters: dict[int, Counts] = {}
        self._changed: dict[int, bool] = {}
        self._newest = -1
        self._begin(-1)

    def update(self, frames: Int64s, angles: StreamAngles, activity: NDArray[np.int8] | None = None) -> None:
        """Take frames.

        Args:
            frames: (n,) int64 grid indices (UTC µs / 100,000), increasing.
            angles: the streams at these frames (`streams.streams`).
            activity: (n,) int8 indices into `ACTIVITIES`; unknown without it.
        """
        if len(frames) == 0:
            return
        names = angles.names
        if names != self._streams and not set(names) <= set(self._streams):
            self._rename(tuple(name for name in STREAMS if name in names or name in self._streams))
        angle = centidegrees(angles.values)
        if names != self._streams:
            full = np.full((len(self._streams), len(frames)), UNSEEN, np.int16)
            if names:
                full[[self._streams.index(name) for name in names]] = angle
            angle = full
        doing = np.zeros(len(frames), np.int8) if activity is None else activity
        if int(frames[0]) <= self._newest:
            fresh = frames > self._newest
            self.late += int(len(frames) - fresh.sum())
            frames, angle, doing = frames[fresh], angle[:, fresh], doing[fresh]
        if len(frames):
            self._place(frames, angle, doing)

    def quarters(self, *, settled_only: bool = False) -> tuple[QuarterExposure, ...]:
        """Return the rows that changed since the last call, as totals of this run so far.

        Args:
            settled_only: only quarters that no later frame of this run can change, once each; they come
                some minutes after their end.
        """
        if not self._changed or (settled_only and min(self._changed) >= self._static()):
            return ()
        oldest = self._oldest()
        due = sorted(q for q in self._changed if q < oldest or not settled_only)
        rows = tuple(
            QuarterExposure(q * QUARTER_S, self.run_us, self._quarters[q].widened(self._quarters[q].streams))
            for q in due
        )
        self._changed = {q: True for q in self._changed if q not in due}
        self._quarters = {q: c for q, c in self._quarters.items() if q >= oldest or q in self._changed}
        return rows

    def finish(self) -> tuple[QuarterExposure, ...]:
        """End the run and return the rows that changed and were not yet returned."""
        self._end()
        return self.quarters()

    def _oldest(self) -> int:
        """Return the oldest quarter that can still change: by static time, or a stretch that goes on."""
        static = self._static()
        return static if self._block < 0 else min(static, self._variation.oldest(static))

    def _static(self) -> int:
        """Return the oldest quarter that static time can still change."""
        if self._block < 0:
            return self._newest // FRAMES_PER_QUARTER + 1
        return (self._block * BLOCK // 10 - KEPT_S) // QUARTER_S

    def _begin(self, block: int) -> None:
        """Start anew at a block, with nothing going on."""
        k = len(self._streams)
        self._block = block
        self._angle: Centidegrees = np.full((k, BLOCK), UNSEEN, np.int16)
        self._activity: NDArray[np.int8] = np.full(BLOCK, _ABSENT, np.int8)
        self._edge: Centidegrees = np.full((k, 1), UNSEEN, np.int16)
        self._means: Centidegrees = np.full((k, KEPT_S), UNSEEN, np.int16)
        self._variation, self._stillness = Variation(), Stillness()
        self._stillness.rename([], k)
        self._shifts, self._breaks = Shifts(), Breaks()
        self._swings: dict[str, Swings] = {}

    def _rename(self, streams: tuple[str, ...]) -> None:
        """Take more streams; those that join were unseen before."""
        moved = [streams.index(name) for name in self._streams]
        self._angle = _moved(self._angle, moved, len(streams))
        self._edge = _moved(self._edge, moved, len(streams))
        self._means = _moved(self._means, moved, len(streams))
        self._variation.rename(moved)
        self._stillness.rename(moved, len(streams))
        self._quarters = {q: c.widened(streams, dtype=np.uint16) for q, c in self._quarters.items()}
        self._streams = streams

    def _place(self, frames: Int64s, angle: Centidegrees, activity: NDArray[np.int8]) -> None:
        """Put frames into the open block, and count the blocks that are over."""
        first, last = int(frames[0]), int(frames[-1])
        if last // BLOCK == self._block:
            start = self._block * BLOCK
            unbroken = last - first == len(frames) - 1
            at = slice(first - start, last + 1 - start) if unbroken else frames - start
            self._angle[:, at], self._activity[at] = angle, activity
            self._newest = last
            return
        cuts = np.flatnonzero(
            np.diff(frames, prepend=self._newest if self._newest >= 0 else first) > FORGOTTEN
        )
        for i, j in pairwise([0, *cuts.tolist(), len(frames)]):
            if i in cuts:
                self._end()
            if j > i:
                self._fill(frames[i:j], angle[:, i:j], activity[i:j])

    def _fill(self, frames: Int64s, angle: Centidegrees, activity: NDArray[np.int8]) -> None:
        if self._block < 0:
            self._begin(int(frames[0]) // BLOCK)
        start, last = self._block * BLOCK, int(frames[-1]) // BLOCK
        whole = np.full((len(self._streams), (last + 1) * BLOCK - start), UNSEEN, np.int16)
        doing = np.full(whole.shape[1], _ABSENT, np.int8)
        whole[:, :BLOCK], doing[:BLOCK] = self._angle, self._activity
        whole[:, frames - start], doing[frames - start] = angle, activity
        self._angle, self._activity = whole[:, -BLOCK:].copy(), doing[-BLOCK:].copy()
        self._block, self._newest = last, int(frames[-1])
        over = last * BLOCK
        edges = [
            start,
            *range((start // FRAMES_PER_QUARTER + 1) * FRAMES_PER_QUARTER, over, FRAMES_PER_QUARTER),
        ]
        for a, b in pairwise([*edges, over]):
            if b > a:
                self._count(a, whole[:, a - start : b - start], doing[a - start : b - start])

    def _end(self) -> None:
        """Count what waits, and end whatever is going on."""
        if self._block >= 0:
            self._count(self._block * BLOCK, self._angle, self._activity)
            self._add_variation(self._variation.finish())
        self._begin(-1)

    def _row(self, quarter: int) -> Counts:
        self._changed[quarter] = True
        if quarter not in self._quarters:
            self._quarters[quarter] = Counts.zero(self._streams, dtype=np.uint16)
        return self._quarters[quarter]

    def _count(self, first: int, angle: Centidegrees, activity: NDArray[np.int8]) -> None:
        """Count whole blocks of one quarter from grid index `first` on."""
        quarter = first // FRAMES_PER_QUARTER
        row = self._row(quarter)
        row.activity += np.bincount(activity[activity >= 0], minlength=len(ACTIVITIES))
        away = _IS_AWAY[activity].reshape(-1, 10).sum(axis=1) >= 5
        for at_s in self._breaks.update(first // 10 + np.flatnonzero(away)):
            self._row(at_s // QUARTER_S).breaks += 1
        if not self._streams:
            return
        angle = np.where(_IS_JUDGED[activity], angle, UNSEEN).astype(np.int16)
        seen = angle != UNSEEN
        row.judged += int(seen.any(axis=0).sum())
        row.dose += _sums(angle, seen)
        bins = angle_bins(angle)
        row.angle += _tally(bins, seen, ANGLE_BINS)
        row.rate += self._rates(angle, seen)
        quarters = np.full(angle.shape[1], quarter)
        self._add_variation(self._variation.update(first, levels(bins), seen, quarters))
        self._count_scores(row, angle)
        self._count_swings(row, first, angle)
        self._count_seconds(first // 10, angle, seen)

    def _rates(self, angle: Centidegrees, seen: Bools) -> NDArray[np.uint16]:
        before = np.concatenate([self._edge, angle[:, :-1]], axis=1)
        self._edge = angle[:, -1:].copy()
        # A hundredth of a degree within a tenth of a second is a tenth of a degree a second.
        tenths = np.abs(angle.astype(np.int32) - before)
        return _tally(rate_bins(tenths), seen & (before != UNSEEN), len(RATE_EDGES))

    def _add_variation(self, rows: Int64s) -> None:
        stream, level, quarters, frames, duration = rows
        for quarter in np.unique(quarters).tolist():
            here = quarters == quarter
            cells = (stream[here], level[here], duration[here])
            np.add.at(self._row(quarter).eva, cells, frames[here].astype(np.uint16))

    def _count_scores(self, row: Counts, angle: Centidegrees) -> None:
        seen = dict(zip(self._streams, angle, strict=True))
        for counted, score in ((row.rula_neck, neck_scores(seen)), (row.rula_trunk, trunk_scores(seen))):
            found = np.bincount(score, minlength=RULA_SCORES)
            found[0] = 0
            counted += found

    def _count_swings(self, row: Counts, first: int, angle: Centidegrees) -> None:
        for i, name in enumerate(self._streams):
            if name in CYCLIC:
                if name not in self._swings:
                    self._swings[name] = Swings()
                row.cycles[i] += int(self._swings[name].update(first, angle[i])[1].sum())

    def _count_seconds(self, first_s: int, angle: Centidegrees, seen: Bools) -> None:
        """Count static time and shifts; static seconds may lie up to a minute before the block."""
        means = np.concatenate([self._means, second_means(angle, seen)], axis=1)
        self._means = means[:, -KEPT_S:].copy()
        static = self._stillness.update(first_s, means)
        here = self._row(first_s // QUARTER_S)
        np.maximum(here.longest_static_s, static.length.max(axis=1), out=here.longest_static_s)
        if static.added.any():
            start_s = first_s - KEPT_S
            split = min(max(first_s // QUARTER_S * QUARTER_S - start_s, 0), KEPT_S)
            for part in (slice(0, split), slice(split, None)):
                added, values = static.added[:, part], means[:, part]
                if added.any():
                    row = self._row((start_s + (part.start or 0)) // QUARTER_S)
                    row.static_s += added.sum(axis=1)
                    row.static_dose += _sums(values, added)
        if "trunk" in self._streams:
            here.shifts += len(self._shifts.update(first_s, self._planes(means[:, 1 + KEPT_S - SETTLED_S :])))

    def _planes(self, means: Centidegrees) -> Centidegrees:
        trunk = means[self._streams.index("trunk")]
        side = means[self._streams.index("side_bend")] if "side_bend" in self._streams else trunk * 0
        return np.stack([trunk, np.where(side == UNSEEN, 0, side).astype(np.int16)])


def _moved(rows: NDArray[Any], moved: list[int], k: int) -> NDArray[Any]:
    wide = np.full((k, rows.shape[1]), UNSEEN, rows.dtype)
    wide[moved] = rows
    return wide


def _tally(bins: NDArray[np.int16], seen: Bools, width: int) -> NDArray[np.uint16]:
    """Return (k, width) how often each bin was seen in each row."""
    rows = [np.bincount(row[there], minlength=width) for row, there in zip(bins, seen, strict=True)]
    return np.array(rows, np.uint16)


def _sums(angle: Centidegrees, seen: Bools) -> Int64s:
    """Return (k, 2) sums above and below zero, both positive."""
    values = np.where(seen, angle, 0)
    above = np.maximum(values, 0).sum(axis=1, dtype=np.int64)
    return np.stack([above, above - values.sum(axis=1, dtype=np.int64)], axis=1)
