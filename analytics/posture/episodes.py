"""Held rules to episodes: hysteresis, dwell, recovery, and the time spent in them by quarter of an hour.

Angles are summed as whole microradians, so that the means are the same for any chunking.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from analytics.posture.rules import Deviation, Plan
from poise.results import GRID_US, QUARTER_S, Episode, Kind
from poise.samples import Bools, Int64s

_MICRO: Final = 1e6
_FRAMES_PER_QUARTER: Final = QUARTER_S * 1_000_000 // GRID_US


class Hysteresis:
    """Turns an angle into on and off: on at the threshold, off at the release below it."""

    def __init__(self, release: float) -> None:
        """Release `release` rad below the threshold."""
        self._release = release
        self._on = False

    def update(self, deviation: Deviation) -> Bools:
        """Return (n,) bool; NaN and frames that the rule does not allow are off."""
        angle = np.where(deviation.allowed, deviation.angle, np.nan)
        with np.errstate(invalid="ignore"):
            up = angle >= deviation.threshold
            down = ~(angle >= deviation.threshold - self._release)
        event = np.where(up, 1, np.where(down, -1, 0))
        latest = np.maximum.accumulate(np.where(event != 0, np.arange(len(event)), -1))
        state = np.where(latest >= 0, event[np.maximum(latest, 0)] > 0, self._on)
        if len(state):
            self._on = bool(state[-1])
        return np.asarray(state, np.bool_)


@dataclass(slots=True)
class _Spell:
    """A stretch in which a kind is held, not yet or already an episode; frames are grid indices."""

    start: int
    last: int
    held: int = 0
    total: int = 0
    peak: int = 0
    detected: int | None = None
    quarters: dict[int, int] = field(default_factory=dict)

    def add(self, frames: Int64s, micro: Int64s, dwell: int) -> None:
        """Count frames in which the rule held."""
        if self.detected is None and self.held + len(frames) >= dwell:
            self.detected = int(frames[dwell - self.held - 1])
        self.held += len(frames)
        self.total += int(micro.sum())
        self.peak = max(self.peak, int(micro.max()))
        self.last = int(frames[-1])
        for quarter, count in zip(*np.unique(frames // _FRAMES_PER_QUARTER, return_counts=True), strict=True):
            self.quarters[int(quarter)] = self.quarters.get(int(quarter), 0) + int(count)


class EpisodeTracker:
    """Episodes of one kind in one run."""

    def __init__(self, kind: Kind, plan: Plan, run_us: int, calibration: str) -> None:
        """Judge `kind` by the plan's dwell and recovery."""
        self.kind = kind
        self._dwell = max(1, round(plan.dwell_s * 1e6 / GRID_US))
        self._recover = round(plan.recover_s * 1e6 / GRID_US)
        self._run_us, self._calibration = run_us, calibration
        self._spell: _Spell | None = None
        self._evidence: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
        self.quarters: dict[int, int] = {}

    def update(self, frames: Int64s, held: Bools, deviation: Deviation) -> list[Episode]:
        """Take new frames and return the episodes that began, changed or ended, newest state."""
        self._evidence = (deviation.sensors, deviation.remarks)
        changed: list[Episode] = []
        hits = np.flatnonzero(held)
        micro = np.rint(np.nan_to_num(deviation.angle) * _MICRO).astype(np.int64)
        # Frames that are not in the batch (unseen) count as released: what matters is the time between hits.
        pieces = (
            np.split(hits, np.flatnonzero(np.diff(frames[hits]) > self._recover) + 1) if len(hits) else []
        )
        for piece in pieces:
            changed += self._close(int(frames[piece[0]]))
            spell = self._spell = self._spell or _Spell(int(frames[piece[0]]), int(frames[piece[0]]))
            spell.add(frames[piece], micro[piece], self._dwell)
        if len(frames):
            changed += self._close(int(frames[-1]))
        if self._spell and self._spell.detected is not None and len(hits):
            changed.append(self._episode(self._spell, ended=False))
        return changed

    def finish(self) -> list[Episode]:
        """End what is open at its last held frame."""
        return self._close(None)

    def seconds(self) -> dict[int, float]:
        """Return s in recorded episodes so far by quarter (UTC s of its beginning)."""
        counts = dict(self.quarters)
        if self._spell and self._spell.detected is not None:
            for quarter, count in self._spell.quarters.items():
                counts[quarter] = counts.get(quarter, 0) + count
        return {quarter * QUARTER_S: count * GRID_US / 1e6 for quarter, count in counts.items()}

    def _close(self, now: int | None) -> list[Episode]:
        """End the spell if `now` is beyond its recovery time, or if the run ends (None)."""
        spell = self._spell
        if spell is None or (now is not None and now - spell.last <= self._recover):
            return []
        self._spell = None
        if spell.detected is None:
            return []
        for quarter, count in spell.quarters.items():
            self.quarters[quarter] = self.quarters.get(quarter, 0) + count
        return [self._episode(spell, ended=True)]

    def _episode(self, spell: _Spell, *, ended: bool) -> Episode:
        start_us, last_us = spell.start * GRID_US, (spell.last + 1) * GRID_US
        return Episode(
            id=f"{self._run_us}-{self.kind}-{start_us}",
            kind=self.kind,
            run_us=self._run_us,
            start_us=start_us,
            detected_us=((spell.detected or spell.last) + 1) * GRID_US,
            end_us=last_us if ended else None,
            last_us=last_us,
            peak_rad=spell.peak / _MICRO,
            mean_rad=spell.total / spell.held / _MICRO,
            calibration=self._calibration,
            sensors=self._evidence[0],
            remarks=self._evidence[1],
        )
