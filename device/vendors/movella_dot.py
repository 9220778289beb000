"""Movella DOT (formerly Xsens DOT) over Bluetooth, in "rate quantities" mode.

Layout after the maker's document "Movella DOT BLE Services Specifications", XD0506P revision C, July 2023.
All numbers are little-endian; the bit and the offset of the output rate are in its table 7. A notification
of the medium payload in mode 21 is one sample of 28 bytes:

    0  uint32     µs of the sensor's clock, wraps after 71.6 min
    4  3 float32  specific force x, y, z, m/s²
   16  3 float32  angular rate x, y, z, °/s
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from device.vendors.base import (
    Advertised,
    Decoder,
    Endpoint,
    Notification,
    Peripheral,
    Samples,
    Timing,
    Write,
)
from device.vendors.common import FrameDecoder, Usual
from poise.errors import DecodeError
from poise.samples import Scale

RATE_HZ: Final = 60
RATE_QUANTITIES: Final = 21
NAMES: Final = ("Movella DOT", "Xsens DOT")
COMPANY: Final = 0x0886
SAMPLE_BYTES: Final = 28
INFO_BYTES: Final = 34
CONTROL_BYTES: Final = 32
WRAP_US: Final = 1 << 32
SCALE: Final = Scale(acc_nano=4_788_403, gyr_nano=1_065_264)
"""16 g and 2000 °/s, the sensor's ranges, over 32 768 counts."""
FIRMWARE: Final = (3, 0, 0)

_LAYOUT: Final = np.dtype([("tick_us", "<u4"), ("acc", "<f4", 3), ("gyr_dps", "<f4", 3)])


def uuid(short: int) -> str:
    """Return the full UUID of one of the maker's 16-bit numbers."""
    return f"1517{short:04x}-4947-11e9-8646-d663bd873d93"


CONFIGURATION_SERVICE: Final = uuid(0x1000)
DEVICE_INFO: Final = uuid(0x1001)
DEVICE_CONTROL: Final = uuid(0x1002)
MEASUREMENT_SERVICE: Final = uuid(0x2000)
MEASUREMENT_CONTROL: Final = uuid(0x2001)
MEDIUM_PAYLOAD: Final = uuid(0x2003)
BATTERY_SERVICE: Final = uuid(0x3000)
BATTERY: Final = uuid(0x3001)

START: Final = bytes([1, 1, RATE_QUANTITIES])
STOP: Final = bytes([1, 0, RATE_QUANTITIES])
_IDENTIFY: Final = 0x01
_SET_OUTPUT_RATE: Final = 0x10
_OUTPUT_RATE_AT: Final = 24


def control_for_rate(rate_hz: int) -> bytes:
    """Return the value for `DEVICE_CONTROL` that sets the output rate and leaves everything else."""
    value = bytearray(CONTROL_BYTES)
    value[0] = _SET_OUTPUT_RATE
    value[_OUTPUT_RATE_AT : _OUTPUT_RATE_AT + 2] = rate_hz.to_bytes(2, "little")
    return bytes(value)


def control_to_identify() -> bytes:
    """Return the value for `DEVICE_CONTROL` that makes the sensor's light show which one it is."""
    return bytes([_IDENTIFY, 1]).ljust(CONTROL_BYTES, b"\0")


def encode(samples: Samples) -> list[bytes]:
    """Return the notifications that a sensor would send for `samples`, one each, 28 bytes."""
    rows = np.zeros(len(samples), _LAYOUT)
    rows["tick_us"] = samples.tick_us % WRAP_US
    rows["acc"] = samples.acc
    rows["gyr_dps"] = np.degrees(samples.gyr)
    raw = rows.tobytes()
    return [raw[at : at + SAMPLE_BYTES] for at in range(0, len(raw), SAMPLE_BYTES)]


def decode(notifications: Sequence[bytes]) -> Samples:
    """Turn notifications of the medium payload, oldest first, into samples.

    Raises:
        DecodeError: if any of them does not follow the layout.
    """
    for raw in notifications:
        if len(raw) != SAMPLE_BYTES:
            raise DecodeError(f"a DOT sample has {SAMPLE_BYTES} bytes, not {len(raw)}")
    rows = np.frombuffer(b"".join(notifications), _LAYOUT)
    # A float32 that is not a number stays one, and is flagged when it is quantised.
    with np.errstate(invalid="ignore"):
        acc, gyr = rows["acc"].astype(np.float64), np.radians(rows["gyr_dps"].astype(np.float64))
    return Samples(rows["tick_us"].astype(np.int64), acc, gyr)


