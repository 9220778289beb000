"""From a sensor's own clock to UTC.

A notification is never early, only late: by the radio's interval, by repeats on a bad link, by a busy host.
So the relation between the two clocks is the line that lies *under* all (tick, arrival) points and as close
to them as it can. Of a window of one-second minima that line is the edge of their lower convex hull above the
mean tick: the linear programme of Moon, Skelly and Towsley, "Estimation and removal of clock skew from
network delay measurements", INFOCOM 1999, doi:10.1109/INFCOM.1999.749287.

What remains is the least delay of the link itself (some 10 to 40 ms, the same for all samples), which no
one-way measurement can see.

Everything here depends on ticks and arrival stamps only, never on when or in which portions it is called, so
that the same notifications always get the same times.
"""

import time
from collections import deque
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

import numpy as np

from poise.samples import Int64s

WRAP: Final = 1 << 32
_HALF: Final = WRAP // 2
LATE_US: Final = 5_000_000
"""How much a notification may lag behind its neighbours and still be believed (link supervision timeout)."""
REPEAT_US: Final = 2_000_000
"""How far a tick may lie back and still be a repetition rather than a clock that began again."""
_BELIEVED_PPM: Final = 300e-6
_MAX_PPM: Final = 200e-6
_BIN_US: Final = 1_000_000
_WINDOW: Final = 180  # bins, s
_FIRST_SLOPE_US: Final = 30_000_000
_SLEW: Final = 1e-3
_SETTLE_US: Final = 8_000_000
_STEP_US: Final = 500_000
_FREE_GAP_US: Final = 5_000_000


class Moment(NamedTuple):
    """One reading of the host's two clocks.

    Attributes:
        host_us: µs since some fixed moment, never set, running on while the host sleeps.
        utc_us: UTC µs since 1970, which may be set at any time.
    """

    host_us: int
    utc_us: int


class HostClock(Protocol):
    """Where the gateway reads the time; nothing else in the room does."""

    def now(self) -> Moment:
        """Return both clocks, read together."""
        ...


