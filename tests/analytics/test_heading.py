"""Relative headings: exact over seconds, anchored over hours, honest about what drifted, the same in any
chunks."""

from collections.abc import Sequence
from itertools import pairwise

import full_body
import numpy as np
import pytest
import sitting_recordings
from scipy.spatial.transform import Rotation

from analytics.motion.grid import Grid
from analytics.motion.heading import from_segment, heading, heading_between, turned_since, wrapped
from analytics.motion.moments import Moments
from analytics.motion.orientation import up_in_sensor
from analytics.motion.relative import RelativeHeadings, Turns, protracted
from analytics.state import restore, save
from device.wearer import Wearer, parse_script
from poise.calibration import Alignment
from poise.results import GRID_US

SEGMENTS = ("head", "lumbar", "scapula_left", "scapula_right", "t4")
MOUNTS = dict(zip(SEGMENTS, Rotation.random(len(SEGMENTS), random_state=3), strict=True))
ALIGNMENTS = {
    name: Alignment(f"S-{name}", tuple(mount.as_quat(scalar_first=True)), 0.0)
    for name, mount in MOUNTS.items()
}
FIRST = 17_900_000_040
START_US = 1_790_000_000_000_000
DEG = np.pi / 180
TURNED = {
    "neck_rotation": ("head", "t4", 1),
    "protraction_left": ("scapula_left", "t4", -1),
    "protraction_right": ("scapula_right", "t4", 1),
    "trunk_twist": ("t4", "lumbar", 1),
}


def moments(angles: dict[str, np.ndarray], drift: dict[str, np.ndarray] | None = None) -> Moments:
    """Return what mounted sensors would tell of segments with (n, 3) heading, frontal, sagittal degrees."""
    n = len(next(iter(angles.values())))
    q = np.full((n, len(SEGMENTS), 4), np.nan)
    for column, name in enumerate(SEGMENTS):
        if name in angles:
            seen = angles[name] + np.outer((drift or {}).get(name, np.zeros(n)), [1.0, 0.0, 0.0])
            turned = Rotation.from_euler("ZXY", seen, degrees=True) * MOUNTS[name].inv()
            q[:, column] = turned.as_quat(scalar_first=True)
    up = np.stack([up_in_sensor(q[:, column]) for column in range(len(SEGMENTS))], axis=1)
    rest = np.zeros((n, len(SEGMENTS)))
    return Moments(FIRST + np.arange(n), SEGMENTS, q, up, rest, rest, rest)


def part(whole: Moments, start: int, stop: int) -> Moments:
    """Return rows `start` to `stop`."""
    rows = (whole.q_earth_from_sensor, whole.up, whole.rate, whole.force, whole.shake)
    return Moments(whole.frames[start:stop], whole.segments, *(row[start:stop] for row in rows))


def without(whole: Moments, rows: slice, segment: str) -> Moments:
    """Return the moments with a segment unseen in some rows."""
    q, up = whole.q_earth_from_sensor.copy(), whole.up.copy()
    q[rows, SEGMENTS.index(segment)] = np.nan
    up[rows, SEGMENTS.index(segment)] = np.nan
    return Moments(whole.frames, SEGMENTS, q, up, whole.rate, whole.force, whole.shake)


