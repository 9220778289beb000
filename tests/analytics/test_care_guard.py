"""The guard of the activity: what is too much, from when to when, and what never is."""

from datetime import datetime
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import sitting_recordings as sitting
from exercise_poses import POSES
from exercisers import EVERYWHERE, Plan, perform
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.care.guard import ActivityGuard, unseen
from analytics.care.limits import STRICT, USUAL, GuardLimits, eased, schedule
from analytics.care.soft import BETWEEN_US, SENTENCES, SoftNotices
from analytics.pipeline import Pipeline
from analytics.state import restore, save
from device.wearer import Wearer
from poise.care.plans import Effort
from poise.errors import ConfigurationError
from poise.results import ACTIVITIES, Activity, PostureFrames
from poise.strain import Exceedance, Strain

START_US = 1_790_000_000_000_000
G = 9.80665
ARMS = ("t4", "wrist_right", "upper_arm_right", "scapula_right")
MIXED = ("c7", "t4", "lumbar", "scapula_left", "scapula_right", "upper_arm_right", "wrist_left")


def frames(seconds: float, *, start_s: float = 0.0, segments=ARMS, activity=Activity.STANDING, **columns):
    """Return frames at rest, upright, but for columns such as `force_wrist_right` or `sagittal_t4`."""
    n, m = round(seconds * 10), len(segments)
    arrays = {name: np.zeros((n, m)) for name in ("sagittal", "frontal", "rate", "force", "shake")}
    arrays["force"] += G
    for name, values in columns.items():
        kind, _, segment = name.partition("_")
        arrays[kind][:, segments.index(segment)] = values
    return PostureFrames(
        START_US,
        "k1",
        segments,
        START_US + round(start_s * 1e6) + np.arange(n, dtype=np.int64) * 100_000,
        kinds=(),
        held=np.zeros((n, 0), np.bool_),
        activity=np.full(n, ACTIVITIES.index(activity), np.int8),
        **arrays,
    )


def judged(*parts: PostureFrames, limits: GuardLimits | None = STRICT) -> list[Exceedance]:
    guard = ActivityGuard(limits)
    return [e for part in parts for e in guard.update(part)] + guard.finish()


def mg(value: float) -> float:
    return G * (1 + value / 1000)


def bends(seconds: float, every_s: float, deg: float) -> np.ndarray:
    t = np.arange(round(seconds * 10)) / 10
    return np.radians(deg) * np.clip(np.sin(2 * np.pi * t / every_s), 0, 1)


def rad(deg: float) -> float:
    return float(np.radians(deg))


@pytest.mark.parametrize(
    ("columns", "strict", "usual"),
    [
        ({"force_wrist_right": mg(95)}, set(), set()),
        ({"force_wrist_right": mg(110)}, {Strain.VIGOROUS_ARMS}, set()),
        ({"force_wrist_right": mg(440)}, {Strain.VIGOROUS_ARMS}, {Strain.VIGOROUS_ARMS}),
        ({"force_wrist_right": np.nan, "rate_upper_arm_right": rad(85)}, set(), set()),
        ({"force_wrist_right": np.nan, "rate_upper_arm_right": rad(100)}, {Strain.VIGOROUS_ARMS}, set()),
        ({"rate_upper_arm_right": rad(300)}, set(), set()),  # the wrist is worn and says otherwise
        ({"sagittal_upper_arm_right": rad(-55)}, set(), set()),
        ({"sagittal_upper_arm_right": rad(-70)}, {Strain.OVERHEAD}, set()),
        ({"frontal_upper_arm_right": rad(70)}, {Strain.OVERHEAD}, set()),
        ({"sagittal_upper_arm_right": rad(-170)}, {Strain.OVERHEAD}, {Strain.OVERHEAD}),
        ({"sagittal_upper_arm_right": np.nan}, set(), set()),
        ({"sagittal_t4": bends(180, 20, 40)}, set(), set()),
        ({"sagittal_t4": bends(180, 20, 55)}, {Strain.LIFTING_LIKE}, set()),
        ({"sagittal_t4": bends(180, 20, 80)}, {Strain.LIFTING_LIKE}, {Strain.LIFTING_LIKE}),
        ({"sagittal_t4": bends(180, 80, 80)}, set(), set()),  # held for long, and only twice
        ({"sagittal_t4": np.full(1800, rad(80))}, set(), set()),
    ],
)
def test_what_is_too_much_by_the_limits_of_the_day(columns, strict, usual):
    for limits, expected in ((STRICT, strict), (USUAL, usual), (None, set())):
        assert {e.kind for e in judged(frames(180, **columns), limits=limits)} == expected


