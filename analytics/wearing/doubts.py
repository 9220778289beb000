"""Reasons not to trust a calibration any longer, in words for the wearer."""

import math
from dataclasses import dataclass
from enum import StrEnum

from poise.skeleton import place


class Standing(StrEnum):
    """What the calibration in force is worth now."""

    HOLDS = "holds"
    RECHECK = "recheck"
    """Sit tall for five seconds."""
    ENDED = "ended"
    """Calibrate again."""


class Cause(StrEnum):
    """Why a calibration is doubted."""

    SLIPPED = "slipped"
    OFF = "off"
    AWAY = "away"
    PUT_BACK = "put_back"
    TIME_JUMP = "time_jump"


@dataclass(frozen=True, slots=True)
class Doubt:
    """One reason not to trust the calibration any longer.

    Attributes:
        cause: why.
        segments: the segments concerned.
        t_us: UTC µs from which on it is known.
        standing: what is needed.
        sentence: for the wearer.
        evidence_rad: how far the sensor stays from its neighbours, rad; NaN without such a measure.
    """

    cause: Cause
    segments: tuple[str, ...]
    t_us: int
    standing: Standing
    sentence: str
    evidence_rad: float = float("nan")

    @property
    def about(self) -> tuple[Cause, tuple[str, ...], Standing]:
        """What it says; a calibration is doubted once for the same."""
        return self.cause, self.segments, self.standing


def slipped(segment: str, off_deg: int, *, aside: bool, t_us: int) -> Doubt:
    """One sensor stays away from its neighbours."""
    way = "sideways" if aside else "forward or back"
    return Doubt(
        Cause.SLIPPED,
        (segment,),
        t_us,
        Standing.RECHECK,
        f"The sensor on {place(segment)} has stayed {off_deg}° {way} of those beside it, also while you "
        "sat upright. It may have slipped. Sit tall for five seconds, so that Poise can check.",
        math.radians(off_deg),
    )


def off(segment: str, off_deg: int, t_us: int) -> Doubt:
    """One sensor hangs as no segment can."""
    return Doubt(
        Cause.OFF,
        (segment,),
        t_us,
        Standing.ENDED,
        f"The sensor on {place(segment)} hangs quite another way than those beside it. Put it back and "
        "calibrate again.",
        math.radians(off_deg),
    )


def put_back(segment: str, t_us: int) -> Doubt:
    """One sensor was taken off and is worn again."""
    return Doubt(
        Cause.PUT_BACK,
        (segment,),
        t_us,
        Standing.ENDED,
        f"The sensor on {place(segment)} was taken off and put back. Calibrate again: sit tall, then bow.",
    )


def away(segments: tuple[str, ...], minutes: int, *, night: bool, t_us: int) -> Doubt:
    """Some or all sensors were silent for long."""
    who = f"The sensor on {place(segments[0])}" if len(segments) == 1 else "The sensors"
    need = (
        "Calibrate again: sit tall, then bow."
        if night
        else "If you took anything off, calibrate again; if not, sit tall for five seconds."
    )
    standing = Standing.ENDED if night else Standing.RECHECK
    return Doubt(Cause.AWAY, segments, t_us, standing, f"{who} sent nothing for {minutes} minutes. {need}")


def time_jump(segments: tuple[str, ...], t_us: int) -> Doubt:
    """The moments went back in time."""
    return Doubt(
        Cause.TIME_JUMP,
        segments,
        t_us,
        Standing.ENDED,
        "The clock has gone back, so Poise no longer knows which calibration is the newest. Calibrate again.",
    )
