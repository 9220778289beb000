"""Nordic Thingy:52 over Bluetooth Low Energy.

Layout after the maker's repository NordicSemiconductor/Nordic-Thingy52-FW, firmware 2.2.0: `source/doc/dox/
02_firmware_architecture.dox` (services), `source/ble_services/ble_tms.c` and `ble_uis.c` (what is refused),
`source/modules/m_motion.c` (units and limits). All numbers are little-endian. A notification of the raw
characteristic is one sample of 18 bytes, without time, number or checksum:

    0  3 int16  acceleration x, y, z, 1/1024 g
    6  3 int16  angular rate x, y, z, 1/32 °/s, held within -1024 and 1023
   12  3 int16  magnetic flux density, 1/16 µT: not used

The firmware's driver (`source/drivers/drv_motion.c`) turns the accelerometer's axes round, and not the
gyroscope's, so that an axis reads positive when it points *down*: the negative of specific force. It is
turned back here. Not verified on hardware; nor is that the accelerometer ends at 2 g, its library's default.

The motion configuration goes into the sensor's flash whenever it is written, so the 50 Hz remain until
somebody sets another rate; the four values that are written with it are the firmware's own defaults. Its
limits are those of the source; the document's are narrower. It measures while somebody is subscribed.
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
from device.vendors.common import BATTERY_LEVEL, BATTERY_SERVICE, FrameDecoder, Usual, battery_level
from poise.errors import DecodeError
from poise.samples import Floats, Scale

RATE_HZ: Final = 50
"""A quarter of the 200 Hz at which the motion chip's processor works."""
NAME: Final = "Thingy"
SAMPLE_BYTES: Final = 18
ACC_UNIT: Final = G / 1024
GYR_UNIT: Final = float(np.radians(1 / 32))
SCALE: Final = Scale(acc_nano=9_576_807, gyr_nano=545_415)
"""The sensor's own counts: 32 g and 1024 °/s over 32 768."""
FIRMWARE: Final = (2, 2, 0)
_GYR_COUNTS: Final = (-32768, 1023 * 32)

_LAYOUT: Final = np.dtype([("acc", "<i2", 3), ("gyr", "<i2", 3), ("mag", "<i2", 3)])


def uuid(short: int) -> str:
    """Return the full UUID of one of the maker's 16-bit numbers."""
    return f"ef68{short:04x}-9b35-4933-9b10-52ffa9740042"


CONFIGURATION_SERVICE: Final = uuid(0x0100)
FIRMWARE_VERSION: Final = uuid(0x0107)
INTERFACE_SERVICE: Final = uuid(0x0300)
LED: Final = uuid(0x0301)
MOTION_SERVICE: Final = uuid(0x0400)
MOTION_CONFIG: Final = uuid(0x0401)
RAW: Final = uuid(0x0406)

_CONFIG: Final = np.dtype(
    [("steps_ms", "<u2"), ("temp_ms", "<u2"), ("mag_ms", "<u2"), ("hz", "<u2"), ("wake", "u1")]
)
_CONFIG_LEAST: Final = (100, 100, 100, 1, 0)
_CONFIG_MOST: Final = (5000, 5000, 5000, 200, 1)
_LED_MODE_BYTES: Final = (1, 4, 5, 3)
_BREATHE: Final = 2
_ONE_SHOT: Final = 3


def motion_config(rate_hz: int) -> bytes:
    """Return the value for `MOTION_CONFIG` that sets the rate; all else is as the firmware begins."""
    return np.array([(1000, 500, 500, rate_hz, 1)], _CONFIG).tobytes()


def led_one_shot(colour: int, per_cent: int) -> bytes:
    """Return the value for `LED` that lets it shine up once; colour 1 is red, 2 green, 4 blue, and sums."""
    return bytes([_ONE_SHOT, colour, per_cent])


BLINK: Final = led_one_shot(7, 100)
_CYAN_BREATHING: Final = bytes([_BREATHE, 6, 20]) + (3500).to_bytes(2, "little")


def encode(samples: Samples) -> list[bytes]:
    """Return the notifications that a sensor would send for `samples`, one each; the magnetometer reads 0."""
    rows = np.zeros(len(samples), _LAYOUT)
    rows["acc"] = _counts(-samples.acc / ACC_UNIT, -32768, 31 * 1024)
    rows["gyr"] = _counts(samples.gyr / GYR_UNIT, *_GYR_COUNTS)
    raw = rows.tobytes()
    return [raw[at : at + SAMPLE_BYTES] for at in range(0, len(raw), SAMPLE_BYTES)]


