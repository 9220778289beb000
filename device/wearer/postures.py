"""What the simulated wearer can do: each posture as shares of one amount, by segment.

Shapes of slouch, hip lean and side bend follow the medians of 14 people sitting with sensors on C7, T4, T12
and L5 (Ahmed et al., IMU Sitting Postures Dataset, CC BY 4.0): slouch T4 26°, C7 22°, T12 20°, lumbar 3°;
lean from the hips T4 18°, T12 18°, C7 12°, lumbar 16°; side bend T4 29°, C7 28°, T12 25°, lumbar 11°.
Everything else is a plain assumption of this simulation, named so in docs/simulation.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from device.wearer.body import (
    AHEAD,
    CHANNELS,
    FRONTAL,
    HEADING,
    PELVIS,
    SAGITTAL,
    SEGMENTS,
    UNREST,
    UP,
    WALK,
    channel,
)
from poise.samples import Floats

CALIBRATION_S: Final = 16.0
SIT, STAND, LIE, AS_BEFORE = "sit", "stand", "lie", ""


@dataclass(frozen=True, slots=True)
class Posture:
    """One thing that the wearer can do.

    Attributes:
        words: how a script may call it; the first is how it is spoken of.
        measure: what its amount in degrees means.
        usual_deg: the usual amount.
        shape: (CHANNELS,) share of the amount, for the right side where it has sides.
        sides: the sides it can have; the first is the usual one.
        stance: SIT, STAND, LIE, or AS_BEFORE to stay as the act before it.
        gesture: True if the wearer goes there and comes back within the act.
        over_s: usual time of the movement, s.
        usual_s: time it takes if the script gives none.
        envelopes: WALK and UNREST, where they are not 0 and 1.
    """

    words: tuple[str, ...]
    measure: str = ""
    usual_deg: float = 0.0
    shape: Floats = field(default_factory=lambda: np.zeros(CHANNELS))
    sides: tuple[str, ...] = ()
    stance: str = AS_BEFORE
    gesture: bool = False
    over_s: float = 2.0
    usual_s: float | None = None
    envelopes: tuple[tuple[int, float], ...] = ()

    @property
    def spoken(self) -> str:
        """Its name for people."""
        return self.words[0]

    @property
    def most_deg(self) -> float:
        """The greatest amount that a script may ask for."""
        return 180.0 if self.usual_deg == 90.0 else min(90.0, 2.5 * self.usual_deg)

    @property
    def least_s(self) -> float:
        """The shortest time an act of it can take, s."""
        if not self.gesture:
            return 1.0
        return 14.0 if self.usual_s == CALIBRATION_S else 2.5


def shape(
    sagittal: Mapping[str, float] | None = None,
    frontal: Mapping[str, float] | None = None,
    heading: Mapping[str, float] | None = None,
) -> Floats:
    """Return shares of an amount as (CHANNELS,).

    Where nothing is said about them, the scapulae ride on T4 and the pelvis follows the lumbar spine.
    """
    shares = np.zeros(CHANNELS)
    for axis, given in ((SAGITTAL, sagittal), (FRONTAL, frontal), (HEADING, heading)):
        told = dict(given or {})
        told.setdefault(PELVIS, told.get("lumbar", 0.0))
        for scapula in ("scapula_left", "scapula_right"):
            told.setdefault(scapula, told.get("t4", 0.0))
        for segment, share in told.items():
            shares[channel(segment, axis)] = share
    return shares


def mirrored(shares: Floats) -> Floats:
    """Return the same posture for the other side: left and right swapped, frontal and heading negated."""
    other = shares.copy()
    for segment in SEGMENTS:
        twin = _twin(segment)
        for axis, sign in ((SAGITTAL, 1.0), (FRONTAL, -1.0), (HEADING, -1.0)):
            other[channel(twin, axis)] = sign * shares[channel(segment, axis)]
    return other


def _twin(segment: str) -> str:
    if segment.endswith("_left"):
        return segment.removesuffix("left") + "right"
    return segment.removesuffix("right") + "left" if segment.endswith("_right") else segment


def pose(name: str, side: str, amount_deg: float) -> Floats:
    """Return the posture's (CHANNELS,) rad and envelopes, without what its stance adds."""
    posture = POSTURES[name]
    right, left = posture.shape, mirrored(posture.shape)
    shares = {"left": left, "both": _both(right, left)}.get(side or _usual_side(posture), right)
    target: Floats = shares * np.radians(amount_deg)
    target[UNREST] = 1.0
    for envelope, value in posture.envelopes:
        target[envelope] = value
    return target


def _usual_side(posture: Posture) -> str:
    return posture.sides[0] if posture.sides else "right"


def _both(right: Floats, left: Floats) -> Floats:
    return np.where(np.abs(right) >= np.abs(left), right, left)


def stance_pose(stance: str) -> Floats:
    """Return what a stance adds to every posture taken in it, (CHANNELS,) rad and m."""
    base = np.zeros(CHANNELS)
    if stance == STAND:
        base += np.radians(shape({"lumbar": 8, "t12": 2, "t4": -2, "c7": -1}))
        base[AHEAD], base[UP] = 0.22, 0.42
    elif stance == LIE:
        base += np.radians(shape(dict.fromkeys(SEGMENTS, -85.0) | {"head": -70.0, "c7": -78.0}))
        base[AHEAD], base[UP] = 0.10, 0.05
    return base


