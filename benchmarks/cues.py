"""Cues and time in bad posture: cueing by load against cueing by threshold, in a closed loop.

Data: simulated days of eight hours at a desk, second by second, one a seed; the same seed is the same
person and the same luck for every way of cueing. No recording of people answering cues is public, so who
answers how is assumed: three models, stated below. The `Cueing` that a gateway runs is in the loop; budget,
quiet hours and fading are off, so that only the way of cueing differs. Angles are in thresholds (1 is 12°).

The person: half of the day in steady work, in which the back sinks towards an own habit (1.2 to 1.8, over a
time constant of about 5 min after sitting up) and shifts every 200 s; half in varied work, in which every
60 s another posture is taken. Together that is about 9 shifts in 15 min, and there are 13 fidgets, as a
week in the field showed for seated office work (doi:10.1016/j.apergo.2024.104374). The rest of the numbers
are assumed.

How a cue is answered: *prompt* sits up after 2 to 8 s, always. *annoyed* with the probability 0.9 exp(-n /
30) after n cues on the day. *busy* hears nothing in spells of 10 min, 20 min apart, and takes 10 to 40 s
otherwise.

Rivals: plain threshold cueing as products do it, a cue after the delay and again after each further delay
while the posture lasts (seconds: posture trainers and research; 60 s: Poise's default delay); a reminder
every 30 min; no cue.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from analytics.cues.cue import Cue, CueMode
from analytics.cues.cueing import Cueing
from analytics.cues.plan import CuePlan
from analytics.pipeline import Pipeline
from device.wearer.wearer import Wearer
from poise.results import GRID_US, Kind
from poise.samples import Bools, Floats, Int64s

MORNING_US = 20_000 * 86_400_000_000 + 8 * 3_600_000_000
DAY_S = 8 * 3600
SEEDS = range(1, 15)
CHOOSING = 4
"""So many seeds choose the load that is held against a rival; the others judge it."""
MARGIN_MIN = 0.5
"""Min an hour, under 1 % of the time: up to here, with its whole interval, bad posture counts as no more."""
MODELS = ("prompt", "annoyed", "busy")
BARE = CuePlan(fading=(), quiet_hours=(), budget_per_day=100_000)
TENTHS = np.arange(10, dtype=np.int64) * GRID_US


@dataclass(frozen=True)
class Habits:
    """What a day is made of; varied in the sensitivity table."""

    varied: float = 0.5
    relapse_s: float = 300.0
    fidget_s: float = 69.0


class Second(NamedTuple):
    """A second as cueing sees it: its number, the deviation, and whether the posture holds."""

    t: int
    angle: float
    held: bool


Way = Callable[[Second], bool]
"""Says whether it cues."""


@dataclass(frozen=True)
class Day:
    """What came of a day, by the hour."""

    cues: float
    bad_min: float


class Person:
    """Posture of one simulated day; nothing here knows how it is cued."""

    def __init__(self, seed: int, habits: Habits, model: str) -> None:
        """Draw the day's luck beforehand, so that it is the same however the person is cued."""
        rng = np.random.default_rng(seed)
        self.habit = rng.uniform(1.2, 1.8)
        self.relapse_s = habits.relapse_s * np.exp(rng.normal(0, 0.5))
        self.luck = rng.random((DAY_S, 6)).tolist()
        self.noise = rng.normal(size=(DAY_S, 2)).tolist()
        self.habits, self.model = habits, model
        self.varied, self.busy, self.cued = bool(rng.random() < habits.varied), False, 0
        self.base, self.sway, self.fidget, self.depth = 0.0, 0.0, 0, 0.0
        self.since, self.answer_at = 0, -1

    def angle(self, t: int) -> float:
        """Return the deviation over its threshold in second `t`; call for every second in turn."""
        phase, shift, fidget, busy, a, b = self.luck[t]
        if phase < 1 / 1200:
            self.varied = a < self.habits.varied
        self.busy = busy > 1 / 600 if self.busy else busy < 1 / 1200
        self.since += 1
        if t == self.answer_at:
            self.since, self.base = 0, 0.0
        sunk = self.habit * (1 - np.exp(-self.since / self.relapse_s))
        if self.varied and shift < 1 / 60:
            self.base = 0.5 + 0.67 * self.noise[t][0]
        elif not self.varied and shift < 1 / 200:
            self.base = sunk + 0.33 * self.noise[t][0]
        elif not self.varied and self.base < sunk:
            self.base += (sunk - self.base) / self.relapse_s
        self.fidget -= 1
        if self.fidget <= 0 and fidget < 1 / self.habits.fidget_s:
            self.fidget, self.depth = 1 + int(4 * a), 0.4 + 0.4 * b
        self.sway = 0.8825 * self.sway + 0.047 * self.noise[t][1]
        return float(self.base + self.sway - (self.depth if self.fidget > 0 else 0.0))

    def hear(self, t: int) -> None:
        """Get a cue in second `t`, and answer it or not."""
        luck = self.luck[t][5]
        self.cued += 1
        if self.model == "annoyed" and luck > 0.9 * np.exp(-(self.cued - 1) / 30):
            return
        if self.model == "busy" and self.busy:
            return
        if self.answer_at <= t:
            self.answer_at = t + (2 + int(7 * luck) if self.model != "busy" else 10 + int(31 * luck))