def decode(notifications: Sequence[bytes]) -> Samples:
    """Turn notifications of `RAW`, oldest first, into samples without times.

    Raises:
        DecodeError: if any of them has another length.
    """
    for raw in notifications:
        if len(raw) != SAMPLE_BYTES:
            raise DecodeError(f"a Thingy's raw sample has {SAMPLE_BYTES} bytes, not {len(raw)}")
    rows = np.frombuffer(b"".join(notifications), _LAYOUT)
    acc = rows["acc"].astype(np.float64) * -ACC_UNIT
    return Samples(np.zeros(len(rows), np.int64), acc, rows["gyr"] * GYR_UNIT)


def _counts(counts: Floats, least: int, most: int) -> Floats:
    return np.clip(np.rint(np.nan_to_num(counts)), least, most)


class Thingy52(Usual):
    """A `Vendor`: the Thingy:52's raw motion data at 50 Hz."""

    name = "thingy52"
    label = "Nordic Thingy:52"
    scale = SCALE
    rate_hz = float(RATE_HZ)
    timing = Timing.NONE
    wrap_us = 0
    clock_ppm = 30_000.0
    subscriptions = (RAW,)
    info_uuid = FIRMWARE_VERSION
    start = (Write(MOTION_CONFIG, motion_config(RATE_HZ)),)
    blink = (Write(LED, BLINK),)
    battery = staticmethod(battery_level)

    def recognises(self, advertised: Advertised) -> bool:
        """See `Vendor`; owners may have changed the name, never the service."""
        return advertised.name == NAME or CONFIGURATION_SERVICE in advertised.services

    def decoder(self) -> Decoder:
        """See `Vendor`."""
        return FrameDecoder(RAW, decode)

    def firmware(self, value: bytes) -> str:
        """See `Vendor`: three bytes."""
        return ".".join(str(part) for part in value) if len(value) == 3 else ""

    def peripheral(self, address: str) -> Peripheral:  # noqa: ARG002 - no value tells it
        """See `Vendor`."""
        return VirtualThingy()


class VirtualThingy:
    """A `Peripheral` that refuses what the firmware refuses, and keeps its configuration as in flash.

    The real one sends at any rate, 10 Hz at first; the virtual wearer moves at 50 Hz only, so this one is
    silent at every other rate.
    """

    advertised = Advertised(NAME)
    company: tuple[int, bytes] | None = None
    endpoints: tuple[Endpoint, ...] = (
        Endpoint(CONFIGURATION_SERVICE, FIRMWARE_VERSION, "r"),
        Endpoint(INTERFACE_SERVICE, LED, "rw"),
        Endpoint(MOTION_SERVICE, MOTION_CONFIG, "rw"),
        Endpoint(MOTION_SERVICE, RAW, "n"),
        Endpoint(BATTERY_SERVICE, BATTERY_LEVEL, "rn"),
    )

    def __init__(self) -> None:
        """Switch it on for the first time."""
        self.measuring = False
        self.battery_percent, self.charging = 90, False
        self._values = {
            FIRMWARE_VERSION: bytes(FIRMWARE),
            LED: _CYAN_BREATHING,
            MOTION_CONFIG: motion_config(10),
        }

    def read(self, uuid: str) -> bytes:
        """See `Peripheral`."""
        return bytes([self.battery_percent]) if uuid == BATTERY_LEVEL else self._values[uuid]

    def write(self, uuid: str, value: bytes) -> Sequence[Notification]:
        """See `Peripheral`."""
        allowed = {MOTION_CONFIG: _allows_config, LED: _allows_led}.get(uuid)
        if allowed is not None:
            if not allowed(value):
                raise DecodeError(f"the Thingy refuses {value.hex()}")
            self._values[uuid] = value
        self.measuring = self._values[MOTION_CONFIG][6] == RATE_HZ
        return ()

    def send(self, samples: Samples) -> Sequence[tuple[Notification, int]]:
        """See `Peripheral`."""
        return [(Notification(RAW, value), 1) for value in encode(samples)]

    def disconnected(self) -> None:
        """See `Peripheral`: the light returns to its own, the rate stays."""
        self._values[LED] = _CYAN_BREATHING


def _allows_config(value: bytes) -> bool:
    if len(value) != _CONFIG.itemsize:
        return False
    given = np.frombuffer(value, _CONFIG)[0].tolist()
    return all(a <= b <= c for a, b, c in zip(_CONFIG_LEAST, given, _CONFIG_MOST, strict=True))


def _allows_led(value: bytes) -> bool:
    if not value or value[0] >= len(_LED_MODE_BYTES) or len(value) != _LED_MODE_BYTES[value[0]]:
        return False
    if value[0] < _BREATHE:
        return True
    delay_ms = int.from_bytes(value[3:], "little")
    return 1 <= value[1] <= 7 and 1 <= value[2] <= 100 and (value[0] == _ONE_SHOT or 1 <= delay_ms <= 10_000)
