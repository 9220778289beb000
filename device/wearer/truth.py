"""What is true about a simulated wearer: angles, and the stretches in which each kind of posture held.

The rules follow docs/postures.md in words, and are written here a second time on purpose: the analytics are
judged against them and must not be judged against themselves.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from device.wearer.timeline import Label
from poise.errors import ConfigurationError
from poise.results import SPINE_KINDS, Kind
from poise.samples import Floats

RATE_HZ: Final = 10
FORMAT: Final = "poise truth 1"
Held = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class TruthRules:
    """Thresholds in degrees of deviation from the person's own upright; the simulation's own yardstick.

    Attributes:
        forward_head_deg: C7 forward of upright, and as much beyond T4.
        slouch_deg: T4 forward, C7 with it at least half as far, lumbar less than half as far.
        hip_lean_deg: T4 forward, lumbar at least half as far.
        looking_down_deg: head forward beyond C7.
        side_bend_deg: T4 sideways, either side.
        rounded_deg: scapula forward beyond T4.
        raised_deg: scapula's outer edge up beyond T4's sideways lean.
        bridge_s: an interruption shorter than this does not end a stretch; sway at the threshold is none.
    """

    forward_head_deg: float = 10.0
    slouch_deg: float = 12.0
    hip_lean_deg: float = 12.0
    looking_down_deg: float = 20.0
    side_bend_deg: float = 12.0
    rounded_deg: float = 10.0
    raised_deg: float = 12.0
    bridge_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time in which a kind held; s since the wearer's start."""

    kind: Kind
    start_s: float
    end_s: float
    peak_rad: float

    @property
    def seconds(self) -> float:
        """How long it lasted, s."""
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True)
class Truth:
    """The true angles and stretches of a simulated wearer.

    Attributes:
        seed: the wearer's.
        script: its script's name.
        start_us: UTC µs of the wearer's start, 0 if it was not tied to a time.
        t_s: (n,) s since the start, at 10 Hz.
        sagittal: by segment, (n,) rad deviation from the person's own upright, forward positive.
        frontal: by segment, (n,) rad, to the person's right positive.
        stretches: where each kind held, of any length, by start.
        labels: what the script says, for comparison.
    """

    seed: int
    script: str
    start_us: int
    t_s: Floats
    sagittal: Mapping[str, Floats]
    frontal: Mapping[str, Floats]
    stretches: tuple[Stretch, ...]
    labels: tuple[Label, ...]

    def episodes(self, dwell_s: float = 10.0) -> list[Stretch]:
        """Return the stretches that lasted `dwell_s` or longer."""
        return [stretch for stretch in self.stretches if stretch.seconds >= dwell_s]

    def to_json(self) -> bytes:
        """Return it as a JSON file, angles to 0.00001 rad."""
        plain: dict[str, Any] = {
            "format": FORMAT,
            "origin": "simulated",
            "seed": self.seed,
            "script": self.script,
            "start_us": self.start_us,
            "rate_hz": RATE_HZ,
            "first_s": float(self.t_s[0]) if len(self.t_s) else 0.0,
            "sagittal_rad": {name: np.round(v, 5).tolist() for name, v in self.sagittal.items()},
            "frontal_rad": {name: np.round(v, 5).tolist() for name, v in self.frontal.items()},
            "stretches": [asdict(stretch) for stretch in self.stretches],
            "labels": [asdict(label) for label in self.labels],
        }
        return json.dumps(plain, allow_nan=False).encode()

    @classmethod
    def from_json(cls, data: bytes) -> "Truth":
        """Read a truth file.

        Raises:
            ConfigurationError: if it is none.
        """
        try:
            plain = json.loads(data)
            if plain["format"] != FORMAT:
                raise ConfigurationError(f"this truth file is a {plain['format']!r}, not a {FORMAT!r}")
            sagittal = {name: np.array(v, np.float64) for name, v in plain["sagittal_rad"].items()}
            n = len(next(iter(sagittal.values()), ()))
            return cls(
                plain["seed"],
                plain["script"],
                plain["start_us"],
                _grid(plain["first_s"], n),
                sagittal,
                {name: np.array(v, np.float64) for name, v in plain["frontal_rad"].items()},
                tuple(Stretch(**row | {"kind": Kind(row["kind"])}) for row in plain["stretches"]),
                tuple(Label(**row) for row in plain["labels"]),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as exc:
            raise ConfigurationError("this is no truth file of a simulated wearer") from exc


def _grid(first_s: float, n: int) -> Floats:
    return (round(first_s * RATE_HZ) + np.arange(n)) / RATE_HZ


def truth_times(start_s: float, stop_s: float) -> Floats:
    """Return the 10 Hz grid in `start_s <= t < stop_s`, s."""
    first, last = (math.ceil(round(t * RATE_HZ, 6)) for t in (start_s, stop_s))
    return np.arange(first, last) / RATE_HZ


def find_stretches(
    t_s: Floats, sagittal: Mapping[str, Floats], frontal: Mapping[str, Floats], rules: TruthRules
) -> tuple[Stretch, ...]:
    """Apply the rules to true angles, one spine kind at a moment, shoulders beside it.

    Args:
        t_s: (n,) s at 10 Hz.
        sagittal: by segment, (n,) rad.
        frontal: by segment, (n,) rad.
        rules: the thresholds.
    """
    measures = _measures(sagittal, frontal)
    held = _one_spine_kind(_held(sagittal, measures, rules))
    found = [s for kind, mask in held.items() for s in _stretches(kind, t_s, mask, measures[kind], rules)]
    return tuple(sorted(found, key=lambda s: (s.start_s, s.kind)))


def _measures(sagittal: Mapping[str, Floats], frontal: Mapping[str, Floats]) -> dict[Kind, Floats]:
    thorax = sagittal["t4"]
    return {
        Kind.HIP_LEAN: thorax,
        Kind.SLOUCH: thorax,
        Kind.FORWARD_HEAD: sagittal["c7"] - thorax,
        Kind.LOOKING_DOWN: sagittal["head"] - sagittal["c7"],
        Kind.SIDE_BEND: np.abs(frontal["t4"]),
        Kind.ROUNDED_SHOULDER_LEFT: sagittal["scapula_left"] - thorax,
        Kind.ROUNDED_SHOULDER_RIGHT: sagittal["scapula_right"] - thorax,
        Kind.RAISED_SHOULDER_LEFT: frontal["scapula_left"] - frontal["t4"],
        Kind.RAISED_SHOULDER_RIGHT: frontal["t4"] - frontal["scapula_right"],
    }


def _held(
    sagittal: Mapping[str, Floats], measures: Mapping[Kind, Floats], rules: TruthRules
) -> dict[Kind, Held]:
    thorax, with_lumbar = sagittal["t4"], sagittal["lumbar"] >= 0.5 * sagittal["t4"]
    limits = {
        Kind.HIP_LEAN: rules.hip_lean_deg,
        Kind.SLOUCH: rules.slouch_deg,
        Kind.FORWARD_HEAD: rules.forward_head_deg,
        Kind.LOOKING_DOWN: rules.looking_down_deg,
        Kind.SIDE_BEND: rules.side_bend_deg,
        Kind.ROUNDED_SHOULDER_LEFT: rules.rounded_deg,
        Kind.ROUNDED_SHOULDER_RIGHT: rules.rounded_deg,
        Kind.RAISED_SHOULDER_LEFT: rules.raised_deg,
        Kind.RAISED_SHOULDER_RIGHT: rules.raised_deg,
    }
    held: dict[Kind, Held] = {kind: measures[kind] >= np.radians(deg) for kind, deg in limits.items()}
    held[Kind.HIP_LEAN] &= with_lumbar
    held[Kind.SLOUCH] &= ~with_lumbar & (sagittal["c7"] >= 0.5 * thorax)
    held[Kind.FORWARD_HEAD] &= sagittal["c7"] >= np.radians(rules.forward_head_deg)
    return held


def _one_spine_kind(held: dict[Kind, Held]) -> dict[Kind, Held]:
    taken: Held = np.zeros(len(held[Kind.SLOUCH]), np.bool_)
    for kind in SPINE_KINDS:
        held[kind] = held[kind] & ~taken
        taken = taken | held[kind]
    return held


def _stretches(kind: Kind, t_s: Floats, mask: Held, measure: Floats, rules: TruthRules) -> list[Stretch]:
    edges = np.diff(np.concatenate([[0], mask.astype(np.int8), [0]]))
    spans: list[tuple[int, int]] = []
    rises, falls = np.flatnonzero(edges == 1).tolist(), np.flatnonzero(edges == -1).tolist()
    for rise, end in zip(rises, falls, strict=True):
        start = rise
        if spans and start - spans[-1][1] < rules.bridge_s * RATE_HZ:
            start = spans.pop()[0]
        spans.append((start, end))
    return [
        Stretch(kind, float(t_s[a]), float(t_s[b - 1]) + 1 / RATE_HZ, float(measure[a:b].max()))
        for a, b in spans
    ]


def labels_between(labels: Sequence[Label], start_s: float, stop_s: float) -> tuple[Label, ...]:
    """Return the labels that overlap a time."""
    return tuple(label for label in labels if label.end_s > start_s and label.start_s < stop_s)
