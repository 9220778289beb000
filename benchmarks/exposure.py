"""How true exposure is, what it costs, and what would be lost by computing it from stored seconds.

Data: three simulated people, forty minutes each, two with long postures (script desk) and a lively one;
head, C7, T4, lower back and both shoulder blades at 60 Hz with noise, bias and any mounting, through the
whole pipeline with their true calibration.
Truth: their true angles through the definitions of docs/methods.md, written a second time, slowly
(tests/exposure_oracle.py). What people did is taken from the script for all three: the gate has its own
benchmark. Rival: the same oracle on the one mean a second that is stored.
"""

import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
import exposure_oracle as oracle

from analytics.exposure.counts import Counts, merged
from analytics.exposure.figures import angle_percentiles, rate_percentiles, rula, seen_s, zones_s
from analytics.exposure.streams import StreamAngles, streams
from analytics.exposure.tracker import ExposureTracker
from analytics.pipeline import Pipeline
from analytics.posture.rules import Worn
from analytics.state import save
from device.wearer import Wearer
from device.wearer.script import load_script, parse_script
from device.wearer.truth import Truth
from poise.results import ACTIVITIES, GRID_US, Activity
from poise.samples import Floats, Int64s

START_US = 1_790_000_100_000_000
SECONDS = 2400
LIVELY = """calibration 16 s
repeat from here
phone 4 s, over 1 s
upright 3 s
drink right 3 s
hip lean 4 s, over 1 s
phone 3 s, over 0.8 s
upright 5 s
slouch 8 s, over 2 s
side bend left 3 s, over 1 s
forward head 20 s, over 2 s
lean back 60 s
phone 90 s
stand 8 s
walk 40 s
upright 6 s"""
SCRIPTS = (load_script("desk"), load_script("desk"), parse_script(LIVELY, "lively"))
DOING = {"walk": Activity.WALKING, "stand": Activity.STANDING, "lie": Activity.LYING}

Frames = tuple[Int64s, dict[str, Floats], np.ndarray]
Figures = dict[str, dict[str, float | Counter]]


def doing(truth: Truth, frames: Int64s) -> np.ndarray:
    """Return what the script says at each frame."""
    found = np.full(len(frames), ACTIVITIES.index(Activity.SITTING), np.int8)
    t_s = (frames * GRID_US - START_US) / 1e6
    for label in truth.labels:
        activity = DOING.get(label.posture)
        if activity:
            found[(t_s >= label.start_s) & (t_s < label.end_s)] = ACTIVITIES.index(activity)
    return found


def measured(wearer: Wearer, truth: Truth) -> Frames:
    """Return what the pipeline says."""
    pipeline, parts = Pipeline(), []
    pipeline.calibrate(wearer.true_calibration(START_US - 1))
    for message in wearer.to_messages(START_US, "bench", stop_s=SECONDS):
        parts += pipeline.update(message.batches).frames
    parts += pipeline.finish().frames
    segments = max((part.segments for part in parts), key=len)
    parts = [part for part in parts if part.segments == segments]
    frames = np.concatenate([part.t_us for part in parts]) // GRID_US
    sagittal, frontal = (np.concatenate([getattr(p, n) for p in parts]) for n in ("sagittal", "frontal"))
    worn = Worn({name: i for i, name in enumerate(segments)}, {})
    return frames, by_name(streams(sagittal, frontal, worn)), doing(truth, frames)


def by_name(angles: StreamAngles) -> dict[str, Floats]:
    """Return the streams by name."""
    return dict(zip(angles.names, angles.values, strict=True))


def true(wearer: Wearer, truth: Truth, frames: Int64s) -> Frames:
    """Return the true angles at the same frames."""
    at = np.round(frames * GRID_US / 1e5 - START_US / 1e5).astype(np.int64)
    frames, at = frames[(at >= 0) & (at < len(truth.t_s))], at[(at >= 0) & (at < len(truth.t_s))]
    names = [name for name in truth.sagittal if name in wearer.sensors]
    sagittal, frontal = (
        np.stack([by[name][at] for name in names], axis=1) for by in (truth.sagittal, truth.frontal)
    )
    return (
        frames,
        by_name(streams(sagittal, frontal, Worn({n: i for i, n in enumerate(names)}, {}))),
        doing(truth, frames),
    )


