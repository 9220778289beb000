"""How long a calibration holds: a watch over the day, in blocks of five minutes.

A sensor that has slipped differs from its neighbours for good, also while they are upright and still.
People who slouch, bend or lean move the neighbours too, and come back. So a sensor is held against the
nearest of its neighbours, only in moments at which at least two of them say upright, and by how near it
still came to them in five minutes (its lowest tenth), never by how far it went. Nothing is adapted: the
wearer is asked. What is known outlives the run (`trust`): handed on, the watch goes on as if unbroken.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

import numpy as np

from analytics.motion.moments import Moments
from analytics.wearing.doubts import Doubt, Standing, away, off, put_back, slipped, time_jump
from analytics.wearing.neighbours import NEIGHBOURS, WITNESSES
from analytics.wearing.trust import UNDOUBTED, Trust, Watched
from poise.calibration import Calibration, Verdict
from poise.results import GRID_US
from poise.samples import Floats, Int64s
from poise.skeleton import Segment

BLOCK: Final = 3000
"""Frames: blocks of 5 min of UTC, so that any chunking finds the same."""
EVERY: Final = 5
"""Frames: two moments a second are enough to count, and cost a fifth."""
EVIDENCE: Final = 600 // EVERY
"""A block with less than a minute of upright, still neighbours says nothing."""
CALM_RAD_S: Final = float(np.radians(10.0))
"""Still enough for gravity to be trusted and for nobody to be bending (project decision)."""
UPRIGHT_RAD: Final = float(np.radians(10.0))
"""A neighbour this near to zero says upright: below every posture's threshold."""
LOWEST: Final = 10
"""A tenth of the evidence must come nearer than the limit, or the sensor did not come back."""
SIDEWAYS_DEG: Final = 10
"""Sideways, C7, T4, T12 and lumbar agreed within 5° in the sitting recordings: twice that is no posture."""
SIDEWAYS_BLOCKS: Final = 2
FORWARD_BLOCKS: Final = 6
"""Half an hour of evidence without one return, before a sensor is doubted for what might be a posture."""
FORWARD_DEG: Final[Mapping[str, int]] = {
    Segment.C7: 20,
    Segment.T4: 15,
    Segment.T12: 15,
    Segment.SCAPULA_LEFT: 25,
    Segment.SCAPULA_RIGHT: 25,
}
"""Project decisions, beyond what is usually held: a forward head in the sitting recordings' slouches and the
simulated wearer is 18°. Head and lower back are missing: reading for half an hour, or sitting after a
calibration in standing, looks just like a slip, so of these nothing is said."""
ASIDE_DEG: Final[Mapping[str, tuple[int, int]]] = {
    Segment.C7: (SIDEWAYS_DEG, SIDEWAYS_BLOCKS),
    Segment.T4: (SIDEWAYS_DEG, SIDEWAYS_BLOCKS),
    Segment.T12: (SIDEWAYS_DEG, SIDEWAYS_BLOCKS),
    Segment.LUMBAR: (SIDEWAYS_DEG + 5, SIDEWAYS_BLOCKS),
    Segment.SCAPULA_LEFT: (20, FORWARD_BLOCKS),
    Segment.SCAPULA_RIGHT: (20, FORWARD_BLOCKS),
}
"""Degrees and blocks. A raised shoulder tilts its shoulder blade sideways: more, and for longer."""
AWAY_BLOCKS: Final = 6
"""Unseen for half an hour, a sensor may have been taken off (icing, changing): ask (project decision)."""
NIGHT_BLOCKS: Final = 96
"""All unseen for eight hours: it is another day, and they were put on again (project decision)."""
JUMP_US: Final = 60_000_000
"""A stream that goes on this far before its newest sample has another clock (project decision): no radio
keeps all sensors of a message back for a minute."""
OFF_DEG: Final = 60
OFF_FRAMES: Final = 300 // EVERY
"""Half a minute at rest at 60° from upright neighbours: no segment of a back bends like that."""
_PENDING: Final = 300
"""Frames that are counted together: many messages cost as little as one (any number gives the same)."""
_BINS: Final = OFF_DEG + 1
_MOST: Final = 4


