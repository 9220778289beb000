"""When a wearer is reminded, when not, and that it does not matter how the frames come."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from cue_helpers import ALWAYS, BARE, HOUR_US, KINDS, NOON_US, at_s, posture, stretch, times
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics import state
from analytics.cues.cue import SENTENCES, Cue, Cued, CueEnded, CueHeldBack, CueMode, HeldBack, How, joined
from analytics.cues.cueing import Cueing
from analytics.cues.exposure import UNITS_PER_SECOND
from analytics.cues.plan import CuePlan
from poise.errors import ConfigurationError
from poise.results import ACTIVITIES, Activity, Kind, PostureFrames, Results


def test_the_load_counts_angle_times_time_and_time_near_upright_takes_it_back() -> None:
    assert at_s(posture(stretch((100, 1.0)))[1]) == pytest.approx([62.4])
    assert at_s(posture(stretch((100, 2.0)))[1]) == pytest.approx([34.9])
    broken = stretch((50, 1.0), (3, 0.2), (50, 1.0))
    assert at_s(posture(broken)[1]) == pytest.approx([50 + 3 + 10 + 4 - 0.1])
    assert not posture(stretch((50, 1.0), (45, 0.2), (50, 1.0)))[1].cues
    assert at_s(posture(stretch((50, 1.0), (45, 0.7), (50, 1.0)))[1])
    sinking = stretch((100, 0.9), (400, 0.97), (40, 1.0))
    assert at_s(posture(sinking)[1]) == pytest.approx([503.7])
    assert not posture(stretch((3600, 0.97)))[1].cues
    assert not posture(broken, replace(ALWAYS, mode=CueMode.THRESHOLD))[1].cues


def oracle_load(ratio: np.ndarray, limit: int) -> list[int]:
    """Load after each frame, one frame at a time, as the words in `exposure` have it; never cued."""
    units, stretch_frames, away, out = 0, 0, 0, list[int]()
    for value in ratio[:, 0].tolist():
        if value >= 0.5:
            weight = 2 if value < 1 else 4 if value < 1.5 else 6 if value < 2 else 8
            most = limit if value >= 1 else limit * 7 // 8
            times = 1 if stretch_frames < 100 else 2 if stretch_frames < 600 else 4
            units = max(units, min(most, units + weight * times))
            stretch_frames, away = stretch_frames + 1, 0
        else:
            units, away = max(0, units - 8), away + 1
            stretch_frames = 0 if away >= 50 else stretch_frames
        out.append(units)
    return out


def wandering(seed: int, n: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    steps = np.repeat(rng.choice([0.1, 0.7, 0.95, 1.0, 1.2, 1.6, 2.5], size=n // 60 + 1), 60)[:n]
    return (steps + np.where(rng.random(n) < 0.02, -0.4, 0.0))[:, None]


def test_the_load_is_that_of_counting_frame_by_frame() -> None:
    ratio = wandering(3, 6000)
    plan = replace(ALWAYS, budget_per_day=0)
    expected = oracle_load(ratio, 60 * UNITS_PER_SECOND)
    cueing, t_us = Cueing(plan), times(600)
    for i in range(0, 6000, 7):
        cueing.update(t_us[i : i + 7], KINDS[:1], ratio[i : i + 7] >= 1, ratio[i : i + 7])
        assert cueing.load_s == expected[min(i + 7, 6000) - 1] / UNITS_PER_SECOND


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    cuts=st.lists(st.integers(1, 11_999), max_size=12),
    mode=st.sampled_from([CueMode.EXPOSURE, CueMode.THRESHOLD]),
)
def test_any_chunking_and_any_restart_give_the_same_cues(seed: int, cuts: list[int], mode: CueMode) -> None:
    rng = np.random.default_rng(seed)
    n = 12_000
    ratio = np.column_stack([wandering(seed, n), wandering(seed + 1, n)])
    ratio[rng.random((n, 2)) < 0.01] = np.nan
    held = ratio >= 1
    activity = np.repeat(rng.integers(0, len(ACTIVITIES), 40), 300).astype(np.int8)
    activity[: n // 2] = ACTIVITIES.index(Activity.SITTING)
    late_us = NOON_US + 12 * HOUR_US - 600_000_000
    t_us = times(n / 10, late_us) + np.repeat(rng.integers(0, 2, 60).cumsum() * 700_000, 200)
    plan = replace(
        ALWAYS, mode=mode, steady_s=20, refractory_s=90, quiet_hours=((0.1, 0.2),), budget_per_day=6
    )

    whole = Cueing(plan).update(t_us, KINDS, held, ratio, activity)
    cueing, cues, kept, ended = Cueing(plan), list[Cue](), list[CueHeldBack](), list[CueEnded]()
    for start, stop in zip([0, *sorted(cuts)], [*sorted(cuts), n], strict=True):
        part = slice(start, stop)
        found = cueing.update(t_us[part], KINDS, held[part], ratio[part], activity[part])
        cues += found.cues
        kept += found.held_back
        ended += found.ended
        cueing = state.restore(state.save(cueing), Cueing)
    assert Cued(tuple(cues), tuple(kept), tuple(ended)) == whole
    assert whole.cues or mode is CueMode.THRESHOLD


def moving(seconds: float, every_s: float = 30, low: float = 0.2, high: float = 0.9) -> np.ndarray:
    """Return (n, 1) of a wearer who goes from one posture to another, all of them allowed."""
    n = round(seconds * 10)
    return np.where(np.arange(n) // round(every_s * 10) % 2, high, low)[:, None]


def test_who_sits_still_is_asked_early_and_who_shifts_is_left_longer() -> None:
    held, up = stretch((200, 1.0)), stretch((20, 0.2))
    assert at_s(posture(held, BARE)[1])[0] == pytest.approx(10 + 5 - 0.1)
    sinking = np.concatenate([stretch((60, 0.2), (300, 0.9)), held])
    assert at_s(posture(sinking, BARE)[1])[0] == pytest.approx(360.6)
    (first, *_) = posture(np.concatenate([moving(300), up, held]), BARE)[1].cues
    assert (first.limit_s, (first.t_us - NOON_US) / 1e6) == (105.0, pytest.approx(320 + 60 + 25 - 0.1))
    long_ago = np.concatenate([moving(300), stretch((700, 0.2)), held])
    assert at_s(posture(long_ago, BARE)[1])[0] == pytest.approx(1000 + 15 - 0.1)
    fidgets = np.concatenate([np.tile(stretch((27, 0.7), (3, 0.0)), (10, 1)), up, held])
    assert posture(fidgets, BARE)[1].cues[0].limit_s == 10.0


def test_what_a_cue_brings_about_or_what_nobody_sees_is_no_shift_of_ones_own() -> None:
    answers = np.tile(stretch((30, 1.0), (30, 0.1)), (10, 1))
    assert {cue.limit_s for cue in posture(answers, replace(BARE, refractory_s=10))[1].cues} == {10.0}
    walks = np.full(3600, ACTIVITIES.index(Activity.WALKING), np.int8)
    walks[3000:] = ACTIVITIES.index(Activity.SITTING)
    ratio = np.concatenate([moving(300), stretch((60, 1.0))])
    assert posture(ratio, BARE, activity=walks)[1].cues[0].limit_s == 10.0
    unseen = moving(300)
    unseen[::50] = np.nan
    assert posture(np.concatenate([unseen, stretch((60, 1.0))]), BARE)[1].cues[0].limit_s == 10.0


def test_who_did_not_follow_several_of_the_last_cues_is_not_left_longer() -> None:
    ignores, varies = stretch((300, 1.0)), np.concatenate([moving(300), stretch((200, 1.0))])
    cues = posture(np.concatenate([ignores, varies]), BARE)[1].cues
    assert [cue.limit_s for cue in cues][-1] == 10.0
    follows = np.tile(stretch((16, 1.0), (120, 0.1)), (8, 1))
    cues = posture(np.concatenate([ignores, follows, varies]), BARE)[1].cues
    assert [cue.limit_s for cue in cues][-1] == 105.0


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), cuts=st.lists(st.integers(1, 19_999), max_size=12))
def test_the_limit_changes_at_the_same_frames_however_these_come(seed: int, cuts: list[int]) -> None:
    rng = np.random.default_rng(seed)
    lapse, part = stretch((30, 0.2), (40 + seed % 10, 1.1), (60, 0.1)), []
    for _ in range(2):
        varied = np.repeat(rng.permutation(np.tile([0.1, 0.6, 0.9], 12)), 200)[:, None]
        part += [lapse, varied, stretch((20, 0.2), (150, 1.1))]
    ratio = np.concatenate(part)[:20_000]
    ratio[rng.random(20_000) < 0.0005] = np.nan
    whole, t_us = posture(ratio, BARE)[1], times(2000)
    assert {cue.limit_s for cue in whole.cues} == {10.0, 105.0}
    cueing, parts = Cueing(BARE), list[Cued]()
    for start, stop in zip([0, *sorted(cuts)], [*sorted(cuts), 20_000], strict=True):
        rows = slice(start, stop)
        parts.append(cueing.update(t_us[rows], KINDS[:1], ratio[rows] >= 1, ratio[rows]))
        cueing = state.restore(state.save(cueing), Cueing)
    assert joined(parts) == whole


def test_a_cue_says_what_to_do_about_the_posture_furthest_gone() -> None:
    ratio = np.tile([1.2, 1.7], (900, 1))
    cueing = Cueing(ALWAYS)
    (cue,) = cueing.update(times(90), KINDS, ratio >= 1, ratio).cues
    assert cue.kind is Kind.FORWARD_HEAD
    assert cue.sentence == SENTENCES[Kind.FORWARD_HEAD]
    assert (cue.mode, cue.used, cue.load_s) == (CueMode.EXPOSURE, 1, 60.0)
    assert set(SENTENCES) == set(Kind)
    assert all(sentence.count(".") == 1 and len(sentence) < 80 for sentence in SENTENCES.values())


def test_an_unanswered_cue_is_repeated_less_and_less_and_an_answer_forgets_that() -> None:
    cued = posture(stretch((1500, 1.0)))[1]
    gaps = np.diff([at_s(cued)])[0]
    assert gaps.tolist() == pytest.approx([120, 240, 480])
    assert [cue.unanswered for cue in cued.cues] == [0, 1, 2, 3]
    answered = posture(stretch((400, 1.0), (200, 0.0), (400, 1.0)))[1]
    assert [cue.unanswered for cue in answered.cues][-2:] == [0, 1]


def ends(ratio: np.ndarray, plan: CuePlan, **more: Any) -> list[tuple[How, float]]:
    cued = posture(ratio, plan, **more)[1]
    return [(end.how, round((end.t_us - end.cue_us) / 1e6, 1)) for end in cued.ended]


def test_a_cue_asks_until_the_wearer_is_near_upright_and_a_threshold_only_until_just_inside() -> None:
    load, inside = replace(ALWAYS, varied_s=15), replace(ALWAYS, mode=CueMode.THRESHOLD, delay_s=15)
    sits_up = stretch((20, 1.0), (2, 0.9), (2, 0.3), (1, 0.6), (20, 0.3))
    assert ends(sits_up, load) == [(How.CONTENT, 10.0)]
    assert ends(sits_up, inside) == [(How.CONTENT, 5.1)]
    assert ends(stretch((20, 1.0), (100, 0.9)), load) == [(How.IN_VAIN, 30.0)]
    assert ends(stretch((75, 1.0)), replace(load, repeat_s=20))[0] == (How.IN_VAIN, 20.0)
    doing = np.where(np.arange(600) < 220, 0, ACTIVITIES.index(Activity.WALKING)).astype(np.int8)
    doing[:220] = ACTIVITIES.index(Activity.SITTING)
    assert ends(stretch((60, 1.0)), load, activity=doing) == [(How.AWAY, 2.1)]
    cueing, ratio = Cueing(load), stretch((30, 1.0))
    (cue,) = cueing.update(times(30), KINDS[:1], ratio >= 1, ratio).cues
    assert cueing.asking
    assert "until" in cue.until
    cueing.pause(NOON_US + HOUR_US)
    assert not cueing.asking


def test_threshold_cueing_starts_after_the_delay_and_repeats_after_its_refractory_time() -> None:
    plan = replace(ALWAYS, mode=CueMode.THRESHOLD, delay_s=15, refractory_s=30)
    cued = posture(stretch((70, 1.0), (1.5, 0.0), (20, 3.0), (3, 0.0), (10, 3.0)), plan)[1]
    assert at_s(cued) == pytest.approx([14.9, 44.9, 74.9])
    assert not cued.held_back


def frames(ratio: np.ndarray, calibration: str = "c") -> Results:
    """Return a slouch of `ratio` times its 12 degrees as a pipeline would."""
    n = len(ratio)
    angle = np.radians(12.0) * ratio
    part = PostureFrames(
        NOON_US, calibration, ("t4",), times(n / 10), angle, np.zeros((n, 1)), KINDS[:1], ratio >= 1
    )
    return Results((part,))


def test_results_of_the_pipeline_are_fed_and_stale_or_uncalibrated_ones_bring_no_cue() -> None:
    results = frames(stretch((80, 1.75)))
    end_us = NOON_US + 80_000_000
    (cue,) = Cueing(ALWAYS).feed(results).cues
    assert (cue.t_us - NOON_US) / 1e6 == pytest.approx(10 + (60 - 7.5) / 1.5 - 0.1)
    assert not Cueing(ALWAYS).feed(frames(stretch((80, 1.75)), "")).cues
    stale = Cueing(ALWAYS).feed(results, end_us + 60_000_000)
    assert not stale.cues
    assert [kept.reason for kept in stale.held_back] == [HeldBack.STALE]
    assert not Cueing(replace(ALWAYS, mode=CueMode.OFF)).feed(results).cues
    assert not Cueing(replace(ALWAYS, kinds=(Kind.SIDE_BEND,))).feed(results).cues


def test_bad_frames_never_raise() -> None:
    cueing, ratio = Cueing(ALWAYS), np.full((50, 2), np.nan)
    ratio[::3], ratio[1::3] = np.inf, -np.inf
    held = np.ones((50, 2), np.bool_)
    t_us = np.full(50, NOON_US)
    t_us[10:20] = NOON_US - HOUR_US
    t_us[30:] += np.arange(20) * HOUR_US
    assert not cueing.update(t_us, KINDS, held, ratio, np.full(50, 99, np.int8)).cues
    assert not cueing.update(t_us, KINDS, held, ratio, np.full(3, -5, np.int8)).cues
    assert cueing.update(t_us[:0], KINDS, held[:0]) == Cued()


@pytest.mark.parametrize(
    "wrong",
    [
        {"delay_s": 0},
        {"varied_s": 0},
        {"steady_s": 0},
        {"patience": 0.5},
        {"budget_per_day": -1},
        {"fading": ((7, 0.5), (0, 1.0))},
        {"quiet_hours": ((22.0, 25.0),)},
    ],
)
def test_a_plan_that_cannot_be_is_refused_with_a_sentence(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="must"):
        CuePlan(**wrong)
