"""Capture2Go by SensorStim over Bluetooth: 50 Hz of the calibrated accelerometer and gyroscope.

After the maker's document `protocol/Capture2Go_Communication_Protocol.md` in sensorstim/capture2go_sdk; the
bytes are in `capture2go_frames`. Not verified on hardware. The sensor stamps every sample with ns of its
clock, which counts from anywhere until somebody sets it; Poise does not. It takes its own estimate of the
gyroscope's bias off, as the maker recommends.

Of three ways to get samples Poise uses "streaming": all go through a buffer on the sensor, first in, first
out, so they are evenly spaced and none is left out. The sensor stays in this state when the link is lost,
and what is in the buffer comes first when it is back; how much the buffer holds is not documented. The
"real-time" way sends whatever sample is newest whenever the radio is free, at most 50 a second and
unevenly, and can go together with a recording on the sensor, see `capture2go_memory`. One sample a frame is
chosen over eight a frame: each has its own stamp and none waits for its neighbours.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from device.vendors import capture2go_memory as memory
from device.vendors.base import Advertised, Decoded, Decoder, Notification, Peripheral, Timing, Write
from device.vendors.capture2go_frames import KNOWN, LAYOUTS, SERVICE, TX, Frame, Kind, Unpacker, decode
from device.vendors.capture2go_virtual import VirtualCapture2Go
from device.vendors.common import Usual
from poise.errors import DecodeError
from poise.samples import Scale

RATE_HZ: Final = 50
SCALE: Final = Scale(acc_nano=4_790_039, gyr_nano=1_065_264)
"""16 times 9.81 m/s² and 2000 °/s over 32 768 counts, as on the radio."""
_LED_NS: Final = 3_000_000_000
_LED: Final = bytes(8) + _LED_NS.to_bytes(8, "little") + b"\x01"  # from now on, for so long
STREAMED: Final = frozenset(LAYOUTS) - {Kind.FIXED_REAL_TIME}
LIVE: Final = frozenset({int(Kind.FIXED_REAL_TIME)})


class _Decoder:
    """A `Decoder` of frames that may span notifications."""

    def __init__(self, wanted: frozenset[int]) -> None:
        self._wanted = wanted
        self._unpacker = Unpacker()

    def feed(self, notifications: Sequence[Notification]) -> Decoded:
        """See `Decoder`; frames that the document does not name are damaged ones."""
        before, unread = self._unpacker.damaged, 0
        frames: list[Frame] = []
        of: list[int] = []
        status: memory.Status | None = None
        for i, (uuid, value) in enumerate(notifications):
            for found in self._unpacker.feed(value) if uuid == TX else ():
                try:
                    if found.kind == Kind.STATUS:
                        status = memory.read_status(found.payload)
                    elif self._is_wanted(found):
                        frames.append(found)
                        of += [i] * LAYOUTS[found.kind].n
                except DecodeError:
                    unread += 1
        charge, charging = (status.battery_percent, status.charging) if status else (None, None)
        damaged = self._unpacker.damaged - before + unread
        return Decoded(decode(frames), np.array(of, np.int64), damaged, charge, charging)

    def _is_wanted(self, found: Frame) -> bool:
        if found.kind not in KNOWN:
            raise DecodeError(f"no frame of a Capture2Go is {found.kind:#06x}")
        if found.kind in LAYOUTS and len(found.payload) != LAYOUTS[found.kind].dtype.itemsize:
            raise DecodeError(f"no Capture2Go frame {found.kind:#06x} has {len(found.payload)} bytes")
        return found.kind in self._wanted


class Capture2Go(Usual):
    """A `Vendor`: the sensor at 50 Hz without its magnetometer."""

    name = "capture2go"
    label = "Capture2Go"
    scale = SCALE
    rate_hz = float(RATE_HZ)
    timing = Timing.STAMPED
    wrap_us = 0
    clock_ppm = 200.0
    subscriptions = (TX,)
    battery_uuid = ""
    battery_request: Write | None = memory.ask_status()
    info_uuid = ""
    resume: tuple[Write, ...] | None = (memory.ask_status(),)
    """Nothing else: what was streamed meanwhile waits in its buffer, and `start` would clear it."""
    blink = (memory.command(Kind.SET_LED, _LED),)

    def __init__(self, *, recording: str = "") -> None:
        """Take the name of a new file on the sensor to record into meanwhile; "" for streaming without."""
        self._wanted = LIVE if recording else STREAMED
        self.start: tuple[Write, ...] = memory.begin(recording) if recording else _stream()
        self.stop: tuple[Write, ...] = memory.end() if recording else (memory.command(Kind.STOP_STREAMING),)

    def recognises(self, advertised: Advertised) -> bool:
        """See `Vendor`; its name, IMU_ and its number, could be anybody's."""
        return SERVICE in advertised.services

    def decoder(self) -> Decoder:
        """See `Vendor`."""
        return _Decoder(self._wanted)

    def battery(self, value: bytes) -> tuple[int, bool]:
        """See `Vendor`: it is told among the notifications; this reads the payload of a status."""
        status = memory.read_status(value)
        return status.battery_percent, status.charging

    def firmware(self, value: bytes) -> str:  # noqa: ARG002 - it is not in a characteristic
        """See `Vendor`."""
        return ""

    def peripheral(self, address: str) -> Peripheral:
        """See `Vendor`."""
        return VirtualCapture2Go(address)


def _stream() -> tuple[Write, ...]:
    """Return the commands that stream, whatever the sensor did before; it refuses what is not needed."""
    return (
        memory.command(Kind.STOP_RECORDING),
        memory.command(Kind.STOP_REAL_TIME),
        memory.command(Kind.STOP_STREAMING_AND_CLEAR),
        memory.command(Kind.SET_MEASUREMENT, memory.measurement(fixed=memory.MODE_50_HZ)),
        memory.command(Kind.START_STREAMING),
    )
