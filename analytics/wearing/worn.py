"""Which sensors are worn: a sensor on a table is stiller, for minutes, than any living body.

A body breathes, sways and shifts. In the sitting recordings (14 people, 1,004 stretches of 20 to 30 s of a
sensor at C7, T4, T12 or L5) the stillest sensor still turned by 0.12° within 25 s, and its least calm 5 s
by 0.10°. Sensors that lie still, simulated from the noise of common parts (0.003 to 0.007 °/s and 70 to
180 µg per root hertz: Movella DOT, BMI160, BMI270, LSM6), turn by 0.02° to 0.04° in 5 s and by 0.05° in two
minutes after the filter. Accelerometers of wrists are called not worn below a standard deviation of 13 mg,
for half an hour or more (van Hees and others 2013, doi:10.1371/journal.pone.0061691); angles tell it sooner.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from analytics.motion.moments import Moments
from poise.results import GRID_US
from poise.samples import Bools, Floats, Int64s
from poise.skeleton import spoken

BLOCK: Final = 50
"""Frames: stillness is judged by whole blocks of 5 s of UTC, so that any chunking finds the same."""
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
        minutes: how long before a sensor counts as not worn.
    """

    block_deg: float = 0.15
    stretch_deg: float = 0.3
    rate_deg_s: float = 1.0
    shake_m_s2: float = 0.22
    minutes: float = 3.0


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
    one block of 5 s after the sensor moves.
    """

    def __init__(self, limits: StillnessLimits = DEFAULT_STILLNESS) -> None:
        """Begin with everything worn."""
        self._step, self._stretch = np.radians(limits.block_deg), np.radians(limits.stretch_deg)
        self._rate, self._shake = np.radians(limits.rate_deg_s), limits.shake_m_s2
        self._needed = max(1, round(limits.minutes * 60e6 / GRID_US / BLOCK))
        self._segments: tuple[str, ...] = ()
        self._block = -1
        self._open = _Extremes.none(0)
        self._still = _Extremes.none(0)
        self._blocks = np.zeros(0, np.int64)
        self._since = np.zeros(0, np.int64)

    def update(self, moments: Moments) -> Bools:
        """Return (n, m) bool, True where the sensor is worn, or not known to be off."""
        if moments.segments != self._segments:
            self._wear(moments.segments)
        if len(moments) == 0:
            return np.ones((0, len(self._segments)), np.bool_)
        blocks = moments.frames // BLOCK
        starts = np.concatenate([_FIRST, np.flatnonzero(blocks[1:] != blocks[:-1]) + 1])
        pieces = _Extremes.of(moments, starts)
        worn = np.ones((len(starts), len(self._segments)), np.bool_)
        for i, block in enumerate(blocks[starts].tolist()):
            if block != self._block:
                with np.errstate(invalid="ignore"):
                    self._close()
                self._block = block
            self._open = self._open.joined(pieces.piece(i))
            worn[i] = self._blocks < self._needed
        which = np.zeros(len(blocks), np.int64)
        which[starts[1:]] = 1
        return np.asarray(worn[which.cumsum()], np.bool_)

    def taken_off(self) -> tuple[TakenOff, ...]:
        """Return the sensors that are not worn now."""
        off = np.flatnonzero(self._blocks >= self._needed)
        return tuple(TakenOff(self._segments[j], int(self._since[j]) * BLOCK * GRID_US) for j in off)

    def _close(self) -> None:
        """Judge the block that is complete, sensor by sensor."""
        done, self._open = self._open, _Extremes.none(len(self._segments))
        if not done.seen.any():
            return
        told = done.seen >= _SEEN
        calm = told & (done.turned() <= self._step) & (done.varied() <= self._rate)
        calm &= done.shake <= self._shake
        stretch = self._still.joined(done)
        # Over hours on a table temperature shifts the sensor's up: once off, each block stands for itself.
        near = (stretch.turned() <= self._stretch) | (self._blocks >= self._needed)
        goes_on = calm & (self._blocks > 0) & near
        begins = calm & ~goes_on
        self._blocks = np.where(goes_on, self._blocks + 1, np.where(begins, 1, self._blocks))
        self._since = np.where(begins, self._block, self._since)
        self._still = _Extremes.chosen(goes_on, stretch, _Extremes.chosen(begins, done, self._still))
        # What was hardly seen changes nothing; what was seen to move is worn.
        self._blocks = np.where(told & ~calm, 0, self._blocks)

    def _wear(self, segments: tuple[str, ...]) -> None:
        """Take over what is known to other columns; a new sensor begins worn."""
        old = {segment: j for j, segment in enumerate(self._segments)}
        to = [j for j, segment in enumerate(segments) if segment in old]
        taken = [old[segments[j]] for j in to]
        self._open = self._open.moved(taken, to, len(segments))
        self._still = self._still.moved(taken, to, len(segments))
        blocks, since = np.zeros(len(segments), np.int64), np.zeros(len(segments), np.int64)
        blocks[to], since[to] = self._blocks[taken], self._since[taken]
        self._blocks, self._since, self._segments = blocks, since, segments


@dataclass(frozen=True, slots=True)
class _Extremes:
    """Least and greatest of up (x, y, z) and rate, and the greatest shake, by piece and sensor.

    Attributes:
        low: (…, m, 4), NaN where unseen.
        high: (…, m, 4).
        shake: (…, m) m/s².
        seen: (…, m) int64, frames.
    """

    low: Floats
    high: Floats
    shake: Floats
    seen: Int64s

    @classmethod
    def none(cls, m: int) -> "_Extremes":
        """Nothing seen yet of `m` sensors."""
        return cls(
            np.full((m, 4), np.nan), np.full((m, 4), np.nan), np.full(m, np.nan), np.zeros(m, np.int64)
        )

    @classmethod
    def of(cls, moments: Moments, starts: Int64s) -> "_Extremes":
        """Return those of each piece that begins at `starts`."""
        values = np.concatenate([moments.up, moments.rate[:, :, None]], axis=2)
        return cls(
            np.fmin.reduceat(values, starts, axis=0),
            np.fmax.reduceat(values, starts, axis=0),
            np.fmax.reduceat(moments.shake, starts, axis=0),
            np.add.reduceat(np.isfinite(moments.shake).astype(np.int64), starts, axis=0),
        )

    @classmethod
    def chosen(cls, where: Bools, first: "_Extremes", second: "_Extremes") -> "_Extremes":
        """Return the first's sensors where told, else the second's."""
        wide = where[:, None]
        return cls(
            np.where(wide, first.low, second.low),
            np.where(wide, first.high, second.high),
            np.where(where, first.shake, second.shake),
            np.where(where, first.seen, second.seen),
        )

    def piece(self, i: int) -> "_Extremes":
        """Return those of one piece."""
        return _Extremes(self.low[i], self.high[i], self.shake[i], self.seen[i])

    def joined(self, other: "_Extremes") -> "_Extremes":
        """Return those of both together; exact, in any order."""
        return _Extremes(
            np.fmin(self.low, other.low),
            np.fmax(self.high, other.high),
            np.fmax(self.shake, other.shake),
            self.seen + other.seen,
        )

    def turned(self) -> Floats:
        """Return (m,) the greatest range of up on any axis: rad, for angles as small as these."""
        return np.asarray((self.high - self.low)[:, :3].max(axis=1), np.float64)

    def varied(self) -> Floats:
        """Return (m,) the range of the angular rate, rad/s."""
        return np.asarray((self.high - self.low)[:, 3], np.float64)

    def moved(self, taken: list[int], to: list[int], m: int) -> "_Extremes":
        """Return the sensors `taken` at the columns `to` of `m`."""
        new = _Extremes.none(m)
        for name in ("low", "high", "shake", "seen"):
            getattr(new, name)[to] = getattr(self, name)[taken]
        return new
