"""A still pose out of a sensor's samples: where up was, and how much the person moved."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from analytics.motion.angles import unit
from analytics.motion.orientation import Orientation
from poise.errors import CalibrationError
from poise.samples import Floats, ImuBatch, Int64s
from poise.skeleton import place

Parts = Mapping[str, Sequence[ImuBatch]]
"""Batches by segment, from one stretch of time."""

LEAST_SECONDS: Final = 2.0
POSE_SECONDS: Final = 5.0
"""Of a longer pose the stillest five seconds count; ten are usual (Cutti and others 2008,
doi:10.1007/s11517-007-0296-5)."""
STILL_RAD: Final = np.radians(3.0)
"""A pose is still if up moves less than this (rms): half of the 6° by which a person's upright
differs from trial to trial in the sitting recordings, so that the pose and not the fidgeting decides."""
ALIKE_RAD: Final = np.radians(0.3)
"""Stretches whose movement (rms) differs by this little are equally still (project decision; it is about
what people sway)."""
_GRAVITY: Final = 9.80665
_GRAVITY_ERROR: Final = 0.2
"""A sensor whose median force is off by a fifth of gravity is broken or in free fall (project decision;
data sheets promise about a hundredth)."""
_ROUNDS: Final = 60


@dataclass(frozen=True, slots=True)
class Pose:
    """A still pose of one sensor.

    Attributes:
        up: (3,) earth's up in the sensor frame S.
        spread: how much up moved meanwhile, rms, rad.
    """

    up: Floats
    spread: float


def track(segment: str, batches: Sequence[ImuBatch]) -> Floats:
    """Return (n, 3) earth's up in S at each sample of one sensor.

    Raises:
        CalibrationError: without samples, with two sensors on one segment, or without gravity.
    """
    return _seen(segment, batches)[0]


def still_pose(segment: str, batches: Sequence[ImuBatch]) -> Pose:
    """Return the stillest five seconds of what one sensor saw: nobody sits still from the first second.

    Stretches that are about as still as the stillest count with it, each the less the more it moved, so that
    the pose does not jump from one stretch to another for a rounding error. Up is the mean specific force:
    it turns exactly with the sensor in its mount, and at rest it is what the filter tends to.

    Raises:
        CalibrationError: for less than two seconds, or samples that mean nothing.
    """
    seconds = sum(len(batch) * batch.period_ns * 1e-9 for batch in batches)
    if seconds < LEAST_SECONDS:
        raise CalibrationError(f"Only {seconds:.1f} s from {place(segment)}: sit tall for longer and repeat.")
    rate_hz = next(batch.rate_hz for batch in batches if len(batch))
    ups, acc = _seen(segment, batches)
    length = min(len(ups), max(1, round(POSE_SECONDS * rate_hz)))
    starts, alike = windows(ups, length, max(1, length // 10))
    sums = np.concatenate([np.zeros((1, 3)), np.cumsum(acc, axis=0)])
    moved = 2 * np.clip(1 - alike, 0.0, 1.0)
    weight = np.exp(-(moved - moved.min()) / (2 * ALIKE_RAD**2))
    up = unit((unit(sums[starts + length] - sums[starts]) * weight[:, None]).sum(axis=0))
    return Pose(up, float(np.sqrt(moved.min())))


def _seen(segment: str, batches: Sequence[ImuBatch]) -> tuple[Floats, Floats]:
    """Return (n, 3) up and (n, 3) specific force of one sensor's samples in the order of time."""
    batches = sorted((batch for batch in batches if len(batch)), key=lambda batch: int(batch.t_us[0]))
    if not batches:
        raise CalibrationError(f"The sensor on {place(segment)} sent nothing. Switch it on and repeat.")
    if len({batch.sensor for batch in batches}) > 1:
        raise CalibrationError(
            f"Two sensors say that they are on {place(segment)}. Switch one off and repeat."
        )
    orientation = Orientation(batches[0].period_ns, _own_frame(np.concatenate([b.acc_si for b in batches])))
    tracks = [orientation.update(batch) for batch in batches]
    acc = np.concatenate([batch.acc_si[part.taken] for batch, part in zip(batches, tracks, strict=True)])
    ups = np.concatenate([part.up for part in tracks])
    force = np.sqrt((acc * acc).sum(axis=1))
    if not abs(float(np.median(force)) - _GRAVITY) <= _GRAVITY_ERROR * _GRAVITY:
        raise CalibrationError(
            f"The sensor on {place(segment)} does not feel gravity as it should ({np.median(force):.1f} "
            "m/s² instead of 9.8). Restart it, or use another one."
        )
    good = np.isfinite(ups).all(axis=1) & (force > 0)
    return ups[good], acc[good]


def _own_frame(acc: Floats) -> Floats | None:
    """Return axes (3, 3) in S that the movement itself gives, so that they turn with the sensor in its mount.

    z is the mean specific force, x the side to which it mostly tips; None where there is no such side.
    """
    z = unit(acc.mean(axis=0))
    aside = acc - (acc * z).sum(axis=1, keepdims=True) * z
    far = (aside * np.sqrt((aside * aside).sum(axis=1, keepdims=True))).sum(axis=0)
    x = unit(far - (far * z).sum() * z)
    return np.stack([x, np.cross(z, x), z]) if np.isfinite(x).all() and np.isfinite(z).all() else None


def windows(ups: Floats, length: int, step: int) -> tuple[Int64s, Floats]:
    """Return where windows of `length` rows begin, and how alike each one's rows point (1: all the same)."""
    sums = np.concatenate([np.zeros((1, 3)), np.cumsum(ups, axis=0)])
    starts = np.arange(0, len(ups) - length + 1, step, dtype=np.int64)
    mean = (sums[starts + length] - sums[starts]) / length
    return starts, np.sqrt((mean * mean).sum(axis=1))


def angle(ups: Floats, up: Floats) -> Floats:
    """Return (n,) rad between each of (n, 3) unit vectors and `up`; exact also for small angles."""
    across = np.cross(ups, up)
    apart: Floats = np.arctan2(np.sqrt((across * across).sum(axis=-1)), (ups * up).sum(axis=-1))
    return apart


def spatial_median(points: Floats) -> Floats:
    """Return the point with the least sum of distances to (n, k) points.

    Weiszfeld's iteration (1937; doi:10.1007/s10479-008-0352-z). A median coordinate by coordinate would
    depend on how the sensor is turned in its mount; this one turns with it.
    """
    middle: Floats = points.mean(axis=0)
    for _ in range(_ROUNDS):
        apart = points - middle
        weight = 1.0 / np.maximum(np.sqrt((apart * apart).sum(axis=1)), 1e-9)
        moved = (points * weight[:, None]).sum(axis=0) / weight.sum()
        done = float(np.abs(moved - middle).max()) < 1e-9
        middle = moved
        if done:
            break
    return middle
