"""Made-up days that the detector does not know: what is found, what is invented, when, and how true.

Data: ten simulated people with random mountings and random acts, and as many with acts that are no lasting
posture; simulated, so it shows that the program does what it says, and nothing about people. Each is
calibrated by watching the pose and the bow as a gateway does. The truth has rules of its own
(device/wearer/truth.py).
Rival: the same angles against the same thresholds, without dwell and hysteresis.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields

import numpy as np

from analytics.pipeline import Pipeline, joined
from analytics.posture.rules import DEFAULT_PLAN, Worn, deviations
from device.calibration.calibrating import CalibrationWatch
from device.wearer.postures import POSTURES
from device.wearer.script import Act, Script
from device.wearer.truth import Stretch, Truth, TruthRules, find_stretches
from device.wearer.wearer import Wearer
from poise.results import GRID_US, SPINE_KINDS, Kind, Results
from poise.samples import ImuBatch, SampleMessage, merge

START_US = 1_790_000_000_000_000
SEEDS = range(101, 111)
POSTURE_S, DISTRACTOR_S = 900.0, 2880.0
RATE_HZ = 50.0
DWELL_S = DEFAULT_PLAN.dwell_s
EDGE_DEG, EDGE_S = 2.0, 1.0
"""A posture so near its threshold (the accuracy promised for an angle) or its dwell is one to one yardstick,
none to the other, and the truth has no hysteresis: such are counted apart, and in the strict figure."""
TOGETHER = 30
"""Messages merged into one update once calibrated: the results are the same for any chunking, only sooner."""
ROUNDED = (Kind.ROUNDED_SHOULDER_LEFT, Kind.ROUNDED_SHOULDER_RIGHT)
GROUPS = {"forward head": (Kind.FORWARD_HEAD,), "rounded shoulder": ROUNDED, "all kinds": tuple(Kind)}
HELD = ("forward_head", "rounded_shoulder", "slouch", "hip_lean", "looking_down", "side_bend")
PASSING = ("turn_head", "reach", "drink", "lean_back", "stand", "walk", "turn_around", "upright")


Edge = tuple[Sequence[Stretch], Sequence[Stretch]]
"""The episodes that are so by a margin, and those that are almost so."""


@dataclass(frozen=True)
class Span:
    """A posture from start to end, s, and when it was recorded."""

    kind: Kind
    start_s: float
    end_s: float
    detected_s: float = 0.0


@dataclass
class Score:
    """What was found of one group of kinds."""

    found: int = 0
    missed: int = 0
    invented: int = 0
    edge: int = 0
    starts_s: list[float] = field(default_factory=list)
    delays_s: list[float] = field(default_factory=list)

    @property
    def strict(self) -> float:
        """Return the F1 score of episodes against the truth to the letter."""
        return 2 * self.found / max(1, 2 * self.found + self.missed + self.invented + self.edge)

    @property
    def f1(self) -> float:
        """Return the F1 score of episodes, those aside that lie within `EDGE_DEG` of a threshold."""
        return 2 * self.found / max(1, 2 * self.found + self.missed + self.invented)


def posture_acts(rng: np.random.Generator) -> Iterator[Act]:
    """Yield postures of any amount and length, also too small and too short ones, and what comes between."""
    while True:
        name = str(rng.choice(HELD, p=(0.3, 0.3, 0.1, 0.1, 0.1, 0.1)))
        over = float(rng.uniform(1.0, 10.0))
        usual = POSTURES[name].usual_deg
        sides = POSTURES[name].sides
        side = str(rng.choice(sides)) if sides else ""
        amount = float(rng.uniform(0.3, 1.5)) * usual
        yield Act(name, over + float(rng.uniform(3.0, 60.0)), amount, side, over)
        yield Act("upright", float(rng.uniform(4.0, 15.0)))
        if rng.random() < 0.4:
            yield passing(rng)


def distractor_acts(rng: np.random.Generator) -> Iterator[Act]:
    """Yield what people do all day that is no lasting posture: gestures, brief and slight postures, walks."""
    while True:
        if rng.random() < 0.5:
            yield passing(rng)
        elif rng.random() < 0.5:
            name = str(rng.choice(HELD))
            yield Act(name, float(rng.uniform(3.0, 7.5)), None, "", 1.0)
        else:
            name = str(rng.choice(HELD))
            slight = float(rng.uniform(0.1, 0.35)) * POSTURES[name].usual_deg
            yield Act(name, float(rng.uniform(10.0, 60.0)), slight, "", 2.0)
        yield Act("upright", float(rng.uniform(4.0, 20.0)))


def passing(rng: np.random.Generator) -> Act:
    """Return a gesture or a change of place."""
    name = str(rng.choice(PASSING))
    posture = POSTURES[name]
    seconds = float(rng.uniform(3.0, 8.0)) if posture.gesture else float(rng.uniform(8.0, 40.0))
    side = str(rng.choice(posture.sides)) if posture.sides else ""
    return Act(name, seconds, None, side)


def script(acts: Iterator[Act], seconds: float, name: str) -> Script:
    """Return a calibration and then acts for about `seconds`."""
    taken = [Act("calibration", 16.0), Act("upright", 8.0)]
    while sum(act.seconds for act in taken) < seconds:
        taken.append(next(acts))
    return Script((*taken, Act("upright", 8.0)), name)


def analysed(wearer: Wearer) -> tuple[Results, float]:
    """Return the results, and from which s on the wearer was calibrated."""
    watch, pipeline, parts, made_us = CalibrationWatch(), Pipeline(), [], 0
    waiting: list[SampleMessage] = []
    for message in wearer.to_messages(START_US, "bench"):
        waiting.append(message)
        if made_us and len(waiting) < TOGETHER:
            continue
        parts.append(pipeline.update(together(waiting)))
        waiting.clear()
        if not made_us and (calibration := watch.feed(message)):
            pipeline.calibrate(calibration)
            made_us = calibration.made_us
    parts += [pipeline.update(together(waiting)), pipeline.finish()] if waiting else [pipeline.finish()]
    return joined(parts), (made_us - START_US) / 1e6 if made_us else np.inf


def together(messages: Sequence[SampleMessage]) -> list[ImuBatch]:
    """Return one batch a sensor."""
    by_sensor: dict[str, list[ImuBatch]] = {}
    for message in messages:
        for batch in message.batches:
            by_sensor.setdefault(batch.sensor, []).append(batch)
    return [merge(batches) for batches in by_sensor.values()]


def recorded(results: Results) -> list[Span]:
    """Return the episodes that the program recorded."""
    return [
        Span(e.kind, *((t - START_US) / 1e6 for t in (e.start_us, e.last_us, e.detected_us)))
        for e in results.episodes
    ]


def bare(results: Results) -> list[Span]:
    """Return the rival's: every stretch above a threshold, one spine kind at a moment."""
    spans = []
    for frames in results.frames:
        if not frames.calibration:
            continue
        worn = Worn({name: j for j, name in enumerate(frames.segments)}, {})
        taken = np.zeros(len(frames), np.bool_)
        for deviation in deviations(frames.sagittal, frames.frontal, worn, DEFAULT_PLAN):
            with np.errstate(invalid="ignore"):
                held = deviation.excess >= 0
            if deviation.kind in SPINE_KINDS:
                held, taken = held & ~taken, taken | held
            edges = np.flatnonzero(np.diff(np.concatenate([[0], held.astype(np.int8), [0]])))
            t_s = (np.append(frames.t_us, frames.t_us[-1] + GRID_US) - START_US) / 1e6
            pairs = zip(t_s[edges[::2]], t_s[edges[1::2]], strict=True)
            spans += [Span(deviation.kind, float(a), float(b), float(a)) for a, b in pairs]
    return spans


