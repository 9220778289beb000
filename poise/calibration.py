"""A calibration: how each sensor sits on its segment. Made where the wearer is, and sent retained."""

from dataclasses import dataclass
from enum import StrEnum

Quaternion = tuple[float, float, float, float]
"""w, x, y, z, of unit length."""


class Verdict(StrEnum):
    """What a calibration is worth."""

    GOOD = "good"
    STATIC_ONLY = "static_only"
    REPEAT = "repeat"


@dataclass(frozen=True, slots=True)
class Alignment:
    """One sensor on its segment.

    Attributes:
        sensor: the sensor's identity.
        q_sensor_from_segment: turns vectors of the segment frame B into the sensor frame S.
        residual_rad: how far the calibration movement left the sagittal plane, or, for a static one, how
            much the person moved; the angle error grows linearly with it.
        bow_rad: how far the segment leaned in the bow from the hips, 0 without one: the person's own
            pattern of a lean from the hips, against which a slouch is told apart.
    """

    sensor: str
    q_sensor_from_segment: Quaternion
    residual_rad: float
    bow_rad: float = 0.0


@dataclass(frozen=True, slots=True)
class Calibration:
    """Alignments of all worn sensors against the person's own upright.

    Attributes:
        id: unique; every batch and result made with it carries it.
        made_us: UTC µs from which on it holds; it ends the run before it.
        method: "static+functional" or "static".
        verdict: good, static_only (lower trust) or repeat (do not judge with it).
        alignments: by segment.
        reasons: a sentence for each thing that is not well.
        renews: id of the calibration that a re-check confirmed or set right, "" for a full one. What had
            ended that one has ended this one too: sitting tall does not find forward again.
    """

    id: str
    made_us: int
    method: str
    verdict: Verdict
    alignments: dict[str, Alignment]
    reasons: tuple[str, ...] = ()
    renews: str = ""
