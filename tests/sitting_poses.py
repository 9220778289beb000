"""Each trial of the sitting recordings as one median pose, for the benchmarks on real people."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import sitting_recordings as sitting

from analytics.pipeline import Pipeline, joined
from analytics.posture.worn import Worn
from analytics.wearing.calibration import calibrate
from poise.calibration import Calibration
from poise.samples import Floats, ImuBatch

SHORTEST_US = 20_000_000
DRAWS = 2000
Pairs = list[tuple[str, str]]


@dataclass(frozen=True)
class Pose:
    """One scored trial: whose, what it really was, and its median angles, one row each, rad."""

    subject: int
    posture: str
    sagittal: Floats
    frontal: Floats
    worn: Worn

    def seen_by(self, segments: Sequence[str]) -> "Pose":
        """Return what a wearer of only these sensors would show."""
        columns = {name: self.worn.columns[name] for name in segments if name in self.worn.columns}
        return replace(self, worn=Worn(columns, self.worn.bow))

    def features(self, segments: Sequence[str]) -> Floats:
        """Return both angles of these segments, rad; an unseen one is 0."""
        columns = [self.worn.columns[name] for name in segments]
        found = np.concatenate([self.sagittal[0, columns], self.frontal[0, columns]])
        return np.nan_to_num(found)


def people(*, bow: bool = True) -> dict[int, list[Pose]]:
    """Return the scored trials by person; the first upright (and first forward bend) calibrate only."""
    return {subject: person(subject, bow=bow) for subject in sitting.subjects()}


def person(subject: int, *, bow: bool = True) -> list[Pose]:
    """Return one person's scored trials."""
    session = sitting.load(subject)
    upright, lean = session.first("upright"), session.first("forward_bend")
    begin_us = session.trials[0].start_us
    made = calibrate(
        parts(session, upright), parts(session, lean) if bow else None, calibration_id="c", made_us=begin_us
    )
    scored = [t for t in session.trials if t not in (upright, lean) and t.end_us - t.start_us >= SHORTEST_US]
    return [
        Pose(subject, trial.posture, *median_pose(parts(session, trial), made, begin_us)) for trial in scored
    ]


def parts(session: sitting.Sitting, trial: sitting.Trial) -> dict[str, list[ImuBatch]]:
    """Return a trial's batches by segment."""
    found: dict[str, list[ImuBatch]] = {}
    for message in session.during(trial):
        for batch in message.batches:
            found.setdefault(batch.segment, []).append(batch)
    return found


def median_pose(
    batches: dict[str, list[ImuBatch]], calibration: Calibration, begin_us: int
) -> tuple[Floats, Floats, Worn]:
    """Return the trial's median sagittal and frontal inclinations, one row, and what the columns are."""
    pipeline = Pipeline()
    pipeline.calibrate(replace(calibration, made_us=begin_us))
    merged = [batch for part in batches.values() for batch in part]
    results = joined([pipeline.update(merged), pipeline.finish()])
    frames = max(results.frames, key=len)
    columns = {segment: j for j, segment in enumerate(frames.segments)}
    bows = {segment: calibration.alignments[segment].bow_rad for segment in columns}
    sagittal, frontal = (np.nanmedian(a, axis=0, keepdims=True) for a in (frames.sagittal, frames.frontal))
    return sagittal, frontal, Worn(columns, bows)


def f1(pairs: Pairs, posture: str) -> float:
    """Return the F1 score of one posture over (true, said) pairs."""
    hits = sum(t == s == posture for t, s in pairs)
    wrong = sum((t == posture) != (s == posture) for t, s in pairs)
    return 2 * hits / (2 * hits + wrong) if hits + wrong else 1.0


def macro(pairs: Pairs) -> float:
    """Return the mean F1 over the postures that there are."""
    return float(np.mean([f1(pairs, posture) for posture in sorted({t for t, _ in pairs})]))


def interval(groups: Sequence[Pairs], score: Callable[[Pairs], float]) -> str:
    """Return a 95 % bootstrap interval over people."""
    rng = np.random.default_rng(1)
    draws = [
        score([pair for i in rng.integers(0, len(groups), len(groups)) for pair in groups[i]])
        for _ in range(DRAWS)
    ]
    low, high = np.quantile(draws, (0.025, 0.975))
    return f"{low:.2f} to {high:.2f}"


def left_out(poses: dict[int, list[Pose]], segments: Sequence[str]) -> dict[int, Pairs]:
    """Return (true, said) by person of a linear discriminant trained on all other people's trials.

    Class means and one pooled covariance of the same angles, equal priors: the plain classifier one would
    try first. It sees labels of six postures; the rules see none.
    """
    found: dict[int, Pairs] = {}
    for subject, mine in poses.items():
        others = [pose for other, theirs in poses.items() if other != subject for pose in theirs]
        x = np.array([pose.features(segments) for pose in others])
        labels = np.array([pose.posture for pose in others])
        names = np.unique(labels)
        means = np.array([x[labels == name].mean(axis=0) for name in names])
        apart = x - means[np.searchsorted(names, labels)]
        precision = np.linalg.pinv(apart.T @ apart / len(x) + 1e-6 * np.eye(x.shape[1]))
        found[subject] = [
            (pose.posture, str(names[_nearest(pose.features(segments), means, precision)])) for pose in mine
        ]
    return found


def _nearest(x: Floats, means: Floats, precision: Floats) -> int:
    away = means - x
    return int(np.argmin(np.sum((away @ precision) * away, axis=1)))