def info(address: str, firmware: tuple[int, int, int]) -> bytes:
    """Return a device-info value: address, then firmware version; what Poise does not read is zero."""
    mac = bytes.fromhex(address.replace(":", ""))[::-1]
    return (mac + bytes(firmware)).ljust(INFO_BYTES, b"\0")


class MovellaDot(Usual):
    """A `Vendor`: the DOT at 60 Hz with accelerations and angular rates."""

    name = "movella_dot"
    label = "Movella DOT (Xsens DOT)"
    scale = SCALE
    rate_hz = float(RATE_HZ)
    timing = Timing.STAMPED
    wrap_us = WRAP_US
    clock_ppm = 200.0
    subscriptions = (MEDIUM_PAYLOAD,)
    battery_uuid = BATTERY
    info_uuid = DEVICE_INFO
    start = (Write(DEVICE_CONTROL, control_for_rate(RATE_HZ)), Write(MEASUREMENT_CONTROL, START))
    stop = (Write(MEASUREMENT_CONTROL, STOP),)
    blink = (Write(DEVICE_CONTROL, control_to_identify()),)

    def recognises(self, advertised: Advertised) -> bool:
        """See `Vendor`; wearers may have given the sensor a tag behind its name."""
        return advertised.name.startswith(NAMES)

    def decoder(self) -> Decoder:
        """See `Vendor`."""
        return FrameDecoder(MEDIUM_PAYLOAD, decode)

    def battery(self, value: bytes) -> tuple[int, bool]:
        """See `Vendor`: level in per cent, then 1 while charging."""
        if len(value) != 2 or value[0] > 100 or value[1] > 1:
            raise DecodeError(f"not a DOT's battery state: {value.hex()}")
        return value[0], value[1] == 1

    def firmware(self, value: bytes) -> str:
        """See `Vendor`: three bytes behind the six of the address."""
        return ".".join(str(part) for part in value[6:9]) if len(value) >= 9 else ""

    def peripheral(self, address: str) -> Peripheral:
        """See `Vendor`."""
        return VirtualDot(address)


class VirtualDot:
    """A `Peripheral` that answers as a DOT does; it measures at 60 Hz whatever rate it is told."""

    advertised = Advertised(NAMES[0])
    company = (COMPANY, b"")
    endpoints = (
        Endpoint(CONFIGURATION_SERVICE, DEVICE_INFO, "r"),
        Endpoint(CONFIGURATION_SERVICE, DEVICE_CONTROL, "rw"),
        Endpoint(MEASUREMENT_SERVICE, MEASUREMENT_CONTROL, "rw"),
        Endpoint(MEASUREMENT_SERVICE, MEDIUM_PAYLOAD, "n"),
        Endpoint(BATTERY_SERVICE, BATTERY, "rn"),
    )

    def __init__(self, address: str) -> None:
        """Take the Bluetooth address, which its device info tells."""
        self.measuring = False
        self.battery_percent, self.charging = 90, False
        self._info = info(address, FIRMWARE)

    def read(self, uuid: str) -> bytes:
        """See `Peripheral`."""
        values = {
            DEVICE_INFO: self._info,
            DEVICE_CONTROL: control_for_rate(RATE_HZ),
            MEASUREMENT_CONTROL: START if self.measuring else STOP,
            BATTERY: bytes([self.battery_percent, self.charging]),
        }
        return values[uuid]

    def write(self, uuid: str, value: bytes) -> Sequence[Notification]:
        """See `Peripheral`."""
        if uuid == MEASUREMENT_CONTROL:
            if len(value) != len(START):
                raise DecodeError(f"the measurement control takes {len(START)} bytes")
            if value in (START, STOP):
                self.measuring = value == START
        return ()

    def send(self, samples: Samples) -> Sequence[tuple[Notification, int]]:
        """See `Peripheral`."""
        return [(Notification(MEDIUM_PAYLOAD, value), 1) for value in encode(samples)]

    def disconnected(self) -> None:
        """See `Peripheral`."""
        self.measuring = False