@pytest.mark.parametrize(
    ("activity", "columns", "expected"),
    [
        (Activity.WALKING, {"force_wrist_right": mg(600)}, set()),
        (Activity.NOT_WORN, {"force_wrist_right": mg(600)}, set()),
        (Activity.MOVING, {"force_wrist_right": mg(600)}, {Strain.VIGOROUS_ARMS}),
        (Activity.LYING, {"sagittal_upper_arm_right": rad(-90)}, set()),
        (Activity.LYING, {"sagittal_t4": bends(180, 20, 80)}, set()),
        (Activity.UNKNOWN, {"sagittal_t4": bends(180, 20, 80)}, {Strain.LIFTING_LIKE}),
    ],
)
def test_walking_lying_and_sensors_taken_off_do_not_count(activity, columns, expected):
    assert {e.kind for e in judged(frames(180, activity=activity, **columns))} == expected


def test_an_exceedance_is_told_once_it_is_known_and_ends_when_calm_returns():
    guard = ActivityGuard(STRICT)
    assert guard.update(frames(90, force_wrist_right=mg(200))) == []
    (began,) = guard.update(frames(20, start_s=90, force_wrist_right=mg(200)))
    first_us = START_US + 2_400_000  # half an epoch must be seen before it is judged
    assert began == Exceedance(Strain.VIGOROUS_ARMS, first_us, None, estimate=False, about=("wrist_right",))
    assert guard.update(frames(60, start_s=110)) == []
    (ended,) = guard.update(frames(60, start_s=170))
    assert (ended.kind, ended.start_us) == (began.kind, began.start_us)
    assert 110 <= (ended.end_us - START_US) / 1e6 <= 115
    assert guard.finish() == []


def test_the_shoulder_blade_speaks_only_for_a_side_without_an_arm_sensor_and_as_an_estimate():
    moved = {"rate_scapula_right": rad(50)}
    assert judged(frames(180, **moved)) == []
    (began, _) = judged(frames(180, segments=("t4", "scapula_right"), **moved))
    assert (began.kind, began.estimate, began.about) == (Strain.VIGOROUS_ARMS, True, ("scapula_right",))
    turned = frames(180, segments=("t4", "scapula_right"), rate_t4=rad(50), **moved)
    assert judged(turned) == [], "the whole trunk turns"


def test_a_guided_exercise_is_left_out():
    guard = ActivityGuard(STRICT)
    guard.exercise(START_US, START_US + 170_000_000)
    whole = frames(
        180, force_wrist_right=mg(600), sagittal_upper_arm_right=rad(-100), sagittal_t4=bends(180, 20, 80)
    )
    assert guard.update(whole) + guard.finish() == []


