"""What holds a cue back: activities, quiet hours, a pause, the day's budget."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from cue_helpers import ALWAYS, HOUR_US, KINDS, NOON_US, at_s, posture, stretch, times

from analytics.cues.cue import HeldBack
from analytics.cues.cueing import Cueing
from poise.results import ACTIVITIES, Activity, Kind


@pytest.mark.parametrize(
    ("activity", "reason"),
    [
        (Activity.WALKING, HeldBack.WALKING),
        (Activity.LYING, HeldBack.LYING),
        (Activity.MOVING, HeldBack.MOVING),
        (Activity.NOT_WORN, None),
    ],
)
def test_never_while_walking_lying_moving_or_not_worn(activity: Activity, reason: HeldBack | None) -> None:
    doing = np.full(3000, ACTIVITIES.index(activity), np.int8)
    cued = posture(stretch((300, 1.5)), activity=doing)[1]
    assert not cued.cues
    assert [kept.reason for kept in cued.held_back] == ([reason] if reason else [])


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"quiet_hours": ((11.0, 13.0),)}, HeldBack.QUIET_HOURS),
        ({"budget_per_day": 0}, HeldBack.BUDGET),
        ({"fading": ((0, 1.0), (10, 0.0)), "first_day": 19_980}, HeldBack.FADED),
    ],
)
def test_what_holds_a_cue_back_is_kept_once(more: dict[str, Any], reason: HeldBack) -> None:
    cued = posture(stretch((600, 1.0)), replace(ALWAYS, **more))[1]
    assert not cued.cues
    assert [(kept.reason, kept.kind, kept.load_s) for kept in cued.held_back] == [(reason, Kind.SLOUCH, 60.0)]


def test_quiet_hours_are_those_of_the_wearer_and_end_in_a_cue_only_if_still_held() -> None:
    plan = replace(ALWAYS, quiet_hours=((21.0, 7.0),))
    ratio = stretch((600, 1.0))
    late = {"start_us": NOON_US + 9 * HOUR_US - 300_000_000}
    assert [c.t_us < NOON_US + 9 * HOUR_US for c in posture(ratio, plan, **late)[1].cues] == [True, True]
    assert len(posture(ratio, plan, utc_offset_s=-3600, **late)[1].cues) == 3
    ends = {"start_us": NOON_US - 5 * HOUR_US - 300_000_000}
    assert posture(ratio, plan, **ends)[1].cues[0].t_us == NOON_US - 5 * HOUR_US
    assert not posture(stretch((290, 1.0), (300, 0.0)), plan, **ends)[1].cues


def test_a_pause_holds_until_its_end_and_can_be_ended() -> None:
    cueing, ratio = Cueing(ALWAYS), stretch((170, 1.0))
    cueing.pause(NOON_US + 150_000_000)
    cued = cueing.update(times(170), KINDS[:1], ratio >= 1, ratio)
    assert at_s(cued) == [150.0]
    assert [kept.reason for kept in cued.held_back] == [HeldBack.PAUSE]


def test_the_budget_is_of_the_local_day_and_fading_makes_it_smaller_and_the_delay_longer() -> None:
    plan = replace(ALWAYS, budget_per_day=4, refractory_s=60, patience=1.0)
    ratio, before_midnight = stretch((1800, 1.0)), NOON_US + 12 * HOUR_US - 900_000_000
    cued = posture(ratio, plan, start_us=before_midnight)[1]
    assert [cue.used for cue in cued.cues] == [1, 2, 3, 4, 1, 2, 3, 4]
    faded = replace(plan, fading=((0, 1.0), (7, 0.5)), first_day=19_990)
    cued = posture(ratio, faded)[1]
    assert [(cue.budget, cue.limit_s) for cue in cued.cues] == [(2, 120.0)] * 2


def test_no_cue_while_the_wearer_is_coming_back() -> None:
    up = np.linspace(2.0, 1.0, 30)[:, None]
    ratio = np.concatenate([stretch((33.5, 2.0)), up, stretch((20, 0.2))])
    cued = posture(ratio)[1]
    assert not cued.cues
    assert [kept.reason for kept in cued.held_back] == [HeldBack.COMING_BACK]
    stays = np.concatenate([stretch((33.5, 2.0)), up, stretch((20, 1.0))])
    assert len(posture(stays)[1].cues) == 1