def count(score: Score, true: Sequence[Stretch], edge: Edge, found: Sequence[Span], dwell_s: float) -> None:
    """Match each true episode with the found one that overlaps it most, one to one, and count."""
    left, (sure, possible) = list(found), edge
    for stretch in true:
        near = [s for s in left if s.kind == stretch.kind and overlap(s, stretch) > 0]
        certain = any(s.kind == stretch.kind and overlap(s, stretch) > 0 for s in sure)
        if not near:
            score.missed, score.edge = score.missed + certain, score.edge + (not certain)
            continue
        best = max(near, key=lambda s: overlap(s, stretch))
        left.remove(best)
        score.found += 1
        if certain:  # when an amount on the edge crosses the threshold is a matter of sway
            score.starts_s.append(abs(best.start_s - stretch.start_s))
            score.delays_s.append(best.detected_s - stretch.start_s - dwell_s)
    on_edge = sum(any(s.kind == o.kind and overlap(s, o) > 0 for o in possible) for s in left)
    score.invented, score.edge = score.invented + len(left) - on_edge, score.edge + on_edge


def overlap(span: Span | Stretch, stretch: Stretch) -> float:
    """Return the time in common, s."""
    return min(span.end_s, stretch.end_s) - max(span.start_s, stretch.start_s)


def stretches(truth: Truth, by_deg: float) -> Sequence[Stretch]:
    """Return where each kind held with every threshold of the truth moved by so much."""
    plain = TruthRules()
    limits = {f.name: getattr(plain, f.name) + by_deg for f in fields(plain) if f.name.endswith("_deg")}
    return find_stretches(truth.t_s, truth.sagittal, truth.frontal, TruthRules(**limits))


