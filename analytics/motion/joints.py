"""Joints as Poise names them: differences of inclinations, and which segment turns against which.

Frames and signs: docs/frames.md. A difference of inclinations is a joint angle only as far as both segments
face the same way; with the head turned by 60° a nod is partly a side bend.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from analytics.motion.angles import conditioned
from poise.samples import Floats
from poise.skeleton import THORAX_REFERENCES, Segment

TRUNK_REFERENCES: Final = (*THORAX_REFERENCES, Segment.C7)
"""Best first; C7 stands in for the thorax where neither T4 nor T12 is worn."""


@dataclass(frozen=True, slots=True)
class JointAngle:
    """An inclination of one segment less that of another.

    Attributes:
        name: how it is called in streams and tables.
        distal: the segment that moves.
        proximal: what it moves against; "thorax" stands for the best reference worn.
        frontal: True for frontal inclination, False for sagittal.
        sign: -1 where the positive sense is against that of docs/frames.md.
    """

    name: str
    distal: str
    proximal: str
    frontal: bool = False
    sign: int = 1


JOINT_ANGLES: Final = (
    JointAngle("head_on_thorax", Segment.HEAD, "thorax"),
    JointAngle("head_on_c7", Segment.HEAD, Segment.C7),
    JointAngle("c7_on_thorax", Segment.C7, "thorax"),
    JointAngle("thorax_on_pelvis", "thorax", Segment.LUMBAR),
    JointAngle("head_on_thorax.frontal", Segment.HEAD, "thorax", frontal=True),
    JointAngle("thorax_on_pelvis.frontal", "thorax", Segment.LUMBAR, frontal=True),
    JointAngle("scapula_tilt_left", Segment.SCAPULA_LEFT, "thorax"),
    JointAngle("scapula_tilt_right", Segment.SCAPULA_RIGHT, "thorax"),
    JointAngle("scapula_raise_left", Segment.SCAPULA_LEFT, "thorax", frontal=True),
    JointAngle("scapula_raise_right", Segment.SCAPULA_RIGHT, "thorax", frontal=True, sign=-1),
)
"""Forward, to the right, and raised are positive; what each means stands in docs/frames.md."""


def thorax_of(segments: tuple[str, ...]) -> str | None:
    """Return the best thorax reference among `segments`, C7 where there is no other, else None."""
    return next((str(name) for name in TRUNK_REFERENCES if name in segments), None)


def joint_angles(segments: tuple[str, ...], sagittal: Floats, frontal: Floats) -> Mapping[str, Floats]:
    """Return every joint angle that these sensors can give, (n,) rad by name.

    NaN where one of the two segments is unseen or, for sagittal ones, leans so far to a side that its
    sagittal inclination means nothing (`analytics.motion.angles.conditioned`).

    Args:
        segments: the m columns; only those with an alignment have angles.
        sagittal: (n, m) rad.
        frontal: (n, m) rad.
    """
    thorax = thorax_of(segments)
    clear = np.where(conditioned(frontal), sagittal, np.nan)
    found: dict[str, Floats] = {}
    for joint in JOINT_ANGLES:
        pair = [thorax if name == "thorax" else str(name) for name in (joint.distal, joint.proximal)]
        if pair[0] == pair[1] or not all(name in segments for name in pair):
            continue
        one, other = (segments.index(str(name)) for name in pair)
        angles = frontal if joint.frontal else clear
        found[joint.name] = joint.sign * (angles[:, one] - angles[:, other])
    return found


@dataclass(frozen=True, slots=True)
class TurningJoint:
    """One segment that turns about the vertical against another, and how people usually hold it.

    The figures are this project's decisions; benchmarks/heading.py shows what they do.

    Attributes:
        name: how the rotation is called.
        distal: the segment that turns; "thorax" stands for the best reference worn.
        proximal: what it turns against.
        sign: -1 where the positive sense is a turn to the right (docs/frames.md).
        near_rad: only with both segments within this of the calibrated upright a reading is taken.
        neutral_rad: how far from neutral people then hold it, 1 sigma.
        habit_rad: how far a person's usual neutral is from the calibrated one, 1 sigma; no amount of time
            takes it away.
        bias_rad_s: 1 sigma of what is left of both gyroscopes' biases about the vertical once they are
            learned; how uncertain they are before stands in `analytics.motion.offsets`.
        reach_rad: no person turns further.
    """

    name: str
    distal: str
    proximal: str
    sign: int
    near_rad: float
    neutral_rad: float
    habit_rad: float
    bias_rad_s: float
    reach_rad: float


def _joint(name: str, distal: str, proximal: str, sign: int, *degrees: float) -> TurningJoint:
    near, neutral, habit, bias, reach = (float(np.radians(value)) for value in degrees)
    return TurningJoint(name, distal, proximal, sign, near, neutral, habit, bias, reach)


TURNING_JOINTS: Final = (
    # People look at second screens, at papers, at others: hence 15°. Where they hold the head so long that it
    # passes for drift, a drift rate of 0.3°/s keeps the neck from believing too firmly in one neutral.
    _joint("neck_rotation", Segment.HEAD, "thorax", 1, 50, 15, 4, 0.3, 90),
    _joint("protraction_left", Segment.SCAPULA_LEFT, "thorax", -1, 10, 5, 3, 0.08, 45),
    _joint("protraction_right", Segment.SCAPULA_RIGHT, "thorax", 1, 10, 5, 3, 0.08, 45),
    _joint("trunk_twist", "thorax", Segment.LUMBAR, 1, 15, 4, 2, 0.08, 45),
)
"""Neck rotation reaches 70 to 80° in adults. Skin-fixed sensors fall short of a shoulder blade's rotation by
6.5° on average, and internal rotation was very variable outside a laboratory
(doi:10.3389/fspor.2024.1349570): protraction is supplementary, never judged alone."""
