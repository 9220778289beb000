"""One made-up person: sizes, own upright, amounts, pace, and the small movements that never stop."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from device.wearer.body import (
    AHEAD,
    ASIDE,
    FRONTAL,
    HEADING,
    SAGITTAL,
    SEGMENTS,
    UNREST,
    UP,
    WALK,
    channel,
)
from poise.samples import Floats

ALWAYS: Final = -1
_UPRIGHT_DEG: Final = {
    "pelvis": -6.0,
    "lumbar": -4.0,
    "t12": -8.0,
    "t4": 14.0,
    "c7": 32.0,
    "head": -5.0,
    "scapula_left": 12.0,
    "scapula_right": 12.0,
    "upper_arm_left": -12.0,
    "upper_arm_right": -12.0,
    "wrist_left": -60.0,
    "wrist_right": -60.0,
}
"""Sagittal inclination of the segment itself when a person sits upright; each person has others, so 'zero' is
always the person's own (design of the calibration). Round figures of this simulation."""


@dataclass(frozen=True, slots=True)
class Waves:
    """Sinusoids that are added to channels: amplitude · sin(2π f t + phase), times an envelope channel.

    Attributes:
        channels: (w,) which channel each one moves.
        amplitudes: (w,) rad or m.
        hz: (w,) frequency.
        phases: (w,) rad.
        envelopes: (w,) WALK, UNREST or ALWAYS.
    """

    channels: tuple[int, ...]
    amplitudes: Floats
    hz: Floats
    phases: Floats
    envelopes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Person:
    """Who wears the sensors.

    Attributes:
        height_m: scales all lever arms.
        tempo: above 1 for quicker movements than usual.
        reach: factor on all usual amounts.
        upright_rad: by segment, its own sagittal and frontal inclination when the person sits upright.
        stride_hz: strides a second (two steps each).
        gait_phase: rad, where in the stride the person is at the wearer's start.
        speed_m_s: walking speed.
        impact_m_s2: peak of the heel strike's vertical acceleration at the pelvis.
        waves: sway, breathing, tremor and gait.
    """

    height_m: float
    tempo: float
    reach: float
    upright_rad: dict[str, tuple[float, float]]
    stride_hz: float
    gait_phase: float
    speed_m_s: float
    impact_m_s2: float
    waves: Waves

    @classmethod
    def from_seed(cls, seed: int) -> "Person":
        """Make up a person; the same seed gives the same person."""
        rng = np.random.default_rng([seed, 1])
        stride_hz, gait_phase = float(rng.uniform(0.82, 0.98)), _phase(rng)
        return cls(
            height_m=float(np.clip(rng.normal(1.72, 0.09), 1.5, 2.0)),
            tempo=float(rng.uniform(0.85, 1.2)),
            reach=float(np.clip(rng.normal(1.0, 0.06), 0.9, 1.12)),
            upright_rad={
                name: (float(np.radians(mean + rng.normal(0, 4))), float(np.radians(rng.normal(0, 2))))
                for name, mean in _UPRIGHT_DEG.items()
            },
            stride_hz=stride_hz,
            gait_phase=gait_phase,
            speed_m_s=float(rng.uniform(1.1, 1.4)),
            impact_m_s2=float(rng.uniform(3.0, 5.0)),
            waves=_waves(np.random.default_rng([seed, 2]), stride_hz, gait_phase),
        )


Row = tuple[int, float, float, float, int]


def _waves(rng: np.random.Generator, stride_hz: float, gait_phase: float) -> Waves:
    rows = sorted(_sway(rng) + _breath(rng) + _tremor(rng) + _gait(stride_hz, gait_phase))
    channels, amplitudes, hz, phases, envelopes = zip(*rows, strict=True)
    return Waves(channels, np.array(amplitudes), np.array(hz), np.array(phases), envelopes)


def _sway(rng: np.random.Generator) -> list[Row]:
    """Slow shifts of weight: a few tenths of a degree, below 0.4 Hz; the head looks about a little more."""
    rows = []
    for segment in SEGMENTS:
        for axis, size in ((SAGITTAL, 0.22), (FRONTAL, 0.15), (HEADING, 1.5 if segment == "head" else 0.3)):
            for low, high in ((0.03, 0.09), (0.11, 0.21), (0.23, 0.37)):
                amplitude = np.radians(size * rng.uniform(0.6, 1.4))
                rows.append((channel(segment, axis), amplitude, rng.uniform(low, high), _phase(rng), UNREST))
    return rows


def _breath(rng: np.random.Generator) -> list[Row]:
    """Breathing tilts thorax and shoulder blades together, 12 to 18 times a minute, always."""
    hz, phase = rng.uniform(0.2, 0.3), _phase(rng)
    sizes = {"t12": 0.2, "t4": 0.45, "c7": 0.25, "head": -0.1, "scapula_left": 0.5, "scapula_right": 0.5}
    return [(channel(name, SAGITTAL), np.radians(size), hz, phase, ALWAYS) for name, size in sizes.items()]


def _tremor(rng: np.random.Generator) -> list[Row]:
    return [
        (channel("head", axis), np.radians(0.008), rng.uniform(4.0, 8.0), _phase(rng), ALWAYS)
        for axis in (SAGITTAL, FRONTAL)
    ]


def _gait(stride_hz: float, start: float) -> list[Row]:
    """Walking: the body bobs twice a stride, sways and counter-rotates once a stride, the head least."""
    step = 2 * stride_hz
    rows: list[Row] = [
        (UP, 0.018, step, 2 * start, WALK),
        (AHEAD, 0.008, step, 2 * start + 1.2, WALK),
        (ASIDE, 0.022, stride_hz, start + 0.4, WALK),
    ]
    nod = {"pelvis": 1.2, "lumbar": 1.2, "t12": 1.0, "t4": 1.3, "c7": 1.2, "head": 1.0}
    roll = {"pelvis": 3.0, "lumbar": 2.2, "t12": 1.5, "t4": 1.2, "c7": 1.0, "head": 0.6}
    twist = {"pelvis": 5.0, "lumbar": 3.0, "t12": -1.5, "t4": -4.0, "c7": -2.5, "head": -1.0}
    for side in ("left", "right"):
        nod[f"scapula_{side}"], roll[f"scapula_{side}"], twist[f"scapula_{side}"] = 1.5, 1.4, -4.5
    for sizes, axis, hz in ((nod, SAGITTAL, step), (roll, FRONTAL, stride_hz), (twist, HEADING, stride_hz)):
        for name, size in sizes.items():
            late = 2 * start if hz == step else start
            rows.append((channel(name, axis), np.radians(size), hz, late + 0.3, WALK))
    for side, turn in (("left", 0.0), ("right", np.pi)):
        for part, swing in (("upper_arm", 18.0), ("wrist", 25.0)):
            rows.append(
                (channel(f"{part}_{side}", SAGITTAL), np.radians(swing), stride_hz, start + turn, WALK)
            )
    return rows


def _phase(rng: np.random.Generator) -> float:
    return float(rng.uniform(0, 2 * np.pi))
