"""Prompts and check-ins: due, delivered after quiet hours with their label, open, answered, missed."""

from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from care_makers import APIA, KOLKATA, NEW_YORK, VIENNA, answer, identity, injected, local

from analytics.care.checkins import OPEN_H, Asked, State, asked, silent
from analytics.care.prompts import About, check_in_due, delivered, prompts
from analytics.care.settings import QUIET
from poise.care.first_days import CheckIn, Which
from poise.care.injections import Injection
from poise.care.plans import Phase, PhaseChange, Plan, QuietHours, Reminder

KEY = identity(1)
H2, H24, H48, H72, D7 = Which
LUNCH = QuietHours(begin=time(12), end=time(13, 30))
NIGHT = QUIET[0]
MORNING = QuietHours(begin=time(0), end=time(12))


@pytest.mark.parametrize(
    ("zone", "at", "which", "due"),
    [
        (VIENNA, "2026-05-04T10:00", H2, "2026-05-04T12:00"),
        (VIENNA, "2026-05-04T10:00", H24, "2026-05-05T10:00"),
        (VIENNA, "2026-05-04T10:00", H48, "2026-05-06T10:00"),
        (VIENNA, "2026-05-04T10:00", H72, "2026-05-07T10:00"),
        (VIENNA, "2026-05-04T10:00", D7, "2026-05-11T10:00"),
        # Hours are elapsed, day 7 is at the same local time: across both changes of the clocks.
        (VIENNA, "2026-03-28T10:00", H24, "2026-03-29T11:00"),
        (VIENNA, "2026-03-28T10:00", D7, "2026-04-04T10:00"),
        (VIENNA, "2026-10-24T10:00", H72, "2026-10-27T09:00"),
        (NEW_YORK, "2026-10-31T16:00", H48, "2026-11-02T15:00"),
        (NEW_YORK, "2026-10-31T16:00", D7, "2026-11-07T16:00"),
        (KOLKATA, "2026-10-24T10:00", H72, "2026-10-27T10:00"),
        # On a local time that the clocks skip on day 7.
        (VIENNA, "2026-03-22T02:30", D7, "2026-03-29T03:30"),
        # Over a day that there was not.
        (APIA, "2011-12-24T09:00", D7, "2011-12-31T09:00"),
    ],
)
def test_check_ins_are_due_by_elapsed_hours_and_on_the_seventh_local_day(
    zone: ZoneInfo, at: str, which: Which, due: str
) -> None:
    assert check_in_due(injected(local(at, zone)), which, zone) == local(due, zone)


@pytest.mark.parametrize(
    ("due", "quiet", "deliver"),
    [
        ("2026-05-04T12:00", (NIGHT,), "2026-05-04T12:00"),
        ("2026-05-04T20:59", (NIGHT,), "2026-05-04T20:59"),
        ("2026-05-04T21:00", (NIGHT,), "2026-05-05T07:00"),
        ("2026-05-05T00:00", (NIGHT,), "2026-05-05T07:00"),
        ("2026-05-05T06:59:59", (NIGHT,), "2026-05-05T07:00"),
        ("2026-05-05T07:00", (NIGHT,), "2026-05-05T07:00"),
        ("2026-05-04T12:15", (NIGHT, LUNCH), "2026-05-04T13:30"),
        ("2026-05-04T22:00", (), "2026-05-04T22:00"),
        # One begins as another ends: wait for both.
        ("2026-05-04T23:00", (QuietHours(begin=time(7), end=time(8)), NIGHT), "2026-05-05T08:00"),
        # The whole day is quiet: better asked than never.
        ("2026-05-04T10:00", (MORNING, QuietHours(begin=time(12), end=time(0))), "2026-05-04T10:00"),
        # Through the nights in which the clocks change.
        ("2026-03-28T22:00", (NIGHT,), "2026-03-29T07:00"),
        ("2026-10-24T22:00", (NIGHT,), "2026-10-25T07:00"),
        # Quiet until 2:30, which is skipped: until the clocks show what comes after it.
        ("2026-03-29T01:00", (QuietHours(begin=time(0), end=time(2, 30)),), "2026-03-29T03:30"),
    ],
)  # fmt: skip
def test_a_prompt_waits_until_quiet_hours_end(due: str, quiet: tuple[QuietHours, ...], deliver: str) -> None:
    assert delivered(local(due), quiet, VIENNA) == local(deliver)


