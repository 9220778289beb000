"""Exposure by quarter of an hour: against a slow oracle, in any portions, and over days and phases."""

import json
from collections import Counter
from dataclasses import replace
from datetime import date

import exposure_oracle as oracle
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.exposure.counts import DURATIONS_S, Counts, QuarterExposure, merged
from analytics.exposure.days import Period, local_days, phases, summarise
from analytics.exposure.figures import (
    angle_percentiles,
    cycles_per_minute,
    eva,
    rate_percentiles,
    rula,
    seen_s,
    zones_s,
)
from analytics.exposure.muscles import Muscle, muscle_loads
from analytics.exposure.streams import StreamAngles, streams, unseen_exposure
from analytics.exposure.tracker import ExposureTracker
from analytics.posture.rules import Worn
from analytics.state import restore, save
from poise.results import ACTIVITIES

BEGIN = 1_790_000_100 * 10 // 9000 * 9000
NAMES = (
    "head",
    "c7",
    "head_relative",
    "neck",
    "trunk",
    "side_bend",
    "head_side",
    "shoulder_left",
    "raise_left",
)


def day(seed: int, n: int, names=NAMES):
    """Return frames, angles and activities of a made-up person: postures held, sway, gaps, walks."""
    rng = np.random.default_rng(seed)
    frames = BEGIN + 4321 + np.arange(n)
    angles = {}
    for name in names:
        held = np.repeat(rng.normal(8, 14, n // 50 + 1), rng.geometric(1 / 300, n // 50 + 1))[:n]
        held = np.pad(held, (0, n - len(held)), mode="edge")
        angle = np.radians(np.convolve(held + rng.normal(0, 0.4, n), np.ones(5) / 5, mode="same"))
        for at in rng.integers(0, n, 6):
            angle[at : at + rng.integers(1, 400)] = np.nan
        angles[name] = angle
    doing = np.zeros(n, np.int8)
    for at in rng.integers(0, n, 8):
        doing[at : at + rng.integers(20, 900)] = rng.integers(0, len(ACTIVITIES))
    kept = np.ones(n, bool)
    for at in rng.integers(0, n, 3):
        kept[at : at + rng.integers(1, 50)] = False
    return frames[kept], {name: a[kept] for name, a in angles.items()}, doing[kept]


def track(frames, angles, doing, cuts=(), *, settled_only=False):
    """Return the rows by quarter when the frames come in portions, with a restored state in between."""
    tracker, rows = ExposureTracker(7), {}
    for i, j in zip([0, *cuts], [*cuts, len(frames)], strict=True):
        part = StreamAngles.of({name: a[i:j] for name, a in angles.items()})
        tracker.update(frames[i:j], part, doing[i:j])
        if i % 3 == 0:
            new = {row.quarter_s: row for row in tracker.quarters(settled_only=settled_only)}
            assert not (settled_only and new.keys() & rows.keys())
            rows |= new
            tracker = restore(save(tracker), ExposureTracker)
    return rows | {row.quarter_s: row for row in tracker.finish()}


def names_of(doing):
    return [str(ACTIVITIES[d]) for d in doing]


@pytest.mark.parametrize("seed", [1, 2])
def test_every_figure_equals_the_oracle(seed):
    frames, angles, doing = day(seed, 18_000)
    rows = track(frames, angles, doing)
    seen = oracle.judged(frames, angles, names_of(doing))
    assert sorted(rows) == sorted({int(f) // 9000 * 900 for f in frames})
    total = merged(row.counts for row in rows.values())
    for name in NAMES:
        values, speeds = list(seen[name].values()), list(oracle.speeds(seen[name]).values())
        assert seen_s(total, name) == pytest.approx(len(values) / 10)
        angle, rate = angle_percentiles(total, name), rate_percentiles(total, name)
        assert angle is not None
        assert rate is not None
        for got, share in ((angle.p10, 0.1), (angle.p50, 0.5), (angle.p90, 0.9)):
            assert abs(got - oracle.percentile(values, share)) <= 0.25
        for got, share in ((rate.p10, 0.1), (rate.p50, 0.5), (rate.p90, 0.9)):
            assert abs(got - oracle.percentile(speeds, share)) <= (0.26 if got < 10 else 0.025 * got)
        zones = (sum(v < 10 for v in values), sum(10 <= v < 20 for v in values), sum(v >= 20 for v in values))
        assert zones_s(total, name, (10, 20)) == pytest.approx([n / 10 for n in zones])
        stream = total.row(name)
        assert total.dose[stream] / 60_000 == pytest.approx(oracle.dose(seen[name]))
        cells = oracle.eva(seen[name])
        covered, length = oracle.static(oracle.second_means(seen[name]))
        for quarter_s, row in rows.items():
            q, counts = quarter_s // 900, row.counts
            got = {tuple(c): int(counts.eva[stream][*c]) for c in np.argwhere(counts.eva[stream]).tolist()}
            assert got == dict(cells[q])
            assert counts.static_s[stream] == sum(s // 900 == q for s in covered)
            longest = [n for s, n in length.items() if s // 900 == q]
            assert counts.longest_static_s[stream] == max(longest, default=0)
    check_moments(rows, seen)
    check_events(rows, seen, frames, doing)


def check_moments(rows, seen):
    moments = oracle.by_moment(seen)
    for scores, name in ((oracle.rula_neck, "rula_neck"), (oracle.rula_trunk, "rula_trunk")):
        found = Counter((f // 9000, scores(at)) for f, at in moments.items())
        for quarter_s, row in rows.items():
            expected = [found[quarter_s // 900, score] for score in range(6)]
            assert getattr(row.counts, name).tolist() == expected


def check_events(rows, seen, frames, doing):
    means = {name: oracle.second_means(seen[name]) for name in ("trunk", "side_bend")}
    shifts = Counter(s // 900 for s in oracle.shifts(means["trunk"], means["side_bend"]))
    breaks = Counter(s // 900 for s in oracle.breaks(frames, names_of(doing)))
    assert sum(shifts.values()) > 0
    for quarter_s, row in rows.items():
        assert (row.counts.shifts, row.counts.breaks) == (shifts[quarter_s // 900], breaks[quarter_s // 900])


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 9), st.lists(st.integers(1, 11_999), max_size=12, unique=True).map(sorted))
def test_any_portions_and_a_restored_state_give_the_same_rows(seed, cuts):
    frames, angles, doing = day(seed, 12_000)
    cuts = [c for c in cuts if c < len(frames)]
    whole, parts = track(frames, angles, doing), track(frames, angles, doing, cuts)
    assert whole == parts
    assert len(whole) == 2


def test_live_portions_of_a_second_give_the_same_rows():
    frames, angles, doing = day(5, 12_000)
    live = track(frames, angles, doing, range(7, len(frames), 10))
    assert live == track(frames, angles, doing)
    assert live == track(frames, angles, doing, range(7, len(frames), 60), settled_only=True)


def test_streams_that_join_later_and_bad_data_do_no_harm():
    frames, angles, doing = day(3, 6000)
    tracker = ExposureTracker(7)
    only = StreamAngles.of({"c7": angles["c7"][:3010], "no stream": angles["c7"][:3010]})
    tracker.update(frames[:3010], only, doing[:3010])
    more = StreamAngles.of({name: a[3010:] for name, a in angles.items()})
    tracker.update(frames[3010:], more, doing[3010:])
    late = {name: np.where(np.arange(len(frames)) < 3010, np.nan, a) for name, a in angles.items()}
    expected = track(frames, late | {"c7": angles["c7"]}, doing)
    assert {row.quarter_s: row for row in tracker.finish()} == expected
    odd = ExposureTracker(7)
    odd.update(frames[:4], StreamAngles.of({"c7": np.array([np.nan, np.inf, -1e300, 4.0])}))
    odd.update(frames[:4], StreamAngles.of({"c7": np.zeros(4)}))
    odd.update(frames[:1] + 10**9, StreamAngles.of({}))
    counted = merged(row.counts for row in odd.finish())
    assert (odd.late, seen_s(counted, "c7"), counted.judged, counted.activity.sum()) == (4, 0.0, 0, 5)


def test_quarters_merge_as_sums_and_go_through_json():
    first, second = (list(track(*day(seed, 9000)).values()) for seed in (1, 2))
    back = [QuarterExposure.from_plain(json.loads(json.dumps(row.to_plain()))) for row in first]
    assert back == first
    every = [row.counts for row in first + second]
    one, other = merged(every), merged(reversed(every))
    assert one == other
    assert one.judged == sum(c.judged for c in every)
    assert len(json.dumps(first[0].to_plain())) < 8000
    assert Counts.zero().merge(every[0]) == every[0].merge(Counts.zero())
    empty = QuarterExposure(0, 0, Counts.zero())
    assert QuarterExposure.from_plain(json.loads(json.dumps(empty.to_plain()))) == empty


def test_a_stretch_over_a_quarters_end_is_one_stretch():
    n = 4000
    frames = BEGIN + 7000 + np.arange(n)
    rows = track(frames, {"trunk": np.full(n, np.radians(15.0))}, np.zeros(n, np.int8))
    for row, share in zip(rows.values(), (2000, 2000), strict=True):
        assert row.counts.eva[0, 2, len(DURATIONS_S)] == share
        assert row.counts.static_s[0] == share / 10
        scores = rula(row.counts)
        assert (scores.trunk, scores.trunk_static, scores.neck) == (2.0, 1.0, None)
    assert [int(row.counts.longest_static_s[0]) for row in rows.values()] == [200, 400]


def test_a_stretch_seen_now_and_then_waits_for_its_class_over_many_quarters():
    frames = BEGIN + np.arange(0, 29_000, 10)
    rows = track(
        frames, {"trunk": np.zeros(len(frames))}, np.zeros(len(frames), np.int8), range(30, 2900, 30)
    )
    assert [int(row.counts.eva[0, 1, len(DURATIONS_S) - 1]) for row in rows.values()] == [900, 900, 900, 200]


def test_swings_are_counted_and_a_posture_taken_once_is_not():
    t = np.arange(6000) / 10
    nodding = np.radians(np.where((t >= 100) & (t < 220), 8 * np.sin(2 * np.pi * t / 4), 0.0))
    step = np.radians(np.where(t > 300, 20.0, 0.0))
    frames = BEGIN + np.arange(len(t))
    counts = merged(
        r.counts for r in track(frames, {"head": nodding + step}, np.zeros(6000, np.int8)).values()
    )
    assert abs(int(counts.cycles[0]) - 30) <= 1
    rate = cycles_per_minute(counts, "head")
    assert rate == pytest.approx(counts.cycles[0] / 10)


def test_walking_is_activity_and_no_posture():
    frames = BEGIN + np.arange(3000)
    walking = np.full(3000, ACTIVITIES.index("walking"), np.int8)
    counts = merged(r.counts for r in track(frames, {"c7": np.full(3000, 0.7)}, walking).values())
    assert (counts.judged, counts.breaks, seen_s(counts, "c7")) == (0, 1, 0.0)
    assert counts.activity[ACTIVITIES.index("walking")] == 3000
    assert (rula(counts).neck, rula(counts).neck_static) == (None, None)
    assert eva(counts, "c7") is None


@pytest.mark.parametrize(
    ("zone", "first", "hours"),
    [
        ("Europe/Vienna", date(2026, 3, 29), 23),
        ("Europe/Vienna", date(2026, 10, 25), 25),
        ("Europe/Vienna", date(2026, 7, 1), 24),
        ("Asia/Kathmandu", date(2026, 7, 1), 24),
        ("Australia/Adelaide", date(2026, 10, 4), 23),
        ("Australia/Lord_Howe", date(2026, 10, 4), 23.5),
    ],
)
def test_a_local_day_holds_all_its_quarters_and_no_other(zone, first, hours):
    (period,) = local_days(first, first, zone)
    assert period.hours == hours
    assert period.start_us % 900_000_000 == period.end_us % 900_000_000 == 0
    begins = range(period.start_us // 1_000_000 - 7200, period.end_us // 1_000_000 + 7200, 900)
    whole = Counts.zero(("trunk",))
    whole.judged, whole.angle[0, 81] = 9000, 9000
    summary = summarise([QuarterExposure(s, 1, whole) for s in begins], period)
    assert summary.coverage == 1.0
    assert summary.judged_s == hours * 3600


def test_figures_need_time_seen_and_rates_are_by_time_seen():
    (monday,) = local_days(date(2026, 11, 2), date(2026, 11, 2), "Europe/Vienna")
    start_s = monday.start_us // 1_000_000
    counts = Counts.zero(("trunk",))
    counts.judged, counts.angle[0, 91], counts.shifts = 9000, 9000, 4
    row = QuarterExposure(start_s, 1, counts)
    enough = summarise([row, replace(row, run_us=2), replace(row, run_us=2)], monday)
    assert (enough.judged_s, enough.shifts_per_hour) == (1800.0, 16.0)
    assert enough.breaks_per_hour is None  # nothing is known of what the wearer did
    half = Counts.zero(("trunk",))
    half.judged, half.angle[0, 91], half.shifts = 4500, 4500, 2
    little = summarise([QuarterExposure(start_s, 1, half)], monday)
    assert little.shifts_per_hour is None
    assert little.streams["trunk"].angle_deg is None
    assert summarise([], monday).streams == {}
    before, after = phases(date(2026, 10, 25), "Europe/Vienna", {"before": (-7, -1), "after": (0, 6)}.copy())
    assert (before.hours, after.hours, before.end_us) == (168, 169, after.start_us)
    assert isinstance(after, Period)


def test_the_load_index_follows_its_terms_and_says_what_it_does_not_see():
    n = 36_000
    bent = {
        "head": 20.0,
        "c7": 10.0,
        "head_side": -10.0,
        "shoulder_right": 15.0,
        "shoulder_left": 0.0,
        "trunk": 0.0,
    }
    angles = {name: np.full(n, np.radians(v)) for name, v in bent.items()}
    counts = merged(r.counts for r in track(BEGIN + np.arange(n), angles, np.zeros(n, np.int8)).values())
    loads = {(load.muscle, load.side): load for load in muscle_loads(counts)}
    levator = loads[Muscle.LEVATOR_SCAPULAE, "right"]
    # 15° neck and 10° away at weight 1, 15° rounded at 0.25, for 60 min, all static: half again.
    assert levator.degree_minutes == pytest.approx((15 + 10 + 3.75) * 60 * 1.5, rel=1e-3)
    assert levator.per_hour == pytest.approx(levator.degree_minutes)
    assert levator.unseen == ("shoulder raised",)
    left = loads[Muscle.RHOMBOID_MAJOR, "left"]
    assert left.degree_minutes == 0.0
    assert loads[Muscle.RHOMBOID_MAJOR, "right"].degree_minutes == pytest.approx(15 * 60 * 1.5)
    nothing = muscle_loads(Counts.zero())
    assert all(load.per_hour is None and load.seen_share == 0 for load in nothing)


def test_streams_from_what_is_worn():
    columns = {"c7": 0, "head": 1, "scapula_left": 2, "scapula_right": 3, "upper_arm_left": 4}
    sagittal = np.radians([[10.0, 30.0, 22.0, 10.0, -60.0]])
    frontal = np.radians([[2.0, 5.0, 8.0, -4.0, 0.0]])
    made = streams(sagittal, frontal, Worn(columns, {}))
    found = dict(zip(made.names, np.degrees(made.values[:, 0]).round(6).tolist(), strict=True))
    assert found == {
        "head": 30, "c7": 10, "trunk": 10, "side_bend": 2, "head_relative": 20, "head_side": 3,
        "shoulder_left": 12, "raise_left": 6, "shoulder_right": 0, "raise_right": 6, "arm_left": 60,
    }  # fmt: skip
    lower = streams(sagittal[:, :1], frontal[:, :1], Worn({"lumbar": 0}, {}))
    assert (lower.names, lower.values[1, 0]) == (("trunk", "side_bend"), frontal[0, 0])
    assert streams(sagittal, frontal, Worn({}, {})).values.shape == (0, 1)
    assert [len(unseen_exposure(Worn(worn, {}))) for worn in ({}, columns)] == [6, 2]
