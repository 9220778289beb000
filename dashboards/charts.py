"""Charts: pure functions from data to markup. Every chart has its data as a table beside it (`table`).

Shapes stretch with the page while texts keep their size: bars are boxes, curves are SVG, labels are HTML.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from html import escape
from typing import Final
from zoneinfo import ZoneInfo

from dashboards import words
from dashboards.live import TRACE_S
from dashboards.palette import SUSTAINED_S, Tone
from dashboards.today import ENOUGH_S
from ingest.reading import Day
from poise.results import KIND_TEXT, QUARTER_S, Episode, Kind

_BREAK_US: Final = 1_500_000
_LOW_DEG, _HIGH_DEG = -10.0, 25.0
_ROW_KINDS: Final = {
    "back and neck": frozenset(
        {Kind.FORWARD_HEAD, Kind.LOOKING_DOWN, Kind.SLOUCH, Kind.HIP_LEAN, Kind.SIDE_BEND}
    ),
    "shoulders": frozenset(
        {
            Kind.ROUNDED_SHOULDER_LEFT,
            Kind.ROUNDED_SHOULDER_RIGHT,
            Kind.RAISED_SHOULDER_LEFT,
            Kind.RAISED_SHOULDER_RIGHT,
        }
    ),
}


@dataclass(frozen=True, slots=True)
class Trace:
    """One live curve.

    Attributes:
        name: as a person says it.
        limit_deg: where its band begins.
        t_us: UTC µs.
        rad: values.
    """

    name: str
    limit_deg: float
    t_us: Sequence[int]
    rad: Sequence[float]


def trace(curve: Trace, now_us: int) -> str:
    """Return the last two minutes of one curve over its threshold band."""
    degrees = [math.degrees(v) for v in curve.rad]
    low, high = min([_LOW_DEG, *degrees]), max([_HIGH_DEG, *degrees])
    y = [100 * (high - d) / (high - low) for d in (*degrees, curve.limit_deg, 0.0)]
    band, zero = y[-2], y[-1]
    fresh = bool(degrees) and now_us - curve.t_us[-1] <= words.NO_DATA_AFTER_S * 1e6
    last = f"{round(degrees[-1])}°" if fresh else "not seen"
    return (
        f'<div class="trace"><div class="trace-name">{escape(curve.name)}<b>{last}</b></div>'
        f'<div class="plot"><svg viewBox="0 0 {TRACE_S} 100" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(_spoken(curve, degrees))}">'
        f'<rect class="band" x="0" y="0" width="{TRACE_S}" height="{band:.1f}"/>'
        f'<path class="zero" d="M0 {zero:.1f}H{TRACE_S}"/>'
        f'<path class="curve" d="{_curve(curve.t_us, y, now_us)}"/></svg>'
        f'<span class="limit" style="top:{band:.1f}%">{curve.limit_deg:.0f}°</span>'
        f'<span class="limit" style="top:{zero:.1f}%">0°</span></div></div>'
    )


def traces(curves: Sequence[Trace], now_us: int) -> str:
    """Return small multiples that share the time axis."""
    times = "".join(f"<span>{text}</span>" for text in ("2 min ago", "1 min", "now"))
    axis = f'<div class="trace-axis" aria-hidden="true">{times}</div>'
    return "".join(trace(curve, now_us) for curve in curves) + axis


def trace_table(curves: Sequence[Trace], now_us: int) -> str:
    """Return the curves as means of ten seconds."""
    rows = []
    for ago in range(0, TRACE_S, 10):
        cells = [_mean(curve, now_us - (ago + 10) * 1_000_000, now_us - ago * 1_000_000) for curve in curves]
        rows.append((f"{ago} to {ago + 10} s ago", *cells))
    return table(("time, means of 10 s", *(curve.name for curve in curves)), rows)


def timeline(seen: Sequence[tuple[int, int]], episodes: Sequence[Episode], zone: ZoneInfo) -> str:
    """Return the day so far: seen stretches, and on them the episodes; higher and warmer is longer held."""
    if not seen:
        return '<p class="empty">Nothing has been seen yet today.</p>'
    first, last = _window(seen)
    rows = "".join(
        f'<div class="row-name">{name}</div><div class="row">'
        f"{_seen(seen, first, last)}{_held(episodes, kinds, first, last)}</div>"
        for name, kinds in _ROW_KINDS.items()
    )
    total = words.duration(sum(b - a for a, b in seen) / 1e6)
    label = f"Today from {words.clock(first, zone)} to {words.clock(last, zone)}: {total} seen."
    return (
        f'<div class="timeline" role="img" aria-label="{label} The episodes are listed below.">{rows}'
        f'<div class="hours">{_hours(first, last, zone)}</div></div>'
    )


def day_bars(days: Sequence[Day], injection: date | None, today: date) -> str:
    """Return one bar a day, h forward of upright; pale before the injection, hatched with little seen."""
    if not days:
        return '<p class="empty">No day has been seen yet.</p>'
    by_day = {d.day: d for d in days}
    first, n = days[0].day, (today - days[0].day).days + 1
    top = max(3600.0, *(words.forward_s(d) for d in days))
    bars = "".join(
        _bar(by_day.get(first + timedelta(days=i)), injection, top, first + timedelta(days=i))
        for i in range(n)
    )
    mark = ""
    if injection is not None and injection >= first:
        left = 100 * ((injection - first).days + 0.5) / n
        side = "left" if left < 55 else "right"
        text = f"<span>injection, {_short(injection)}</span>"
        mark = f'<div class="mark {side}" style="left:{left:.2f}%">{text}</div>'
    return (
        f'<div class="days" role="img" aria-label="Hours forward of upright on each day from '
        f'{_short(first)} to today; the numbers are in the table.">'
        f'<div class="days-top">{top / 3600:.1f} h</div>'
        f'<div class="bars">{bars}{mark}</div>'
        f'<div class="days-axis"><span>{_short(first)}</span><span>today</span></div></div>'
    )


def day_table(days: Sequence[Day], injection: date | None) -> str:
    """Return the days as a table, newest first."""
    rows = [
        (
            f"{_short(d.day)}{', injection' if d.day == injection else ''}",
            words.duration(words.forward_s(d)),
            words.duration(d.seen_s),
            words.share(words.forward_s(d), d.seen_s),
        )
        for d in reversed(days)
    ]
    return table(("day", "forward of upright", "seen", "share of time seen"), rows)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a plain table; all texts are escaped."""
    heads = "".join(f'<th scope="col">{escape(text)}</th>' for text in head)
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    return f'<table class="data"><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>'


