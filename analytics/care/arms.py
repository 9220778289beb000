"""Arm work above the limit and arms held high, frame by frame.

For each side the best sensor speaks: the wrist's, else the upper arm's, else the shoulder blade's, which is
an estimate. Walking swings the arms and is no strain, so it does not count.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analytics.care.limits import GuardLimits
from analytics.care.tail import Tail
from poise.results import ACTIVITIES, Activity, PostureFrames
from poise.samples import Bools, Floats, Int64s
from poise.skeleton import Segment

CHANNELS: Final = (
    Segment.WRIST_LEFT,
    Segment.WRIST_RIGHT,
    Segment.UPPER_ARM_LEFT,
    Segment.UPPER_ARM_RIGHT,
    Segment.SCAPULA_LEFT,
    Segment.SCAPULA_RIGHT,
)
"""Rows of `ArmWork.update`; of one side the first that is seen speaks."""
ARMS: Final = CHANNELS[:4]
UPPER_ARMS: Final = CHANNELS[2:4]
BLADES: Final = CHANNELS[4:]
TRUNK: Final = (Segment.T4, Segment.T12, Segment.C7)
"""Whose movement is taken off a shoulder blade's, and whose bends are counted; best first."""
EPOCH: Final = 50
"""Frames: means and rms values are over 5 s, as the epochs of cut-points from wrists."""
_SEEN: Final = EPOCH // 2
"""An epoch seen for less than half is not judged; project decision."""
_GRAVITY: Final = 9.80665
_MOST: Final = 1e5
"""Nothing beyond 100 rad/s, or 10 g, in whole numbers; far above what sensors measure in people."""


class ArmWork:
    """Which sensors' last 5 s were above the limit."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self._tail = Tail(2 * len(CHANNELS))

    def update(self, frames: PostureFrames, at: Int64s, counted: Bools, limits: GuardLimits) -> Bools:
        """Return (6, n) bool by `CHANNELS`: the side's best sensor is above its limit.

        Args:
            frames: n frames.
            at: (n,) grid indices.
            counted: (n,) bool, False in exercises.
            limits: that hold throughout them.
        """
        counted = counted & ~doing(frames, Activity.WALKING, Activity.NOT_WORN)
        values = np.stack([_value(frames, channel) for channel in CHANNELS])
        seen = ~np.isnan(values) & counted
        values = np.rint(np.minimum(np.where(seen, values, 0.0), _MOST**2))
        self._tail.take(at, np.concatenate((values, seen)), EPOCH)
        sums = self._tail.sums(EPOCH)
        total, there = sums[: len(CHANNELS)], sums[len(CHANNELS) :]
        judged = there >= _SEEN
        judged[2:4] &= ~judged[:2]
        judged[4:] &= ~(judged[:2] | judged[2:4])
        return np.asarray(judged & counted & (total >= there * _bars(limits)[:, None]), np.bool_)


def raised(frames: PostureFrames, counted: Bools, limits: GuardLimits) -> Bools:
    """Return (2, n) bool by `UPPER_ARMS`: the arm is further from hanging than the limit.

    The angle is against gravity: bent over, a hanging arm bears no more than when upright.
    """
    found = np.zeros((len(UPPER_ARMS), len(frames)), np.bool_)
    counted = counted & ~doing(frames, Activity.LYING, Activity.NOT_WORN)
    for row, segment in enumerate(UPPER_ARMS):
        if segment in frames.segments:
            column = frames.segments.index(segment)
            cosine = np.cos(frames.sagittal[:, column]) * np.cos(frames.frontal[:, column])
            found[row] = counted & (cosine <= math.cos(math.radians(limits.overhead_deg)))
    return found


def doing(frames: PostureFrames, *activities: Activity) -> Bools:
    """Return (n,) bool: the wearer does one of these, as far as known."""
    if len(frames.activity) < len(frames):
        return np.zeros(len(frames), np.bool_)
    found = np.zeros(len(frames), np.bool_)
    for activity in activities:
        found |= frames.activity == ACTIVITIES.index(activity)
    return found


def _value(frames: PostureFrames, channel: Segment) -> Floats:
    """Return (n,) tenths of mg of a wrist, squared mrad/s of others; NaN unseen."""
    if channel not in frames.segments or len(frames.rate) < len(frames):
        return np.full(len(frames), np.nan)
    column = frames.segments.index(channel)
    if channel in CHANNELS[:2]:
        beyond: Floats = np.maximum(frames.force[:, column] - _GRAVITY, 0.0) * (1e4 / _GRAVITY)
        return np.minimum(beyond, _MOST)
    square = (frames.rate[:, column] * 1e3) ** 2
    if channel in BLADES:
        square = np.maximum(square - _of_trunk(frames), 0.0)
    return np.asarray(square, np.float64)


def _of_trunk(frames: PostureFrames) -> Floats:
    """Return (n,) squared mrad/s of the trunk; 0 where it is unseen."""
    found = np.full(len(frames), np.nan)
    for segment in TRUNK:
        if segment in frames.segments:
            rate = frames.rate[:, frames.segments.index(segment)]
            found = np.where(np.isnan(found), (rate * 1e3) ** 2, found)
    return np.where(np.isnan(found), 0.0, found)


def _bars(limits: GuardLimits) -> NDArray[np.int64]:
    """Return (6,) the limits as whole numbers, as `_value` gives them."""
    wrist = round(10 * limits.enmo_mg)
    arm, blade = (round((1e3 * math.radians(deg_s)) ** 2) for deg_s in (limits.arm_deg_s, limits.blade_deg_s))
    return np.array([wrist, wrist, arm, arm, blade, blade], np.int64)
