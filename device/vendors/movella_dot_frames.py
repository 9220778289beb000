"""The bytes of a Movella DOT in "rate quantities" mode.

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

from device.vendors.base import Samples
from poise.errors import DecodeError

RATE_HZ: Final = 60
RATE_QUANTITIES: Final = 21
NAMES: Final = ("Movella DOT", "Xsens DOT")
SAMPLE_BYTES: Final = 28
INFO_BYTES: Final = 34
CONTROL_BYTES: Final = 32
WRAP_US: Final = 1 << 32

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
    return decode_rows(b"".join(notifications))


def decode_rows(raw: bytes) -> Samples:
    """Return the samples whose 28 bytes follow each other."""
    rows = np.frombuffer(raw, _LAYOUT)
    # A float32 that is not a number stays one, and is flagged when it is quantised.
    with np.errstate(invalid="ignore"):
        acc, gyr = rows["acc"].astype(np.float64), np.radians(rows["gyr_dps"].astype(np.float64))
    return Samples(rows["tick_us"].astype(np.int64), acc, gyr)


def info(address: str, firmware: tuple[int, int, int]) -> bytes:
    """Return a device-info value: address, then firmware version; what Poise does not read is zero."""
    mac = bytes.fromhex(address.replace(":", ""))[::-1]
    return (mac + bytes(firmware)).ljust(INFO_BYTES, b"\0")
