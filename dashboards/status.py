"""Words for how a wearer and their sensors are: what needs a look, and why."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from dashboards import words
from dashboards.palette import SUSTAINED_S
from dashboards.today import DRAWN, Today
from poise.notices import SensorStatus
from poise.results import KIND_TEXT

STATUS_EVERY_S: Final = 5.0
"""Gateways renew a sensor's status this often, and at once when its state changes."""
_BEHIND_US: Final = 2_000_000
"""A store this far behind the sensors' status has a gateway that lets its messages grow (docs/gateway.md)."""
LOW_BATTERY: Final = 15
"""Percent below which a sensor's battery is mentioned."""


class Need(IntEnum):
    """How much a row asks for, most first."""

    LOST = 0
    LOOK = 1
    CALM = 2
    QUIET = 3


CHIP: Final = {Need.LOST: "no data", Need.LOOK: "look", Need.QUIET: "not worn", Need.CALM: "calm"}


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a wearer stands where they stand in the list."""

    need: Need
    text: str


@dataclass(frozen=True, slots=True)
class SensorLine:
    """One sensor in words.

    Attributes:
        segment: where it is worn.
        text: "streaming", "no data since 14:02:10", …
        silent: whether it should be sending and is not.
        battery: "84 %", "charging", or "not told".
        since_us: UTC µs of its newest sample.
    """

    segment: str
    text: str
    silent: bool
    battery: str
    since_us: int


def ended(today: Today) -> bool:
    """Return whether the gateway said goodbye: then silence is no fault."""
    return today.presence is not None and today.presence.state == "offline"


def newest_us(today: Today, live_us: int = 0) -> int:
    """Return UTC µs of the newest sample known from the store, the sensors and the live topic."""
    return max(today.person.last_us, live_us, *(s.last_us for s in today.sensors), 0)


def patience_s(today: Today, live_us: int = 0) -> float:
    """Return how old the newest known sample may be before data is missing.

    While a gateway lets its messages grow, the sensors' status is all that is known, and it comes every 5 s.
    """
    grows = newest_us(today, live_us) > max(today.person.last_us, live_us) + _BEHIND_US
    return words.NO_DATA_AFTER_S + (STATUS_EVERY_S if grows else 0.0)


def sensor_lines(today: Today, seen_us: Mapping[str, int], now_us: int) -> list[SensorLine]:
    """Return a line for each sensor, by where it is worn.

    Args:
        today: what the store knows.
        seen_us: UTC µs at which the live topic last saw each segment.
        now_us: UTC µs.
    """
    lines = [_line(status, today, seen_us, now_us) for status in today.sensors]
    return sorted(lines, key=lambda line: (_place(line.segment), line.segment))


def sensor_sentence(line: SensorLine) -> str:
    """Return "Left scapula: no data since 14:02:10"."""
    return f"{words.name(line.segment)}: {line.text}"


def reason(today: Today) -> Reason:
    """Return why this wearer needs a look, or that nothing is new."""
    last_us, now_us = newest_us(today), today.now_us
    if last_us == 0:
        return Reason(Need.QUIET, "No data yet")
    since = words.moment(last_us, today.zone, now_us)
    if ended(today):
        return Reason(Need.QUIET, f"Recording ended at {since}")
    if words.local_day(last_us, today.zone) != today.day:
        return Reason(Need.QUIET, f"Not worn today, last data {since}")
    if now_us - last_us > patience_s(today) * 1e6:
        return Reason(Need.LOST, f"No data since {since}")
    return _sensors(today) or _posture(today) or Reason(Need.CALM, "All sensors send, nothing new")


def _place(segment: str) -> int:
    return DRAWN.index(segment) if segment in DRAWN else len(DRAWN)


def _sensors(today: Today) -> Reason | None:
    lines = sensor_lines(today, {}, today.now_us)
    silent = [line for line in lines if line.silent]
    if silent:
        return Reason(Need.LOST, " · ".join(sensor_sentence(line) for line in silent))
    low = [
        f"{words.name(s.segment)} battery {s.battery_percent} %"
        for s in today.sensors
        if s.battery_percent is not None and s.battery_percent < LOW_BATTERY and not s.charging
    ]
    return Reason(Need.LOOK, " · ".join(low)) if low else None


def _posture(today: Today) -> Reason | None:
    lasting = [e for e in today.episodes if e.end_us is None]
    if not lasting:
        return None
    longest = max(lasting, key=lambda e: e.duration_s)
    need = Need.LOOK if longest.duration_s >= SUSTAINED_S else Need.CALM
    text = KIND_TEXT[longest.kind].capitalize()
    return Reason(need, f"{text} for {words.duration(longest.duration_s)}, still going on")


def _line(status: SensorStatus, today: Today, seen_us: Mapping[str, int], now_us: int) -> SensorLine:
    last_us = max(status.last_us, seen_us.get(status.segment, 0))
    silent = now_us - last_us > _sensor_patience_s(status, today, seen_us, now_us) * 1e6
    if last_us == 0:
        text = "no data yet"
    elif silent and ended(today):
        text = f"ended at {words.moment(last_us, today.zone, now_us)}"
    elif silent:
        text = f"no data since {words.moment(last_us, today.zone, now_us)}"
    else:
        text = "sends data"
    return SensorLine(status.segment, text, silent and not ended(today), _battery(status), last_us)


def _sensor_patience_s(status: SensorStatus, today: Today, seen_us: Mapping[str, int], now_us: int) -> float:
    """Return how old a sensor's newest known sample may be before it is called silent.

    A status that says "streaming" may be as old as the time between two of them, and is believed that long
    while the wearer's data keeps coming; where the live topic shows the segment itself, it is the judge.
    """
    live_us = max(seen_us.values(), default=0)
    flowing = now_us - newest_us(today, live_us) <= patience_s(today, live_us) * 1e6
    believed = status.state == "streaming" and flowing and status.segment not in seen_us
    return words.NO_DATA_AFTER_S + (STATUS_EVERY_S if believed else 0.0)


def _battery(status: SensorStatus) -> str:
    if status.battery_percent is None:
        return "charging" if status.charging else "battery not told"
    return f"battery {status.battery_percent} %{', charging' if status.charging else ''}"
