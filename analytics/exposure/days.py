"""Quarters of an hour to the wearer's local days and phases.

All time zones of today are whole quarters of an hour from UTC (Kathmandu 5:45, Adelaide 9:30), so a quarter
belongs to one day. With offsets that are not (local mean times of the past, Liberia's until 1972) a quarter
belongs to the day in which it begins.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from analytics.exposure.counts import Counts, QuarterExposure, merged
from analytics.exposure.figures import (
    LEAST_DAY_S,
    Percentiles,
    Rula,
    activity_s,
    angle_percentiles,
    cycles_per_minute,
    per_hour,
    rate_percentiles,
    rula,
    seen_s,
    static_share,
    worn_s,
    zones_s,
)
from analytics.exposure.muscles import MuscleLoad, muscle_loads
from poise.results import Activity

ZONES_DEG: Final = (-5, 10, 20, 45, 60)
"""Between the zones of a summary: the EVA levels, which hold RULA's 10, 20 and 60°."""


@dataclass(frozen=True, slots=True)
class Period:
    """A named time.

    Attributes:
        name: "2026-03-29", "days 1 to 7 after", …
        start_us: UTC µs.
        end_us: UTC µs, not in it.
    """

    name: str
    start_us: int
    end_us: int

    @property
    def hours(self) -> float:
        """Its length; a local day has 23 to 25."""
        return (self.end_us - self.start_us) / 3.6e9


@dataclass(frozen=True, slots=True)
class StreamFigures:
    """One stream over a period, degrees; what rests on too little is None."""

    seen_s: float
    zones_s: tuple[float, ...]
    angle_deg: Percentiles | None
    rate_deg_s: Percentiles | None
    static_s: float
    longest_static_s: float
    static_share: float | None
    cycles_per_minute: float | None


@dataclass(frozen=True, slots=True)
class Summary:
    """What a period came to.

    Attributes:
        period: which.
        counts: everything counted, for an EVA matrix or another look.
        judged_s: s in which posture was judged; rates rest on it and on nothing else.
        coverage: judged share of the period.
        streams: figures by stream.
        rula: neck and trunk parts.
        shifts: number found.
        shifts_per_hour: by hour judged.
        breaks: number found: at least, for without a sensor that tells standing from sitting only walking
            and lying are seen.
        breaks_per_hour: by hour worn.
        activity_s: s by activity.
        muscles: the load index by muscle and side.
    """

    period: Period
    counts: Counts
    judged_s: float
    coverage: float
    streams: Mapping[str, StreamFigures]
    rula: Rula
    shifts: int
    shifts_per_hour: float | None
    breaks: int
    breaks_per_hour: float | None
    activity_s: Mapping[Activity, float]
    muscles: tuple[MuscleLoad, ...]


def local_days(first: date, last: date, zone: str) -> list[Period]:
    """Return the wearer's days from `first` to `last` (both in it), from local midnight to local midnight.

    Where midnight does not exist, because clocks are put forward at it, the day begins when they are.

    Args:
        first: first day.
        last: last day.
        zone: IANA name.

    Raises:
        zoneinfo.ZoneInfoNotFoundError: if there is no such zone.
    """
    clock = ZoneInfo(zone)
    days = [first + timedelta(days=i) for i in range((last - first).days + 2)]
    begins = [round(datetime.combine(day, time(), clock).timestamp() * 1_000_000) for day in days]
    return [
        Period(day.isoformat(), start, end) for day, start, end in zip(days, begins, begins[1:], strict=False)
    ]


def phases(anchor: date, zone: str, spans: Mapping[str, tuple[int, int]]) -> list[Period]:
    """Return periods in whole local days around an event such as an injection.

    Args:
        anchor: local day of the event: day 0.
        zone: IANA name.
        spans: by name, the first and the last day (both in it), negative before.
    """
    found = []
    for name, (begin, end) in spans.items():
        days = local_days(anchor + timedelta(days=begin), anchor + timedelta(days=end), zone)
        if days:
            found.append(Period(name, days[0].start_us, days[-1].end_us))
    return found


def within(quarters: Iterable[QuarterExposure], period: Period) -> list[QuarterExposure]:
    """Return the rows whose quarter begins in the period; of a quarter and run the last row given."""
    newest = {(row.quarter_s, row.run_us): row for row in quarters}
    return [row for (s, _), row in newest.items() if period.start_us <= s * 1_000_000 < period.end_us]


def summarise(
    quarters: Iterable[QuarterExposure], period: Period, *, least_s: float = LEAST_DAY_S
) -> Summary:
    """Return what the quarters of a period came to.

    Args:
        quarters: rows of any runs, in any order.
        period: a day or phase.
        least_s: figures that rest on less are None.
    """
    counts = merged(row.counts for row in within(quarters, period))
    judged = counts.judged / 10
    return Summary(
        period,
        counts,
        judged,
        judged * 1e6 / max(period.end_us - period.start_us, 1),
        {name: _figures(counts, name, least_s) for name in counts.streams if seen_s(counts, name) > 0},
        rula(counts, least_s=least_s),
        counts.shifts,
        per_hour(counts.shifts, seen_s(counts, "trunk"), least_s=least_s),
        counts.breaks,
        per_hour(counts.breaks, worn_s(counts), least_s=least_s),
        activity_s(counts),
        muscle_loads(counts, least_s=least_s),
    )


def summaries(
    quarters: Sequence[QuarterExposure], periods: Sequence[Period], *, least_s: float = LEAST_DAY_S
) -> list[Summary]:
    """Return one summary a period."""
    return [summarise(quarters, period, least_s=least_s) for period in periods]


def _figures(counts: Counts, name: str, least_s: float) -> StreamFigures:
    row = counts.streams.index(name)
    seconds = seen_s(counts, name)
    return StreamFigures(
        seconds,
        zones_s(counts, name, ZONES_DEG),
        angle_percentiles(counts, name, least_s=least_s),
        rate_percentiles(counts, name, least_s=least_s),
        float(counts.static_s[row]),
        float(counts.longest_static_s[row]),
        static_share(counts, name, least_s=least_s),
        cycles_per_minute(counts, name, least_s=least_s),
    )
