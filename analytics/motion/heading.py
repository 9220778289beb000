"""Heading of segments and of one against another: axial rotation, without a magnetometer.

Each sensor's earth frame has a heading of its own that nobody knows and that drifts, 1 to 2.5° a minute while
it is moved all the time (eight trials of BROAD; benchmarks/heading.py). So a heading by itself means nothing;
the difference of two is an axial rotation up to a constant, good over the seconds of a movement.
"""

from typing import Final

import numpy as np

from poise.calibration import Quaternion
from poise.samples import Floats

TURN: Final = 2 * np.pi
LEVEL_LEFT: Final = float(np.cos(np.radians(75.0)))
"""Heading is not given where the segment leans to a side by more than 75°: it then belongs to an axis that is
nearly vertical, and an error of inclination of 1° becomes one of heading of 4°. Project decision."""


def from_segment(q_earth_from_sensor: Floats, q_sensor_from_segment: Quaternion) -> Floats:
    """Return (n, 4) q_earth_from_segment, w, x, y, z, for (n, 4) q_earth_from_sensor; NaN stays NaN."""
    w, x, y, z = (q_earth_from_sensor[:, i] for i in range(4))
    a, b, c, d = q_sensor_from_segment
    return np.stack(
        [
            w * a - x * b - y * c - z * d,
            w * b + x * a + y * d - z * c,
            w * c - x * d + y * a + z * b,
            w * d + x * c - y * b + z * a,
        ],
        axis=1,
    )


def heading(q_earth_from_segment: Floats) -> Floats:
    """Return the heading (...) rad in (-π, π], to the left positive, for quaternions (..., 4).

    It is that of docs/frames.md, R(E from B) = Rz(heading) Rx(frontal) Ry(sagittal): the direction of
    the segment's left axis, and so untouched by any bow, however deep. NaN where that axis is nearly vertical
    (lying on the side) or the segment is unseen.
    """
    w, x, y, z = (q_earth_from_segment[..., i] for i in range(4))
    ahead, left = 2 * (w * z - x * y), 1 - 2 * (x * x + z * z)
    with np.errstate(invalid="ignore"):
        known = ahead * ahead + left * left >= LEVEL_LEFT * LEVEL_LEFT
    return np.where(known, np.arctan2(ahead, left), np.nan)


def wrapped(angle: Floats) -> Floats:
    """Return angles (...) rad brought into [-π, π]; values that are there already keep their bits."""
    within: Floats = angle - np.rint(angle / TURN) * TURN
    return within


def heading_between(q_earth_from_distal: Floats, q_earth_from_proximal: Floats) -> Floats:
    """Return how far one segment is turned against another, (n,) rad in [-π, π], to the left positive.

    Up to a constant that nobody knows and that drifts: use differences over seconds, or `RelativeHeadings`.

    Args:
        q_earth_from_distal: (n, 4), from `from_segment`, of the segment that turns (head, scapula).
        q_earth_from_proximal: (n, 4), of what it turns against (thorax).
    """
    return wrapped(heading(q_earth_from_distal) - heading(q_earth_from_proximal))


def turned_since(relative: Floats, start: int = 0) -> Floats:
    """Return (n,) rad by how much a relative heading has changed since row `start`, without jumps by a turn.

    For the seconds of one test, where the drift is small. NaN rows stay NaN and are stepped over.
    """
    found = np.full(len(relative), np.nan)
    seen = np.isfinite(relative)
    found[seen] = np.unwrap(relative[seen])
    since: Floats = found - found[start]
    return since
