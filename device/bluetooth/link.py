"""What the gateway knows of each sensor's connection, and whom it tells."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from device.stream.clock import Moment
from device.vendors.base import Notification, Vendor


class Trouble(StrEnum):
    """Why a sensor is not connected."""

    NOT_SEEN = "not seen"
    """It does not advertise: out of range, switched off, empty, or connected to something else."""
    REFUSED = "refused"
    """It advertises, and connecting or starting it failed."""
    RECORDING = "recording"
    """It records into its own memory, and does not stream meanwhile."""
    NO_SLOT = "no free slot"
    """It advertises, connecting fails, and the adapter has about as many connections as adapters can have."""


@dataclass(slots=True)
class Link:
    """What is known of one sensor's connection.

    Attributes:
        sensor: its address.
        segment: where it is worn.
        vendor: its maker, None until it was first seen.
        state: "streaming", "connected", "stale" or "lost".
        since_us: UTC µs at which this state began.
        battery_percent: None until it was read.
        charging: whether it was charging then.
        firmware: version, "" until it was read.
        drops: how often a connection ended without being asked to.
        trouble: why there is no connection: a `Trouble`, "" while there is one.
        device: what the last scan found, for the next attempt.
        heard_s: loop time of the newest notification, 0 before the first.
        busy: somebody watches over its connection.
    """

    sensor: str
    segment: str
    vendor: Vendor | None = None
    state: str = "lost"
    since_us: int = 0
    battery_percent: int | None = None
    charging: bool = False
    firmware: str = ""
    drops: int = 0
    trouble: str = ""
    device: Any = field(default=None, repr=False)
    heard_s: float = 0.0
    busy: bool = False


class Receiver(Protocol):
    """Who takes what the sensors send; called in the event loop."""

    def found(self, link: Link) -> None:
        """Hear of a sensor before its first notification; `link` stays up to date."""
        ...

    def linked(self, sensor: str, moment: Moment) -> None:
        """Hear that a new connection to the sensor was made; its notifications follow."""
        ...

    def notified(self, sensor: str, notification: Notification, moment: Moment) -> None:
        """Take one notification."""
        ...

    def changed(self, link: Link) -> None:
        """Hear that a sensor's state or battery changed."""
        ...
