"""Range of motion: how far the neck, the upper back and the arms go, and how well that repeats.

SEM is the standard deviation of one direction's peaks over its repetitions, MDC = 1.96 √2 SEM (Weir 2005,
doi:10.1519/15184.1): a smaller change between two days may be chance. Between days a neck varies more than
that: about ±20° in flexion and extension, ±12° to the side, ±14° in rotation over three weeks (Christensen
and Nilsson 1998, after the project's field notes).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np

from analytics.exercises.away import Away, away
from analytics.exercises.cycles import turning_points
from analytics.exercises.signals import Parts, Signals, gather, together
from poise.calibration import Calibration
from poise.samples import Floats
from poise.skeleton import Segment, place, spoken

LEAST_PEAK_RAD: Final = np.radians(8.0)
MAIN: Final = 0.7
"""A peak counts for a direction if that angle is this share of the whole movement: no side effects."""
LIKE_BEST: Final = 0.5
DETECTABLE: Final = 1.96 * 2.0**0.5


class RomTest(StrEnum):
    """Which joint."""

    NECK = "neck"
    THORAX = "thorax"
    SHOULDER_LEFT = "shoulder_left"
    SHOULDER_RIGHT = "shoulder_right"


_WATCHED: Final = {
    RomTest.NECK: (Segment.HEAD,),
    RomTest.THORAX: (Segment.T4, Segment.T12, Segment.C7),
    RomTest.SHOULDER_LEFT: (Segment.UPPER_ARM_LEFT,),
    RomTest.SHOULDER_RIGHT: (Segment.UPPER_ARM_RIGHT,),
}


@dataclass(frozen=True, slots=True)
class Excursion:
    """One direction of a test.

    Attributes:
        peaks_rad: the peak of each repetition, in time order.
    """

    peaks_rad: tuple[float, ...]

    @property
    def peak_rad(self) -> float:
        """The greatest, rad."""
        return max(self.peaks_rad)

    @property
    def mean_rad(self) -> float:
        """The mean over the repetitions, rad."""
        return float(np.mean(self.peaks_rad))

    @property
    def sem_rad(self) -> float:
        """Standard error of measurement of one repetition, rad; NaN for a single one."""
        return float(np.std(self.peaks_rad, ddof=1)) if len(self.peaks_rad) > 1 else float("nan")

    @property
    def mdc_rad(self) -> float:
        """Minimal detectable change between two single repetitions, rad; NaN for a single one."""
        return DETECTABLE * self.sem_rad


@dataclass(frozen=True, slots=True)
class RangeOfMotion:
    """A test's result.

    Attributes:
        directions: by name: flexion, extension, left, right, rotation_left, rotation_right, elevation.
            Directions that were not moved in, or cannot be seen, are absent.
        segment: whose range it is, "" if none can be seen.
        remarks: sentences about what could not be seen.
    """

    directions: dict[str, Excursion]
    segment: str = ""
    remarks: tuple[str, ...] = ()


def range_of_motion(parts: Parts, calibration: Calibration | None, test: RomTest) -> RangeOfMotion:
    """Measure a joint's range; the person begins and ends at rest, upright, looking ahead.

    Args:
        parts: batches by segment, with one or more repetitions of each direction.
        calibration: without one, only rotation and the height of an arm that began hanging are known.
        test: which joint.
    """
    found = gather(parts)
    found = together(found, found)
    segment = next((str(name) for name in _WATCHED[test] if name in found), None)
    if segment is None:
        part = spoken(_WATCHED[test][0])
        return RangeOfMotion({}, remarks=(f"This test needs a sensor on the {part}.",))
    remarks: list[str] = []
    if test in (RomTest.SHOULDER_LEFT, RomTest.SHOULDER_RIGHT):
        return RangeOfMotion(_elevation(found, segment, calibration, remarks), segment, tuple(remarks))
    seen = _against(found, segment, calibration, test)
    _say(seen, test, segment, remarks)
    return RangeOfMotion(_directions(seen, test), segment, tuple(remarks))


def _against(
    found: Mapping[str, Signals], segment: str, calibration: Calibration | None, test: RomTest
) -> Away:
    """Return the head against the trunk, the upper back against gravity."""
    return away({segment: found[segment]} if test is RomTest.THORAX else found, segment, calibration)


def _say(seen: Away, test: RomTest, segment: str, remarks: list[str]) -> None:
    if np.isnan(seen.sagittal[0]):
        remarks.append("Without a calibration only rotation can be measured.")
    if test is RomTest.NECK and seen.trunk is None:
        remarks.append("Without a sensor on the upper back, movements of the trunk count as the neck's.")
    if not seen.anchored:
        remarks.append(f"Begin and end at rest: {place(segment)} was moving, so rotation may be off.")
    if test is RomTest.THORAX:
        remarks.append("Measured against gravity: bending from the hips is part of it.")


def _directions(seen: Away, test: RomTest) -> dict[str, Excursion]:
    angles = [("flexion", "extension", seen.sagittal), ("right", "left", seen.frontal)]
    if test is RomTest.NECK:
        angles.append(("rotation_left", "rotation_right", seen.turn))
    whole = np.sqrt(sum(np.nan_to_num(angle) ** 2 for _, _, angle in angles))
    found = {}
    for ahead, back, angle in angles:
        for name, way in ((ahead, angle), (back, -angle)):
            peaks = _peaks(way, np.asarray(whole))
            if peaks:
                found[name] = Excursion(peaks)
    return found


def _peaks(angle: Floats, whole: Floats) -> tuple[float, ...]:
    """Return the peaks of a movement in one direction, those that belong to it and come near the best."""
    if not np.isfinite(angle).all() or float(angle.max()) < LEAST_PEAK_RAD:
        return ()
    high = np.where(angle >= MAIN * whole, np.maximum(angle, 0.0), 0.0)
    best = float(high.max())
    if best < LEAST_PEAK_RAD:
        return ()
    at = turning_points(high, max(LEAST_PEAK_RAD / 2, LIKE_BEST * best))
    return tuple(float(high[i]) for i in at if high[i] >= LIKE_BEST * best)


def _elevation(
    found: Mapping[str, Signals], segment: str, calibration: Calibration | None, remarks: list[str]
) -> dict[str, Excursion]:
    """Return how high the arm goes, 0 hanging to 180° overhead; which way is what the test was called."""
    seen = away({segment: found[segment]}, segment, calibration)
    if calibration is None or segment not in calibration.alignments:
        remarks.append("Without a calibration the arm is taken to hang at the beginning.")
    trunk = next((name for name in ("t4", "t12", "c7", "lumbar") if name in found), None)
    if trunk is None:
        remarks.append("Without a sensor on the upper back, leaning counts as raising the arm.")
    elif calibration is not None and trunk in calibration.alignments:
        lean = away({trunk: found[trunk]}, trunk, calibration).tilt
        if float(lean.max()) > np.radians(10.0):
            remarks.append(f"The upper back leaned by up to {np.degrees(lean.max()):.0f}° meanwhile.")
    peaks = _peaks(seen.tilt, seen.tilt)
    return {"elevation": Excursion(peaks)} if peaks else {}
