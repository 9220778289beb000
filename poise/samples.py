"""Inertial samples as they leave a sensor and as everything after it sees them.

The quantised sample is the sample from the gateway on: one scale for each sensor and session, fixed by its
vendor and range. Times are UTC, mapped once by the gateway's clock model.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntFlag

import numpy as np
from numpy.typing import NDArray

Int16s = NDArray[np.int16]
Int64s = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
_LIMIT = 32767


class SampleFlag(IntFlag):
    """What is known about a single sample, one bit each."""

    CLIPPED_ACC = 1
    CLIPPED_GYR = 2
    REPEATED = 4
    TIME_ESTIMATED = 8


@dataclass(frozen=True, slots=True)
class Scale:
    """What one count is worth, in whole nano-units so that every language computes the same.

    Attributes:
        acc_nano: nm/s² for a count of acceleration.
        gyr_nano: nrad/s for a count of angular rate.
        mag_nano: pT for a count of magnetic flux density; 0 without magnetometer.
    """

    acc_nano: int
    gyr_nano: int
    mag_nano: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class ImuBatch:
    """Consecutive samples of one sensor without a gap between them.

    Attributes:
        sensor: the sensor's own identity (its address), never a patient's.
        segment: where it is worn, a `Segment` or any other name.
        first_tick: µs of the sensor's own clock at the first sample, unwrapped from the moment the gateway
            found it; a sensor without a clock counts its samples times the nominal period.
        period_ns: the sampling period on the UTC scale, ns.
        t_us: (n,) int64, UTC µs since 1970, strictly increasing.
        acc: (n, 3) int16, counts of specific force in the sensor frame S.
        gyr: (n, 3) int16, counts of angular rate in S.
        mag: (n, 3) int16 or None, counts of magnetic flux density in S.
        scale: what one count is worth.
        flags: (n,) uint8 of `SampleFlag`, or None where no sample has one.
        calibration: id of the calibration that the gateway held valid for these samples, "" for none.
    """

    sensor: str
    segment: str
    first_tick: int
    period_ns: int
    t_us: Int64s
    acc: Int16s
    gyr: Int16s
    scale: Scale
    mag: Int16s | None = None
    flags: NDArray[np.uint8] | None = None
    calibration: str = ""

    def __len__(self) -> int:
        return len(self.t_us)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ImuBatch):
            return NotImplemented
        mine, theirs = self._plain(), other._plain()
        return mine == theirs and all(
            _same(getattr(self, name), getattr(other, name))
            for name in ("t_us", "acc", "gyr", "mag", "flags")
        )

    __hash__ = None  # type: ignore[assignment]

    def _plain(self) -> tuple[object, ...]:
        return (self.sensor, self.segment, self.first_tick, self.period_ns, self.scale, self.calibration)

    @property
    def rate_hz(self) -> float:
        """Sampling rate on the UTC scale, Hz."""
        return 1e9 / self.period_ns

    @property
    def acc_si(self) -> Floats:
        """(n, 3) specific force in S, m/s²."""
        return np.multiply(self.acc, self.scale.acc_nano * 1e-9, dtype=np.float64)

    @property
    def gyr_si(self) -> Floats:
        """(n, 3) angular rate in S, rad/s."""
        return np.multiply(self.gyr, self.scale.gyr_nano * 1e-9, dtype=np.float64)

    def part(self, start: int, stop: int) -> "ImuBatch":
        """Return samples `start:stop` as a batch of their own; its tick advances by the period."""
        return replace(
            self,
            first_tick=self.first_tick + round(start * self.period_ns / 1000),
            t_us=self.t_us[start:stop],
            acc=self.acc[start:stop],
            gyr=self.gyr[start:stop],
            mag=None if self.mag is None else self.mag[start:stop],
            flags=None if self.flags is None else self.flags[start:stop],
        )


@dataclass(frozen=True, slots=True)
class Gap:
    """Samples that a sensor took, or should have taken, and that did not arrive.

    Attributes:
        sensor: the sensor's identity.
        segment: where it is worn.
        from_us: UTC µs of the last sample before the gap.
        to_us: UTC µs of the first sample after it.
        count: how many samples are missing.
        estimated: True where the sensor neither numbers nor stamps its samples.
        reason: a word: "radio", "gateway restarted", "spool full", …
        spread: of an estimate: the true number lies within count ± spread.
    """

    sensor: str
    segment: str
    from_us: int
    to_us: int
    count: int
    estimated: bool = False
    reason: str = "radio"
    spread: int = 0


@dataclass(frozen=True, slots=True)
class SampleMessage:
    """About one second of one wearer, or some more: what one MQTT message carries.

    Attributes:
        session: the gateway session, unique for each start of a gateway.
        sequence: number of the message within its session, from 0, without holes.
        floor: the lowest sequence that this session can still send; anything below was given up and is
            reported in `gaps`.
        origin: "worn", "simulated" or "replayed"; it is shown wherever the data is.
        batches: one or more for each sensor; a gap starts another.
        gaps: what is missing and was noticed since the message before.
        kept: its samples had waited in their sensor's own memory over a break of the link, so they are older
            than what came before.
    """

    session: str
    sequence: int
    batches: tuple[ImuBatch, ...]
    gaps: tuple[Gap, ...] = ()
    floor: int = 0
    origin: str = "worn"
    kept: bool = False

    @property
    def samples(self) -> int:
        """Number of samples of all sensors."""
        return sum(len(batch) for batch in self.batches)

    @property
    def first_us(self) -> int | None:
        """UTC µs of the earliest sample, None without samples."""
        return min((int(batch.t_us[0]) for batch in self.batches), default=None)


def quantise(values: Floats, nano: int) -> tuple[Int16s, NDArray[np.bool_]]:
    """Round SI values (n, 3) to int16 counts of `nano` nano-units.

    Returns:
        counts (n, 3) and clipped (n,), True where a value was out of range or not a number.
    """
    counts = np.rint(np.nan_to_num(values / (nano * 1e-9), nan=0.0, posinf=1e9, neginf=-1e9))
    outside = np.any(np.abs(counts) > _LIMIT, axis=1)
    unknown = ~np.all(np.isfinite(values), axis=1)
    return np.clip(counts, -_LIMIT, _LIMIT).astype(np.int16), np.asarray(outside | unknown, np.bool_)


def regular_times(first_us: int, period_ns: int, n: int) -> Int64s:
    """Return (n,) UTC µs of regular samples: `first_us + (i * period_ns + 500) // 1000`.

    Whole numbers only, so that every language computes the same; the wire stores differences from it.
    """
    t_us = np.arange(500, 500 + n * period_ns, period_ns, dtype=np.int64)
    t_us //= 1000
    t_us += first_us
    return t_us


def mean_period_ns(t_us: Int64s) -> int:
    """Return the mean period of (n,) UTC µs, n > 1, rounded down: regular times never pass the last one."""
    return int(t_us[-1] - t_us[0]) * 1000 // (len(t_us) - 1)


def merge(batches: Sequence[ImuBatch]) -> ImuBatch:
    """Join batches of one sensor that follow each other without a gap."""
    first = batches[0]
    return replace(
        first,
        t_us=np.concatenate([b.t_us for b in batches]),
        acc=np.concatenate([b.acc for b in batches]),
        gyr=np.concatenate([b.gyr for b in batches]),
        mag=_joined([b.mag for b in batches], batches),
        flags=None if all(b.flags is None for b in batches) else np.concatenate([_flags(b) for b in batches]),
    )


def _joined(parts: list[Int16s | None], batches: Sequence[ImuBatch]) -> Int16s | None:
    if all(part is None for part in parts):
        return None
    empty = [np.zeros((len(b), 3), np.int16) for b in batches]
    return np.concatenate([e if part is None else part for part, e in zip(parts, empty, strict=True)])


def _flags(batch: ImuBatch) -> NDArray[np.uint8]:
    return np.zeros(len(batch), np.uint8) if batch.flags is None else batch.flags


def _same(a: NDArray[np.generic] | None, b: NDArray[np.generic] | None) -> bool:
    if a is None or b is None:
        return a is b
    return a.shape == b.shape and bool((a == b).all())
