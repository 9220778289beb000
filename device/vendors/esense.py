"""Nokia Bell Labs eSense earbud (the left one holds the motion sensor) over Bluetooth Low Energy.

Layout and commands after the maker's Android library, pervasive-systems/eSense-Android-Library,
`ESenseManager.java` and `ESenseConfig.java`; the first byte of a sample and the service's number are those
that its users' programs show. **Numbers are big-endian.** A notification is one sample of 16 bytes:

    0  55
    1  uint8    number of the sample, modulo 256
    2  uint8    checksum: the sum of all bytes behind it, modulo 256
    3  0c       bytes that follow
    4  3 int16  angular rate x, y, z
   10  3 int16  specific force x, y, z

What a count is worth depends on the ranges, which Poise sets: 1000 °/s (32.8 counts to the °/s) and 4 g
(8192 to the g). Commands and other values are a letter, a checksum, a length and that many bytes. (The
library adds low bytes with their sign, which puts half of its own readings 256 counts too low.)

Not verified on hardware: that numbers go on through a gap, whether a set range outlives the connection, and
that sampling ends with it. The maker gives no table from volts to per cent; the one here is a rough scale.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from device.vendors.base import (
    Advertised,
    Decoder,
    Endpoint,
    G,
    Notification,
    Peripheral,
    Samples,
    Timing,
    Write,
)
from device.vendors.common import FrameDecoder, Usual
from poise.errors import DecodeError
from poise.samples import Floats, Scale

RATE_HZ: Final = 50
PERIOD_US: Final = 20_000
NUMBERS: Final = 256
NAME: Final = "eSense-"
SAMPLE_BYTES: Final = 16
COUNTS_PER_G: Final = (16384.0, 8192.0, 4096.0, 2048.0)
"""By range code: 2, 4, 8, 16 g."""
COUNTS_PER_DPS: Final = (131.0, 65.5, 32.8, 16.4)
"""By range code: 250, 500, 1000, 2000 °/s."""
ACC_RANGE: Final = 1
GYR_RANGE: Final = 2
SCALE: Final = Scale(acc_nano=1_197_101, gyr_nano=532_113)
"""The sensor's own counts in these two ranges."""
_FILTER_20_HZ: Final = 4  # of both; less than half of the sampling rate, project decision
_EMPTY_MV: Final = 3400  # of a lithium cell; both are project decisions
_FULL_MV: Final = 4200

_LAYOUT: Final = np.dtype(
    [("head", "u1"), ("number", "u1"), ("sum", "u1"), ("size", "u1"), ("gyr", ">i2", 3), ("acc", ">i2", 3)]
)


def uuid(short: int) -> str:
    """Return the full UUID of one of the maker's 16-bit numbers."""
    return f"0000{short:04x}-0000-1000-8000-00805f9b34fb"


SERVICE: Final = uuid(0xFF06)
SAMPLING: Final = uuid(0xFF07)
SAMPLES: Final = uuid(0xFF08)
BATTERY: Final = uuid(0xFF0A)
CONFIG: Final = uuid(0xFF0E)


def packed(letter: int, content: bytes) -> bytes:
    """Return a command or a value: letter, checksum, length, content."""
    rest = bytes([len(content)]) + content
    return bytes([letter, sum(rest) % 256]) + rest


def unpacked(value: bytes) -> bytes:
    """Return the content of a command or a value.

    Raises:
        DecodeError: if its length or checksum is wrong.
    """
    if len(value) < 3 or value[2] != len(value) - 3 or value[1] != sum(value[2:]) % 256:
        raise DecodeError(f"not an eSense value: {value.hex()}")
    return value[3:]


def sampling(rate_hz: int) -> bytes:
    """Return the command for `SAMPLING` that starts at 1 to 100 Hz, or stops at 0."""
    return packed(0x53, bytes([rate_hz > 0, rate_hz]))


def config(acc_range: int, gyr_range: int, low_pass: int) -> bytes:
    """Return the value of `CONFIG` with ranges and the code of both low-pass filters."""
    return packed(0x59, bytes([low_pass, gyr_range << 3, acc_range << 3, low_pass]))


FACTORY_CONFIG: Final = config(1, 1, 6)
"""4 g, 500 °/s, both filters at 5 Hz."""
POISE_CONFIG: Final = config(ACC_RANGE, GYR_RANGE, _FILTER_20_HZ)


def encode(samples: Samples, acc_range: int = ACC_RANGE, gyr_range: int = GYR_RANGE) -> list[bytes]:
    """Return the notifications that a sensor would send for `samples`, one each, numbered by their ticks."""
    rows = np.zeros(len(samples), _LAYOUT)
    rows["head"], rows["size"] = 0x55, 12
    rows["number"] = samples.tick_us // PERIOD_US % NUMBERS
    rows["gyr"] = _counts(np.degrees(samples.gyr) * COUNTS_PER_DPS[gyr_range])
    rows["acc"] = _counts(samples.acc / G * COUNTS_PER_G[acc_range])
    rows["sum"] = rows.view("u1").reshape(-1, SAMPLE_BYTES)[:, 3:].sum(axis=1) % 256
    raw = rows.tobytes()
    return [raw[at : at + SAMPLE_BYTES] for at in range(0, len(raw), SAMPLE_BYTES)]


