"""The phases ahead as a gateway is told of them, and what it reads from that: thresholds, cues, reminders."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import cache
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from analytics.care.local import day_of, moment
from analytics.care.phases import Change, timeline
from analytics.care.prompts import delivered
from analytics.care.settings import PhaseSettings
from analytics.cues.plan import DEFAULT_CUE_PLAN, CuePlan
from analytics.posture.plan import DEFAULT_PLAN
from analytics.posture.plan import Plan as PosturePlan
from poise.care.injections import Injection
from poise.care.plans import Effort, Plan, QuietHours
from poise.errors import PoiseError, WireError
from poise.planned import PlannedReminder, PlanNotice, Stage

_MOST: Final = 3600.0
"""No threshold of posture is larger, in degrees or seconds."""
_P = TypeVar("_P", PosturePlan, CuePlan)


@dataclass(frozen=True, slots=True)
class Due:
    """A reminder.

    Attributes:
        label: what it is about.
        due_us: UTC µs at which it would have been given without quiet hours.
        deliver_us: UTC µs at which it is given.
    """

    label: str
    due_us: int
    deliver_us: int


def plan_notice(
    plan_id: str, now: datetime, injections: Sequence[Injection], plans: Sequence[Plan], zone: ZoneInfo
) -> PlanNotice:
    """Return what to tell a gateway, from the newest injection on: since when effort eases must be known.

    Args:
        plan_id: a new one.
        now: when it is made.
        injections: all of the patient's.
        plans: all of the patient's.
        zone: the patient's.
    """
    begin = max((one.at for one in injections if one.at <= now), default=now)
    return PlanNotice(id=plan_id, made_us=_us(now), stages=stages(timeline(begin, injections, plans, zone)))


def stages(changes: Sequence[Change]) -> list[Stage]:
    """Return the timeline of phases (`analytics.care.phases.timeline`) as it is told."""
    return [_stage(_us(change.at), change.now.settings if change.now else None) for change in changes]


def checked(notice: PlanNotice) -> PlanNotice:
    """Return a plan that can be gone by.

    Raises:
        WireError: if its stages are not in order, or name what cannot be.
    """
    begins = [stage.from_us for stage in notice.stages]
    if begins != sorted(set(begins)) or any(not 0 <= at < 2**53 for at in begins):
        raise WireError("the stages of a plan must be in order of time", reason="range")
    for stage in notice.stages:
        posture_of(stage), cues_of(stage), effort_of(stage), _quiet(stage)
    return notice


def posture_of(stage: Stage) -> PosturePlan:
    """Return the thresholds of a stage.

    Raises:
        WireError: if they cannot be.
    """
    plan = _made(DEFAULT_PLAN, stage.posture)
    if any(not 0 < value <= _MOST for value in msgspec.to_builtins(plan).values()):
        raise WireError("a threshold of posture is out of range", reason="range")
    return plan


def cues_of(stage: Stage) -> CuePlan:
    """Return how the wearer is reminded in a stage.

    Raises:
        WireError: if that cannot be.
    """
    quiet = [[_hours(at) for at in hours] for hours in stage.quiet_hours]
    return _made(DEFAULT_CUE_PLAN, stage.cues | {"quiet_hours": quiet})


def effort_of(stage: Stage) -> Effort:
    """Return what the guard goes by in a stage.

    Raises:
        WireError: if this program does not know it.
    """
    try:
        return Effort(stage.effort)
    except ValueError as exc:
        raise WireError(
            f"a plan names the effort {stage.effort!r}, which is unknown", reason="range"
        ) from exc


def stage_at(told: Sequence[Stage], t_us: int) -> Stage | None:
    """Return the stage that holds at a moment, None before the first."""
    i = bisect_right([stage.from_us for stage in told], t_us) - 1
    return told[i] if i >= 0 else None


def is_quiet(told: Sequence[Stage], t_us: int, zone: ZoneInfo) -> bool:
    """Tell whether a moment lies in quiet hours, where prompts wait."""
    stage, at = stage_at(told, t_us), datetime.fromtimestamp(t_us / 1e6, UTC)
    return stage is not None and delivered(at, _quiet(stage), zone) != at


def due(told: Sequence[Stage], after_us: int, until_us: int, zone: ZoneInfo) -> list[Due]:
    """Return the reminders to give later than `after_us` and not later than `until_us`, in order.

    One that is due in quiet hours waits until they end. Several with one label that end their waiting
    together are given once: that there were more of them is no news in the morning (project decision).
    """
    found: dict[tuple[int, str], Due] = {}
    for one in _due_around(told, after_us, until_us, zone):
        if after_us < one.deliver_us <= until_us:
            found.setdefault((one.deliver_us, one.label), one)
    return [found[key] for key in sorted(found)]


def _due_around(told: Sequence[Stage], after_us: int, until_us: int, zone: ZoneInfo) -> Iterator[Due]:
    """Yield what is due on the local days in question; what waits has waited for less than a day."""
    day = day_of(datetime.fromtimestamp(after_us / 1e6, UTC), zone) - timedelta(days=1)
    last = day_of(datetime.fromtimestamp(until_us / 1e6, UTC), zone)
    reminders = [(stage, reminder) for stage in told for reminder in stage.reminders]
    while day <= last:
        for stage, reminder in reminders:
            at = moment(day, reminder.at, zone)
            on = not reminder.weekdays or day.weekday() in reminder.weekdays
            if on and stage_at(told, _us(at)) is stage:
                yield Due(reminder.label, _us(at), _us(delivered(at, _quiet(stage), zone)))
        day += timedelta(days=1)


def _stage(from_us: int, settings: PhaseSettings | None) -> Stage:
    if settings is None:
        return Stage(from_us=from_us)
    cues = _differing(DEFAULT_CUE_PLAN, settings.cues)
    cues.pop("quiet_hours", None)
    return Stage(
        from_us=from_us,
        phase=settings.phase.value,
        effort=settings.effort.value,
        posture=_differing(DEFAULT_PLAN, settings.posture),
        cues=cues,
        quiet_hours=[(_time(begin), _time(end)) for begin, end in settings.cues.quiet_hours],
        goals=[goal.what for goal in settings.goals],
        reminders=[
            PlannedReminder(label=r.label, at=r.at, weekdays=list(r.weekdays)) for r in settings.reminders
        ],
    )


def _quiet(stage: Stage) -> tuple[QuietHours, ...]:
    return _hours_of(tuple(stage.quiet_hours))


@cache
def _hours_of(hours: tuple[tuple[time, time], ...]) -> tuple[QuietHours, ...]:
    try:
        return tuple(QuietHours(begin=begin, end=end) for begin, end in hours)
    except ValueError as exc:
        raise WireError("quiet hours of a plan cannot be read", reason="range") from exc


def _differing(usual: _P, plan: _P) -> dict[str, Any]:
    before = msgspec.to_builtins(usual)
    return {name: value for name, value in msgspec.to_builtins(plan).items() if value != before[name]}


def _made(usual: _P, changed: Mapping[str, object]) -> _P:
    try:
        return msgspec.convert(msgspec.to_builtins(usual) | dict(changed), type(usual))
    except (msgspec.ValidationError, PoiseError) as exc:
        raise WireError(f"a plan cannot be gone by: {exc}", reason="range") from exc


def _us(at: datetime) -> int:
    return round(at.timestamp() * 1e6)


def _hours(at: time) -> float:
    return at.hour + at.minute / 60


def _time(hours: float) -> time:
    """Return a time of the day; 24 h is midnight."""
    minutes = round(hours * 60) % (24 * 60)
    return time(minutes // 60, minutes % 60)
