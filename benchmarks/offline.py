"""Speed of a re-analysis on one core: hours of wear analysed in a second, against other filters.

Data: a simulated wearer (script desk, seed 1), five sensors (head, C7, T4, both shoulder blades) at 50 Hz,
one hour, in pieces of five minutes as a re-analysis may read them from the archive. Every contender gets the
same pieces, from int16 counts on. Poise does everything: orientation, calibration, activity, postures,
episodes, seconds, exposure. Rivals compute orientation only: vqf itself (the filter that Poise uses),
imufusion, ahrs Madgwick, and vqf fed a sample at a time from Python. The slow ones get a shorter part and are
scaled. Times are the processor's own, so that other programs do not count.
"""

import time
from collections.abc import Callable, Sequence

import numpy as np
from vqf import VQF

from analytics.pipeline import Pipeline
from device.wearer.wearer import Wearer
from poise.samples import ImuBatch, merge

HOUR_S = 3600
PIECE_S = 300
START_US = 1_790_000_000_000_000
SENSORS = ("head", "c7", "t4", "scapula_left", "scapula_right")
Piece = tuple[ImuBatch, ...]


def pieces(wearer: Wearer, seconds: int) -> list[Piece]:
    """Return the wearer's samples, a batch a sensor for every five minutes."""
    messages = list(wearer.to_messages(START_US, "bench", stop_s=seconds))
    return [
        tuple(merge(batches) for batches in zip(*(m.batches for m in messages[i : i + PIECE_S]), strict=True))
        for i in range(0, len(messages), PIECE_S)
    ]


def poise(data: Sequence[Piece], wearer: Wearer) -> None:
    """Run everything from samples to episodes, seconds and exposure."""
    pipeline = Pipeline()
    pipeline.calibrate(wearer.true_calibration(START_US - 1))
    for piece in data:
        pipeline.update(piece)
    pipeline.finish()


def with_rows(data: Sequence[Piece], wearer: Wearer) -> None:
    """Do the same and make an object of every row that a store would write."""
    pipeline = Pipeline()
    pipeline.calibrate(wearer.true_calibration(START_US - 1))
    for piece in data:
        list(pipeline.update(piece).seconds)
    list(pipeline.finish().seconds)


def bare_vqf(data: Sequence[Piece]) -> None:
    """Run vqf in batches."""
    filters: dict[str, VQF] = {}
    for piece in data:
        for batch in piece:
            one = filters.setdefault(batch.segment, VQF(batch.period_ns * 1e-9))
            one.updateBatch(np.ascontiguousarray(batch.gyr_si), np.ascontiguousarray(batch.acc_si))


def sample_by_sample(data: Sequence[Piece]) -> None:
    """Run vqf a sample at a time from Python."""
    filters: dict[str, VQF] = {}
    for piece in data:
        for batch in piece:
            one = filters.setdefault(batch.segment, VQF(batch.period_ns * 1e-9))
            for gyr, acc in zip(batch.gyr_si, batch.acc_si, strict=True):
                one.update(gyr, acc)
                one.getQuat6D()


def imufusion(data: Sequence[Piece]) -> None:
    """Run imufusion, which takes a sample at a time."""
    from imufusion import Ahrs

    filters: dict[str, Ahrs] = {}
    for piece in data:
        for batch in piece:
            one = filters.setdefault(batch.segment, Ahrs())
            one.set_sample_period(batch.period_ns * 1e-9)
            for gyr, acc in zip(np.degrees(batch.gyr_si), batch.acc_si / 9.80665, strict=True):
                one.update_no_magnetometer(gyr, acc)


def madgwick(data: Sequence[Piece]) -> None:
    """Run Madgwick's filter of the package ahrs."""
    from ahrs.filters import Madgwick

    for piece in data:
        for batch in piece:
            Madgwick(gyr=batch.gyr_si, acc=batch.acc_si, frequency=batch.rate_hz)


def best(work: Callable[[], None], times: int) -> float:
    """Return the least of several durations, s."""
    durations = []
    for _ in range(times):
        began = time.process_time()
        work()
        durations.append(time.process_time() - began)
    return min(durations)


def in_turns(ours: Callable[[], None], theirs: Callable[[], None], times: int) -> list[tuple[float, float]]:
    """Return pairs of durations, s: what else the machine does falls on both alike."""
    return [(best(ours, 1), best(theirs, 1)) for _ in range(times)]


def main() -> None:
    """Print a row a contender and the ratio."""
    wearer = Wearer("desk", seed=1, segments=SENSORS, rate_hz=50.0)
    hour = pieces(wearer, HOUR_S)
    short = [tuple(batch.part(0, len(batch) // 5) for batch in hour[0])]
    share = len(short[0][0]) / sum(len(piece[0]) for piece in hour)
    print(
        f"{sum(len(b) for piece in hour for b in piece)} samples: one hour, {len(SENSORS)} sensors at 50 Hz"
    )
    pairs = in_turns(lambda: poise(hour, wearer), lambda: bare_vqf(hour), 9)
    contenders: dict[str, tuple[Callable[[], None], int, float]] = {
        "Poise, and each row as an object": (lambda: with_rows(hour, wearer), 3, 1.0),
        "VQF, a sample at a time": (lambda: sample_by_sample(short), 1, share),
        "imufusion": (lambda: imufusion(short), 1, share),
        "ahrs Madgwick": (lambda: madgwick(short), 1, share),
    }
    rival = min(theirs for _, theirs in pairs)
    taken = {"bare VQF": rival, "Poise, everything": min(ours for ours, _ in pairs)}
    taken |= {name: best(work, times) / part for name, (work, times, part) in contenders.items()}
    print(f"{'':34}{'hours of wear a second':>24}{'times bare VQF':>16}")
    for name, seconds in taken.items():
        print(f"{name:34}{1 / seconds:24.3f}{seconds / rival:16.2f}")
    ratios = sorted(ours / theirs for ours, theirs in pairs)
    print(f"in turns: {ratios[0]:.2f} to {ratios[-1]:.2f} times")
    print(f"whole pipeline: {ratios[len(ratios) // 2]:.2f} times bare VQF (median of {len(ratios)} pairs)")


if __name__ == "__main__":
    main()