class SystemClock:
    """The real `HostClock`."""

    def __init__(self) -> None:
        # Linux's monotonic clock stands still while a laptop sleeps; its boot-time clock does not.
        self._source = getattr(time, "CLOCK_BOOTTIME", None)

    def now(self) -> Moment:
        """See `HostClock`."""
        host_ns = time.monotonic_ns() if self._source is None else time.clock_gettime_ns(self._source)
        return Moment(host_ns // 1000, time.time_ns() // 1000)


@dataclass(frozen=True, slots=True)
class TickRead:
    """What one raw tick turned out to be.

    Attributes:
        tick: unwrapped µs of the sensor's clock.
        repeated: not later than the last one: the same sample again.
        restarted: the sensor's clock began anew, or its owner switched it off; `tick` is as sent.
    """

    tick: int
    repeated: bool = False
    restarted: bool = False


def read_tick(raw: int, last_tick: int, elapsed_us: int) -> TickRead:
    """Unwrap a 32-bit tick against the last one.

    Args:
        raw: the tick as sent, 0 … 2^32 - 1.
        last_tick: unwrapped tick of the last sample.
        elapsed_us: host µs between the two arrivals; resolves whole wraps.
    """
    ahead = (raw - last_tick) % WRAP
    back = ahead - WRAP if ahead else 0
    if -REPEAT_US < back <= 0 and (ahead == 0 or ahead >= _HALF) and abs(back - elapsed_us) < LATE_US:
        return TickRead(last_tick + back, repeated=True)
    ahead += max(0, round((elapsed_us - ahead) / WRAP)) * WRAP
    if ahead > 0 and abs(ahead - elapsed_us) <= LATE_US + _BELIEVED_PPM * abs(elapsed_us):
        return TickRead(last_tick + ahead)
    return TickRead(raw, restarted=True)


@dataclass(frozen=True, slots=True)
class Line:
    """UTC as a function of the sensor's tick: `utc_us + (tick - tick_us) * rate`."""

    tick_us: int
    utc_us: int
    rate: float

    def at(self, ticks: Int64s) -> Int64s:
        """Return UTC µs of (n,) unwrapped ticks."""
        times: Int64s = np.rint((ticks - self.tick_us) * self.rate).astype(np.int64) + self.utc_us
        return times

    def at_one(self, tick: int) -> int:
        """Return UTC µs of one tick."""
        return self.utc_us + round((tick - self.tick_us) * self.rate)


class SensorClock:
    """Maps one unbroken stretch of a sensor's clock to UTC, better and better as it goes.

    Attributes:
        ppm: how much faster the sensor's clock runs than the host's, None for the first half minute.
        steps: how often the mapping had to jump (the host's clock was set); each begins a new stretch.
    """

    def __init__(self, ppm: float | None = None) -> None:
        """Begin without a mapping; `ppm` is what an earlier stretch of the same sensor found."""
        self.ppm = ppm
        self.steps = 0
        self._bins: deque[tuple[int, int]] = deque(maxlen=_WINDOW)
        self._bin = -1
        self._best = (0, 0)
        self._offset_us = 0
        self._last_tick = 0
        self._line: Line | None = None

    def observe(self, tick: int, arrival_us: int, offset_us: int) -> bool:
        """Take one sample's tick and arrival; call in order, before asking for its time.

        Args:
            tick: unwrapped µs of the sensor's clock.
            arrival_us: µs of the host's monotonic clock.
            offset_us: UTC minus the monotonic clock at that moment, µs.

        Returns:
            True if the mapping had to jump before this sample, so that a new stretch begins with it.
        """
        stepped = False
        number = tick // _BIN_US
        if number != self._bin:
            stepped = self._close_bin(tick, number)
            self._bin, self._best = number, (tick, arrival_us - tick)
        elif arrival_us - tick < self._best[1]:
            self._best = (tick, arrival_us - tick)
        self._offset_us, self._last_tick = offset_us, tick
        return stepped

    @property
    def line(self) -> Line | None:
        """The mapping for the samples observed last; None until a first whole second was seen."""
        return self._line

    def settle(self) -> Line:
        """Return the mapping even if less than a second was seen, as at the end of a session."""
        if self._line is None:
            self._line = self._target([*self._bins, self._best])
        return self._line

    def _close_bin(self, tick: int, number: int) -> bool:
        """Fit again at the turn of a second, and bend the mapping towards the fit."""
        if self._bin < 0:
            return False
        self._bins.append(self._best)
        target = self._target(list(self._bins))
        if self._line is None:
            # The first bin may be a sliver: wait until a whole second has shown a prompt arrival.
            if len(self._bins) > 1:
                self._line = target
            return False
        turn = number * _BIN_US
        here = self._line.at_one(turn)
        error = target.at_one(turn) - here
        after_gap = tick - self._last_tick > _FREE_GAP_US
        if abs(error) > _STEP_US:
            self.steps += 1
        if abs(error) > _STEP_US or after_gap:
            ahead = target.at_one(tick) > self._line.at_one(self._last_tick)
            self._line = target
            return not ahead or abs(error) > _STEP_US
        slew = min(_SLEW, max(-_SLEW, error / _SETTLE_US))
        self._line = Line(turn, here, target.rate + slew)
        return False

    def _target(self, bins: list[tuple[int, int]]) -> Line:
        tick0, late0 = bins[0]
        x = [float(tick - tick0) for tick, _ in bins]
        y = [float(late - late0) for _, late in bins]
        if x[-1] - x[0] >= _FIRST_SLOPE_US:
            slope = min(_MAX_PPM, max(-_MAX_PPM, _slope_under(x, y)))
            self.ppm = -slope * 1e6
        else:
            slope = -(self.ppm or 0.0) * 1e-6
        under = min(b - slope * a for a, b in zip(x, y, strict=True))
        return Line(tick0, tick0 + late0 + round(under) + self._offset_us, 1.0 + slope)


def _slope_under(x: list[float], y: list[float]) -> float:
    """Return the slope of the line under all points whose mean distance to them is least."""
    hull: list[int] = []
    for i in range(len(x)):
        while len(hull) > 1 and _above(x, y, hull[-2], hull[-1], i):
            hull.pop()
        hull.append(i)
    middle = sum(x) / len(x)
    right = next(k for k in range(1, len(hull)) if x[hull[k]] >= middle)
    a, b = hull[right - 1], hull[right]
    return (y[b] - y[a]) / (x[b] - x[a])


def _above(x: list[float], y: list[float], a: int, b: int, c: int) -> bool:
    """Does point b lie on or above the chord from a to c?"""
    return (x[b] - x[a]) * (y[c] - y[a]) <= (y[b] - y[a]) * (x[c] - x[a])
