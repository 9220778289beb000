"""One trunk out of whatever is worn: its force, its angular rate and how far it is from upright."""

from typing import Final

import numpy as np

from analytics.motion.moments import Moments
from poise.samples import Bools, Floats, Int64s
from poise.skeleton import SCAPULAE, Segment

_GROUPS: Final = (
    frozenset({Segment.LUMBAR, Segment.T12, Segment.T4, Segment.C7}),
    frozenset(SCAPULAE),
    frozenset({Segment.HEAD}),
)
"""Best first; a group speaks where none before it is seen."""


class Trunk:
    """Force, rate and lean of the trunk, by the middle one of the sensors that are seen.

    The middle one (of two or four the calmer) is not misled by one sensor that is knocked, clipped or loose.
    Where a sensor is not calibrated, upright is taken to be how it was when the wearer last walked.
    """

    def __init__(self) -> None:
        """Begin without any walk."""
        self._segments: tuple[str, ...] = ()
        self._upright = np.zeros((0, 3))
        self._groups: list[list[int]] = []

    def motion(self, moments: Moments, on: Bools) -> Floats:
        """Return (2, n) force, m/s², and rate, rad/s; NaN unseen.

        Args:
            moments: n moments.
            on: (n, m) bool, seen and worn.
        """
        self._fit(moments.segments)
        both = np.array((moments.force.T, moments.rate.T)).transpose(0, 2, 1)
        if not on.all():
            both[:, ~on] = np.nan
        return _middle(both, [*self._groups, list(range(len(self._segments)))])

    def lean(
        self,
        moments: Moments,
        sagittal: Floats,
        frontal: Floats,
        on: Bools,
        walking: Bools | None,
        upright: float,
    ) -> Floats:
        """Return (n,) the cosine of the angle from upright, NaN where upright is not known.

        Args:
            moments: n moments.
            sagittal: (n, m) rad, NaN while uncalibrated.
            frontal: (n, m) rad.
            on: (n, m) bool, seen and worn.
            walking: (n,) bool, None for nowhere.
            upright: rad; where both inclinations are below, the cosine does not matter and is given as 1.
        """
        self._fit(moments.segments)
        lean = np.ones(len(moments))
        if self._groups:
            near = (np.maximum(np.abs(sagittal), np.abs(frontal)) < upright) & on
            if not near.all():
                rows = np.flatnonzero(~near[:, self._groups[0]].all(axis=1))
                if len(rows):
                    lean[rows] = self._leaning(moments, rows, sagittal, frontal, on, walking)
        else:
            lean[:] = np.nan
        if walking is not None:
            self._remember(moments, walking)
        return lean

    def _leaning(
        self,
        moments: Moments,
        rows: Int64s,
        sagittal: Floats,
        frontal: Floats,
        on: Bools,
        walking: Bools | None,
    ) -> Floats:
        """Return (r,) the cosine at some rows."""
        there = on[rows]
        lean = np.cos(sagittal[rows]) * np.cos(frontal[rows])
        if (np.isnan(lean) & there).any():
            up, then = moments.up[rows], self._when_walking(moments, rows, walking)
            x, y, z = (up[..., i] * then[..., i] for i in range(3))
            lean = np.where(np.isnan(lean), x + y + z, lean)
        return -_middle(np.where(there, -lean, np.nan), self._groups)

    def _fit(self, segments: tuple[str, ...]) -> None:
        """Lay out what is known by the columns of the moments."""
        if segments == self._segments:
            return
        old = dict(zip(self._segments, self._upright, strict=True))
        unknown = np.full(3, np.nan)
        self._upright = np.stack([old.get(segment, unknown) for segment in segments])
        self._segments = segments
        groups = [[j for j, name in enumerate(segments) if name in group] for group in _GROUPS]
        self._groups = [group for group in groups if group]

    def _when_walking(self, moments: Moments, rows: Int64s, walking: Bools | None) -> Floats:
        """Return (r or 1, m, 3) where up was, in each sensor, when last seen walking; NaN without."""
        if walking is None:
            return self._upright[None]
        n, m = moments.force.shape
        told = walking[:, None] & np.isfinite(moments.up[..., 0])
        latest = np.maximum.accumulate(np.where(told, np.arange(n)[:, None], -1), axis=0)[rows]
        then = moments.up[np.maximum(latest, 0), np.arange(m)[None]]
        return np.where((latest >= 0)[..., None], then, self._upright)

    def _remember(self, moments: Moments, walking: Bools) -> None:
        """Note where up was in the last of these moments in which the wearer walked."""
        up = moments.up[walking]
        told = np.isfinite(up[..., 0])
        columns = np.flatnonzero(told.any(axis=0))
        newest = len(up) - 1 - told[::-1].argmax(axis=0)[columns]
        self._upright[columns] = up[newest, columns]


def _middle(values: Floats, groups: list[list[int]]) -> Floats:
    """Return (…, n) the lower median of the first group that is seen; NaN without any."""
    found = _calmer(values, groups[0])
    unseen = np.isnan(found)
    if unseen.any():
        rows = np.flatnonzero(unseen.reshape(-1, unseen.shape[-1]).any(axis=0))
        found[..., rows] = _of_those_seen(values[..., rows, :], groups)
    return found


def _calmer(values: Floats, columns: list[int]) -> Floats:
    """Return (…, n) the lower median of these columns; NaN where one of them is."""
    if len(columns) > 3:
        ranked = np.sort(values[..., columns], axis=-1)
        return np.where(np.isnan(ranked[..., -1]), np.nan, ranked[..., (len(columns) - 1) // 2])
    first, *others = (values[..., column] for column in columns)
    if len(others) == 1:
        return np.minimum(first, others[0])
    if len(others) == 2:
        low, high = np.minimum(first, others[0]), np.maximum(first, others[0])
        return np.maximum(low, np.minimum(high, others[1]))
    return first.copy()


def _of_those_seen(values: Floats, groups: list[list[int]]) -> Floats:
    """Return the same where sensors are unseen: the middle of the rest, or of the next group."""
    found = np.full(values.shape[:-1], np.nan)
    for columns in groups:
        found = np.where(np.isnan(found), _lower_median(values[..., columns]), found)
        if not np.isnan(found).any():
            break
    return found


def _lower_median(values: Floats) -> Floats:
    """Return (…, n) the middle of the seen values of each row, the lower of two; NaN without any."""
    ranked = np.sort(values, axis=-1)
    middle = np.maximum((~np.isnan(values)).sum(axis=-1) - 1, 0) // 2
    return np.asarray(np.take_along_axis(ranked, middle[..., None], axis=-1)[..., 0], np.float64)
