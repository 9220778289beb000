"""Movements there and back again, of whatever size and tempo: turning points, legs, bouts.

A leg is the way between two turning points that lie further apart than a threshold. A bout is a row of legs of
like size whose ends come back to the same two places. The threshold is not given: a ladder of them is tried,
and the bout that repeats itself best wins. So amplitude, tempo, pauses and which side is rest do not matter.
Turning points above a threshold are those of rainflow counting (ASTM E1049); the rest is a project decision.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from poise.samples import Floats, Int64s

LEAST_RANGE_RAD: Final = np.radians(3.0)
"""Smaller movements are not told from breathing and sway: sitting upright, real people sway by 1 to 2°."""
SPREAD: Final = 2.6
"""Legs of one bout differ in size by this factor at most, so that fading does not end it."""
LADDER: Final = 1.3
LEAST_LEGS: Final = 5
"""Three repetitions; two alone could be chance."""
INWARD: Final = 0.17
ASIDE: Final = 0.3
OUTWARD: Final = 0.7
"""How far the first and last end may lie from where the others lie, in shares of the range: decisions."""
_LONGEST_LEG_S: Final = 12.0
_SHAPE: Final = 12


@dataclass(frozen=True, slots=True)
class Bout:
    """Repetitions of one movement.

    Attributes:
        legs: (k, 2) int indices of each leg's two turning points, in time order; there may be pauses between.
        runs: (k,) int, legs of one unbroken row have the same number.
        size: distance between the two places where legs end, in the features' units (about rad).
        tightness: scatter of those places against `size`: 0 for a machine.
        shape: share of the way that the mean leg explains, 0 to 1.
        unrest: robust spread of the legs' durations against their median.
    """

    legs: Int64s
    runs: Int64s
    size: float
    tightness: float
    shape: float
    unrest: float

    @property
    def count(self) -> int:
        """Repetitions: two legs each; a leg without partner was cut off by the start, the end or a pause."""
        return sum(-(-int(n) // 2) for n in np.unique(self.runs, return_counts=True)[1])

    @property
    def quality(self) -> float:
        """How surely this is one movement repeated, 0 to 1."""
        steady = _falling(self.tightness, 0.16, 0.42)
        alike = 1.0 - _falling(self.shape, 0.55, 0.88)
        even = _falling(self.unrest, 0.45, 1.1)
        return float(steady * alike * (0.4 + 0.6 * even))


def _falling(value: float, good: float, bad: float) -> float:
    return float(np.clip((bad - value) / (bad - good), 0.0, 1.0))


def turning_points(x: Floats, threshold: float) -> Int64s:
    """Return indices of alternating extremes of `x` (n,) that differ by at least `threshold`; ends included."""
    turns = np.flatnonzero(np.diff(np.sign(np.diff(x)) >= 0)) + 1
    candidates = np.concatenate([[0], turns, [len(x) - 1]])
    return candidates[_zigzag(x[candidates].tolist(), threshold)]


def _zigzag(values: list[float], threshold: float) -> list[int]:
    """Return positions of the alternating extremes; the first and last are the ends of the outer legs."""
    low = high = best = 0
    kept: list[int] = []
    rising = None
    for i, value in enumerate(values):
        if rising is None:
            low, high = (i if value < values[low] else low), (i if value > values[high] else high)
            if values[high] - values[low] >= threshold:
                rising = high > low
                kept.append(low if rising else high)
                best = high if rising else low
        elif (value > values[best]) if rising else (value < values[best]):
            best = i
        elif abs(value - values[best]) >= threshold:
            kept.append(best)
            rising, best = not rising, i
    return [*kept, best] if kept else []


def bouts(x: Floats, features: Floats, rate_hz: float) -> Iterator[Bout]:
    """Yield what repeats in `x` (n,), a view of `features` (n, d), at every threshold of the ladder."""
    threshold = 0.6 * LEAST_RANGE_RAD
    points = turning_points(x, threshold)
    while len(points) > LEAST_LEGS:
        points = points[_zigzag(x[points].tolist(), threshold)]
        bout = _bout(x, features, points, threshold, rate_hz)
        if bout is not None:
            yield bout
        threshold *= LADDER


def _bout(x: Floats, features: Floats, points: Int64s, threshold: float, rate_hz: float) -> Bout | None:
    sizes = np.abs(np.diff(x[points]))
    rows = _rows((sizes >= threshold) & (sizes <= SPREAD * threshold))
    legs = np.stack([points[:-1], points[1:]], axis=1)
    best: Bout | None = None
    for a, b in rows:
        if b - a >= LEAST_LEGS:
            found = _measured(x, features, _pruned(x, features, legs[a:b]), rate_hz)
            if found and (best is None or found.quality * len(found.legs) > best.quality * len(best.legs)):
                best = found
    if best is None or len(rows) == 1:
        return best
    return _with_others(x, features, [legs[a:b] for a, b in rows], best, rate_hz)


def _rows(good: np.ndarray) -> list[tuple[int, int]]:
    edges = np.diff(np.concatenate([[0], good.astype(np.int8), [0]]))
    return list(zip(np.flatnonzero(edges == 1).tolist(), np.flatnonzero(edges == -1).tolist(), strict=True))


def _places(x: Floats, features: Floats, legs: Int64s) -> tuple[Floats, Floats]:
    """Return the places where legs end, low (i, d) and high (j, d) in `x`."""
    points = np.unique(legs)
    middle = 0.5 * (x[legs].min(axis=1).mean() + x[legs].max(axis=1).mean())
    return features[points[x[points] < middle]], features[points[x[points] >= middle]]


def _scatter(place: Floats) -> float:
    return float(np.sqrt(((place - place.mean(axis=0)) ** 2).sum(axis=1).mean()))


def _pruned(x: Floats, features: Floats, legs: Int64s) -> Int64s:
    """Take off outer legs that begin or end elsewhere: getting ready is no repetition."""
    for _ in range(2):
        for first in (True, False):
            if len(legs) <= LEAST_LEGS:
                return legs
            inner = legs[1:] if first else legs[:-1]
            outer = legs[0, 0] if first else legs[-1, 1]
            if not _belongs(x, features, inner, int(outer)):
                legs = inner
    return legs


def _belongs(x: Floats, features: Floats, legs: Int64s, point: int) -> bool:
    """Tell whether a leg's end lies where this bout's legs end.

    A start from further out is allowed (people come back less far than they began); one from within is not
    (raising the arms to where the exercise begins), nor one from aside.
    """
    low, high = _places(x, features, legs)
    way = high.mean(axis=0) - low.mean(axis=0)
    size = float(np.sqrt((way * way).sum()))
    is_low = x[point] < 0.5 * (x[legs].min() + x[legs].max())
    place = low if is_low else high
    off = features[point] - place.mean(axis=0)
    outward = float((off * way).sum()) / size * (-1 if is_low else 1)
    aside = float(np.sqrt(max(0.0, (off * off).sum() - outward * outward)))
    steps = np.sqrt((np.diff(place, axis=0) ** 2).sum(axis=1))
    inward = max(INWARD * size, 2.5 * float(np.median(steps)) if len(steps) else 0.0)
    return aside <= max(ASIDE * size, 3.0 * _scatter(place)) and -inward <= outward <= OUTWARD * size


def _with_others(x: Floats, features: Floats, rows: list[Int64s], main: Bout, rate_hz: float) -> Bout:
    """Add other rows that go between the same places: the set went on after something else."""
    taken: list[Int64s] = []
    for legs in rows:
        if legs[0, 0] <= main.legs[0, 0] and legs[-1, 1] >= main.legs[-1, 1]:
            taken.append(main.legs)
            continue
        inside = np.array([_belongs(x, features, main.legs, int(p)) for p in legs.ravel()]).reshape(-1, 2)
        good = _rows(inside.all(axis=1))
        taken += [legs[a:b] for a, b in good if b - a >= 2]
    whole = np.concatenate(taken)
    found = _measured(x, features, whole, rate_hz, np.repeat(np.arange(len(taken)), [len(t) for t in taken]))
    return main if found is None or found.quality < 0.7 * main.quality else found


def _measured(
    x: Floats, features: Floats, legs: Int64s, rate_hz: float, runs: Int64s | None = None
) -> Bout | None:
    low, high = _places(x, features, legs)
    if len(low) < 2 or len(high) < 2:
        return None
    size = float(np.linalg.norm(high.mean(axis=0) - low.mean(axis=0)))
    if size < LEAST_RANGE_RAD:
        return None
    seconds = np.array([_moving(x, a, b) for a, b in legs.tolist()]) / rate_hz
    if np.median(seconds) > _LONGEST_LEG_S:
        return None
    tightness = float(np.sqrt(0.5 * (_scatter(low) ** 2 + _scatter(high) ** 2))) / size
    unrest = float(1.4826 * np.median(np.abs(seconds - np.median(seconds))) / np.median(seconds))
    numbers = np.zeros(len(legs), np.int64) if runs is None else runs
    return Bout(legs, numbers, size, tightness, _shape(x, features, legs), unrest)


def moving_part(x: Floats, a: int, b: int) -> tuple[int, int]:
    """Return where the leg from `a` to `b` leaves its start by a tenth of the way and is a tenth from its end."""
    share = (x[a : b + 1] - x[a]) / (x[b] - x[a])
    leaves = int(np.flatnonzero(share <= 0.1)[-1])
    arrives = leaves + int(np.flatnonzero(share[leaves:] >= 0.9)[0])
    return a + leaves, a + arrives


def _moving(x: Floats, a: int, b: int) -> int:
    leaves, arrives = moving_part(x, a, b)
    return max(1, arrives - leaves)


def _shape(x: Floats, features: Floats, legs: Int64s) -> float:
    """Return how much of the way the mean leg of each direction explains, at equal shares of its time."""
    ways: dict[bool, list[Floats]] = {True: [], False: []}
    for a, b in legs.tolist():
        leaves, arrives = moving_part(x, a, b)
        at = np.rint(np.linspace(leaves, max(arrives, leaves + 1), _SHAPE)).astype(np.int64)
        ways[bool(x[b] > x[a])].append(features[np.minimum(at, len(x) - 1)])
    left, whole = 0.0, 0.0
    for same in ways.values():
        if len(same) >= 2:
            curves = np.stack(same)
            left += float(((curves - curves.mean(axis=0)) ** 2).sum())
            whole += float(((curves - curves.mean(axis=(0, 1))) ** 2).sum())
    return 1.0 - left / whole if whole > 0 else 0.0
