"""How often an exercise was done, from whatever sensors are worn: for a finished exercise, or live."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from analytics.exercises.catalogue import Exercise, Form
from analytics.exercises.circles import ROUND, Direction, hand_direction, named, signed_roundness
from analytics.exercises.form import (
    Range,
    Repetition,
    Tempo,
    range_of,
    repetitions,
    symmetry_of,
    tempo_of,
)
from analytics.exercises.signals import Parts, Signals, SignalTrack, gather, together
from analytics.exercises.views import View, segment_view, walking
from poise.calibration import Calibration
from poise.samples import ImuBatch
from poise.skeleton import Segment, spoken

LEAST_QUALITY: Final = 0.25
"""A bout of less is not counted. 252 trials of people sitting stay below 0.05."""
LEAST_QUALITY_UNTOLD: Final = 0.4
LOOKING_ABOUT_RAD: Final = np.radians(20.0)
"""Where nobody said which exercise it is, it must be clearer, and a head must move further than in looking
about. Project decisions."""
LIVE_S: Final = 300.0
"""Live counting keeps the newest five minutes: longer than any set that is counted in repetitions."""
_ALIKE: Final = 0.6


@dataclass(frozen=True, slots=True)
class RepetitionSet:
    """What was counted.

    Attributes:
        count: whole repetitions; 0 where nothing repeats clearly.
        times: the repetitions, in time order.
        confidence: 0 to 1: how alike they are, how many sensors say the same, how much was seen.
        segment: whose movement was counted, "" for none.
        range: how far it moved, None without repetitions.
        tempo: how fast, None without repetitions.
        symmetry: the smaller side's range over the larger's, None where one side is not worn.
        directions: for arm circles, one for each repetition; () for everything else.
        remarks: sentences about what could not be seen or counted.
    """

    count: int = 0
    times: tuple[Repetition, ...] = ()
    confidence: float = 0.0
    segment: str = ""
    range: Range | None = None
    tempo: Tempo | None = None
    symmetry: float | None = None
    directions: tuple[Direction, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def direction(self) -> Direction:
        """Which way most circles went; unknown without a majority."""
        for way in (Direction.FORWARD, Direction.BACKWARD):
            if 2 * self.directions.count(way) > len(self.directions):
                return way
        return Direction.UNKNOWN


def count_repetitions(
    parts: Parts, calibration: Calibration | None = None, *, exercise: Exercise | None = None
) -> RepetitionSet:
    """Count the repetitions of an exercise.

    Args:
        parts: batches by segment over the exercise; standing up before and sitting down after may be in it.
        calibration: sharpens what is seen against the trunk and tells arm circles' direction; may be missing.
        exercise: which one, None for any: then the segment that moves most regularly is counted.

    Returns:
        The set; its `remarks` say why where nothing could be counted. Never raises for bad data.
    """
    return _counted(gather(parts), calibration, exercise)


def _counted(
    found: Mapping[str, Signals], calibration: Calibration | None, exercise: Exercise | None
) -> RepetitionSet:
    found = together(found, found)
    if not found:
        return RepetitionSet(remarks=("Nothing was received long enough to count.",))
    groups = exercise.seen_by if exercise else (tuple(found),)
    watched = [name for group in groups for name in group if name in found]
    if not watched and exercise is not None:
        return RepetitionSet(remarks=(exercise.unseen,))
    views = [view for name in watched if (view := segment_view(found, name, calibration))]
    clear = [view for view in views if _clear(view, told=exercise is not None)]
    steady = [_not_while(view, walking(found, view, told=exercise is not None)) for view in clear]
    if not any(steady):
        return RepetitionSet(remarks=(_nothing(on_foot=bool(clear)),))
    chosen, agreement = _agreed([view for view in steady if view])
    twin = next((view for view in views if view.segment == _twin(chosen.segment)), None)
    return _described(found, chosen, twin, agreement, calibration, exercise)


def _clear(view: View, *, told: bool) -> bool:
    if told:
        return view.bout.quality >= LEAST_QUALITY
    looks_about = view.segment == Segment.HEAD and view.bout.size < LOOKING_ABOUT_RAD
    return view.bout.quality >= LEAST_QUALITY_UNTOLD and not looks_about


def _nothing(*, on_foot: bool) -> str:
    if on_foot:
        return "You were walking: steps are not counted as repetitions."
    return "No movement repeats clearly enough to be counted."


def _not_while(view: View, walks: np.ndarray | None) -> View | None:
    """Return the view without the legs made while walking, None if too little is left."""
    if walks is None or not walks.any():
        return view
    kept = ~walks[view.bout.legs.mean(axis=1).astype(np.int64)]
    if int(kept.sum()) < 4 or kept.mean() < 0.3:
        return None
    return replace(view, bout=replace(view.bout, legs=view.bout.legs[kept], runs=view.bout.runs[kept]))


def _agreed(clear: list[View]) -> tuple[View, float]:
    """Return the best view with the count that most views of the same time have, and the share within one."""
    best = max(clear, key=lambda view: view.score)
    near = [view for view in clear if view.score >= _ALIKE * best.score and _same_time(view, best)]
    votes: dict[int, float] = {}
    for view in near:
        votes[view.bout.count] = votes.get(view.bout.count, 0.0) + view.bout.quality
    # Of counts with about as many votes the least: getting ready looks like one more, never like one less.
    winner = min(count for count, vote in votes.items() if vote >= 0.8 * max(votes.values()))
    chosen = max((view for view in near if view.bout.count == winner), key=lambda view: view.score)
    agreeing = sum(view.score for view in near if abs(view.bout.count - winner) <= 1)
    return chosen, agreeing / sum(view.score for view in near)


def _same_time(one: View, other: View) -> bool:
    """Tell whether two bouts overlap for most of the longer one."""
    (a, b), (c, d) = ((int(view.bout.legs[0, 0]), int(view.bout.legs[-1, 1])) for view in (one, other))
    return min(b, d) - max(a, c) >= 0.6 * max(b - a, d - c)


def _described(
    found: Mapping[str, Signals],
    view: View,
    twin: View | None,
    agreement: float,
    calibration: Calibration | None,
    exercise: Exercise | None,
) -> RepetitionSet:
    times = repetitions(view)
    remarks: list[str] = []
    few = min(1.0, 0.55 + 0.09 * len(times))
    confidence = view.bout.quality * (0.5 + 0.5 * agreement) * view.signals.seen * few
    if view.signals.seen < 0.9:
        remarks.append(f"The {spoken(view.segment)} sensor was not heard all the time: some may be missing.")
    if confidence < 0.5:
        remarks.append("The count is uncertain: the repetitions differ much from one another.")
    directions = _directions(found, view, calibration, exercise, times)
    if exercise and exercise.form is Form.CIRCLES and Direction.UNKNOWN in directions:
        remarks.append("Forward or backward cannot be told for all circles: calibrate with the arms hanging.")
    return RepetitionSet(
        len(times),
        times,
        float(confidence),
        view.segment,
        range_of(view.segment, times),
        tempo_of(times),
        _symmetry(found, view, twin),
        directions,
        tuple(remarks),
    )


def _twin(segment: str) -> str:
    if segment.endswith("left"):
        return segment.removesuffix("left") + "right"
    return segment.removesuffix("right") + "left" if segment.endswith("right") else ""


def _symmetry(found: Mapping[str, Signals], view: View, twin: View | None) -> float | None:
    if _twin(view.segment) not in found:
        return None
    return symmetry_of(view, twin) if twin else 0.0


def _directions(
    found: Mapping[str, Signals],
    view: View,
    calibration: Calibration | None,
    exercise: Exercise | None,
    times: tuple[Repetition, ...],
) -> tuple[Direction, ...]:
    """Return each circle's direction by all arms together; () if it is no circle and none was asked for."""
    arms = [name for name in found if name.startswith("upper_arm")] or [
        name for name in found if name.startswith("wrist")
    ]
    asked = exercise is not None and exercise.form is Form.CIRCLES
    moved = view.segment.startswith(("upper_arm", "wrist"))
    if not arms or (exercise is not None and not asked) or not (asked or moved):
        return (Direction.UNKNOWN,) * len(times) if asked else ()
    first, last = int(view.bout.legs[0, 0]), int(view.bout.legs[-1, 1])
    t_us = view.signals.t_us
    spans = [np.searchsorted(t_us, [one.start_us, one.end_us]) for one in times]
    rounds = np.zeros(len(times))
    for name in arms:
        hand = hand_direction(found[name], name, calibration, first, last)
        if hand is not None:
            each = [
                signed_roundness(found[name], name, hand, calibration, (int(a), int(b))) for a, b in spans
            ]
            rounds = np.where(np.abs(each) > np.abs(rounds), each, rounds)
    if not asked and float(np.median(np.abs(rounds))) < ROUND:
        return ()
    return tuple(named(float(value)) for value in rounds)


