"""OpenEarable 2, an open earphone with a nine-axis BMX160, over Bluetooth.

After the firmware's public sources, OpenEarable/open-earable-2: `include/openearable_common.h` (the frame),
`src/bluetooth/gatt_services/sensor_service.c` and `sensor_transport.c` (characteristics, batches),
`src/SensorManager/IMU.cpp` and `BMX160/BMX160.cpp` (units, rates, ranges), `doc/protocols/
wire-contract-baseline.md`. Not verified on hardware. All numbers are little-endian. A notification is

    0  uint8   sensor, 0 for the nine axes
    1  uint8   n, how many bytes follow the time
    2  uint64  µs of the sensor's clock at the first sample
   10  n bytes: samples one after the other, and where there are several, uint16 µs between them

and a sample is nine float32 (specific force in m/s², angular rate in °/s, magnetic flux density in µT, x y z
each), or from firmware 2.3.0 on six int16 counts of the first two and three float32. Lengths tell them apart
but for 2, 4 and 6 samples of the one and 3, 6 and 9 of the other: there the numbers decide, because counts
read as floats are absurdly small or large. An older description (`src/ParseInfo/README`) has uint8 sensor,
uint32 ms and one sample of nine floats: also known by its length. Its clock wraps after 49.7 days, which is
taken for a restart of the sensor.

Traps: the accelerometer's range is 2 g and cannot be set. The firmware keeps the measurement over a lost
link. Version 1 of the earphone has the same name and none of the configuration below: it does not start.
"""

from collections.abc import Iterator, Sequence
from enum import Enum
from functools import cache
from typing import Final, NamedTuple

import numpy as np

from device.vendors.base import (
    Advertised,
    Decoded,
    Decoder,
    Endpoint,
    G,
    Notification,
    Peripheral,
    Samples,
    Timing,
    Write,
)
from device.vendors.common import BATTERY_LEVEL, BATTERY_SERVICE, Usual
from poise.errors import DecodeError
from poise.samples import Floats, Scale

RATE_HZ: Final = 50
NAME, FIRMWARE = "OpenEarable", "2.2.0"
SCALE: Final = Scale(acc_nano=598_550, gyr_nano=1_065_264)
"""2 g and 2000 °/s, the ranges of the firmware, over 32 768 counts."""

SENSOR_SERVICE: Final = "34c2e3bb-34aa-11eb-adc1-0242ac120002"
SENSOR_DATA: Final = "34c2e3bc-34aa-11eb-adc1-0242ac120002"
SENSOR_CONFIG: Final = "34c2e3be-34aa-11eb-adc1-0242ac120002"
SENSOR_STATUS: Final = "34c2e3bf-34aa-11eb-adc1-0242ac120002"
LED_SERVICE: Final = "81040a2e-4819-11ee-be56-0242ac120002"
LED_COLOUR: Final = "81040e7a-4819-11ee-be56-0242ac120002"
LED_MODE: Final = "81040e7b-4819-11ee-be56-0242ac120002"
DEVICE_SERVICE: Final = "45622510-6468-465a-b141-0b9b0f96b468"
DEVICE_FIRMWARE: Final = "45622513-6468-465a-b141-0b9b0f96b468"

IMU: Final = 0
OTHER_SENSORS: Final = frozenset({b"\x01", b"\x02", b"\x04", b"\x05", b"\x06", b"\x07"})
_RATE_INDEX: Final = 1  # of 25, 50, 100, 200, 400, 800 Hz
_TO_BLUETOOTH: Final = 1
START: Final = bytes([IMU, _RATE_INDEX, _TO_BLUETOOTH])
STOP: Final = bytes([IMU, _RATE_INDEX, 0])
_LED_STATE, _LED_CUSTOM, _WHITE = b"\x00", b"\x01", b"\xff\xff\xff"

_HEADER_BYTES, _OLD_BYTES = 10, 41
_BATCHES: Final = 2
"""How many samples the firmware's batches hold at 50 Hz: it empties the BMX160's memory every 40 ms."""
_FLOATS: Final = np.dtype([("acc", "<f4", 3), ("gyr", "<f4", 3), ("mag", "<f4", 3)])
_COUNTS: Final = np.dtype([("acc", "<i2", 3), ("gyr", "<i2", 3), ("mag", "<f4", 3)])
_ACC_COUNT, _GYR_COUNT = 2 * G / 32768, 2000 / 32768
_SMALLEST, _LARGEST = 1e-5, 1e5  # of what is measured, in any of the units; a count is 6e-4 and more


class Layout(Enum):
    """What different firmware sends."""

    MILLISECONDS = "milliseconds"
    SINGLE = "single"
    BATCHED = "batched"
    COMPACT = "compact"


class _Kind(NamedTuple):
    """A notification's layout: which header, which samples, how many."""

    old: bool
    compact: bool
    n: int


