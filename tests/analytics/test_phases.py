"""Which phase holds: limits, time zones, daylight saving, overlaps, series, plans, and all changes ahead."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from care_makers import APIA, KOLKATA, LORD_HOWE, NEW_YORK, SAO_PAULO, VIENNA, injected, local
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.care.local import day_begins, next_moment
from analytics.care.phases import ORDER, Change, bounds, phase_at, plan_at, timeline
from analytics.care.settings import DEFAULTS, GENTLE
from analytics.cues.cue import CueMode
from poise.care.injections import Injection
from poise.care.plans import Cues, Effort, Goal, Limits, Phase, PhaseChange, Plan, QuietHours, Thresholds
from poise.results import SPINE_KINDS

P, E, R, S, M = ORDER
ONE = [injected(local("2026-05-04T10:00"))]


def phase(
    now: datetime, injections: list[Injection], zone: ZoneInfo = VIENNA, plan: Plan | None = None
) -> Phase | None:
    held = phase_at(now, injections, plan, zone)
    return held.phase if held else None


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-05-04T09:59:59", None),
        ("2026-05-04T10:00", P),
        ("2026-05-06T09:59:59", P),
        ("2026-05-06T10:00", E),
        ("2026-05-11T23:59:59", E),
        ("2026-05-12T00:00", R),
        ("2026-05-25T23:59:59", R),
        ("2026-05-26T00:00", S),
        ("2026-06-15T23:59:59", S),
        ("2026-06-16T00:00", M),
        ("2027-06-16T00:00", M),
    ],
)
def test_a_single_injection_goes_through_the_five_phases(now: str, expected: Phase | None) -> None:
    assert phase(local(now), ONE) is expected


@pytest.mark.parametrize(
    ("zone", "at", "end"),
    [
        # Clocks go forward at 2:00 on 29 March, back at 3:00 on 25 October.
        (VIENNA, "2026-03-28T10:00", "2026-03-30T11:00"),
        (VIENNA, "2026-10-24T10:00", "2026-10-26T09:00"),
        (NEW_YORK, "2026-03-07T17:30", "2026-03-09T18:30"),
        # By half an hour on Lord Howe; never in Kolkata.
        (LORD_HOWE, "2026-04-04T12:00", "2026-04-06T11:30"),
        (KOLKATA, "2026-03-28T10:00", "2026-03-30T10:00"),
    ],
)
def test_protected_is_48_hours_elapsed_whatever_the_clocks_show(zone: ZoneInfo, at: str, end: str) -> None:
    injections = [injected(local(at, zone))]
    until = local(end, zone)
    assert until - injections[0].at == timedelta(hours=48)
    assert phase(until - timedelta(seconds=1), injections, zone) is P
    assert phase(until, injections, zone) is E


@pytest.mark.parametrize(
    ("zone", "at", "restoring"),
    [
        (VIENNA, "2026-03-24T23:59", "2026-04-01T00:00"),
        (VIENNA, "2026-03-25T00:00", "2026-04-02T00:00"),
        (VIENNA, "2026-10-20T12:00", "2026-10-28T00:00"),
        (NEW_YORK, "2026-10-29T20:00", "2026-11-06T00:00"),
        # There is no midnight on 4 November 2018 in São Paulo: the day begins at 1:00.
        (SAO_PAULO, "2018-10-27T10:00", "2018-11-04T01:00"),
        # There is no 30 December 2011 in Apia: day 8 is one that nobody lived through.
        (APIA, "2011-12-22T10:00", "2011-12-31T00:00"),
    ],
)
def test_days_are_the_patients_local_days(zone: ZoneInfo, at: str, restoring: str) -> None:
    injections = [injected(local(at, zone))]
    begins = local(restoring, zone)
    assert phase(begins - timedelta(seconds=1), injections, zone) is E
    assert phase(begins, injections, zone) is R


def test_the_same_injection_is_on_another_day_in_another_zone() -> None:
    injections = [injected(datetime(2026, 5, 4, 20, tzinfo=UTC))]  # 5 May, 1:30 in Kolkata
    now = datetime(2026, 5, 11, 22, 30, tzinfo=UTC)
    assert phase(now, injections, VIENNA) is R
    assert phase(now, injections, KOLKATA) is E


DAYS = [injected(local(f"2026-05-{day:02}T10:00")) for day in (4, 20)]


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-05-20T09:59", R),
        ("2026-05-20T10:00", P),
        ("2026-05-22T10:00", E),
        ("2026-05-28T00:00", R),
        # The first alone would be strengthening from 26 May on.
        ("2026-06-10T23:59", R),
        ("2026-06-11T00:00", S),
        ("2026-07-02T00:00", M),
    ],
)
def test_the_most_protective_of_overlapping_injections_holds(now: str, expected: Phase) -> None:
    assert phase(local(now), DAYS) is expected
    assert phase(local(now), DAYS[::-1]) is expected


SERIES = [injected(local(f"2026-05-{day:02}T10:00"), "neck, spring") for day in (4, 18)]


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-05-12T00:00", R),  # 12 to 17 May: six days regained
        ("2026-05-17T23:59", R),
        ("2026-05-18T00:00", R),  # until the session, as every moment before it
        ("2026-05-18T10:00", P),
        ("2026-05-20T10:00", E),
        ("2026-05-25T23:59", E),
        ("2026-05-26T00:00", R),  # the seventh
        ("2026-06-02T23:59", R),  # the fourteenth
        ("2026-06-03T00:00", S),
        ("2026-06-23T23:59", S),
        ("2026-06-24T00:00", M),
    ],
)
def test_a_planned_series_restores_once_and_protects_after_every_session(now: str, expected: Phase) -> None:
    assert phase(local(now), SERIES) is expected
    assert phase(local(now), SERIES[::-1]) is expected


def test_a_series_is_no_further_on_than_its_first_session_and_no_further_back_than_its_last() -> None:
    rows = [injected(local(f"2026-05-{day:02}T10:00"), "a") for day in (4, 8, 19, 31)]
    apart = [row.model_copy(update={"course": ""}) for row in rows]
    for hour in range(24 * 100):
        now = rows[0].at + timedelta(hours=hour)
        rank = ORDER.index(phase(now, rows) or M)
        assert rank <= ORDER.index(phase(now, rows[:1]) or M)
        assert rank >= ORDER.index(phase(now, apart) or M)


def test_two_courses_are_two_and_each_injection_without_one_is_its_own() -> None:
    now = local("2026-06-04T12:00")
    other = [SERIES[0], SERIES[1].model_copy(update={"course": "shoulder"})]
    assert (phase(now, SERIES), phase(now, other)) == (S, R)


@pytest.mark.parametrize(("second", "expected"), [("2026-05-25T10:00", S), ("2026-05-26T10:00", R)])
def test_a_session_after_a_long_pause_begins_its_course_anew(second: str, expected: Phase) -> None:
    """On day 21 the course was restoring still, for 13 days; on day 22 it was not."""
    rows = [injected(local("2026-05-04T10:00"), "a"), injected(local(second), "a")]
    assert phase(rows[1].at + timedelta(days=8), rows) is R
    assert phase(rows[1].at + timedelta(days=9), rows) is expected


@pytest.mark.parametrize(
    ("limits", "now", "expected"),
    [
        (Limits(protected_h=24), "2026-05-05T10:00", E),
        (Limits(protected_h=72), "2026-05-07T09:59", P),
        (Limits(easing_day=3), "2026-05-08T00:00", R),
        (Limits(easing_day=3), "2026-05-25T23:59", R),
        (Limits(restoring_day=30), "2026-06-03T23:59", R),
        (Limits(strengthening_day=60), "2026-07-03T23:59", S),
        (Limits(easing_day=30), "2026-06-04T00:00", S),  # restoring has no day left
        (Limits(protected_h=240), "2026-05-14T10:00", E),  # easing lasts as long as protected at least
        (Limits(protected_h=240), "2026-05-15T00:00", R),
    ],
)
def test_a_therapist_moves_the_limits(limits: Limits, now: str, expected: Phase) -> None:
    plan = Plan(begins=local("2026-05-01T00:00"), limits=limits)
    assert phase(local(now), ONE, plan=plan) is expected


def test_limits_never_cross() -> None:
    found = bounds(Plan(begins=ONE[0].at, limits=Limits(protected_h=336, strengthening_day=5)))
    assert (found.easing_day, found.restoring_day, found.strengthening_day) == (14, 21, 21)


def test_the_plan_that_began_last_holds() -> None:
    plans = [Plan(begins=ONE[0].at + timedelta(days=day), note=str(day)) for day in (3, 1, 9, 3)]
    assert plan_at(ONE[0].at, plans) is None
    assert plan_at(ONE[0].at + timedelta(days=2), plans) is plans[1]
    assert plan_at(ONE[0].at + timedelta(days=4), plans) is plans[3]


def test_gentle_movements_are_allowed_from_the_start_and_effort_is_not() -> None:
    held = phase_at(ONE[0].at, ONE, None, VIENNA)
    assert held is not None
    assert set(GENTLE) <= set(held.settings.exercises)
    assert held.settings.effort is Effort.GENTLE
    assert [DEFAULTS[p].effort for p in ORDER[1:]] == [
        Effort.TAPERING, Effort.BUILDING, Effort.BUILDING, Effort.FREE
    ]  # fmt: skip
    assert all(set(GENTLE) <= set(DEFAULTS[p].exercises) for p in ORDER)


def test_a_phase_sets_thresholds_and_cues_and_the_fading_begins_with_restoring() -> None:
    protected, _, restoring, strengthening, maintaining = (DEFAULTS[p] for p in ORDER)
    assert protected.posture.slouch_deg > restoring.posture.slouch_deg
    assert protected.cues.kinds == SPINE_KINDS
    assert protected.cues.budget_per_day < restoring.cues.budget_per_day
    held = phase_at(local("2026-05-30T12:00"), ONE, None, VIENNA)
    assert held is not None
    assert held.settings.cues.first_day == (date(2026, 5, 12) - date(1970, 1, 1)).days
    last = strengthening.cues.share(34) * strengthening.cues.budget_per_day
    assert maintaining.cues.budget_per_day == pytest.approx(last, abs=1)


def test_a_therapist_changes_what_a_phase_sets_and_nothing_of_the_others() -> None:
    change = PhaseChange(
        phase=P,
        thresholds=Thresholds(slouch_deg=20),
        cues=Cues(mode="off", budget_per_day=3),
        effort=Effort.TAPERING,
        exercises=("shrug",),
        goals=(Goal(what="Rest"),),
    )
    plan = Plan(
        begins=local("2026-05-01T00:00"),
        phases=(change,),
        quiet_hours=(QuietHours(begin=time(22, 30), end=time(6)),),
        goals=(Goal(what="Garden again"),),
    )
    held = phase_at(ONE[0].at, ONE, plan, VIENNA)
    assert held is not None
    there = held.settings
    assert there.posture.slouch_deg == 20
    assert there.posture.hip_lean_deg == DEFAULTS[P].posture.hip_lean_deg
    assert (there.cues.mode, there.cues.budget_per_day, there.cues.delay_s) == (CueMode.OFF, 3, 120)
    assert there.cues.quiet_hours == ((22.5, 6.0),)
    assert (there.effort, there.exercises) == (Effort.TAPERING, ("shrug",))
    assert [goal.what for goal in there.goals] == ["Rest", "Garden again"]
    assert there.reminders == DEFAULTS[P].reminders
    easing = phase_at(local("2026-05-07T12:00"), ONE, plan, VIENNA)
    assert easing is not None
    assert easing.settings.posture == DEFAULTS[E].posture


def names(changes: tuple[Change, ...]) -> list[Phase | None]:
    return [change.now.phase if change.now else None for change in changes]


def test_all_changes_ahead_are_known_at_once() -> None:
    found = timeline(ONE[0].at - timedelta(hours=1), ONE, [], VIENNA)
    assert names(found) == [None, P, E, R, S, M]
    days = ("05-04T10", "05-06T10", "05-12T00", "05-26T00", "06-16T00")
    assert [change.at for change in found[1:]] == [local(f"2026-{day}:00") for day in days]
    assert timeline(ONE[0].at, [], [], VIENNA) == (Change(ONE[0].at, None),)
    assert names(timeline(local("2027-01-01T00:00"), ONE, [], VIENNA)) == [M]


def test_a_plan_that_begins_later_is_among_the_changes() -> None:
    later = Plan(begins=local("2026-05-14T08:00"), quiet_hours=())
    found = timeline(ONE[0].at, ONE, [later], VIENNA)
    assert names(found) == [P, E, R, R, S, M]
    assert found[3].at == later.begins
    assert found[3].now is not None
    assert found[3].now.settings.cues.quiet_hours == ()


@settings(max_examples=25, deadline=None)
@given(
    begins=st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31)),  # noqa: DTZ001
    gaps=st.lists(st.integers(0, 60 * 24), min_size=0, max_size=3),
    courses=st.lists(st.sampled_from(["", "a", "b"]), min_size=4, max_size=4),
    zone=st.sampled_from([VIENNA, NEW_YORK, KOLKATA, LORD_HOWE, APIA]),
)
def test_the_changes_ahead_are_those_that_come(
    begins: datetime, gaps: list[int], courses: list[str], zone: ZoneInfo
) -> None:
    """Looked at every 101 minutes, what holds is what the last change said."""
    at = begins.replace(tzinfo=UTC)
    rows = [injected(at, courses[0])]
    for gap, course in zip(gaps, courses[1:], strict=False):
        rows.append(injected(rows[-1].at + timedelta(hours=gap), course))
    changes = timeline(at, rows, [], zone)
    for step in range(0, 60 * 24 * 200, 101 * 7):
        now = at + timedelta(minutes=step)
        said = [change for change in changes if change.at <= now][-1].now
        held = phase_at(now, rows, None, zone)
        assert said is not None
        assert held is not None
        assert said.settings == held.settings


def test_a_local_time_that_is_skipped_or_shown_twice() -> None:
    assert day_begins(date(2018, 11, 4), SAO_PAULO) == local("2018-11-04T01:00", SAO_PAULO)
    first = local("2026-10-25T02:30")
    assert next_moment(first - timedelta(minutes=1), time(2, 30), VIENNA) == first
    assert next_moment(first, time(2, 30), VIENNA) == first + timedelta(hours=1)
    skipped = next_moment(local("2026-03-29T01:00"), time(2, 30), VIENNA)
    assert local("2026-03-29T01:00") < skipped <= local("2026-03-29T03:30")
