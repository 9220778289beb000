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
_COLUMN: Final = {kind: column for column, kind in enumerate(KINDS)}


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
        held = np.zeros((len(frames), len(KINDS)), np.bool_)
        judged = None if activity is None else self._judged(frames, activity)
        episodes: dict[str, Episode] = {}
        for rows, there in self._pieces(frames, sagittal, worn):
            doing = None if activity is None else activity[rows]
            found = deviations(sagittal[rows], frontal[rows], there, self._plan)
            held[rows] = self._held(frames[rows], found)
            leads = None
            if judged is not None:
                leads = self._leads.update(frames[rows], held[rows] & ~judged[rows, None])
                held[rows] &= judged[rows, None]
            for episode in self._track(frames[rows], found, held[rows], doing, leads):
                episodes[episode.id] = episode
        return Judged(held, tuple(episodes.values()))

    def finish(self) -> tuple[Episode, ...]:
        """End what is open."""
        return tuple(episode for tracker in self._trackers.values() for episode in tracker.finish())

    def seconds(self, since_s: int = 0) -> Mapping[Kind, Mapping[int, float]]:
        """Return s in recorded episodes by kind and quarter (UTC s), from the quarter `since_s` on."""
        return {kind: tracker.seconds(since_s) for kind, tracker in self._trackers.items()}

    def _pieces(self, frames: Int64s, sagittal: Floats, worn: Worn) -> Iterator[tuple[slice, Worn]]:
        """Yield stretches of rows in which the same sensors count as worn."""
        names = list(worn.columns)
        if len(frames) == 0:
            return
        seen = np.isfinite(sagittal[:, list(worn.columns.values())])
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
            columns = {name: worn.columns[name] for j, name in enumerate(names) if there[start, j]}
            yield slice(start, stop), Worn(columns, worn.bow)

    def _judged(self, frames: Int64s, activity: Activities) -> Bools:
        """Return (n,) bool: posture is judged; moving is, as long as it may be the way into a posture."""
        moving = activity == _MOVING
        if len(frames) == 0 or not (moving.any() or self._calm is None):
            self._calm = int(frames[-1]) if len(frames) else self._calm
            return judged_in(activity)
        calm = int(frames[0]) - 1 if self._calm is None else self._calm
        still = np.maximum(np.maximum.accumulate(np.where(moving, _NEVER, frames)), calm)
        self._calm = int(still[-1])
        return np.asarray(judged_in(activity) | (moving & (frames - still <= self._patience)), np.bool_)

    def _held(self, frames: Int64s, found: list[Deviation]) -> Bools:
        """Apply hysteresis, and let only the first spine kind hold at a moment."""
        excess = np.full((len(frames), len(KINDS)), np.nan)
        for deviation in found:
            excess[:, _COLUMN[deviation.kind]] = deviation.excess
        on = self._hysteresis.update(frames, excess)
        for i in range(1, len(SPINE_KINDS)):
            on[:, i] &= ~on[:, :i].any(axis=1)
        on &= np.isfinite(excess)
        return on

    def _track(
        self,
        frames: Int64s,
        found: list[Deviation],
        held: Bools,
        activity: Activities | None,
        leads: Int64s | None,
    ) -> Iterator[Episode]:
        any_held = set(np.flatnonzero(held.any(axis=0)).tolist())
        judged = {deviation.kind: deviation for deviation in found}
        for column, kind in enumerate(KINDS):
            tracker = self._trackers.get(kind)
            if column not in any_held and (tracker is None or tracker.idle):
                continue
            if tracker is None:
                tracker = EpisodeTracker(kind, self._plan, self._run_us, self._calibration)
                self._trackers[kind] = tracker
            deviation = judged.get(kind) or _unseen(kind, len(frames))
            lead = None if leads is None else leads[:, column]
            yield from tracker.update(frames, held[:, column], deviation, activity, lead)


def _unseen(kind: Kind, n: int) -> Deviation:
    """Return the deviation of a kind whose sensors are gone: it only lets an open episode end."""
    return Deviation(kind, np.full(n, np.nan), 0.0, ())
