"""Sensor-to-segment alignment from an upright pose and a bow from the hips.

Static and functional calibration by gravity alone (idea: Cutti and others 2008,
doi:10.1007/s11517-007-0296-5; its errors pass linearly into the angles: Miezal and others 2016,
doi:10.3390/s16071132). Upright gives the
segment's z axis in the sensor frame; the direction in which up moves in a bow gives x, without any heading.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.spatial.transform import Rotation

from analytics.motion.angles import unit
from analytics.motion.orientation import Orientation
from poise.calibration import Alignment, Calibration, Quaternion, Verdict
from poise.errors import CalibrationError
from poise.samples import Floats, ImuBatch
from poise.skeleton import spoken

Parts = Mapping[str, Sequence[ImuBatch]]

STILL_RAD: Final = np.radians(3.0)
"""Upright is still if up moves less than this (rms): half of the 6° by which a person's upright
differs from trial to trial in the sitting recordings, so that the pose and not the fidgeting decides."""
LEAST_BOW_RAD: Final = np.radians(4.0)
"""A smaller bow leaves the direction too uncertain: 0.5° of noise on 4° is 7° of direction, 1 % of an angle.
The smallest bow at C7 in the recordings of 14 people is 7°."""
LEAST_SECONDS: Final = 2.0
POSE_SECONDS: Final = 5.0
"""Of a longer upright the stillest five seconds count; ten are usual (Cutti and others 2008)."""
PLANE_RAD: Final = np.radians(6.0)
"""A bow that leaves its plane by more than this was a twist or a side bend: repeat."""
_NORMAL_MAD: Final = 1.4826
"""Median absolute deviation to standard deviation of a normal distribution."""


@dataclass(frozen=True, slots=True)
class _Pose:
    up: Floats
    spread: float


def calibrate(upright: Parts, bow: Parts | None, *, calibration_id: str, made_us: int) -> Calibration:
    """Align each worn sensor with its segment.

    Args:
        upright: batches by segment while the person sat or stood tall and still, 2 s or more.
        bow: batches by segment while the person bowed forward from the hips; None for a static calibration,
            which has to assume that each sensor's z axis points away from the body, backwards.
        calibration_id: unique name.
        made_us: UTC µs from which on it holds.

    Raises:
        CalibrationError: if there is too little to work with; everything else is said in the verdict.
    """
    if not upright:
        raise CalibrationError("No sensor sent anything while you sat tall. Switch them on and repeat.")
    reasons: list[str] = []
    alignments = {
        segment: _align(segment, batches, (bow or {}).get(segment), reasons)
        for segment, batches in upright.items()
    }
    functional = bow is not None and all(alignment.bow_rad > 0 for alignment in alignments.values())
    return Calibration(
        calibration_id,
        made_us,
        "static+functional" if functional else "static",
        _verdict(functional=functional, asked=bow is not None, reasons=reasons),
        alignments,
        tuple(reasons),
    )


def _verdict(*, functional: bool, asked: bool, reasons: Sequence[str]) -> Verdict:
    if reasons:
        return Verdict.REPEAT
    return Verdict.GOOD if functional and asked else Verdict.STATIC_ONLY


def _align(
    segment: str, upright: Sequence[ImuBatch], bow: Sequence[ImuBatch] | None, reasons: list[str]
) -> Alignment:
    pose = _pose(segment, upright)
    if pose.spread > STILL_RAD:
        reasons.append(f"You moved while sitting tall ({spoken(segment)} by {np.degrees(pose.spread):.0f}°).")
    z = pose.up
    if not bow:
        return Alignment(upright[0].sensor, _quaternion(_backwards(z), z), pose.spread)
    x, lean, residual = _direction(z, _track(bow))
    if lean < LEAST_BOW_RAD:
        reasons.append(f"The bow was too small at the {spoken(segment)}: bow further, from the hips.")
        return Alignment(upright[0].sensor, _quaternion(_backwards(z), z), pose.spread)
    if residual > PLANE_RAD:
        reasons.append(f"The bow was not straight at the {spoken(segment)}: bow without turning.")
    return Alignment(upright[0].sensor, _quaternion(x, z), float(max(residual, pose.spread)), lean)


def _track(batches: Sequence[ImuBatch]) -> Floats:
    orientation = Orientation(batches[0].period_ns)
    return np.concatenate([orientation.update(batch).up for batch in batches])


def _pose(segment: str, batches: Sequence[ImuBatch]) -> _Pose:
    seconds = sum(len(batch) * batch.period_ns * 1e-9 for batch in batches)
    if seconds < LEAST_SECONDS:
        raise CalibrationError(
            f"Only {seconds:.1f} s from the {spoken(segment)}: sit tall for longer and repeat."
        )
    still = _stillest(_track(batches), round(POSE_SECONDS * batches[0].rate_hz))
    up = unit(np.median(still, axis=0))
    cosines = np.clip((still * up).sum(axis=1), -1.0, 1.0)
    return _Pose(up, float(np.sqrt(np.mean(np.arccos(cosines) ** 2))))


def _stillest(track: Floats, length: int) -> Floats:
    """Return the `length` consecutive rows that point most alike: nobody sits still from the first second."""
    if len(track) <= length:
        return track
    sums = np.concatenate([np.zeros((1, 3)), np.cumsum(track, axis=0)])
    starts = np.arange(0, len(track) - length + 1, max(1, length // 10))
    together = ((sums[starts + length] - sums[starts]) ** 2).sum(axis=1)
    best = int(starts[np.argmax(together)])
    return track[best : best + length]


def _direction(z: Floats, track: Floats) -> tuple[Floats, float, float]:
    """Return the forward axis in S, how far the segment leaned, and how far it left that plane, rad.

    Medians, because a knock against the chair within the bow must not turn the axis.
    """
    lean = np.arccos(np.clip((track * z).sum(axis=1), -1.0, 1.0))
    leaning = track[lean >= 0.5 * np.quantile(lean, 0.75)]
    forward = -(leaning - (leaning * z).sum(axis=1, keepdims=True) * z)
    x = unit(np.median(forward, axis=0))
    y = np.cross(z, x)
    aside = np.arcsin(np.clip((leaning * y).sum(axis=1), -1.0, 1.0))
    bow = np.arccos(np.clip((leaning * z).sum(axis=1), -1.0, 1.0))
    return x, float(np.median(bow)), float(_NORMAL_MAD * np.median(np.abs(aside)))


def _backwards(z: Floats) -> Floats:
    """Return a forward axis for a sensor whose face (its z axis) looks backwards, away from the body."""
    for face in (np.array([0.0, 0.0, 1.0]), np.array([0.0, 1.0, 0.0])):
        ahead = -(face - (face @ z) * z)
        if np.sqrt((ahead**2).sum()) > np.sin(np.radians(20)):
            return unit(ahead)
    return unit(np.cross(z, [1.0, 0.0, 0.0]))


def _quaternion(x: Floats, z: Floats) -> Quaternion:
    matrix = np.stack([x, np.cross(z, x), z], axis=1)
    w, i, j, k = Rotation.from_matrix(matrix).as_quat(scalar_first=True)
    return float(w), float(i), float(j), float(k)
