"""Which activity the gate tells, on simulated days, on people sitting, and on one person who walks.

Data: simulated wearers with sensors mounted at random (their movements are made up: docs/simulation.md); the
sitting recordings of 14 people (Nariman Ahmed and others, CC BY 4.0); one person with sensors on head,
upper and lower back, still, moving and walking (qmt toolbox, MIT), labelled here by its rest and its steps.
Rival: walking is where the force's standard deviation over two seconds exceeds 0.5 m/s².
"""

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
import sitting_recordings as sitting
import worn_days as days

from analytics.motion.moments import Moments
from device.wearer import SCALE, parse_script
from poise.calibration import Calibration
from poise.results import ACTIVITIES, JUDGED, Activity
from poise.samples import Bools, ImuBatch, SampleMessage, quantise

DAY = """calibration 16 s
upright 30 s
repeat from here
forward head 90 s
turn head
phone 40 s
reach right
slouch 90 s
drink
hip lean 30 s
side bend 20 s
stand 60 s
turn around 6 s
stand 20 s
walk 60 s
upright 60 s
turn head
walk 20 s
stand 20 s
lean back 60 s
lie 60 s
upright 40 s
"""
SECONDS = 1500.0
SEEDS = (11, 12, 13)
SETS = (
    ("head", "c7", "t4", "lumbar", "scapula_left", "scapula_right"),
    ("c7", "t4"),
    ("head", "lumbar"),
)
WORN: dict[str, str] = {"head": "head", "upper_back": "t4", "lower_back": "lumbar"}
STANCES = {"stand": "standing", "turn_around": "standing", "walk": "walking", "lie": "lying"}
WALKS_FROM_S, STILL_UNTIL_S = 57.0, 39.0
Codes = NDArray[np.int8]


def rival(moments: Moments) -> Bools:
    """Return (n,) bool, walking by the spread of the mean force alone."""
    force = np.nan_to_num(np.nanmean(moments.force, axis=1) - 9.80665)
    spread = np.zeros(len(force))
    windows = np.lib.stride_tricks.sliding_window_view(force, 20)
    spread[19:] = windows.std(axis=1)
    return np.asarray(spread >= 0.5)


def acts(moments: Moments, labels: tuple[days.Label, ...]) -> NDArray[np.str_]:
    """Return (n,) what was done; "" for 3 s (lying 6 s) in which the wearer gets there or comes from it."""
    found, before = np.full(len(moments), "", "U10"), "sitting"
    for label in labels:
        gesture = label.posture in ("turn_head", "reach", "drink")
        name = STANCES.get(label.posture, before if gesture else "sitting")
        skip = 0.0 if name == before else 6.0 if "lying" in (name, before) else 3.0
        found[days.during(moments, label, skip)] = name
        before = name
    return found


def full_body(folder: Path) -> Moments:
    """Return the moments of the person who walks, at 100 Hz."""
    batches = []
    with np.load(folder / "full_body" / "qmt_full_body.npz") as data:
        for place, segment in WORN.items():
            acc = quantise(data[f"{place}/acc"].astype(float), SCALE.acc_nano)[0]
            gyr = quantise(data[f"{place}/gyr"].astype(float), SCALE.gyr_nano)[0]
            t_us = days.START_US + np.arange(len(acc), dtype=np.int64) * 10_000
            batches.append(ImuBatch(f"qmt-{segment}", segment, 0, 10_000_000, t_us, acc, gyr, SCALE))
    return days.moments([SampleMessage("qmt", 0, tuple(batches))])


def show(title: str, counts: dict[str, Counter[str]]) -> None:
    """Print how often each activity was told, in percent, a row for each thing done."""
    told = [activity.value for activity in Activity]
    print(f"\n{title}\n{'':10}" + "".join(f"{name:>10}" for name in told) + f"{'frames':>9}")
    for name, row in counts.items():
        shares = "".join(f"{100 * row[activity] / row.total():10.1f}" for activity in told)
        print(f"{name:10}{shares}{row.total():9}")


