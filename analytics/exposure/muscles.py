"""A load index by muscle and side: a named model in degree-minutes, no force and no diagnosis.

Gravity and the shoulder blade's place load a muscle in proportion to how far a segment is from the person's
own upright and for how long; static time counts half again. Every term is linear in sums that are stored, so
quarters, days and phases add up, and a later version of the weights needs no new analysis.

Muscles, origins and actions are those of the project's document (upper back trigger point injections): upper
trapezius elevates, rotates and retracts the scapula and supports the arm; levator scapulae (C1 to C4 to the
superior angle) elevates it and acts on neck flexion and side bending; the rhomboids (minor C7 to T1, major T2
to T5) retract it; serratus posterior superior (C7 to T3 to ribs 2 to 5) lifts ribs in breathing, which is not
measured. That a bent neck loads the muscles that hold the head, and a rounded shoulder those that retract the
scapula, follows from these; the numbers (1 chief, 0.5 part, 0.25 little) are a project decision, fitted to
nobody and tested on no clinical outcome. Compare a person with themselves, never two people or two muscles.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np

from analytics.exposure.counts import Counts
from analytics.exposure.figures import LEAST_DAY_S, seen_s

MODEL_VERSION: Final = "load index 1"
STATIC_EXTRA: Final = 0.5
"""Held longer than a minute within 10°, an angle counts half again: a project decision."""


class Muscle(StrEnum):
    """Muscles of the upper back that the document names."""

    UPPER_TRAPEZIUS = "upper_trapezius"
    LEVATOR_SCAPULAE = "levator_scapulae"
    RHOMBOID_MAJOR = "rhomboid_major"
    RHOMBOID_MINOR = "rhomboid_minor"
    SERRATUS_POSTERIOR_SUPERIOR = "serratus_posterior_superior"


MUSCLE_TEXT: Final = {
    Muscle.UPPER_TRAPEZIUS: "upper trapezius",
    Muscle.LEVATOR_SCAPULAE: "levator scapulae",
    Muscle.RHOMBOID_MAJOR: "rhomboid major",
    Muscle.RHOMBOID_MINOR: "rhomboid minor",
    Muscle.SERRATUS_POSTERIOR_SUPERIOR: "serratus posterior superior",
}
MODEL_TEXT: Final = (
    "The load index adds up how far and how long neck, shoulder and back were away from your own upright. "
    "It is a simple model, not a measured force. Compare it with your own other days only."
)
SIDES: Final = ("left", "right")
TERMS: Final = (
    "neck forward",
    "neck sideways away",
    "shoulder raised",
    "shoulder rounded",
    "arm away",
    "bent back",
)
WEIGHTS: Final[dict[Muscle, tuple[float, ...]]] = {
    # Holds head and shoulder girdle against gravity, lifts the shoulder, supports the arm.
    Muscle.UPPER_TRAPEZIUS: (0.5, 1.0, 1.0, 0.25, 0.5, 0.0),
    # Runs from C1 to C4 down to the scapula: a neck forward or bent away stretches it under load.
    Muscle.LEVATOR_SCAPULAE: (1.0, 1.0, 1.0, 0.25, 0.0, 0.0),
    # From the thoracic spine to the scapula: rounding stretches it; the round upper back does so a little.
    Muscle.RHOMBOID_MAJOR: (0.0, 0.0, 0.25, 1.0, 0.25, 0.5),
    # As rhomboid major, and from C7: the base of the neck moves its origin.
    Muscle.RHOMBOID_MINOR: (0.25, 0.0, 0.25, 1.0, 0.25, 0.25),
    # Deep, from C7 to T3 to the ribs: bending the junction of neck and back stretches it; breathing unseen.
    Muscle.SERRATUS_POSTERIOR_SUPERIOR: (0.5, 0.0, 0.0, 0.25, 0.0, 0.5),
}
"""By muscle, one weight for each of `TERMS`."""


@dataclass(frozen=True, slots=True)
class MuscleLoad:
    """The index of one muscle.

    Attributes:
        muscle: which.
        side: "left" or "right".
        degree_minutes: weighted degree-minutes of what was seen.
        per_hour: the same for an hour seen, each term over its own time; None if too little was seen.
        seen_share: share of the muscle's weights whose terms were seen, 0 to 1; under 1 it reads too low.
        unseen: the terms that were not.
    """

    muscle: Muscle
    side: str
    degree_minutes: float
    per_hour: float | None
    seen_share: float
    unseen: tuple[str, ...]


def muscle_loads(counts: Counts, *, least_s: float = LEAST_DAY_S) -> tuple[MuscleLoad, ...]:
    """Return the index of each muscle and side; terms seen for less than `least_s` are unseen."""
    loads = []
    for side in SIDES:
        terms = _terms(counts, side, least_s)
        loads += [_load(muscle, side, terms) for muscle in Muscle]
    return tuple(loads)


def _load(muscle: Muscle, side: str, terms: list[tuple[float, float] | None]) -> MuscleLoad:
    """Weigh the terms: each (degree-minutes, seconds seen), or None."""
    total = hourly = seen = 0.0
    unseen = []
    for name, weight, term in zip(TERMS, WEIGHTS[muscle], terms, strict=True):
        if weight and term is None:
            unseen.append(name)
        elif term is not None:
            total += weight * term[0]
            hourly += weight * term[0] * 3600 / term[1]
            seen += weight
    share = seen / sum(WEIGHTS[muscle])
    # Less than half of the model says little about the muscle: no rate rather than a low one.
    return MuscleLoad(muscle, side, total, hourly if share >= 0.5 else None, share, tuple(unseen))


def _terms(counts: Counts, side: str, least_s: float) -> list[tuple[float, float] | None]:
    other = 1 if side == "right" else 0
    return [
        _mean([_term(counts, name, 0, least_s) for name in ("head", "c7")]),
        # Frontal angles are positive to the right: away from the right side is below zero.
        _term(counts, "head_side", other, least_s),
        _term(counts, f"raise_{side}", 0, least_s),
        _term(counts, f"shoulder_{side}", 0, least_s),
        _term(counts, f"arm_{side}", 0, least_s),
        _term(counts, "trunk", 0, least_s),
    ]


def _term(counts: Counts, stream: str, below: int, least_s: float) -> tuple[float, float] | None:
    """Return degree-minutes above (or below) upright, with the static extra, and s seen."""
    row, seconds = counts.row(stream), seen_s(counts, stream)
    if row is None or seconds <= 0 or seconds < least_s:
        return None
    moving = int(counts.dose[row, below]) / 10
    held = int(counts.static_dose[row, below])
    return (moving + STATIC_EXTRA * held) / 100 / 60, seconds


def _mean(terms: list[tuple[float, float] | None]) -> tuple[float, float] | None:
    """Return the mean of what was seen: the neck between head and C7 leans as the mean of its two ends."""
    seen = [term for term in terms if term is not None]
    if not seen:
        return None
    return float(np.mean([dose for dose, _ in seen])), float(np.mean([seconds for _, seconds in seen]))
