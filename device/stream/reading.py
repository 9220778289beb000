"""What a sensor's samples say of themselves: which follow which, which came before, and what is missing.

One reader for each `Timing`. Both turn a call's samples into rows that follow each other without a gap, and
depend on nothing but ticks and arrivals.
"""

from dataclasses import dataclass
from math import ceil
from typing import Final, Protocol

import numpy as np

from device.stream.ticks import TickRead, read_tick
from device.vendors.base import Timing, Vendor
from poise.samples import Int64s

LATENESS_US: Final = 250_000
"""How much later than usual the first notification after a break may arrive (project decision: several
connection intervals of the longest kind that sensors use, and a busy host)."""
SILENT_US: Final = 1_500_000
"""A sensor without a clock that was silent for longer has lost samples, unless they come in a burst."""
KEPT_US: Final = 86_400_000_000
"""A sensor with memory may send samples a day old."""
_MEASURED_PPM: Final = 2_000.0
"""What is left of a sampling rate's error once it was measured (project decision)."""
_BELIEF: Final = 1.5


@dataclass(frozen=True, slots=True)
class Before:
    """The newest sample taken before these.

    Attributes:
        tick: unwrapped.
        heard_us: host µs of its arrival.
        ppm: how much faster than the host the sensor's clock was found to run, None if unknown.
        broken: the connection, or the gateway, is another one since.
    """

    tick: int
    heard_us: int
    ppm: float | None
    broken: bool


@dataclass(frozen=True, slots=True)
class Rows:
    """Samples of one call that follow each other without a gap.

    Attributes:
        start: index of the first in the call.
        ticks: (n,) unwrapped µs, 0 samples where all were repetitions.
        repeated: how many before `start` were dropped because they had come already.
        missing: how many should lie between the sample before and these.
        spread: by how much that may be wrong.
        estimated: the sensor does not tell.
        restarted: its clock began anew.
    """

    start: int
    ticks: Int64s
    repeated: int = 0
    missing: int = 0
    spread: int = 0
    estimated: bool = False
    restarted: bool = False


class Reader(Protocol):
    """Reads ticks; see `reader_for`."""

    @property
    def period_us(self) -> float:
        """Ticks from sample to sample, as measured so far."""
        ...

    def first(self, ticks: Int64s) -> Rows:
        """Read the first samples of a sensor ever."""
        ...

    def next(self, ticks: Int64s, arrived_us: Int64s, start: int, before: Before) -> Rows:
        """Read the samples from `start` on, as far as they follow each other; arrivals are host µs."""
        ...


def reader_for(vendor: Vendor) -> Reader:
    """Return the reader for a maker's way to stamp its samples."""
    return Counting(vendor) if vendor.timing is Timing.NONE else Stamped(vendor)


class Stamped:
    """Reads samples that carry a clock, or a number that serves as one."""

    def __init__(self, vendor: Vendor) -> None:
        self._wrap_us, self._ppm = vendor.wrap_us, _BELIEF * vendor.clock_ppm
        self._kept_us = 0 if vendor.resume is None else KEPT_US
        self._nominal_us = 1e6 / vendor.rate_hz
        self._span, self._pairs = 0, 0

    @property
    def period_us(self) -> float:
        """See `Reader`; a clock of crystal shows that the sampling rate is not what it is called."""
        enough = self._pairs >= 200
        return self._span / self._pairs if enough else self._nominal_us

    def first(self, ticks: Int64s) -> Rows:
        """See `Reader`."""
        return Rows(0, self._following(int(ticks[0]), ticks))

    def next(self, ticks: Int64s, arrived_us: Int64s, start: int, before: Before) -> Rows:
        """See `Reader`."""
        for i in range(start, len(ticks)):
            elapsed_us = int(arrived_us[i]) - before.heard_us
            read = self._read(int(ticks[i]), before, elapsed_us)
            if not read.repeated:
                span = elapsed_us if read.restarted else read.tick - before.tick
                return self._rows(i, self._following(read.tick, ticks[i:]), read, span, i - start)
        return Rows(len(ticks), np.zeros(0, np.int64), len(ticks) - start)

    def _read(self, raw: int, before: Before, elapsed_us: int) -> TickRead:
        """A sample that is the next one by its tick is that, however late: numbers of a byte wrap quickly."""
        ahead = raw - before.tick
        if self._wrap_us:
            ahead %= self._wrap_us
        if not before.broken and abs(ahead - self.period_us) < self.period_us / 4:
            return TickRead(before.tick + ahead)
        return read_tick(raw, before.tick, elapsed_us, self._wrap_us, self._ppm, self._kept_us)

    def _following(self, tick: int, raw: Int64s) -> Int64s:
        """Unwrap as many samples as follow each other without a gap, the first being `tick`."""
        steps = np.diff(raw)
        if self._wrap_us:
            steps = steps % self._wrap_us
        odd = np.flatnonzero(np.abs(steps - self.period_us) >= self.period_us / 2)
        n = int(odd[0]) if len(odd) else len(steps)
        self._span, self._pairs = self._span + int(steps[:n].sum()), self._pairs + n
        return tick + np.concatenate([np.zeros(1, np.int64), np.cumsum(steps[:n])])

    def _rows(self, start: int, ticks: Int64s, read: TickRead, span: int, repeated: int) -> Rows:
        missing = max(0, round(span / self.period_us) - 1)
        unsure = LATENESS_US if read.restarted else read.unsure_us
        spread = ceil(unsure / self.period_us)
        return Rows(start, ticks, repeated, missing, spread, read.restarted or unsure > 0, read.restarted)


class Counting:
    """Counts samples of a sensor that neither stamps nor numbers them; ticks are count times period."""

    def __init__(self, vendor: Vendor) -> None:
        self.period_us = 1e6 / vendor.rate_hz
        self._ppm = vendor.clock_ppm

    def first(self, ticks: Int64s) -> Rows:
        """See `Reader`."""
        return Rows(0, self._count(0, len(ticks)))

    def next(self, ticks: Int64s, arrived_us: Int64s, start: int, before: Before) -> Rows:
        """See `Reader`: a break of the connection, or a silence that no burst makes up for, lost samples."""
        n, elapsed_us = len(ticks) - start, int(arrived_us[start]) - before.heard_us
        span = elapsed_us * (1 + (before.ppm or 0.0) * 1e-6)
        silent = elapsed_us > SILENT_US and n * self.period_us < span / 2
        if not before.broken and not silent:
            return Rows(start, self._count(before.tick + self.period_us, n))
        missing = max(0, round(span / self.period_us) - 1)
        doubt_ppm = self._ppm if before.ppm is None else _MEASURED_PPM
        spread = ceil((LATENESS_US + doubt_ppm * 1e-6 * elapsed_us) / self.period_us)
        counted = self._count(before.tick + (missing + 1) * self.period_us, n)
        return Rows(start, counted, missing=missing, spread=spread, estimated=True)

    def _count(self, tick: float, n: int) -> Int64s:
        counted: Int64s = np.rint(tick + np.arange(n) * self.period_us).astype(np.int64)
        return counted
