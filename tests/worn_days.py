"""Moments of simulated wearers, of recordings and of sensors that lie on a table, for tests of the gate."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from analytics.motion.angles import axes, inclination
from analytics.motion.grid import Grid
from analytics.motion.moments import Moments
from analytics.posture.activity import ActivityGate
from analytics.wearing.worn import WearWatch
from device.wearer import SCALE, Label, Wearer
from poise.calibration import Calibration
from poise.results import ACTIVITIES, Activity
from poise.samples import ImuBatch, SampleMessage, quantise

START_US = 1_790_000_000_000_000
ARRAYS = ("frames", "q_earth_from_sensor", "up", "rate", "force", "shake")


def moments(messages: Iterable[SampleMessage]) -> Moments:
    """Return the moments of messages, through the program's own grid."""
    grid = Grid()
    grid.add([batch for message in messages for batch in message.batches])
    return grid.moments(everything=True)


def part(whole: Moments, start: int, stop: int) -> Moments:
    """Return the moments `start:stop`."""
    return replace(whole, **{name: getattr(whole, name)[start:stop] for name in ARRAYS})


def angles(whole: Moments, calibration: Calibration | None) -> tuple[np.ndarray, np.ndarray]:
    """Return sagittal and frontal (n, m) rad, NaN where there is no alignment."""
    sagittal, frontal = (np.full(whole.force.shape, np.nan) for _ in range(2))
    for j, segment in enumerate(whole.segments):
        known = calibration.alignments.get(segment) if calibration else None
        if known:
            turned = axes(known.q_sensor_from_segment)
            sagittal[:, j], frontal[:, j] = inclination(whole.up[:, j], turned)
    return sagittal, frontal


def activities(whole: Moments, calibration: Calibration | None, size: int = 10**6) -> np.ndarray:
    """Return (n,) codes, `size` moments at a time."""
    sagittal, frontal = angles(whole, calibration)
    gate, watch, found = ActivityGate(), WearWatch(), [np.zeros(0, np.int8)]
    for i in range(0, len(whole), size):
        piece = part(whole, i, i + size)
        found.append(gate.update(piece, sagittal[i : i + size], frontal[i : i + size], watch.update(piece)))
    return np.concatenate(found)


def names(codes: np.ndarray) -> list[Activity]:
    """Return codes as activities."""
    return [ACTIVITIES[code] for code in codes]


def share(codes: np.ndarray, *wanted: Activity) -> float:
    """Return the share of the frames with one of the activities."""
    return float(np.isin(codes, [ACTIVITIES.index(activity) for activity in wanted]).mean())


def during(whole: Moments, label: Label, skip_s: float = 0.0, beyond_s: float = 0.0) -> np.ndarray:
    """Return (n,) bool: frames of an act, leaving out its beginning."""
    t_s = (whole.frames * 100_000 - START_US) / 1e6
    return np.asarray((t_s >= label.start_s + skip_s) & (t_s < label.end_s + beyond_s))


def wearer(script, seed: int, seconds: float, **options) -> tuple[Moments, Calibration, tuple[Label, ...]]:
    """Return a simulated wearer's moments, true calibration and labels."""
    person = Wearer(script, seed=seed, **options)
    whole = moments(person.to_messages(START_US, "s", seconds))
    return whole, person.true_calibration(START_US), person.truth(seconds).labels


def on_table(
    segment: str, seconds: float, start_us: int = START_US, *, seed: int = 1, noise: float = 1.0
) -> ImuBatch:
    """Return a sensor lying still at 50 Hz, with the noise of a common part, times `noise`.

    Its filter begins cold: it takes up to four minutes to know the bias, and the up that it gives turns until
    then.
    """
    rng, n = np.random.default_rng(seed), int(seconds * 50)
    up = rng.normal(0, 1, 3)
    acc = 9.81 * up / np.linalg.norm(up) + rng.normal(0, 0.012 * noise, (n, 3))
    gyr = np.radians(rng.normal(0, 0.5, 3) + rng.normal(0, 0.05 * noise, (n, 3)))
    t_us = start_us + np.arange(n, dtype=np.int64) * 20_000
    counts = quantise(acc, SCALE.acc_nano)[0], quantise(gyr, SCALE.gyr_nano)[0]
    return ImuBatch(f"table-{segment}", segment, 0, 20_000_000, t_us, *counts, SCALE)
