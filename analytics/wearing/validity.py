"""How long a calibration holds: a watch over the day, in blocks of five minutes.

A sensor that has slipped differs from its neighbours for good, also while they are upright and still.
People who slouch, bend or lean move the neighbours too, and come back. So a sensor is held against the
nearest of its neighbours, only in moments at which at least two of them say upright, and by how near it
still came to them in five minutes (its lowest tenth), never by how far it went. Nothing is adapted: the
wearer is asked.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Final

import numpy as np

from analytics.motion.moments import Moments
from analytics.wearing.doubts import Doubt, Standing, away, off, put_back, slipped, time_jump
from analytics.wearing.neighbours import NEIGHBOURS, WITNESSES
from poise.calibration import Calibration, Verdict
from poise.results import GRID_US
from poise.samples import Floats
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
OFF_DEG: Final = 60
OFF_FRAMES: Final = 300 // EVERY
"""Half a minute at rest at 60° from upright neighbours: no segment of a back bends like that."""
_PENDING: Final = 100
"""Frames that are counted together: ten live messages cost as little as one (any number gives the same)."""
_BINS: Final = OFF_DEG + 1
_MOST: Final = 4


class Validity:
    """Watches over one calibration; give it everything from the calibration on.

    Attributes:
        standing: what the calibration is worth now.
        doubts: all that was found so far, oldest first.
    """

    def __init__(self, calibration: Calibration) -> None:
        """Begin with a calibration that holds."""
        self.standing = Standing.HOLDS
        self.doubts: list[Doubt] = []
        self._judged = calibration.verdict is Verdict.GOOD
        self._segments: tuple[str, ...] = ()
        self._beside = np.zeros((0, _MOST), np.int64)
        self._block = -1
        self._counts = np.zeros((0, 2, _BINS), np.int64)
        self._seen = np.zeros(0, np.int64)
        self._pending: list[tuple[Floats, Floats, Floats, Floats]] = []
        self._silent: dict[str, int] = {}
        self._far: dict[str, tuple[int, int]] = {}

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
        counts = np.zeros((len(segments), 2, _BINS), np.int64)
        seen = np.zeros(len(segments), np.int64)
        for column, segment in enumerate(segments):
            if segment in self._segments:
                counts[column] = self._counts[self._segments.index(segment)]
                seen[column] = self._seen[self._segments.index(segment)]
        self._segments, self._counts, self._seen = segments, counts, seen
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

    def _enter(self, block: int) -> None:
        """Go on to a block; what lies before it is complete and is judged."""
        if block == self._block:
            return
        self._flush()
        if block < self._block:
            self._doubt(time_jump(self._segments, block * BLOCK * GRID_US))
        elif self._block >= 0:
            self._judge((self._block + 1) * BLOCK * GRID_US)
            self._miss(block - self._block - 1, block * BLOCK * GRID_US)
        self._block = block
        self._counts[:] = 0
        self._seen[:] = 0

    def _judge(self, end_us: int) -> None:
        """Judge the complete block that ends at `end_us`."""
        total = self._counts.sum(axis=2)
        lowest = (np.cumsum(self._counts, axis=2) * LOWEST >= total[:, :, None]).argmax(axis=2)
        for column, segment in enumerate(self._segments):
            self._back(segment, int(self._seen[column]), end_us)
            if segment == Segment.HEAD:
                continue
            if self._counts[column, :, -1].max() >= OFF_FRAMES:
                self._doubt(off(segment, OFF_DEG, end_us))
            elif total[column, 0] >= EVIDENCE:
                self._count_far(segment, int(lowest[column, 0]), int(lowest[column, 1]), end_us)

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
            self._doubt(away(self._segments, blocks * 5, night=blocks >= NIGHT_BLOCKS, t_us=t_us))

    def _doubt(self, doubt: Doubt) -> Doubt:
        """Keep a doubt, each cause and sensor once for a calibration."""
        for old in self.doubts:
            if (old.cause, old.segments, old.standing) == (doubt.cause, doubt.segments, doubt.standing):
                return old
        self.doubts.append(doubt)
        if self.standing is not Standing.ENDED:
            self.standing = doubt.standing
        return doubt
