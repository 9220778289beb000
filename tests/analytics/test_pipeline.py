"""The laws of docs/postures.md, on bodies whose angles are known exactly."""

from dataclasses import replace

import numpy as np
import posed
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from posed_minute import BEGIN_US, MOUNTS, NOISY, SECONDS, chunked, leans, stored
from scipy.spatial.transform import Rotation

from analytics.pipeline import Pipeline, joined
from analytics.posture.rules import MEASURES
from poise.results import GRID_US, Episode, Kind, Results
from poise.samples import ImuBatch


def run(batches: list[ImuBatch], *, pipeline: Pipeline | None = None) -> Results:
    pipeline = pipeline or Pipeline()
    pipeline.calibrate(posed.calibration())
    return joined([pipeline.update(batches), pipeline.finish()])


def kinds(results: Results) -> dict[Kind, Episode]:
    return {episode.kind: episode for episode in results.episodes}


def test_forward_head_and_one_rounded_shoulder_are_found_with_their_times() -> None:
    found = kinds(run(posed.person(leans())))
    assert set(found) == {Kind.FORWARD_HEAD, Kind.ROUNDED_SHOULDER_RIGHT}
    head = found[Kind.FORWARD_HEAD]
    assert head.start_us == pytest.approx(posed.START_US + 10_600_000, abs=400_000)
    assert head.end_us == pytest.approx(posed.START_US + 45_500_000, abs=500_000)
    assert head.detected_us - head.start_us == 10_000_000
    assert np.degrees(head.peak_rad) == pytest.approx(15.0, abs=0.5)
    assert not head.remarks
    assert set(head.sensors) == {"c7", "t4"}


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ({"c7": [(5, 22)], "t4": [(5, 26)], "lumbar": [(5, 3)]}, Kind.SLOUCH),
        ({"c7": [(5, 18)], "t4": [(5, 18)], "lumbar": [(5, 16)]}, Kind.HIP_LEAN),
        ({"c7": [(5, 2)], "head": [(5, 35)]}, Kind.LOOKING_DOWN),
        ({"c7": [(5, -4)], "t4": [(5, -20)], "lumbar": [(5, -25)]}, None),
    ],
)
def test_one_spine_kind_at_a_moment(
    script: dict[str, list[tuple[float, float]]], expected: Kind | None
) -> None:
    calm = {"c7": [(0, 0)], "t4": [(0, 0)], "head": [(0, 0)], "scapula_right": [(0, 0)]}
    calm |= {name: script["t4"] for name in ("scapula_left", "scapula_right") if "t4" in script}
    found = set(kinds(run(posed.person(leans(calm | script)))))
    assert found == ({expected} if expected else set())


def test_without_thorax_the_remark_says_so() -> None:
    worn = {s: a for s, a in leans().items() if s in ("c7", "scapula_left", "scapula_right")}
    found = kinds(run(posed.person(worn)))
    assert found[Kind.FORWARD_HEAD].remarks == ("thorax unseen",)


def test_uncalibrated_frames_have_no_angles_and_no_episodes() -> None:
    pipeline = Pipeline()
    results = joined([pipeline.update(posed.person(leans())), pipeline.finish()])
    assert not results.episodes
    assert not results.seconds
    assert all(np.isnan(frames.sagittal).all() and frames.calibration == "" for frames in results.frames)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, SECONDS * 50 - 1), max_size=40))
def test_law_1_any_chunking_gives_the_same_bits(cuts: list[int]) -> None:
    def conclude(chunks: list[list[ImuBatch]]) -> tuple[object, ...]:
        pipeline = Pipeline()
        pipeline.calibrate(posed.calibration(MOUNTS))
        return stored([*(pipeline.update(chunk) for chunk in chunks), pipeline.finish()])

    assert conclude(chunked(NOISY, cuts)) == conclude([NOISY])


def test_law_2_streams_equal_their_batch_oracle() -> None:
    results = run(posed.person(leans()))
    t_us = np.concatenate([frames.t_us for frames in results.frames])
    names = results.frames[0].segments
    sagittal = np.concatenate([frames.sagittal for frames in results.frames])
    neck = sagittal[:, names.index("c7")] - sagittal[:, names.index("t4")]
    for second in (s for s in results.seconds if s.stream == MEASURES[0]):
        inside = neck[t_us // 1_000_000 == second.t_s]
        assert second.mean == pytest.approx(inside.mean(), abs=1e-12)
        assert (second.low, second.high) == (inside.min(), inside.max())
        assert second.coverage == len(inside) / 10
    episode = kinds(results)[Kind.FORWARD_HEAD]
    inside = neck[(t_us >= episode.start_us) & (t_us < episode.last_us)]
    assert episode.mean_rad == pytest.approx(inside.mean(), abs=1e-6)
    assert episode.peak_rad == pytest.approx(inside.max(), abs=1e-6)
    spent = sum(x.seconds for x in results.exposures if x.kind == Kind.FORWARD_HEAD)
    assert spent == pytest.approx((episode.last_us - episode.start_us) / 1e6)
    assert sum(x.seconds for x in results.exposures if x.kind == "seen") == pytest.approx(len(t_us) / 10)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**31))
