"""What the wearer does, from sensors on the upper body: posture is judged only where it can be held.

Walking shows as a vertical force that repeats with every step; lying as a trunk far from upright; changing
place as a trunk that turns fast; standing up and sitting down as a trunk that rises or sinks while it bends
and straightens. Sitting and standing are estimates: where neither was seen to begin, it is `upright`.

Everything is counted in whole numbers (mm/s², mrad/s) over windows of a fixed length that end with the frame.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analytics.motion.moments import Moments
from analytics.posture.recent import Latch, Places, Recent, window
from analytics.posture.stance import Stance
from analytics.posture.trunk import Trunk
from poise.errors import ConfigurationError
from poise.results import ACTIVITIES, Activity
from poise.samples import Bools, Floats, Int64s

_CODE: Final = {activity: ACTIVITIES.index(activity) for activity in Activity}
_STEP_LAGS: Final = (4, 5, 6, 7, 8)
"""Frames from step to step: 2.5 to 1.25 steps a second."""
_HALF_LAGS: Final = (2, 3, 4)
_LAGS: Final = np.arange(_HALF_LAGS[0], _STEP_LAGS[-1] + 1)
_LONGEST_S: Final = 5.0
_SMOOTH: Final = 10
"""Frames: one second is taken off as the slow part of the force."""


@dataclass(frozen=True, slots=True)
class ActivityLimits:
    """When an activity begins and ends.

    Attributes:
        gait_s: window in which steps must repeat; with `gait_hold_s` walking is known after about 3 s, as in
            Straczkiewicz and others 2023 (npj Digital Medicine 6, PMC9950089), who find walking at many
            places of the body from 10 Hz in 1.4 to 2.3 steps a second; this takes in 1.25 to 2.5.
        gait_hold_s: how long the steps must be there.
        gait_gone_s: how long they must be gone; the window itself holds them for another second or two.
        gait_force_m_s2: least standard deviation of the force: the person of `full_body` walks with 2.5 to
            4.7, people sitting show 0.01 to 0.1. Low, for those who walk slowly; the rhythm decides. Project
            decision.
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
    gait_gone_s: float = 0.5
    gait_force_m_s2: float = 0.25
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
        """Begin with nothing known.

        Args:
            limits: when an activity begins and ends; no window of it can be longer than 5 s.

        Raises:
            ConfigurationError: for a longer one.
        """
        windows = (limits.gait_s, limits.gait_hold_s, limits.gait_gone_s, limits.moving_s, limits.lying_s)
        if max(*windows, limits.risen_s) > _LONGEST_S or min(*windows, limits.risen_s) <= 0:
            raise ConfigurationError(f"windows of an activity are longer than 0 and up to {_LONGEST_S:g} s")
        self._limits = limits
        self._gait = _frames(limits.gait_s)
        self._hold, self._gone = _frames(limits.gait_hold_s), _frames(limits.gait_gone_s)
        self._strong = self._gait * round((1e3 * limits.gait_force_m_s2) ** 2)
        self._moving = _frames(limits.moving_s)
        self._fast = round((1e3 * math.radians(limits.moving_deg_s)) ** 2)
        self._shaken = round((1e3 * limits.moving_force_m_s2) ** 2)
        self._far = math.cos(math.radians(limits.lying_deg))
        self._near = math.cos(math.radians(limits.lying_release_deg))
        self._long, self._short = _frames(limits.lying_s), _frames(limits.risen_s)
        self._trunk = Trunk()
        self._places = Places()
        self._rows, self._steps, self._tilt = Recent(3), Recent(1), Recent(2)
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
        seen = ~np.isnan(moments.force)
        on = seen if worn is None else seen & worn
        force, rate = self._trunk.motion(moments, on)
        known = ~np.isnan(force)
        at = self._places.of(moments.frames)
        rows = self._rows.extended(at, known, _whole(force - 9.80665), _whole(rate))
        total = sums(rows)
        steps = self._steps_now(rows[:, 1], at)
        walking = self._walks(moments.frames, steps, at)
        moving = self._moves(total, at)
        lean = self._trunk.lean(moments, sagittal, frontal, on, walking)
        lying = self._lies(moments.frames, lean, at)
        stance = self._stance.update(moments, rows, total, at, steps, walking, lying)
        code = np.where(np.isnan(lean), _CODE[Activity.UNKNOWN], _CODE[Activity.UPRIGHT])
        code = np.where(stance > 0, stance, code)
        code = np.where(moving, _CODE[Activity.MOVING], code)
        code = np.where(walking, _CODE[Activity.WALKING], code)
        code = np.where(lying, _CODE[Activity.LYING], code)
        code = np.where(known, code, _CODE[Activity.UNKNOWN])
        code = np.where(seen.any(axis=1) & ~on.any(axis=1), _CODE[Activity.NOT_WORN], code)
        return np.asarray(code, np.int8)

    def _walks(self, frames: Int64s, steps: Bools, at: Int64s) -> Bools:
        """Return (n,) bool: steps have been there long enough and are not yet gone."""
        flags = self._steps.extended(at, steps)[:, 0]
        if self._walking.value == 0 and not flags.any():
            return steps
        total = flags.cumsum()
        begins, ends = window(total, at, self._hold) == self._hold, window(total, at, self._gone) == 0
        return self._walking.update(frames, (ends, 0), (begins, 1))[0] > 0

    def _steps_now(self, force: Int64s, at: Int64s) -> Bools:
        """Return (n,) True where the force of the last window repeats step by step."""
        limits, w = self._limits, self._gait
        slow = force.cumsum()
        quick = np.zeros_like(force)
        quick[_SMOOTH:] = force[_SMOOTH:] - (slow[_SMOOTH:] - slow[:-_SMOOTH]) // _SMOOTH
        squares = (quick * quick).cumsum()
        power = window(squares, at, w)
        strong = power >= self._strong
        if not strong.any():
            return np.asarray(strong, np.bool_)
        most = int(_LAGS[-1])
        # Row i is the force `_LAGS[i]` frames before, a view of the same memory.
        ago = np.ndarray(
            (len(_LAGS), len(quick) - most), np.int64, quick, 8 * (most - int(_LAGS[0])), (-8, 8)
        )
        products = (ago * quick[most:]).cumsum(axis=1)
        both = power + window(squares, at - _LAGS[:, None], w)
        alike = 2 * (products[:, at - most] - products[:, at - most - w]) / np.maximum(1, both)
        step = alike[_STEP_LAGS[0] - _HALF_LAGS[0] :].max(axis=0)
        half = alike[: len(_HALF_LAGS)].min(axis=0)
        found = strong & (step >= limits.gait_peak) & (step - half >= limits.gait_score)
        return np.asarray(found, np.bool_)

    def _moves(self, total: Int64s, at: Int64s) -> Bools:
        """Return (n,) bool: the trunk turns fast, or is shaken."""
        w = self._moving
        seen, force, squares, turns = window(total, at, w).T
        fast = turns >= seen * self._fast
        # n Σx² - (Σx)² is n² times the variance, in whole numbers.
        shaken = seen * squares - force * force >= seen * seen * self._shaken
        return np.asarray((seen >= w // 2) & (fast | shaken), np.bool_)

    def _lies(self, frames: Int64s, lean: Floats, at: Int64s) -> Bools:
        """Return (n,) bool: the trunk has been far from upright for long, and is not yet back."""
        tilts = self._tilt.extended(at, lean <= self._far, lean > self._near)
        if self._lying.value == 0 and not tilts[:, 0].any():
            return np.zeros(len(at), np.bool_)
        total = tilts.cumsum(axis=0)
        lain = window(total[:, 0], at, self._long) == self._long
        risen = window(total[:, 1], at, self._short) == self._short
        return self._lying.update(frames, (risen, 0), (lain, 1))[0] > 0


def sums(rows: Int64s) -> Int64s:
    """Return (k, 4) running sums of seen, force, force squared and rate squared."""
    force, rate = rows[:, 1], rows[:, 2]
    wide = np.empty((len(rows), 4), np.int64)
    wide[:, :2], wide[:, 2], wide[:, 3] = rows[:, :2], force * force, rate * rate
    return wide.cumsum(axis=0)


def _frames(seconds: float) -> int:
    return max(1, round(seconds * 10))


def _whole(values: Floats) -> Int64s:
    """Return thousandths as whole numbers; unseen is 0, and nothing is beyond 100."""
    known = np.where(np.isnan(values), 0.0, values)
    return np.rint(np.minimum(np.maximum(known, -100.0), 100.0) * 1e3).astype(np.int64)
