"""MbientLab MetaMotion, with its own sensor fusion in mode "IMU plus".

Registers, commands and layout after the maker's SDK, github.com/mbientlab/MetaWear-SDK-Cpp, commit f67699e
and before (`sensor_fusion.cpp`, `gyro_bosch.cpp`, `led.cpp`, `haptic.cpp` and their tests). A command or
notification begins with module and register; a register with bit 7 set is read. The fusion runs at 100 Hz and
tells accelerations and angular rates in notifications of their own, little-endian:

    0  uint8      module 0x19
    1  uint8      register: 4 acceleration, 5 angular rate
    2  3 float32  x, y, z: mg (the SDK's documents say g, its code and tests divide by 1000); °/s
   14  uint8      accuracy of the fusion's calibration, 0 to 3; not read

There is no timestamp, no number and no check. An acceleration is paired with the angular rate that follows
it. If none does, one was lost and the sample goes without; an angular rate without acceleration is counted as
damaged.

Which chip a board has is not told before one has connected: BMI160 (R, RL, C) or BMI270 (S). Poise measures
up to 4 g because that is the only range whose code, 5, means the same to both: the BMI270 has two bits for
it, of the BMI160's four. The angular rate's code for 2000 °/s is 0 in both.

Not verified on hardware: that code on a board S, the order of the two notifications, and what a board goes on
doing when its link has ended (the virtual one stops). A motor must be soldered to most boards to feel the
buzz.
"""

from collections.abc import Sequence
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
from device.vendors.common import (
    BATTERY_LEVEL,
    BATTERY_SERVICE,
    FIRMWARE_REVISION,
    INFORMATION_SERVICE,
    Usual,
)
from poise.errors import DecodeError
from poise.samples import Bools, Floats, Scale

RATE_HZ: Final = 100
NAME: Final = "MetaWear"
SERVICE: Final = "326a9000-85cb-9195-d9dd-464cfbbae75a"
COMMAND: Final = "326a9001-85cb-9195-d9dd-464cfbbae75a"
NOTIFY: Final = "326a9006-85cb-9195-d9dd-464cfbbae75a"
SCALE: Final = Scale(acc_nano=1_197_101, gyr_nano=1_065_264)
"""4 g and 2000 °/s over 32 768 counts."""
SAMPLE_BYTES: Final = 15

_LAYOUT: Final = np.dtype([("module", "u1"), ("register", "u1"), ("vector", "<f4", 3), ("accuracy", "u1")])
_ACCELEROMETER, _GYROSCOPE, _FUSION = 0x03, 0x13, 0x19
_POWER = _ENABLE = 1
_MODE = 2
_OUTPUT = 3
_ACC, _GYR = 4, 5
_IMU_PLUS = 2
_READ: Final = 0x80

START: Final = (
    "19 02 02 11",  # fusion: IMU plus, 2000 °/s and 4 g
    "03 03 28 05",  # accelerometer: 100 Hz, 4 g
    "13 03 28 00",  # gyroscope: 100 Hz, 2000 °/s
    "19 04 01",  # tell accelerations
    "19 05 01",  # tell angular rates
    "03 02 01 00",  # sample accelerations
    "13 02 01 00",  # sample angular rates
    "03 01 01",  # accelerometer on
    "13 01 01",  # gyroscope on
    "19 03 03 00",  # fusion: put out both
    "19 01 01",  # fusion on
)
STOP: Final = (
    "19 01 00",
    "19 03 00 7f",
    "03 01 00",
    "13 01 00",
    "03 02 00 01",
    "13 02 00 01",
    "19 04 00",
    "19 05 00",
)
BLINK: Final = (
    "02 02 01",  # forget what was shown before
    "02 03 00 02 1f 00 00 00 32 00 00 00 f4 01 00 00 0a",  # green, 50 ms in 500 ms, ten times
    "02 01 01",
)
BUZZ: Final = ("08 01 f8 f4 01 00",)
"""Motor with all its power for 500 ms."""


