"""Does each sensor sit where its name says, and the way round it did? Evidence first, or 'cannot tell'.

Any mounting is calibrated away, so a crooked sensor is no fault in itself: what matters is a mounting that is
another one than at the calibration, and a sensor under another one's name. Gravity cannot see a turn
about the vertical, nor an exchange of two sensors that hang alike; both are said.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from typing import Final

import numpy as np

from analytics.motion.angles import axes
from analytics.wearing.pose import Parts, angle, track
from poise.calibration import Alignment, Calibration
from poise.errors import CalibrationError
from poise.samples import Floats
from poise.skeleton import Segment, spoken

CROOKED_RAD: Final = np.radians(20.0)
"""Another mounting than last time from this on (project decision): three times the 6° by which upright
itself differs from day to day in the sitting recordings."""
UPSIDE_DOWN_RAD: Final = np.radians(135.0)
ALIKE_RAD: Final = np.radians(20.0)
"""Two sensors whose uprights lie nearer than this in their own frames cannot be told apart by gravity."""
SETTLES_RAD: Final = np.radians(25.0)
"""Two sensors were exchanged if this much disagreement, each, is explained away by exchanging them."""
MORE: Final = 1.5
"""The arm that was lifted, or the head that nodded, moves its sensor at least this times more than the others
(project decision; in the simulated wearer a reach moves its own shoulder blade 1.8 times as much)."""
LEAST_LIFT_RAD: Final = np.radians(6.0)


class Placement(StrEnum):
    """What can be wrong with where a sensor sits."""

    CROOKED = "crooked"
    UPSIDE_DOWN = "upside_down"
    SIDES_SWAPPED = "sides_swapped"
    EXCHANGED = "exchanged"
    SLIPPED = "slipped"
    OFF = "off"
    CANNOT_TELL = "cannot_tell"


@dataclass(frozen=True, slots=True)
class Finding:
    """One observation about where sensors sit.

    Attributes:
        what: which.
        segments: the segments concerned.
        sentence: what the wearer should know and do.
        evidence_rad: the angle it rests on, rad; NaN where it rests on none.
    """

    what: Placement
    segments: tuple[str, ...]
    sentence: str
    evidence_rad: float = float("nan")


def compare(before: Calibration, now: Calibration) -> tuple[Finding, ...]:
    """Hold a new calibration against an earlier one of the same person and say what sits another way.

    Crooked and upside down are only told: the new calibration has them in it. Sensors that hang the way
    that another one did are probably exchanged, which no calibration can mend.
    """
    shared = [
        segment
        for segment, alignment in now.alignments.items()
        if segment in before.alignments and before.alignments[segment].sensor == alignment.sensor
    ]
    ups = {segment: _vertical(now.alignments[segment]) for segment in shared}
    known = {segment: before.alignments[segment] for segment in shared}
    found = exchanged(known, ups)
    taken = {segment for finding in found for segment in finding.segments}
    for segment in shared:
        turned = float(angle(ups[segment][None], _vertical(known[segment]))[0])
        if segment not in taken and turned >= CROOKED_RAD:
            found.append(_turned(segment, turned))
    return tuple(found)


def wrong_places(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the findings that a calibration cannot mend: sensors under another one's name."""
    return tuple(f for f in found if f.what in (Placement.EXCHANGED, Placement.SIDES_SWAPPED))


def exchanged(known: Mapping[str, Alignment], ups: Mapping[str, Floats]) -> list[Finding]:
    """Return the pairs of sensors that hang each the way the other did.

    Args:
        known: the calibrated alignments.
        ups: (3,) earth's up in each sensor's frame while the person sits upright.
    """
    found = []
    for a, b in combinations(sorted(set(known) & set(ups)), 2):
        mine, theirs = _vertical(known[a]), _vertical(known[b])
        own = (_apart(ups[a], mine), _apart(ups[b], theirs))
        crossed = (_apart(ups[a], theirs), _apart(ups[b], mine))
        if min(own) - max(crossed) >= SETTLES_RAD and max(crossed) <= ALIKE_RAD:
            found.append(_exchange(a, b, min(own)))
    return found


