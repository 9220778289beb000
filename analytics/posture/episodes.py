"""Held rules to episodes: dwell, recovery, severity, context, and the time in them by quarter of an hour.

Angles are summed as whole microradians and all else as counts of frames: any chunking gives the same bits.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analytics.posture.plan import Plan
from analytics.posture.worn import Deviation
from poise.results import ACTIVITIES, GRID_US, JUDGED, QUARTER_S, Activity, Episode, Kind
from poise.samples import Bools, Int64s

Activities = NDArray[np.int8]
FRAMES_PER_QUARTER: Final = QUARTER_S * 1_000_000 // GRID_US
_MICRO: Final = 1e6
_UNKNOWN: Final = ACTIVITIES.index(Activity.UNKNOWN)
_JUDGED: Final = np.array([activity in JUDGED for activity in ACTIVITIES])
"""By index into ACTIVITIES: is posture judged in it?"""


def frames_of(seconds: float) -> int:
    """Return a time as whole frames of the grid."""
    return round(seconds * 1e6 / GRID_US)


def judged_in(activity: Activities) -> Bools:
    """Return (n,) bool: posture is judged in this activity, which it is not in walking, lying and so on."""
    return np.asarray(_JUDGED[activity], np.bool_)


@dataclass(slots=True)
class _Spell:
    """A stretch in which a kind is held, not yet or already an episode; frames are grid indices.

    Attributes:
        start: first held frame.
        last: newest held frame.
        sensors: what it rests on, as of its start.
        remarks: what could not be seen, as of its start.
        held: frames in which the rule held.
        seen: frames from start to last in which its sensors were seen.
        since: frames after last in which they were seen.
        total: sum of the deviation over held frames, µrad.
        peak: greatest deviation, µrad.
        detected: the frame at which it became an episode.
        doing: held frames by activity.
        quarters: held frames by quarter of an hour.
    """

    start: int
    last: int
    sensors: tuple[str, ...]
    remarks: tuple[str, ...]
    held: int = 0
    seen: int = 0
    since: int = 0
    total: int = 0
    peak: int = -(2**62)
    detected: int | None = None
    doing: list[int] = field(default_factory=lambda: [0] * len(ACTIVITIES))
    quarters: dict[int, int] = field(default_factory=dict)

    def add(self, frames: Int64s, micro: Int64s, activity: Activities | None, dwell: int) -> None:
        """Count frames in which the rule held."""
        if self.detected is None:
            self._detect(frames, dwell)
        n = len(frames)
        self.held += n
        self.total += int(micro.sum())
        self.peak = max(self.peak, int(micro.max()))
        self.last = int(frames[-1])
        self._count(frames, activity)

    def _detect(self, frames: Int64s, dwell: int) -> None:
        """Find the first held frame at which the posture has lasted its dwell and held for half of it."""
        if int(frames[-1]) - self.start + 1 < dwell:
            return
        lasted = frames - self.start + 1
        count = self.held + 1 + np.arange(len(frames))
        enough = np.flatnonzero((lasted >= dwell) & (2 * count >= lasted))
        if len(enough):
            self.detected = int(frames[enough[0]])

    def _count(self, frames: Int64s, activity: Activities | None) -> None:
        n = len(frames)
        if activity is None:
            self.doing[_UNKNOWN] += n
        else:
            for code, count in enumerate(np.bincount(activity, minlength=len(ACTIVITIES)).tolist()):
                self.doing[code] += count
        first, last = int(frames[0]) // FRAMES_PER_QUARTER, int(frames[-1]) // FRAMES_PER_QUARTER
        for quarter in range(first, last + 1):
            inside = n
            if first != last:
                edges = (quarter * FRAMES_PER_QUARTER, (quarter + 1) * FRAMES_PER_QUARTER)
                inside = int(np.diff(np.searchsorted(frames, edges))[0])
            if inside:
                self.quarters[quarter] = self.quarters.get(quarter, 0) + inside


class EpisodeTracker:
    """Episodes of one kind in one run."""

    def __init__(self, kind: Kind, plan: Plan, run_us: int, calibration: str) -> None:
        """Judge `kind` by the plan's dwell and recovery."""
        self.kind = kind
        self._dwell, self._recover = max(1, frames_of(plan.dwell_s)), frames_of(plan.recover_s)
        self._run_us, self._calibration = run_us, calibration
        self._spell: _Spell | None = None
        self._ended = -(2**62)
        self.quarters: dict[int, int] = {}

    @property
    def idle(self) -> bool:
        """Nothing is open: frames in which nothing is held need not be told."""
        return self._spell is None

    def update(
        self,
        frames: Int64s,
        held: Bools,
        seen: Bools,
        deviation: Deviation,
        activity: Activities | None = None,
        leads: Int64s | None = None,
    ) -> list[Episode]:
        """Take new frames and return the episodes that began, changed or ended, newest state.

        Args:
            frames: (n,) grid indices, increasing, n > 0.
            held: (n,) bool, the rule holds and is seen.
            seen: (n,) bool, its sensors are.
            deviation: its angle (n,), NaN where unseen, and what it rests on.
            activity: (n,) indices into ACTIVITIES, None where nothing is known of it.
            leads: (n,) frames right before each in which the rule was on but not judged. A walk is known
                to be over some seconds late: what begins here began with them.
        """
        changed: list[Episode] = []
        told, last = 0, int(frames[-1])
        for piece in self._pieces(frames, held):
            begin, end = int(piece[0]), int(piece[-1]) + 1
            first = int(frames[begin])
            changed += self._close(first)
            if self._spell is None:
                self._spell, told = _Spell(first, first, deviation.sensors, deviation.remarks), begin
                if leads is not None:
                    self._spell.since = max(
                        0, min(int(leads[begin]), first - self._ended - self._recover - 1)
                    )
                    self._spell.start -= self._spell.since
            # Without a hole a slice is the same, and faster.
            rows = slice(begin, end) if len(piece) == end - begin else piece
            micro = np.rint(deviation.angle[rows] * _MICRO).astype(np.int64)
            doing, spell = None if activity is None else activity[rows], self._spell
            spell.add(frames[rows], micro, doing, self._dwell)
            between = int(np.count_nonzero(seen[told:end]))
            spell.seen, spell.since, told = spell.seen + spell.since + between, 0, end
        if self._spell:
            self._spell.since += int(np.count_nonzero(seen[told:]))
        changed += self._close(last)
        if self._spell and self._spell.detected is not None and told:
            changed.append(self._episode(self._spell, ended=False))
        return changed

    def finish(self) -> list[Episode]:
        """End what is open at its last held frame."""
        return self._close(None)

    def seconds(self, since_s: int = 0) -> dict[int, float]:
        """Return s in recorded episodes by quarter (UTC s of its beginning), from `since_s` on."""
        counts = {quarter: n for quarter, n in self.quarters.items() if quarter * QUARTER_S >= since_s}
        if self._spell and self._spell.detected is not None:
            for quarter, count in self._spell.quarters.items():
                if quarter * QUARTER_S >= since_s:
                    counts[quarter] = counts.get(quarter, 0) + count
        return {quarter * QUARTER_S: count * GRID_US / 1e6 for quarter, count in counts.items()}

    def _pieces(self, frames: Int64s, held: Bools) -> Iterator[Int64s]:
        """Yield the held rows, cut where the posture was left for longer than the recovery time.

        Frames that are not there at all count as left: what matters is the time between held frames.
        """
        hits = held.nonzero()[0]
        if len(hits) == 0:
            return
        at = frames[hits]
        # All holes together are no longer than the recovery time.
        if int(at[-1] - at[0]) + 2 - len(at) <= self._recover:
            yield hits
            return
        cuts = (np.flatnonzero(at[1:] - at[:-1] > self._recover) + 1).tolist()
        for begin, end in pairwise([0, *cuts, len(hits)]):
            yield hits[begin:end]

    def _close(self, now: int | None) -> list[Episode]:
        """End the spell if `now` is beyond its recovery time, or if the run ends (None)."""
        spell = self._spell
        if spell is None or (now is not None and now - spell.last <= self._recover):
            return []
        self._spell, self._ended = None, spell.last
        if spell.detected is None:
            return []
        for quarter, count in spell.quarters.items():
            self.quarters[quarter] = self.quarters.get(quarter, 0) + count
        return [self._episode(spell, ended=True)]

    def _episode(self, spell: _Spell, *, ended: bool) -> Episode:
        start_us, last_us = spell.start * GRID_US, (spell.last + 1) * GRID_US
        detected = spell.last if spell.detected is None else spell.detected
        return Episode(
            id=f"{self._run_us}-{self.kind}-{start_us}",
            kind=self.kind,
            run_us=self._run_us,
            start_us=start_us,
            detected_us=(detected + 1) * GRID_US,
            end_us=last_us if ended else None,
            last_us=last_us,
            peak_rad=spell.peak / _MICRO,
            mean_rad=spell.total / spell.held / _MICRO,
            calibration=self._calibration,
            sensors=spell.sensors,
            remarks=spell.remarks,
            dose_rad_s=spell.total * GRID_US / 1e12,
            activity=ACTIVITIES[max(range(len(ACTIVITIES)), key=lambda code: spell.doing[code])],
            coverage=spell.seen / (spell.last - spell.start + 1),
        )
