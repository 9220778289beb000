"""What a set of sensors can tell: its references, its derived angles, and what it cannot see."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np

from poise.results import Kind
from poise.samples import Bools, Floats
from poise.skeleton import SCAPULAE, THORAX_REFERENCES, Segment

UPPER_ARMS: Final = (Segment.UPPER_ARM_LEFT, Segment.UPPER_ARM_RIGHT)
MEASURES: Final = ("neck", "shoulder_left", "shoulder_right")
THORAX_UNSEEN: Final = "thorax unseen"
LUMBAR_UNSEEN: Final = "lumbar unseen"
C7_UNSEEN: Final = "c7 unseen"
SCAPULA_UNSEEN: Final = "shoulder blade unseen"
_C7: Final = str(Segment.C7)
_BOW_RATIOS: Final = (0.5, 1.25)
"""Lumbar over thorax lean in a bow: 0.26 to 1.87 in the recordings of 14 people; beyond these bounds a
calibration bow says more about how it was done than about the person."""


@dataclass(frozen=True, slots=True)
class Worn:
    """Which columns of the angles hold what, and what can be concluded from them.

    Attributes:
        columns: column by segment name.
        bow: lean in the calibration bow by segment, rad, 0 where unknown.
        thorax: the best worn thorax reference.
        trunk: the thorax reference, or C7 in its stead.
    """

    columns: Mapping[str, int]
    bow: Mapping[str, float]
    thorax: str | None = field(init=False)
    trunk: str | None = field(init=False)

    def __post_init__(self) -> None:
        thorax = next((str(segment) for segment in THORAX_REFERENCES if segment in self.columns), None)
        object.__setattr__(self, "thorax", thorax)
        object.__setattr__(self, "trunk", thorax or (_C7 if _C7 in self.columns else None))

    def has(self, *segments: str) -> bool:
        """Are all of these worn?"""
        return self.columns.keys() >= set(segments)

    @property
    def hip_ratio(self) -> float:
        """Lumbar over trunk lean in the person's own bow from the hips."""
        trunk = self.bow.get(self.trunk or "", 0.0)
        lumbar = self.bow.get(Segment.LUMBAR, 0.0)
        return min(max(lumbar / trunk, _BOW_RATIOS[0]), _BOW_RATIOS[1]) if trunk > 0 and lumbar > 0 else 1.0


class Deviation(NamedTuple):
    """How strongly one kind is present.

    Attributes:
        kind: which.
        angle: (n,) rad, the angle that the threshold is held against and that episodes report; NaN unseen.
        threshold: rad.
        sensors: the segments it rests on.
        remarks: what could not be seen.
        margin: (n,) rad or None, by how far the rule's other condition is met; below 0 it is not. NaN unseen.
    """

    kind: Kind
    angle: Floats
    threshold: float
    sensors: tuple[str, ...]
    remarks: tuple[str, ...] = ()
    margin: Floats | None = None

    @property
    def excess(self) -> Floats:
        """(n,) rad by which the whole rule is exceeded; below 0 it fails, NaN where it cannot be seen."""
        beyond: Floats = self.angle - self.threshold
        return beyond if self.margin is None else np.minimum(beyond, self.margin)

    @property
    def allowed(self) -> Bools:
        """(n,) bool: the rule's other condition is met, or there is none."""
        if self.margin is None:
            return np.ones(len(self.angle), np.bool_)
        return np.asarray(self.margin >= 0, np.bool_)


def of(angles: Floats, worn: Worn, segment: str) -> Floats:
    """Return the column (n,) of a worn segment."""
    column: Floats = angles[:, worn.columns[segment]]
    return column


def measures(sagittal: Floats, worn: Worn) -> dict[str, Floats]:
    """Return the derived angles (n,) rad that can be had: neck, shoulder_left, shoulder_right."""
    found: dict[str, Floats] = {}
    if worn.thorax and Segment.C7 in worn.columns:
        found["neck"] = of(sagittal, worn, Segment.C7) - of(sagittal, worn, worn.thorax)
    if worn.trunk:
        for scapula in SCAPULAE:
            if scapula in worn.columns:
                side = scapula.removeprefix("scapula_")
                found[f"shoulder_{side}"] = of(sagittal, worn, scapula) - of(sagittal, worn, worn.trunk)
    return found


def unseen(worn: Worn) -> list[str]:
    """Return a sentence for each thing that cannot be judged, or only in part, with what is worn."""
    return [*_unseen_spine(worn), *_unseen_shoulders(worn)]


def _unseen_spine(worn: Worn) -> list[str]:
    sentences = []
    if not worn.has(Segment.C7):
        sentences.append(
            "Without a sensor at C7 a forward head is not judged: held forward with a level gaze, neither "
            "head nor thorax tilts."
        )
    if worn.thorax is None:
        sentences.append(_without_thorax(worn))
    if not worn.has(Segment.LUMBAR):
        sentences.append(
            "Without a sensor at the lower back a slouch and a lean from the hips are not told apart."
        )
    if not worn.has(Segment.HEAD):
        sentences.append("Without a sensor at the head looking down is not judged.")
    elif worn.trunk is None:
        sentences.append("Looking down is not judged without a sensor at C7, T4 or T12 beside the head's.")
    return sentences


def _without_thorax(worn: Worn) -> str:
    if worn.has(Segment.C7, *SCAPULAE):
        return "Without a sensor at T4 or T12 a slouch is told from a forward head by the shoulders only."
    if worn.has(Segment.C7):
        return "Without a sensor at T4 or T12 a slouch is not told from a forward head."
    return "Without a sensor at T4 or T12 a slouch, a lean and a side bend are not judged."


def _unseen_shoulders(worn: Worn) -> list[str]:
    blades = [segment for segment in SCAPULAE if worn.has(segment)]
    arms = [segment for segment in UPPER_ARMS if worn.has(segment)]
    if not blades:
        said = ["Without sensors at the shoulder blades rounded shoulders are not judged."]
        if not arms:
            said.append("Without sensors at shoulder blades or upper arms raised shoulders are not judged.")
        return said
    if worn.trunk is None:
        return ["Shoulders are not judged without a sensor at T4, T12 or C7 to compare them with."]
    if len(blades) == 1:
        other = "right" if blades[0] is Segment.SCAPULA_LEFT else "left"
        return [f"The {other} shoulder is not judged: it has no sensor at its shoulder blade."]
    return []
