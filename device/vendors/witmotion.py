"""WitMotion WT901BLE (BWT901BLE5.0, WT901BLECL, WT9011DCL) over Bluetooth Low Energy.

Layout, commands and the table of voltages after the maker's repository WITMOTION/WitBluetooth_BWT901BLE5_0,
`Python/BWT901BLE5.0_python_sdk/device_model.py` and `Android_Java/wit-example-ble5/WitSDK/src/main/java/com/
wit/witsdk/Device/DeviceModel.java`. All numbers are little-endian. Frames have 20 bytes:

    0  55 61   a sample
    2  int16   specific force x, y, z, 16 g over 32 768
    8  int16   angular rate x, y, z, 2000 °/s over 32 768
   14  int16   roll, pitch, yaw, 180° over 32 768: not used

    0  55 71   an answer to "read register"
    2  uint16  number of the first register
    4  8 uint16 what is in it and in the seven after it

A frame has no time, no number and no checksum. Vibration sensors of the same maker (WTVB01) send 55 61 with
28 bytes behind it, so a header alone proves nothing: a frame counts if another one, or nothing, follows it.

Sources disagree whether the rate must be unlocked first; unlocking is harmless, so it is done. It is never
saved: switched off and on, the sensor is as its owner left it. Not verified on hardware: that commands may
follow each other at once (the maker's Python code waits 0.1 s), and what it advertises besides its name.
"""

from collections.abc import Sequence
from typing import Final

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
from device.vendors.common import Usual
from poise.errors import DecodeError
from poise.samples import Floats, Int16s, Scale

RATE_HZ: Final = 50
NAME: Final = "WT901BLE"
FRAME_BYTES: Final = 20
SAMPLE: Final = b"\x55\x61"
ANSWER: Final = b"\x55\x71"
ACC_UNIT: Final = 16 * G / 32768
GYR_UNIT: Final = float(np.radians(2000 / 32768))
SCALE: Final = Scale(acc_nano=4_788_403, gyr_nano=1_065_264)

# The last group is the maker's own (…9a34fb), not the Bluetooth SIG's (…9b34fb).
SERVICE: Final = "0000ffe5-0000-1000-8000-00805f9a34fb"
NOTIFY: Final = "0000ffe4-0000-1000-8000-00805f9a34fb"
WRITE: Final = "0000ffe9-0000-1000-8000-00805f9a34fb"

RATE_REGISTER: Final = 0x03
READ_REGISTER: Final = 0x27
BATTERY_REGISTER: Final = 0x64
KEY_REGISTER: Final = 0x69
KEY: Final = 0xB588
RATE_50_HZ: Final = 8
RATE_10_HZ: Final = 6
"""As it leaves the factory."""
_ABOVE_PERCENT: Final = (
    (396, 100), (393, 90), (387, 75), (382, 60), (379, 50), (377, 40),
    (373, 30), (370, 20), (368, 15), (350, 10), (340, 5), (0, 0),
)  # fmt: skip
"""Above so many 0.01 V the charge is so many per cent; the maker's table."""

_LAYOUT: Final = np.dtype([("head", "S2"), ("acc", "<i2", 3), ("gyr", "<i2", 3), ("angle", "<i2", 3)])


def command(register: int, value: int) -> bytes:
    """Return the command that writes `value` into a register."""
    return b"\xff\xaa" + bytes([register]) + value.to_bytes(2, "little")


UNLOCK: Final = command(KEY_REGISTER, KEY)
SET_50_HZ: Final = command(RATE_REGISTER, RATE_50_HZ)
READ_BATTERY: Final = command(READ_REGISTER, BATTERY_REGISTER)


def encode(samples: Samples) -> list[bytes]:
    """Return one frame for each sample; the angles, which Poise does not use, are zero."""
    rows = np.zeros(len(samples), _LAYOUT)
    rows["head"] = SAMPLE
    rows["acc"] = _counts(samples.acc, ACC_UNIT)
    rows["gyr"] = _counts(samples.gyr, GYR_UNIT)
    raw = rows.tobytes()
    return [raw[at : at + FRAME_BYTES] for at in range(0, len(raw), FRAME_BYTES)]


def decode(frames: Sequence[bytes]) -> Samples:
    """Turn frames of samples, oldest first, into samples without times.

    Raises:
        DecodeError: if any of them does not follow the layout.
    """
    for frame in frames:
        if len(frame) != FRAME_BYTES or not frame.startswith(SAMPLE):
            raise DecodeError(f"not a WitMotion sample: {frame.hex()}")
    rows = np.frombuffer(b"".join(frames), _LAYOUT)
    return Samples(np.zeros(len(rows), np.int64), rows["acc"] * ACC_UNIT, rows["gyr"] * GYR_UNIT)


def answer(first: int, values: Sequence[int]) -> bytes:
    """Return the answer to "read register": eight registers from `first` on."""
    return ANSWER + first.to_bytes(2, "little") + np.array(values, "<u2").tobytes()


def battery_percent(frame: bytes) -> int | None:
    """Return the charge if this frame is an answer that tells it, else None."""
    if not frame.startswith(ANSWER + BATTERY_REGISTER.to_bytes(2, "little")):
        return None
    centivolts = int.from_bytes(frame[4:6], "little", signed=True)
    return next((percent for above, percent in _ABOVE_PERCENT if centivolts > above), None)


def _counts(values: Floats, unit: float) -> Int16s:
    return np.clip(np.rint(np.nan_to_num(values / unit)), -32768, 32767).astype(np.int16)