def test_law_3_turning_a_sensor_and_calibrating_again_changes_no_angle(seed: int) -> None:
    mounts = dict(zip(posed.SEGMENTS, Rotation.random(len(posed.SEGMENTS), rng=seed), strict=True))
    plain, turned = Pipeline(), Pipeline()
    plain.calibrate(posed.calibration())
    turned.calibrate(posed.calibration(mounts))
    a = joined([plain.update(posed.person(leans())), plain.finish()]).frames
    b = joined([turned.update(posed.person(leans(), mounts)), turned.finish()]).frames
    first, second = (np.concatenate([frames.sagittal for frames in part]) for part in (a, b))
    assert np.degrees(np.abs(first - second).max()) < 0.1


def test_law_6_bad_samples_never_raise() -> None:
    rng = np.random.default_rng(3)
    pipeline = Pipeline()
    pipeline.calibrate(posed.calibration())
    for second in range(40):
        batches = [b.part(second * 50, second * 50 + 50) for b in NOISY]
        noise = rng.integers(-32767, 32768, (50, 3)).astype(np.int16)
        spoilt = rng.integers(0, len(batches))
        batches[spoilt] = replace(
            batches[spoilt], acc=noise if second % 2 else np.zeros_like(noise), gyr=noise
        )
        if second % 7 == 0:
            batches = batches[::-1][: second % 5]
        if second % 11 == 0:
            batches.append(replace(NOISY[0].part(0, 50), segment="left ear"))
        pipeline.update(batches)
    pipeline.finish()


def test_late_samples_are_counted_and_change_nothing() -> None:
    pipeline = Pipeline()
    pipeline.calibrate(posed.calibration())
    pipeline.update([b.part(0, 500) for b in NOISY])
    assert dict(pipeline.update([NOISY[0].part(100, 150)]).remarks) == {"late": 50}


def test_a_silence_over_five_seconds_ends_the_run_and_shorter_ones_do_not() -> None:
    def runs(gap_s: float) -> set[int]:
        later = posed.person(leans(), start_us=posed.START_US + SECONDS * 1_000_000 + round(gap_s * 1e6))
        pipeline = Pipeline()
        pipeline.calibrate(posed.calibration())
        parts = [pipeline.update(posed.person(leans())), pipeline.update(later), pipeline.finish()]
        return {frames.run_us for frames in joined(parts).frames}

    assert len(runs(4.5)) == 1
    assert len(runs(5.5)) == 2


def test_frames_inside_a_gap_are_left_out_not_invented() -> None:
    batches = posed.person(leans())
    holed = [part for b in batches for part in (b.part(0, 1000), b.part(1150, 3000))]
    t_us = np.concatenate([frames.t_us for frames in run(holed).frames])
    gap = (posed.START_US + 20_000_000 + GRID_US, posed.START_US + 23_000_000 - GRID_US)
    assert not ((t_us > gap[0]) & (t_us < gap[1])).any()
    assert (t_us < gap[0]).any()
    assert (t_us > gap[1]).any()


def test_a_new_calibration_ends_the_run_from_its_time_on() -> None:
    again = replace(posed.calibration(), id="c-again", made_us=BEGIN_US + 30_000_000)
    pipeline = Pipeline()
    pipeline.calibrate(posed.calibration())
    first = pipeline.update([b.part(0, 1000) for b in NOISY])
    pipeline.calibrate(again)
    results = joined([first, pipeline.update([b.part(1000, 3000) for b in NOISY]), pipeline.finish()])
    for frames in results.frames:
        assert frames.calibration == ("c-again" if frames.run_us >= again.made_us else "c-test")
    assert {frames.calibration for frames in results.frames} == {"c-test", "c-again"}


def test_a_restarted_worker_that_feeds_the_run_again_gets_the_same_bits() -> None:
    whole = Pipeline()
    whole.calibrate(posed.calibration())
    expected = stored([whole.update([b.part(77, 3000) for b in NOISY]), whole.finish()])
    again = Pipeline(since_us=int(NOISY[0].t_us[77]))
    again.calibrate(posed.calibration())
    assert stored([again.update(NOISY), again.finish()]) == expected
