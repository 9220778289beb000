"""Inclination of segments against the person's own upright (frames and signs: docs/frames.md)."""

from typing import Final

import numpy as np

from poise.calibration import Quaternion
from poise.samples import Bools, Floats

SIDEWAYS_RAD: Final = float(np.radians(75.0))
"""Leaning further than this to a side, a segment's sagittal inclination is an angle about a nearly vertical
axis: an error of up of 1° becomes one of 4° and more. Project decision."""


def axes(q_sensor_from_segment: Quaternion) -> Floats:
    """Return (3, 3): the segment's x, y and z axes in the sensor frame, one a row."""
    w, x, y, z = q_sensor_from_segment
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y + w * z), 2 * (x * z - w * y)],
            [2 * (x * y - w * z), 1 - 2 * (x * x + z * z), 2 * (y * z + w * x)],
            [2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def inclination(up: Floats, segment_axes: Floats) -> tuple[Floats, Floats]:
    """Return sagittal (forward positive) and frontal (to the right positive) inclination, (n,) rad each.

    Args:
        up: (n, 3) earth's up in the sensor frame; NaN where unseen, which stays NaN.
        segment_axes: (3, 3) from `axes`.
    """
    x, y, z = (up[:, 0] * a[0] + up[:, 1] * a[1] + up[:, 2] * a[2] for a in segment_axes)
    return np.arctan2(-x, z), np.arcsin(np.clip(y, -1.0, 1.0))


def inclinations(up: Floats, segments_axes: Floats) -> tuple[Floats, Floats]:
    """Return sagittal and frontal inclination of m segments at once, (n, m) rad each.

    Args:
        up: (n, m, 3) earth's up in each sensor's frame; NaN where unseen, which stays NaN.
        segments_axes: (3, 3, m), `axes` of each segment along the last axis, NaN where it is not known.
    """
    # All three axes at once, column by column.
    along = segments_axes.transpose(1, 0, 2)[..., None]
    turned = up.T[0] * along[0]
    turned += up.T[1] * along[1]
    turned += up.T[2] * along[2]
    x, y, z = turned
    return np.arctan2(-x, z).T, np.arcsin(np.minimum(np.maximum(y, -1.0), 1.0)).T


def conditioned(frontal: Floats) -> Bools:
    """Return where sagittal inclination still means something, by frontal inclination (...) rad.

    Lying on the back or face down, sagittal is about -90° or 90° and well defined; lying on a side it is not,
    while frontal, about 90° or -90°, is. Both together always describe up exactly.
    """
    with np.errstate(invalid="ignore"):
        return np.asarray(np.abs(frontal) <= SIDEWAYS_RAD, np.bool_)


def unit(vector: Floats) -> Floats:
    """Return the vector(s) along the last axis at length 1; a zero vector becomes NaN."""
    length = np.sqrt((vector * vector).sum(axis=-1, keepdims=True))
    with np.errstate(invalid="ignore", divide="ignore"):
        scaled: Floats = vector / length
    return scaled
