"""The wearer's gateway in words: what each sensor does, what is safe where, and what to do next."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from rich.table import Table

from device.bluetooth.link import Link, Trouble
from device.vendors.base import Timing
from poise.calibration import Calibration, Verdict
from poise.notices import SensorStatus
from poise.skeleton import Segment, place, spoken

_TROUBLE: Final = {
    Trouble.NOT_SEEN: "not seen",
    Trouble.REFUSED: "refuses to connect",
    Trouble.RECORDING: "records by itself",
    Trouble.NO_SLOT: "no connection free",
}
_MEND: Final = {
    Trouble.NOT_SEEN: "Switch it on, charge it, bring it near, and close the maker's app on your phone.",
    Trouble.REFUSED: "Switch it off and on again.",
    Trouble.RECORDING: "`poise sensors fetch` ends its recording and brings it home.",
    Trouble.NO_SLOT: "This adapter is full: wear fewer sensors or use another adapter.",
}
_LOW_PERCENT: Final = 15


@dataclass(frozen=True, slots=True)
class Sensor:
    """One sensor as of now.

    Attributes:
        status: as announced.
        link: its connection.
        rate_hz: measured over the last ten seconds, None without samples.
        missing: samples reported missing by this session.
        spread: by how much that may be off.
    """

    status: SensorStatus
    link: Link
    rate_hz: float | None
    missing: int
    spread: int


@dataclass(frozen=True, slots=True)
class Kept:
    """Where the samples are.

    Attributes:
        waiting: messages, a second each, on this machine's disk only.
        oldest_us: UTC µs of the oldest of them, None without any.
        confirmed: messages that ingest has confirmed as stored since the start.
        broker: the broker is there.
    """

    waiting: int
    oldest_us: int | None
    confirmed: int
    broker: bool


def state(sensor: Sensor, now_us: int) -> str:
    """Return in words what a sensor does; "connected" alone would hide that nothing comes."""
    match sensor.status.state:
        case "streaming":
            return "sending" if sensor.rate_hz is not None else "begins to send"
        case "stale":
            return f"silent for {ago(now_us - max(sensor.status.last_us, sensor.status.since_us))}"
        case "connected":
            return "no samples yet"
        case _:
            return (
                _TROUBLE.get(Trouble(sensor.link.trouble), "") if sensor.link.trouble else "being looked for"
            )


def clock(sensor: Sensor) -> str:
    """Return how well a sensor's time is known."""
    vendor, ppm = sensor.link.vendor, sensor.status.clock_ppm
    if vendor is None or sensor.rate_hz is None:
        return "-"
    if vendor.timing is not Timing.STAMPED:
        return "estimated from arrivals" if vendor.timing is Timing.NONE else "from sample numbers"
    return "being learned" if ppm is None else f"good ({ppm:+.0f} ppm)"


def missing(sensor: Sensor) -> str:
    """Return how many samples are missing, with what is not known of it."""
    return f"{sensor.missing} ± {sensor.spread}" if sensor.spread else str(sensor.missing)


def battery(sensor: Sensor) -> str:
    """Return a sensor's charge."""
    percent = sensor.status.battery_percent
    if percent is None:
        return "not told"
    return f"{percent} %" + (", charging" if sensor.status.charging else "")


def ago(us: int) -> str:
    """Return a length of time in the one unit that matters."""
    seconds = max(0, us) // 1_000_000
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def table(sensors: Sequence[Sensor], now_us: int) -> Table:
    """Return all sensors, a line each."""
    grid = Table("worn at", "maker", "state", "since", "rate", "missing", "battery", "clock")
    for sensor in sensors:
        vendor, rate = sensor.link.vendor, sensor.rate_hz
        grid.add_row(
            spoken(sensor.status.segment) + ("" if _judged(sensor) else " (not judged)"),
            vendor.label if vendor else "-",
            state(sensor, now_us),
            f"{datetime.fromtimestamp(sensor.status.since_us / 1e6).astimezone():%H:%M:%S}",
            "-" if rate is None else f"{rate:.1f} of {sensor.status.rate_hz:.0f} Hz",
            missing(sensor),
            battery(sensor),
            clock(sensor),
            style="" if sensor.status.state == "streaming" else "yellow",
        )
    return grid


def _judged(sensor: Sensor) -> bool:
    return sensor.status.segment in Segment.__members__.values()


def safe(kept: Kept, now_us: int) -> str:
    """Return where the samples are."""
    broker = "The broker is there" if kept.broker else "No broker: everything is kept on this machine"
    waits = "nothing waits"
    if kept.waiting:
        since = "" if kept.oldest_us is None else f", the oldest for {ago(now_us - kept.oldest_us)}"
        waits = f"{kept.waiting} s of samples wait in the spool{since}"
    return f"{broker}; {kept.confirmed} s confirmed as stored since the start, {waits}."


def calibrated(calibration: Calibration | None, now_us: int) -> str:
    """Return which calibration is in force, and since when."""
    if calibration is None:
        return "Not calibrated: postures are not judged."
    words = {Verdict.GOOD: "good", Verdict.STATIC_ONLY: "of lower trust, without the bow"}
    verdict = words.get(calibration.verdict, "to be repeated")
    return f"Calibration {calibration.id}, made {ago(now_us - calibration.made_us)} ago, {verdict}."


def next_step(sensors: Sequence[Sensor], kept: Kept, advice: str) -> str:
    """Return the one thing that the wearer should do now.

    Args:
        sensors: all sensors.
        kept: where the samples are.
        advice: what the calibration asks for, "" if nothing.
    """
    for sensor in sensors:
        if sensor.status.state == "lost" and sensor.link.trouble:
            return f"The sensor for {place(sensor.status.segment)}: {_MEND[Trouble(sensor.link.trouble)]}"
    if any(sensor.status.state != "streaming" for sensor in sensors):
        return "Wait a moment: sensors are being connected."
    if advice:
        return advice
    for sensor in sensors:
        percent = sensor.status.battery_percent
        if percent is not None and percent <= _LOW_PERCENT and not sensor.status.charging:
            return f"Charge the sensor for {place(sensor.status.segment)} soon: {percent} % left."
    if not kept.broker:
        return "Nothing is lost without the broker; `poise doctor` says how to get it back."
    return "Nothing: all is well."