def rms_deg(results: Results, truth: Truth) -> dict[str, float]:
    """Return the RMS error of each segment's sagittal inclination, degrees."""
    frames = [part for part in results.frames if part.calibration]
    errors: dict[str, float] = {}
    for segment in frames[0].segments:
        found = np.concatenate([part.sagittal[:, part.segments.index(segment)] for part in frames])
        t_s = np.concatenate([(part.t_us - START_US) / 1e6 for part in frames])
        apart = found - np.interp(t_s, truth.t_s, truth.sagittal[segment])
        errors[segment] = float(np.degrees(np.sqrt(np.nanmean(apart**2))))
    return errors


@dataclass
class Sums:
    """Everything counted over one sort of day."""

    ours: dict[str, Score] = field(default_factory=lambda: {name: Score() for name in GROUPS})
    rival: dict[str, Score] = field(default_factory=lambda: {name: Score() for name in GROUPS})
    rms_deg: list[float] = field(default_factory=list)
    hours: float = 0.0

    def take(self, wearer: Wearer) -> None:
        """Play and judge one wearer."""
        results, made_s = analysed(wearer)
        truth = wearer.truth()
        self.hours += float(truth.t_s[-1]) / 3600
        if not np.isfinite(made_s):
            print(f"seed {wearer.seed}: the calibration was not found", file=sys.stderr)
            return
        self.rms_deg += rms_deg(results, truth).values()
        due, sure, possible = (
            [s for s in stretches(truth, by) if s.seconds >= dwell_s and s.start_s > made_s]
            for by, dwell_s in ((0.0, DWELL_S), (EDGE_DEG, DWELL_S + EDGE_S), (-EDGE_DEG, DWELL_S - EDGE_S))
        )
        for spans, scores, dwell_s in (
            (recorded(results), self.ours, DWELL_S),
            (bare(results), self.rival, 0.0),
        ):
            for name, kinds in GROUPS.items():
                true = [s for s in due if s.kind in kinds]
                count(scores[name], true, (sure, possible), [s for s in spans if s.kind in kinds], dwell_s)


def days(acts: Callable[[np.random.Generator], Iterator[Act]], seconds: float, name: str) -> Sums:
    """Play ten people, each with acts of its own."""
    sums = Sums()
    for seed in SEEDS:
        rng = np.random.default_rng([seed, int(seconds)])
        wearer = Wearer(
            script(acts(rng), seconds, name), seed, rate_hz=RATE_HZ, mounting_seed=int(rng.integers(2**31))
        )
        sums.take(wearer)
    return sums


def line(name: str, score: Score, rival: Score) -> str:
    """Return one row: counts, scores, how far starts are off, and how late one was recorded."""
    counts = (
        f"{score.found + score.missed:4} {score.found:6} {score.missed:7} {score.invented:9} {score.edge:5}"
    )
    scores = f"{score.f1:5.2f} {score.strict:7.2f} {rival.strict:12.2f}"
    starts = f"{np.quantile(score.starts_s, 0.95):11.1f} s {max(score.starts_s):6.1f} s"
    return f"{name:18} {counts} {scores} {starts} {max(score.delays_s):7.1f} s"


def main() -> None:
    """Print a row a group of kinds and the figures that are promised."""
    posture = days(posture_acts, POSTURE_S, "postures")
    print(f"{posture.hours:.1f} h of postures, {len(SEEDS)} people, random acts and mountings")
    print(
        f"{'':18} true  found  missed  invented  edge    F1  strict  bare strict  start off 95 %, most   late"
    )
    for name in GROUPS:
        print(line(name, posture.ours[name], posture.rival[name]))
    distractors = days(distractor_acts, DISTRACTOR_S, "distractors")
    ours, bare_one = distractors.ours["all kinds"], distractors.rival["all kinds"]
    print(
        f"{distractors.hours:.1f} h of distractors: {ours.invented} invented and {ours.edge} on the edge, "
        f"by bare thresholds {bare_one.invented} and {bare_one.edge}"
    )
    worst = max(posture.rms_deg + distractors.rms_deg)
    false = (ours.invented + ours.edge) * 8 / distractors.hours
    print(
        f"F1 forward head {posture.ours['forward head'].f1:.2f}, "
        f"rounded shoulder {posture.ours['rounded shoulder'].f1:.2f} (strictly "
        f"{posture.ours['forward head'].strict:.2f}, {posture.ours['rounded shoulder'].strict:.2f}); "
        f"false in 8 h {false:.1f}; angles within {worst:.1f}° RMS"
    )


if __name__ == "__main__":
    main()