@cache
def _frame(kind: _Kind) -> np.dtype[np.void]:
    rows = ("rows", _COUNTS if kind.compact else _FLOATS, (kind.n,))
    if kind.old:
        return np.dtype([("sensor", "u1"), ("time", "<u4"), rows])
    fields = [("sensor", "u1"), ("bytes", "u1"), ("time", "<u8"), rows]
    return np.dtype(fields if kind.n == 1 else [*fields, ("period_us", "<u2")])


def _kind(value: bytes) -> _Kind | None:
    """Return how a notification of the nine axes is laid out, None if it is not one."""
    if len(value) == _OLD_BYTES and value[0] == IMU:
        return _Kind(old=True, compact=False, n=1)
    header_fits = len(value) > _HEADER_BYTES and (value[0], value[1] + _HEADER_BYTES) == (IMU, len(value))
    if not header_fits or value[9] >= 0x40:  # a time beyond half of int64 is no clock's
        return None
    wide, compact = (_count(value[1], row.itemsize) for row in (_FLOATS, _COUNTS))
    if wide and not (compact and _is_counts(value)):
        return _Kind(old=False, compact=False, n=wide)
    return _Kind(old=False, compact=True, n=compact) if compact else None


def _count(size: int, each: int) -> int:
    """Return how many samples of `each` bytes a frame of `size` holds, 0 if that does not come out."""
    if size == each:
        return 1
    count, rest = divmod(size - 2, each)
    return count if count > 1 and rest == 0 else 0


def _is_counts(value: bytes) -> bool:
    """Are the samples counts, in a frame whose length fits both?"""
    body = value[_HEADER_BYTES:-2]
    sizes = np.abs(np.frombuffer(body, "<f4")), np.abs(np.frombuffer(body, _COUNTS)["mag"])
    as_floats, as_counts = (np.all((s == 0) | ((s > _SMALLEST) & (s < _LARGEST))) for s in sizes)
    return bool(as_counts and not as_floats)


def decode(notifications: Sequence[bytes]) -> Samples:
    """Turn notifications of the nine axes, oldest first, into samples.

    Raises:
        DecodeError: if any of them does not follow a known layout.
    """
    kinds = [kind for value in notifications if (kind := _kind(value)) is not None]
    if len(kinds) < len(notifications):
        raise DecodeError("an OpenEarable's notification has another length or sensor than it says")
    ends = np.cumsum([kind.n for kind in kinds], dtype=np.int64)
    n = int(ends[-1]) if kinds else 0
    tick, acc, gyr = np.zeros(n, np.int64), np.zeros((n, 3)), np.zeros((n, 3))
    for kind in set(kinds):
        which = [i for i, other in enumerate(kinds) if other == kind]
        frames = np.frombuffer(b"".join(notifications[i] for i in which), _frame(kind))
        place = ends[which, None] - kind.n + np.arange(kind.n)
        time = frames["time"].astype(np.int64)[:, None] * (1000 if kind.old else 1)
        period = frames["period_us"].astype(np.int64)[:, None] if kind.n > 1 else 0
        tick[place] = time + np.arange(kind.n) * period
        # A float32 that is not a number stays one, and is flagged when it is quantised.
        with np.errstate(invalid="ignore"):
            acc[place] = frames["rows"]["acc"].astype(np.float64) * (_ACC_COUNT if kind.compact else 1)
            gyr_dps = frames["rows"]["gyr"].astype(np.float64) * (_GYR_COUNT if kind.compact else 1)
        gyr[place] = np.radians(gyr_dps)
    return Samples(tick, acc, gyr)


def encode(samples: Samples, layout: Layout = Layout.SINGLE) -> list[tuple[bytes, int]]:
    """Return the notifications that a sensor would send, each with its number of samples; mag is zero."""
    old, compact = layout is Layout.MILLISECONDS, layout is Layout.COMPACT
    most = _BATCHES if layout in (Layout.BATCHED, Layout.COMPACT) else 1
    rows = np.zeros(len(samples), _COUNTS if compact else _FLOATS)
    gyr = np.degrees(samples.gyr)
    rows["acc"] = _to_counts(samples.acc / _ACC_COUNT) if compact else samples.acc
    rows["gyr"] = _to_counts(gyr / _GYR_COUNT) if compact else gyr
    notifications: list[tuple[bytes, int]] = []
    for part in _batches(samples.tick_us.tolist(), most):
        kind = _Kind(old, compact, part.stop - part.start)
        frame = np.zeros((), _frame(kind))
        first = int(samples.tick_us[part.start])
        frame["time"] = first // 1000 % (1 << 32) if old else first
        frame["rows"] = rows[part]
        if not old:
            frame["bytes"] = frame.dtype.itemsize - _HEADER_BYTES
        if kind.n > 1:
            frame["period_us"] = samples.tick_us[part.start + 1] - first
        notifications.append((frame.tobytes(), kind.n))
    return notifications


def _to_counts(values: Floats) -> Floats:
    return np.clip(np.rint(np.nan_to_num(values, posinf=1e9, neginf=-1e9)), -32768, 32767)


