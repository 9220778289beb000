"""The pass after a calibration: does upright read zero again, and does a bow stay in its plane?"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from analytics.motion.angles import axes, inclination
from analytics.wearing.pose import Parts, track, windows
from poise.calibration import Alignment
from poise.errors import CalibrationError
from poise.samples import Floats
from poise.skeleton import Segment, place, spoken

RETURN_S: Final = 1.5
"""How long upright must be still again."""
STILL_RAD: Final = np.radians(1.5)
"""How still (rms): a slow passage through upright must not count as it (project decision)."""
RETURN_RAD: Final[float] = np.radians(8.0)
"""How far from zero the spine may be when the person is upright again. In the sitting recordings a later
upright differs from the first by up to 7° at C7, T4 and T12 where nothing had slipped; more is doubtful."""
RETURN_LUMBAR_RAD: Final[float] = np.radians(12.0)
"""The same for the lower back, where people differed by up to 11°: the pelvis tips as one sits down."""
RETURN_ELSEWHERE_RAD: Final[float] = np.radians(15.0)
"""The same for head and shoulder blades, which have a will of their own (project decision)."""
BOW_RAD: Final = np.radians(12.0)
"""A lean that counts as one more bow: a third of the one that is asked for (project decision)."""
ASIDE_RAD: Final = np.radians(30.0)
"""How far the direction of that bow may lie from the calibrated forward (project decision): 30° off, a lean
loses a seventh of its sagittal angle. People's later bows lay within 15° at C7, T4 and T12 (one of 78: 23°),
within 29° at the lower back, which leans least."""
_RETURN: Final[Mapping[str, float]] = {
    Segment.C7: RETURN_RAD,
    Segment.T4: RETURN_RAD,
    Segment.T12: RETURN_RAD,
    Segment.LUMBAR: RETURN_LUMBAR_RAD,
}


@dataclass(frozen=True, slots=True)
class Validation:
    """What the pass found.

    Attributes:
        returned: sagittal and frontal inclination by segment when upright again, rad; absent if never still.
        aside: by segment, direction of one more bow against forward, to the right positive, rad; absent
            without such a bow.
        reasons: a sentence for each thing that is not well; empty if the calibration holds.
    """

    returned: dict[str, tuple[float, float]]
    aside: dict[str, float]
    reasons: tuple[str, ...]


def validate(alignments: Mapping[str, Alignment], check: Parts) -> Validation:
    """Look at the seconds after a calibration: upright again, and perhaps one more bow.

    Arms are left out: they hang where they like.
    """
    returned: dict[str, tuple[float, float]] = {}
    aside: dict[str, float] = {}
    reasons: list[str] = []
    for segment, alignment in alignments.items():
        if "arm" in segment or "wrist" in segment:
            continue
        try:
            ups = track(segment, check.get(segment, ()))
        except CalibrationError as exc:
            reasons.append(str(exc))
            continue
        rate_hz = next(batch.rate_hz for batch in check[segment] if len(batch))
        turned = axes(alignment.q_sensor_from_segment)
        upright = _upright(ups, turned, max(2, round(RETURN_S * rate_hz)))
        if upright is None:
            reasons.append(f"You did not sit still again afterwards ({spoken(segment)}).")
            continue
        returned[segment] = upright
        if (bow := _aside(ups, turned)) is not None:
            aside[segment] = bow
    return Validation(returned, aside, (*reasons, *_doubts(returned, aside)))


def _upright(ups: Floats, turned: Floats, length: int) -> tuple[float, float] | None:
    """Return the angles of the still stretch that is nearest to upright; None if nothing was still."""
    if len(ups) < length:
        return None
    starts, alike = windows(ups, length, max(1, length // 10))
    still = starts[2 * (1 - alike) <= STILL_RAD**2]
    if not len(still):
        return None
    sums = np.concatenate([np.zeros((1, 3)), np.cumsum(ups, axis=0)])
    sagittal, frontal = inclination((sums[still + length] - sums[still]) / length, turned)
    best = int(np.argmin(np.hypot(sagittal, frontal)))
    return float(sagittal[best]), float(frontal[best])


def _aside(ups: Floats, turned: Floats) -> float | None:
    """Return the direction of the lean, against forward; None without a lean."""
    forward, right = -(ups * turned[0]).sum(axis=1), (ups * turned[1]).sum(axis=1)
    size = np.hypot(forward, right)
    far = size >= 0.7 * np.quantile(size, 0.95)
    if np.quantile(size, 0.95) < np.sin(BOW_RAD) or float(np.median(forward[far])) < 0:
        return None
    return float(np.arctan2(np.median(right[far]), np.median(forward[far])))


def _doubts(returned: Mapping[str, tuple[float, float]], aside: Mapping[str, float]) -> list[str]:
    said = []
    for segment, (sagittal, frontal) in returned.items():
        off = float(np.hypot(sagittal, frontal))
        if off > _RETURN.get(segment, RETURN_ELSEWHERE_RAD):
            said.append(
                f"Upright again, {place(segment)} reads {np.degrees(off):.0f}° instead of 0°: come back "
                "up as tall as before, or press the sensor on if it has slipped."
            )
    for segment, way in aside.items():
        if abs(way) > ASIDE_RAD and segment != Segment.HEAD:
            said.append(
                f"The second bow went {np.degrees(abs(way)):.0f}° to the {'right' if way > 0 else 'left'} "
                f"at {place(segment)}: bow straight ahead."
            )
    return said
