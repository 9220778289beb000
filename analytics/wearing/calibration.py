"""Sensor-to-segment alignment: sit tall, bow from the hips, nod.

Static and functional calibration by gravity alone (idea: Cutti and others 2008,
doi:10.1007/s11517-007-0296-5; its errors pass linearly into the angles: Miezal and others 2016,
doi:10.3390/s16071132). Upright gives the segment's z axis in the sensor frame; the direction in which up
moves in a bow gives x, without any heading. The head follows a bow as it likes; a nod gives it its own x.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from scipy.spatial.transform import Rotation

from analytics.motion.angles import unit
from analytics.wearing.pose import STILL_RAD, Parts, Pose, angle, spatial_median, still_pose, track
from analytics.wearing.validation import validate
from poise.calibration import Alignment, Calibration, Quaternion, Verdict
from poise.errors import CalibrationError
from poise.samples import Floats, ImuBatch
from poise.skeleton import Segment, place, spoken

LEAST_BOW_RAD: Final = np.radians(4.0)
"""A smaller bow leaves the direction too uncertain: 0.5° of noise on 4° is 7° of direction, 1 % of an angle.
The smallest bow in the recordings of 14 people is 6°."""
LEAST_NOD_RAD: Final = np.radians(10.0)
"""A nod is asked for with the chin to the chest, several times this (project decision)."""
PLANE_RAD: Final = np.radians(6.0)
"""A bow that leaves its plane by more than this was a twist or a side bend: repeat."""
DISAGREE_RAD: Final = np.radians(30.0)
"""Bow and nod may give the head forward axes this far apart (project decision): who bows may look a little
aside, and an axis that is off by 30° still loses only a seventh of an angle."""
_NORMAL_MAD: Final = 1.4826
"""Median absolute deviation to standard deviation of a normal distribution."""
STATIC_SENTENCE: Final = (
    "Made from sitting tall alone: it takes for granted that the flat of each sensor (its z axis) looks "
    "backwards, away from your body. If one sits another way, forward and sideways are mixed up there. "
    "Bow forward from your hips once to make it sure."
)


@dataclass(frozen=True, slots=True)
class Movement:
    """What a bow or nod says of one sensor.

    Attributes:
        forward: (3,) the segment's forward axis in the sensor frame S.
        lean: how far the segment leaned, rad.
        aside: how far it left that plane, rad.
    """

    forward: Floats
    lean: float
    aside: float


@dataclass(slots=True)
class _Finding:
    """What is collected on the way: faults mean repeat; `functional` have a measured forward axis."""

    asked_bow: bool
    faults: list[str] = field(default_factory=list)
    functional: set[str] = field(default_factory=set)
    nodded: bool = False


def calibrate(
    upright: Parts,
    bow: Parts | None,
    *,
    calibration_id: str,
    made_us: int,
    nod: Parts | None = None,
    check: Parts | None = None,
) -> Calibration:
    """Align each worn sensor with its segment.

    Args:
        upright: batches by segment while the person sat or stood tall and still, 2 s or more.
        bow: batches by segment while the person bowed forward from the hips; None for a static calibration,
            which has to assume that each sensor's z axis points away from the body, backwards.
        calibration_id: unique name.
        made_us: UTC µs from which on it holds.
        nod: batches while the person put the chin to the chest and came back; it gives the head its
            forward axis, however the head went in the bow.
        check: batches after it all, upright again and perhaps with one more bow (`validation.validate`).

    Raises:
        CalibrationError: if there is too little to work with; everything else is said in the verdict.
    """
    if not upright:
        raise CalibrationError("No sensor sent anything while you sat tall. Switch them on and repeat.")
    found = _Finding(bow is not None)
    alignments = {
        segment: _align(segment, batches, (bow or {}).get(segment), (nod or {}).get(segment), found)
        for segment, batches in upright.items()
    }
    if check is not None and not found.faults:
        found.faults += validate(alignments, check).reasons
    functional = len(found.functional) == len(alignments)
    reasons = tuple(found.faults) or (() if functional else (STATIC_SENTENCE,))
    method = "static+functional" if functional else "static"
    return Calibration(
        calibration_id,
        made_us,
        method + "+nod" if functional and found.nodded else method,
        Verdict.REPEAT if found.faults else Verdict.GOOD if functional else Verdict.STATIC_ONLY,
        alignments,
        reasons,
    )


def _align(
    segment: str,
    upright: Sequence[ImuBatch],
    bow: Sequence[ImuBatch] | None,
    nod: Sequence[ImuBatch] | None,
    found: _Finding,
) -> Alignment:
    pose = still_pose(segment, upright)
    if pose.spread > STILL_RAD:
        found.faults.append(
            f"You moved while sitting tall ({spoken(segment)} by {np.degrees(pose.spread):.0f}°)."
        )
    sensor = next(batch.sensor for batch in upright if len(batch))
    bowed = _movement(segment, sensor, pose, bow) if bow else None
    nodded = _movement(segment, sensor, pose, nod, bowed) if nod and segment == Segment.HEAD else None
    lean = bowed.lean if bowed and bowed.lean >= LEAST_BOW_RAD else 0.0
    chosen = _chosen(segment, bowed, nodded, found)
    if chosen is None:
        return Alignment(sensor, _quaternion(_backwards(pose.up), pose.up), pose.spread, lean)
    found.functional.add(segment)
    residual = float(max(chosen.aside, pose.spread))
    return Alignment(sensor, _quaternion(chosen.forward, pose.up), residual, lean)


def _movement(
    segment: str, sensor: str, pose: Pose, batches: Sequence[ImuBatch], like: Movement | None = None
) -> Movement:
    if any(batch.sensor != sensor for batch in batches):
        raise CalibrationError(
            f"Another sensor was on {place(segment)} when you moved than when you sat tall. Repeat."
        )
    return direction(pose.up, track(segment, batches), like)


def _chosen(
    segment: str, bowed: Movement | None, nodded: Movement | None, found: _Finding
) -> Movement | None:
    """Return the movement to trust for the forward axis, and say what was not well; None for neither."""
    if nodded and nodded.lean >= LEAST_NOD_RAD and nodded.aside <= PLANE_RAD:
        found.nodded = True
        if bowed and min(bowed.lean, nodded.lean) >= LEAST_NOD_RAD:
            apart = float(angle(bowed.forward[None], nodded.forward)[0])
            if apart > DISAGREE_RAD:
                found.faults.append(
                    f"Your head was turned by {np.degrees(apart):.0f}° in the bow or in the nod: "
                    "look straight ahead in both."
                )
        return nodded
    if bowed is None:
        if found.asked_bow:
            found.faults.append(f"The {spoken(segment)} sent nothing while you bowed.")
        return None
    if not bowed.lean >= LEAST_BOW_RAD:
        more = " Or nod, chin to chest, after it." if segment == Segment.HEAD else ""
        found.faults.append(f"The bow was too small at {place(segment)}: bow further, from the hips.{more}")
        return None
    if not bowed.aside <= PLANE_RAD:
        found.faults.append(f"The bow was not straight at {place(segment)}: bow without turning.")
    return bowed


def direction(z: Floats, ups: Floats, like: Movement | None = None) -> Movement:
    """Return the forward axis that a bow or nod away from upright gives.

    The middle of what was leaned furthest, because a knock against the chair must not turn the axis.
    A nod may go on to looking up: its later half is turned round before.

    Args:
        z: (3,) up at upright, in S.
        ups: (n, 3) up in the movement.
        like: an earlier movement that went forward; it tells forward from backward.
    """
    lean = angle(ups, z)
    leaning = lean >= 0.5 * np.quantile(lean, 0.9)
    aside = (ups[leaning] * z).sum(axis=1, keepdims=True) * z - ups[leaning]
    first = aside[np.argmax(lean[leaning] >= 0.8 * lean.max())]
    if like is not None:
        first = like.forward if like.lean >= LEAST_BOW_RAD else first
        aside = np.where((aside * first).sum(axis=1, keepdims=True) < 0, -aside, aside)
    x = unit(spatial_median(aside))
    if not np.isfinite(x).all():
        return Movement(unit(first), 0.0, np.pi)
    out = np.arcsin(np.clip((ups[leaning] * np.cross(z, x)).sum(axis=1), -1.0, 1.0))
    return Movement(x, float(np.median(lean[leaning])), float(_NORMAL_MAD * np.median(np.abs(out))))


def angle_error(alignment: Alignment, lean_rad: float) -> tuple[float, float]:
    """Return how wrong sagittal and frontal inclination may be at a lean, rad; an estimate, one sigma.

    The residual enters upright's vertical as it is, and turns the forward axis by residual / bow, which mixes
    the two angles; both linear (Miezal and others 2016). Without a bow the axis is unknown: NaN.
    """
    if alignment.bow_rad <= 0:
        return float("nan"), float("nan")
    turned = min(alignment.residual_rad / alignment.bow_rad, np.pi / 2)
    still = alignment.residual_rad
    return (
        float(still + lean_rad * (1 - np.cos(turned))),
        float(still + lean_rad * np.sin(turned)),
    )


def _backwards(z: Floats) -> Floats:
    """Return a forward axis for a sensor whose face (its z axis) looks backwards, away from the body."""
    for face in (np.array([0.0, 0.0, 1.0]), np.array([0.0, 1.0, 0.0])):
        ahead = -(face - (face @ z) * z)
        if np.sqrt((ahead**2).sum()) > np.sin(np.radians(20)):
            return unit(ahead)
    return unit(np.cross(z, [1.0, 0.0, 0.0]))


def _quaternion(x: Floats, z: Floats) -> Quaternion:
    """Return the alignment whose z is `z` and whose x is as near to `x` as it can be."""
    x = unit(x - (x * z).sum() * z)
    matrix = np.stack([x, np.cross(z, x), z], axis=1)
    w, i, j, k = Rotation.from_matrix(matrix).as_quat(scalar_first=True)
    return float(w), float(i), float(j), float(k)