def test_quiet_until_an_hour_that_comes_twice_ends_after_the_moment_at_which_it_is_asked() -> None:
    """At 2:10 for the second time it is quiet until the second 2:30, not until the first, which is over."""
    quiet = (QuietHours(begin=time(0), end=time(2, 30)),)
    assert delivered(local("2026-10-25T02:10"), quiet, VIENNA) == local("2026-10-25T02:30")
    second = local("2026-10-25T02:10", fold=1)
    assert delivered(second, quiet, VIENNA) == local("2026-10-25T02:30", fold=1)


def test_a_delayed_check_in_keeps_its_label() -> None:
    injection = injected(local("2026-05-04T19:30"))
    found = prompts(injection.at, injection.at + timedelta(hours=20), {KEY: injection}, [], VIENNA)
    first = next(prompt for prompt in found if prompt.about is About.CHECK_IN)
    assert (first.label, first.injection) == ("2h", KEY)
    assert (first.due, first.deliver) == (local("2026-05-04T21:30"), local("2026-05-05T07:00"))


def labels(
    begin: str, end: str, injection: Injection, plans: list[Plan] | None = None
) -> list[tuple[str, str]]:
    found = prompts(local(begin), local(end), {KEY: injection}, plans or [], VIENNA)
    return [(f"{prompt.deliver.astimezone(VIENNA):%d %H:%M}", prompt.label) for prompt in found]


ONE = injected(local("2026-05-04T10:00"))


def test_the_prompts_of_the_first_day() -> None:
    assert labels("2026-05-04T00:00", "2026-05-05T00:00", ONE) == [
        ("04 12:00", "2h"), ("04 12:00", "gentle movement"), ("04 15:00", "gentle movement"),
        ("04 18:00", "gentle movement"),
    ]  # fmt: skip


def test_reminders_follow_the_phase_and_ratings_are_asked_for_weekly() -> None:
    assert labels("2026-05-11T00:00", "2026-05-13T00:00", ONE) == [
        ("11 09:00", "gentle movement"), ("11 10:00", "day7"), ("11 12:00", "gentle movement"),
        ("11 15:00", "gentle movement"), ("11 18:00", "gentle movement"), ("11 18:00", "weekly ratings"),
        ("12 17:00", "exercises"),
    ]  # fmt: skip


def test_a_therapists_reminders_and_weekly_time_hold_from_the_beginning_of_the_plan() -> None:
    own = PhaseChange(
        phase=Phase.RESTORING, reminders=(Reminder(label="stretch", at=time(22), weekdays=(2,)),)
    )
    plan = Plan(
        begins=local("2026-05-13T12:00"),
        phases=(own,),
        weekly=Reminder(label="how it goes", at=time(8), weekdays=(3,)),
        quiet_hours=(QuietHours(begin=time(21, 30), end=time(6)),),
    )
    assert labels("2026-05-12T00:00", "2026-05-15T00:00", ONE, [plan]) == [
        ("12 17:00", "exercises"), ("14 06:00", "stretch"), ("14 08:00", "how it goes"),
    ]  # fmt: skip


def test_nothing_is_prompted_before_the_first_injection() -> None:
    assert labels("2026-04-01T00:00", "2026-05-04T10:00", ONE) == []


def test_prompts_of_adjoining_times_are_those_of_both_together() -> None:
    rows = {KEY: ONE, identity(2): injected(local("2026-05-08T15:00"), "a")}
    cuts = [ONE.at + timedelta(hours=h) for h in (-5, 1, 2, 30, 31, 100, 200, 700)]
    parts = [p for a, b in pairwise(cuts) for p in prompts(a, b, rows, [], VIENNA)]
    whole = prompts(cuts[0], cuts[-1], rows, [], VIENNA)
    assert sorted(parts, key=repr) == sorted(whole, key=repr)


