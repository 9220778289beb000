"""What many makers' sensors have in common: one sample a notification, and the SIG's own services."""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from device.vendors.base import Decoded, Notification, Samples, Write
from poise.errors import DecodeError

BATTERY_SERVICE: Final = "0000180f-0000-1000-8000-00805f9b34fb"
BATTERY_LEVEL: Final = "00002a19-0000-1000-8000-00805f9b34fb"
INFORMATION_SERVICE: Final = "0000180a-0000-1000-8000-00805f9b34fb"
FIRMWARE_REVISION: Final = "00002a26-0000-1000-8000-00805f9b34fb"


class FrameDecoder:
    """A `Decoder` for sensors that send each sample in a notification of its own, all of one layout."""

    def __init__(self, uuid: str, decode: Callable[[Sequence[bytes]], Samples]) -> None:
        """Take the characteristic, and the function that reads whole batches or raises `DecodeError`."""
        self._uuid, self._decode = uuid, decode

    def feed(self, notifications: Sequence[Notification]) -> Decoded:
        """See `Decoder`; one damaged notification does not cost its neighbours."""
        at = [i for i, n in enumerate(notifications) if n.uuid == self._uuid]
        values = [notifications[i].value for i in at]
        try:
            return Decoded(self._decode(values), np.array(at, np.int64))
        except DecodeError:
            good = [i for i, value in zip(at, values, strict=True) if self._reads(value)]
            samples = self._decode([notifications[i].value for i in good])
            return Decoded(samples, np.array(good, np.int64), damaged=len(at) - len(good))

    def _reads(self, value: bytes) -> bool:
        try:
            self._decode([value])
        except DecodeError:
            return False
        return True


def battery_level(value: bytes) -> tuple[int, bool]:
    """Read the Bluetooth SIG's Battery Level: one byte, per cent; whether it charges is not told.

    Raises:
        DecodeError: if it is not one.
    """
    if len(value) != 1 or value[0] > 100:
        raise DecodeError(f"not a battery level: {value.hex()}")
    return value[0], False


def firmware_revision(value: bytes) -> str:
    """Read the Bluetooth SIG's Firmware Revision String."""
    return value.rstrip(b"\0").decode("utf-8", "replace").strip()


class Usual:
    """A maker's class may begin with this: battery and firmware as the SIG has them, nothing else."""

    battery_uuid: str = BATTERY_LEVEL
    battery_request: Write | None = None
    info_uuid: str = FIRMWARE_REVISION
    resume: tuple[Write, ...] | None = None
    stop: tuple[Write, ...] = ()
    blink: tuple[Write, ...] = ()
    buzz: tuple[Write, ...] = ()

    def battery(self, value: bytes) -> tuple[int, bool]:
        """See `Vendor`."""
        return battery_level(value)

    def firmware(self, value: bytes) -> str:
        """See `Vendor`."""
        return firmware_revision(value)