def _spoken(curve: Trace, degrees: Sequence[float]) -> str:
    if not degrees:
        return f"{curve.name}, last two minutes: not seen"
    low, high = min(degrees), max(degrees)
    return f"{curve.name}, last two minutes: {low:.0f}° to {high:.0f}°, band from {curve.limit_deg:.0f}°"


def _curve(t_us: Sequence[int], y: Sequence[float], now_us: int) -> str:
    out, before = [], None
    for t, value in zip(t_us, y[: len(t_us)], strict=True):
        x = TRACE_S - (now_us - t) / 1e6
        if x < 0:
            continue
        pen = "L" if before is not None and t - before <= _BREAK_US else "M"
        out.append(f"{pen}{x:.1f} {value:.1f}")
        before = t
    return "".join(out)


def _mean(curve: Trace, from_us: int, to_us: int) -> str:
    values = [v for t, v in zip(curve.t_us, curve.rad, strict=True) if from_us < t <= to_us]
    return words.degrees(sum(values) / len(values)) if values else "not seen"


def _window(seen: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Return the quarter hours around what was seen."""
    quarter = QUARTER_S * 1_000_000
    return seen[0][0] // quarter * quarter, -(-seen[-1][1] // quarter) * quarter


def _box(kind: str, from_us: int, to_us: int, first: int, last: int, title: str = "") -> str:
    left, right = (100 * (min(max(t, first), last) - first) / (last - first) for t in (from_us, to_us))
    tip = f' title="{escape(title)}"' if title else ""
    return f'<i class="{kind}" style="left:{left:.3f}%;width:{max(right - left, 0.08):.3f}%"{tip}></i>'


def _seen(seen: Sequence[tuple[int, int]], first: int, last: int) -> str:
    return "".join(_box(Tone.UPRIGHT, a, b, first, last) for a, b in seen)


def _held(episodes: Sequence[Episode], kinds: frozenset[Kind], first: int, last: int) -> str:
    boxes = []
    for e in sorted(episodes, key=lambda e: e.duration_s):
        if e.kind in kinds:
            tone = Tone.SUSTAINED if e.duration_s >= SUSTAINED_S else Tone.DRIFTING
            end = e.last_us if e.end_us is None else e.end_us
            title = f"{KIND_TEXT[e.kind]}, {words.lasted(e)}"
            boxes.append(_box(tone, e.start_us, end, first, last, title))
    return "".join(boxes)


def _hours(first: int, last: int, zone: ZoneInfo) -> str:
    hour = 3_600_000_000
    marks = [t for t in range(first, last + 1, hour // 4) if words.clock(t, zone).endswith(":00")] or [first]
    return "".join(
        f'<span style="{_beside(100 * (t - first) / (last - first))}">{words.clock(t, zone)}</span>'
        for t in marks[:: math.ceil(len(marks) / 6)]
    )


def _beside(place: float) -> str:
    """Return the style of a label centred on its place, or beside it at either end."""
    shift = 0 if place < 3 else -100 if place > 97 else -50
    return f"left:{place:.2f}%;transform:translateX({shift}%)"


def _bar(day: Day | None, injection: date | None, top: float, date_: date) -> str:
    if day is None or day.seen_s <= 0:
        return '<i class="none"></i>'
    marks = "before" if injection is not None and date_ < injection else "after"
    if day.seen_s < ENOUGH_S:
        marks += " little"
    forward = words.forward_s(day)
    seen = words.duration(day.seen_s)
    title = f"{_short(date_)}: {words.duration(forward)} forward of upright, {seen} seen"
    return f'<i class="{marks}" style="height:{max(100 * forward / top, 1):.1f}%" title="{title}"></i>'


def _short(day: date) -> str:
    return f"{day.day} {day:%b}"