def noisy(seconds: float) -> PostureFrames:
    rng = np.random.default_rng(5)
    n = round(seconds * 10)
    slow = np.repeat(rng.uniform(0, 1, n // 600 + 1), 600)[:n] > 0.4
    holes = rng.uniform(0, 1, n) < 0.05
    return frames(
        seconds,
        force_wrist_right=np.where(holes, np.nan, mg(150) * slow + G * ~slow),
        sagittal_upper_arm_right=np.where(slow, rad(-80), 0.0),
        sagittal_t4=np.where(holes, np.nan, bends(seconds, 37, 70)),
    )


NOISY = noisy(1500)
EASING = (
    (0, STRICT),
    (START_US + 600_000_000, eased(0.1)),
    (START_US + 900_000_050, None),
    (START_US + 1_000_000_000, STRICT),
)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 15_000), max_size=12))
def test_any_chunking_and_a_restart_give_the_same(cuts):
    whole, parts = ActivityGuard(), ActivityGuard()
    whole.plan(EASING)
    parts.plan(EASING)
    found = []
    edges = sorted({0, *cuts, 15_000})
    for start, stop in pairwise(edges):
        found += parts.update(NOISY.part(slice(start, stop)))
        parts = restore(save(parts), ActivityGuard)
    by_kind = lambda rows: sorted(rows, key=lambda e: (e.kind, e.start_us, e.end_us or 0))  # noqa: E731
    expected = by_kind(whole.update(NOISY) + whole.finish())
    assert len(expected) >= 6
    assert by_kind(found + parts.finish()) == expected


def test_a_clock_set_back_a_gap_and_frames_without_intensity_do_no_harm():
    guard = ActivityGuard(STRICT)
    (began,) = guard.update(frames(110, force_wrist_right=mg(200)))
    (ended,) = guard.update(frames(10, start_s=-3600))
    assert (ended.start_us, ended.end_us) == (began.start_us, START_US + 109_900_000)
    late = ActivityGuard(STRICT)
    late.update(frames(110, force_wrist_right=mg(200)))
    (ended,) = late.update(frames(1, start_s=7200))
    assert ended.end_us == START_US + 109_900_000
    bare = frames(180, force_wrist_right=mg(600))
    bare = PostureFrames(
        *(
            getattr(bare, name)
            for name in ("run_us", "calibration", "segments", "t_us", "sagittal", "frontal", "kinds", "held")
        )
    )
    assert judged(bare) == []


@pytest.mark.parametrize("reps_and_pace", [(12, 1.5), (25, 3.0)])
@pytest.mark.parametrize("exercise", [*POSES, "arm_circles", "big_circles", "walking", "sitting"])
def test_no_exercise_done_in_a_usual_set_is_ever_held_against_the_wearer(exercise, reps_and_pace):
    done = perform(Plan(exercise, *reps_and_pace, busy=True), 3, rate_hz=30.0)
    for segments in (EVERYWHERE, EVERYWHERE[:8], EVERYWHERE[:6]):
        batches = [b for segment in segments for b in done.parts[segment]]
        assert through(batches, done.calibration) == [], segments


def test_two_minutes_of_fast_arm_work_are_noticed_and_not_if_they_were_asked_for():
    done = perform(Plan("arm_raise", 90, 1.5), 1, ("t4", "wrist_right"), 30.0)
    batches = [b for part in done.parts.values() for b in part]
    assert {e.kind for e in through(batches, done.calibration)} == {Strain.VIGOROUS_ARMS}
    span = (START_US + round(done.start_s * 1e6), START_US + round(done.stop_s * 1e6))
    assert through(batches, done.calibration, exercise=span) == []


def through(batches, calibration, exercise=None) -> list[Exceedance]:
    pipeline, guard = Pipeline(), ActivityGuard(STRICT)
    pipeline.calibrate(calibration)
    if exercise:
        guard.exercise(*exercise)
    parts = [*pipeline.update(batches).frames, *pipeline.finish().frames]
    return [e for part in parts for e in guard.update(part)] + guard.finish()


@pytest.mark.recordings
def test_people_who_sit_exceed_nothing():
    sitting.require()
    for subject in sitting.subjects():
        session = sitting.load(subject)
        pipeline, guard = Pipeline(), ActivityGuard(STRICT)
        pipeline.calibrate(sitting.own_calibration(session))
        found, messages = [], iter(session.messages)
        while some := list(islice(messages, 60)):
            for part in pipeline.update([batch for message in some for batch in message.batches]).frames:
                found += guard.update(part)
        assert found + guard.finish() == [], subject


