"""Which sensors are worn: a sensor on a table is stiller, for minutes, than any living body.

A body breathes, sways and shifts. In the sitting recordings (14 people, 1,004 stretches of 20 to 30 s of a
sensor at C7, T4, T12 or L5) the stillest sensor still turned by 0.12° within 25 s, and its least calm 5 s
by 0.10°. Sensors that lie still, simulated from the noise of common parts (0.003 to 0.007 °/s and 70 to
180 µg per root hertz: Movella DOT, BMI270, LSM6), turn by 0.02° to 0.04° in 5 s and by 0.05° in two minutes
after the filter, unless the gyroscope is off by more than the 2 °/s that the filter corrects. Sensors at
wrists are called not worn below a standard deviation of 13 mg, for half an hour or more (van Hees and others
2013, doi:10.1371/journal.pone.0061691); angles tell it sooner.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from analytics.motion.moments import Moments
from poise.results import GRID_US
from poise.samples import Bools, Floats, Int64s
from poise.skeleton import spoken

BLOCK: Final = 50
"""Frames: stillness is judged by whole blocks of 5 s of UTC, so that any chunking finds the same."""
SETTLES: Final = 8
"""Blocks: a filter that has just started turns a sensor at rest by more than `block_deg` for up to 35 s (seen
with the simulated sensors named above), so that a new run must not take that for being put on."""
_RATE: Final = 3
_SHAKE: Final = 4
_FIRST: Final = np.zeros(1, np.int64)
_SEEN: Final = BLOCK // 2
"""A block of which less is seen says nothing: the radio was poor."""


@dataclass(frozen=True, slots=True)
class StillnessLimits:
    """How still a sensor must be, and how long; all project decisions between the two groups named above.

    Attributes:
        block_deg: range of where up is, by axis of the sensor, within 5 s.
        stretch_deg: the same over the whole stretch; people's sensors turn further in half a minute.
        rate_deg_s: range of the angular rate within 5 s, so that a constant bias does not matter; sensors
            lying still show 0.1 to 0.3 °/s, a desk that is typed on more; people have a median of 1.4 °/s.
        shake_m_s2: greatest standard deviation of the specific force; 13 mg on each of three axes.
        minutes: how long before all sensors, when all are still, count as not worn.
        alone_minutes: how long before one does while another moves: a back against a chair is very still.
        witness_deg: how far another must have turned meanwhile.
        upright_deg: a sensor nearer than this to its calibrated upright hangs as on a body; on a table
            it hardly ever does.
        upright_minutes: how long such a sensor must be still.
    """

    block_deg: float = 0.1
    stretch_deg: float = 0.2
    rate_deg_s: float = 1.0
    shake_m_s2: float = 0.22
    minutes: float = 3.0
    alone_minutes: float = 5.0
    witness_deg: float = 5.0
    upright_deg: float = 45.0
    upright_minutes: float = 20.0


DEFAULT_STILLNESS: Final = StillnessLimits()


@dataclass(frozen=True, slots=True)
class TakenOff:
    """A sensor that is not worn.

    Attributes:
        segment: where it should be.
        since_us: UTC µs since when it has not moved, dated back.
    """

    segment: str
    since_us: int

    @property
    def sentence(self) -> str:
        """What its wearer should know and do."""
        return (
            f"The sensor for {spoken(self.segment)} has not moved at all for some minutes and seems not to "
            "be worn. Put it back on, or switch it off; until then nothing is concluded from it."
        )


class WearWatch:
    """Tells for each sensor of a run whether it is worn.

    Not worn is known after minutes and holds from then on; `taken_off` dates it back. It is undone within
    two blocks of 5 s after the sensor moves. One sensor alone is called not worn only if another has seen
    the person move meanwhile: who sits quite still wears all of them, or none.
    """

    def __init__(self, limits: StillnessLimits = DEFAULT_STILLNESS, *, off: Sequence[TakenOff] = ()) -> None:
        """Begin with everything worn but what was `off` when the run before ended: until it moves."""
        self._still_off = {sensor.segment: sensor.since_us // GRID_US // BLOCK for sensor in off}
        self._step, self._stretch = float(np.radians(limits.block_deg)), float(np.radians(limits.stretch_deg))
        self._rate, self._shake = float(np.radians(limits.rate_deg_s)), limits.shake_m_s2
        self._needed = max(1, round(limits.minutes * 60e6 / GRID_US / BLOCK))
        self._alone = max(1, round(limits.alone_minutes * 60e6 / GRID_US / BLOCK))
        self._witness = float(np.radians(limits.witness_deg))
        self._upright = max(1, round(limits.upright_minutes * 60e6 / GRID_US / BLOCK))
        self._hangs = float(np.cos(np.radians(limits.upright_deg)))
        self._axes = np.zeros((3, 0))
        self._segments: tuple[str, ...] = ()
        self._block = -1
        self._open: list[Floats] = []
        # Row j: the extremes of up of every sensor since sensor j is still.
        self._low = self._high = np.zeros((0, 0, 3))
        self._blocks = np.zeros(0, np.int64)
        self._off = np.zeros(0, np.bool_)
        self._since = np.zeros(0, np.int64)
        self._settles = np.zeros(0, np.int64)

    def update(self, moments: Moments, upright: Floats | None = None) -> Bools:
        """Return (n, m) bool, True where the sensor is worn, or not known to be off.

        Args:
            moments: the next n moments.
            upright: (3, m) where up was in each sensor at the calibrated upright, NaN where unknown.
        """
        self._axes = np.full((3, len(moments.segments)), np.nan) if upright is None else upright
        if moments.segments != self._segments:
            self._wear(moments.segments)
        if len(moments) == 0:
            return np.ones((0, len(self._segments)), np.bool_)
        blocks = moments.frames // BLOCK
        values = np.empty((*moments.rate.shape, 5))
        values[..., :_RATE], values[..., _RATE], values[..., _SHAKE] = moments.up, moments.rate, moments.shake
        if blocks[-1] == self._block:
            self._open.append(values)
            worn = np.empty(moments.rate.shape, np.bool_)
            worn[:] = ~self._off
            return worn
        before = sum(len(piece) for piece in self._open)
        blocks = np.concatenate([np.full(before, self._block), blocks])
        values = np.concatenate([*self._open, values])
        return self._judged(blocks, values)[before:]

    def taken_off(self) -> tuple[TakenOff, ...]:
        """Return the sensors that are not worn now."""
        off = np.flatnonzero(self._off)
        return tuple(TakenOff(self._segments[j], int(self._since[j]) * BLOCK * GRID_US) for j in off)

    def not_worn(self) -> tuple[TakenOff, ...]:
        """Return them for the run that follows, with those off before it that have sent nothing since."""
        silent = (TakenOff(name, block * BLOCK * GRID_US) for name, block in self._still_off.items())
        return (*self.taken_off(), *silent)

    def _judged(self, blocks: Int64s, values: Floats) -> Bools:
        """Judge all blocks but the last, which may go on; return (n, m) bool for all rows, worn."""
        turns = blocks[1:] != blocks[:-1]
        starts = np.concatenate([_FIRST, np.flatnonzero(turns) + 1])
        low, high = np.fmin.reduceat(values, starts, axis=0), np.fmax.reduceat(values, starts, axis=0)
        seen = np.add.reduceat(~np.isnan(values[..., _SHAKE]), starts, axis=0, dtype=np.int64)
        told, span = seen >= _SEEN, high - low
        worn = np.ones((len(starts), values.shape[1]), np.bool_)
        with np.errstate(invalid="ignore"):
            calm = told & (span[..., :_RATE].max(axis=2) <= self._step) & (span[..., _RATE] <= self._rate)
            calm &= high[..., _SHAKE] <= self._shake
            if calm[:-1].any() or self._blocks.any():
                for i, block in enumerate(blocks[starts].tolist()):
                    worn[i] = ~self._off
                    if i + 1 < len(starts) and (calm[i].any() or self._blocks.any()):
                        self._close(block, low[i], high[i], told[i], calm[i])
            else:
                worn[:] = ~self._off
        self._block, self._open = int(blocks[-1]), [values[starts[-1] :].copy()]
        which = np.concatenate([_FIRST, turns.cumsum()])
        return np.asarray(worn[which], np.bool_)

    def _close(self, block: int, low: Floats, high: Floats, told: Bools, calm: Bools) -> None:
        """Judge a complete block; without a calm sensor, now or before, nothing would change.

        Args:
            block: which.
            low: (m, 5) least up (x, y, z), rate and shake.
            high: (m, 5) greatest.
            told: (m,) bool, enough of it was seen.
            calm: (m,) bool, it did not move.
        """
        swung = (high - low)[:, :_RATE].max(axis=1)
        calm = calm | (told & (self._settles > 0) & (swung <= self._witness))
        self._settles = np.maximum(self._settles - 1, 0)
        lowest, highest = np.fmin(self._low, low[:, :_RATE]), np.fmax(self._high, high[:, :_RATE])
        turned = (highest - lowest).max(axis=2)
        # Over hours on a table temperature shifts the sensor's up: once off, each block stands for itself.
        goes_on = calm & (self._blocks > 0) & ((turned.diagonal() <= self._stretch) | self._off)
        begins = calm & ~goes_on
        # What was hardly seen changes nothing; what was seen to move is worn.
        left = np.where(told & ~calm, 0, self._blocks)
        self._blocks = np.where(goes_on, self._blocks + 1, np.where(begins, 1, left))
        self._since = np.where(begins, block, self._since)
        on, new = goes_on[:, None, None], begins[:, None, None]
        self._low = np.where(on, lowest, np.where(new, low[:, :_RATE], self._low))
        self._high = np.where(on, highest, np.where(new, high[:, :_RATE], self._high))
        middle = (low[:, :_RATE] + high[:, :_RATE]) / 2
        hangs = (middle * self._axes.T).sum(axis=1) >= self._hangs
        needed = np.where(hangs, self._upright, self._needed)
        together = bool(told.any()) and bool((self._blocks >= needed)[told].all())
        seen_moving = goes_on & (np.fmax.reduce(turned, axis=1) >= self._witness)
        alone = seen_moving & (self._blocks >= np.maximum(needed, self._alone))
        self._off = (self._blocks > 0) & (self._off | alone | (told & together))

    def _wear(self, segments: tuple[str, ...]) -> None:
        """Take over what is known to other columns; a new sensor begins worn."""
        old = {segment: j for j, segment in enumerate(self._segments)}
        to = [j for j, segment in enumerate(segments) if segment in old]
        taken, m = [old[segments[j]] for j in to], len(segments)
        moved = [np.full((len(piece), m, 5), np.nan) for piece in self._open]
        for piece, wide in zip(self._open, moved, strict=True):
            wide[:, to] = piece[:, taken]
        low, high = np.full((m, m, 3), np.nan), np.full((m, m, 3), np.nan)
        blocks, since, off = np.zeros(m, np.int64), np.zeros(m, np.int64), np.zeros(m, np.bool_)
        low[np.ix_(to, to)], high[np.ix_(to, to)] = (a[np.ix_(taken, taken)] for a in (self._low, self._high))
        settles = np.zeros(m, np.int64)
        settles[to] = self._settles[taken]
        blocks[to], since[to], off[to] = self._blocks[taken], self._since[taken], self._off[taken]
        for j, segment in enumerate(segments):
            if segment in self._still_off:
                blocks[j], since[j], off[j] = 1, self._still_off.pop(segment), True
                settles[j] = SETTLES
        self._open, self._low, self._high = moved, low, high
        self._blocks, self._since, self._off, self._segments = blocks, since, off, segments
        self._settles = settles
