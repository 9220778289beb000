"""Six postures of fourteen people, one answer a trial, calibrated on two trials that are not scored.

Data: the sitting recordings (Nariman Ahmed and others, CC BY 4.0), beside the project; C7, T4, T12, lumbar.
Rival: always answering the commonest posture. Nothing is fitted: the thresholds are those of
`analytics.posture.rules`, halved where a held trial needs no safety against flicker.
"""

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
import sitting_recordings as sitting

from analytics.pipeline import Pipeline, joined
from analytics.posture.rules import DEFAULT_PLAN, Plan, Worn, deviations
from analytics.wearing.calibration import calibrate
from poise.calibration import Calibration
from poise.results import Kind
from poise.samples import Floats, ImuBatch

POSTURES = ("upright", "slouch", "forward_bend", "backward_bend", "right_bend", "left_bend")
SHORTEST_US = 20_000_000
DRAWS = 2000


def parts(session: sitting.Sitting, trial: sitting.Trial) -> dict[str, list[ImuBatch]]:
    """Return a trial's batches by segment."""
    found: dict[str, list[ImuBatch]] = {}
    for message in session.during(trial):
        for batch in message.batches:
            found.setdefault(batch.segment, []).append(batch)
    return found


def median_pose(batches: dict[str, list[ImuBatch]], calibration: Calibration) -> tuple[Floats, Floats, Worn]:
    """Return the trial's median sagittal and frontal inclinations, one row."""
    pipeline = Pipeline()
    pipeline.calibrate(calibration)
    merged = [batch for part in batches.values() for batch in part]
    results = joined([pipeline.update(merged), pipeline.finish()])
    frames = max(results.frames, key=len)
    columns = {segment: j for j, segment in enumerate(frames.segments)}
    bows = {segment: calibration.alignments[segment].bow_rad for segment in columns}
    sagittal, frontal = (np.nanmedian(a, axis=0, keepdims=True) for a in (frames.sagittal, frames.frontal))
    return sagittal, frontal, Worn(columns, bows)


def answer(sagittal: Floats, frontal: Floats, worn: Worn, plan: Plan = DEFAULT_PLAN) -> str:
    """Name the posture of one median pose."""
    held = {
        d.kind
        for d in deviations(sagittal, frontal, worn, plan)
        if d.allowed[0] and d.angle[0] >= d.threshold
    }
    thorax = worn.columns[worn.thorax or "t4"]
    # Leaning back tips the pelvis first; the upper back may follow the head and stay.
    if np.degrees(sagittal[0, [thorax, worn.columns["lumbar"]]]).min() <= -plan.slouch_deg:
        return "backward_bend"
    if np.degrees(abs(frontal[0, thorax])) >= plan.side_bend_deg / 2:
        return "right_bend" if frontal[0, thorax] > 0 else "left_bend"
    if Kind.HIP_LEAN in held:
        return "forward_bend"
    return "slouch" if Kind.SLOUCH in held else "upright"


def f1(pairs: list[tuple[str, str]], posture: str) -> float:
    """Return the F1 score of one posture over (true, said) pairs."""
    hits = sum(t == s == posture for t, s in pairs)
    wrong = sum((t == posture) != (s == posture) for t, s in pairs)
    return 2 * hits / (2 * hits + wrong) if hits + wrong else 1.0


def macro(pairs: list[tuple[str, str]]) -> float:
    """Return the mean F1 over the postures."""
    return float(np.mean([f1(pairs, posture) for posture in POSTURES]))


def person(subject: int) -> list[tuple[str, str]]:
    """Return (true, said) for every scored trial of one person."""
    session = sitting.load(subject)
    upright, bow = session.first("upright"), session.first("forward_bend")
    begin_us = session.trials[0].start_us
    made = calibrate(parts(session, upright), parts(session, bow), calibration_id="c", made_us=begin_us)
    scored = [t for t in session.trials if t not in (upright, bow) and t.end_us - t.start_us >= SHORTEST_US]
    return [(t.posture, answer(*median_pose(parts(session, t), made))) for t in scored]


def interval(people: list[list[tuple[str, str]]], score: Callable[[list[tuple[str, str]]], float]) -> str:
    """Return a 95 % bootstrap interval over people."""
    rng = np.random.default_rng(1)
    draws = [
        score([pair for i in rng.integers(0, len(people), len(people)) for pair in people[i]])
        for _ in range(DRAWS)
    ]
    low, high = np.quantile(draws, (0.025, 0.975))
    return f"{low:.2f} to {high:.2f}"


def main() -> None:
    """Print a row a posture and the macro F1."""
    if not sitting.subjects():
        print("left out: the sitting recordings are not beside the project (shared/data/sitting)")
        return
    people = [person(subject) for subject in sitting.subjects()]
    pairs = [pair for trials in people for pair in trials]
    print(f"{len(pairs)} trials of {len(people)} people")
    for posture in POSTURES:
        said = Counter(s for t, s in pairs if t == posture).most_common()
        print(
            f"{posture:14} F1 {f1(pairs, posture):.2f}   answered: " + ", ".join(f"{s} {n}" for s, n in said)
        )
    commonest = Counter(t for t, _ in pairs).most_common(1)[0][0]
    print(f"commonest posture always: macro F1 {macro([(t, commonest) for t, _ in pairs]):.2f}")
    print(f"slouch F1 {f1(pairs, 'slouch'):.2f} ({interval(people, lambda p: f1(p, 'slouch'))})")
    print(f"macro F1 {macro(pairs):.2f} ({interval(people, macro)})")


if __name__ == "__main__":
    main()
