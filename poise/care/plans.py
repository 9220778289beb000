"""The therapist's plan: what a patient's phases are, how they are reminded, and reviews that change it."""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, Field, model_validator

from poise.care.entry import Entry, Instant, Line, LocalDate, LocalTime, Part, Said, Text, each_once


class Phase(StrEnum):
    """The time after an injection, the most protective first (`analytics.care.phases`)."""

    PROTECTED = "protected"
    EASING = "easing"
    RESTORING = "restoring"
    STRENGTHENING = "strengthening"
    MAINTAINING = "maintaining"


class Effort(StrEnum):
    """How much the upper body may do, beside gentle movements, which are always allowed."""

    GENTLE = "gentle"
    """No lifting, no vigorous and no overhead work of the arms."""
    TAPERING = "tapering"
    """Effort limited, less from day to day."""
    BUILDING = "building"
    """Effort as the exercises build it up."""
    FREE = "free"
    """As the patient likes."""


class QuietHours(Part):
    """A time of each local day without prompts; may pass midnight.

    Attributes:
        begin: first minute of it.
        end: first minute after it.
    """

    begin: LocalTime
    end: LocalTime

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        """Refuse a time of no length: it could be read as the whole day."""
        if self.begin == self.end:
            raise ValueError("quiet hours must begin and end at different times")
        return self


class Goal(Part):
    """Something to do or reach.

    Attributes:
        what: in words for the patient.
        times_a_day: how often, None where it is not counted.
    """

    what: Line
    times_a_day: Annotated[int, Field(ge=1, le=48)] | None = None


class Reminder(Part):
    """A prompt at a time of the local day.

    Attributes:
        label: what it is about; kept whenever it is delivered.
        at: local time.
        weekdays: 0 for Monday to 6; () for every day.
    """

    label: Line
    at: LocalTime
    weekdays: Annotated[
        tuple[Annotated[int, Field(ge=0, le=6)], ...], Field(max_length=7), AfterValidator(each_once)
    ] = ()


Degrees = Annotated[float, Field(ge=4, le=60)]
"""A threshold of posture; a posture ends 3° below its threshold, so less than 4° cannot be told."""
Day = Annotated[int, Field(ge=1, le=365)]


class Thresholds(Part):
    """Thresholds of posture that differ from the phase's own; None leaves them (docs/postures.md)."""

    forward_head_deg: Degrees | None = None
    slouch_deg: Degrees | None = None
    slouch_t12_deg: Degrees | None = None
    hip_lean_deg: Degrees | None = None
    looking_down_deg: Degrees | None = None
    rounded_deg: Degrees | None = None
    raised_deg: Degrees | None = None
    raised_arm_deg: Degrees | None = None
    side_bend_deg: Degrees | None = None


class Cues(Part):
    """How the wearer is reminded, where that differs from the phase's own; None leaves it.

    Attributes:
        mode: by load, by time held, or not at all.
        delay_s: by time held: how long a posture is held before a cue.
        budget_per_day: cues of a local day at most.
    """

    mode: Literal["exposure", "threshold", "off"] | None = None
    delay_s: Annotated[float, Field(ge=3, le=3600)] | None = None
    budget_per_day: Annotated[int, Field(ge=0, le=200)] | None = None


class PhaseChange(Part):
    """What a therapist changes in one phase; None and empty parts leave its defaults.

    Attributes:
        phase: which.
        effort: what the guard of the activity goes by.
        exercises: what is prescribed, as named in `analytics.exercises.catalogue` or otherwise.
        goals: in place of the phase's own.
        reminders: in place of the phase's own.
    """

    phase: Phase
    thresholds: Thresholds = Thresholds()
    cues: Cues = Cues()
    effort: Effort | None = None
    exercises: Annotated[tuple[Line, ...], Field(max_length=40)] | None = None
    goals: Annotated[tuple[Goal, ...], Field(max_length=20)] | None = None
    reminders: Annotated[tuple[Reminder, ...], Field(max_length=20)] | None = None


class Limits(Part):
    """Until when each phase lasts; None leaves the default, maintaining has no end.

    Attributes:
        protected_h: hours after the injection, elapsed; the document gives 24 to 48, so not under 24.
        easing_day: the last local day; the day of the injection is day 0.
        restoring_day: likewise.
        strengthening_day: likewise.
    """

    protected_h: Annotated[int, Field(ge=24, le=336)] | None = None
    easing_day: Day | None = None
    restoring_day: Day | None = None
    strengthening_day: Day | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        """Refuse a phase that ends before the one before it."""
        days = (self.easing_day, self.restoring_day, self.strengthening_day)
        given = [day for day in days if day is not None]
        if given != sorted(given):
            raise ValueError("a phase must not end before the one before it")
        return self


class Plan(Entry):
    """A plan; the one that began last holds.

    Attributes:
        begins: from when on.
        limits: of the phases.
        phases: what is changed in them, each phase once.
        quiet_hours: None leaves the default; () for none.
        weekly: when the weekly ratings are asked for; None leaves the default.
        goals: of the plan as a whole.
    """

    kind: ClassVar[str] = "plan"

    begins: Instant
    limits: Limits = Limits()
    phases: Annotated[tuple[PhaseChange, ...], Field(max_length=5)] = ()
    quiet_hours: Annotated[tuple[QuietHours, ...], Field(max_length=4)] | None = None
    weekly: Reminder | None = None
    goals: Annotated[tuple[Goal, ...], Field(max_length=20)] = ()
    note: Text = ""

    @model_validator(mode="after")
    def _each_phase_once(self) -> Self:
        """Refuse two changes of one phase: which holds would be a guess."""
        each_once(tuple(change.phase for change in self.phases))
        return self

    def change(self, phase: Phase) -> PhaseChange:
        """Return what is changed in a phase."""
        return next((c for c in self.phases if c.phase is phase), PhaseChange(phase=phase))


class PlanReview(Entry):
    """A look at how it goes, that ends in a dated change of plan.

    Attributes:
        at: when.
        by: who.
        seen: what it rests on, in words.
        entries: the entries that it rests on.
        decision: what is changed and why; also that nothing is.
        plan: the entry of the plan that holds from then on.
        from_day: the local day from which it holds.
    """

    kind: ClassVar[str] = "plan_review"

    at: Instant
    by: Line
    seen: Text = ""
    entries: Annotated[tuple[UUID, ...], Field(max_length=200), AfterValidator(each_once)] = ()
    decision: Said
    plan: UUID
    from_day: LocalDate
