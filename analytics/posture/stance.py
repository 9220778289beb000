"""Sitting or standing, by seeing the trunk rise or sink: an estimate, and often not known.

A person leaves a seat by bending forward and rising, and reaches it by bending and sinking; over such a
movement the vertical acceleration, integrated twice, gives the height won or lost (Najafi and others 2003,
doi:10.1109/TBME.2003.812189, with one sensor at the chest; Atrsaei and others 2020,
doi:10.1186/s12984-020-00692-4, found 95 % of the transitions of healthy people by it, wherever on the trunk
the sensor was). Who has just walked stands.
"""

from typing import Final

import numpy as np

from analytics.motion.moments import Moments
from analytics.posture.recent import Latch, Recent, window
from poise.results import ACTIVITIES, GRID_US, Activity
from poise.samples import Bools, Int64s
from poise.skeleton import Segment

_WINDOW: Final = 46
"""Frames: the movement is looked for in 4.6 s; most take 1.5 to 3 s."""
_FIRST: Final = 11
_LAST: Final = 6
"""Frames at the beginning and the end over which the trunk, on average, neither rises nor sinks: about two
steps, because a seat is often reached from walking, and a short rest."""
_STEPS: Final = 10
"""Frames after the window's beginning by which the steps around that beginning are known."""
_WALK: Final = 40
"""Frames: who has walked for 4 s stands; a shorter rhythm may be a ride, and only ends what was known."""
_WALKED_FRAMES: Final = 600
_RISEN_FRAMES: Final = 6000
"""Who has walked stands for a minute, who was seen to rise for ten; then nobody knows, because sitting down
may have been missed. Who sat down sits until they rise, walk or lie. Project decisions."""
_UNIT: Final = 1e6
RISEN_M: Final = 0.18
SUNK_M: Final = 0.22
"""Seats change the trunk's height by 0.3 to 0.45 m; less than half of that is another movement. To call a
person sitting takes more than to call them standing. Project decisions."""
SUNK_WALKING_M: Final = 0.12
"""The same from walking: steps make the mean force look greater than it is, and so the fall smaller."""
BENT_RAD: Final = float(np.radians(8.0))
"""The trunk bends at least this far on the way; people bend by 20° to 50°. Project decision."""
BACK_RAD: Final = float(np.radians(25.0))
"""And comes back this near to how it was, or it was no change of stance. Project decision."""
CALM_RAD_S: Final = float(np.radians(10.0))
CALM_M_S2: Final = 0.4
"""At the end the trunk rests, and at the beginning too, or the person walks: else a part of a movement would
be taken for the whole. Project decisions."""
_CALM_TURNS: Final = round((1e3 * CALM_RAD_S) ** 2)
_CALM_SQUARES: Final = round((1e3 * CALM_M_S2) ** 2)
_TURNED: Final = round((1e3 * np.radians(3.0)) ** 2)
"""A trunk that leans 8° away and comes back within the window turns with 3.5 °/s or more, rms."""
_STANDING: Final = ACTIVITIES.index(Activity.STANDING)
_SITTING: Final = ACTIVITIES.index(Activity.SITTING)
_WALKED: Final = ACTIVITIES.index(Activity.WALKING)
_TRUNK: Final = (Segment.T4, Segment.T12, Segment.C7, Segment.LUMBAR, Segment.HEAD)
"""Whose bend is looked at, best first: the lumbar spine keeps part of its bend on a seat."""


def height_kernel() -> Int64s:
    """Return (47,) millionths of m for each m/s² of vertical force, oldest first.

    It integrates twice and takes off what would leave the trunk rising or sinking, on average, at either
    end: the unknown speed at the beginning and a constant error of the accelerometer fall out.
    """
    n, dt = _WINDOW + 1, GRID_US / 1e6
    force = np.eye(n)
    speed = np.cumsum(force, axis=0) * dt
    time = np.arange(n) * dt
    first, last = speed[:_FIRST].mean(axis=0), speed[-_LAST:].mean(axis=0)
    t0, t1 = time[:_FIRST].mean(), time[-_LAST:].mean()
    drift = (last - first) / (t1 - t0)
    speed = speed - first - drift * (time[:, None] - t0)
    height = np.cumsum(speed, axis=0) * dt
    kernel = height[-_LAST:].mean(axis=0) - height[:_FIRST].mean(axis=0)
    return np.asarray(np.rint(kernel * _UNIT), np.int64)


