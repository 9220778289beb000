"""The first days of fifty simulated patients: every flag where the script put it, none in normal healing."""

from collections import Counter
from datetime import timedelta

import pytest
from first_week import COURSES, STEP, Script, Week, play, scripts

from analytics.care.checkins import State
from poise.care.flags import FlagCode, Urgency
from poise.care.plans import Phase
from poise.care.red_flags import FLAG_TEXTS

FIFTY = list(scripts())
NAMES = [f"{number:02} {script.name}" for number, script in enumerate(FIFTY)]


@pytest.fixture(scope="module")
def weeks() -> list[Week]:
    return [play(script) for script in FIFTY]


def test_there_are_fifty_and_some_of_each() -> None:
    assert len(FIFTY) == 50
    assert Counter(script.name for script in FIFTY) == {name: n for name, (n, _) in COURSES.items()}


@pytest.mark.parametrize("number", range(50), ids=NAMES)
def test_every_flag_is_where_the_script_put_it_and_nowhere_else(weeks: list[Week], number: int) -> None:
    assert weeks[number].raised() == FIFTY[number].flags


def test_normal_healing_raises_none_and_all_of_it_is_answered(weeks: list[Week]) -> None:
    normal = [week for week in weeks if week.script.name == "normal healing"]
    assert len(normal) == 18
    for week in normal:
        assert (week.flags, week.silent) == ({}, [])
        assert week.states == [State.ANSWERED] * 5


def test_a_flag_is_told_with_the_answer_that_raised_it(weeks: list[Week]) -> None:
    for week in weeks:
        for flag in week.flags.values():
            assert flag.source is not None
            assert flag.at == week.check_ins[flag.source].at
            assert flag.urgency is FLAG_TEXTS[flag.code].urgency


def test_a_flag_is_up_from_its_answer_until_the_team_has_dealt_with_it(weeks: list[Week]) -> None:
    for week in weeks:
        hours = week.script.handled_h
        for key, flag in week.flags.items():
            until = None if hours is None else flag.at + timedelta(hours=hours)
            for now, up in week.up:
                assert (key in up) is (flag.at <= now and (until is None or now < until))


def test_no_answers_ask_the_team_to_call_and_raise_no_flag(weeks: list[Week]) -> None:
    for week in weeks:
        assert bool(week.silent) is week.script.silent
        if week.script.silent:
            assert week.flags == {}
            assert week.silent[-1] == week.up[-1][0]
            assert week.states.count(State.MISSED) == 5 - len(week.script.answers)


def test_every_patient_goes_through_the_first_phases(weeks: list[Week]) -> None:
    for week in weeks:
        assert week.phases == [Phase.PROTECTED, Phase.EASING, Phase.RESTORING]


def test_the_scripts_hold_what_they_are_named_after() -> None:
    """So that no test above is passed by scripts that ask for nothing."""
    wanted = {
        "infection": {FlagCode.SITE, FlagCode.FEVER},
        "allergy": {FlagCode.SKIN_REACTION, FlagCode.BREATHING, FlagCode.FACE_OR_THROAT},
        "nerve signs": {FlagCode.NERVE},
        "rising soreness": {FlagCode.SORENESS},
        "bleeding": {FlagCode.BLEEDING},
        "pain that stays": {FlagCode.PAIN},
    }

    def of(script: Script) -> set[FlagCode]:
        return set().union(*script.flags.values()) if script.flags else set()

    for name in COURSES:
        those = [of(script) for script in FIFTY if script.name == name]
        assert set().union(*those) == wanted.get(name, set())
        assert all(those) is (name in wanted)
    urgent = {FLAG_TEXTS[code].urgency for script in FIFTY for code in of(script)}
    assert urgent == set(Urgency)
    zones = {script.zone.key for script in FIFTY}
    assert len(zones) == 4
    assert any(script.at.astimezone(script.zone).hour >= 19 for script in FIFTY)
    soonest = min(script.handled_h for script in FIFTY if script.handled_h)
    assert timedelta(hours=soonest) > STEP