def commands(texts: Sequence[str]) -> tuple[Write, ...]:
    """Return commands for hexadecimal texts; the SDK sends them without asking for an answer."""
    return tuple(Write(COMMAND, bytes.fromhex(text), response=False) for text in texts)


class Vectors(NamedTuple):
    """What notifications say: accelerations or angular rates.

    Attributes:
        is_acc: (n,) whether it is an acceleration.
        values: (n, 3) m/s² or rad/s.
    """

    is_acc: Bools
    values: Floats


def decode(notifications: Sequence[bytes]) -> Vectors:
    """Read notifications of the fusion.

    Raises:
        DecodeError: if any of them is not an acceleration or an angular rate.
    """
    for raw in notifications:
        if not _reads(raw):
            raise DecodeError(f"neither acceleration nor angular rate: {raw.hex()}")
    return _vectors(notifications)


def _vectors(notifications: Sequence[bytes]) -> Vectors:
    """Read notifications that were looked at before."""
    rows = np.frombuffer(b"".join(notifications), _LAYOUT)
    is_acc = rows["register"] == _ACC
    # A float32 that is not a number stays one, and is flagged when it is quantised.
    with np.errstate(invalid="ignore"):
        vectors = rows["vector"].astype(np.float64)
        return Vectors(is_acc, vectors * np.where(is_acc, G / 1000, np.pi / 180)[:, None])


def _reads(raw: bytes) -> bool:
    return len(raw) == SAMPLE_BYTES and raw[0] == _FUSION and raw[1] in (_ACC, _GYR)


def encode(samples: Samples) -> list[bytes]:
    """Return the notifications that a sensor would send: acceleration, angular rate, and so on."""
    rows = np.zeros((len(samples), 2), _LAYOUT)
    rows["module"], rows["register"], rows["accuracy"] = _FUSION, [_ACC, _GYR], 3
    rows["vector"][:, 0] = samples.acc * (1000 / G)
    rows["vector"][:, 1] = np.degrees(samples.gyr)
    raw = rows.tobytes()
    return [raw[at : at + SAMPLE_BYTES] for at in range(0, len(raw), SAMPLE_BYTES)]


class MetaMotionDecoder:
    """A `Decoder` that pairs accelerations and angular rates."""

    def __init__(self) -> None:
        """Begin without an acceleration that waits for its angular rate."""
        self._waiting: tuple[bytes, ...] = ()

    def feed(self, notifications: Sequence[Notification]) -> Decoded:
        """See `Decoder`; other modules' notifications are not asked for and count as damaged."""
        told = [i for i, n in enumerate(notifications) if n.uuid == NOTIFY]
        good = [i for i in told if _reads(notifications[i].value)]
        values = [*self._waiting, *(notifications[i].value for i in good)]
        of = np.array([-1] * len(self._waiting) + good, np.int64)
        vectors = _vectors(values)
        # Each acceleration with something behind it is a sample, with an angular rate if it is that.
        first = np.flatnonzero(vectors.is_acc[:-1])
        paired = ~vectors.is_acc[first + 1]
        gyr = np.where(paired[:, None], vectors.values[first + 1], np.nan)
        self._waiting = (values[-1],) if values and vectors.is_acc[-1] else ()
        alone = int(np.count_nonzero(~vectors.is_acc) - np.count_nonzero(paired))
        samples = Samples(np.zeros(len(first), np.int64), vectors.values[first], gyr)
        return Decoded(samples, of[first + 1], damaged=len(told) - len(good) + alone)


class MetaMotion(Usual):
    """A `Vendor`: the MetaMotion with accelerations and angular rates at 100 Hz."""

    name = "metamotion"
    label = "MbientLab MetaMotion"
    scale = SCALE
    rate_hz = float(RATE_HZ)
    timing = Timing.NONE
    wrap_us = 0
    # Project decision: Bosch's data sheets give 1 % or so for the rate of the chips.
    clock_ppm = 30_000.0
    subscriptions = (NOTIFY,)
    start = commands(START)
    stop = commands(STOP)
    blink = commands(BLINK)
    buzz = commands(BUZZ)

    def recognises(self, advertised: Advertised) -> bool:
        """See `Vendor`; people rename their boards, but the service stays."""
        return advertised.name.startswith(NAME) or SERVICE in advertised.services

    def decoder(self) -> Decoder:
        """See `Vendor`."""
        return MetaMotionDecoder()

    def peripheral(self, address: str) -> Peripheral:
        """See `Vendor`."""
        return VirtualMetaMotion(address)


