"""One trunk out of whatever is worn: its force, its angular rate and how far it is from upright."""

from typing import Final

import numpy as np

from analytics.motion.moments import Moments
from poise.samples import Bools, Floats
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
        self._walked = False
        self._grouped: tuple[str, ...] = ()
        self._groups: list[list[int]] = []

    def motion(self, moments: Moments, on: Bools) -> tuple[Floats, Floats]:
        """Return force (n,) m/s² and rate (n,) rad/s; NaN unseen.

        Args:
            moments: n moments.
            on: (n, m) bool, seen and worn.
        """
        both = np.where(on, np.array((moments.force, moments.rate)), np.nan)
        force, rate = _middle(both, self._columns(moments.segments))
        return force, rate

    def lean(self, moments: Moments, sagittal: Floats, frontal: Floats, on: Bools, walking: Bools) -> Floats:
        """Return (n,) the cosine of the angle from upright, NaN where upright is not known.

        Args:
            moments: n moments.
            sagittal: (n, m) rad, NaN while uncalibrated.
            frontal: (n, m) rad.
            on: (n, m) bool, seen and worn.
            walking: (n,) bool.
        """
        upright = self._when_walking(moments, walking)
        lean = np.cos(sagittal) * np.cos(frontal)
        if upright is not None:
            x, y, z = (moments.up[..., i] * upright[..., i] for i in range(3))
            lean = np.where(np.isnan(lean), x + y + z, lean)
        return -_middle(np.where(on, -lean, np.nan), self._columns(moments.segments)[: len(_GROUPS)])

    def _columns(self, segments: tuple[str, ...]) -> list[list[int]]:
        if segments != self._grouped:
            self._grouped, self._groups = segments, _groups(segments)
        return self._groups

    def _when_walking(self, moments: Moments, walking: Bools) -> Floats | None:
        """Return (n, m, 3) where up was, in each sensor, when last seen walking; None without any walk."""
        if moments.segments != self._segments:
            old = dict(zip(self._segments, self._upright, strict=True))
            unknown = np.full(3, np.nan)
            self._segments = moments.segments
            self._upright = np.stack([old.get(segment, unknown) for segment in moments.segments])
        if not walking.any():
            return self._upright[None] if self._walked else None
        self._walked = True
        n, m = moments.force.shape
        told = walking[:, None] & np.isfinite(moments.up[..., 0])
        latest = np.maximum.accumulate(np.where(told, np.arange(n)[:, None], -1), axis=0)
        then = moments.up[np.maximum(latest, 0), np.arange(m)[None]]
        upright = np.where((latest >= 0)[..., None], then, self._upright)
        self._upright = upright[-1].copy()
        return np.asarray(upright, np.float64)


def _groups(segments: tuple[str, ...]) -> list[list[int]]:
    """Return the columns of each group, best first, and all columns last."""
    groups = [[j for j, name in enumerate(segments) if name in group] for group in _GROUPS]
    return [*groups, list(range(len(segments)))]


def _middle(values: Floats, groups: list[list[int]]) -> Floats:
    """Return (…, n) the lower median of the first group that is seen; NaN without any."""
    found: Floats | None = None
    for columns in groups:
        if columns:
            median = _lower_median(values[..., columns])
            found = median if found is None else np.where(np.isnan(found), median, found)
            if not np.isnan(found).any():
                break
    return np.full(values.shape[:-1], np.nan) if found is None else found


def _lower_median(values: Floats) -> Floats:
    """Return (…, n) the middle of the seen values of each row, the lower of two; NaN without any."""
    ranked = np.sort(values, axis=-1)
    last = values.shape[-1] - 1
    if not np.isnan(ranked[..., last]).any():
        return np.asarray(ranked[..., last // 2], np.float64)
    middle = np.maximum((~np.isnan(values)).sum(axis=-1) - 1, 0) // 2
    return np.asarray(np.take_along_axis(ranked, middle[..., None], axis=-1)[..., 0], np.float64)
