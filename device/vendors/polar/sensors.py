"""The two `Vendor`s."""

from typing import Final

from device.vendors.base import Advertised, Decoder, Peripheral, Timing, Write
from device.vendors.common import Usual
from device.vendors.polar import control, virtual
from device.vendors.polar.control import CHANNELS, CONTROL, DATA, RANGE, RATE, RESOLUTION
from device.vendors.polar.decoder import PolarDecoder
from device.vendors.polar.frames import ACC, GYRO
from poise.samples import Scale

SCALE: Final = Scale(acc_nano=2_394_202, gyr_nano=1_065_264)
"""8 g and 2000 °/s over 32 768 counts."""


class _Polar(Usual):
    """What both sensors have in common."""

    scale = SCALE
    timing = Timing.STAMPED
    wrap_us = 0
    clock_ppm = 200.0
    subscriptions = (CONTROL, DATA)


class PolarVeritySense(_Polar):
    """A `Vendor`: the Verity Sense with accelerations and angular rates at 52 Hz."""

    name = "polar_verity_sense"
    label = "Polar Verity Sense"
    rate_hz = 52.0
    start = (
        Write(CONTROL, control.start(ACC, {RATE: [52], RESOLUTION: [16], RANGE: [8], CHANNELS: [3]})),
        Write(CONTROL, control.start(GYRO, {RATE: [52], RESOLUTION: [16], RANGE: [2000], CHANNELS: [3]})),
    )
    resume = None
    stop = (Write(CONTROL, control.stop(ACC)), Write(CONTROL, control.stop(GYRO)))

    def recognises(self, advertised: Advertised) -> bool:
        """See `Vendor`; a number follows the name."""
        return advertised.name.startswith(("Polar Sense", "Polar Verity Sense"))

    def decoder(self) -> Decoder:
        """See `Vendor`."""
        return PolarDecoder(52, gyro=True)

    def peripheral(self, address: str) -> Peripheral:
        """See `Vendor`."""
        return virtual.VirtualPolar(virtual.VERITY_SENSE, address)


class PolarH10(_Polar):
    """A `Vendor`: the chest strap H10 with accelerations at 50 Hz; it measures no angular rates."""

    name = "polar_h10"
    label = "Polar H10"
    rate_hz = 50.0
    start = (Write(CONTROL, control.start(ACC, {RATE: [50], RESOLUTION: [16], RANGE: [8]})),)
    resume = None
    stop = (Write(CONTROL, control.stop(ACC)),)

    def recognises(self, advertised: Advertised) -> bool:
        """See `Vendor`; a number follows the name."""
        return advertised.name.startswith("Polar H10")

    def decoder(self) -> Decoder:
        """See `Vendor`."""
        return PolarDecoder(50, gyro=False)

    def peripheral(self, address: str) -> Peripheral:
        """See `Vendor`."""
        return virtual.VirtualPolar(virtual.H10, address)