@dataclass(slots=True)
class RepetitionCounter:
    """Counts while the exercise goes on.

    Each second of data the newest five minutes are looked at as a whole, so that a repetition may be counted
    late and an early miscount is corrected; `finish` says what `count_repetitions` says of the same samples.

    Attributes:
        calibration: as for `count_repetitions`.
        exercise: as for `count_repetitions`.
        now: what was counted so far.
    """

    calibration: Calibration | None = None
    exercise: Exercise | None = None
    now: RepetitionSet = field(default_factory=RepetitionSet)
    _tracks: dict[str, SignalTrack] = field(default_factory=dict)
    _looked_us: int = 0

    def update(self, batches: Iterable[ImuBatch]) -> RepetitionSet:
        """Take all sensors' samples of one slice of time and return what is counted so far."""
        newest = self._looked_us
        for batch in batches:
            if len(batch) == 0 or not self._watched(batch.segment):
                continue
            track = self._tracks.get(batch.segment)
            if track is None:
                track = self._tracks[batch.segment] = SignalTrack(batch.period_ns, LIVE_S)
            track.update(batch)
            newest = max(newest, int(batch.t_us[-1]))
        if newest // 1_000_000 > self._looked_us // 1_000_000:
            self._looked_us = newest
            self._look()
        return self.now

    def finish(self) -> RepetitionSet:
        """Return the final count."""
        self._look()
        return self.now

    def _watched(self, segment: str) -> bool:
        if self.exercise is None or not segment.startswith(("wrist", "upper_arm", "scapula")):
            return True
        return any(segment in group for group in self.exercise.seen_by)

    def _look(self) -> None:
        seen = {name: track.signals() for name, track in self._tracks.items()}
        found = {name: signals for name, signals in seen.items() if signals is not None}
        self.now = _counted(found, self.calibration, self.exercise)