class WitDecoder:
    """A `Decoder` that finds frames wherever notifications begin and end."""

    def __init__(self) -> None:
        """Begin a connection."""
        self._rest = b""

    def feed(self, notifications: Sequence[Notification]) -> Decoded:
        """See `Decoder`; counted is each stretch of a notification that belongs to no frame."""
        frames: list[bytes] = []
        of: list[int] = []
        damaged, percent = 0, None
        for place, (channel, value) in enumerate(notifications):
            if channel == NOTIFY:
                found, stretches = self._frames(value)
                damaged += stretches
                samples = [frame for frame in found if frame.startswith(SAMPLE)]
                frames += samples
                of += [place] * len(samples)
                for frame in found:
                    told = battery_percent(frame)
                    percent = percent if told is None else told
        return Decoded(decode(frames), np.array(of, np.int64), damaged, percent)

    def _frames(self, value: bytes) -> tuple[list[bytes], int]:
        """Cut off the frames that this notification completes, and count the stretches between them."""
        if not self._rest and len(value) == FRAME_BYTES and value[:2] in (SAMPLE, ANSWER):
            return [value], 0  # as nearly always
        stream, at, frames, damaged, lost = self._rest + value, 0, [], 0, False
        while at < len(stream):
            if _may_begin(stream, at) and len(stream) - at < FRAME_BYTES:
                break
            if _may_begin(stream, at) and _may_begin(stream, at + FRAME_BYTES):
                frames.append(stream[at : at + FRAME_BYTES])
                at, lost = at + FRAME_BYTES, False
                continue
            damaged += not lost
            lost = True
            next_at = stream.find(SAMPLE[:1], at + 1)
            at = len(stream) if next_at < 0 else next_at
        self._rest = stream[at:]
        return frames, damaged


def _may_begin(stream: bytes, at: int) -> bool:
    """Is what stands there the beginning of a frame, as far as it has arrived?"""
    head = stream[at : at + 2]
    return SAMPLE.startswith(head) or ANSWER.startswith(head)


class WitMotion(Usual):
    """A `Vendor`: the WT901BLE at 50 Hz."""

    name = "witmotion"
    label = "WitMotion WT901BLE"
    scale = SCALE
    rate_hz = float(RATE_HZ)
    timing = Timing.NONE
    wrap_us = 0
    clock_ppm = 30_000.0
    subscriptions = (NOTIFY,)
    battery_uuid = ""
    battery_request = Write(WRITE, READ_BATTERY, response=False)
    info_uuid = ""
    start = (Write(WRITE, UNLOCK, response=False), Write(WRITE, SET_50_HZ, response=False))

    def recognises(self, advertised: Advertised) -> bool:
        """See `Vendor`; names end in a number, as in WT901BLE67."""
        return advertised.name.startswith(NAME)

    def decoder(self) -> Decoder:
        """See `Vendor`."""
        return WitDecoder()

    def battery(self, value: bytes) -> tuple[int, bool]:
        """See `Vendor`: there is no characteristic for it."""
        raise DecodeError(f"a WitMotion tells its battery among its frames: {value.hex()}")

    def firmware(self, value: bytes) -> str:  # noqa: ARG002 - there is no characteristic for it
        """See `Vendor`."""
        return ""

    def peripheral(self, address: str) -> Peripheral:  # noqa: ARG002 - no value tells it
        """See `Vendor`."""
        return VirtualWit()


class VirtualWit:
    """A `Peripheral` that keeps its registers until power-down, as the WT901BLE does.

    The real one sends at any rate, 10 Hz at first; the virtual wearer moves at 50 Hz only, so this one is
    silent at every other rate. It never refuses a command: what it cannot obey, it ignores.
    """

    advertised = Advertised(NAME + "67")
    company: tuple[int, bytes] | None = None
    endpoints: tuple[Endpoint, ...] = (Endpoint(SERVICE, NOTIFY, "n"), Endpoint(SERVICE, WRITE, "wc"))

    def __init__(self) -> None:
        """Power it up."""
        self.battery_percent, self.charging = 90, False
        self._unlocked = False
        self._rate = RATE_10_HZ

    @property
    def measuring(self) -> bool:
        """It sends whenever somebody listens, once the rate is right."""
        return self._rate == RATE_50_HZ

    @measuring.setter
    def measuring(self, value: bool) -> None:
        self._rate = RATE_50_HZ if value else RATE_10_HZ

    def read(self, uuid: str) -> bytes:
        """See `Peripheral`: nothing can be read.

        Raises:
            KeyError: always.
        """
        raise KeyError(uuid)

    def write(self, uuid: str, value: bytes) -> Sequence[Notification]:
        """See `Peripheral`."""
        if uuid != WRITE or len(value) != 5 or not value.startswith(b"\xff\xaa"):
            return ()
        register, number = value[2], int.from_bytes(value[3:], "little")
        if register == READ_REGISTER:
            return (Notification(NOTIFY, answer(number, [self._register(number + i) for i in range(8)])),)
        if register == KEY_REGISTER:
            self._unlocked = number == KEY
        if register == RATE_REGISTER and self._unlocked:
            self._rate = number
        return ()

    def _register(self, number: int) -> int:
        volts = next(above + 1 for above, percent in _ABOVE_PERCENT if percent <= self.battery_percent)
        return {RATE_REGISTER: self._rate, BATTERY_REGISTER: volts}.get(number, 0)

    def send(self, samples: Samples) -> Sequence[tuple[Notification, int]]:
        """See `Peripheral`."""
        return [(Notification(NOTIFY, frame), 1) for frame in encode(samples)]

    def disconnected(self) -> None:
        """See `Peripheral`: the rate stays, the lock closes."""
        self._unlocked = False
