"""The small JSON messages beside the samples: presence, sensors, stored, calibration, live (docs/wire.md)."""

from enum import StrEnum
from typing import Final, TypeVar

import msgspec

from poise.calibration import Calibration
from poise.errors import WireError
from poise.planned import PlanNotice
from poise.results import Episode, Kind
from poise.strain import Exceedance

VERSION: Final = 1
MAX_BYTES: Final = 64 * 1024


class Presence(msgspec.Struct, frozen=True, kw_only=True):
    """Retained at `…/presence`: is the wearer's gateway there? Its last will says "lost".

    Attributes:
        state: "online", "offline" (said goodbye), "lost" (last will), "stopped" (there, and collects nothing
            because consent was withdrawn) or, not retained, "erased" (all is deleted).
        since_us: UTC µs at which this gateway session began.
        waiting: messages in its spool that are not confirmed as stored.
        dropped: messages given up since its start because the spool was full.
    """

    v: int = VERSION
    state: str
    gateway: str
    session: str
    since_us: int
    origin: str = "worn"
    program: str = ""
    waiting: int = 0
    dropped: int = 0


class SensorStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Retained at `…/sensor/{sensor}`: the truth about one sensor.

    Attributes:
        state: "streaming" (samples within the last 2 s), "connected", "stale" (connected, silent) or "lost".
        last_us: UTC µs of its newest sample, 0 before the first.
        clock_ppm: estimated rate error of the sensor's clock against UTC.
        clock: how its times come about: "stamped", "numbered" or "none" (estimated from arrivals).
        spread: of what is missing: the true number lies within missing ± spread.
        damaged: notifications that could not be read.
        repeated: samples that came twice and were taken once.
        drops: connections that ended without being asked to.
        trouble: why it is not connected: "not seen", "refused", "recording" or "no free slot"; "" while
            it is.
        skew_us: an estimate of how much later its times are than those of a sensor on the trunk, from common
            movements; None while unknown, and for that sensor.
    """

    v: int = VERSION
    sensor: str
    segment: str
    state: str
    since_us: int
    last_us: int = 0
    rate_hz: float = 0.0
    battery_percent: int | None = None
    charging: bool = False
    vendor: str = ""
    firmware: str = ""
    clock_ppm: float | None = None
    received: int = 0
    missing: int = 0
    origin: str = "worn"
    clock: str = ""
    spread: int = 0
    damaged: int = 0
    repeated: int = 0
    drops: int = 0
    trouble: str = ""
    skew_us: float | None = None


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """At `…/stored`: what ingest has on its disk of one gateway session; the only confirmation there is.

    Attributes:
        through: every message up to and with this sequence is stored or was given up; -1 for none.
        highest: the highest sequence stored.
        holes: first and last sequence of each stretch missing between them.
        refused: why ingest keeps nothing of this wearer, "erased" or "withdrawn": then what is named here is
            dropped and not stored, and need not be kept either; "" as a rule.
    """

    v: int = VERSION
    session: str
    through: int
    highest: int
    holes: list[tuple[int, int]] = []
    refused: str = ""


class Live(msgspec.Struct, frozen=True, kw_only=True):
    """At `…/live`, not retained: the newest frames, null where unseen. Angles in rad.

    Attributes:
        t_us: UTC µs, one for each frame.
        sagittal: a column for each of `segments`, a value for each frame.
        frontal: likewise.
        kinds: a list for each frame of the kinds whose rule holds, before any dwell.
        activity: a `poise.results.Activity`, an estimate: what the wearer did for most of the newest second;
            "" from programs that do not tell.
        advice: sentences for the wearer that hold as of the newest frame: sensors that seem not to be worn,
            reasons not to trust the calibration any longer.
    """

    v: int = VERSION
    run_us: int
    calibration: str
    origin: str
    segments: list[str]
    t_us: list[int]
    sagittal: list[list[float | None]]
    frontal: list[list[float | None]]
    kinds: list[list[str]]
    activity: str = ""
    advice: list[str] = []


class CueNotice(msgspec.Struct, frozen=True, kw_only=True):
    """At `…/cue`, not retained: a reminder that the gateway gave to the wearer.

    Attributes:
        t_us: UTC µs of the frame at which it was due.
        given_us: UTC µs at which it was given.
        kind: the posture that it speaks of.
        sentence: what the wearer read or heard.
        sentences_version: the version of the sentences.
        mode: how it came to be due: "exposure" or "threshold".
        load_s: the load that had been reached, s at the threshold.
        used: how many cues of the local day this makes.
        budget: how many the day has.
        ways: how it was given: "buzz", "desktop"; none if nothing could give it.
    """

    v: int = VERSION
    origin: str = "worn"
    t_us: int
    given_us: int
    kind: Kind
    sentence: str
    sentences_version: int
    mode: str
    load_s: float
    used: int
    budget: int
    ways: list[str] = []


class Verb(StrEnum):
    """What a gateway can be told."""

    PAUSE = "pause"
    """No cue before `until_us`; 0 ends a pause."""
    BLINK = "blink"
    """Let a sensor show itself."""
    BUZZ = "buzz"
    """Let a sensor vibrate for a moment."""
    RECHECK = "recheck"
    """Ask the wearer to sit tall for five seconds and look whether the calibration holds."""
    CALIBRATE = "calibrate"
    """Ask the wearer to calibrate anew."""
    SIDES = "sides"
    """Ask the wearer to lift the right arm and look whether left and right are what they are named."""
    WATCH = "watch"
    """Somebody looks: let each second leave at once, until `until_us`."""
    ERASE = "erase"
    """The wearer was erased: collect nothing any more, delete what waits and what is known, and say so."""
    STOP = "stop"
    """The wearer has withdrawn consent: collect nothing until `RESUME`."""
    RESUME = "resume"
    """The wearer consents again."""


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """At `…/command`, not retained: something for the wearer's gateway to do.

    Attributes:
        id: told apart from others by it; the same id again is passed over.
        verb: what to do.
        sensor: whom it is for, "" for all that can.
        until_us: UTC µs, of a pause and of watching.
        expires_us: UTC µs after which it is too late to do it.
    """

    v: int = VERSION
    id: str
    verb: Verb
    sensor: str = ""
    until_us: int = 0
    expires_us: int


class CalibrationNotice(msgspec.Struct, frozen=True, kw_only=True):
    """Retained at `…/calibration`."""

    v: int = VERSION
    calibration: Calibration


class EpisodeNotice(msgspec.Struct, frozen=True, kw_only=True):
    """At `…/episode`, not retained: an episode that began, changed or ended."""

    v: int = VERSION
    origin: str = "worn"
    episode: Episode


class GuardNotice(msgspec.Struct, frozen=True, kw_only=True):
    """At `…/guard`, not retained: an exceedance that began or ended; the newest of a kind and start counts.

    Attributes:
        sentence: what the wearer read, "" where no notice was given.
        sentences_version: the version of the sentences.
        ways: how it was given: "desktop"; none if nothing could give it.
    """

    v: int = VERSION
    origin: str = "worn"
    exceedance: Exceedance
    sentence: str = ""
    sentences_version: int = 0
    ways: list[str] = []


Notice = (
    Presence
    | SensorStatus
    | Stored
    | Live
    | CalibrationNotice
    | EpisodeNotice
    | CueNotice
    | Command
    | PlanNotice
    | GuardNotice
)
N = TypeVar(
    "N",
    Presence,
    SensorStatus,
    Stored,
    Live,
    CalibrationNotice,
    EpisodeNotice,
    CueNotice,
    Command,
    PlanNotice,
    GuardNotice,
)


def encode(notice: Notice) -> bytes:
    """Return the notice as JSON; numbers that are not finite become null."""
    return msgspec.json.encode(notice)


def decode(payload: bytes, kind: type[N]) -> N:
    """Check and unpack a JSON notice.

    Raises:
        WireError: if it is not one of that kind and of version 1.
    """
    if len(payload) > MAX_BYTES:
        raise WireError(f"a notice of {len(payload)} bytes is over the {MAX_BYTES} allowed", reason="size")
    try:
        notice = msgspec.json.decode(payload, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        _require_version(_version_of(payload))
        raise WireError(f"not a {kind.__name__} notice: {exc}", reason="malformed") from exc
    _require_version(notice.v)
    return notice


class _Versioned(msgspec.Struct):
    v: int = VERSION


def _version_of(payload: bytes) -> int:
    """Return the version that a payload names which this program cannot read, its own if it names none."""
    try:
        return msgspec.json.decode(payload, type=_Versioned).v
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return VERSION


def _require_version(version: int) -> None:
    if version != VERSION:
        raise WireError(f"version {version} is not {VERSION}; update this program", reason="version")
