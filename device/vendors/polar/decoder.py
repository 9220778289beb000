"""Reads one connection of a Polar sensor: the control point's answers and the frames."""

from collections.abc import Sequence

import numpy as np

from device.vendors.base import Decoded, Notification, Samples, no_samples
from device.vendors.polar import control, frames
from device.vendors.polar.control import Status
from device.vendors.polar.frames import ACC, GYRO
from device.vendors.polar.streams import Merged, Merger, Stamper, joined
from poise.errors import DecodeError


class PolarDecoder:
    """A `Decoder` for both sensors."""

    def __init__(self, rate_hz: int, *, gyro: bool) -> None:
        """Take the rate of the streams, and whether there are angular rates to wait for."""
        self._period_ns = 1_000_000_000 // rate_hz
        self._stampers = {kind: Stamper(self._period_ns) for kind in (ACC, GYRO)}
        self._factors = {ACC: 1.0, GYRO: 1.0}
        self._merger = Merger(self._period_ns, alone=not gyro)

    def feed(self, notifications: Sequence[Notification]) -> Decoded:
        """See `Decoder`."""
        parts: list[Merged] = []
        of: list[int] = []
        damaged = 0
        for at, (uuid, value) in enumerate(notifications):
            try:
                if uuid == control.CONTROL:
                    self._hear(value)
                elif uuid == control.DATA:
                    parts.append(self._take(value))
                    of += [at] * len(parts[-1].ns)
            except DecodeError:
                damaged += 1
        if not of:
            return Decoded(no_samples(), np.zeros(0, np.int64), damaged)
        ns, acc, gyr = joined(parts)
        return Decoded(Samples((ns + 500) // 1000, acc, gyr), np.array(of, np.int64), damaged)

    def _hear(self, value: bytes) -> None:
        """Learn from the control point which streams run and by which factors."""
        if value[:1] == bytes([control.STOPPED_ITSELF]):
            self._merger.alone |= GYRO in value[1:]
            return
        if len(value) < 4 or value[0] != control.ANSWER:
            raise DecodeError(f"not an answer of the control point: {value.hex()}")
        command, measurement, status = value[1:4]
        if command == control.START and measurement in self._factors and status != Status.ALREADY_IN_STATE:
            self._started(measurement, status, value[5:])

    def _started(self, measurement: int, status: int, settings: bytes) -> None:
        if status == Status.SUCCESS:
            self._factors[measurement] = control.factor_in(settings)
            self._stampers[measurement] = Stamper(self._period_ns)
        if measurement == GYRO:
            self._merger.alone = status != Status.SUCCESS

    def _take(self, value: bytes) -> Merged:
        frame = frames.decode(value)
        n = len(frame.counts)
        if frame.time_ns < n * self._period_ns:
            raise DecodeError("the frame began before the clock did")
        ns = self._stampers[frame.measurement].times(frame.time_ns, n)
        values = frame.values(self._factors[frame.measurement])
        if frame.measurement == ACC:
            return self._merger.accelerate(ns, values)
        return self._merger.rotate(ns, values)