_MODULES: Final = {
    raw[0]: raw
    for raw in map(
        bytes.fromhex,
        ("02800000", "03800101", "08800000", "13800001", "198000000300060002000100"),
    )
}
"""What the modules that Poise uses tell of themselves on a board R, from the SDK's tests."""
_SWITCHES: Final = ((_ACCELEROMETER, _MODE), (_GYROSCOPE, _MODE), (_FUSION, _OUTPUT))
"""Registers that are written as bits to set and bits to clear."""


class VirtualMetaMotion:
    """A `Peripheral` that answers as a board R does: it takes any command, and keeps what registers hold."""

    advertised = Advertised(NAME, frozenset({SERVICE}))
    company: tuple[int, bytes] | None = None
    endpoints: tuple[Endpoint, ...] = (
        Endpoint(SERVICE, COMMAND, "wc"),
        Endpoint(SERVICE, NOTIFY, "n"),
        Endpoint(BATTERY_SERVICE, BATTERY_LEVEL, "rn"),
        Endpoint(INFORMATION_SERVICE, FIRMWARE_REVISION, "r"),
    )

    def __init__(self, address: str) -> None:
        """Take the Bluetooth address, which it does not tell otherwise."""
        self.address = address
        self.measuring = False
        self.battery_percent, self.charging = 90, False
        self._registers: dict[tuple[int, int], bytes] = {}

    def read(self, uuid: str) -> bytes:
        """See `Peripheral`."""
        return {BATTERY_LEVEL: bytes([self.battery_percent]), FIRMWARE_REVISION: b"1.5.0"}[uuid]

    def write(self, uuid: str, value: bytes) -> Sequence[Notification]:
        """See `Peripheral`; a command that means nothing is passed over, as nobody asked for an answer."""
        if uuid != COMMAND or len(value) < 2:
            return ()
        module, register = value[0], value[1] & ~_READ
        if value[1] & _READ:
            return self._answer(module, register)
        if (module, register) in _SWITCHES and len(value) == 4:
            bits = (self._held(module, register) | value[2]) & ~value[3]
            self._registers[module, register] = bytes([bits])
        elif module in _MODULES and register and len(value) > 2:
            self._registers[module, register] = value[2:]
        self.measuring = self._runs()
        return ()

    def _answer(self, module: int, register: int) -> Sequence[Notification]:
        head = bytes([module, register | _READ])
        if not register:
            return (Notification(NOTIFY, _MODULES.get(module, head)),)
        held = self._registers.get((module, register))
        return () if held is None else (Notification(NOTIFY, head + held),)

    def _held(self, module: int, register: int) -> int:
        return self._registers.get((module, register), b"\0")[0]

    def _runs(self) -> bool:
        """Is everything on that Poise switches on? It sends nothing with half of it."""
        sensors = (_ACCELEROMETER, _GYROSCOPE)
        return (
            self._held(_FUSION, _MODE) == _IMU_PLUS
            and all(self._held(sensor, _POWER) and self._held(sensor, _MODE) for sensor in sensors)
            and all(self._held(_FUSION, register) == 1 for register in (_ENABLE, _ACC, _GYR))
            and self._held(_FUSION, _OUTPUT) & 3 == 3
        )

    def send(self, samples: Samples) -> Sequence[tuple[Notification, int]]:
        """See `Peripheral`; the angular rate completes the sample."""
        return [(Notification(NOTIFY, value), at % 2) for at, value in enumerate(encode(samples))]

    def disconnected(self) -> None:
        """See `Peripheral`."""
        self._registers = {}
        self.measuring = False
