"""How much a sensor moves within each tenth of a second: sums of whole counts, so any chunking will do."""

from typing import Final

import numpy as np

from poise.samples import Floats, Int16s, Int64s

SUMS: Final = 6
"""Columns: samples, sum of acceleration x, y, z, sum of its squared length, sum of squared angular rate."""


def sums_of(acc: Int16s, gyr: Int16s, begins: Int64s) -> Int64s:
    """Return the sums (k, SUMS) of groups of rows.

    Args:
        acc: (n, 3) counts of acceleration.
        gyr: (n, 3) counts of angular rate.
        begins: (k,) first row of each group, increasing from 0.
    """
    sums = np.empty((len(begins), SUMS), np.int64)
    sums[:-1, 0], sums[-1, 0] = begins[1:] - begins[:-1], len(acc) - begins[-1]
    np.add.reduceat(acc, begins, axis=0, dtype=np.int64, out=sums[:, 1:4])
    # A square is at most 2^30: the sum of three fits 32 bits, and the sign is lost in squaring modulo 2^32.
    for column, counts in ((4, acc), (5, gyr)):
        squares = counts.astype(np.uint32)
        squares *= squares
        length = squares[:, 0] + squares[:, 1] + squares[:, 2]
        np.add.reduceat(length, begins, dtype=np.int64, out=sums[:, column])
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
