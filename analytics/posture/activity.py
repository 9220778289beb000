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
from analytics.posture.recent import Flags, Latch, Places, Recent, Where, numbers, window
from analytics.posture.stance import TURNED, Stance, sums
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
        # Two inclinations below this make a lean that is neither far nor anything but near.
        self._upright = 0.999 * math.acos(math.sqrt(max(self._far, self._near, 0.0)))
        self._long, self._short = _frames(limits.lying_s), _frames(limits.risen_s)
        self._trunk = Trunk()
        self._places = Places()
        self._rows = Recent(3)
        self._steps, self._tilted, self._raised = Flags(), Flags(), Flags()
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
        on, off = ~np.isnan(moments.force), None
        if worn is not None and not worn.all():
            seen, on = on, on & worn
            off = seen.any(axis=1) & ~on.any(axis=1)
        motion = self._trunk.motion(moments, on)
        known = ~np.isnan(motion[0])
        at = self._places.of(moments.frames)
        rows = self._rows.extended(at, known, _whole(motion))
        # What moments of this spread and rate cannot show, however it lies in them, is not looked for.
        spread, fastest = int(rows[1].max() - rows[1].min()), int(rows[2].max())
        rhythm = (spread + 1) ** 2 * self._gait >= self._strong
        steps = self._steps.extended(at, self._steps_now(rows[1], at) if rhythm else None)
        walking = self._walks(moments.frames, steps, at)
        stirs = fastest**2 >= min(self._fast, TURNED) or spread**2 >= 4 * self._shaken
        total = sums(rows) if stirs else None
        moving = None if total is None else self._moves(total, at)
        lean = self._trunk.lean(moments, sagittal, frontal, on, walking, self._upright)
        lying = self._lies(moments.frames, lean, at)
        code = np.empty(len(moments), np.int8)
        code[:] = self._stance.update(moments, rows[1], total, at, steps, walking, lying)
        code[(code == _CODE[Activity.UNKNOWN]) & ~np.isnan(lean)] = _CODE[Activity.UPRIGHT]
        for there, activity in (
            (moving, Activity.MOVING),
            (walking, Activity.WALKING),
            (lying, Activity.LYING),
            (None if known.all() else ~known, Activity.UNKNOWN),
            (off, Activity.NOT_WORN),
        ):
            if there is not None:
                code[there] = _CODE[activity]
        return code

    def _walks(self, frames: Int64s, steps: Int64s | None, at: Where) -> Bools | None:
        """Return (n,) bool: steps have been there long enough and are not yet gone; None for nowhere."""
        if steps is None and self._walking.value == 0:
            return None
        total = None if steps is None else steps.cumsum()
        begins, ends = _count(total, at, self._hold) == self._hold, _count(total, at, self._gone) == 0
        return _somewhere(self._walking.update(frames, (ends, 0), (begins, 1))[0] > 0)

    def _steps_now(self, force: Int64s, at: Where) -> Bools | None:
        """Return (n,) True where the force of the last window repeats step by step; None for nowhere."""
        limits, w = self._limits, self._gait
        slow = force.cumsum()
        quick = np.zeros_like(force)
        quick[_SMOOTH:] = force[_SMOOTH:] - (slow[_SMOOTH:] - slow[:-_SMOOTH]) // _SMOOTH
        squares = (quick * quick).cumsum()
        strong = window(squares, at, w) >= self._strong
        hits = np.flatnonzero(strong)
        if not len(hits):
            return None
        ends = numbers(at)[hits]
        most = int(_LAGS[-1])
        # Row i is the force `_LAGS[i]` frames before, a view of the same memory.
        ago = np.ndarray(
            (len(_LAGS), len(quick) - most), np.int64, quick, 8 * (most - int(_LAGS[0])), (-8, 8)
        )
        products = (ago * quick[most:]).cumsum(axis=1)
        both = window(squares, ends, w) + window(squares, ends - _LAGS[:, None], w)
        alike = 2 * window(products, ends - most, w) / np.maximum(1, both)
        step = alike[_STEP_LAGS[0] - _HALF_LAGS[0] :].max(axis=0)
        half = alike[: len(_HALF_LAGS)].min(axis=0)
        strong[hits] = (step >= limits.gait_peak) & (step - half >= limits.gait_score)
        return _somewhere(strong)

    def _moves(self, total: Int64s, at: Where) -> Bools | None:
        """Return (n,) bool: the trunk turns fast, or is shaken; None for nowhere."""
        w = self._moving
        seen, force, squares, turns = window(total, at, w)
        fast = turns >= seen * self._fast
        # n Σx² - (Σx)² is n² times the variance, in whole numbers.
        shaken = seen * squares - force * force >= seen * seen * self._shaken
        return _somewhere((seen >= w // 2) & (fast | shaken))

    def _lies(self, frames: Int64s, lean: Floats, at: Where) -> Bools | None:
        """Return (n,) bool: the trunk has been far from upright for long, and is not yet back."""
        tilted = self._tilted.extended(at, _somewhere(lean <= self._far))
        if tilted is None and self._lying.value == 0:
            self._raised.forget()
            return None
        raised = self._raised.extended(at, _somewhere(lean > self._near))
        lain = _count(None if tilted is None else tilted.cumsum(), at, self._long) == self._long
        risen = _count(None if raised is None else raised.cumsum(), at, self._short) == self._short
        return _somewhere(self._lying.update(frames, (risen, 0), (lain, 1))[0] > 0)


def _count(total: Int64s | None, at: Where, length: int) -> Int64s:
    """Return (n,) how many are set in the windows that end at each moment; None if none is in reach."""
    return np.zeros_like(numbers(at)) if total is None else window(total, at, length)


def _somewhere(flags: Bools) -> Bools | None:
    """Return the flags, None if none is set."""
    return flags if flags.any() else None


def _frames(seconds: float) -> int:
    return max(1, round(seconds * 10))


def _whole(motion: Floats) -> Floats:
    """Return (2, n) thousandths as whole numbers, force beyond gravity; unseen is 0, nothing beyond 100."""
    whole = motion.copy()
    whole[0] -= 9.80665
    unseen = np.isnan(whole)
    if unseen.any():
        whole[unseen] = 0.0
    np.minimum(np.maximum(whole, -100.0, out=whole), 100.0, out=whole)
    whole *= 1e3
    return np.rint(whole, out=whole)
