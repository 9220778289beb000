"""The craniovertebral angle as a named estimate: shown with its interval, never used for any judgement.

The craniovertebral angle is that of the line from C7 to the tragus of the ear against the horizontal, seen
from the side; a photograph gives it (ICC 0.90 to 0.98, world.physio congress abstract). Inclination sensors
do not see it. They see how the neck's lower end and the head have turned since the person's own upright, and
from that this module works out where the tragus went, by a neck of two links. How well head inclination
follows the angle was R² 0.80 when looking down and 0.57 in forward head posture (Lee and Chee 2018, J Biomed
Eng Res 39(6), 15 people): hence the wide interval. The angle did not differ between people with chronic neck
pain and others (the same abstract: p = 0.98 and 0.46), and this estimate tells no more than the angle.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from poise.samples import Floats

POPULATION_RAD: Final = float(np.radians(50.0))
"""Adults, sitting and standing: means of 49.4 to 52.8° (world.physio congress abstract)."""
POPULATION_SD_RAD: Final = float(np.radians(5.0))
"""The same: 4.1 to 5.1° between people."""
MEASURED_SD_RAD: Final = float(np.radians(2.0))
"""Of an angle measured on a photograph: 5° between people at the abstract's lowest ICC, 0.90, are 1.6°; with
something for how a person stands on another day. Project decision."""
RECALIBRATED_SD_RAD: Final = float(np.radians(3.0))
"""A new calibration is another upright: half of the 6° by which a person's upright differs at most from
trial to trial in the sitting recordings."""
SENSOR_SD_RAD: Final = float(np.radians(1.5))
"""Inclination of two sensors, one each at C7 and the head, good to about a degree each."""
CHANGE_SD: Final = 0.65
"""Share of a change that is uncertain: what R² 0.57 leaves, √(1 - 0.57)."""
NORMAL_95: Final = 1.96

NECK_M: Final = 0.12
"""From C7's spinous process to the joint of head and neck. A round figure of a grown person: project
decision."""
EAR_M: Final = (0.015, 0.015)
"""From that joint to the tragus, forward and up, in the head: project decision. It is short: nodding alone
hardly moves the ear."""
BENT_SHARE: Final = 1 / 3
"""Share of the head's turn against C7 that turns the neck's chord: two thirds of a nod are bent below C2 and
an evenly bent neck turns its chord by half of that. Project decision."""

CAVEAT: Final = (
    "Estimated from two inclination sensors, not measured. It is not used to judge posture, and it does not "
    "tell people in pain from others."
)


@dataclass(frozen=True, slots=True)
class MeasuredAngle:
    """A craniovertebral angle that a clinic measured.

    Attributes:
        angle_rad: the angle.
        measured_on: date, ISO 8601.
        calibration: id of the calibration in force at the time, "" if unknown.
        head_rad: sagittal inclination of the head while it was measured, 0 if the person sat as calibrated.
        c7_rad: the same of C7.
    """

    angle_rad: float
    measured_on: str
    calibration: str
    head_rad: float = 0.0
    c7_rad: float = 0.0


@dataclass(frozen=True, slots=True)
class CraniovertebralEstimate:
    """An estimate with its interval; NaN where head or C7 is unseen.

    Attributes:
        angle: (n,) rad.
        low: (n,) rad, end of a 95 % interval.
        high: (n,) rad, its other end.
        basis: a sentence: what it is anchored to.
    """

    angle: Floats
    low: Floats
    high: Floats
    basis: str


def craniovertebral(
    head: Floats, c7: Floats, measured: MeasuredAngle | None = None, calibration: str = ""
) -> CraniovertebralEstimate:
    """Estimate the craniovertebral angle from two sagittal inclinations.

    Args:
        head: (n,) rad, sagittal inclination of the head against the calibrated upright.
        c7: (n,) rad, the same of C7.
        measured: what a clinic measured, if it did; else people's mean is taken, with its spread.
        calibration: id of the calibration that the inclinations are against.
    """
    if measured is None:
        start, at_head, at_c7, spread = POPULATION_RAD, 0.0, 0.0, POPULATION_SD_RAD
    else:
        start, at_head, at_c7 = measured.angle_rad, measured.head_rad, measured.c7_rad
        same = bool(calibration) and measured.calibration == calibration
        spread = MEASURED_SD_RAD if same else float(np.hypot(MEASURED_SD_RAD, RECALIBRATED_SD_RAD))
    neck = _neck_at_rest(start, at_head, at_c7)
    angle = _angle(neck, head, c7)
    change = angle - start
    sigma = np.sqrt(spread**2 + SENSOR_SD_RAD**2 + (CHANGE_SD * change) ** 2)
    return CraniovertebralEstimate(
        angle, angle - NORMAL_95 * sigma, angle + NORMAL_95 * sigma, _basis(measured, calibration)
    )


def _angle(neck: float, head: Floats, c7: Floats) -> Floats:
    """Return (n,) rad of the tragus over C7; `neck` is the elevation of the neck's chord at upright.

    Forward is x and up is z; a forward inclination turns x down.
    """
    chord = neck - (c7 + BENT_SHARE * (head - c7))
    forward, up = EAR_M
    x = NECK_M * np.cos(chord) + forward * np.cos(head) + up * np.sin(head)
    z = NECK_M * np.sin(chord) + up * np.cos(head) - forward * np.sin(head)
    return np.arctan2(z, x)


def _neck_at_rest(angle: float, head: float, c7: float) -> float:
    """Return the elevation of the neck's chord at upright with which the tragus stands at `angle`."""
    forward, up = EAR_M
    x = forward * np.cos(head) + up * np.sin(head)
    z = up * np.cos(head) - forward * np.sin(head)
    # The chord ends on the line through C7 at `angle`, moved by the ear's lever: the sine rule.
    across = z * np.cos(angle) - x * np.sin(angle)
    return float(angle - np.arcsin(across / NECK_M) + c7 + BENT_SHARE * (head - c7))


def _basis(measured: MeasuredAngle | None, calibration: str) -> str:
    if measured is None:
        return "Starts from the mean of adults, 50°: nobody has measured this person's own angle."
    own = f"Starts from {np.degrees(measured.angle_rad):.0f}°, measured on {measured.measured_on}"
    if calibration and measured.calibration == calibration:
        return own + "."
    return own + ", before the sensors were last calibrated: measure again to make it sharper."
