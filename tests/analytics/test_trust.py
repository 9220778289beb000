"""What is known of a calibration outlives runs: what has ended stays ended until the next calibration."""

from dataclasses import fields, replace
from itertools import pairwise

import numpy as np
import posed
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from watched_days import KNOWN, WORN, day, moments

from analytics.conclusions import Conclusions, joined
from analytics.motion.moments import Moments
from analytics.pipeline import Pipeline
from analytics.wearing import doubts
from analytics.wearing.doubts import Cause, Standing
from analytics.wearing.trust import UNDOUBTED, Trust
from analytics.wearing.validity import Validity
from poise.samples import ImuBatch

SAGITTAL, FRONTAL = day(75)
FRONTAL[25 * 600 :, WORN.index("t4")] += 15
SAGITTAL[45 * 600 :, WORN.index("c7")] += 80
for _segment, _from, _to in (("lumbar", 3000, 24000), ("head", 10_000, 36_000)):
    SAGITTAL[_from:_to, WORN.index(_segment)] = np.nan
WHOLE = moments(SAGITTAL, FRONTAL)


def watched(watch: Validity, i: int, j: int) -> None:
    made, sagittal, frontal = WHOLE
    seen = [c for c in range(len(WORN)) if np.isfinite(sagittal[i:j, c]).any()] or [0]
    part = {
        x.name: np.take(value[i:j], seen, axis=1) if (value := getattr(made, x.name)).ndim > 1 else value[i:j]
        for x in fields(made)
        if x.name != "segments"
    }
    names = tuple(WORN[c] for c in seen)
    watch.update(Moments(segments=names, **part), sagittal[i:j, seen], frontal[i:j, seen])


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, len(SAGITTAL) - 1), max_size=12, unique=True))
def test_a_watch_that_is_handed_on_from_run_to_run_goes_on_as_if_unbroken(cuts: list[int]) -> None:
    """Also where a run lacks the sensors that were silent all through it."""
    unbroken, trust = Validity(KNOWN), UNDOUBTED
    for i, j in pairwise([0, *sorted(cuts), len(SAGITTAL)]):
        watch = Validity(KNOWN, trust)
        watched(watch, i, j)
        trust = watch.trust()
    watched(unbroken, 0, len(SAGITTAL))
    found = {(d.cause, d.segments, d.t_us, d.sentence) for d in trust.doubts}
    assert found == {(d.cause, d.segments, d.t_us, d.sentence) for d in unbroken.doubts}
    assert {cause for cause, *_ in found} == {Cause.SLIPPED, Cause.OFF, Cause.AWAY}
    assert trust.standing is unbroken.standing is Standing.ENDED
    assert trust.frame == unbroken.trust().frame


def sitting(after_s: float, seconds: int = 20, start_us: int = posed.START_US) -> list[ImuBatch]:
    leans = {name: np.linspace(0, 3, seconds * 50) for name in posed.SEGMENTS}
    return posed.person(leans, start_us=start_us + round(after_s * 1e6))


def pipeline() -> Pipeline:
    made = Pipeline()
    made.calibrate(posed.calibration())
    made.update(sitting(0))
    return made


def concluded(pipeline: Pipeline, *stretches: list[ImuBatch]) -> Conclusions:
    return joined([*(pipeline.update(stretch) for stretch in stretches), pipeline.finish()])


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [(20, Standing.HOLDS), (45, Standing.RECHECK), (8 * 60 + 20, Standing.ENDED)],
)
def test_all_sensors_silent_for_long_is_known_to_the_run_after_it(minutes: int, expected: Standing) -> None:
    made = pipeline()
    found = concluded(made, sitting(minutes * 60))
    assert made.trust.standing is expected
    assert [d.cause for d in found.doubts] == [Cause.AWAY] * (expected is not Standing.HOLDS)
    assert np.isnan(found.frames[-1].sagittal).all() == (expected is Standing.ENDED)


def test_a_clock_that_was_set_back_ends_the_calibration() -> None:
    made = pipeline()
    made.update(sitting(600))
    little = concluded(made, sitting(590))
    assert (made.trust.standing, dict(little.remarks)) == (Standing.HOLDS, {"late": 6000})
    back = concluded(made, sitting(630), sitting(400))
    assert [(d.cause, d.standing, d.segments) for d in back.doubts] == [
        (Cause.TIME_JUMP, Standing.ENDED, tuple(posed.calibration().alignments))
    ]
    assert np.isnan(back.frames[-1].sagittal).all()
    assert np.isfinite(back.frames[0].sagittal).any()


def test_what_has_ended_stays_ended_over_runs_until_a_new_calibration() -> None:
    made, known = Pipeline(), posed.calibration()
    ended = Trust((doubts.put_back("c7", posed.START_US),))
    made.calibrate(known, ended)
    for after_s in (0, 60, 120):
        frames = concluded(made, sitting(after_s)).frames[-1]
        unseen = np.isnan(frames.sagittal).all(axis=0)
        assert [segment == "c7" for segment in frames.segments] == unseen.tolist()
        made = Pipeline.restore(made.save())
    assert made.trust.standing is Standing.ENDED
    made.calibrate(replace(known, id="c-new", made_us=posed.START_US + 170_000_000))
    frames = concluded(made, sitting(180)).frames[-1]
    assert (frames.calibration, made.trust.standing) == ("c-new", Standing.HOLDS)
    assert np.isfinite(frames.sagittal).all()


def test_a_re_check_settles_a_doubt_and_makes_nothing_whole_that_had_ended() -> None:
    known = posed.calibration()
    slipped = doubts.slipped("t4", 12, aside=True, t_us=posed.START_US)
    ended = doubts.put_back("c7", posed.START_US)
    for found, left in (((slipped,), ()), ((slipped, ended), (ended,))):
        made = Pipeline()
        made.calibrate(known, Trust(found))
        made.update(sitting(0))
        renewed = replace(known, id="c-new", made_us=posed.START_US + 20_000_000, renews=known.id)
        made.calibrate(renewed)
        frames = concluded(made, sitting(20)).frames[-1]
        assert (frames.calibration, made.trust.doubts) == ("c-new", left)
        assert np.isnan(frames.sagittal).all(axis=0).any() == bool(left)


def test_the_same_doubt_is_kept_once_as_it_was_known_first() -> None:
    early, late = doubts.put_back("c7", 5), doubts.put_back("c7", 9)
    other = doubts.slipped("t4", 12, aside=True, t_us=7)
    both = Trust((late, other)).with_doubts([early])
    assert both.doubts == (early, other)
    assert both.as_of(6).doubts == (early,)
    assert both.void_us == {"c7": 5}
    assert Trust((other,)).standing is Standing.RECHECK
