"""How much a sensor moves within each tenth of a second: sums of whole counts, so any chunking will do."""

from typing import Final

import numpy as np

from poise.samples import Floats, Int16s, Int64s

SUMS: Final = 6
"""Columns: samples, sum of acceleration x, y, z, sum of its squared length, sum of squared angular rate."""


def counts(raw: Int16s) -> Int64s:
    """Return (n, SUMS) of single samples, from counts (n, 6) of acceleration and angular rate."""
    rows = np.ones((len(raw), SUMS), np.int64)
    rows[:, 1:4] = raw[:, :3]
    squares = raw.astype(np.int64)
    squares *= squares
    rows[:, 4] = squares[:, 0] + squares[:, 1] + squares[:, 2]
    rows[:, 5] = squares[:, 3] + squares[:, 4] + squares[:, 5]
    return rows


def intensities(sums: Int64s, acc_scale: Floats, gyr_scale: Floats) -> tuple[Floats, Floats, Floats]:
    """Return rate, force and shake (n, m) of `analytics.motion.moments.Moments`.

    Args:
        sums: (n, m, SUMS); a moment without samples gives NaN.
        acc_scale: (m,) m/s² for a count.
        gyr_scale: (m,) rad/s for a count.
    """
    n = np.where(sums[..., 0] > 0, sums[..., 0], np.nan)
    x, y, z = (sums[..., i] / n for i in (1, 2, 3))
    square = sums[..., 4] / n
    scatter = np.maximum(square - (x * x + y * y + z * z), 0.0)
    rate = np.sqrt(sums[..., 5] / n) * gyr_scale
    return rate, np.sqrt(square) * acc_scale, np.sqrt(scatter) * acc_scale
