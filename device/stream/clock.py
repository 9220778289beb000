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

import contextlib
import time
from collections import deque
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import numpy as np

from poise.samples import Bools, Int64s

CRYSTAL_PPM: Final = 200.0
"""How far the clock of a sensor with a crystal may be off; beyond it is a mere sampling rate."""
_BIN_US: Final = 1_000_000
_WINDOW: Final = 180  # bins, s
_FIRST_SLOPE_US: Final = 30_000_000
_ROUGH_WINDOW: Final = 30
_ROUGH_FIRST_SLOPE_US: Final = 5_000_000
"""A sampling rate is off by per cents: that shows within seconds, and wanders with temperature."""
_SURE_BINS: Final = 3
_SLEW: Final = 1e-3
_SETTLE_US: Final = 8_000_000
_STEP_US: Final = 500_000
_KEPT_US: Final = 2_000_000
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")  # Linux; elsewhere it is not there
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
    """Where the gateway reads the time; nothing else in the room does.

    Attributes:
        boot: names the stretch over which `Moment.host_us` counts on, "" if that cannot be told.
    """

    @property
    def boot(self) -> str: ...  # noqa: D102 - documented above

    def now(self) -> Moment:
        """Return both clocks, read together."""
        ...


class SystemClock:
    """The real `HostClock`."""

    def __init__(self) -> None:
        # Linux's monotonic clock stands still while a laptop sleeps; its boot-time clock does not.
        self._source = getattr(time, "CLOCK_BOOTTIME", None)
        self.boot = ""
        with contextlib.suppress(OSError):
            self.boot = _BOOT_ID.read_text().strip() if self._source is not None else ""

    def now(self) -> Moment:
        """See `HostClock`."""
        host_ns = time.monotonic_ns() if self._source is None else time.clock_gettime_ns(self._source)
        return Moment(host_ns // 1000, time.time_ns() // 1000)


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


class Stretch(NamedTuple):
    """Consecutive samples of one call that share a mapping.

    Attributes:
        start: index of the first.
        stop: index behind the last.
        line: the mapping, None until a first whole second was seen.
        stepped: the mapping had to jump before the first, so that a new stretch of time begins with it.
        lost_us: by how much arrivals came to lag for good before the first, where the mapping stepped for
            that: a sensor without clock has lost as much unseen.
    """

    start: int
    stop: int
    line: Line | None
    stepped: bool = False
    lost_us: int = 0


class SensorClock:
    """Maps one unbroken stretch of a sensor's clock to UTC, better and better as it goes.

    Attributes:
        ppm: how much faster the sensor's clock runs than the host's, None until it is known.
        steps: how often the mapping had to jump (the host's clock was set); each begins a new stretch.
    """

    def __init__(
        self, ppm: float | None = None, *, limit_ppm: float = CRYSTAL_PPM, keeps: bool = False
    ) -> None:
        """Begin without a mapping.

        Args:
            ppm: what an earlier stretch of the same sensor found.
            limit_ppm: how far the clock may be off.
            keeps: the sensor may send what it kept over a break: such arrivals say nothing of the clock.
        """
        self._keeps = keeps
        self._rough = rough = limit_ppm > CRYSTAL_PPM
        self.ppm = ppm
        self.steps = 0
        self._limit = limit_ppm * 1e-6
        self._slew = max(_SLEW, self._limit)
        self._first_slope_us = _ROUGH_FIRST_SLOPE_US if rough else _FIRST_SLOPE_US
        self._bins: deque[tuple[int, int]] = deque(maxlen=_ROUGH_WINDOW if rough else _WINDOW)
        self._bin = -1
        self._best: tuple[int, int] | None = None
        self._any = np.iinfo(np.int64).max
        self._offset_us = 0
        self._fitted_offset_us = 0
        self._lost_us = 0
        self._last_tick = 0
        self._line: Line | None = None

    def observe(
        self, ticks: Int64s, arrival_us: Int64s, offset_us: Int64s, prompt: Bools | None = None
    ) -> list[Stretch]:
        """Take samples' ticks and arrivals; call in order, before asking for their times.

        Args:
            ticks: (n,) unwrapped µs of the sensor's clock, increasing.
            arrival_us: (n,) µs of the host's monotonic clock.
            offset_us: (n,) UTC minus the monotonic clock at that moment, µs.
            prompt: (n,) the sample was sent as soon as it was taken: of several in one notification only the
                last; None if all were.

        Returns:
            the mapping of all, a stretch for each second of ticks.
        """
        numbers, late = ticks // _BIN_US, arrival_us - ticks
        edges = [0, *(int(i) + 1 for i in np.flatnonzero(np.diff(numbers))), len(ticks)]
        waited = np.zeros(len(ticks), np.bool_) if prompt is None else ~prompt
        seen = np.where(waited, np.iinfo(np.int64).max, late)
        self._any = min(self._any, int(late.min()))
        return [self._observe_bin(i, j, numbers, ticks, seen, offset_us) for i, j in pairwise(edges)]

    def _observe_bin(
        self, i: int, j: int, numbers: Int64s, ticks: Int64s, late: Int64s, offset_us: Int64s
    ) -> Stretch:
        stepped, self._lost_us = False, 0
        if int(numbers[i]) != self._bin:
            stepped = self._close_bin(int(ticks[i]), int(numbers[i]))
            self._bin, self._best = int(numbers[i]), None
        least = i + int(np.argmin(late[i:j]))
        if late[least] < (self._best[1] if self._best else np.iinfo(np.int64).max):
            self._best = (int(ticks[least]), int(late[least]))
        self._offset_us, self._last_tick = int(offset_us[j - 1]), int(ticks[j - 1])
        return Stretch(i, j, self._line, stepped, self._lost_us)

    @property
    def line(self) -> Line | None:
        """The mapping for the samples observed last; None until a first whole second was seen."""
        return self._line

    def settle(self) -> Line:
        """Return the mapping even if less than a second was seen, as at the end of a session."""
        if self._line is None:
            newest = self._best or (self._last_tick, self._any)
            self._line = self._target([*self._bins, newest])
        return self._line

    def _close_bin(self, tick: int, number: int) -> bool:
        """Fit again at the turn of a second, and bend the mapping towards the fit."""
        if self._bin < 0:
            return False
        if self._best is None or (self._keeps and self._is_kept(self._best)):
            return False  # nothing of that second was sent as soon as it was taken
        self._bins.append(self._best)
        self._forget_before_a_loss()
        target = self._target(list(self._bins))
        if self._line is None:
            # The first bin may be a sliver: wait until a whole second has shown a prompt arrival.
            if len(self._bins) > 1 and not (self._keeps and self._catches_up()):
                self._line, self._fitted_offset_us = target, self._offset_us
            return False
        turn = number * _BIN_US
        here = self._line.at_one(turn)
        error = target.at_one(turn) - here
        after_gap = tick - self._last_tick > _FREE_GAP_US
        set_us, self._fitted_offset_us = self._offset_us - self._fitted_offset_us, self._offset_us
        if abs(error) > _STEP_US:
            self.steps += 1
            self._lost_us = max(0, error - set_us)
        if abs(error) > _STEP_US or after_gap:
            ahead = target.at_one(tick) > self._line.at_one(self._last_tick)
            self._line = target
            return not ahead or abs(error) > _STEP_US
        slew = min(self._slew, max(-self._slew, error / _SETTLE_US))
        self._line = Line(turn, here, target.rate + slew)
        return False

    def _is_kept(self, best: tuple[int, int]) -> bool:
        """Has even the promptest sample of a bin come far too late for a clock that is known?"""
        return self._line is not None and self._lag_us(*best) > _KEPT_US

    def _catches_up(self) -> bool:
        """Does a sensor still send, faster than real time, what it kept? Then only the newest bins count."""
        (_, before), (_, now) = list(self._bins)[-2:]
        if before - now > _STEP_US:
            self._bins = deque([self._bins[-1]], maxlen=self._bins.maxlen)
            return True
        return False

    def _lag_us(self, tick: int, late: int) -> int:
        """By how much a sample came later than the mapping expects."""
        assert self._line is not None  # noqa: S101 - for the type checker
        return tick + late - (self._line.at_one(tick) - self._fitted_offset_us)

    def _forget_before_a_loss(self) -> None:
        """Begin anew where arrivals of a sensor without clock lag for good: it lost samples unseen."""
        if not self._rough or self._line is None or len(self._bins) <= _SURE_BINS:
            return
        newest = list(self._bins)[-_SURE_BINS:]
        if all(self._lag_us(*best) > _STEP_US for best in newest):
            self._bins = deque(newest, maxlen=_ROUGH_WINDOW)

    def _target(self, bins: list[tuple[int, int]]) -> Line:
        tick0, late0 = bins[0]
        x = [float(tick - tick0) for tick, _ in bins]
        y = [float(late - late0) for _, late in bins]
        if x[-1] - x[0] >= self._first_slope_us:
            slope = min(self._limit, max(-self._limit, _slope_under(x, y)))
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
