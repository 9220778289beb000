"""Words about the MQTT broker that need no client library: where it is, and what goes in and out."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from poise.errors import BrokerError, ConfigurationError

_FOR_GOOD: Final = {
    132: "protocol",
    133: "client id",
    134: "user name or password",
    135: "rights",
    138: "ban",
}
"""Reason codes of MQTT 5, section 4.13, that no second try changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerSettings:
    """Where the broker is and how to speak to it.

    Attributes:
        embedded: it is the broker of `ingest.embedded`: MQTT 3.1.1; else MQTT 5 (Mosquitto 2).
        ca_file: certificates to trust with `tls`, the system's when None.
        session_expiry_s: how long the broker keeps a persistent session without its client.
        receive_maximum: messages that the broker may send before the first is acknowledged.
    """

    host: str = "127.0.0.1"
    port: int = 1883
    embedded: bool = False
    username: str = ""
    password: str = field(default="", repr=False)
    tls: bool = False
    ca_file: Path | None = None
    session_expiry_s: int = 7 * 86400
    receive_maximum: int = 500
    keepalive_s: int = 20

    @property
    def place(self) -> str:
        """Host and port, for sentences."""
        return f"{self.host}:{self.port}"

    def refused(self, code: int, reason: str) -> BrokerError | ConfigurationError:
        """Return the error for a refusal: one to try again after, or one that trying again cannot mend."""
        what = _FOR_GOOD.get(code)
        if what is None:
            return BrokerError(f"the MQTT broker at {self.place} refused: {reason}")
        return ConfigurationError(
            f"the MQTT broker at {self.place} refuses this program ({what}: {reason}); "
            "check its name and password"
        )


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to publish, or a last will."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False


@dataclass(frozen=True, slots=True)
class Received:
    """A message that came; hand it to `Link.acknowledge` once it needs no second delivery."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    mid: int
    connection: int


@dataclass(slots=True)
class LinkCounts:
    """What a link has seen; `overflowed` messages were left to be delivered again."""

    received: int = 0
    overflowed: int = 0
    published: int = 0
    connections: int = 0
