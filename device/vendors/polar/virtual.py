"""Virtual Polar sensors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from device.vendors.base import Advertised, Endpoint, Notification, Samples
from device.vendors.common import BATTERY_LEVEL, BATTERY_SERVICE, FIRMWARE_REVISION, INFORMATION_SERVICE
from device.vendors.polar import control, frames
from device.vendors.polar.control import CHANNELS, FACTOR, RANGE, RATE, RESOLUTION, Settings, Status
from device.vendors.polar.frames import ACC, COMPRESSED, GYRO, Frame
from poise.errors import DecodeError
from poise.samples import Floats, Int64s

COMPANY: Final = 0x006B
_KINDS: Final = 16
"""Measurements that the service has numbers for; a command for another is refused differently."""
_LONGEST: Final = 600
"""More samples than any frame holds."""


@dataclass(frozen=True, slots=True)
class Stream:
    """One measurement of a virtual sensor.

    Attributes:
        offered: the settings that it tells and accepts.
        layout: of its frames.
        limit: the largest count.
        factor: told when it starts, None for none.
        samples: how many a frame holds, 0 for as many as fit.
    """

    offered: Settings
    layout: int
    limit: int
    factor: float | None = None
    samples: int = 0

    def settings_at_start(self) -> Settings:
        """Return what the answer to a start tells."""
        return {} if self.factor is None else {FACTOR: [control.bits_of(self.factor)]}

    def counts(self, measurement: int, values: Floats) -> Int64s:
        """Return the counts nearest to (n, 3) m/s² or rad/s, at most the largest that the sensor has."""
        one = Frame(measurement, 0, self.layout, np.ones((1, 3), np.int64)).values(self.factor or 1.0)
        counts = np.rint(np.nan_to_num(values / one, posinf=self.limit, neginf=-self.limit))
        return np.clip(counts, -self.limit, self.limit).astype(np.int64)

    def fitting(self, counts: Int64s) -> int:
        """Return how many of the samples go into one frame."""
        return min(self.samples, len(counts)) if self.samples else frames.fitting(counts[:_LONGEST])


@dataclass(frozen=True, slots=True)
class Model:
    """A kind of virtual sensor: its name, the bits of what it can measure, the streams that Poise can use."""

    name: str
    features: int
    rate_hz: int
    firmware: bytes
    streams: Mapping[int, Stream]


VERITY_SENSE: Final = Model(
    name="Polar Sense",
    features=0x6E,
    rate_hz=52,
    firmware=b"2.1.0",
    streams={
        ACC: Stream({RATE: (52,), RESOLUTION: (16,), RANGE: (8,), CHANNELS: (3,)}, COMPRESSED | 1, 8000),
        # 70 mdps is what such chips have at 2000 °/s (ST, LSM6DSO data sheet): not seen on the wire.
        GYRO: Stream(
            {RATE: (52,), RESOLUTION: (16,), RANGE: (2000,), CHANNELS: (3,)},
            COMPRESSED,
            28571,
            factor=float(np.float32(0.07)),
        ),
    },
)
H10: Final = Model(
    name="Polar H10",
    features=0x05,
    rate_hz=50,
    firmware=b"3.1.1",
    streams={
        ACC: Stream({RATE: (25, 50, 100, 200), RESOLUTION: (16,), RANGE: (2, 4, 8)}, 1, 8000, samples=36)
    },
)


class VirtualPolar:
    """A `Peripheral` that answers as these sensors do; it measures at one rate whatever it is told."""

    endpoints: tuple[Endpoint, ...] = (
        Endpoint(control.SERVICE, control.CONTROL, "rwi"),
        Endpoint(control.SERVICE, control.DATA, "n"),
        Endpoint(BATTERY_SERVICE, BATTERY_LEVEL, "rn"),
        Endpoint(INFORMATION_SERVICE, FIRMWARE_REVISION, "r"),
    )

    def __init__(self, model: Model, address: str) -> None:
        """Take the kind, and the Bluetooth address, whose end stands for the number printed on the sensor."""
        self.advertised = Advertised(f"{model.name} {address.replace(':', '')[-8:].upper()}")
        self.company: tuple[int, bytes] | None = (COMPANY, b"")
        self.battery_percent, self.charging = 90, False
        self.measuring = False
        self._model = model
        self._queues: dict[int, tuple[Int64s, Int64s]] = {}
        self._sent: dict[int, int] = {}

    def read(self, uuid: str) -> bytes:
        """See `Peripheral`; the control point tells what the sensor can measure."""
        values = {
            control.CONTROL: bytes([0x0F, self._model.features]).ljust(17, b"\0"),
            BATTERY_LEVEL: bytes([self.battery_percent]),
            FIRMWARE_REVISION: self._model.firmware,
        }
        return values[uuid]

    def write(self, uuid: str, value: bytes) -> Sequence[Notification]:
        """See `Peripheral`; what the control point does not like it answers."""
        if uuid != control.CONTROL:
            return ()
        if not value:
            raise DecodeError("the control point takes a command")
        status, told = self._obey(value)
        reply = control.answer(value[0], value[1] if len(value) > 1 else 0, status, told)
        return (Notification(control.CONTROL, reply),)

    def _obey(self, value: bytes) -> tuple[Status, Settings]:
        if value[0] not in (control.TELL, control.START, control.STOP):
            return Status.INVALID_COMMAND, {}
        if len(value) < 2 or (len(value) > 2 and value[0] != control.START):
            return Status.INVALID_LENGTH, {}
        stream = self._model.streams.get(value[1])
        if stream is None:
            return Status.NOT_SUPPORTED if value[1] < _KINDS else Status.INVALID_MEASUREMENT, {}
        if value[0] == control.TELL:
            return Status.SUCCESS, stream.offered
        if (value[1] in self._queues) == (value[0] == control.START):
            return Status.ALREADY_IN_STATE, {}
        status = _refusal(value[2:], stream.offered) if value[0] == control.START else Status.SUCCESS
        if status == Status.SUCCESS:
            self._switch(value[1], on=value[0] == control.START)
        return status, stream.settings_at_start() if value[0] == control.START else {}

    def _switch(self, measurement: int, *, on: bool) -> None:
        """Begin or end one stream; the other goes on with what it has queued."""
        if on:
            passed = [self._sent[m] + len(ticks) for m, (ticks, _counts) in self._queues.items()]
            self._queues[measurement] = np.zeros(0, np.int64), np.zeros((0, 3), np.int64)
            self._sent[measurement] = max(passed, default=0)  # it owes nothing of the time before
        else:
            del self._queues[measurement], self._sent[measurement]
        self.measuring = ACC in self._queues

    def send(self, samples: Samples) -> Sequence[tuple[Notification, int]]:
        """See `Peripheral`; each stream fills its own frames, and a sample is complete when both sent it."""
        ready: list[Frame] = []
        for measurement in self._queues:
            ready += self._frames(measurement, samples)
        notifications = []
        for frame in sorted(ready, key=lambda frame: frame.time_ns):
            before = min(self._sent.values())
            self._sent[frame.measurement] += len(frame.counts)
            complete = min(self._sent.values()) - before if self.measuring else 0
            notifications.append((Notification(control.DATA, frames.encode(frame)), complete))
        return notifications

    def _frames(self, measurement: int, samples: Samples) -> list[Frame]:
        """Queue samples of one stream and return the frames that are full, or end before a gap."""
        stream = self._model.streams[measurement]
        values = samples.acc if measurement == ACC else samples.gyr
        ticks = np.append(self._queues[measurement][0], samples.tick_us)
        counts = np.concatenate([self._queues[measurement][1], stream.counts(measurement, values)])
        ready: list[Frame] = []
        while n := self._next(stream, ticks, counts):
            ready.append(Frame(measurement, int(ticks[n - 1]) * 1000, stream.layout, counts[:n]))
            ticks, counts = ticks[n:], counts[n:]
        self._queues[measurement] = ticks, counts
        return ready

    def _next(self, stream: Stream, ticks: Int64s, counts: Int64s) -> int:
        """Return how many samples the next frame has, 0 if it is not full."""
        period_us = 1_000_000 / self._model.rate_hz
        gaps = np.flatnonzero(np.abs(np.diff(ticks[: _LONGEST + 1]) - period_us) > period_us / 2)
        together = int(gaps[0]) + 1 if len(gaps) else len(ticks)
        n = stream.fitting(counts[:together]) if together else 0
        return n if n < len(ticks) else 0

    def disconnected(self) -> None:
        """See `Peripheral`."""
        self._queues, self._sent, self.measuring = {}, {}, False


def _refusal(raw: bytes, offered: Settings) -> Status:
    """Return the status for a start with these settings."""
    try:
        asked = control.unpack(raw)
    except DecodeError:
        return Status.INVALID_PARAMETER
    for kind, values in asked.items():
        if len(values) != 1 or kind not in control.WRONG:
            return Status.INVALID_PARAMETER
        if values[0] not in offered.get(kind, ()):
            return control.WRONG[kind]
    return Status.SUCCESS if set(asked) == set(offered) else Status.INVALID_PARAMETER
