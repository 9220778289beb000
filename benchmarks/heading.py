"""How far relative headings drift, with and without correction, and whether their uncertainty is true.

Three kinds of data: simulated hours at a desk (made-up people, the same with a head that looks at a second
and a third screen, and the same with other gyroscope biases, twice as large); a hundred seconds of a real
person against the maker's own orientations, which use the magnetometer and are no optical truth (`full_body`,
from the qmt toolbox); single sensors with optical truth (BROAD), for how fast one heading drifts. Rival: the
uncorrected difference of two VQF headings from the same first anchor on.
"""

import sys
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
import full_body as person
from vqf import VQF

from analytics.motion.grid import Grid
from analytics.motion.heading import wrapped
from analytics.motion.joints import TURNING_JOINTS
from analytics.motion.moments import Moments
from analytics.motion.offsets import UNIT, Offsets
from analytics.motion.relative import RelativeHeadings
from device.wearer import Wearer
from device.wearer.kinematics import Skeleton
from device.wearer.sensor import GYR_BIAS_RAD_S
from device.wearer.timeline import Timeline
from poise.calibration import Alignment
from poise.results import GRID_US
from poise.samples import Floats, ImuBatch, Scale, quantise, regular_times

DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"
SCALE = Scale(4_788_403, 1_065_264)
START_US = 1_790_000_000_000_000
HOUR_S = 3600
SEEDS = (1, 2, 3)
BIASES = (1, 2)
"""How large the gyroscopes' biases are, in the spread of the virtual wearer's."""
SETTLED = 5
"""Times `UNIT` units, 83 minutes: then a drift rate is as well known as it ever is without readings."""
LAGS_S = (10, 30, 60, 120)
WORN = ("head", "t4", "lumbar", "scapula_left", "scapula_right")
TURNED = {
    "neck_rotation": ("head", "t4", 1),
    "protraction_left": ("scapula_left", "t4", -1),
    "protraction_right": ("scapula_right", "t4", 1),
    "trunk_twist": ("t4", "lumbar", 1),
}
COLUMNS = ("rms", "95 % below", "sigma", "uncorrected", "in 2 sigma", "age 95 %, s")


class Score(NamedTuple):
    """One joint of one recording, degrees and shares."""

    rms: float
    worst95: float
    sigma: float
    within: float
    bare_rms: float
    age95_s: float


def scores(moments: Moments, alignments: dict[str, Alignment], true: dict[str, Floats]) -> dict[str, Score]:
    """Return each joint's score; `true` holds headings (n,) rad by segment."""
    headings = RelativeHeadings(alignments)
    ours, bare = headings.update(moments), RelativeHeadings(alignments, corrected=False).update(moments)
    found = {}
    for column, name in enumerate(headings.names):
        one, other, sign = TURNED[name]
        turned = sign * (true[one] - true[other])
        error, loose = (np.degrees(wrapped(t.angle[:, column] - turned)) for t in (ours, bare))
        sigma, seen = np.degrees(ours.sigma[:, column]), np.isfinite(error)
        found[name] = Score(
            rms(error),
            float(np.percentile(np.abs(error[seen]), 95)),
            float(np.median(sigma[seen])),
            float(np.mean(np.abs(error[seen]) <= 2 * sigma[seen])),
            rms(loose),
            float(np.percentile(ours.age_s[seen, column], 95)),
        )
    return found


def rms(error: Floats) -> float:
    """Return the root mean square of what is a number."""
    return float(np.sqrt(np.nanmean(error**2)))


