"""Movella DOT (formerly Xsens DOT) over Bluetooth, in "rate quantities" mode (bytes: `movella_dot_frames`).

It streams or it records into its own memory (`movella_dot_memory`), never both at once.
"""

from typing import Final

from device.vendors import movella_dot_memory as memory
from device.vendors.base import Advertised, Decoder, Peripheral, Timing, Write
from device.vendors.common import FrameDecoder, Usual
from device.vendors.movella_dot_frames import (
    BATTERY,
    DEVICE_CONTROL,
    DEVICE_INFO,
    MEASUREMENT_CONTROL,
    MEDIUM_PAYLOAD,
    NAMES,
    RATE_HZ,
    START,
    STOP,
    WRAP_US,
    control_for_rate,
    control_to_identify,
    decode,
)
from device.vendors.movella_dot_virtual import VirtualDot
from poise.errors import DecodeError
from poise.samples import Scale

SCALE: Final = Scale(acc_nano=4_788_403, gyr_nano=1_065_264)
"""16 g and 2000 °/s, the sensor's ranges, over 32 768 counts."""


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
    ask_recording = memory.ask_state()
    recording_uuid = memory.ACKNOWLEDGE
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

    def is_recording(self, value: bytes) -> bool:
        """See `MayRecord`."""
        try:
            return memory.read_acknowledge(value).result == memory.Result.RECORDING
        except DecodeError:
            return False

    def peripheral(self, address: str) -> Peripheral:
        """See `Vendor`."""
        return VirtualDot(address)