def count(counts: dict[str, Counter[str]], done: NDArray[np.str_], codes: Codes) -> None:
    """Add the frames of one wearer."""
    for name in sorted(set(done.tolist()) - {""}):
        rows = codes[done == name]
        counts.setdefault(name, Counter()).update(ACTIVITIES[code].value for code in rows)


def ride() -> Moments:
    """Return the moments of a simulated wearer who sits still in a vehicle on a bumpy road."""
    moments, _, _ = days.wearer(parse_script("upright 300 s"), SEEDS[0], 300.0, segments=("c7", "t4"))
    moments.force[:] += np.random.default_rng(1).normal(0.0, 0.9, len(moments))[:, None]
    return moments


def table() -> Moments:
    """Return the moments of two sensors that lie on a table for ten minutes."""
    batches = tuple(days.on_table(name, 600.0, seed=i) for i, name in enumerate(("c7", "t4")))
    return days.moments([SampleMessage("table", 0, batches)])


def simulated() -> Iterator[tuple[tuple[str, ...], Moments, Calibration, NDArray[np.str_]]]:
    """Yield sensors, moments, calibration and what was done."""
    script = parse_script(DAY, "day")
    for segments in SETS:
        for seed in SEEDS:
            moments, calibration, labels = days.wearer(script, seed, SECONDS, segments=segments)
            yield segments, moments, calibration, acts(moments, labels)


def main() -> None:
    """Print confusion tables, and the figure last."""
    figures: list[float] = []
    by_set: dict[tuple[str, ...], dict[str, Counter[str]]] = {}
    plain: dict[str, list[float]] = {}
    for segments, moments, calibration, done in simulated():
        count(by_set.setdefault(segments, {}), done, days.activities(moments, calibration))
        for name in ("walking", "sitting"):
            plain.setdefault(name, []).append(float(rival(moments)[done == name].mean()))
    for segments, counts in by_set.items():
        show(f"simulated, {', '.join(segments)}, {len(SEEDS)} people, percent of frames told", counts)
        figures += [counts["walking"]["walking"] / counts["walking"].total()]
    print(f"\nrival, simulated: walking found {100 * np.mean(plain['walking']):.1f} %,", end=" ")
    print(f"sitting called walking {100 * np.mean(plain['sitting']):.1f} %")
    others: dict[str, Counter[str]] = {}
    for name, moments in (("ride", ride()), ("table", table())):
        count(others, np.full(len(moments), name), days.activities(moments, None))
    show("a made-up bumpy ride of 0.9 m/s² rms; sensors on a table (10 minutes)", others)
    print(f"rival: the ride called walking {100 * rival(ride()).mean():.1f} %")
    if sitting.FOLDER.is_dir():
        recorded(figures)
    print(f"\nleast walking found with any set of sensors: {100 * min(figures):.1f} %")


def recorded(figures: list[float]) -> None:
    """Print the recordings' tables."""
    people: Counter[str] = Counter()
    worst, wrong = 1.0, []
    for subject in sitting.subjects():
        session = sitting.load(subject)
        parts = [days.moments(session.during(trial)) for trial in session.trials]
        codes = [days.activities(part, None) for part in parts]
        wrong += [rival(part) for part in parts]
        worst = min(worst, days.share(np.concatenate(codes), *JUDGED))
        people.update(ACTIVITIES[code].value for code in np.concatenate(codes))
    show("14 people sitting (uncalibrated: unknown is judged)", {"sitting": people})
    judged = sum(people[activity.value] for activity in JUDGED) / people.total()
    print(f"judged {100 * judged:.2f} %, of the least judged person {100 * worst:.2f} %")
    print(f"rival: sitting called walking {100 * np.concatenate(wrong).mean():.2f} %")
    moments = full_body(sitting.FOLDER.parent)
    t_s = (moments.frames * 100_000 - days.START_US) / 1e6
    done = np.where(t_s >= WALKS_FROM_S, "walking", np.where((t_s > 16) & (t_s < STILL_UNTIL_S), "still", ""))
    counts: dict[str, Counter[str]] = {}
    count(counts, done, days.activities(moments, None))
    show("one person who stands still and walks", counts)
    figures.append(counts["walking"]["walking"] / counts["walking"].total())


if __name__ == "__main__":
    main()