def stand(now: datetime, answers: list[CheckIn], quiet: tuple[QuietHours, ...] = QUIET) -> tuple[Asked, ...]:
    return asked(now, KEY, ONE, answers, quiet, VIENNA)


A, N, Y, L, X = State


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-05-04T11:59", [A, A, A, A, A]),
        ("2026-05-04T12:00", [N, A, A, A, A]),
        ("2026-05-05T01:59", [N, A, A, A, A]),
        ("2026-05-05T02:00", [X, A, A, A, A]),
        ("2026-05-05T10:00", [X, N, A, A, A]),
        ("2026-05-06T10:00", [X, X, N, A, A]),
        ("2026-05-07T10:00", [X, X, X, N, A]),
        ("2026-05-08T10:00", [X, X, X, X, A]),
        ("2026-05-11T10:00", [X, X, X, X, N]),
        ("2026-05-13T09:59", [X, X, X, X, N]),
        ("2026-05-13T10:00", [X, X, X, X, X]),
    ],
)
def test_a_check_in_is_ahead_then_open_then_missed(now: str, expected: list[State]) -> None:
    assert [one.state for one in stand(local(now), [])] == expected


@pytest.mark.parametrize(
    ("given", "which", "expected"),
    [
        ("2026-05-04T12:30", H2, [Y, X, X]),
        ("2026-05-05T01:59", H2, [Y, X, X]),
        ("2026-05-05T09:00", H2, [L, X, X]),
        ("2026-05-05T09:00", None, [X, X, X]),
        ("2026-05-06T20:00", H48, [X, X, Y]),
    ],
)
def test_an_answer_counts_for_the_check_in_that_it_names(
    given: str, which: Which | None, expected: list[State]
) -> None:
    found = stand(local("2026-05-07T09:00"), [answer(local(given), KEY, which, soreness=1)])
    assert [one.state for one in found[:3]] == expected


def test_of_two_answers_the_last_holds_and_what_is_not_about_it_or_later_is_passed_over() -> None:
    first, second = (answer(local(f"2026-05-04T{h}:00"), KEY, H2, soreness=h % 10) for h in (13, 14))
    other = answer(local("2026-05-04T13:00"), identity(9), H24)
    later = answer(local("2026-05-05T11:00"), KEY, H24)
    found = stand(local("2026-05-05T10:30"), [second, other, first, later])
    assert (found[0].state, found[0].answer) == (Y, second)
    assert found[1].state is N


def test_quiet_hours_delay_a_check_in_and_leave_time_to_answer() -> None:
    late = injected(local("2026-05-04T19:30"))
    quiet = (QuietHours(begin=time(20), end=time(13)),)
    first = asked(late.at, KEY, late, [], quiet, VIENNA)[0]
    assert (first.which, first.opens) == (H2, local("2026-05-05T13:00"))
    assert first.closes == local("2026-05-05T17:00")


def test_with_the_default_quiet_hours_one_check_in_closes_before_the_next_opens() -> None:
    for hour in range(24 * 60):
        injection = injected(datetime(2026, 3, 1, tzinfo=UTC) + timedelta(hours=hour))
        row = asked(injection.at, KEY, injection, [], QUIET, VIENNA)
        for earlier, later in pairwise(row):
            assert earlier.closes <= max(later.opens, later.due)
            assert earlier.opens < earlier.closes
    assert set(OPEN_H) == set(Which)


@pytest.mark.parametrize(
    ("now", "answered", "expected"),
    [
        ("2026-05-05T03:00", [], False),
        ("2026-05-06T02:00", [], True),
        ("2026-05-06T01:59", [], False),
        ("2026-05-06T02:00", [H2], False),
        ("2026-05-07T02:00", [H2], True),
        ("2026-05-07T02:00", [H2, H48], False),
        ("2026-05-14T00:00", [H2, H24, H48], True),
        ("2026-05-14T00:00", [D7], False),
    ],
)
def test_two_missed_in_a_row_ask_the_team_to_call(now: str, answered: list[Which], expected: bool) -> None:
    given = [answer(check_in_due(ONE, which, VIENNA), KEY, which) for which in answered]
    assert silent(stand(local(now), given)) is expected
