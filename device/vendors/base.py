"""The words that every maker's file needs: what a sensor sends, what it is told, and what it is like.

Pure: no input or output, no clock. `device.bluetooth.ble` moves the bytes, `device.stream.track` gives
samples their times.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple, Protocol, runtime_checkable

import numpy as np

from poise.samples import Floats, Int64s, Scale

G: Final = 9.80665
"""m/s², standard gravity."""


class Timing(Enum):
    """What a sensor says about when a sample was taken."""

    STAMPED = "stamped"
    """Samples carry the sensor's own clock: what is missing is known to the sample."""
    NUMBERED = "numbered"
    """Samples carry a number only; their ticks are number times nominal period."""
    NONE = "none"
    """Neither: times come from arrivals, and what is missing is an estimate."""


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Samples as a sensor sent them, in SI units.

    Attributes:
        tick_us: (n,) int64, µs of the sensor's own clock modulo the vendor's `wrap_us`; zeros where
            `Timing.NONE`.
        acc: (n, 3) float64, specific force in the sensor frame S, m/s².
        gyr: (n, 3) float64, angular rate in S, rad/s; NaN where the sensor did not give one.
    """

    tick_us: Int64s
    acc: Floats
    gyr: Floats

    def __len__(self) -> int:
        return len(self.tick_us)


def no_samples() -> Samples:
    """Return zero samples."""
    return Samples(np.zeros(0, np.int64), np.zeros((0, 3)), np.zeros((0, 3)))


@dataclass(frozen=True, slots=True)
class Write:
    """A command to a sensor.

    Attributes:
        uuid: the characteristic to write.
        value: the bytes.
        response: ask for an answer; some makers' characteristics have none.
    """

    uuid: str
    value: bytes
    response: bool = True


class Notification(NamedTuple):
    """What a sensor sent by itself: from which characteristic, and the bytes."""

    uuid: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Advertised:
    """What a sensor tells everybody around.

    Attributes:
        name: local name, "" without one.
        services: UUIDs of 128 bits in lower case.
    """

    name: str
    services: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """What could be read of a stretch of notifications.

    Attributes:
        samples: n of them, oldest first.
        of: (n,) int64, which of the notifications completed each sample; never falls.
        damaged: notifications, or frames within them, that do not follow the layout.
        battery_percent: charge, if it was told among them.
        charging: whether it was charging then, if that was told.
    """

    samples: Samples
    of: Int64s
    damaged: int = 0
    battery_percent: int | None = None
    charging: bool | None = None


class Decoder(Protocol):
    """Reads one connection's notifications; it may keep what is not complete yet."""

    def feed(self, notifications: Sequence[Notification]) -> Decoded:
        """Take notifications, oldest first; damaged bytes are counted and never raise.

        However a stream of notifications is portioned, the same samples come out.
        """
        ...


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A characteristic of a virtual sensor.

    Attributes:
        service: UUID of its service.
        uuid: its own.
        access: letters: r(ead), w(rite with response), c(ommand: write without response), n(otify),
            i(ndicate).
    """

    service: str
    uuid: str
    access: str


class Peripheral(Protocol):
    """A virtual sensor of one kind, without any radio: what it answers and what it sends.

    Attributes:
        advertised: its name and the services it advertises.
        company: company number and bytes of its manufacturer data, None without any.
        endpoints: its characteristics.
        measuring: it was told to send samples.
        battery_percent: charge, set from outside.
        charging: likewise.
    """

    measuring: bool
    battery_percent: int
    charging: bool

    @property
    def advertised(self) -> Advertised: ...  # noqa: D102 - documented above
    @property
    def company(self) -> tuple[int, bytes] | None: ...  # noqa: D102
    @property
    def endpoints(self) -> tuple[Endpoint, ...]: ...  # noqa: D102

    def read(self, uuid: str) -> bytes:
        """Return a readable characteristic's value."""
        ...

    def write(self, uuid: str, value: bytes) -> Sequence[Notification]:
        """Obey a command and return what it is answered with.

        Raises:
            DecodeError: if the command has a length or form that the real sensor refuses.
        """
        ...

    def send(self, samples: Samples) -> Sequence[tuple[Notification, int]]:
        """Encode samples whose ticks are not wrapped.

        Returns:
            notifications, each with the number of samples that it completes; samples that do not fill one
            yet are kept for the next call.
        """
        ...

    def disconnected(self) -> None:
        """Forget the measurement and what was kept, as the real sensor does when its link ends."""
        ...