class Validity:
    """Watches over one calibration; give it everything from the calibration on.

    Attributes:
        doubts: all that was found so far, oldest first.
    """

    def __init__(self, calibration: Calibration, trust: Trust = UNDOUBTED) -> None:
        """Go on from what is known of a calibration; nothing, of a new one."""
        self.doubts: list[Doubt] = list(trust.doubts)
        self._all = tuple(calibration.alignments)
        self._judged = calibration.verdict is Verdict.GOOD
        self._segments: tuple[str, ...] = ()
        self._beside = np.zeros((0, _MOST), np.int64)
        self._frame = trust.frame
        self._block = trust.frame // BLOCK
        self._counts = np.zeros((0, 2, _BINS), np.int64)
        self._seen = np.zeros(0, np.int64)
        # What the open block has counted of sensors that have no column (yet).
        self._aside = {known.segment: (_bins(known.apart), known.seen) for known in trust.sensors}
        self._pending: list[tuple[Floats, Floats, Floats, Floats]] = []
        self._silent = {known.segment: known.silent for known in trust.sensors if known.silent >= 0}
        self._far = {known.segment: (known.forward, known.aside) for known in trust.sensors}

    @property
    def standing(self) -> Standing:
        """What the calibration is worth now."""
        return Trust(tuple(self.doubts)).standing

    def trust(self) -> Trust:
        """Return what is known by now; a watch that begins with it goes on as this one would."""
        self._flush()
        columns = zip(self._segments, self._counts, self._seen.tolist(), strict=True)
        open_block = self._aside | {segment: (counts, seen) for segment, counts, seen in columns}
        sensors = [
            Watched(
                segment,
                self._silent.get(segment, -1),
                *self._far.get(segment, (0, 0)),
                seen,
                (_shortened(counts[0]), _shortened(counts[1])),
            )
            for segment, (counts, seen) in sorted(open_block.items())
        ]
        return Trust(tuple(self.doubts), self._frame, tuple(sensors))

    def update(self, moments: Moments, sagittal: Floats, frontal: Floats) -> tuple[Doubt, ...]:
        """Take consecutive moments and return what is newly doubted; bad data never raises.

        Args:
            moments: n moments of m sensors.
            sagittal: (n, m) rad, NaN unseen or uncalibrated.
            frontal: (n, m) rad.
        """
        if len(moments) == 0:
            return ()
        known = len(self.doubts)
        self._fit(moments.segments)
        self._follow(int(moments.frames[0]), int(moments.frames[-1]))
        blocks = moments.frames // BLOCK
        cuts = [0, *(int(i) + 1 for i in np.flatnonzero(blocks[1:] != blocks[:-1])), len(blocks)]
        for i, j in pairwise(cuts):
            self._enter(int(blocks[i]))
            # Picking copies: what the caller does with its arrays afterwards must not change what is counted.
            at = i + (moments.frames[i:j] % EVERY == 0).nonzero()[0]
            self._pending.append((moments.rate[at], sagittal[at], frontal[at], moments.up[at, :, 0]))
            if sum(len(part[0]) for part in self._pending) >= _PENDING:
                self._flush()
        return tuple(self.doubts[known:])

    def put_back(self, segment: str, t_us: int) -> Doubt:
        """Note that a sensor was taken off and is worn again: only a full calibration finds its forward."""
        return self._doubt(put_back(segment, t_us))

    def _fit(self, segments: tuple[str, ...]) -> None:
        """Make room for the sensors worn; what was counted for one stays with it."""
        if segments == self._segments:
            return
        self._flush()
        columns = zip(self._segments, self._counts, self._seen.tolist(), strict=True)
        self._aside |= {segment: (counts, seen) for segment, counts, seen in columns}
        self._segments = segments
        self._counts = np.zeros((len(segments), 2, _BINS), np.int64)
        self._seen = np.zeros(len(segments), np.int64)
        for column, segment in enumerate(segments):
            if segment in self._aside:
                self._counts[column], self._seen[column] = self._aside.pop(segment)
        self._beside = np.full((len(segments), _MOST), len(segments), np.int64)
        for column, segment in enumerate(segments):
            others = [segments.index(other) for other in NEIGHBOURS.get(segment, ()) if other in segments]
            self._beside[column, : len(others)] = others

    def _flush(self) -> None:
        """Count what is pending."""
        if self._pending:
            rate, sagittal, frontal, up = (
                np.concatenate(parts) for parts in zip(*self._pending, strict=True)
            )
            self._pending = []
            self._count(rate, sagittal, frontal)
            self._seen += np.isfinite(up).sum(axis=0)

    def _count(self, rate: Floats, sagittal: Floats, frontal: Floats) -> None:
        """Count by whole degrees how far each sensor is from the nearest of its upright neighbours."""
        if not self._judged:
            return
        n, m = sagittal.shape
        angles = np.full((2, n, m + 1), np.nan)
        angles[0, :, :m], angles[1, :, :m] = sagittal, frontal
        with np.errstate(invalid="ignore"):
            upright = (np.abs(angles[0]) <= UPRIGHT_RAD) & (np.abs(angles[1]) <= UPRIGHT_RAD)
            witness = np.where(upright, angles, np.nan)[:, :, self._beside]
            apart = np.abs(angles[:, :, :m, None] - witness)
            usable = (upright[:, self._beside].sum(axis=2) >= WITNESSES) & (rate <= CALM_RAD_S)
        nearest = np.fmin.reduce(apart, axis=3)
        usable &= np.isfinite(nearest).all(axis=0)
        degrees = np.minimum(np.degrees(nearest[:, usable]), OFF_DEG).astype(np.int64)
        column = np.nonzero(usable)[1]
        for axis in (0, 1):
            places = (2 * column + axis) * _BINS + degrees[axis]
            self._counts += np.bincount(places, minlength=self._counts.size).reshape(self._counts.shape)

    def _follow(self, first: int, last: int) -> None:
        """Notice that the clock was set back; frames that are only a little behind are no jump."""
        if first < self._frame - JUMP_US // GRID_US:
            self._flush()
            self._doubt(time_jump(self._all, first * GRID_US))
            self._frame, self._block = first, first // BLOCK
            self._forget()
        self._frame = max(self._frame, last)

    def _forget(self) -> None:
        """Begin a block with nothing counted."""
        self._counts[:] = 0
        self._seen[:] = 0
        self._aside = {segment: (_bins(((), ())), 0) for segment in self._aside}

    def _enter(self, block: int) -> None:
        """Go on to a block; what lies before it is complete and is judged."""
        if block <= self._block:
            return
        self._flush()
        if self._block >= 0:
            self._judge((self._block + 1) * BLOCK * GRID_US)
            self._miss(block - self._block - 1, block * BLOCK * GRID_US)
        self._block = block
        self._forget()

    def _judge(self, end_us: int) -> None:
        """Judge the complete block that ends at `end_us`."""
        for segment, counts, seen in zip(self._segments, self._counts, self._seen.tolist(), strict=True):
            self._judge_one(segment, counts, seen, end_us)
        for segment, (counts, seen) in self._aside.items():
            self._judge_one(segment, counts, seen, end_us)

    def _judge_one(self, segment: str, counts: Int64s, seen: int, end_us: int) -> None:
        self._back(segment, seen, end_us)
        if segment == Segment.HEAD:
            return
        total = counts.sum(axis=1)
        if counts[:, -1].max() >= OFF_FRAMES:
            self._doubt(off(segment, OFF_DEG, end_us))
        elif total[0] >= EVIDENCE:
            lowest = (np.cumsum(counts, axis=1) * LOWEST >= total[:, None]).argmax(axis=1)
            self._count_far(segment, int(lowest[0]), int(lowest[1]), end_us)

    def _count_far(self, segment: str, forward: int, aside: int, end_us: int) -> None:
        """Count the blocks in a row in which the sensor did not come back to its neighbours."""
        limit, blocks = ASIDE_DEG.get(segment, (OFF_DEG + 1, 1))
        before = self._far.get(segment, (0, 0))
        far_forward = before[0] + 1 if forward >= FORWARD_DEG.get(segment, OFF_DEG + 1) else 0
        far_aside = before[1] + 1 if aside >= limit else 0
        self._far[segment] = (far_forward, far_aside)
        if far_aside >= blocks:
            self._doubt(slipped(segment, aside, aside=True, t_us=end_us))
        elif far_forward >= FORWARD_BLOCKS:
            self._doubt(slipped(segment, forward, aside=False, t_us=end_us))

    def _back(self, segment: str, seen: int, end_us: int) -> None:
        """Count blocks in which a sensor that had been seen was silent, and ask when it comes back."""
        if seen:
            silent, self._silent[segment] = self._silent.get(segment, 0), 0
            if silent >= AWAY_BLOCKS:
                self._doubt(away((segment,), silent * 5, night=silent >= NIGHT_BLOCKS, t_us=end_us))
        elif segment in self._silent:
            self._silent[segment] += 1

    def _miss(self, blocks: int, t_us: int) -> None:
        """Note that nothing at all was seen for whole blocks."""
        if blocks >= AWAY_BLOCKS:
            self._silent = dict.fromkeys(self._silent, 0)
            self._doubt(away(self._all, blocks * 5, night=blocks >= NIGHT_BLOCKS, t_us=t_us))
        else:
            self._silent = {segment: silent + blocks for segment, silent in self._silent.items()}

    def _doubt(self, doubt: Doubt) -> Doubt:
        """Keep a doubt, each cause and sensor once for a calibration."""
        known = next((old for old in self.doubts if old.about == doubt.about), None)
        if known is None:
            self.doubts.append(doubt)
        return known or doubt


def _bins(apart: Sequence[Sequence[int]]) -> Int64s:
    """Return (2, bins) counts of what was `_shortened`."""
    counts = np.zeros((2, _BINS), np.int64)
    for row, known in zip(counts, apart, strict=True):
        row[: len(known)] = known[:_BINS]
    return counts


def _shortened(counts: Int64s) -> tuple[int, ...]:
    """Return the counts without the zeros at the end."""
    return tuple(np.trim_zeros(counts, "b").tolist())