def indistinct(calibration: Calibration) -> tuple[Finding, ...]:
    """Return the pairs whose exchange gravity would not show: they hang alike."""
    verticals = {segment: _vertical(alignment) for segment, alignment in calibration.alignments.items()}
    return tuple(
        Finding(
            Placement.CANNOT_TELL,
            (a, b),
            f"The sensors for {spoken(a)} and {spoken(b)} hang alike: Poise cannot see whether they were "
            "exchanged. Look at their labels.",
            apart,
        )
        for a, b in combinations(sorted(verticals), 2)
        if (apart := _apart(verticals[a], verticals[b])) < ALIKE_RAD
    )


def check_nod(nod: Parts) -> Finding | None:
    """Tell from a nod whether the sensor that moved most is the head's; None if it is, or nobody nodded.

    Args:
        nod: batches of a chin-to-chest nod with the back still.
    """
    if Segment.HEAD not in nod:
        return None
    moved = _moved(nod)
    most = max(moved, key=lambda segment: moved[segment])
    if most == Segment.HEAD or moved[most] < 2 * LEAST_LIFT_RAD:
        return None
    # A nod moves one sensor; where several moved it was a bow, and the head may have stayed level in it.
    if moved[most] < MORE * max(moved[segment] for segment in moved if segment != most):
        return Finding(
            Placement.CANNOT_TELL,
            (Segment.HEAD, most),
            "Your back moved with your nod. Nod once more with your back still.",
            moved[most],
        )
    return _exchange(Segment.HEAD, most, moved[most])


def check_sides(lifted: Parts, side: str) -> Finding | None:
    """Tell from lifting one arm whether left and right are what they are named; None if they are.

    The shoulder blade (and upper arm) of the lifted arm turns more than the other one. Gravity at rest cannot
    tell the sides of a body apart whose sensors may be mounted any way round, so this movement is needed.

    Args:
        lifted: batches while the person lifted that arm forward to shoulder height and let it down.
        side: "left" or "right", the arm that was asked for.
    """
    moved = _moved(lifted)
    other = "left" if side == "right" else "right"
    for part in ("upper_arm", "scapula"):
        mine, theirs = moved.get(f"{part}_{side}"), moved.get(f"{part}_{other}")
        if mine is None or theirs is None:
            continue
        pair = (f"{part}_left", f"{part}_right")
        if max(mine, theirs) < LEAST_LIFT_RAD or max(mine, theirs) < MORE * min(mine, theirs):
            return Finding(
                Placement.CANNOT_TELL,
                pair,
                f"Both sides moved about alike. Lift only your {side} arm forward, up to your shoulder, "
                "and let it down.",
                max(mine, theirs),
            )
        return None if mine > theirs else _exchange(*pair, theirs)
    return Finding(
        Placement.CANNOT_TELL,
        (),
        "Without a sensor on both shoulder blades or both upper arms, Poise cannot tell the sides apart.",
    )


def _moved(parts: Parts) -> dict[str, float]:
    """Return how far each sensor tilted, rad: from its middle to its furthest, without the last hundredth."""
    moved = {}
    for segment, batches in parts.items():
        try:
            ups = track(segment, batches)
        except CalibrationError:
            continue
        if len(ups):
            moved[segment] = float(np.quantile(angle(ups, ups[0]), 0.99))
    return moved or {Segment.HEAD: 0.0}


def _exchange(a: str, b: str, evidence: float) -> Finding:
    sides = a.rpartition("_")[0] == b.rpartition("_")[0] != ""
    what = Placement.SIDES_SWAPPED if sides else Placement.EXCHANGED
    return Finding(
        what,
        (a, b),
        f"The sensors for {spoken(a)} and {spoken(b)} seem to be exchanged. Look at their labels, put each "
        "one where it belongs, and calibrate again.",
        evidence,
    )


def _turned(segment: str, turned: float) -> Finding:
    if turned >= UPSIDE_DOWN_RAD:
        return Finding(
            Placement.UPSIDE_DOWN,
            (segment,),
            f"The sensor for {spoken(segment)} is upside down compared with last time. That is calibrated "
            "now and does no harm, if it is the right sensor.",
            turned,
        )
    return Finding(
        Placement.CROOKED,
        (segment,),
        f"The sensor for {spoken(segment)} sits turned by {np.degrees(turned):.0f}° compared with last time. "
        "That is calibrated now and does no harm, as long as it stays so.",
        turned,
    )


def _vertical(alignment: Alignment) -> Floats:
    up: Floats = axes(alignment.q_sensor_from_segment)[2]
    return up


def _apart(a: Floats, b: Floats) -> float:
    return float(angle(a[None], b)[0])
