"""Which way an arm goes round.

Forward means: at the top of the circle the hand moves forward, as a wheel does that rolls forward; for both
arms. With the arm out to the side the hand's direction goes round a cone: its elevation is known from
gravity, and how it swings about the vertical from the angular rate; a quarter of a circle lies between the
two, and which one leads is the direction. In the great circle beside the body the arm simply turns about the
line from one shoulder to the other. Neither needs a heading. A method of this project's own.
"""

from enum import StrEnum
from typing import Final

import numpy as np

from analytics.exercises.signals import RATE_HZ, Signals
from analytics.motion.angles import axes, unit
from poise.calibration import Calibration
from poise.samples import Floats

ROUND: Final = 0.5
"""Correlation of elevation and swing from which on a movement is a circle: 1 for a true one, 0 for a line."""
SURE: Final = 0.35
"""From which on a movement that is known to be a circle tells its direction."""
FLAT: Final = 0.2
"""A movement this much narrower than long is a line."""
GREAT: Final = 0.6
"""Share of a full turn about the shoulders' line that makes a great circle."""
HANGING_RAD: Final = np.radians(-60.0)
"""Round and round with the arm hanging is neither forward nor backward."""


class Direction(StrEnum):
    """Which way a circle went."""

    FORWARD = "forward"
    BACKWARD = "backward"
    UNKNOWN = "unknown"


def hand_direction(
    signals: Signals, segment: str, calibration: Calibration | None, first: int, last: int
) -> Floats | None:
    """Return the unit vector from shoulder to hand in the sensor frame S, None if it cannot be known.

    It is downward at the calibrated upright; without a calibration downward where the arm last hung at rest
    before or after the moments `first` to `last`.
    """
    alignment = calibration.alignments.get(segment) if calibration else None
    if alignment is not None:
        hand: Floats = -axes(alignment.q_sensor_from_segment)[2]
        return hand
    outside = signals.still.copy()
    outside[first : last + 1] = False
    if int(outside.sum()) < RATE_HZ / 2:
        return None
    return np.asarray(-unit(np.median(signals.up[outside], axis=0)))


def swing(signals: Signals, hand: Floats) -> tuple[Floats, Floats]:
    """Return the hand's elevation (n,) rad, and how fast it swings about the vertical, to the left, rad/s."""
    up, rate = signals.up, signals.rate
    rises = np.clip((up * hand).sum(axis=1), -1.0, 1.0)
    level = np.maximum(1.0 - rises * rises, 0.03)
    vertical = (rate * up).sum(axis=1) - rises * (rate * hand).sum(axis=1)
    return np.arcsin(rises), vertical / np.sqrt(level)


def signed_roundness(
    signals: Signals, segment: str, hand: Floats, calibration: Calibration | None, span: tuple[int, int]
) -> float:
    """Return from -1 (backward) to 1 (forward) how round the movement in `span`, (first, last), was."""
    a, b = span
    side = 1.0 if segment.endswith("_right") else -1.0
    alignment = calibration.alignments.get(segment) if calibration else None
    if alignment is not None:
        across = axes(alignment.q_sensor_from_segment)[1]
        turns = float((signals.rate[a : b + 1] * across).sum()) / RATE_HZ / (2 * np.pi)
        if abs(turns) > GREAT:
            return float(np.clip(turns, -1, 1))
    elevation, across_rate = (values[a : b + 1] for values in swing(signals, hand))
    height = elevation - elevation.mean()
    speed = across_rate - across_rate.mean()
    size = float(np.sqrt((height * height).sum() * (speed * speed).sum()))
    if size <= 0.0 or float(elevation.mean()) < HANGING_RAD:
        return 0.0
    aside = np.cumsum(speed) / RATE_HZ
    widths = float(height.std()), float(aside.std())
    if min(widths) < FLAT * max(widths):
        return 0.0
    return side * float((height * speed).sum()) / size


def named(roundness: float) -> Direction:
    """Return the direction of a signed roundness."""
    if abs(roundness) < SURE:
        return Direction.UNKNOWN
    return Direction.FORWARD if roundness > 0 else Direction.BACKWARD
