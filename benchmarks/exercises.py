"""How well exercises are counted, timed and measured, by which sensors are worn.

Data: made-up people of `tests/exercisers.py`, a body apart from the virtual wearer: random mountings, noise
and bias, 1 to 6 s a repetition, 5 to 20 of them, uneven and fading, half with holds, half with standing up,
fetching something and sitting down around the set, a third with a break and a scratch in the middle. No
calibration, and nobody says which exercise it is; directions and ranges use the calibration.
Rival: peaks of a fixed prominence of 10° (`scipy.signal.find_peaks`) on the inclination that varies most.
"""

import sys
from pathlib import Path

import numpy as np
from scipy.signal import find_peaks

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from exercisers import Done, Plan, perform

from analytics.exercises.catalogue import EXERCISES
from analytics.exercises.circles import Direction
from analytics.exercises.holds import hold_times
from analytics.exercises.repetitions import count_repetitions
from analytics.exercises.rom import RomTest, range_of_motion
from analytics.exercises.signals import gather

WORN = {
    "shoulders": ("t4", "scapula_left", "scapula_right"),
    "arms": ("t4", "upper_arm_left", "upper_arm_right"),
    "one arm": ("upper_arm_right",),
    "one wrist": ("wrist_right",),
    "all": ("head", "c7", "t4", "scapula_left", "scapula_right", "upper_arm_left", "upper_arm_right"),
}
SEEN = {
    "squeeze": ("shoulders", "all"),
    "shrug": ("shoulders", "all"),
    "row": ("shoulders", "arms", "one arm", "one wrist", "all"),
    "reverse_fly": ("arms", "one arm", "one wrist", "all"),
    "arm_raise": ("arms", "one arm", "one wrist", "all"),
    "arm_circles": ("arms", "one arm", "one wrist", "all"),
    "big_circles": ("arms", "one arm", "one wrist"),
}
PEOPLE = 6
NECK = {"neck_rotation": 60.0, "neck_side_bend": 38.0, "neck_flexion": 48.0}


def plan(exercise: str, rng: np.random.Generator) -> Plan:
    """Draw how somebody does it."""
    return Plan(
        exercise,
        reps=int(rng.integers(5, 21)),
        period_s=float(rng.uniform(1, 6)),
        hold_s=float(rng.choice([0.0, 2.0])),
        pause_s=float(rng.choice([0.0, 0.3, 1.5])),
        amplitude=float(rng.uniform(0.7, 1.2)),
        fading=float(rng.choice([0.0, 0.3])),
        uneven=float(rng.uniform(0.0, 0.2)),
        direction=int(rng.choice([-1, 1])),
        busy=bool(rng.random() < 0.5),
        break_after=int(rng.choice([0, 0, 4])),
    )


def rival(done: Done, worn: tuple[str, ...]) -> int:
    """Count peaks on the component of gravity that varies most."""
    signals = [done_one.up for done_one in gather({name: done.parts[name] for name in worn}).values()]
    columns = [column for up in signals for column in up.T]
    widest = max(columns, key=lambda column: float(column.std()))
    return len(find_peaks(widest, prominence=np.sin(np.radians(10)))[0])


def counting() -> tuple[list[float], list[float]]:
    """Print a row for each exercise and set of sensors; return all errors, ours and the rival's."""
    ours, theirs = [], []
    print(f"{'exercise':14}{'worn':12}{'mean abs error':>15}{'within 1':>10}{'direction':>11}{'rival':>8}")
    for number, (exercise, sets) in enumerate(SEEN.items()):
        rng = np.random.default_rng([number, 77])
        people = [perform(made := plan(exercise, rng), seed) for seed in range(PEOPLE)]
        rng = np.random.default_rng([number, 77])
        ways = [plan(exercise, rng).direction for _ in people]
        for name in sets:
            errors, other, right = [], [], []
            for done, way in zip(people, ways, strict=True):
                parts = {segment: done.parts[segment] for segment in WORN[name]}
                errors.append(count_repetitions(parts).count - done.reps)
                other.append(rival(done, WORN[name]) - done.reps)
                if "circles" in made.exercise:
                    told = count_repetitions(parts, done.calibration, exercise=EXERCISES["arm_circles"])
                    right.append(told.direction is (Direction.FORWARD if way > 0 else Direction.BACKWARD))
            ours += errors
            theirs += other
            direction = f"{np.mean(right):11.2f}" if right else " " * 11
            print(
                f"{exercise:14}{name:12}{np.mean(np.abs(errors)):15.2f}{_within(errors):10.2f}{direction}"
                f"{np.mean(np.abs(other)):8.2f}",
                flush=True,
            )
    return ours, theirs


def _within(errors: list[float]) -> float:
    return float(np.mean(np.abs(errors) <= 1))


def nothing() -> None:
    """Print how many repetitions are counted where there are none."""
    for exercise in ("walking", "sitting"):
        for name in ("all", "one arm"):
            counts = [
                count_repetitions(perform(Plan(exercise, 15, busy=True), seed, WORN[name]).parts).count
                for seed in range(2)
            ]
            print(f"{exercise:14}{name:12}{np.mean(counts):15.2f}  counted, where there is nothing to count")


def holding() -> None:
    """Print the error of hold times and of the neck's range, degrees."""
    held, ranges = [], []
    for number, (exercise, usual) in enumerate(NECK.items()):
        for seed in range(PEOPLE):
            rng = np.random.default_rng([number, seed, 78])
            stretch = Plan(exercise, 2, 4.0, hold_s=float(rng.uniform(8, 25)), pause_s=4.0)
            done = perform(stretch, seed, ("head", "t4"))
            found = hold_times(done.parts, done.calibration, EXERCISES["neck_stretch"])
            held += [abs(hold.seconds - stretch.hold_s) for hold in found.holds]
            held += [stretch.hold_s] * (2 - len(found.holds))
            test = perform(Plan(exercise, 3, float(rng.uniform(2, 5)), hold_s=0.5), seed, ("head", "t4"))
            seen = range_of_motion(test.parts, test.calibration, RomTest.NECK).directions
            best = max((one.mean_rad for one in seen.values()), default=0.0)
            ranges.append(abs(np.degrees(best) - usual * np.mean(test.peaks)))
    print(f"hold time, mean abs error {np.mean(held):.1f} s; neck's range {np.mean(ranges):.1f}°")


def main() -> None:
    """Print everything, the figure last."""
    ours, theirs = counting()
    nothing()
    holding()
    print(f"count, mean abs error: {np.mean(np.abs(ours)):.2f} (rival {np.mean(np.abs(theirs)):.2f})")
    print(f"count within one: {_within(ours):.3f} (rival {_within(theirs):.3f}), {len(ours)} sets")


if __name__ == "__main__":
    main()
