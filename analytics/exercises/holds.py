"""How long a stretch was held."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from analytics.exercises.away import away
from analytics.exercises.catalogue import Exercise
from analytics.exercises.signals import RATE_HZ, Parts, gather, smoothed, together
from poise.calibration import Calibration
from poise.samples import Bools, Floats, Int64s
from poise.skeleton import place

LEAST_HOLD_S: Final = 3.0
LEAST_RAD: Final = np.radians(6.0)
LEVEL: Final = 0.85
"""A hold lasts from when this share of its depth is reached until it is left. These three are decisions."""
_LETGO_S: Final = 0.6


@dataclass(frozen=True, slots=True)
class Hold:
    """One hold.

    Attributes:
        start_us: UTC µs at which the stretch was reached.
        end_us: UTC µs at which it was left.
        depth_rad: median angle from rest while held.
        unrest_rad: standard deviation of that angle while held.
    """

    start_us: int
    end_us: int
    depth_rad: float
    unrest_rad: float

    @property
    def seconds(self) -> float:
        """How long it was held, s."""
        return (self.end_us - self.start_us) / 1e6


@dataclass(frozen=True, slots=True)
class Holds:
    """All holds of one stretch.

    Attributes:
        holds: in time order.
        confidence: 0 to 1: how deep against the smallest depth, how steady, how much was seen.
        segment: whose angle was watched, "" for none.
        remarks: sentences about what could not be seen.
    """

    holds: tuple[Hold, ...] = ()
    confidence: float = 0.0
    segment: str = ""
    remarks: tuple[str, ...] = ()

    @property
    def total_s(self) -> float:
        """All holds together, s."""
        return sum(hold.seconds for hold in self.holds)


def hold_times(parts: Parts, calibration: Calibration | None, stretch: Exercise) -> Holds:
    """Measure how long a stretch was held.

    Args:
        parts: batches by segment; the person rests at the beginning and at the end.
        calibration: without one the rest is where the sensors were at the beginning.
        stretch: which one; it says which sensors can see it.
    """
    found = gather(parts)
    found = together(found, found)
    watched = stretch.watched(found)
    if not watched:
        return Holds(remarks=(stretch.unseen,))
    remarks: list[str] = []
    ways = {}
    for name in watched:
        seen = away(found, name, calibration)
        # A held turn cannot be told from drift unless rest comes before and after.
        ways[name] = np.hypot(seen.tilt, seen.turn if seen.anchored else 0.0)
        if not seen.anchored:
            remarks.append("Rest before and after the stretch: turning could not be measured.")
    name = max(ways, key=lambda segment: float(np.quantile(ways[segment], 0.9)))
    signals = found[name]
    holds = _holds(signals.t_us, smoothed(ways[name], 0.2))
    if not holds:
        remarks.append(f"No position was held for {LEAST_HOLD_S:.0f} s at {place(name)}.")
        return Holds((), 0.0, name, tuple(dict.fromkeys(remarks)))
    steady = [1.0 - min(1.0, 3.0 * hold.unrest_rad / hold.depth_rad) for hold in holds]
    deep = [hold.depth_rad / (hold.depth_rad + LEAST_RAD / 2) for hold in holds]
    confidence = float(np.mean(steady) * np.mean(deep) * signals.seen)
    return Holds(tuple(holds), confidence, name, tuple(dict.fromkeys(remarks)))


def _holds(t_us: Int64s, angle: Floats) -> list[Hold]:
    deepest = float(np.quantile(angle, 0.98))
    if deepest < LEAST_RAD:
        return []
    found = []
    for a, b in _stretches(angle >= max(0.5 * deepest, 0.7 * LEAST_RAD)):
        hold = _hold(t_us, angle, a, b)
        if hold is not None:
            found.append(hold)
    return found


def _hold(t_us: Int64s, angle: Floats, a: int, b: int) -> Hold | None:
    quarter = (b - a) // 4
    depth = float(np.median(angle[a + quarter : max(b - quarter, a + quarter + 1)]))
    held = a + np.flatnonzero(angle[a:b] >= LEVEL * depth)
    if len(held) == 0 or (held[-1] - held[0]) / RATE_HZ < LEAST_HOLD_S:
        return None
    span = angle[held[0] : held[-1] + 1]
    return Hold(int(t_us[held[0]]), int(t_us[held[-1]]), depth, float(span.std()))


def _stretches(deep: Bools) -> list[tuple[int, int]]:
    """Return spans that are deep; letting go for less than 0.6 s does not end one."""
    edges = np.diff(np.concatenate([[0], deep.astype(np.int8), [0]]))
    found: list[tuple[int, int]] = []
    for a, b in zip(np.flatnonzero(edges == 1).tolist(), np.flatnonzero(edges == -1).tolist(), strict=True):
        if found and a - found[-1][1] < _LETGO_S * RATE_HZ:
            found[-1] = (found[-1][0], b)
        else:
            found.append((a, b))
    return found
