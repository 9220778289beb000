"""Bends of the trunk that go far and come back: what lifting looks like to sensors on the upper body."""

import math
from typing import Final

import numpy as np

from analytics.care.arms import TRUNK, doing
from analytics.care.limits import GuardLimits
from poise.results import Activity, PostureFrames
from poise.samples import Bools, Floats, Int64s

_HOME, _OUT, _VOID = 1, 2, 3
_NEVER: Final = -1


class Bends:
    """Counts bends: beyond the limit, and upright again before it is a posture."""

    def __init__(self) -> None:
        """Begin upright."""
        self._out = _NEVER

    def update(self, frames: PostureFrames, at: Int64s, counted: Bools, limits: GuardLimits) -> Bools:
        """Return (n,) bool: a bend is complete here.

        Args:
            frames: n > 0 frames.
            at: (n,) grid indices.
            counted: (n,) bool, False in exercises.
            limits: that hold throughout them.
        """
        lean = _lean(frames)
        where = np.zeros(len(at), np.int8)
        where[lean < math.radians(limits.back_deg)] = _HOME
        where[lean >= math.radians(limits.bend_deg)] = _OUT
        where[~counted | doing(frames, Activity.LYING, Activity.NOT_WORN)] = _VOID
        found = np.zeros(len(at), np.bool_)
        longest = round(10 * limits.bend_s)
        for row in (0, *(np.flatnonzero(where[1:] != where[:-1]) + 1).tolist()):
            found[row] = self._step(int(where[row]), int(at[row]), longest)
        return found

    def _step(self, where: int, frame: int, longest: int) -> bool:
        """Note where the trunk is, and tell whether that completes a bend."""
        if where == _OUT:
            self._out = frame if self._out == _NEVER else self._out
            return False
        if where == 0:
            return False
        out, self._out = self._out, _NEVER
        return where == _HOME and out != _NEVER and frame - out <= longest


def _lean(frames: PostureFrames) -> Floats:
    """Return (n,) rad forward, of the best sensor on the trunk that is seen; NaN without."""
    found = np.full(len(frames), np.nan)
    for segment in TRUNK:
        if segment in frames.segments:
            column = frames.sagittal[:, frames.segments.index(segment)]
            found = np.where(np.isnan(found), column, found)
    return found
