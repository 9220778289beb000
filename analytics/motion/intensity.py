"""How much a sensor moves within each tenth of a second: sums of whole counts, so any chunking will do."""

from typing import Final

import numpy as np

from poise.samples import Floats, Int16s, Int64s

SUMS: Final = 6
"""Columns: samples, sum of acceleration x, y, z, sum of its squared length, sum of squared angular rate."""


def sums_of(counts: Int16s, begins: Int64s) -> Int64s:
    """Return the sums (SUMS, k) of groups of samples.

    Args:
        counts: (2, 3, n) of acceleration and angular rate.
        begins: (k,) first sample of each group, increasing from 0.
    """
    n = counts.shape[2]
    values = np.empty((SUMS - 1, n), np.int64)
    values[:3] = counts[0]
    # A square is at most 2^30: the sum of three fits 32 bits, and the sign is lost in squaring modulo 2^32.
    squares = counts.astype(np.uint32)
    squares *= squares
    lengths = squares[:, 0] + squares[:, 1]
    values[3:] = np.add(lengths, squares[:, 2], out=lengths)
    lasts = np.append(begins[1:], n) - 1
    # Differences of running sums: exact, for they are whole, and half the time of `reduceat` for few samples.
    until = values.cumsum(axis=1).take(lasts, axis=1)
    sums = np.empty((SUMS, len(begins)), np.int64)
    sums[0], sums[1:, 0] = lasts + 1 - begins, until[:, 0]
    np.subtract(until[:, 1:], until[:, :-1], out=sums[1:, 1:])
    return sums


def intensities(sums: Int64s, acc_scale: Floats, gyr_scale: Floats) -> tuple[Floats, Floats, Floats]:
    """Return rate, force and shake (m, n), transposed in `analytics.motion.moments.Moments`.

    Args:
        sums: (SUMS, m, n); a moment without samples gives NaN.
        acc_scale: (m,) m/s² for a count.
        gyr_scale: (m,) rad/s for a count.
    """
    means = sums[1:] / np.where(sums[0] > 0, sums[0], np.nan)
    squares = means[:3] * means[:3]
    found = np.empty((3, *sums.shape[1:]))
    found[0], found[1] = means[4], means[3]
    np.maximum(means[3] - (squares[0] + squares[1] + squares[2]), 0.0, out=found[2])
    np.sqrt(found, out=found)
    found *= np.array((gyr_scale, acc_scale, acc_scale))[..., None]
    return found[0], found[1], found[2]