def seconds(given: Frames) -> Frames:
    """Return ten frames of each stored second's mean: all that a second keeps of when it happened."""
    frames, angles, did = given
    starts = np.flatnonzero(np.diff(frames // 10, prepend=-1))
    lengths = np.diff(np.append(starts, len(frames)))
    means = {n: np.repeat(np.add.reduceat(a, starts) / lengths, lengths) for n, a in angles.items()}
    return frames, means, did


def by_oracle(given: Frames, *, by_second: bool = False) -> Figures:
    """Compute the figures the slow way."""
    frames, angles, did = given
    seen = oracle.judged(frames, angles, [str(ACTIVITIES[i]) for i in did])
    found: Figures = defaultdict(dict)
    for name, values in seen.items():
        every = list(values.values())
        speeds = oracle.speeds(values)
        if by_second:
            # A second's mean against the one before: the only speed that stored seconds have.
            speeds = {f: v / 10 for f, v in speeds.items() if f % 10 == 0}
        for share in (10, 50, 90):
            found[f"angle, p{share}, °"][name] = oracle.percentile(every, share / 100)
            found[f"speed, p{share}, °/s"][name] = oracle.percentile(list(speeds.values()), share / 100)
        found["time at 20° or more, % of seen"][name] = 100 * float(np.mean(np.array(every) >= 20))
        cells: Counter = sum(oracle.eva(values).values(), Counter())
        found["EVA, % of seen in a wrong cell"][name] = Counter(
            {c: 100 * n / len(every) for c, n in cells.items()}
        )
        covered, length = oracle.static(oracle.second_means(values))
        found["static, % of seen"][name] = 1000 * len(covered) / len(every)
        found["longest static stretch, s"][name] = max(length.values(), default=0)
        found["above upright, degree-minutes"][name] = oracle.dose(values)[0]
    moments = oracle.by_moment(seen)
    for part, score in (("neck", oracle.rula_neck), ("trunk", oracle.rula_trunk)):
        scores = [s for at in moments.values() if (s := score(at)) is not None]
        found["RULA, mean score"][part] = float(np.mean(scores))
    means = [oracle.second_means(seen[name]) for name in ("trunk", "side_bend")]
    found["shifts an hour"]["trunk"] = len(oracle.shifts(*means)) * 36_000 / len(seen["trunk"])
    found["breaks"]["all"] = len(oracle.breaks(frames, [str(ACTIVITIES[i]) for i in did]))
    return found


def by_tracker(given: Frames) -> Figures:
    """Compute the figures with the product."""
    counts = counted(given, 10)
    found: Figures = defaultdict(dict)
    for row, name in enumerate(counts.streams):
        seen = seen_s(counts, name)
        angle, rate = angle_percentiles(counts, name), rate_percentiles(counts, name)
        for share in (10, 50, 90):
            found[f"angle, p{share}, °"][name] = getattr(angle, f"p{share}")
            found[f"speed, p{share}, °/s"][name] = getattr(rate, f"p{share}")
        found["time at 20° or more, % of seen"][name] = 100 * zones_s(counts, name, (20,))[1] / seen
        cells = {tuple(c): 10 * counts.eva[row][*c] / seen for c in np.argwhere(counts.eva[row]).tolist()}
        found["EVA, % of seen in a wrong cell"][name] = Counter(cells)
        found["static, % of seen"][name] = 100 * int(counts.static_s[row]) / seen
        found["longest static stretch, s"][name] = int(counts.longest_static_s[row])
        found["above upright, degree-minutes"][name] = int(counts.dose[row, 0]) / 60_000
    scores = rula(counts)
    found["RULA, mean score"] |= {"neck": scores.neck or 0.0, "trunk": scores.trunk or 0.0}
    found["shifts an hour"]["trunk"] = counts.shifts * 3600 / seen_s(counts, "trunk")
    found["breaks"]["all"] = counts.breaks
    return found


def counted(given: Frames, portion: int) -> Counts:
    """Run the tracker in portions of frames."""
    tracker = ExposureTracker(START_US)
    rows = {}
    for part in portions(given, portion):
        tracker.update(*part)
        rows |= {row.quarter_s: row for row in tracker.quarters(settled_only=True)}
    rows |= {row.quarter_s: row for row in tracker.finish()}
    return merged(row.counts for row in rows.values())


def portions(given: Frames, portion: int) -> list[tuple[Int64s, StreamAngles, np.ndarray]]:
    """Cut frames into portions."""
    frames, angles, did = given
    cuts = [slice(i, i + portion) for i in range(0, len(frames), portion)]
    return [(frames[c], StreamAngles.of({n: a[c] for n, a in angles.items()}), did[c]) for c in cuts]


def apart(one: float | Counter, other: float | Counter) -> float:
    """Return how far two figures are apart; of matrices, half the sum of what differs."""
    if isinstance(one, Counter) and isinstance(other, Counter):
        return sum(abs(one[cell] - other[cell]) for cell in {*one, *other}) / 2
    return abs(float(one) - float(other))


def best(work: Callable[[], object], times: int = 3) -> float:
    """Return the least of several durations, s."""
    durations = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        durations.append(time.perf_counter() - began)
    return min(durations)


def cost(given: Frames) -> None:
    """Print what an hour of one wearer costs."""
    names = len(given[1])
    for portion in (10, 600, 36_000):
        parts = portions(given, portion)

        def work(parts: list[tuple[Int64s, StreamAngles, np.ndarray]] = parts) -> None:
            tracker = ExposureTracker(START_US)
            for part in parts:
                tracker.update(*part)
            tracker.finish()

        took = best(work)
        print(
            f"in portions of {portion:5} frames: {took * 3.6e6 / SECONDS:5.0f} ms a wearer-hour "
            f"of {names} streams, {took * 1e6 / len(parts):6.0f} µs an update"
        )
    tracker = ExposureTracker(START_US)
    for part in portions(given, 10):
        tracker.update(*part)
        tracker.quarters(settled_only=True)
    print(f"state of the tracker in the middle of a quarter: {len(save(tracker)) / 1000:.1f} kB")


def main() -> None:
    """Print the table, the cost and the figure."""
    ours, rival, values = defaultdict(list), defaultdict(list), defaultdict(list)
    for seed, script in enumerate(SCRIPTS, 1):
        wearer = Wearer(script, seed=seed)
        truth = wearer.truth(SECONDS)
        found = measured(wearer, truth)
        right = by_oracle(true(wearer, truth, found[0]))
        said, stored = by_tracker(found), by_oracle(seconds(found), by_second=True)
        for figure, streams_ in right.items():
            for name, value in streams_.items():
                values[figure].append(0.0 if isinstance(value, Counter) else float(value))
                ours[figure].append(apart(said[figure][name], value))
                rival[figure].append(apart(stored[figure][name], value))
    print(
        f"{len(SCRIPTS)} simulated wearers, {SECONDS // 60} min each; mean and greatest error over people "
        "and streams"
    )
    print(f"{'figure':34} {'true mean':>9} {'error':>7} {'worst':>7} {'from seconds':>13} {'worst':>7}")
    for figure in ours:
        print(
            f"{figure:34} {np.mean(values[figure]):9.2f} {np.mean(ours[figure]):7.2f} "
            f"{max(ours[figure]):7.2f} {np.mean(rival[figure]):13.2f} {max(rival[figure]):7.2f}"
        )
    cost(found)
    angles, speeds = (
        [
            np.mean([np.mean(of[f"{what}, p{share}, {unit}"]) for share in (10, 50, 90)])
            for of in (ours, rival)
        ]
        for what, unit in (("angle", "°"), ("speed", "°/s"))
    )
    print(f"percentiles of angle off by {angles[0]:.2f}° (from stored seconds {angles[1]:.2f}°)")
    print(f"percentiles of speed off by {speeds[0]:.2f} °/s (from stored seconds {speeds[1]:.2f} °/s)")


if __name__ == "__main__":
    main()
