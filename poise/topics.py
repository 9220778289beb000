"""MQTT topics, version 1: `poise/1/{site}/{bucket}/{patient}/…` (docs/wire.md)."""

import re
import zlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from poise.errors import WireError

ROOT: Final = "poise/1"
BUCKETS: Final = 64
LONGEST_S: Final = 60
"""Of samples in one message, as far as a gateway lets it grow. What waits for a message waits longer."""
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")


class Leaf(StrEnum):
    """What follows the patient in a topic."""

    SAMPLES = "samples"
    STORED = "stored"
    PRESENCE = "presence"
    SENSOR = "sensor"
    CALIBRATION = "calibration"
    LIVE = "live"
    EPISODE = "episode"
    COMMAND = "command"
    CUE = "cue"
    PLAN = "plan"
    GUARD = "guard"


@dataclass(frozen=True, slots=True)
class Wearer:
    """Whose data it is: a site and a patient's pseudonym.

    Raises:
        WireError: if a name holds anything but letters, digits and `. _ : -`, or more than 64 of them.
    """

    patient: str
    site: str = "home"

    def __post_init__(self) -> None:
        for name in (self.patient, self.site):
            valid_name(name)

    @property
    def bucket(self) -> int:
        """CRC-32 of the patient's UTF-8 bytes modulo 64: which worker owns the patient."""
        return zlib.crc32(self.patient.encode()) % BUCKETS

    def topic(self, leaf: Leaf, detail: str = "") -> str:
        """Return the full topic, `detail` being a sensor's identity for `Leaf.SENSOR`."""
        base = f"{ROOT}/{self.site}/{self.bucket}/{self.patient}/{leaf}"
        return f"{base}/{valid_name(detail)}" if detail else base


@dataclass(frozen=True, slots=True)
class Address:
    """A parsed topic."""

    wearer: Wearer
    leaf: Leaf
    detail: str = ""


def valid_name(name: str) -> str:
    """Return `name` if it can stand in a topic.

    Raises:
        WireError: otherwise.
    """
    if not _NAME.fullmatch(name):
        raise WireError(
            f"{name!r} cannot stand in a topic: letters, digits and . _ : - only, 64 at most", reason="name"
        )
    return name


def parse(topic: str) -> Address:
    """Take a topic apart and check that its bucket is the patient's.

    Raises:
        WireError: if it is not a topic of version 1.
    """
    parts = topic.split("/")
    if len(parts) not in (6, 7) or "/".join(parts[:2]) != ROOT:
        raise WireError(f"{topic!r} is not a topic of {ROOT}/…", reason="topic")
    wearer = Wearer(parts[4], parts[2])
    if parts[3] != str(wearer.bucket):
        raise WireError(f"{topic!r}: the bucket of {wearer.patient!r} is {wearer.bucket}", reason="bucket")
    try:
        return Address(wearer, Leaf(parts[5]), valid_name(parts[6]) if len(parts) == 7 else "")
    except ValueError as exc:
        raise WireError(f"{topic!r} ends in a word that version 1 does not know", reason="topic") from exc


def everyone(leaf: Leaf, *, site: str = "+", bucket: int | None = None, patient: str = "+") -> str:
    """Return a subscription for one kind of message of many wearers."""
    tail = "/+" if leaf is Leaf.SENSOR else ""
    return f"{ROOT}/{site}/{'+' if bucket is None else bucket}/{patient}/{leaf}{tail}"
