"""One sensor's samples to its inclination: where up is, seen from the sensor.

The filter is VQF without magnetometer (Laidig and Seel, Information Fusion 2023,
doi:10.1016/j.inffus.2022.10.014): inclination good to about 1° all day, heading unknown. Only the third row
of the rotation, the earth's up in the sensor frame, is used.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from vqf import VQF

from poise.samples import Bools, Floats, ImuBatch, Int64s

FILLED_GAP_US: Final = 1_000_000
"""A gap up to this is bridged by a straight line of samples; after a longer one the filter starts again and
keeps its bias. One second is a third of the filter's time constant (tauAcc 3 s): little can drift in it."""


@dataclass(frozen=True, slots=True)
class UpTrack:
    """Where up is, seen from one sensor.

    Attributes:
        t_us: (n,) int64 UTC µs, increasing.
        up: (n, 3) unit vectors, earth's up in the sensor frame S.
        jump: (n,) bool, a gap lies before this sample: nothing may be interpolated across it.
    """

    t_us: Int64s
    up: Floats
    jump: Bools


class Orientation:
    """The filter of one sensor, fed in batches; any chunking of its samples gives the same bits."""

    def __init__(self, period_ns: int) -> None:
        """Start a filter at the sensor's nominal sampling period."""
        self._period_ns = period_ns
        self._filter = VQF(period_ns * 1e-9)
        self._last_us: int | None = None
        self._last_acc = np.zeros(3)
        self._last_gyr = np.zeros(3)

    @property
    def last_us(self) -> int | None:
        """UTC µs of the newest sample taken, None before the first."""
        return self._last_us

    def update(self, batch: ImuBatch) -> UpTrack:
        """Return where up was at each sample of `batch`; samples not newer than the last are left out."""
        t_us, acc, gyr = batch.t_us, batch.acc_si, batch.gyr_si
        if self._last_us is not None and t_us[0] <= self._last_us:
            fresh = t_us > self._last_us
            t_us, acc, gyr = t_us[fresh], acc[fresh], gyr[fresh]
        jump = np.zeros(len(t_us), np.bool_)
        if len(t_us) == 0:
            return UpTrack(t_us, np.zeros((0, 3)), jump)
        filled = self._bridge(int(t_us[0]), acc[0], gyr[0])
        jump[0] = self._last_us is None or filled != 0
        up = self._run(acc, gyr)
        self._last_us, self._last_acc, self._last_gyr = int(t_us[-1]), acc[-1].copy(), gyr[-1].copy()
        return UpTrack(t_us, up, jump)

    def _bridge(self, first_us: int, acc: Floats, gyr: Floats) -> int:
        """Return how many samples were filled in before `first_us`; -1 if the filter was started again."""
        if self._last_us is None:
            return 0
        missing = round((first_us - self._last_us) * 1000 / self._period_ns) - 1
        if missing <= 0:
            return 0
        if first_us - self._last_us > FILLED_GAP_US:
            bias = self._filter.getBiasEstimate()[0]
            self._filter.resetState()
            self._filter.setBiasEstimate(bias)
            return -1
        share = (np.arange(1, missing + 1) / (missing + 1))[:, None]
        self._run(_between(self._last_acc, acc, share), _between(self._last_gyr, gyr, share))
        return missing

    def _run(self, acc: Floats, gyr: Floats) -> Floats:
        quat = self._filter.updateBatch(np.ascontiguousarray(gyr), np.ascontiguousarray(acc))["quat6D"]
        return up_in_sensor(quat)


def _between(before: Floats, after: Floats, share: Floats) -> Floats:
    return before + share * (after - before)


def up_in_sensor(q_earth_from_sensor: Floats) -> Floats:
    """Return (n, 3) earth's up in the sensor frame for (n, 4) quaternions w, x, y, z.

    Element by element and without matrix products, whose rounding would depend on the batch's length.
    """
    w, x, y, z = q_earth_from_sensor.T
    return np.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], axis=1)
