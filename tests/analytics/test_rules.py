"""The rules of docs/postures.md, pose by pose and for each set of sensors."""

import math

import numpy as np
import pytest

from analytics.posture.held import HeldPosture, held_posture
from analytics.posture.plan import DEFAULT_PLAN
from analytics.posture.rules import Worn, deviations, unseen
from poise.results import SPINE_KINDS, Kind

SIX = ("head", "c7", "t4", "lumbar", "scapula_left", "scapula_right")
BLADES = ("scapula_left", "scapula_right")
POSES = {
    "slouch": {"head": 8, "c7": 22, "t4": 26, "t12": 20, "lumbar": 3} | dict.fromkeys(BLADES, 26),
    "hip lean": {"head": 9, "c7": 14, "t4": 18, "t12": 18, "lumbar": 16} | dict.fromkeys(BLADES, 18),
    "forward head": {"c7": 18, "t4": 2, "t12": 1},
    "text neck": {"head": 35, "c7": 4, "t4": 2},
    "lean back": {"head": -4, "c7": -11, "t4": -14, "t12": -15, "lumbar": -17} | dict.fromkeys(BLADES, -14),
    "rounded right": {"c7": 2, "t4": 2, "scapula_left": 2, "scapula_right": 18},
    "look up": {"head": -40, "c7": -15},
}
SLOUCH, LEAN, HEAD, DOWN = Kind.SLOUCH, Kind.HIP_LEAN, Kind.FORWARD_HEAD, Kind.LOOKING_DOWN
RIGHT = Kind.ROUNDED_SHOULDER_RIGHT


def held(pose, segments, frontal=None):
    """Return the kinds of one pose, only the first of the spine's, with their remarks."""
    worn = Worn({name: j for j, name in enumerate(segments)}, {})
    rows = [np.radians([[float(d.get(name, 0)) for name in segments]]) for d in (pose, frontal or {})]
    found = {d.kind: d.remarks for d in deviations(*rows, worn, DEFAULT_PLAN) if d.excess[0] >= 0}
    spine = [kind for kind in SPINE_KINDS if kind in found]
    return {kind: remarks for kind, remarks in found.items() if kind not in spine[1:]}


@pytest.mark.parametrize(
    ("pose", "segments", "expected"),
    [
        ("slouch", SIX, {SLOUCH: ()}),
        ("hip lean", SIX, {LEAN: ()}),
        ("forward head", SIX, {HEAD: ()}),
        ("text neck", SIX, {DOWN: ()}),
        ("lean back", SIX, {}),
        ("rounded right", SIX, {RIGHT: ()}),
        ("look up", SIX, {}),
        ("slouch", ("c7", "t4"), {SLOUCH: ("lumbar unseen",)}),
        ("hip lean", ("c7", "t4"), {SLOUCH: ("lumbar unseen",)}),
        ("forward head", ("c7", "t4"), {HEAD: ()}),
        ("slouch", ("c7", "t12", "lumbar"), {SLOUCH: ()}),
        ("hip lean", ("c7", "t12", "lumbar"), {LEAN: ()}),
        ("slouch", ("c7", *SIX[4:]), {SLOUCH: ("thorax unseen", "lumbar unseen")}),
        ("forward head", ("c7", *SIX[4:]), {HEAD: ("thorax unseen",)}),
        ("rounded right", ("c7", *SIX[4:]), {RIGHT: ("thorax unseen",)}),
        ("look up", ("c7", *SIX[4:]), {}),
        ("slouch", ("head", "c7"), {HEAD: ("thorax unseen",)}),
        ("text neck", ("head", "c7"), {DOWN: ()}),
        ("hip lean", ("c7", "lumbar"), {LEAN: ("thorax unseen",)}),
        ("forward head", ("head", "t4"), {}),
        ("text neck", ("head", "t4"), {DOWN: ("c7 unseen",)}),
        ("slouch", ("head", "lumbar"), {}),
        ("forward head", ("head", "scapula_left"), {}),
    ],
)
def test_each_set_of_sensors_sees_what_it_can_and_says_what_it_cannot(pose, segments, expected):
    assert held(POSES[pose], segments) == expected


@pytest.mark.parametrize(("side", "outward"), [("left", 1), ("right", -1)])
def test_a_raised_shoulder_is_an_outward_tilt_of_its_own_side(side, outward):
    kind, blade, arm = Kind(f"raised_shoulder_{side}"), f"scapula_{side}", f"upper_arm_{side}"
    assert held({}, SIX, {blade: 15 * outward}) == {kind: ()}
    assert held({}, SIX, {blade: -15 * outward}) == {}
    assert held({}, SIX, dict.fromkeys(SIX, 15 * outward)) == {Kind.SIDE_BEND: ()}
    assert held({}, ("c7", "t4", arm), {arm: 25 * outward}) == {kind: ("shoulder blade unseen",)}
    assert held({arm: -60}, ("c7", "t4", arm), {arm: 25 * outward}) == {}, "an arm reached forward"
    crooked = {"t4": 20, blade: 40}
    assert kind not in held(crooked, SIX, {blade: 13 * outward}), "a lean through a turned sensor"


@pytest.mark.parametrize(
    ("segments", "words"),
    [
        (SIX, []),
        (("c7", "t4"), ["lower back", "head", "rounded", "raised"]),
        (("head", "c7"), ["not told from a forward head", "lower back", "rounded", "raised"]),
        (("head", "t4"), ["level gaze", "lower back", "rounded", "raised"]),
        (("c7", "scapula_left", "scapula_right"), ["by the shoulders only", "lower back", "head"]),
        (("c7", "t4", "lumbar", "head", "scapula_left"), ["right shoulder"]),
        (("head", "lumbar"), ["level gaze", "side bend", "Looking down", "rounded", "raised"]),
    ],
)
def test_what_a_set_of_sensors_cannot_see_is_said_and_nothing_else(segments, words):
    sentences = unseen(Worn({name: j for j, name in enumerate(segments)}, {}))
    assert len(sentences) == len(words)
    assert all(word in sentence for word, sentence in zip(words, sentences, strict=True))


def test_a_held_stretch_has_one_name_also_where_a_sensor_was_not_seen():
    worn = Worn({"c7": 0, "t4": 1, "lumbar": 2}, {})
    level = np.zeros((5, 3))

    def named(c7, t4, lumbar, aside=0.0):
        rows = np.radians(np.tile([c7, t4, lumbar], (5, 1)))
        return held_posture(rows, level + math.radians(aside), worn)

    assert named(0.0, 0.0, 0.0) is HeldPosture.UPRIGHT
    assert named(22.0, 26.0, 3.0) is HeldPosture.SLOUCH
    assert named(22.0, 26.0, math.nan) is HeldPosture.SLOUCH
    assert named(12.0, 18.0, 16.0) is HeldPosture.HIP_LEAN
    assert named(18.0, 1.0, 0.0) is HeldPosture.FORWARD_HEAD
    assert named(-8.0, -12.0, -20.0) is HeldPosture.BACKWARD_BEND
    assert named(21.0, 25.0, 4.0, 15.0) is HeldPosture.RIGHT_BEND
    assert named(math.nan, math.nan, 4.0) is HeldPosture.UNSEEN
