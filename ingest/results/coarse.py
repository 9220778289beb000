"""Seconds joined into longer steps, and how long a step may be. Pure functions."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from ingest.reading import Series

STEPS_S: Final = (1, 60, 3600)
"""The steps in which series are kept, s."""


def step_for(from_s: int, to_s: int, points: int) -> int:
    """Return the longest step, s, that still gives at least `points` points; 1 for `points` 0 (every second).

    It is a multiple of the coarsest of `STEPS_S` that is not longer, so that it can be made of that one.
    """
    longest = (to_s - from_s) // points if points > 0 else 1
    kept = kept_for(max(longest, 1))
    return max(longest, 1) // kept * kept


def kept_for(step_s: int) -> int:
    """Return the coarsest kept step that is not longer than `step_s`."""
    return max(step for step in STEPS_S if step <= step_s)


def whole_steps(from_s: int, to_s: int, step_s: int) -> tuple[int, int]:
    """Widen a time to whole steps, which lie on multiples of their length on the UTC scale."""
    return from_s // step_s * step_s, -(-to_s // step_s) * step_s


def coarser(series: Series, step_s: int) -> Series:
    """Join the points of each step: the mean weighted by coverage, the least, the greatest.

    Coverage becomes the share of the whole step, so that a minute in which ten seconds were seen has a sixth
    of theirs. Joining minutes to hours gives what joining their seconds gives.

    Args:
        series: points of `series.step_s`, which divides `step_s`.
        step_s: s.
    """
    if step_s == series.step_s:
        return series
    seen = series.coverage > 0
    t_s, coverage = series.t_s[seen], series.coverage[seen]
    mean, low, high = series.mean[seen], series.low[seen], series.high[seen]
    if len(t_s) == 0:
        return Series(t_s, mean, low, high, coverage, step_s)
    bins = t_s // step_s * step_s
    starts = np.flatnonzero(np.r_[True, bins[1:] != bins[:-1]])
    weight = np.add.reduceat(coverage, starts)
    return Series(
        bins[starts],
        np.add.reduceat(mean * coverage, starts) / weight,
        np.minimum.reduceat(low, starts),
        np.maximum.reduceat(high, starts),
        weight * (series.step_s / step_s),
        step_s,
    )


def joined(parts: Sequence[Series], step_s: int) -> Series:
    """Return the points of several series of the same step by time; times must not repeat."""
    if not parts:
        empty = np.empty(0)
        return Series(np.empty(0, np.int64), empty, empty, empty, empty, step_s)
    t_s = np.concatenate([part.t_s for part in parts])
    order = np.argsort(t_s, kind="stable")
    mean, low, high, coverage = (
        np.concatenate(columns)[order] for columns in zip(*(part.columns[1:] for part in parts), strict=True)
    )
    return Series(t_s[order], mean, low, high, coverage, step_s)
