"""Sitting or standing, by seeing the trunk rise or sink: an estimate, and often not known.

A person leaves a seat by bending forward and rising, and reaches it by bending and sinking; over such a
movement the vertical acceleration, integrated twice, gives the height won or lost (Najafi and others 2003,
doi:10.1109/TBME.2003.812189, with one sensor at the chest; Atrsaei and others 2020,
doi:10.1186/s12984-020-00692-4, found 95 % of the transitions of healthy people by it, wherever on the trunk
the sensor was). Who has just walked stands.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from analytics.motion.moments import Moments
from analytics.posture.recent import Flags, Latch, Recent, Where, numbers, window
from poise.results import ACTIVITIES, GRID_US, Activity
from poise.samples import Bools, Floats, Int64s
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
_BACK: Final = np.arange(-_WINDOW, 1)
_AGO: Final = np.arange(0, _WINDOW, 2)
TURNED: Final = round((1e3 * np.radians(3.0)) ** 2)
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
        self._kernel = height_kernel()
        self._ups = Recent(4)
        self._walked = Flags()
        self._latch = Latch()

    def update(
        self,
        moments: Moments,
        force: Int64s,
        total: Int64s | None,
        at: Where,
        steps: Int64s | None,
        walking: Bools | None,
        lying: Bools | None,
    ) -> Int64s | int:
        """Return (n,) indices into `ACTIVITIES`, or one for all: sitting, standing, or 0 for not known.

        Args:
            moments: the n moments.
            force: (k,) of the trunk, mm/s² beyond gravity, moment by moment.
            total: (4, k) running sums of seen, force, force squared and rate squared, None if at no moment
                its rate, mrad/s, squared reaches `TURNED`.
            at: where the moments stand in them; `analytics.posture.recent.REACH` stand before.
            steps: (k,) above 0 where steps are seen; None for nowhere.
            walking: (n,) bool, None for nowhere.
            lying: (n,) bool, None for nowhere.
        """
        ups = self._ups.extended(at, _up_of_trunk(moments))
        walked = self._walked.extended(at, walking)
        events: list[tuple[NDArray[np.generic], int]] = []
        away = _either(walking, lying)
        changed = None if total is None else self._changes(force, total, at, ups, steps, away)
        if away is not None:
            events.append((away, 0))
        if changed is not None:
            events += [(changed < 0, _SITTING), (changed > 0, _STANDING)]
        if walked is not None:
            events.append((window(walked.cumsum(), at, _WALK) == _WALK, _WALKED))
        if not events and self._latch.value in (0, _SITTING):
            return self._latch.value
        known, since = self._latch.update(moments.frames, *events)
        age = moments.frames - since
        stance = np.where(known == _WALKED, np.where(age <= _WALKED_FRAMES, _STANDING, 0), known)
        return np.where((known == _STANDING) & (age > _RISEN_FRAMES), 0, stance)

    def _changes(
        self,
        force: Int64s,
        total: Int64s,
        at: Where,
        ups: Int64s,
        steps: Int64s | None,
        away: Bools | None,
    ) -> NDArray[np.int8] | None:
        """Return (n,) 1 where a rise is complete, -1 where sinking to a seat is; None for nowhere.

        Each condition is looked at only where those before it hold: few moments end a change of stance.
        """
        ends = window(total[3], at, _WINDOW) >= _WINDOW * TURNED
        ends &= window(total[0], at, _WINDOW) >= _WINDOW - 2
        if away is not None:
            ends &= ~away
        hits = np.flatnonzero(ends)
        hits = hits[_calm(total, numbers(at)[hits], _LAST)]
        if not len(hits):
            return None
        ended = numbers(at)[hits]
        rests = _calm(total, ended - (_WINDOW + 1 - _FIRST), _FIRST)
        walked = np.zeros(len(hits), np.bool_) if steps is None else steps[ended - _WINDOW + _STEPS] > 0
        # Sums of whole numbers are exact; 1e9 is millionths of m for mm/s².
        height = (force[ended[:, None] + _BACK] * self._kernel).sum(axis=1) / (_UNIT * 1e3)
        rising = rests & (height >= RISEN_M)
        sinking = (rests & (height <= -SUNK_M)) | (walked & (height <= -SUNK_WALKING_M))
        moved = np.flatnonzero(rising | sinking)
        moved = moved[_bent_and_back(ups, ended[moved])]
        if not len(moved):
            return None
        changes = np.zeros(len(ends), np.int8)
        changes[hits[moved]] = np.where(rising[moved], 1, -1)
        return changes


def sums(rows: Int64s) -> Int64s:
    """Return (4, k) running sums of seen, force, force squared and rate squared."""
    wide = np.empty((4, rows.shape[1]), np.int64)
    wide[:2] = rows[:2]
    np.multiply(rows[1:], rows[1:], out=wide[2:])
    return wide.cumsum(axis=1)


def _either(one: Bools | None, other: Bools | None) -> Bools | None:
    if one is None or other is None:
        return other if one is None else one
    return one | other


def _calm(total: Int64s, at: Int64s, length: int) -> Bools:
    """Return (n,) bool: the trunk rests at the moments that end there."""
    _, force, squares, turns = window(total, at, length)
    still = turns <= length * _CALM_TURNS
    even = length * squares - force * force <= length * length * _CALM_SQUARES
    return np.asarray(still & even, np.bool_)


def _up_of_trunk(moments: Moments) -> Floats:
    """Return (4, n) whole numbers: which sensor (0 for none), and where up is in it, in 1/10,000."""
    found = np.zeros((4, len(moments)))
    free = np.ones(len(moments), np.bool_)
    for number, segment in enumerate(_TRUNK, 1):
        column = moments.column(segment)
        if column is None:
            continue
        up = moments.up[:, column].T
        use = free & np.isfinite(up[0])
        if use.all():
            found[0] = number
            np.rint(up * 1e4, out=found[1:])
            break
        found[0, use] = number
        found[1:, use] = np.rint(up[:, use] * 1e4)
        free &= ~use
        if not free.any():
            break
    return found


def _bent_and_back(ups: Int64s, at: Int64s) -> Bools:
    """Return (n,) bool: over the window one sensor leaned away and came back."""
    start = ups[:, at - _WINDOW]
    path = ups[:, at - _AGO[:, None]]
    same = path[0] == start[0]
    cosine = (path[1:] * start[1:, None]).sum(axis=0)
    furthest = np.where(same, cosine, 10**8).min(axis=0)
    near, far = 1e8 * np.cos(BACK_RAD), 1e8 * np.cos(BENT_RAD)
    back = same[0] & (start[0] > 0) & (cosine[0] >= near)
    return np.asarray(back & (furthest <= far), np.bool_)
