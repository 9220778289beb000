"""The phases ahead as a gateway is told of them: nothing is lost, and what cannot be is refused."""

from datetime import time, timedelta

import msgspec
import pytest
from care_makers import VIENNA, injected, local

from analytics.care.limits import STRICT, schedule
from analytics.care.phases import timeline
from analytics.care.told import (
    checked,
    cues_of,
    due,
    effort_of,
    is_quiet,
    plan_notice,
    posture_of,
    stage_at,
    stages,
)
from analytics.cues.plan import DEFAULT_CUE_PLAN
from poise.care.plans import Cues, Effort, Phase, PhaseChange, Plan, QuietHours, Reminder, Thresholds
from poise.errors import WireError
from poise.notices import decode, encode
from poise.planned import PlannedReminder, PlanNotice, Stage

PLAN = Plan(
    begins=local("2026-03-01T00:00"),
    quiet_hours=(QuietHours(begin=time(22, 30), end=time(6, 15)),),
    phases=(
        PhaseChange(
            phase=Phase.EASING,
            thresholds=Thresholds(slouch_deg=20),
            cues=Cues(mode="threshold", delay_s=90),
            reminders=(Reminder(label="walk", at=time(23), weekdays=(5,)),),
        ),
    ),
)


def us(at) -> int:
    return round(at.timestamp() * 1e6)


def test_a_timeline_comes_back_as_it_was_told():
    for plans in ([], [PLAN]):
        changes = timeline(local("2026-03-01T08:00"), [injected(local("2026-03-10T10:00"))], plans, VIENNA)
        told = decode(encode(PlanNotice(id="1", made_us=1, stages=stages(changes))), PlanNotice)
        assert checked(told) == told
        assert len(told.stages) == len(changes) == 6
        for change, stage in zip(changes, told.stages, strict=True):
            assert stage.from_us == us(change.at)
            if change.now is None:
                assert (stage.phase, effort_of(stage)) == ("", Effort.FREE)
                continue
            held = change.now.settings
            assert (stage.phase, effort_of(stage)) == (held.phase, held.effort)
            assert posture_of(stage) == held.posture
            assert cues_of(stage) == held.cues
            assert stage.goals == [goal.what for goal in held.goals]
            assert [r.label for r in stage.reminders] == [r.label for r in held.reminders]


def test_a_plan_told_again_goes_on_with_the_same_easing():
    injection, now = injected(local("2026-03-10T10:00")), local("2026-03-10T10:00")
    told = []
    for days in (0, 1, 4, 9):
        notice = plan_notice("1", now + timedelta(days=days), [injection], [PLAN], VIENNA)
        told.append(schedule([(s.from_us, effort_of(s)) for s in notice.stages], VIENNA))
    assert told == [told[0]] * 4
    assert told[0][0] == (us(now), STRICT)
    assert told[0][7] == (us(local("2026-03-18T00:00")), None), "strict, six days of easing, off"
    assert {limits for _, limits in told[0][7:]} == {None}


def test_the_stage_at_a_moment():
    told = [Stage(from_us=10), Stage(from_us=20)]
    assert [stage_at(told, t) for t in (9, 10, 19, 20)] == [None, told[0], told[0], told[1]]
    assert stage_at([], 5) is None


@pytest.mark.parametrize(
    "stage",
    [
        {"effort": "herculean"},
        {"posture": {"slouch_deg": -3.0}},
        {"posture": {"slouch_deg": 1e9}},
        {"cues": {"delay_s": 0}},
        {"cues": {"mode": "shout"}},
        {"cues": {"fading": "fast"}},
        {"quiet_hours": [(time(7), time(7))]},
        {"from_us": -1},
    ],
)
def test_what_cannot_be_gone_by_is_refused(stage):
    with pytest.raises(WireError):
        checked(PlanNotice(id="1", made_us=1, stages=[Stage(**({"from_us": 5} | stage))]))


def test_stages_out_of_order_are_refused_and_unknown_fields_are_not():
    for begins in ((5, 5), (6, 5)):
        with pytest.raises(WireError, match="order"):
            checked(PlanNotice(id="1", made_us=1, stages=[Stage(from_us=at) for at in begins]))
    newer = msgspec.json.encode(
        {"v": 1, "id": "1", "made_us": 1, "stages": [{"from_us": 5, "mood": 1}], "x": 2}
    )
    assert cues_of(decode(newer, PlanNotice).stages[0]).delay_s == DEFAULT_CUE_PLAN.delay_s
    assert cues_of(Stage(from_us=0, cues={"never_heard_of": 1})).quiet_hours == ()


def remind(*ats: str, quiet=(("21:00", "07:00"),), weekdays=()) -> Stage:
    return Stage(
        from_us=us(local("2026-03-01T00:00")),
        quiet_hours=[(time.fromisoformat(a), time.fromisoformat(b)) for a, b in quiet],
        reminders=[
            PlannedReminder(label=f"at {at}", at=time.fromisoformat(at), weekdays=list(weekdays))
            for at in ats
        ],
    )


@pytest.mark.parametrize(
    ("stage", "after", "until", "expected"),
    [
        (remind("09:00"), "2026-03-10T08:59", "2026-03-10T09:00", ["at 09:00"]),
        (remind("09:00"), "2026-03-10T09:00", "2026-03-11T08:59", []),
        (remind("23:00"), "2026-03-10T22:00", "2026-03-11T06:59", []),
        (remind("23:00"), "2026-03-10T22:00", "2026-03-11T07:00", ["at 23:00"]),
        (remind("23:00", "02:00"), "2026-03-11T06:00", "2026-03-11T07:00", ["at 02:00", "at 23:00"]),
        (remind("09:00", weekdays=(1,)), "2026-03-09T00:00", "2026-03-15T00:00", ["at 09:00"]),  # Tuesday
        (remind("02:30", quiet=()), "2026-03-29T01:00", "2026-03-29T12:00", ["at 02:30"]),  # skipped hour
        (remind("02:30", quiet=()), "2026-10-25T00:00", "2026-10-25T12:00", ["at 02:30"]),  # twice, told once
        (remind("09:00"), "2026-02-20T00:00", "2026-02-28T12:00", []),
    ],
)
def test_reminders_come_at_local_times_and_wait_in_quiet_hours_as_they_are(stage, after, until, expected):
    assert sorted(one.label for one in due([stage], us(local(after)), us(local(until)), VIENNA)) == expected


def test_every_reminder_is_given_once_however_often_one_looks():
    stage, at, labels = remind("09:00", "23:00", "12:00"), local("2026-03-27T00:00"), []
    until = at + timedelta(days=4)
    while at < until:
        labels += [one.label for one in due([stage], us(at), us(at + timedelta(minutes=7)), VIENNA)]
        at += timedelta(minutes=7)
    assert {label: labels.count(label) for label in set(labels)} == {
        "at 09:00": 4,
        "at 12:00": 4,
        "at 23:00": 4,
    }


def test_a_reminder_belongs_to_the_stage_in_which_it_is_due():
    first = remind("09:00")
    second = Stage(from_us=us(local("2026-03-11T08:00")), reminders=[])
    told = [first, second]
    assert len(due(told, us(local("2026-03-09T00:00")), us(local("2026-03-14T00:00")), VIENNA)) == 2
    assert is_quiet(told, us(local("2026-03-10T22:00")), VIENNA)
    assert not is_quiet(told, us(local("2026-03-11T22:00")), VIENNA)
    assert not is_quiet([], 5, VIENNA)