def lived(person: Person, cued: Way) -> Day:
    """Live through a day."""
    held, bad, cues = False, 0, 0
    for t in range(DAY_S):
        angle = person.angle(t)
        held = angle >= 0.75 if held else angle >= 1
        bad += held
        if cued(Second(t, angle, held)):
            cues += 1
            person.hear(t)
    return Day(cues * 3600 / DAY_S, bad / 60 * 3600 / DAY_S)


def by_plan(plan: CuePlan) -> Way:
    """Cue as a gateway does; seconds in which no cue can come are kept and given together.

    That is allowed because any chunking gives the same cues.
    """
    cueing, waiting = Cueing(plan), []
    earliest, again, free = 0.0, 0.0, 0

    def cued(second: Second) -> bool:
        nonlocal earliest, again, free
        t = second.t
        waiting.append(second)
        free = 0 if second.held else free + 1
        if free >= plan.answer_s:
            earliest = min(earliest, again)
        if (not second.held or t < earliest) and len(waiting) < 3600:
            return False
        cues = cueing.update(*_frames(waiting)).cues
        waiting.clear()
        steepest = 2 if plan.mode is CueMode.EXPOSURE else 1
        earliest = max(earliest, t + (plan.delay_s - cueing.load_s) / steepest)
        if cues:
            again = t + plan.refractory_s
            longer = plan.refractory_s * plan.patience ** min(cues[-1].unanswered, 30)
            earliest = t + max(plan.refractory_s, min(longer, plan.refractory_most_s))
            earliest = again if plan.mode is CueMode.THRESHOLD else earliest
        return bool(cues)

    return cued


def _frames(seconds: list[Second]) -> tuple[Int64s, tuple[Kind, ...], Bools, Floats]:
    at = np.repeat(np.array([second.t for second in seconds], np.int64) * 1_000_000, 10)
    ratio = np.repeat([second.angle for second in seconds], 10)[:, None]
    held = np.repeat([second.held for second in seconds], 10)[:, None]
    return MORNING_US + at + np.tile(TENTHS, len(seconds)), (Kind.SLOUCH,), held, ratio


def by_load(delay_s: float) -> CuePlan:
    """Return cueing by load with everything in proportion to its delay, as far as the default's 5 min."""
    most_s = max(4 * delay_s, min(20 * delay_s, 300.0))
    return replace(BARE, delay_s=delay_s, refractory_s=4 * delay_s, refractory_most_s=most_s)


def threshold(delay_s: float) -> CuePlan:
    return replace(BARE, mode=CueMode.THRESHOLD, delay_s=delay_s, refractory_s=delay_s)


WAYS: dict[str, Callable[[], Way]] = {
    "no cue": lambda: lambda _: False,
    "every 30 min": lambda: lambda second: second.t % 1800 == 1799,
    "threshold 5 s": lambda: by_plan(threshold(5)),
    "threshold 15 s": lambda: by_plan(threshold(15)),
    "threshold 60 s": lambda: by_plan(threshold(60)),
    "load 2.5 s": lambda: by_plan(by_load(2.5)),
    "load 5 s": lambda: by_plan(by_load(5)),
    "load 30 s": lambda: by_plan(by_load(30)),
    "load 60 s": lambda: by_plan(by_load(60)),
}
RIVALS = [way for way in WAYS if way.startswith("threshold")]
OURS = [way for way in WAYS if way.startswith("load")]


def lives(way: str, model: str, habits: Habits, seeds: Sequence[int]) -> Floats:
    """Return (seeds, 2) cues and minutes in bad posture, by the hour."""
    days = [lived(Person(seed, habits, model), WAYS[way]()) for seed in seeds]
    return np.array([(day.cues, day.bad_min) for day in days])