def test_simulated_days_exceed_nothing():
    for script, seed in (("distractors", 1), ("short", 2), ("desk", 3)):
        person = Wearer(script, seed=seed, segments=MIXED, rate_hz=30.0)
        batches = [
            b for m in person.to_messages(START_US, "s", min(person.length_s or 900, 900)) for b in m.batches
        ]
        assert through(batches, person.true_calibration(START_US)) == [], script


BERLIN = ZoneInfo("Europe/Berlin")


def us(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp() * 1e6)


def test_tapering_eases_by_local_days_also_over_a_change_of_the_clocks():
    begins, ends = us("2026-03-26T15:00"), us("2026-04-01T00:00")
    rows = schedule(
        [(us("2026-03-24T15:00"), Effort.GENTLE), (begins, Effort.TAPERING), (ends, Effort.BUILDING)], BERLIN
    )
    assert rows[0] == (us("2026-03-24T15:00"), STRICT)
    assert [at for at, _ in rows[1:]] == [
        begins,
        *(us(f"2026-03-{day}T00:00") for day in (27, 28, 29, 30, 31)),
        ends,
    ]
    assert rows[-1] == (ends, None)
    bars = [limits.enmo_mg for _, limits in rows[:-1]]
    assert bars == sorted(bars)
    assert bars[0] < bars[1] < bars[-1] < USUAL.enmo_mg
    assert eased(0) == STRICT
    assert eased(1) == USUAL


def test_a_taper_without_end_comes_to_the_usual_limit_after_a_week():
    rows = schedule([(us("2026-05-01T10:00"), Effort.TAPERING)], BERLIN)
    assert len(rows) == 8
    assert rows[-1] == (us("2026-05-08T00:00"), USUAL)
    assert schedule([(5, Effort.FREE)], BERLIN) == ((5, None),)


def test_one_calm_sentence_and_not_again_for_half_an_hour():
    soft, t = SoftNotices(), START_US
    arms, high = (
        Exceedance(kind, t, None, estimate=False, about=())
        for kind in (Strain.VIGOROUS_ARMS, Strain.OVERHEAD)
    )
    said = [
        soft.say(arms, newest_us=t, now_us=t, quiet=True),
        soft.say(arms, newest_us=t, now_us=t + 5_000_001, quiet=False),
        soft.say(arms, newest_us=t, now_us=t + 1, quiet=False),
        soft.say(high, newest_us=t + BETWEEN_US, now_us=t + BETWEEN_US, quiet=False),
        soft.say(high, newest_us=t + BETWEEN_US, now_us=t + 1 + BETWEEN_US, quiet=False),
        soft.say(
            Exceedance(Strain.OVERHEAD, t, t, estimate=False, about=()),
            newest_us=2 * t,
            now_us=2 * t,
            quiet=False,
        ),
    ]
    assert said == [None, None, SENTENCES[Strain.VIGOROUS_ARMS], None, SENTENCES[Strain.OVERHEAD], None]
    assert SENTENCES.keys() == set(Strain)


@pytest.mark.parametrize(
    ("segments", "words"),
    [
        (("t4", "scapula_left"), ["high", "estimated", "lifted"]),
        (("t4", "upper_arm_left"), ["lifted"]),
        (("wrist_left",), ["high", "T4", "lifted"]),
        (("head",), ["high", "is not noticed", "T4", "lifted"]),
    ],
)
def test_it_says_what_it_cannot_see(segments, words):
    said = unseen(segments)
    assert len(said) == len(words)
    assert all(word in sentence for word, sentence in zip(words, said, strict=True))


def test_limits_that_cannot_be_are_refused():
    for wrong in ({"enmo_mg": 0.0}, {"share": 1.1}, {"window_s": 700.0}, {"bend_deg": 15.0}):
        with pytest.raises(ConfigurationError):
            GuardLimits(
                **(
                    {
                        "enmo_mg": 1.0,
                        "arm_deg_s": 1.0,
                        "blade_deg_s": 1.0,
                        "overhead_deg": 1.0,
                        "bend_deg": 30.0,
                        "bends": 1,
                    }
                    | wrong
                )
            )
