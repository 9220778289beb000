"""Sentences and numbers as people read them: degrees, hours and the wearer's clock begin here."""

import math
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ingest.reading import Day, Person
from poise.results import FORWARD_OF_UPRIGHT, KIND_TEXT, Activity, Episode, Kind
from poise.skeleton import spoken

NO_DATA_AFTER_S: Final = 3.0
"""Older than this the newest sample is called stopped."""

_HELD: Final = {
    Kind.FORWARD_HEAD: "Head forward {deg}° beyond your upright",
    Kind.LOOKING_DOWN: "Looking down {deg}° more than upright",
    Kind.SLOUCH: "Upper back {deg}° forward of your upright",
    Kind.HIP_LEAN: "Leaning {deg}° forward from the hips",
    Kind.SIDE_BEND: "Leaning {deg}° to the side",
    Kind.ROUNDED_SHOULDER_LEFT: "Left shoulder {deg}° forward of your upright",
    Kind.ROUNDED_SHOULDER_RIGHT: "Right shoulder {deg}° forward of your upright",
    Kind.RAISED_SHOULDER_LEFT: "Left shoulder about {deg}° raised, an estimate",
    Kind.RAISED_SHOULDER_RIGHT: "Right shoulder about {deg}° raised, an estimate",
}
_DOING: Final = {
    Activity.SITTING: "Sitting, an estimate",
    Activity.STANDING: "Standing, an estimate",
    Activity.UPRIGHT: "Sitting or standing",
}
_NOT_JUDGED: Final = {
    Activity.WALKING: ("Walking", "An estimate. Posture is not judged while walking."),
    Activity.LYING: ("Lying down", "An estimate. Posture is not judged while lying."),
    Activity.MOVING: ("Moving about", "Posture is judged again once a posture is held."),
    Activity.NOT_WORN: ("Not worn", "The sensors have not moved at all for some minutes."),
}


def degrees(rad: float) -> str:
    """Return an angle as whole degrees, "14°"."""
    return f"{round(math.degrees(rad))}°"


def duration(seconds: float) -> str:
    """Return "40 s", "12 min", "4 h 20 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def amount(seconds: float) -> tuple[str, str]:
    """Return a large number and its unit: ("1.1", "h"), ("25", "min")."""
    if seconds >= 3570:
        return f"{seconds / 3600:.1f}", "h"
    return (f"{round(seconds / 60)}", "min") if seconds >= 60 else (f"{round(seconds)}", "s")


def share(part: float, whole: float) -> str:
    """Return "92 %"; never 100 % for less than all."""
    if whole <= 0:
        return "none"
    percent = min(100.0, 100.0 * part / whole)
    return f"{99 if 99 < percent < 99.95 else round(percent)} %"


def zone_of(person: Person) -> ZoneInfo:
    """Return the wearer's time zone, UTC where this machine does not know it."""
    try:
        return ZoneInfo(person.timezone)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def clock(t_us: int, zone: ZoneInfo, *, seconds: bool = False) -> str:
    """Return the wearer's wall clock, "14:02" or "14:02:10"."""
    return datetime.fromtimestamp(t_us / 1e6, zone).strftime("%H:%M:%S" if seconds else "%H:%M")


def moment(t_us: int, zone: ZoneInfo, now_us: int) -> str:
    """Return the wearer's wall clock, with the day in front if it is not today's."""
    then, today = (datetime.fromtimestamp(t / 1e6, zone) for t in (t_us, now_us))
    if then.date() == today.date():
        return then.strftime("%H:%M:%S")
    return f"{then.day} {then:%b %H:%M}"


def local_day(t_us: int, zone: ZoneInfo) -> date:
    """Return the wearer's date."""
    return datetime.fromtimestamp(t_us / 1e6, zone).date()


def day_bounds_us(day: date, zone: ZoneInfo) -> tuple[int, int]:
    """Return UTC µs of the local day's beginning and end; 23 to 25 h lie between them."""
    starts = (datetime.combine(d, time(), zone).astimezone(UTC) for d in (day, day + timedelta(days=1)))
    first, last = (round(start.timestamp() * 1e6) for start in starts)
    return first, last


def after_injection(injections: Sequence[date], today: date) -> str:
    """Return "day 12 after injection", counted from the newest one that is not in the future."""
    past = [day for day in injections if day <= today]
    if not past:
        return "no injection noted"
    n = (today - max(past)).days
    return "day of the injection" if n == 0 else f"day {n} after injection"


def origin_label(origin: str) -> str:
    """Return the label that data other than from a worn sensor carries, "" for worn."""
    return {"worn": "", "simulated": "simulated", "replayed": "replayed recording"}.get(origin, origin)


def held(kind: Kind, deviation_rad: float | None, seconds: float | None) -> str:
    """Return the sentence of a posture held now: "Head forward 14° beyond your upright for 40 s"."""
    if deviation_rad is None:
        text = KIND_TEXT[kind].capitalize()
    else:
        text = _HELD[kind].format(deg=round(math.degrees(deviation_rad)))
    return text if seconds is None or seconds < 1 else f"{text} for {duration(seconds)}"


def doing(activity: Activity) -> str:
    """Return what the wearer does while posture is judged, "Sitting, an estimate"; "" if not known."""
    return _DOING.get(activity, "")


def not_judged(activity: Activity) -> tuple[str, str] | None:
    """Return title and sentence of an activity in which posture is not judged, None where it is."""
    return _NOT_JUDGED.get(activity)


def forward_s(day: Day | None) -> float:
    """Return the seconds forward of upright: forward head or slouch."""
    return sum(day.seconds.get(kind, 0.0) for kind in FORWARD_OF_UPRIGHT) if day else 0.0


def exposure(day: Day | None, span_s: float) -> str:
    """Return "1.1 h forward of upright · 92 % of 4 h 20 min seen", with the period it speaks of."""
    if day is None or day.seen_s <= 0:
        return "nothing seen yet today"
    number, unit = amount(forward_s(day))
    span = max(span_s, day.seen_s)
    return f"{number} {unit} forward of upright · {share(day.seen_s, span)} of {duration(span)} seen"


def lasted(episode: Episode) -> str:
    """Return how long an episode lasted, or that it is still going on."""
    text = duration(episode.duration_s)
    return f"{text}, still going on" if episode.end_us is None else text


def name(segment: str) -> str:
    """Return a segment's name at the start of a sentence."""
    text = spoken(segment)
    return text[:1].upper() + text[1:]


def several(words: Sequence[str]) -> str:
    """Return "a", "a and b", "a, b and c"."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]])) if words else "none"


def freshness(last_us: int, now_us: int, zone: ZoneInfo, patience_s: float = NO_DATA_AFTER_S) -> str:
    """Return how fresh the newest sample is; if older than `patience_s`, since when there is none."""
    if last_us <= 0:
        return "no data yet"
    age = (now_us - last_us) / 1e6
    if age <= patience_s:
        return f"live · {max(age, 0.0):.1f} s ago"
    return f"no data since {moment(last_us, zone, now_us)}"
