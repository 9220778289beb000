"""Five seconds of sitting tall: does the calibration still hold?

What all sensors of the trunk do together is posture; what one does while its neighbours agree with each
other is that sensor. **The reference never learns slouching**: a re-check never moves the sagittal zero. It
confirms it or asks for a full calibration, for a person's own upright differs by up to 7° at C7, T4 and T12
from one time to the next (sitting recordings), as much as any slip small enough to be taken over
unseen, and the smallest threshold is 10°. Only a sensor that has turned sideways (crooked), which no
posture of a single segment looks like, is set right: by a turn about its own functional forward axis.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

import numpy as np
from scipy.spatial.transform import Rotation

from analytics.motion.angles import axes, inclination
from analytics.wearing.neighbours import alone, trunk_lean
from analytics.wearing.placement import exchanged
from analytics.wearing.pose import STILL_RAD, Parts, Pose, still_pose
from poise.calibration import Alignment, Calibration, Quaternion, Verdict
from poise.errors import CalibrationError
from poise.skeleton import Segment, place, spoken

TALL_RAD: Final = np.radians(6.0)
"""The trunk as a whole may be this far forward or aside of upright: what people repeat (sitting recordings:
the trunk's median differs by at most 5.4° between upright trials). Half of a slouch's threshold."""
BACK_RAD: Final = np.radians(10.0)
"""The trunk may be this far behind upright: taller than at the calibration is no slouch."""
ALONE_RAD: Final[float] = np.radians(10.0)
"""C7, T4 and T12 may differ this much from the nearest of their neighbours, forward or back. In the sitting
recordings they did by up to 6.5° where nothing had slipped, and by 28° where C7 had."""
ALONE_ELSEWHERE_RAD: Final[float] = np.radians(15.0)
"""Lower back and shoulder blades move by themselves: 11° at the lower back in the sitting recordings."""
ALONE_HEAD_RAD: Final[float] = np.radians(20.0)
"""The head looks where it likes (project decision)."""
LEVEL_RAD: Final = np.radians(6.0)
"""Sideways, sensors agree within this: at most 5° in the sitting recordings."""
CROOKED_RAD: Final = np.radians(20.0)
"""Up to this a crooked sensor is set right; beyond, its adhesive no longer holds (project decision)."""
_ALONE: Final[Mapping[str, float]] = {
    Segment.C7: ALONE_RAD,
    Segment.T4: ALONE_RAD,
    Segment.T12: ALONE_RAD,
    Segment.HEAD: ALONE_HEAD_RAD,
}


class RecheckVerdict(StrEnum):
    """What a re-check is worth."""

    CONFIRMED = "confirmed"
    """Nothing has moved: the same alignments, under a new id."""
    RENEWED = "renewed"
    """Crooked sensors were set right; everything else is unchanged."""
    REPEAT = "repeat"
    """The pose was no reference: sit taller, or stiller."""
    CALIBRATE = "calibrate"
    """A full calibration is needed."""


@dataclass(frozen=True, slots=True)
class Recheck:
    """What a re-check found.

    Attributes:
        verdict: what it is worth.
        calibration: the new calibration, None unless confirmed or renewed.
        reasons: a sentence for each thing found, for the wearer.
        offsets: sagittal and frontal inclination by segment in the pose, rad.
        slipped: the segments whose sensor moved by itself.
    """

    verdict: RecheckVerdict
    calibration: Calibration | None
    reasons: tuple[str, ...]
    offsets: dict[str, tuple[float, float]]
    slipped: tuple[str, ...] = ()


def recheck(calibration: Calibration, still: Parts, *, calibration_id: str, made_us: int) -> Recheck:
    """Hold five seconds of sitting tall against a calibration; never raises.

    It cannot see a turn of a sensor about the vertical: after one was taken off, only a bow finds forward.

    Args:
        calibration: the one in force.
        still: batches by segment while the person sat tall and still.
        calibration_id: name of the new calibration.
        made_us: UTC µs from which on the new one holds.
    """
    if calibration.verdict is Verdict.REPEAT:
        return _answer(RecheckVerdict.CALIBRATE, ["There is no good calibration yet: calibrate first."], {})
    poses, faults, gone = _poses(calibration, still)
    offsets = {segment: _offset(pose, calibration.alignments[segment]) for segment, pose in poses.items()}
    if gone:
        return _answer(RecheckVerdict.CALIBRATE, gone, offsets)
    if faults:
        return _answer(RecheckVerdict.REPEAT, faults, offsets)
    swaps = exchanged(calibration.alignments, {segment: pose.up for segment, pose in poses.items()})
    if swaps:
        named = tuple(segment for swap in swaps for segment in swap.segments)
        return _answer(RecheckVerdict.CALIBRATE, [swap.sentence for swap in swaps], offsets, named)
    return _judge(calibration, offsets, calibration_id, made_us)


def _poses(calibration: Calibration, still: Parts) -> tuple[dict[str, Pose], list[str], list[str]]:
    """Return the poses, what was wrong with the pose, and what only a new calibration can mend."""
    poses: dict[str, Pose] = {}
    faults: list[str] = []
    gone: list[str] = []
    for segment, alignment in calibration.alignments.items():
        batches = [batch for batch in still.get(segment, ()) if len(batch)]
        if any(batch.sensor != alignment.sensor for batch in batches):
            gone.append(f"There is another sensor on {place(segment)} now: calibrate again.")
            continue
        try:
            poses[segment] = still_pose(segment, batches)
        except CalibrationError as exc:
            faults.append(str(exc))
            continue
        if poses[segment].spread > STILL_RAD:
            faults.append(f"You moved ({spoken(segment)}): sit tall and still for five seconds.")
    return poses, faults, gone


def _judge(
    calibration: Calibration, offsets: dict[str, tuple[float, float]], identity: str, made_us: int
) -> Recheck:
    slipped, crooked = _odd(offsets)
    forward, aside = trunk_lean(offsets)
    if not (-BACK_RAD <= forward <= TALL_RAD and abs(aside) <= TALL_RAD):
        return _answer(RecheckVerdict.REPEAT, [_not_tall(forward, aside)], offsets)
    if slipped or (crooked and calibration.verdict is not Verdict.GOOD):
        return _answer(
            RecheckVerdict.CALIBRATE,
            [_slip(segment, offsets[segment]) for segment in (*slipped, *crooked)],
            offsets,
            (*slipped, *crooked),
        )
    reasons = tuple(
        f"The sensor on {place(segment)} had turned sideways by {np.degrees(abs(turn)):.0f}°; that is "
        "set right."
        for segment, turn in crooked.items()
    )
    alignments = {
        segment: _levelled(alignment, crooked.get(segment, 0.0))
        for segment, alignment in calibration.alignments.items()
    }
    said = (f"Re-checked against calibration {calibration.id}: upright is unchanged.", *reasons)
    made = replace(
        calibration,
        id=identity,
        made_us=made_us,
        alignments=alignments,
        reasons=said,
        renews=calibration.id,
    )
    verdict = RecheckVerdict.RENEWED if crooked else RecheckVerdict.CONFIRMED
    return Recheck(verdict, made, said, offsets, tuple(crooked))


def _odd(offsets: Mapping[str, tuple[float, float]]) -> tuple[list[str], dict[str, float]]:
    """Return the segments whose sensor moved by itself, and the turns of those that only sit crooked."""
    slipped, crooked = [], {}
    for segment in offsets:
        by_itself = alone(segment, offsets)
        if by_itself is None:
            continue
        sagittal, frontal = (abs(value) for value in by_itself)
        if sagittal > _ALONE.get(segment, ALONE_ELSEWHERE_RAD) or frontal > CROOKED_RAD:
            slipped.append(segment)
        elif frontal > LEVEL_RAD:
            crooked[segment] = by_itself[1]
    return slipped, crooked


def _not_tall(forward: float, aside: float) -> str:
    way = (
        f"{np.degrees(abs(forward)):.0f}° {'forward of' if forward > 0 else 'behind'}"
        if abs(forward) > abs(aside)
        else f"{np.degrees(abs(aside)):.0f}° to the {'right' if aside > 0 else 'left'} of"
    )
    return (
        f"You sit {way} your calibrated upright. Sit as tall as at the calibration and repeat; if you do, "
        "all sensors have moved together: calibrate again."
    )


def _slip(segment: str, offset: tuple[float, float]) -> str:
    off = float(np.degrees(np.hypot(*offset)))
    return (
        f"The sensor on {place(segment)} reads {off:.0f}° while those beside it agree with upright: it "
        "has probably slipped. Press it on and calibrate again."
    )


def _answer(
    verdict: RecheckVerdict,
    reasons: list[str],
    offsets: dict[str, tuple[float, float]],
    slipped: tuple[str, ...] = (),
) -> Recheck:
    return Recheck(verdict, None, tuple(reasons), offsets, slipped)


def _offset(pose: Pose, alignment: Alignment) -> tuple[float, float]:
    sagittal, frontal = inclination(pose.up[None], axes(alignment.q_sensor_from_segment))
    return float(sagittal[0]), float(frontal[0])


def _levelled(alignment: Alignment, turn: float) -> Alignment:
    """Return the alignment turned about its own forward axis, so that `turn` reads 0."""
    if turn == 0.0:
        return alignment
    held = Rotation.from_quat(alignment.q_sensor_from_segment, scalar_first=True)
    w, x, y, z = (held * Rotation.from_rotvec([-turn, 0.0, 0.0])).as_quat(scalar_first=True)
    turned: Quaternion = (float(w), float(x), float(y), float(z))
    return replace(alignment, q_sensor_from_segment=turned)
