"""The control point of Polar's measurement service (PMD): settings, commands and answers.

After the SDK (github.com/polarofficial/polar-ble-sdk, commit 8fb5311 and before: `BlePMDClient`,
`PmdSetting`, `PmdControlPointResponse`) and what people saw on the wire (its issues 226, 331, 360, 443). A
command is

    0  uint8  1 tell settings, 2 start, 3 stop
    1  uint8  measurement
    2         start only: settings, each uint8 kind, uint8 how many, that many values

and the answer, an indication, is 0xf0, command, measurement, status, and on success uint8 whether more
follows, then settings. The answer to a start may tell a factor (kind 5, float32) for what is compressed.
"""

import struct
from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Final

import numpy as np

from poise.errors import DecodeError

SERVICE: Final = "fb005c80-02e7-f387-1cad-8acd2d8df0c8"
CONTROL: Final = "fb005c81-02e7-f387-1cad-8acd2d8df0c8"
DATA: Final = "fb005c82-02e7-f387-1cad-8acd2d8df0c8"

TELL, START, STOP = 1, 2, 3
ANSWER: Final = 0xF0
STOPPED_ITSELF: Final = 0x01
"""First byte of the notice that the sensor ended measurements, which follow."""
RATE, RESOLUTION, RANGE, CHANNELS, FACTOR = 0, 1, 2, 4, 5
_RANGE_MILLI: Final = 3
_WIDTHS: Final = {RATE: 2, RESOLUTION: 2, RANGE: 2, _RANGE_MILLI: 4, CHANNELS: 1, FACTOR: 4}

Settings = Mapping[int, Sequence[int]]


class Status(IntEnum):
    """What the control point answers, as far as Poise's commands can bring it about."""

    SUCCESS = 0
    INVALID_COMMAND = 1
    INVALID_MEASUREMENT = 2
    NOT_SUPPORTED = 3
    INVALID_LENGTH = 4
    INVALID_PARAMETER = 5
    ALREADY_IN_STATE = 6
    INVALID_RESOLUTION = 7
    INVALID_RATE = 8
    INVALID_RANGE = 9
    INVALID_CHANNELS = 11


WRONG: Final = {
    RATE: Status.INVALID_RATE,
    RESOLUTION: Status.INVALID_RESOLUTION,
    RANGE: Status.INVALID_RANGE,
    CHANNELS: Status.INVALID_CHANNELS,
}
"""The status for a setting that is not offered."""


def pack(settings: Settings) -> bytes:
    """Write settings as the control point has them."""
    return b"".join(
        bytes([kind, len(values)]) + b"".join(v.to_bytes(_WIDTHS[kind], "little") for v in values)
        for kind, values in settings.items()
    )


def unpack(raw: bytes) -> dict[int, list[int]]:
    """Read settings.

    Raises:
        DecodeError: if they are cut off or of an unknown kind.
    """
    settings: dict[int, list[int]] = {}
    at = 0
    while at < len(raw):
        width, many = _WIDTHS.get(raw[at], 0), raw[at + 1] if at + 1 < len(raw) else 0
        end = at + 2 + width * many
        if not width or not many or end > len(raw):
            raise DecodeError(f"not settings: {raw.hex()}")
        settings[raw[at]] = [int.from_bytes(raw[i : i + width], "little") for i in range(at + 2, end, width)]
        at = end
    return settings


def start(measurement: int, settings: Settings) -> bytes:
    """Return the command that starts a measurement."""
    return bytes([START, measurement]) + pack(settings)


def stop(measurement: int) -> bytes:
    """Return the command that stops a measurement."""
    return bytes([STOP, measurement])


def answer(command: int, measurement: int, status: Status, settings: Settings | None = None) -> bytes:
    """Return what the control point answers."""
    head = bytes([ANSWER, command, measurement, status])
    return head + b"\0" + pack(settings or {}) if status == Status.SUCCESS else head


def bits_of(factor: float) -> int:
    """Return a factor as the settings hold it: the bits of a float32."""
    return int.from_bytes(struct.pack("<f", factor), "little")


def factor_in(raw: bytes) -> float:
    """Return the factor among the settings that answer a start; 1.0 without one, as in the SDK.

    Raises:
        DecodeError: if they are not settings, or the factor cannot be one.
    """
    told = unpack(raw).get(FACTOR)
    if told is None:
        return 1.0
    (factor,) = struct.unpack("<f", told[0].to_bytes(4, "little"))
    if not np.isfinite(factor) or factor <= 0:
        raise DecodeError(f"{factor} is no factor")
    return float(factor)