@runtime_checkable
class Keeping(Protocol):
    """A `Peripheral` that goes on measuring without a link."""

    def keep(self, samples: Samples) -> int:
        """Measure without a link; return how many of the samples found room, the first ones."""
        ...


@runtime_checkable
class MayRecord(Protocol):
    """A `Vendor` whose sensors may be recording by themselves, and then do not stream.

    Attributes:
        ask_recording: a command that makes a sensor say whether it does.
        recording_uuid: the characteristic that then tells.
    """

    @property
    def ask_recording(self) -> Write: ...  # noqa: D102 - documented above
    @property
    def recording_uuid(self) -> str: ...  # noqa: D102

    def is_recording(self, value: bytes) -> bool:
        """Return whether it does, from a value of `recording_uuid`."""
        ...


@runtime_checkable
class Recorder(Protocol):
    """A `Peripheral` that records into its own memory when told to, and gives recordings out when asked.

    Attributes:
        recording: it does so now.
    """

    @property
    def recording(self) -> bool: ...  # noqa: D102 - documented above

    def record(self, samples: Samples) -> int:
        """Measure while `recording`; return how many of the samples found room, the first ones."""
        ...

    def exported(self) -> Sequence[Notification]:
        """Return what it sends next of a recording that it was asked for."""
        ...


class Vendor(Protocol):
    """One maker's sensor, in the mode that Poise runs it in.

    Attributes:
        name: a short word for statuses and settings.
        label: what people call it.
        scale: what one count is worth after quantising.
        rate_hz: nominal sampling rate on the sensor's own clock, Hz.
        timing: what it says about when a sample was taken.
        wrap_us: after how many µs its ticks begin again at 0; 0 for never.
        clock_ppm: how far its clock, or the rate of a sensor without one, may be off.
        subscriptions: characteristics to subscribe to, in this order.
        battery_uuid: the characteristic with the battery's state, "" if it is told otherwise or not at all.
        battery_request: a command that makes it tell among its notifications, None without.
        info_uuid: the characteristic with the firmware's version, "" without.
        start: commands that begin the measurement, after subscribing.
        resume: commands after a break, for a sensor that went on measuring without a link and sends what it
            kept, oldest first; None for a sensor that does not.
        stop: commands that end it.
        blink: commands that make it show itself, () if it cannot.
        buzz: commands that make it vibrate for a moment, () if it cannot.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 - documented above
    @property
    def label(self) -> str: ...  # noqa: D102
    @property
    def scale(self) -> Scale: ...  # noqa: D102
    @property
    def rate_hz(self) -> float: ...  # noqa: D102
    @property
    def timing(self) -> Timing: ...  # noqa: D102
    @property
    def wrap_us(self) -> int: ...  # noqa: D102
    @property
    def clock_ppm(self) -> float: ...  # noqa: D102
    @property
    def subscriptions(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def battery_uuid(self) -> str: ...  # noqa: D102
    @property
    def battery_request(self) -> Write | None: ...  # noqa: D102
    @property
    def info_uuid(self) -> str: ...  # noqa: D102
    @property
    def start(self) -> tuple[Write, ...]: ...  # noqa: D102
    @property
    def resume(self) -> tuple[Write, ...] | None: ...  # noqa: D102
    @property
    def stop(self) -> tuple[Write, ...]: ...  # noqa: D102
    @property
    def blink(self) -> tuple[Write, ...]: ...  # noqa: D102
    @property
    def buzz(self) -> tuple[Write, ...]: ...  # noqa: D102

    def recognises(self, advertised: Advertised) -> bool:
        """Is a device that advertises this one of this maker's?"""
        ...

    def decoder(self) -> Decoder:
        """Return a decoder for one connection."""
        ...

    def battery(self, value: bytes) -> tuple[int, bool]:
        """Return the charge in per cent and whether it is charging, from a value of `battery_uuid`.

        Raises:
            DecodeError: if the value is not one.
        """
        ...

    def firmware(self, value: bytes) -> str:
        """Return the firmware's version, "" if the value of `info_uuid` does not tell."""
        ...

    def peripheral(self, address: str) -> Peripheral:
        """Return a virtual sensor of this kind."""
        ...
