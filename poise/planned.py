"""What a clinic tells a wearer's gateway in advance: the phases ahead and what each sets (docs/wire.md)."""

from datetime import time
from typing import Any

import msgspec


class PlannedReminder(msgspec.Struct, frozen=True, kw_only=True):
    """A prompt at a time of the local day.

    Attributes:
        label: what it is about; kept whenever it is delivered.
        at: local time.
        weekdays: 0 for Monday to 6; none for every day.
    """

    label: str
    at: time
    weekdays: list[int] = []


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """What holds from a moment on, until the next stage.

    Attributes:
        from_us: UTC µs.
        phase: a `poise.care.plans.Phase`, "" before any injection.
        effort: a `poise.care.plans.Effort`: what the guard of the activity goes by.
        posture: fields of `analytics.posture.plan.Plan` that differ from its defaults.
        cues: fields of `analytics.cues.plan.CuePlan` that differ from its defaults, without quiet hours.
        quiet_hours: local times from and to, without prompts and cues; may pass midnight.
        goals: in words for the wearer.
        reminders: prompts of this stage.
    """

    from_us: int
    phase: str = ""
    effort: str = "free"
    posture: dict[str, float] = {}
    cues: dict[str, Any] = {}
    quiet_hours: list[tuple[time, time]] = []
    goals: list[str] = []
    reminders: list[PlannedReminder] = []


class PlanNotice(msgspec.Struct, frozen=True, kw_only=True):
    """Retained at `…/plan`: the newest takes the place of all before; it needs no connection afterwards.

    Attributes:
        id: told apart from others by it.
        made_us: UTC µs; one made before the one in force is passed over.
        stages: in order of time; before the first, what the gateway is set to itself.
    """

    v: int = 1
    id: str
    made_us: int
    stages: list[Stage]
