"""What the wearer does, from sensors on the upper body: posture is judged only where it can be held.

Walking shows as a vertical force that repeats with every step; lying as a trunk far from upright; changing
place as a trunk that turns fast; standing up and sitting down as a trunk that rises or sinks while it bends
and straightens. Sitting and standing are estimates: where neither was seen to begin, it is `upright`.

Everything is counted in whole numbers (mm/s², mrad/s) over windows of a fixed length that end with the frame.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analytics.motion.moments import Moments
from analytics.posture.recent import Latch, Recent, window
from analytics.posture.stance import REACH, Stance
from analytics.posture.trunk import Trunk
from poise.results import ACTIVITIES, Activity
from poise.samples import Bools, Floats, Int64s

_CODE: Final = {activity: ACTIVITIES.index(activity) for activity in Activity}
_STEP_LAGS: Final = (4, 5, 6, 7, 8)
"""Frames from step to step: 2.5 to 1.25 steps a second."""
_HALF_LAGS: Final = (2, 3, 4)
_LAGS: Final = tuple(sorted({*_STEP_LAGS, *_HALF_LAGS}))
_SMOOTH: Final = 10
"""Frames: one second is taken off as the slow part of the force."""


@dataclass(frozen=True, slots=True)
class ActivityLimits:
    """When an activity begins and ends.

    Attributes:
        gait_s: window in which steps must repeat; with `gait_hold_s` walking is known after about 3 s, as in
            Straczkiewicz and others 2023 (npj Digital Medicine 6, PMC9950089), who find walking at many
            places of the body from 10 Hz in 1.4 to 2.3 steps a second; this takes in 1.25 to 2.5.
        gait_hold_s: how long the steps must be there, or be gone.
        gait_force_m_s2: least standard deviation of the force. A trunk in slow walking has about twice
            this, the person of `full_body` 2.5 to 4.7, people sitting 0.01 to 0.1. Project decision.
        gait_score: autocorrelation a step later minus that half a step later (Yang and others 2011,
            doi:10.3390/s110807314, take cadence from the same peak); 2 for a pure rhythm, about 0.5 for
            noise. Project decision.
        gait_peak: least autocorrelation a step later. Project decision.
        moving_s: window for what follows.
        moving_deg_s: rms angular rate of the trunk; the most that 14 people sitting show within 3 s is 9.
            Project decision.
        moving_force_m_s2: standard deviation of the force without steps, as in a bumpy ride; ISO 2631-1:1997
            calls 0.5 to 1 m/s² fairly uncomfortable.
        lying_deg: trunk from upright, in any direction. Project decision.
        lying_release_deg: below which it is no longer lying.
        lying_s: how long, so that bending to the floor is none.
        risen_s: how long it takes to end.
    """

    gait_s: float = 2.0
    gait_hold_s: float = 0.8
    gait_force_m_s2: float = 0.35
    gait_score: float = 0.9
    gait_peak: float = 0.35
    moving_s: float = 2.0
    moving_deg_s: float = 20.0
    moving_force_m_s2: float = 0.5
    lying_deg: float = 60.0
    lying_release_deg: float = 50.0
    lying_s: float = 5.0
    risen_s: float = 2.0


DEFAULT_LIMITS: Final = ActivityLimits()


class ActivityGate:
    """The activity of one wearer in one run, frame by frame, from what was seen until then."""

    def __init__(self, limits: ActivityLimits = DEFAULT_LIMITS) -> None:
        """Begin with nothing known."""
        self._limits = limits
        self._trunk = Trunk()
        self._force = Recent(REACH + _SMOOTH, 3)
        self._tilt = Recent(_frames(limits.lying_s) + 1, 2)
        self._steps = Recent(_frames(limits.gait_hold_s) + 1, 1)
        self._walking, self._lying = Latch(), Latch()
        self._stance = Stance()

    def update(
        self, moments: Moments, sagittal: Floats, frontal: Floats, worn: Bools | None = None
    ) -> NDArray[np.int8]:
        """Return (n,) int8 indices into `poise.results.ACTIVITIES`.

        Args:
            moments: the next n moments of the run.
            sagittal: (n, m) inclinations in rad, NaN while uncalibrated.
            frontal: (n, m) rad.
            worn: (n, m) bool from `WearWatch`; everything by default.
        """
        if len(moments) == 0:
            return np.zeros(0, np.int8)
        seen = np.isfinite(moments.force)
        on = seen if worn is None else seen & worn
        force, rate = self._trunk.motion(moments, on)
        known = np.isfinite(force)
        series = np.stack([known, _whole(force - 9.80665, 1e3), _whole(rate, 1e3)], axis=1)
        rows, at = self._force.extended(moments.frames, series)
        steps = self._steps_now(rows, at)
        walking = self._walks(moments.frames, steps)
        moving = self._moves(rows, at)
        lean = self._trunk.lean(moments, sagittal, frontal, on, walking)
        lying = self._lies(moments.frames, lean)
        stance = self._stance.update(rows, at, moments, steps, walking, lying)
        code = np.where(np.isfinite(lean), _CODE[Activity.UPRIGHT], _CODE[Activity.UNKNOWN])
        code = np.where(stance > 0, stance, code)
        code = np.where(moving, _CODE[Activity.MOVING], code)
        code = np.where(walking, _CODE[Activity.WALKING], code)
        code = np.where(lying, _CODE[Activity.LYING], code)
        code = np.where(known, code, _CODE[Activity.UNKNOWN])
        code = np.where(seen.any(axis=1) & ~on.any(axis=1), _CODE[Activity.NOT_WORN], code)
        return np.asarray(code, np.int8)

    def _walks(self, frames: Int64s, steps: Int64s) -> Bools:
        """Return (n,) bool: steps have been there long enough and are not yet gone."""
        hold = _frames(self._limits.gait_hold_s)
        flags, here = self._steps.extended(frames, steps[:, None])
        recent = window(np.cumsum(flags), here, hold)
        return self._walking.update(frames, (recent == 0, 0), (recent == hold, 1))[0] > 0

    def _steps_now(self, rows: Int64s, at: Int64s) -> Int64s:
        """Return (n,) 1 where the force of the last window repeats step by step."""
        limits, w = self._limits, _frames(self._limits.gait_s)
        force = rows[:, 1]
        slow = np.cumsum(force)
        quick = np.zeros_like(force)
        quick[_SMOOTH:] = (_SMOOTH * force[_SMOOTH:] - (slow[_SMOOTH:] - slow[:-_SMOOTH])) // _SMOOTH
        power = window(np.cumsum(quick * quick), at, w)
        products = np.zeros((len(_LAGS), len(force)), np.int64)
        for i, lag in enumerate(_LAGS):
            products[i, lag:] = quick[lag:] * quick[:-lag]
        total = np.cumsum(products, axis=1)
        before = np.cumsum(quick * quick)
        alike = np.stack(
            [
                2 * (total[i, at] - total[i, at - w]) / np.maximum(1, power + window(before, at - lag, w))
                for i, lag in enumerate(_LAGS)
            ]
        )
        step, half = alike[_LAGS.index(4) :].max(axis=0), alike[: _LAGS.index(4) + 1].min(axis=0)
        strong = power >= w * round((1e3 * limits.gait_force_m_s2) ** 2)
        return np.asarray(strong & (step >= limits.gait_peak) & (step - half >= limits.gait_score), np.int64)

    def _moves(self, rows: Int64s, at: Int64s) -> Bools:
        """Return (n,) bool: the trunk turns fast, or is shaken."""
        limits, w = self._limits, _frames(self._limits.moving_s)
        seen, force, turns, squares = (
            window(np.cumsum(column), at, w)
            for column in (rows[:, 0], rows[:, 1], rows[:, 2] * rows[:, 2], rows[:, 1] * rows[:, 1])
        )
        count = np.maximum(seen, 1)
        fast = turns >= count * round((1e3 * np.radians(limits.moving_deg_s)) ** 2)
        # n Σx² - (Σx)² is n² times the variance, in whole numbers.
        shaken = count * squares - force * force >= count * count * round(
            (1e3 * limits.moving_force_m_s2) ** 2
        )
        return np.asarray((seen >= w // 2) & (fast | shaken), np.bool_)

    def _lies(self, frames: Int64s, lean: Floats) -> Bools:
        """Return (n,) bool: the trunk has been far from upright for long, and is not yet back."""
        limits = self._limits
        with np.errstate(invalid="ignore"):
            far = lean <= np.cos(np.radians(limits.lying_deg))
            near = lean > np.cos(np.radians(limits.lying_release_deg))
        rows, at = self._tilt.extended(frames, np.stack([far, near], axis=1).astype(np.int64))
        total = np.cumsum(rows, axis=0)
        long, short = _frames(limits.lying_s), _frames(limits.risen_s)
        lain = total[at, 0] - total[at - long, 0] == long
        risen = total[at, 1] - total[at - short, 1] == short
        return self._lying.update(frames, (risen, 0), (lain, 1))[0] > 0


def _frames(seconds: float) -> int:
    return max(1, round(seconds * 10))


def _whole(values: Floats, scale: float) -> Int64s:
    """Return whole numbers; unseen is 0, and nothing is beyond 100 m/s² or rad/s."""
    return np.rint(np.clip(np.nan_to_num(values), -100.0, 100.0) * scale).astype(np.int64)