def _batches(ticks: Sequence[int], most: int) -> Iterator[slice]:
    """Cut samples where the firmware begins a new notification."""
    start = 0
    for i in range(1, len(ticks) + 1):
        if i - start == most or i == len(ticks) or not 0 < ticks[i] - ticks[i - 1] < 1 << 16:
            yield slice(start, i)
            start = i


class _Decoder:
    """A `Decoder`: no frame spans notifications, so it keeps nothing."""

    def feed(self, notifications: Sequence[Notification]) -> Decoded:
        """See `Decoder`; other sensors of the earphone, which somebody else may run, are no damage."""
        nine = [uuid == SENSOR_DATA and value[:1] not in OTHER_SENSORS for uuid, value in notifications]
        at = [i for i, of_the_nine_axes in enumerate(nine) if of_the_nine_axes]
        kinds = [_kind(notifications[i].value) for i in at]
        good = [i for i, kind in zip(at, kinds, strict=True) if kind is not None]
        counts = [kind.n for kind in kinds if kind is not None]
        samples = decode([notifications[i].value for i in good])
        return Decoded(samples, np.repeat(np.array(good, np.int64), counts), len(at) - len(good))


class OpenEarable(Usual):
    """A `Vendor`: the earphone at 50 Hz with its nine axes."""

    name = "openearable"
    label = "OpenEarable 2"
    scale = SCALE
    rate_hz = float(RATE_HZ)
    timing = Timing.STAMPED
    wrap_us = 0
    clock_ppm = 200.0
    subscriptions = (SENSOR_DATA,)
    info_uuid = DEVICE_FIRMWARE
    start = (Write(SENSOR_CONFIG, START),)
    stop = (Write(SENSOR_CONFIG, STOP), Write(LED_MODE, _LED_STATE))
    blink = (Write(LED_MODE, _LED_CUSTOM), Write(LED_COLOUR, _WHITE))
    """White until stopped: the firmware has no colour for a moment."""

    def __init__(self, layout: Layout = Layout.SINGLE) -> None:
        """Take what its virtual sensors send; all layouts are read."""
        self._layout = layout

    def recognises(self, advertised: Advertised) -> bool:
        """See `Vendor`; the name goes on with a hyphen and the earphone's number."""
        return advertised.name.startswith(NAME)

    def decoder(self) -> Decoder:
        """See `Vendor`."""
        return _Decoder()

    def peripheral(self, address: str) -> Peripheral:
        """See `Vendor`."""
        return VirtualEarable(address, self._layout)


class VirtualEarable:
    """A `Peripheral` that answers as an earphone does; it measures at 50 Hz whatever rate it is told."""

    company: tuple[int, bytes] | None = None
    endpoints: tuple[Endpoint, ...] = (
        Endpoint(SENSOR_SERVICE, SENSOR_CONFIG, "w"),
        Endpoint(SENSOR_SERVICE, SENSOR_DATA, "n"),
        Endpoint(SENSOR_SERVICE, SENSOR_STATUS, "rn"),
        Endpoint(LED_SERVICE, LED_COLOUR, "w"),
        Endpoint(LED_SERVICE, LED_MODE, "w"),
        Endpoint(DEVICE_SERVICE, DEVICE_FIRMWARE, "r"),
        Endpoint(BATTERY_SERVICE, BATTERY_LEVEL, "rn"),
    )
    _lengths: Final = {SENSOR_CONFIG: 3, LED_COLOUR: 3, LED_MODE: 1}

    def __init__(self, address: str, layout: Layout = Layout.SINGLE) -> None:
        """Take the Bluetooth address, whose end stands in its name, and what its firmware sends."""
        self.advertised = Advertised(f"{NAME}-{address.replace(':', '')[-4:].upper()}")
        self.battery_percent, self.charging = 90, False
        self.measuring = False
        self._layout, self._config = layout, STOP

    def read(self, uuid: str) -> bytes:
        """See `Peripheral`."""
        values = {
            SENSOR_STATUS: self._config,
            DEVICE_FIRMWARE: FIRMWARE.encode(),
            BATTERY_LEVEL: bytes([self.battery_percent]),
        }
        return values[uuid]

    def write(self, uuid: str, value: bytes) -> Sequence[Notification]:
        """See `Peripheral`."""
        if len(value) != self._lengths.get(uuid, -1):
            raise DecodeError(f"an OpenEarable does not take {len(value)} bytes there")
        # A rate or sensor that it does not have is ignored, as by the firmware.
        if uuid == SENSOR_CONFIG and value[0] == IMU and value[1] <= 5:
            self._config, self.measuring = value, bool(value[2] & _TO_BLUETOOTH)
        return ()

    def send(self, samples: Samples) -> Sequence[tuple[Notification, int]]:
        """See `Peripheral`."""
        return [(Notification(SENSOR_DATA, v), n) for v, n in encode(samples, self._layout)]

    def disconnected(self) -> None:
        """See `Peripheral`; the firmware goes on measuring, only without anybody to send it to."""
