"""Angles to what is held and to episodes: all rules, all kinds, one run."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from analytics.posture.episodes import Activities, EpisodeTracker, frames_of, judged_in
from analytics.posture.hysteresis import Hysteresis, Leads
from analytics.posture.plan import Plan
from analytics.posture.rules import KINDS, deviations
from analytics.posture.worn import Deviation, Worn
from poise.results import ACTIVITIES, SPINE_KINDS, Activity, Episode, Kind
from poise.samples import Bools, Floats, Int64s

_NEVER: Final = -(2**62)
_MOVING: Final = ACTIVITIES.index(Activity.MOVING)
_ROW: Final = {kind: row for row, kind in enumerate(KINDS)}


@dataclass(frozen=True, slots=True)
class Judged:
    """What one slice of frames came to.

    Attributes:
        held: (n, len(KINDS)) bool, the kind's rule holds and is seen, before any dwell.
        episodes: that began, changed or ended, newest state of each.
    """

    held: Bools
    episodes: tuple[Episode, ...]


class Judge:
    """Holds every rule against a run's angles.

    A sensor silent for less than the recovery time changes nothing. Silent for longer, what needs it is
    unseen. Before it is first seen, and again after `Plan.absent_s` of silence, it counts as not worn, and
    the rules make do without it and say so. All that is decided moment by moment, however frames are grouped.
    """

    def __init__(self, plan: Plan, run_us: int, calibration: str) -> None:
        """Begin a run: `run_us` and the calibration's id go into the episodes."""
        self._plan, self._run_us, self._calibration = plan, run_us, calibration
        release, recover = float(np.radians(plan.release_deg)), frames_of(plan.recover_s)
        self._hysteresis = Hysteresis(len(KINDS), release, recover)
        self._absent, self._patience = frames_of(plan.absent_s), frames_of(plan.moving_s)
        self._calm: int | None = None
        self._leads = Leads(len(KINDS), self._patience)
        self._seen: dict[str, int] = {}
        self._trackers: dict[Kind, EpisodeTracker] = {}

    def update(
        self,
        frames: Int64s,
        sagittal: Floats,
        frontal: Floats,
        worn: Worn,
        activity: Activities | None = None,
    ) -> Judged:
        """Take new frames.

        Args:
            frames: (n,) grid indices, increasing and newer than all before.
            sagittal: (n, m) rad, NaN where unseen.
            frontal: (n, m) rad, NaN where unseen.
            worn: what the columns hold: every calibrated segment of the run so far.
            activity: (n,) indices into ACTIVITIES; None judges every frame.
        """
        held = np.zeros((len(KINDS), len(frames)), np.bool_)
        judged = None if activity is None else self._judged(frames, activity)
        episodes: dict[str, Episode] = {}
        for rows, there in self._pieces(frames, sagittal, worn):
            found = deviations(sagittal[rows], frontal[rows], there, self._plan)
            on, seen = self._held(frames[rows], found)
            leads = None
            if activity is not None:
                passed = None if judged is None else on & ~judged[rows]
                leads = self._leads.update(frames[rows], passed)
            if judged is not None:
                on &= judged[rows]
            held[:, rows] = on
            doing = None if activity is None else activity[rows]
            for episode in self._track(frames[rows], found, on, seen, doing, leads):
                episodes[episode.id] = episode
        return Judged(np.ascontiguousarray(held.T), tuple(episodes.values()))

    def finish(self) -> tuple[Episode, ...]:
        """End what is open."""
        return tuple(episode for tracker in self._trackers.values() for episode in tracker.finish())

    def seconds(self, since_s: int = 0) -> Mapping[Kind, Mapping[int, float]]:
        """Return s in recorded episodes by kind and quarter (UTC s), from the quarter `since_s` on."""
        return {kind: tracker.seconds(since_s) for kind, tracker in self._trackers.items()}

    def _pieces(self, frames: Int64s, sagittal: Floats, worn: Worn) -> Iterator[tuple[slice, Worn]]:
        """Yield stretches of rows in which the same sensors count as worn."""
        if len(frames) == 0:
            return
        names, columns = list(worn.columns), list(worn.columns.values())
        seen = np.isfinite(sagittal)
        if columns != list(range(seen.shape[1])):
            seen = seen[:, columns]
        if seen.all():
            self._seen = dict.fromkeys(names, int(frames[-1]))
            yield slice(0, len(frames)), worn
            return
        known = np.array([self._seen.get(name, _NEVER) for name in names])
        last = np.maximum(np.maximum.accumulate(np.where(seen, frames[:, None], _NEVER), axis=0), known)
        there = frames[:, None] - last <= self._absent
        self._seen = {name: int(frame) for name, frame in zip(names, last[-1], strict=True)}
        cuts = np.flatnonzero((there[1:] != there[:-1]).any(axis=1)) + 1
        edges = [0, *cuts.tolist(), len(frames)]
        for start, stop in pairwise(edges):
            present = {name: worn.columns[name] for j, name in enumerate(names) if there[start, j]}
            yield slice(start, stop), Worn(present, worn.bow)

    def _judged(self, frames: Int64s, activity: Activities) -> Bools | None:
        """Return (n,) bool: posture is judged; None for everywhere.

        Moving is judged as long as it may be the way into a posture.
        """
        judged = judged_in(activity)
        if judged.all():  # so nobody is moving
            self._calm = int(frames[-1]) if len(frames) else self._calm
            return None
        moving = activity == _MOVING
        if not (moving.any() or self._calm is None):
            self._calm = int(frames[-1])
        else:
            calm = int(frames[0]) - 1 if self._calm is None else self._calm
            still = np.maximum(np.maximum.accumulate(np.where(moving, _NEVER, frames)), calm)
            self._calm = int(still[-1])
            judged |= moving & (frames - still <= self._patience)
        return None if judged.all() else judged

    def _held(self, frames: Int64s, found: list[Deviation]) -> tuple[Bools, Bools]:
        """Return (k, n) bool each: what holds by hysteresis, one spine kind at a moment; and what is seen."""
        excess = np.full((len(KINDS), len(frames)), np.nan)
        if found:
            limits = np.array([deviation.threshold for deviation in found])
            rows = [_ROW[deviation.kind] for deviation in found]
            excess[rows] = np.array([deviation.angle for deviation in found]) - limits[:, None]
        for deviation in found:
            if deviation.margin is not None:
                row = excess[_ROW[deviation.kind]]
                np.minimum(row, deviation.margin, out=row)
        seen = np.isfinite(excess)
        on = self._hysteresis.update(frames, excess, seen)
        if not on.any():
            return on, seen
        taken = on[0].copy()
        for row in on[1 : len(SPINE_KINDS)]:
            row &= ~taken
            taken |= row
        on &= seen
        return on, seen

    def _track(
        self,
        frames: Int64s,
        found: list[Deviation],
        held: Bools,
        seen: Bools,
        activity: Activities | None,
        leads: Int64s | None,
    ) -> Iterator[Episode]:
        somewhere = np.asarray(held.any(axis=1), np.bool_).tolist()
        for row, (kind, any_held) in enumerate(zip(KINDS, somewhere, strict=True)):
            tracker = self._trackers.get(kind)
            if not any_held and (tracker is None or tracker.idle):
                continue
            if tracker is None:
                tracker = EpisodeTracker(kind, self._plan, self._run_us, self._calibration)
                self._trackers[kind] = tracker
            deviation = next((d for d in found if d.kind is kind), None) or _unseen(kind, len(frames))
            lead = None if leads is None else leads[row]
            yield from tracker.update(frames, held[row], seen[row], deviation, activity, lead)


def _unseen(kind: Kind, n: int) -> Deviation:
    """Return the deviation of a kind whose sensors are gone: it only lets an open episode end."""
    return Deviation(kind, np.full(n, np.nan), 0.0, ())
