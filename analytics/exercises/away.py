"""How far a segment is from where the person rests: tilt and turn, for holds and range of motion."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from analytics.exercises.signals import RATE_HZ, Signals
from analytics.exercises.views import trunk_of
from analytics.motion.angles import axes, inclination, unit
from poise.calibration import Calibration
from poise.samples import Floats

END_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Away:
    """One segment's angles, against the trunk where a trunk sensor is worn.

    Attributes:
        sagittal: (n,) rad forward of the calibrated upright; NaN without a calibration.
        frontal: (n,) rad to the right of it; NaN without a calibration.
        turn: (n,) rad turned to the left since the rest at the beginning.
        tilt: (n,) rad from upright (without a calibration from the rest at the beginning), whichever way.
        trunk: against which segment, None for gravity alone.
        anchored: True if the movement begins and ends at rest, so that the turn's drift could be taken off.
    """

    sagittal: Floats
    frontal: Floats
    turn: Floats
    tilt: Floats
    trunk: str | None
    anchored: bool


def away(found: Mapping[str, Signals], segment: str, calibration: Calibration | None) -> Away:
    """Return how far `segment` is from rest; signals of `found` must be cut to common moments."""
    signals, trunk = found[segment], trunk_of(found, segment)
    base = found[trunk] if trunk else None
    turn, anchored = _levelled(signals, base)
    own = _angles(signals, segment, calibration)
    if own is None:
        n = round(END_S * RATE_HZ)
        rest = unit(np.median(signals.up[:n], axis=0))
        unknown = np.full(len(signals), np.nan)
        tilt = np.arccos(np.clip((signals.up * rest).sum(axis=1), -1.0, 1.0))
        return Away(unknown, unknown, turn, tilt, trunk, anchored)
    sagittal, frontal = own
    under = _angles(base, trunk, calibration) if base is not None and trunk else None
    if under is not None:
        sagittal, frontal = sagittal - under[0], frontal - under[1]
    tilt = np.arccos(np.clip(np.cos(sagittal) * np.cos(frontal), -1.0, 1.0))
    return Away(sagittal, frontal, turn, tilt, trunk if under is not None else None, anchored)


def _angles(signals: Signals, segment: str, calibration: Calibration | None) -> tuple[Floats, Floats] | None:
    alignment = calibration.alignments.get(segment) if calibration else None
    return inclination(signals.up, axes(alignment.q_sensor_from_segment)) if alignment else None


def _levelled(signals: Signals, base: Signals | None) -> tuple[Floats, bool]:
    """Take the drift off the turn: a straight line between the rests at the beginning and the end."""
    turn = signals.turn - (base.turn if base is not None else 0.0)
    n = min(round(END_S * RATE_HZ), len(turn))
    first, last = float(np.median(turn[:n])), float(np.median(turn[-n:]))
    still = signals.still
    if not (bool(still[:n].mean() > 0.5) and bool(still[-n:].mean() > 0.5)):
        return turn - first, False
    return turn - np.linspace(first, last, len(turn)), True
