"""How much a sensor moves within each tenth of a second: sums of whole counts, so any chunking will do."""

from typing import Final

import numpy as np

from poise.results import GRID_US
from poise.samples import Floats, Int16s, Int64s

SUMS: Final = 6
"""Columns: samples, sum of acceleration x, y, z, sum of its squared length, sum of squared angular rate."""


class Intensity:
    """Sums over the samples of each tenth of a second, which ends with its grid moment."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._frame = -1
        self._sums = np.zeros(SUMS, np.int64)

    def update(self, t_us: Int64s, acc: Int16s, gyr: Int16s, frames: Int64s) -> Int64s:
        """Take samples and return the sums (k, SUMS) of the consecutive, complete moments `frames`."""
        moment = -(-t_us // GRID_US)
        starts = np.flatnonzero(np.diff(moment, prepend=moment[0] - 1))
        sums = np.add.reduceat(_counts(acc, gyr), starts, axis=0)
        of = moment[starts]
        if self._frame >= 0 and self._frame == of[0]:
            sums[0] += self._sums
        elif self._frame >= 0:
            sums, of = np.vstack([self._sums[None], sums]), np.concatenate([[self._frame], of])
        asked = np.zeros((len(frames), SUMS), np.int64)
        first = int(frames[0]) if len(frames) else int(of[0])
        inside = (of >= first) & (of < first + len(frames))
        asked[of[inside] - first] = sums[inside]
        self._frame, self._sums = int(of[-1]), sums[-1].copy()
        return asked


def _counts(acc: Int16s, gyr: Int16s) -> Int64s:
    rows = np.ones((len(acc), SUMS), np.int64)
    rows[:, 1:4] = acc
    a = rows[:, 1:4]
    g = gyr.astype(np.int64)
    rows[:, 4] = a[:, 0] * a[:, 0] + a[:, 1] * a[:, 1] + a[:, 2] * a[:, 2]
    rows[:, 5] = g[:, 0] * g[:, 0] + g[:, 1] * g[:, 1] + g[:, 2] * g[:, 2]
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