def rising_pose() -> Floats:
    """Return the lean forward in which a person leaves and reaches the seat."""
    lean = np.radians(shape({"lumbar": 26, "t12": 30, "t4": 32, "c7": 26, "head": 14}))
    lean[UNREST] = 1.0
    return lean


def stance_change_s(before: str, after: str) -> float:
    """Return how long the movement from one stance to the other takes, s."""
    if AS_BEFORE in (before, after) or before == after:
        return 0.0
    return 6.0 if LIE in (before, after) else 3.0


_THORAX = {"lumbar": 0.02, "t12": 0.05, "t4": 0.1}

POSTURES: Final = {
    "upright": Posture(("upright", "sit upright", "sit"), stance=SIT),
    "forward_head": Posture(
        ("forward head", "forward head with level gaze"),
        "C7 forward beyond the thorax",
        18.0,
        shape(_THORAX | {"c7": 1.1, "head": 0.0}),
    ),
    "looking_down": Posture(
        ("phone", "looking down", "look down", "looking down at a phone"),
        "head forward",
        35.0,
        shape({"t4": 0.05, "c7": 0.12, "head": 1.0}),
        over_s=1.5,
    ),
    "rounded_shoulder": Posture(
        ("rounded shoulder", "rounded shoulders"),
        "scapula forward beyond the thorax",
        16.0,
        shape(
            _THORAX | {"c7": 0.12, "scapula_right": 1.1, "upper_arm_right": -0.6},
            heading={"scapula_right": 0.75, "upper_arm_right": 0.8},
        ),
        ("both", "left", "right"),
    ),
    "slouch": Posture(
        ("slouch", "slouching"),
        "T4 forward",
        26.0,
        shape({PELVIS: -0.1, "lumbar": 0.12, "t12": 0.77, "t4": 1.0, "c7": 0.85, "head": 0.3}),
        stance=SIT,
    ),
    "hip_lean": Posture(
        ("hip lean", "lean from the hips", "lean forward"),
        "T4 forward",
        18.0,
        shape({"lumbar": 0.9, "t12": 1.0, "t4": 1.0, "c7": 0.75, "head": 0.5}),
        stance=SIT,
    ),
    "side_bend": Posture(
        ("side bend", "bend sideways"),
        "T4 sideways",
        22.0,
        shape(None, {"lumbar": 0.4, "t12": 0.85, "t4": 1.0, "c7": 0.97, "head": 0.9}),
        ("right", "left"),
    ),
    "raised_shoulder": Posture(
        ("raised shoulder", "raised shoulders"),
        "scapula tilted outward beyond the thorax",
        18.0,
        shape(None, {"scapula_right": -1.0, "upper_arm_right": -0.5}),
        ("left", "right", "both"),
    ),
    "lean_back": Posture(
        ("lean back", "leaning back"),
        "T4 backward",
        14.0,
        shape({"lumbar": -1.2, "t12": -1.1, "t4": -1.0, "c7": -0.8, "head": -0.3}),
        stance=SIT,
    ),
    "turn_head": Posture(
        ("turn head", "head turn", "turn the head"),
        "head turned",
        60.0,
        shape(heading={"t4": -0.05, "c7": -0.2, "head": -1.0}),
        ("both", "left", "right"),
        gesture=True,
        over_s=0.9,
        usual_s=5.0,
    ),
    "reach": Posture(
        ("reach", "reaching"),
        "upper arm raised",
        70.0,
        shape(
            {"lumbar": 0.13, "t12": 0.15, "t4": 0.18, "c7": 0.18, "head": 0.05}
            | {"scapula_right": 0.33, "upper_arm_right": -1.0, "wrist_right": -1.1},
            heading={"t4": 0.12, "t12": 0.08, "c7": 0.06, "scapula_right": 0.25},
        ),
        ("right", "left"),
        gesture=True,
        over_s=1.0,
        usual_s=4.0,
    ),
    "drink": Posture(
        ("drink", "drinking"),
        "head backward",
        14.0,
        shape({"c7": -0.25, "head": -1.0, "upper_arm_right": -3.5, "wrist_right": -8.5}),
        ("right", "left"),
        gesture=True,
        over_s=1.2,
        usual_s=5.0,
    ),
    "turn_around": Posture(
        ("turn around", "turn round", "turn"),
        "whole body turned",
        90.0,
        sides=("right", "left"),
    ),
    "stand": Posture(("stand", "stand up", "standing"), stance=STAND),
    "walk": Posture(
        ("walk", "walking"),
        "trunk forward",
        4.0,
        shape({"lumbar": 0.6, "t12": 0.8, "t4": 1.0, "c7": 0.8, "head": 0.3}),
        stance=STAND,
        envelopes=((WALK, 1.0),),
    ),
    "lie": Posture(("lie", "lie down", "lying"), stance=LIE, envelopes=((UNREST, 0.4),)),
    "calibration": Posture(
        ("calibration", "calibrate"),
        "bow from the hips",
        38.0,
        shape({"lumbar": 0.85, "t12": 0.97, "t4": 1.0, "c7": 0.97, "head": 0.8}),
        stance=SIT,
        gesture=True,
        over_s=2.2,
        usual_s=CALIBRATION_S,
        envelopes=((UNREST, 0.5),),
    ),
}