def simulated(seed: int, biases: int) -> tuple[dict[str, Score], Score]:
    """Score an hour of the built-in desk script, and its neck with a head that turns to more screens."""
    wearer = Wearer("desk", seed=seed, segments=WORN, rate_hz=50.0)
    if biases != 1:
        redraw(wearer, biases)
    grid = Grid()
    messages = wearer.to_messages(START_US, "bench", HOUR_S)
    while minute := list(islice(messages, 60)):
        grid.add([samples for message in minute for samples in message.batches])
    moments = grid.moments(everything=True)
    t_s = (moments.frames * GRID_US - START_US) / 1e6
    body = Skeleton(Timeline(wearer.script, wearer.person, seed), wearer.person)
    true = {name: body.angles(name, t_s)[2] for name in WORN}
    alignments = wearer.true_calibration(START_US).alignments
    plain = scores(moments, alignments, true)
    looks = looking_about(len(t_s), np.random.default_rng(seed))
    turn_column(moments.q_earth_from_sensor, moments.segments.index("head"), looks)
    true["head"] = true["head"] + looks
    return plain, scores(moments, alignments, true)["neck_rotation"]


def redraw(wearer: Wearer, times: int) -> None:
    """Give the sensors other gyroscope biases, `times` as large as usual."""
    rng = np.random.default_rng([wearer.seed, times])
    for sensor in wearer.sensors.values():
        x, y, z = (float(bias) for bias in rng.normal(0.0, times * GYR_BIAS_RAD_S, 3))
        sensor.imperfections = replace(sensor.imperfections, gyr_bias=(x, y, z))


def looking_about(n: int, rng: np.random.Generator) -> Floats:
    """Return (n,) rad: straight ahead for 60 % of the looks, else 30° to the left or 25° to the right.

    A look lasts 40 s on average, and is off by 4°; a turn takes a second.
    """
    looks = np.zeros(n)
    at = 0
    while at < n:
        lasts = 10 + int(rng.exponential(400))
        looks[at : at + lasts] = rng.choice([0.0, 30.0, -25.0], p=[0.6, 0.25, 0.15]) + rng.normal(0.0, 4.0)
        at += lasts
    return np.radians(np.convolve(np.pad(looks, 5, mode="edge"), np.ones(11) / 11, "valid"))


def turn_column(q_earth_from_sensor: Floats, column: int, angle: Floats) -> None:
    """Turn one sensor about the vertical by (n,) rad, in place."""
    q = q_earth_from_sensor[:, column].copy()
    cos, sin = np.cos(angle / 2), np.sin(angle / 2)
    turned = (
        cos * q[:, 0] - sin * q[:, 3],
        cos * q[:, 1] - sin * q[:, 2],
        cos * q[:, 2] + sin * q[:, 1],
        cos * q[:, 3] + sin * q[:, 0],
    )
    q_earth_from_sensor[:, column] = np.stack(turned, axis=1)


def batch(segment: str, acc: Floats, gyr: Floats, rate_hz: float) -> ImuBatch:
    """Return samples as a sensor sends them."""
    period_ns = round(1e9 / rate_hz)
    return ImuBatch(
        sensor=segment,
        segment=segment,
        first_tick=0,
        period_ns=period_ns,
        t_us=regular_times(START_US, period_ns, len(acc)),
        acc=quantise(acc, SCALE.acc_nano)[0],
        gyr=quantise(gyr, SCALE.gyr_nano)[0],
        scale=SCALE,
    )


def single_sensor(path: Path) -> tuple[list[float], float]:
    """Return how one heading drifts while the sensor is moved all the time.

    Returns:
        RMS drift within each of `LAGS_S`, degrees, and the share of drifts within 60 s that are below twice
        what the filter expects of one sensor at the shoulder blade or the trunk.
    """
    with np.load(path) as data:
        rate = float(data["sampling_rate"])
        samples = batch("t4", data["imu_acc"].astype(float), data["imu_gyr"].astype(float), rate)
        truth, moving = data["opt_quat"].astype(float), data["movement"].astype(bool)
    found = VQF(1 / rate).updateBatch(samples.gyr_si.copy(), samples.acc_si.copy())["quat6D"]
    step = round(rate / 10)
    w, z = turn_between(found[::step], truth[::step])
    seen = np.isfinite(w)
    error = np.full(len(w), np.nan)
    error[seen] = np.unwrap(2 * np.arctan2(z[seen], w[seen]), period=2 * np.pi)
    error[~moving[::step]] = np.nan
    drifts = [np.degrees(error[10 * lag :] - error[: -10 * lag]) for lag in LAGS_S]
    minute = np.abs(drifts[LAGS_S.index(60)])
    within = float(np.mean(minute[np.isfinite(minute)] <= 2 * expected_deg(60)))
    return [rms(drift) if np.isfinite(drift).any() else np.nan for drift in drifts], within


