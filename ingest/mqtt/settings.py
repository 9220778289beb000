"""Words about the MQTT broker that need no client library: where it is, and what goes in and out."""

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from poise.errors import BrokerError, ConfigurationError

NOT_AUTHORISED: Final = 135
_UNSPECIFIED: Final = 128
_TAKEN_OVER: Final = 142
_FOR_GOOD: Final = {
    132: "protocol",
    133: "client id",
    134: "user name or password",
    NOT_AUTHORISED: "rights",
    138: "ban",
}
"""Reason codes of MQTT 5, section 4.13, that no second try changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerSettings:
    """Where the broker is and how to speak to it.

    Attributes:
        embedded: it is the broker of `ingest.mqtt.embedded`: MQTT 3.1.1; else MQTT 5 (Mosquitto 2).
        ca_file: certificates to trust with `tls`, the system's when None.
        authority: the same as PEM text, when not "".
        plain_text: speak to another machine without TLS all the same, e.g. within a tunnel that encrypts.
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
    authority: str = field(default="", repr=False)
    plain_text: bool = False
    session_expiry_s: int = 7 * 86400
    receive_maximum: int = 500
    keepalive_s: int = 20

    def __post_init__(self) -> None:
        if not (self.tls or self.plain_text or _is_loopback(self.host)):
            raise ConfigurationError(
                f"the MQTT broker at {self.place} is another machine, and without TLS whoever is in between "
                "reads and changes what is sent: take an enrolment of that broker with `poise join`, or set "
                "tls = true and ca_file below [broker] (or plain_text = true where a tunnel encrypts)"
            )

    @property
    def place(self) -> str:
        """Host and port, for sentences."""
        return f"{self.host}:{self.port}"

    def refused(self, code: int, reason: str) -> BrokerError | ConfigurationError:
        """Return the error for a refusal: one to try again after, or one that trying again cannot mend."""
        what = _FOR_GOOD.get(code)
        if what is None:
            return BrokerError(f"the MQTT broker at {self.place} refused: {reason}")
        who = f"the name {self.username!r}" if self.username else "a program without a name"
        return ConfigurationError(
            f"the MQTT broker at {self.place} refuses {who} ({what}: {reason}); check name and password, or "
            "take a new enrolment with `poise join`"
        )

    def ended(self, code: int, reason: str, *, soon: bool) -> str:
        """Return the sentence for a connection that ended, `soon` after it began or later.

        Mosquitto 2.0 does not tell a client that another one took its place: so that is asked.
        """
        if code not in (0, _UNSPECIFIED, _TAKEN_OVER):
            why = f" ({reason})"
        else:
            why = "; does another program use its name?" if soon and self.username else ""
        return f"the connection to the MQTT broker at {self.place} ended{why}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"  # RFC 6761, section 6.3


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to publish, or a last will.

    Attributes:
        expires_s: how long a broker may keep it for who is away (MQTT 5 only); None for always.
    """

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False
    expires_s: int | None = None


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
    """What a link has seen; `overflowed` messages found no room and were refused."""

    received: int = 0
    overflowed: int = 0
    published: int = 0
    connections: int = 0
