"""When a posture holds: thresholds with their sources, and the rules of docs/postures.md.

All angles are deviations from the person's own calibrated upright, because absolute cut-offs do not separate
patients from others (world.physio congress abstract, craniovertebral angle p = 0.98) and the resting tilt
of head and neck differs between people (Ankrum and Nemeth, resting eye-ear line).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from poise.results import Kind
from poise.samples import Bools, Floats
from poise.skeleton import SCAPULAE, THORAX_REFERENCES, Segment


@dataclass(frozen=True, slots=True)
class Plan:
    """What is held against a wearer, and how long; every field can be set by a therapist later.

    Attributes:
        forward_head_deg: C7 forward of upright and beyond the thorax reference. 10° is where RULA leaves its
            first neck band (McAtamney and Corlett 1993, doi:10.1016/0003-6870(93)90080-S); the mean
            difference of the craniovertebral angle between neck-pain patients and others is 6.6° (Lau 2009,
            Man Ther).
        slouch_deg: thorax reference forward. Half of the mean of 14 people in the sitting recordings
            (T4 +26°); their largest repeated upright is 6°.
        still_share: lumbar lean, as a share of the person's own in a bow from the hips, below which the
            lumbar counts as still. Two thirds of the way from still to a full lean: a project decision.
        hip_lean_deg: least lumbar lean that can be one from the hips; recordings: +16° mean.
        looking_down_deg: head forward with C7 still; RULA's highest neck band begins at 20°.
        rounded_deg: scapula forward beyond the thorax. Twice the 5° that re-attaching a scapular sensor
            changes (discovery.researcher.life, tripod against skin-fixed recording of scapular motion).
        side_bend_deg: thorax sideways; above natural sway, below the 15° that OSHA calls neutral head tilt.
        release_deg: a posture ends this far below its threshold, so that it does not flicker.
        dwell_s: how long a posture must be held before it is recorded (docs/postures.md: project decision).
        recover_s: shorter returns do not end an episode (HeadOrbit uses 0.8 s; products up to minutes).
    """

    forward_head_deg: float = 10.0
    slouch_deg: float = 12.0
    still_share: float = 2 / 3
    hip_lean_deg: float = 8.0
    looking_down_deg: float = 20.0
    rounded_deg: float = 10.0
    side_bend_deg: float = 12.0
    release_deg: float = 3.0
    dwell_s: float = 10.0
    recover_s: float = 2.0


DEFAULT_PLAN: Final = Plan()
_BOW_RATIOS: Final = (0.5, 1.25)
"""Lumbar over thorax lean in a bow: 0.26 to 1.87 in the recordings of 14 people; beyond these bounds a
calibration bow says more about how it was done than about the person."""
MEASURES: Final = ("neck", "shoulder_left", "shoulder_right")


@dataclass(frozen=True, slots=True)
class Worn:
    """Which columns of the angles hold what, and what can be concluded from them.

    Attributes:
        columns: column by segment name.
        bow: lean in the calibration bow by segment, rad, 0 where unknown.
    """

    columns: Mapping[str, int]
    bow: Mapping[str, float]

    @property
    def thorax(self) -> str | None:
        """The best worn thorax reference."""
        return next((segment for segment in THORAX_REFERENCES if segment in self.columns), None)

    @property
    def trunk(self) -> str | None:
        """The thorax reference, or C7 in its stead."""
        return self.thorax or (Segment.C7 if Segment.C7 in self.columns else None)

    @property
    def hip_ratio(self) -> float:
        """Lumbar over thorax lean in the person's own bow from the hips."""
        thorax = self.bow.get(self.thorax or "", 0.0)
        lumbar = self.bow.get(Segment.LUMBAR, 0.0)
        return float(np.clip(lumbar / thorax, *_BOW_RATIOS)) if thorax > 0 and lumbar > 0 else 1.0


@dataclass(frozen=True, slots=True)
class Deviation:
    """How strongly one kind is present.

    Attributes:
        kind: which.
        angle: (n,) rad, the angle that the threshold is held against and that episodes report.
        threshold: rad.
        allowed: (n,) bool, other conditions of the rule.
        sensors: the segments it rests on.
        remarks: what could not be seen.
    """

    kind: Kind
    angle: Floats
    threshold: float
    allowed: Bools
    sensors: tuple[str, ...]
    remarks: tuple[str, ...] = ()


def measures(sagittal: Floats, worn: Worn) -> dict[str, Floats]:
    """Return the derived angles (n,) rad that can be had: neck, shoulder_left, shoulder_right."""
    found: dict[str, Floats] = {}
    if worn.thorax and Segment.C7 in worn.columns:
        found["neck"] = _of(sagittal, worn, Segment.C7) - _of(sagittal, worn, worn.thorax)
    if worn.trunk:
        for scapula in SCAPULAE:
            if scapula in worn.columns:
                side = scapula.removeprefix("scapula_")
                found[f"shoulder_{side}"] = _of(sagittal, worn, scapula) - _of(sagittal, worn, worn.trunk)
    return found


def deviations(sagittal: Floats, frontal: Floats, worn: Worn, plan: Plan) -> list[Deviation]:
    """Return every kind that can be judged with what is worn, spine kinds first and in their order.

    Args:
        sagittal: (n, m) rad.
        frontal: (n, m) rad.
        worn: what the columns are.
        plan: thresholds.
    """
    return [
        *_hip_lean(sagittal, worn, plan),
        *_slouch(sagittal, worn, plan),
        *_forward_head(sagittal, worn, plan),
        *_looking_down(sagittal, worn, plan),
        *_shoulders(sagittal, worn, plan),
        *_side_bend(frontal, worn, plan),
    ]