class Stance:
    """Sitting, standing, or not known, as the last change that was seen left it."""

    def __init__(self) -> None:
        """Begin not knowing."""
        self._kernel = height_kernel()[::-1].copy()
        self._ups = Recent(6)
        self._latch = Latch()

    def update(
        self,
        moments: Moments,
        rows: Int64s,
        total: Int64s,
        at: Int64s,
        steps: Bools,
        walking: Bools,
        lying: Bools,
    ) -> Int64s:
        """Return (n,) indices into `ACTIVITIES`: sitting, standing, or 0 for not known.

        Args:
            moments: the n moments.
            rows: (k, 3) seen, force (mm/s² beyond gravity) and rate (mrad/s) of the trunk, moment by moment.
            total: (k, 4) their running sums: seen, force, force squared, rate squared.
            at: (n,) where the frames stand in both; `analytics.posture.recent.REACH` rows lie before.
            steps: (n,) True where steps are seen now.
            walking: (n,) bool.
            lying: (n,) bool.
        """
        ups = self._ups.extended(at, _up_of_trunk(moments), steps, walking)
        rising, sinking = self._changes(rows, total, at, ups, ~walking & ~lying)
        known, since = self._latch.update(
            moments.frames,
            (lying | walking, 0),
            (sinking, _SITTING),
            (rising, _STANDING),
            (window(ups[:, 5].cumsum(), at, _WALK) == _WALK, _WALKED),
        )
        age = moments.frames - since
        stance = np.where(known == _WALKED, np.where(age <= _WALKED_FRAMES, _STANDING, 0), known)
        return np.where((known == _STANDING) & (age > _RISEN_FRAMES), 0, stance)

    def _changes(
        self, rows: Int64s, total: Int64s, at: Int64s, ups: Int64s, may: Bools
    ) -> tuple[Bools, Bools]:
        """Return (n,) bool each: where a rise is complete, and where sinking to a seat is."""
        seen, _, _, turns = window(total, at, _WINDOW).T
        ends = may & (seen >= _WINDOW - 2) & (turns >= _WINDOW * _TURNED) & _calm(total, at, _LAST)
        if not ends.any():
            return ends, ends
        rests = ends & _calm(total, at - (_WINDOW + 1 - _FIRST), _FIRST)
        walked = ends & (ups[at - _WINDOW + _STEPS, 4] > 0)
        # Convolution in whole numbers is exact; 1e9 is millionths of m for mm/s².
        height = np.convolve(rows[:, 1], self._kernel)[at] / (_UNIT * 1e3)
        rising = rests & (height >= RISEN_M)
        sinking = (rests & (height <= -SUNK_M)) | (walked & (height <= -SUNK_WALKING_M))
        if not (rising | sinking).any():
            return rising, sinking
        bent = _bent_and_back(ups, at)
        return rising & bent, sinking & bent


def _calm(total: Int64s, at: Int64s, length: int) -> Bools:
    """Return (n,) bool: the trunk rests at the frames that end there."""
    _, force, squares, turns = window(total, at, length).T
    still = turns <= length * _CALM_TURNS
    even = length * squares - force * force <= length * length * _CALM_SQUARES
    return np.asarray(still & even, np.bool_)


def _up_of_trunk(moments: Moments) -> Int64s:
    """Return (n, 4): which sensor (0 for none), and where up is in it, in 1/10,000."""
    found = np.zeros((len(moments), 4), np.int64)
    for number, segment in enumerate(_TRUNK, 1):
        column = moments.column(segment)
        if column is None:
            continue
        up = moments.up[:, column]
        use = (found[:, 0] == 0) & np.isfinite(up[:, 0])
        found[use, 0] = number
        found[use, 1:] = np.rint(up[use] * 1e4).astype(np.int64)
        if use.all():
            break
    return found


def _bent_and_back(ups: Int64s, at: Int64s) -> Bools:
    """Return (n,) bool: over the window one sensor leaned away and came back."""
    start = ups[at - _WINDOW]
    same = (ups[at, 0] == start[:, 0]) & (start[:, 0] > 0)
    back = (ups[at, 1:4] * start[:, 1:4]).sum(axis=1)
    furthest = np.full(len(at), 10**8)
    for ago in range(0, _WINDOW, 2):
        row = ups[at - ago]
        cosine = (row[:, 1:4] * start[:, 1:4]).sum(axis=1)
        furthest = np.where(row[:, 0] == start[:, 0], np.minimum(furthest, cosine), furthest)
    near, far = 1e8 * np.cos(BACK_RAD), 1e8 * np.cos(BENT_RAD)
    return np.asarray(same & (back >= near) & (furthest <= far), np.bool_)
