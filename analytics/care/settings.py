"""What a phase sets: thresholds of posture, style of cues, effort, exercises, goals and reminders.

The numbers are this project's decisions; no source was found for any of them. Their sense: in the first days
a patient moves carefully and is sore, so less is held against them and they are reminded seldom; then cues
come often and fade (`analytics.cues.plan.MONTH_OF_FADING`), and a few stay. Gentle movements within comfort
are allowed from the start in every phase, as the document says. The therapist's plan changes any of it.
"""

from dataclasses import dataclass, replace
from datetime import date, time
from typing import Final

from analytics.cues.cue import CueMode
from analytics.cues.plan import DEFAULT_CUE_PLAN, CuePlan
from analytics.posture.plan import DEFAULT_PLAN
from analytics.posture.plan import Plan as PosturePlan
from poise.care.plans import Cues, Effort, Goal, Phase, Plan, QuietHours, Reminder, Thresholds
from poise.results import SPINE_KINDS

GENTLE: Final = ("neck_side_bend", "neck_rotation", "neck_flexion", "shoulder_blade_squeeze", "arm_circles")
"""Range-of-motion movements that the document names; names are those of `analytics.exercises.catalogue`."""
STRETCHES: Final = ("neck_stretch", "levator_stretch", "chest_stretch")
STRENGTH: Final = ("row", "reverse_fly", "scapular_stabilisation")
QUIET: Final = (QuietHours(begin=time(21), end=time(7)),)
"""As of the cues; project decision."""
_DAY_0: Final = date(1970, 1, 1)
_FADING: Final = ((0, 1.0), (7, 0.75), (14, 0.5), (21, 0.35), (28, 0.25))
"""As `MONTH_OF_FADING`, yet down to a quarter and not to none: that is what maintaining goes on with."""


@dataclass(frozen=True, slots=True)
class PhaseSettings:
    """What holds in a phase.

    Attributes:
        phase: which.
        posture: thresholds; they make a new run where they differ.
        cues: how the wearer is reminded.
        effort: what the guard of the activity goes by; it never counts against `exercises` and `GENTLE`.
        exercises: what is prescribed.
        goals: of the phase, then of the plan as a whole.
        reminders: prompts at times of the local day.
    """

    phase: Phase
    posture: PosturePlan
    cues: CuePlan
    effort: Effort
    exercises: tuple[str, ...]
    goals: tuple[Goal, ...]
    reminders: tuple[Reminder, ...]


def _wider(degrees: float) -> PosturePlan:
    """Return the default thresholds, each that much further."""
    changed = {name: getattr(DEFAULT_PLAN, name) + degrees for name in Thresholds.model_fields}
    return replace(DEFAULT_PLAN, **changed)


def _seldom(budget: int, factor: float) -> CuePlan:
    """Return cues for the forward kinds only, few and late: the shoulders are left in peace."""
    plan = DEFAULT_CUE_PLAN
    return replace(
        plan,
        delay_s=plan.delay_s * factor,
        varied_s=plan.varied_s * factor,
        steady_s=plan.steady_s * factor,
        budget_per_day=budget,
        fading=(),
        kinds=SPINE_KINDS,
    )


_MOVE: Final = Goal(what="Move neck and shoulders gently, within comfort", times_a_day=4)
_EXERCISE: Final = Goal(what="Do the exercises of your programme, also on days without pain", times_a_day=1)
_REMIND_MOVE: Final = tuple(
    Reminder(label="gentle movement", at=time(hour)) for hour in (9, 12, 15, 18)
)  # as often as `_MOVE`
_REMIND_EXERCISE: Final = (Reminder(label="exercises", at=time(17)),)

DEFAULTS: Final = {
    settings.phase: settings
    for settings in (
        PhaseSettings(
            Phase.PROTECTED,
            _wider(5.0),
            _seldom(6, 2.0),
            Effort.GENTLE,
            GENTLE,
            (_MOVE, Goal(what="Ice the injection site for 15 to 20 minutes", times_a_day=4),
             Goal(what="No lifting, no strenuous work of the arms")),
            _REMIND_MOVE,
        ),
        PhaseSettings(
            Phase.EASING,
            _wider(2.0),
            _seldom(12, 1.5),
            Effort.TAPERING,
            GENTLE,
            (_MOVE, Goal(what="Keep strenuous work of the arms short; a little more each day")),
            _REMIND_MOVE,
        ),
        PhaseSettings(
            Phase.RESTORING,
            DEFAULT_PLAN,
            replace(DEFAULT_CUE_PLAN, fading=_FADING),
            Effort.BUILDING,
            (*GENTLE, *STRETCHES),
            (_EXERCISE, Goal(what="Change posture or take a short break every half hour")),
            _REMIND_EXERCISE,
        ),
        PhaseSettings(
            Phase.STRENGTHENING,
            DEFAULT_PLAN,
            replace(DEFAULT_CUE_PLAN, fading=_FADING),
            Effort.BUILDING,
            (*GENTLE, *STRETCHES, *STRENGTH),
            (_EXERCISE, Goal(what="Change posture or take a short break every half hour")),
            _REMIND_EXERCISE,
        ),
        PhaseSettings(
            Phase.MAINTAINING,
            DEFAULT_PLAN,
            replace(DEFAULT_CUE_PLAN, fading=(), budget_per_day=8),
            Effort.FREE,
            (*GENTLE, *STRETCHES, *STRENGTH),
            (_EXERCISE,),
            (Reminder(label="exercises", at=time(17), weekdays=(0, 2, 4)),),
        ),
    )
}  # fmt: skip
"""By phase; project decisions."""


def settings_for(phase: Phase, plan: Plan | None, fading_from: date) -> PhaseSettings:
    """Return what holds in a phase, with what the therapist has changed.

    Args:
        phase: which.
        plan: the plan in force, None for none.
        fading_from: the local day from which the days of fading count.
    """
    own = DEFAULTS[phase]
    cues = replace(
        own.cues,
        quiet_hours=tuple((_hours(q.begin), _hours(q.end)) for q in quiet_hours(plan)),
        first_day=(fading_from - _DAY_0).days if own.cues.fading else None,
    )
    if plan is None:
        return replace(own, cues=cues)
    change = plan.change(phase)
    return PhaseSettings(
        phase,
        _with_thresholds(own.posture, change.thresholds),
        _with_cues(cues, change.cues),
        change.effort or own.effort,
        own.exercises if change.exercises is None else change.exercises,
        (own.goals if change.goals is None else change.goals) + plan.goals,
        own.reminders if change.reminders is None else change.reminders,
    )


def quiet_hours(plan: Plan | None) -> tuple[QuietHours, ...]:
    """Return the quiet hours of a plan, else the default."""
    return QUIET if plan is None or plan.quiet_hours is None else plan.quiet_hours


def _hours(at: time) -> float:
    return at.hour + at.minute / 60


def _with_thresholds(posture: PosturePlan, changed: Thresholds) -> PosturePlan:
    return replace(posture, **changed.model_dump(exclude_none=True))


def _with_cues(cues: CuePlan, changed: Cues) -> CuePlan:
    given = changed.model_dump(exclude_none=True)
    if "mode" in given:
        given["mode"] = CueMode(given["mode"])
    return replace(cues, **given)
