"""Stretches of one sensor's samples on their way from notifications to batches."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from device.vendors.base import Samples, Timing, Vendor
from poise.samples import (
    Gap,
    ImuBatch,
    Int16s,
    Int64s,
    SampleFlag,
    mean_period_ns,
    quantise,
    regular_times,
)

SECOND_US: Final = 1_000_000
SNAP_US: Final = 100
"""Times this near to a regular grid are put on it: less than the jitter of any sensor's own sampling."""


class Values(NamedTuple):
    """Quantised samples and what is known of each."""

    acc: Int16s
    gyr: Int16s
    flags: NDArray[np.uint8]

    def rows(self, start: int, stop: int) -> "Values":
        """Return samples `start:stop`."""
        return Values(self.acc[start:stop], self.gyr[start:stop], self.flags[start:stop])


@dataclass(frozen=True, slots=True)
class Missing:
    """What is missing before a piece.

    Attributes:
        from_us: UTC µs of the sample before it; None where that one has no time yet and is the one taken
            just before.
        count: samples.
        spread: the true number lies within count ± spread.
        estimated: the sensor does not tell the number.
        reason: a word.
    """

    from_us: int | None
    count: int
    spread: int
    estimated: bool
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Consecutive samples; `joins` if they follow the piece before without a gap."""

    ticks: Int64s
    t_us: Int64s
    acc: Int16s
    gyr: Int16s
    flags: NDArray[np.uint8]
    joins: bool
    missing: Missing | None

    def split(self, at: int) -> tuple["Piece", "Piece"]:
        """Return the first `at` samples and the rest."""
        return self._rows(slice(None, at), joins=self.joins, missing=self.missing), self._rows(
            slice(at, None), joins=True, missing=None
        )

    def _rows(self, rows: slice, *, joins: bool, missing: Missing | None) -> "Piece":
        cut = (self.ticks[rows], self.t_us[rows], self.acc[rows], self.gyr[rows], self.flags[rows])
        return Piece(*cut, joins, missing)


class Cutter:
    """Takes one sensor's pieces in order and gives back batches of any whole time."""

    def __init__(self, sensor: str, segment: str, vendor: Vendor) -> None:
        """Take the sensor's identity, where it is worn, and its maker."""
        self._sensor, self._segment, self._vendor = sensor, segment, vendor
        self._pieces: deque[Piece] = deque()

    def add(self, piece: Piece) -> None:
        """Take a piece whose samples have their times."""
        self._pieces.append(piece)

    def oldest_us(self) -> int | None:
        """Return UTC µs of the oldest sample not handed over yet, None if there is none."""
        return int(self._pieces[0].t_us[0]) if self._pieces else None

    def cut(self, before_us: int, period_us: float, calibration: str) -> tuple[list[ImuBatch], list[Gap]]:
        """Hand over all samples before a time: a batch for each unbroken stretch and each UTC second."""
        batches: list[ImuBatch] = []
        gaps: list[Gap] = []
        run: list[Piece] = []
        while self._pieces and self._pieces[0].t_us[0] < before_us:
            piece = self._within_a_second()
            if run and (not piece.joins or run[0].t_us[0] // SECOND_US != piece.t_us[0] // SECOND_US):
                batches.append(self._batch(run, period_us, calibration))
                run = []
            if piece.missing is not None:
                gaps.append(self._gap(piece.missing, int(piece.t_us[0])))
            run.append(piece)
        if run:
            batches.append(self._batch(run, period_us, calibration))
        return batches, gaps

    def joined(self, pieces: Sequence[Piece], period_us: float, calibration: str) -> list[ImuBatch]:
        """Return a batch for each unbroken stretch of these pieces."""
        batches: list[ImuBatch] = []
        run: list[Piece] = []
        for piece in pieces:
            if run and not piece.joins:
                batches.append(self._batch(run, period_us, calibration))
                run = []
            run.append(piece)
        return [*batches, self._batch(run, period_us, calibration)] if run else batches

    def _within_a_second(self) -> Piece:
        piece = self._pieces.popleft()
        second_end = (int(piece.t_us[0]) // SECOND_US + 1) * SECOND_US
        at = int(np.searchsorted(piece.t_us, second_end))
        if at < len(piece.t_us):
            piece, rest = piece.split(at)
            self._pieces.appendleft(rest)
        return piece

    def _batch(self, run: Sequence[Piece], nominal_us: float, calibration: str) -> ImuBatch:
        t_us = np.concatenate([piece.t_us for piece in run])
        flags = np.concatenate([piece.flags for piece in run])
        period_ns = mean_period_ns(t_us) if len(t_us) > 1 else round(nominal_us * 1000)
        regular = regular_times(int(t_us[0]), period_ns, len(t_us))
        return ImuBatch(
            sensor=self._sensor,
            segment=self._segment,
            first_tick=int(run[0].ticks[0]),
            period_ns=period_ns,
            t_us=regular if np.abs(regular - t_us).max() < SNAP_US else t_us,
            acc=np.concatenate([piece.acc for piece in run]),
            gyr=np.concatenate([piece.gyr for piece in run]),
            scale=self._vendor.scale,
            flags=flags if flags.any() else None,
            calibration=calibration,
        )

    def _gap(self, missing: Missing, to_us: int) -> Gap:
        # A host clock set back in between must not make the gap end before it begins.
        from_us = min(missing.from_us or to_us, to_us)
        known = (missing.count, missing.estimated, missing.reason, missing.spread)
        return Gap(self._sensor, self._segment, from_us, to_us, *known)


def quantised(samples: Samples, vendor: Vendor) -> Values:
    """Return samples in counts, flagged where a value was out of range or the time is an estimate."""
    acc, acc_clipped = quantise(samples.acc, vendor.scale.acc_nano)
    gyr, gyr_clipped = quantise(samples.gyr, vendor.scale.gyr_nano)
    flags = acc_clipped * SampleFlag.CLIPPED_ACC + gyr_clipped * SampleFlag.CLIPPED_GYR
    if vendor.timing is not Timing.STAMPED:
        flags = flags + SampleFlag.TIME_ESTIMATED
    return Values(acc, gyr, flags.astype(np.uint8))