def expected_deg(seconds: int) -> float:
    """Return 1 sigma of the drift of one of a protraction's two sensors, its bias learned, degrees."""
    joint = next(joint for joint in TURNING_JOINTS if joint.name == "protraction_left")
    offsets = Offsets([joint], corrected=False)
    for _ in range(SETTLED):
        offsets.predict(UNIT)
    offsets.read(np.arange(UNIT), np.zeros((UNIT, 1)), np.ones((UNIT, 1), np.bool_), UNIT)
    before = offsets.cov[0, 0, 0]
    offsets.predict(seconds * 10 // UNIT)
    return float(np.degrees(np.sqrt((offsets.cov[0, 0, 0] - before) / 2)))


def turn_between(one: Floats, other: Floats) -> tuple[Floats, Floats]:
    """Return w and z of `one` times the conjugate of `other`."""
    a, b = one.T, other.T
    return (one * other).sum(axis=1), a[3] * b[0] - a[0] * b[3] + a[2] * b[1] - a[1] * b[2]


def show(title: str, found: dict[str, Score]) -> None:
    """Print a row for each joint."""
    for name, s in found.items():
        degrees = "".join(f"{value:13.1f}" for value in (s.rms, s.worst95, s.sigma, s.bare_rms))
        print(f"{title:25}{name:18}{degrees}{s.within:13.0%}{s.age95_s:13.0f}")


def shown(drift: float) -> str:
    """Return a drift for the table; no trial moves long enough for every lag."""
    return f"{drift:9.2f}" if np.isfinite(drift) else f"{'-':>9}"


def main() -> None:
    """Print the tables and, last, the figure."""
    print(f"{'relative heading, degrees':43}" + "".join(f"{name:>13}" for name in COLUMNS))
    cases = [(seed, biases) for biases in BIASES for seed in SEEDS]
    runs = [simulated(seed, biases) for seed, biases in cases]
    for (seed, biases), (plain, looking) in zip(cases, runs, strict=True):
        show(f"desk, seed {seed}, biases x {biases}", plain)
        show("  with more screens", {"neck_rotation": looking})
    trials = sorted((DATA / "broad").glob("*.npz"))
    if person.FILE.is_file():
        show("full_body, 100 s", scores(*person.load()))
    else:
        print("left out: the real person is not beside the project (shared/data/full_body)")
    lags = "".join(f"{f'{lag} s':>9}" for lag in LAGS_S)
    print(f"\n{'drift of one heading, RMS degrees within':44}{lags}   60 s in 2 sigma")
    for path in trials:
        drifts, within = single_sensor(path)
        print(f"{path.stem:44}" + "".join(map(shown, drifts)) + f"{within:18.0%}")
    if not trials:
        print("left out: the BROAD trials are not beside the project (shared/data/broad)")
    print()
    for biases in BIASES:
        those = [run for (_, times), run in zip(cases, runs, strict=True) if times == biases]
        hours = [score for plain, _ in those for score in plain.values()]
        conclude(f"biases x {biases}", hours, [looking for _, looking in those])


def conclude(title: str, hours: list[Score], screens: list[Score]) -> None:
    """Print what the hours come to: how far off, and how often within 2 sigma, on average and at worst."""
    off, sure = [s.rms for s in hours], [s.within for s in hours]
    looking = [s.within for s in screens]
    bare = np.mean([s.bare_rms for s in hours])
    print(
        f"{title}, an hour at a desk: {np.mean(off):.1f}° RMS, worst joint {max(off):.1f}° "
        f"(uncorrected {bare:.1f}°); within 2 sigma {np.mean(sure):.0%}, worst joint {min(sure):.0%}; "
        f"more screens {np.mean(looking):.0%}, worst {min(looking):.0%}"
    )


if __name__ == "__main__":
    main()
