"""Frames made ready for cueing: what each counts as, how far beyond its threshold, and which kind leads."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analytics.cues.cue import HeldBack
from analytics.cues.exposure import FRAMES_PER_SECOND, NEAR_UPRIGHT, levels
from analytics.cues.plan import DAY_S
from analytics.cues.variation import UNKNOWN, steps_of
from poise.results import ACTIVITIES, GRID_US, JUDGED, Activity, Kind
from poise.samples import Bools, Floats, Int64s

FREE, HELD, BARRED, UNSEEN, CLOSE = 0, 1, 2, 3, 4
"""A frame is free (near upright, or not judged and so held against nobody), held, held in an activity in
which posture is not judged, unseen, or close: nothing is held, and a deviation is at the moderate level."""
BACK_FRAMES: Final = FRAMES_PER_SECOND
"""The wearer is coming back if the deviation is less than it was this many frames ago, …"""
BACK_RATIO: Final = 0.25
"""… by this share of the threshold: the release of the posture rules, 3° of 12°. A project decision."""
_REASONS: Final = {
    Activity.WALKING: HeldBack.WALKING,
    Activity.LYING: HeldBack.LYING,
    Activity.MOVING: HeldBack.MOVING,
    Activity.NOT_WORN: HeldBack.NOT_WORN,
}
_JUDGED: Final = np.array([activity in JUDGED for activity in ACTIVITIES])
_NOT_WORN: Final = ACTIVITIES.index(Activity.NOT_WORN)


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """New frames, oldest first.

    Attributes:
        frames: (n,) grid indices.
        state: (n,) int8 of FREE, HELD, BARRED, UNSEEN, CLOSE.
        level: (n,) int8, how far beyond the threshold (`analytics.cues.exposure.levels`), where held.
        ratio: (n,) greatest deviation over threshold of what is held, 0 where nothing is.
        steps: (n,) int16, the greatest deviation of all, held or not (`analytics.cues.variation.steps_of`).
        held: (n, c) bool, by cued kind.
        ratios: (n, c) deviation over threshold by cued kind, NaN unknown; None where nobody said.
        kinds: (c,) the cued kinds.
        activity: (n,) or None.
    """

    frames: Int64s
    state: NDArray[np.int8]
    level: NDArray[np.int8]
    ratio: Floats
    steps: NDArray[np.int16]
    held: Bools
    ratios: Floats | None
    kinds: tuple[Kind, ...]
    activity: NDArray[np.int8] | None

    def leading(self, i: int) -> Kind:
        """Return the kind furthest beyond its threshold at row `i`, the first of several."""
        if self.ratios is None:
            return self.kinds[int(np.argmax(self.held[i]))]
        there = self.held[i] | ((self.ratios[i] >= 1) if not self.held[i].any() else False)
        return self.kinds[int(np.argmax(np.where(there, np.nan_to_num(self.ratios[i], nan=1.0), -1.0)))]

    def bar(self, i: int) -> HeldBack:
        """Return which activity bars row `i`."""
        doing = Activity.MOVING if self.activity is None else ACTIVITIES[int(self.activity[i])]
        return _REASONS.get(doing, HeldBack.MOVING)


def judged(activity: NDArray[np.int8]) -> Bools:
    """Return (n,) bool: posture is judged; numbers that are no activity are not."""
    known = (activity >= 0) & (activity < len(ACTIVITIES))
    return np.asarray(known & _JUDGED[np.where(known, activity, 0)], np.bool_)


def rows_of(
    t_us: Int64s,
    kinds: tuple[Kind, ...],
    held: Bools,
    ratio: Floats | None,
    activity: NDArray[np.int8] | None,
) -> Rows:
    """Make frames of the cued `kinds` ready; arguments as in `Cueing.update`."""
    frames: Int64s = t_us // GRID_US
    nothing: Floats = np.zeros(len(t_us))
    free: NDArray[np.int8] = np.zeros(len(t_us), np.int8)
    none: NDArray[np.int16] = np.zeros(len(t_us), np.int16)
    doing = None if activity is None else judged(activity)
    if doing is not None and doing.all():
        doing = None
    if doing is None and ratio is None and not held.any():
        return Rows(frames, free, free, nothing, none, held, None, kinds, activity)
    on = np.asarray(held.any(axis=1), np.bool_)
    far = nothing
    ratio = ratio if ratio is not None and ratio.shape[1] else None
    greatest: Floats = on.astype(np.float64)
    if ratio is not None:
        far = np.where(ratio > 0, ratio, 0.0).max(axis=1)
        greatest = np.where(on, np.where(held & (ratio > 1), ratio, 1.0).max(axis=1), 0.0)
    steps = steps_of(greatest if ratio is None else np.where(np.isnan(ratio).all(axis=1), np.nan, far))
    if doing is None:
        return Rows(
            frames,
            np.where(on, HELD, np.where(far < NEAR_UPRIGHT, FREE, CLOSE)).astype(np.int8),
            levels(greatest),
            greatest,
            steps,
            held,
            ratio,
            kinds,
            activity,
        )
    quiet = np.where(far < NEAR_UPRIGHT, FREE, CLOSE)
    elsewhere = np.where(on | (far >= 1), BARRED, FREE)
    state = np.where(doing, np.where(on, HELD, quiet), elsewhere).astype(np.int8)
    state[activity == _NOT_WORN] = UNSEEN
    steps[~doing] = UNKNOWN
    ratio_held = np.where(state == HELD, greatest, 0.0)
    return Rows(frames, state, levels(greatest), ratio_held, steps, held, ratio, kinds, activity)


def coming_back(frames: Int64s, ratio: Floats, past: Int64s, past_ratio: Floats) -> Bools:
    """Tell at which rows the deviation is clearly less than a second before; unseen then: it is not."""
    at = np.searchsorted(past, frames - BACK_FRAMES)
    there = past[np.minimum(at, len(past) - 1)] == frames - BACK_FRAMES
    then = np.where(there, past_ratio[np.minimum(at, len(past) - 1)], 0.0)
    return np.asarray(then - ratio >= BACK_RATIO, np.bool_)


def day_of(frame: int, utc_offset_s: int) -> int:
    """Return the local day of a frame, counted from 1970."""
    return (frame // FRAMES_PER_SECOND + utc_offset_s) // DAY_S


def midnights(frames: Int64s, utc_offset_s: int) -> list[int]:
    """Return the rows at which a local day begins, the first row left out."""
    if day_of(int(frames[0]), utc_offset_s) == day_of(int(frames[-1]), utc_offset_s):
        return []
    day = (frames // FRAMES_PER_SECOND + utc_offset_s) // DAY_S
    return [int(i) + 1 for i in np.flatnonzero(np.diff(day))]