def decode(notifications: Sequence[bytes]) -> Samples:
    """Turn notifications of `SAMPLES`, oldest first, into samples; their ticks are number times period.

    Raises:
        DecodeError: if any of them does not follow the layout, or its checksum is wrong.
    """
    for raw in notifications:
        if len(raw) != SAMPLE_BYTES or raw[0] != 0x55 or raw[3] != 12 or raw[2] != sum(raw[3:]) % 256:
            raise DecodeError(f"not an eSense sample: {raw.hex()}")
    rows = np.frombuffer(b"".join(notifications), _LAYOUT)
    acc = rows["acc"] * (G / COUNTS_PER_G[ACC_RANGE])
    gyr = np.radians(rows["gyr"] / COUNTS_PER_DPS[GYR_RANGE])
    return Samples(rows["number"].astype(np.int64) * PERIOD_US, acc, gyr)


def _counts(counts: Floats) -> Floats:
    return np.clip(np.rint(np.nan_to_num(counts)), -32768, 32767)


class ESense(Usual):
    """A `Vendor`: the eSense at 50 Hz."""

    name = "esense"
    label = "eSense earbud"
    scale = SCALE
    rate_hz = float(RATE_HZ)
    timing = Timing.NUMBERED
    wrap_us = NUMBERS * PERIOD_US
    clock_ppm = 30_000.0
    subscriptions = (SAMPLES,)
    battery_uuid = BATTERY
    info_uuid = ""
    start = (Write(CONFIG, POISE_CONFIG), Write(SAMPLING, sampling(RATE_HZ)))
    stop = (Write(SAMPLING, sampling(0)),)

    def recognises(self, advertised: Advertised) -> bool:
        """See `Vendor`; names end in a number, as in eSense-0398."""
        return advertised.name.startswith(NAME)

    def decoder(self) -> Decoder:
        """See `Vendor`."""
        return FrameDecoder(SAMPLES, decode)

    def battery(self, value: bytes) -> tuple[int, bool]:
        """See `Vendor`: mV in two bytes; what may follow them is not known, so charging is not told."""
        content = unpacked(value)
        if len(content) < 2:
            raise DecodeError(f"not an eSense's voltage: {value.hex()}")
        share = (int.from_bytes(content[:2], "big") - _EMPTY_MV) / (_FULL_MV - _EMPTY_MV)
        return round(100 * min(1.0, max(0.0, share))), False

    def firmware(self, value: bytes) -> str:  # noqa: ARG002 - there is no characteristic for it
        """See `Vendor`."""
        return ""

    def peripheral(self, address: str) -> Peripheral:
        """See `Vendor`."""
        return VirtualESense(address)


class VirtualESense:
    """A `Peripheral` that measures in the ranges it was told; at any rate but 50 Hz it is silent.

    Commands with a wrong checksum are ignored, as far as is known; nothing is refused.
    """

    company: tuple[int, bytes] | None = None
    endpoints: tuple[Endpoint, ...] = (
        Endpoint(SERVICE, SAMPLING, "rw"),
        Endpoint(SERVICE, SAMPLES, "n"),
        Endpoint(SERVICE, BATTERY, "r"),
        Endpoint(SERVICE, CONFIG, "rw"),
    )

    def __init__(self, address: str) -> None:
        """Take the Bluetooth address, whose last four digits are in its name."""
        self.advertised = Advertised(NAME + address.replace(":", "")[-4:])
        self.measuring = False
        self.battery_percent, self.charging = 90, False
        self._values = {SAMPLING: sampling(0), CONFIG: FACTORY_CONFIG}

    def read(self, uuid: str) -> bytes:
        """See `Peripheral`."""
        if uuid == BATTERY:
            millivolts = _EMPTY_MV + self.battery_percent * (_FULL_MV - _EMPTY_MV) // 100
            return packed(0x0A, millivolts.to_bytes(2, "big"))
        return self._values[uuid]

    def write(self, uuid: str, value: bytes) -> Sequence[Notification]:
        """See `Peripheral`."""
        known = self._values.get(uuid)
        if known is not None and len(value) == len(known) and value[0] == known[0]:
            if packed(value[0], value[3:]) == value:
                self._values[uuid] = value
            self.measuring = self._values[SAMPLING] == sampling(RATE_HZ)
        return ()

    def send(self, samples: Samples) -> Sequence[tuple[Notification, int]]:
        """See `Peripheral`."""
        _, gyr, acc, _ = unpacked(self._values[CONFIG])
        raw = encode(samples, acc >> 3 & 3, gyr >> 3 & 3)
        return [(Notification(SAMPLES, value), 1) for value in raw]

    def disconnected(self) -> None:
        """See `Peripheral`."""
        self.measuring = False
        self._values[SAMPLING] = sampling(0)