def interval(values: Floats) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the mean over seeds."""
    draws = np.random.default_rng(0).choice(values, (2000, len(values))).mean(axis=1)
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(low), float(high)


def table(model: str) -> dict[str, Floats]:
    """Print a row for each way of cueing."""
    print(f"\n{model:18} cues an hour                bad posture, min an hour    spared by a cue")
    found = {way: lives(way, model, Habits(), SEEDS) for way in WAYS}
    for way, days in found.items():
        (cues, bad), spans = days.mean(axis=0), [interval(column) for column in days.T]
        spared = f"{(found['no cue'][:, 1].mean() - bad) / cues:8.1f} min" if cues else ""
        cells = [
            f"{mean:7.1f} ({a:5.1f} to {b:5.1f})" for mean, (a, b) in zip((cues, bad), spans, strict=True)
        ]
        print(f"  {way:16} {cells[0]:27} {cells[1]:27} {spared}")
    return found


def verdicts(model: str, found: dict[str, Floats]) -> int:
    """Of the loads with half a rival's cues take the best by the first seeds, judge by the others."""
    holds = 0
    for rival in RIVALS:
        first, second = found[rival][:CHOOSING], found[rival][CHOOSING:]
        few = [way for way in OURS if found[way][:CHOOSING, 0].mean() <= first[:, 0].mean() / 2]
        if not few:
            print(f"  {model:8} against {rival:15} does not hold: no load here needs half the cues")
            continue
        way = min(few, key=lambda w: float(found[w][:CHOOSING, 1].mean()))
        share = found[way][CHOOSING:, 0].mean() / second[:, 0].mean()
        more = found[way][CHOOSING:, 1] - second[:, 1]
        low, high = interval(more)
        good = bool(share <= 0.5 and high <= MARGIN_MIN)
        word = "holds" if good else "stays open" if more.mean() <= MARGIN_MIN else "does not hold"
        holds += good
        print(
            f"  {model:8} against {rival:15} {word}: {way}, "
            f"{share:.0%} of the cues, bad posture {more.mean():+.1f} ({low:+.1f} to {high:+.1f}) min an hour"
        )
    return holds


def sensitivity() -> None:
    """Print how it comes out for other people: the busy model, three seeds."""
    print("\nother people (busy)      threshold 15 s  load 5 s        threshold 60 s  load 60 s")
    others = {
        "all steady work": Habits(varied=0.0),
        "all varied work": Habits(varied=1.0),
        "sinks in 2 min": Habits(relapse_s=120.0),
        "sinks in 15 min": Habits(relapse_s=900.0),
        "hardly fidgets": Habits(fidget_s=600.0),
    }
    for name, habits in others.items():
        cells = []
        for way in ("threshold 15 s", "load 5 s", "threshold 60 s", "load 60 s"):
            cues, bad = lives(way, "busy", habits, SEEDS[:3]).mean(axis=0)
            cells.append(f"{cues:5.1f} / {bad:4.1f}    ")
        print(f"  {name:22} {' '.join(cells)}")
    print("  cues an hour / bad posture, min an hour")


def wiring() -> None:
    """Send a simulated wearer through the whole pipeline into `Cueing`."""
    wearer, pipeline = Wearer("desk", seed=1), Pipeline()
    cueing, cues = Cueing(replace(BARE, delay_s=20.0, refractory_s=60.0)), list[Cue]()
    pipeline.calibrate(wearer.true_calibration(MORNING_US))
    for message in wearer.to_messages(MORNING_US, "bench", stop_s=240):
        now_us = max(int(batch.t_us[-1]) for batch in message.batches)
        cues += cueing.feed(pipeline.update(message.batches), now_us).cues
    print("\nthe virtual wearer at the desk for 4 min, limit 20 s, through the pipeline:")
    for cue in cues:
        print(f"  after {(cue.t_us - MORNING_US) / 1e6:5.1f} s  {cue.kind:24} {cue.sentence}")


def main() -> None:
    """Print the tables, what holds, how it changes with the person, and the whole way once."""
    found = {model: table(model) for model in MODELS}
    print("\nat most half the cues at no more bad posture?")
    holds = sum(verdicts(model, days) for model, days in found.items())
    sensitivity()
    wiring()
    total = len(MODELS) * len(RIVALS)
    print(f"\nhalf the cues at no more bad posture: holds in {holds} of {total} pairs of model and rival")


if __name__ == "__main__":
    main()