def unseen(worn: Worn) -> list[str]:
    """Return a sentence for each kind that cannot be judged with what is worn."""
    sentences = []
    if Segment.C7 not in worn.columns:
        sentences.append("Without a sensor at C7 a forward head is not judged.")
    if worn.thorax is None:
        sentences.append(
            "Without a sensor at T4 or T12 a slouch is told from a forward head by the shoulders only."
        )
    if Segment.LUMBAR not in worn.columns:
        sentences.append(
            "Without a sensor at the lower back a slouch and a lean from the hips are not told apart."
        )
    if Segment.HEAD not in worn.columns:
        sentences.append("Without a sensor at the head looking down is not judged.")
    if not any(scapula in worn.columns for scapula in SCAPULAE):
        sentences.append("Without sensors at the shoulder blades rounded shoulders are not judged.")
    return sentences


def _of(angles: Floats, worn: Worn, segment: str) -> Floats:
    column: Floats = angles[:, worn.columns[segment]]
    return column


def _deviation(
    kind: Kind,
    angle: Floats,
    limit_deg: float,
    sensors: Sequence[str],
    *remarks: str,
    allowed: Bools | None = None,
) -> Deviation:
    ok = np.ones(len(angle), np.bool_) if allowed is None else allowed
    return Deviation(kind, angle, float(np.radians(limit_deg)), ok, tuple(sensors), remarks)


def _leans(sagittal: Floats, worn: Worn, plan: Plan) -> Bools:
    """True where the lumbar leans so much with the thorax that the lean comes from the hips."""
    lumbar, thorax = _of(sagittal, worn, Segment.LUMBAR), _of(sagittal, worn, worn.thorax or "")
    far = lumbar >= np.radians(plan.hip_lean_deg)
    return np.asarray(far & (lumbar >= plan.still_share * worn.hip_ratio * thorax), np.bool_)


def _hip_lean(sagittal: Floats, worn: Worn, plan: Plan) -> list[Deviation]:
    if worn.thorax is None or Segment.LUMBAR not in worn.columns:
        return []
    angle, together = _of(sagittal, worn, worn.thorax), _leans(sagittal, worn, plan)
    sensors = (worn.thorax, Segment.LUMBAR)
    return [_deviation(Kind.HIP_LEAN, angle, plan.slouch_deg, sensors, allowed=together)]


def _slouch(sagittal: Floats, worn: Worn, plan: Plan) -> list[Deviation]:
    if worn.thorax is None:
        return _slouch_by_shoulders(sagittal, worn, plan)
    angle = _of(sagittal, worn, worn.thorax)
    if Segment.LUMBAR not in worn.columns:
        return [_deviation(Kind.SLOUCH, angle, plan.slouch_deg, (worn.thorax,), "lumbar unseen")]
    still = ~_leans(sagittal, worn, plan)
    return [_deviation(Kind.SLOUCH, angle, plan.slouch_deg, (worn.thorax, Segment.LUMBAR), allowed=still)]


def _slouch_by_shoulders(sagittal: Floats, worn: Worn, plan: Plan) -> list[Deviation]:
    """Without a thorax reference C7 and both scapulae forward together are a slouch (docs/postures.md)."""
    if not {Segment.C7, *SCAPULAE} <= set(worn.columns):
        return []
    least = np.minimum.reduce([_of(sagittal, worn, segment) for segment in (Segment.C7, *SCAPULAE)])
    sensors = (Segment.C7, *SCAPULAE)
    return [_deviation(Kind.SLOUCH, least, plan.slouch_deg, sensors, "thorax unseen", "lumbar unseen")]


def _forward_head(sagittal: Floats, worn: Worn, plan: Plan) -> list[Deviation]:
    if Segment.C7 not in worn.columns:
        return []
    c7 = _of(sagittal, worn, Segment.C7)
    if worn.thorax is None:
        return [_deviation(Kind.FORWARD_HEAD, c7, plan.forward_head_deg, (Segment.C7,), "thorax unseen")]
    # Leaning back with the head kept over the chair moves C7 against the thorax, but not forward of upright.
    beyond = np.minimum(c7 - _of(sagittal, worn, worn.thorax), c7)
    return [_deviation(Kind.FORWARD_HEAD, beyond, plan.forward_head_deg, (Segment.C7, worn.thorax))]


def _looking_down(sagittal: Floats, worn: Worn, plan: Plan) -> list[Deviation]:
    if not {Segment.HEAD, Segment.C7} <= set(worn.columns):
        return []
    angle = _of(sagittal, worn, Segment.HEAD) - _of(sagittal, worn, Segment.C7)
    return [_deviation(Kind.LOOKING_DOWN, angle, plan.looking_down_deg, (Segment.HEAD, Segment.C7))]


def _shoulders(sagittal: Floats, worn: Worn, plan: Plan) -> list[Deviation]:
    kinds = {"shoulder_left": Kind.ROUNDED_SHOULDER_LEFT, "shoulder_right": Kind.ROUNDED_SHOULDER_RIGHT}
    remarks = () if worn.thorax else ("thorax unseen",)
    return [
        _deviation(
            kind, angle, plan.rounded_deg, (name.replace("shoulder", "scapula"), worn.trunk or ""), *remarks
        )
        for name, angle in measures(sagittal, worn).items()
        if (kind := kinds.get(name))
    ]


def _side_bend(frontal: Floats, worn: Worn, plan: Plan) -> list[Deviation]:
    if worn.thorax is None:
        return []
    angle = np.abs(_of(frontal, worn, worn.thorax))
    return [_deviation(Kind.SIDE_BEND, angle, plan.side_bend_deg, (worn.thorax,))]
