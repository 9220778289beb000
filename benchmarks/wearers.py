"""What is found on simulated wearers: what lasted its dwell, nothing else, and how true the angles are.

Data: the scripts `desk` (ten minutes) and `distractors`, each for several people, calibrated by watching the
pose and the bow as a gateway does. The truth has rules of its own (device/wearer/truth.py).
Rival: the truth.
"""

from dataclasses import dataclass

import numpy as np

from analytics.pipeline import Pipeline, joined
from device.calibrating import CalibrationWatch
from device.wearer.truth import Stretch, Truth
from device.wearer.wearer import Wearer
from poise.results import Episode, Results

START_US = 1_790_000_000_000_000
SECONDS = 600
DWELL_S = 10.0
RUNS = [("desk", seed) for seed in range(1, 7)] + [("distractors", seed) for seed in range(1, 5)]


@dataclass
class Row:
    """One wearer."""

    true: int
    found: int
    invented: int
    late_s: float
    worst_rms_deg: float


def analysed(wearer: Wearer, stop_s: float) -> tuple[Results, int]:
    """Return the results, and from which UTC µs on the wearer was calibrated."""
    watch, pipeline, parts = CalibrationWatch(), Pipeline(), []
    made_us = 0
    for message in wearer.to_messages(START_US, "bench", stop_s=stop_s):
        parts.append(pipeline.update(message.batches))
        if not made_us and (calibration := watch.feed(message)):
            pipeline.calibrate(calibration)
            made_us = calibration.made_us
    return joined([*parts, pipeline.finish()]), made_us


def rms_deg(results: Results, truth: Truth, segment: str) -> float:
    """Return the RMS error of a segment's sagittal inclination, degrees."""
    frames = [part for part in results.frames if part.calibration]
    t_s = np.concatenate([(part.t_us - START_US) / 1e6 for part in frames])
    found = np.concatenate([part.sagittal[:, part.segments.index(segment)] for part in frames])
    apart = found - np.interp(t_s, truth.t_s, truth.sagittal[segment])
    return float(np.degrees(np.sqrt(np.nanmean(apart**2))))


def judged(script: str, seed: int) -> Row:
    """Compare one wearer's episodes with the truth."""
    wearer = Wearer(script, seed=seed)
    stop_s = wearer.length_s or SECONDS
    results, made_us = analysed(wearer, stop_s)
    truth = wearer.truth(stop_s)
    due = [s for s in truth.stretches if s.seconds >= DWELL_S and s.start_s * 1e6 + START_US > made_us]
    pairs = [(s, [e for e in results.episodes if same(e, s)]) for s in due]
    matched = {e.id for _, episodes in pairs for e in episodes}
    late = [abs((found[0].start_us - START_US) / 1e6 - s.start_s) for s, found in pairs if found]
    return Row(
        len(due),
        sum(bool(found) for _, found in pairs),
        sum(e.id not in matched for e in results.episodes),
        max(late, default=0.0),
        max(rms_deg(results, truth, segment) for segment in wearer.sensors),
    )


def same(episode: Episode, stretch: Stretch) -> bool:
    """Is this episode of the stretch's kind and time?"""
    start, end = ((t - START_US) / 1e6 for t in (episode.start_us, episode.last_us))
    return episode.kind == stretch.kind and start < stretch.end_s and end > stretch.start_s


def main() -> None:
    """Print a row a wearer and the sums."""
    print(f"{'script':12} seed  true  found  invented  start off by at most  worst angle RMS")
    rows = []
    for script, seed in RUNS:
        row = judged(script, seed)
        rows.append(row)
        print(
            f"{script:12} {seed:4}  {row.true:4}  {row.found:5}  {row.invented:8}  {row.late_s:18.1f} s  "
            f"{row.worst_rms_deg:13.1f}°"
        )
    print(
        f"all: {sum(r.found for r in rows)} of {sum(r.true for r in rows)} found, "
        f"{sum(r.invented for r in rows)} invented, worst angle RMS {max(r.worst_rms_deg for r in rows):.1f}°"
    )


if __name__ == "__main__":
    main()