def desk(seconds: int, seed: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return a person who looks about, leans and slouches, and sensors whose headings drift at random."""
    rng = np.random.default_rng(seed)
    n = seconds * 10
    smooth = np.ones(11) / 11
    angles, drift = {}, {}
    for name in SEGMENTS:
        looks = rng.choice([0, 0, 0, 25, -30], n // 200 + 1) if name == "head" else np.zeros(n // 200 + 1)
        turn = np.convolve(np.repeat(looks, 200)[:n], smooth, "same") + rng.normal(0, 1.0, n)
        lean = np.repeat(rng.normal(0, 6, n // 300 + 1), 300)[:n] + rng.normal(0, 0.3, n)
        angles[name] = np.stack([turn, rng.normal(0, 1, n), lean], axis=1)
        rate = np.repeat(rng.normal(0, 2.5 / 600, n // 600 + 1), 600)[:n]
        drift[name] = np.cumsum(rate) + rng.uniform(-180, 180)
    return angles, drift


def run(whole: Moments, cuts: Sequence[int] = (), **options: bool) -> Turns:
    """Feed moments cut at rows `cuts` and join what comes."""
    headings = RelativeHeadings(ALIGNMENTS, **options)
    edges = sorted({0, *cuts, len(whole)})
    found = [headings.update(part(whole, a, b)) for a, b in pairwise(edges)]
    rows = (np.concatenate([getattr(one, name) for one in found]) for name in ("angle", "sigma", "age_s"))
    return Turns(headings.names, *rows)


def truth(angles: dict[str, np.ndarray], names: Sequence[str]) -> np.ndarray:
    """Return (n, p) degrees by the signs of docs/frames.md."""
    columns = (
        sign * (angles[one][:, 0] - angles[two][:, 0]) for one, two, sign in (TURNED[n] for n in names)
    )
    return np.stack(list(columns), axis=1)


def test_heading_is_the_decomposition_of_the_page_whatever_the_bow():
    rng = np.random.default_rng(5)
    angles = np.stack([rng.uniform(-179, 179, 300), rng.uniform(-74, 74, 300), rng.uniform(-179, 179, 300)])
    mount = MOUNTS["head"]
    sensor = Rotation.from_euler("ZXY", angles.T, degrees=True) * mount.inv()
    q = from_segment(sensor.as_quat(scalar_first=True), tuple(mount.as_quat(scalar_first=True)))
    np.testing.assert_allclose(np.degrees(heading(q)), angles[0], atol=1e-9)
    on_the_side = Rotation.from_euler("ZXY", [[10, 85, 20]], degrees=True).as_quat(scalar_first=True)
    assert np.isnan(heading(on_the_side)[0])


def test_a_turn_of_the_head_over_seconds_is_exact_across_the_half_circle():
    turn = np.concatenate([np.zeros(20), np.linspace(0, 70, 30), np.linspace(70, -70, 60)])
    lean = np.zeros((len(turn), 3))
    head = lean + np.outer(turn + 150, [1, 0, 0])
    q = {
        name: Rotation.from_euler("ZXY", a, degrees=True).as_quat(scalar_first=True)
        for name, a in (("head", head), ("t4", lean))
    }
    relative = heading_between(q["head"], q["t4"])
    np.testing.assert_allclose(np.degrees(turned_since(relative)), turn, atol=1e-9)
    relative[5] = np.nan
    assert np.isnan(turned_since(relative)[5])
    np.testing.assert_allclose(np.degrees(turned_since(relative))[-1], -70, atol=1e-9)
    assert wrapped(np.array([0.3]))[0] == 0.3


def test_half_an_hour_of_looking_about_is_within_its_uncertainty_and_drift_alone_is_not():
    angles, drift = desk(1800, seed=4)
    whole = moments(angles, drift)
    found, bare = run(whole), run(whole, corrected=False)
    true = truth(angles, found.names)
    error = np.abs(np.degrees(wrapped(found.angle - true * DEG)))
    loose = np.abs(np.degrees(wrapped(bare.angle - true * DEG)))
    seen = np.isfinite(error)
    assert seen.mean() > 0.97
    assert np.mean(error[seen] <= 2 * np.degrees(found.sigma[seen])) >= 0.95
    rms = dict(zip(found.names, np.sqrt(np.nanmean(error**2, axis=0)), strict=True))
    assert max(rms[name] for name in rms if name != "neck_rotation") < 5
    assert np.sqrt(np.nanmean(loose**2)) > 1.5 * np.sqrt(np.nanmean(error**2))
    assert np.nanmax(found.age_s) < 120


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_a_bias_that_no_filter_ever_learns_is_within_the_uncertainty_from_the_first_minute(seed: int):
    angles, drift = desk(1800, seed)
    rng = np.random.default_rng(seed)
    for name in SEGMENTS:
        drift[name] += rng.normal(0, 0.4) / 10 * np.arange(len(drift[name]))
    found = run(moments(angles, drift))
    error = np.abs(np.degrees(wrapped(found.angle - truth(angles, found.names) * DEG)))
    for rows in (slice(None, 600), slice(None)):
        seen = np.isfinite(error[rows])
        assert np.mean(error[rows][seen] <= 2 * np.degrees(found.sigma[rows][seen])) >= 0.95
    for column, name in enumerate(found.names):
        seen = np.isfinite(error[:, column])
        assert np.mean(error[seen, column] <= 2 * np.degrees(found.sigma[seen, column])) >= 0.95
        if name != "neck_rotation":
            assert np.sqrt(np.mean(error[seen, column] ** 2)) < 5


def test_a_sensor_that_was_away_keeps_what_is_known_of_its_drift():
    n = 9000
    still = {name: np.zeros((n, 3)) for name in SEGMENTS}
    drift = {name: np.zeros(n) for name in SEGMENTS} | {"t4": 0.03 * np.arange(n)}
    found = run(without(moments(still, drift), slice(6000, 6020), "t4"))
    first, again = (
        found.sigma[row : row + 200][np.isfinite(found.sigma[row : row + 200, 3]), 3] for row in (0, 6020)
    )
    assert again.max() < 0.8 * first.max()
    error = np.degrees(wrapped(found.angle[6020:, 3]))
    assert np.nanmax(np.abs(error)) < 3  # 0.3°/s for the five minutes after it would be 90°


def test_protraction_is_forward_on_both_sides_and_only_said_while_it_is_certain():
    person = {name: np.zeros((1200, 3)) for name in SEGMENTS}
    person["scapula_right"][600:900, 0] = 18
    person["scapula_left"][600:900, 0] = -18
    found = run(moments(person))
    for side in ("left", "right"):
        assert protracted(found, side)[610:690].all()
        assert not protracted(found, side)[:600].any()
        assert not protracted(found, side)[910:].any()
    unsure = Turns(found.names, found.angle, found.sigma + 5 * DEG, found.age_s)
    assert not protracted(unsure, "left").any()
    assert not protracted(Turns((), *(np.zeros((3, 0)),) * 3), "left").any()


def test_age_and_uncertainty_grow_while_nothing_anchors():
    still = {name: np.zeros((1800, 3)) for name in SEGMENTS}
    for name in SEGMENTS:
        still[name][300:, 2] = 60.0
    found = run(moments(still))
    assert np.isnan(found.angle[0]).all()
    np.testing.assert_allclose(found.age_s[-1] - found.age_s[600], (1799 - 600) / 10)
    assert (found.sigma[-1] > found.sigma[600]).all()
    assert (np.diff(found.sigma[700:, 0]) > 0).all()


def test_a_sensor_away_for_more_than_a_second_is_anchored_again():
    angles, drift = desk(120, seed=9)
    drift["head"][600:] += 77.0
    whole = without(moments(angles, drift), slice(590, 602), "head")
    whole = without(whole, slice(900, 905), "scapula_left")
    found = run(whole)
    neck, left = found.names.index("neck_rotation"), found.names.index("protraction_left")
    assert np.isnan(found.angle[590:660, neck]).all()
    back = int(np.flatnonzero(np.isfinite(found.angle[602:, neck]))[0]) + 602
    assert back - 602 <= 210
    error = np.degrees(wrapped(found.angle[back:, neck] - truth(angles, found.names)[back:, neck] * DEG))
    assert np.all(np.abs(error) < 45)
    assert np.isnan(found.angle[900:905, left]).all()
    assert np.isfinite(found.angle[905, left])


def test_any_chunking_gives_the_same_bits():
    angles, drift = desk(400, seed=2)
    whole = without(moments(angles, drift), slice(1010, 1034), "t4")
    kept = np.delete(np.arange(len(whole)), np.r_[2000:2031, 3111])
    rows = (whole.q_earth_from_sensor, whole.up, whole.rate, whole.force, whole.shake)
    gapped = Moments(whole.frames[kept], SEGMENTS, *(row[kept] for row in rows))
    at_once = run(gapped)
    rng = np.random.default_rng(1)
    for cuts in (range(0, 4000, 10), range(0, 4000, 7), rng.integers(0, len(gapped), 30).tolist()):
        piecewise = run(gapped, cuts)
        for name in ("angle", "sigma", "age_s"):
            assert getattr(piecewise, name).tobytes() == getattr(at_once, name).tobytes()


def test_saved_and_restored_in_the_middle_it_goes_on_with_the_same_bits():
    angles, drift = desk(300, seed=6)
    whole = moments(angles, drift)
    headings = RelativeHeadings(ALIGNMENTS)
    headings.update(part(whole, 0, 1537))
    other = restore(save(headings), RelativeHeadings)
    mine, theirs = (one.update(part(whole, 1537, 3000)) for one in (headings, other))
    for name in ("angle", "sigma", "age_s"):
        assert getattr(mine, name).tobytes() == getattr(theirs, name).tobytes()


NAMES = {("c7", "head"): ("neck_rotation",), ("t12", "lumbar"): ("trunk_twist",)}


@pytest.mark.parametrize("worn", [(), ("head",), ("wrist_left", "head"), ("c7", "head"), ("t12", "lumbar")])
def test_what_is_not_worn_is_not_given_and_absurd_values_are_unseen(worn):
    headings = RelativeHeadings(dict.fromkeys(worn, ALIGNMENTS["t4"]))
    assert headings.names == NAMES.get(worn, ())
    some = moments({name: np.zeros((30, 3)) for name in ("head", "t4")})
    found = headings.update(some)
    assert found.angle.shape == (30, len(headings.names))
    assert np.isnan(found.angle).all()
    rest = (some.rate, some.force, some.shake)
    absurd = Moments(some.frames + 30, SEGMENTS, some.q_earth_from_sensor * np.inf, some.up * 1e300, *rest)
    assert np.isnan(RelativeHeadings(ALIGNMENTS).update(absurd).angle).all()


def test_the_simulated_wearer_turns_and_rounds_with_the_signs_of_the_page():
    script = parse_script(
        "upright 40 s\nturn head left 12 s by 50 deg\nupright 20 s\nrounded shoulders both 30 s\n"
    )
    wearer = Wearer(script, seed=5, segments=("head", "t4", "scapula_left", "scapula_right"), rate_hz=50.0)
    grid = Grid()
    grid.add([samples for m in wearer.to_messages(START_US, "s", 100.0) for samples in m.batches])
    headings = RelativeHeadings(wearer.true_calibration(START_US).alignments)
    seen = grid.moments(everything=True)
    turns, t_s = headings.update(seen), (seen.frames * GRID_US - START_US) / 1e6
    neck = np.degrees(turns.angle[:, turns.names.index("neck_rotation")])
    assert 42 < np.nanmax(neck[(t_s > 40) & (t_s < 52)]) - np.nanmedian(neck[(t_s > 30) & (t_s < 39)]) < 58
    for side in ("left", "right"):
        forward = np.degrees(turns.angle[:, turns.names.index(f"protraction_{side}")])
        assert (
            np.nanmedian(forward[(t_s > 85) & (t_s < 97)]) - np.nanmedian(forward[(t_s > 55) & (t_s < 68)])
            > 6
        )


@pytest.mark.recordings
def test_a_real_person_stays_within_the_uncertainty():
    sitting_recordings.require()
    person = full_body.load()
    headings = RelativeHeadings(person.alignments)
    found = headings.update(person.moments)
    for column, name in enumerate(headings.names):
        one, other, sign = TURNED[name]
        error = wrapped(found.angle[:, column] - sign * (person.headings[one] - person.headings[other]))
        seen = np.isfinite(error)
        assert seen.mean() > 0.8
        assert np.mean(np.abs(error[seen]) <= 2 * found.sigma[seen, column]) >= 0.95
        assert np.degrees(np.sqrt(np.mean(error[seen] ** 2))) < 10
