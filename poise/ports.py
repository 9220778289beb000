"""Seams between rooms that may not import each other: the command line plugs one side into the other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from poise.notices import Stored
from poise.topics import Leaf


@dataclass(frozen=True, slots=True)
class Spooled:
    """A samples message waiting in a gateway's spool.

    Attributes:
        row: its place in the spool, increasing over all sessions.
        session: gateway session.
        sequence: number within the session.
        payload: the bytes for MQTT.
    """

    row: int
    session: str
    sequence: int
    payload: bytes


class Spool(Protocol):
    """What the bridge to MQTT needs of the device room's spool; every call may block for a disk write.

    Attributes:
        dropped: messages given up since opening because the spool was full.
    """

    dropped: int

    def after(self, row: int, limit: int) -> Sequence[Spooled]:
        """Return up to `limit` unconfirmed messages behind `row`, oldest first."""
        ...

    def confirm(self, stored: Stored) -> int:
        """Drop what ingest says is on its disk, and return how many messages that were."""
        ...

    def depth(self) -> int:
        """Return how many messages wait for their confirmation."""
        ...


class Announce(Protocol):
    """How a gateway says something beside its samples: retained status, calibration, presence."""

    def __call__(self, leaf: Leaf, payload: bytes, *, detail: str = "", retain: bool = True) -> None:
        """Hand `payload` over for publishing; the newest of each topic is sent again after a reconnect."""
        ...
