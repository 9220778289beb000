"""Movements there and back again, of whatever size and tempo: turning points, legs, bouts.

A leg is the way between two turning points that lie further apart than a threshold. A bout is a row of legs
of like size whose ends come back to the same two places. The threshold is not given: a ladder of them is
tried, and the bout that repeats itself best wins. So amplitude, tempo, pauses and which side is rest do not
matter.
Turning points above a threshold are those of rainflow counting (ASTM E1049); the rest is a project decision.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from poise.samples import Bools, Floats, Int64s

LEAST_RANGE_RAD: Final = np.radians(3.0)
"""Smaller movements are not told from breathing and sway: sitting upright, real people sway by 1 to 2°."""
SPREAD: Final = 2.6
"""Legs of one bout differ in size by this factor at most, so that fading does not end it."""
LADDER: Final = 1.3
LEAST_LEGS: Final = 5
"""Three repetitions; two alone could be chance."""
INWARD: Final = 0.22
ASIDE: Final = 0.3
OUTWARD: Final = 0.7
"""How far the first and last end may lie from where the others lie, in shares of the range: decisions."""
NEAR: Final = 0.2
DWELL: Final = 8
"""A set may begin from a place reached in the same direction: the leg then starts where the movement dwelt
for this many moments (0.3 s) within this share of the range of the place where the others start."""
_LONGEST_LEG_S: Final = 12.0
_SHARES: Final = np.linspace(0.0, 1.0, 12)


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
    """Return indices of alternating extremes of `x` (n,) that differ by `threshold` or more, with ends."""
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
    if best is not None and len(rows) > 1:
        best = _with_others(x, features, [legs[a:b] for a, b in rows], best, rate_hz)
    return best and _extended(x, features, points, best)


def _rows(good: Bools) -> list[tuple[int, int]]:
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
            if not _belong(x, features, inner, np.array([outer]))[0]:
                legs = inner
    return legs


def _belong(x: Floats, features: Floats, legs: Int64s, points: Int64s) -> Bools:
    """Tell for each of `points` (k,), ends of legs, whether it lies where this bout's legs end.

    A start from further out is allowed (people come back less far than they began); one from within is not
    (raising the arms to where the exercise begins), nor one from aside.
    """
    places = _places(x, features, legs)
    low, high = (place.mean(axis=0) for place in places)
    size = float(np.sqrt(((high - low) ** 2).sum()))
    is_low = x[points] < 0.5 * (x[legs].min() + x[legs].max())
    off = features[points] - np.where(is_low[:, None], low, high)
    along = (off * (high - low)).sum(axis=1) / size
    aside = np.sqrt(np.maximum(0.0, (off * off).sum(axis=1) - along * along))
    outward = np.where(is_low, -along, along)
    steps = [_step(place) for place in places]
    inward = np.maximum(INWARD * size, 2.5 * np.where(is_low, *steps))
    wide = np.maximum(ASIDE * size, 3.0 * np.where(is_low, *(_scatter(place) for place in places)))
    return np.asarray((aside <= wide) & (outward >= -inward) & (outward <= OUTWARD * size), np.bool_)


def _step(place: Floats) -> float:
    """Return the median distance from one visit of a place to the next."""
    steps = np.sqrt((np.diff(place, axis=0) ** 2).sum(axis=1))
    return float(np.median(steps)) if len(steps) else 0.0


def _with_others(x: Floats, features: Floats, rows: list[Int64s], main: Bout, rate_hz: float) -> Bout:
    """Add other rows that go between the same places: the set went on after something else."""
    taken: list[Int64s] = []
    for legs in rows:
        if legs[0, 0] <= main.legs[0, 0] and legs[-1, 1] >= main.legs[-1, 1]:
            taken.append(main.legs)
            continue
        inside = _belong(x, features, main.legs, legs.ravel()).reshape(-1, 2)
        good = _rows(np.asarray(inside.all(axis=1), np.bool_))
        taken += [legs[a:b] for a, b in good if b - a >= 2]
    whole = np.concatenate(taken)
    found = _measured(x, features, whole, rate_hz, np.repeat(np.arange(len(taken)), [len(t) for t in taken]))
    return main if found is None or found.quality < 0.7 * main.quality else found


def _extended(x: Floats, features: Floats, points: Int64s, bout: Bout) -> Bout:
    """Add the first and last leg of each row where getting ready ran into it without a turning point.

    Both or, in a row that lacks one leg, one: a single leg more would be no repetition.
    """
    low, high = (place.mean(axis=0) for place in _places(x, features, bout.legs))
    legs: list[list[int]] = []
    runs: list[int] = []
    for number in np.unique(bout.runs).tolist():
        row = bout.legs[bout.runs == number].tolist()
        before = _dwelt(features, points, row[0][0], -1, _opposite(x, row[0][::-1], low, high), bout.size)
        after = _dwelt(features, points, row[-1][1], 1, _opposite(x, row[-1], low, high), bout.size)
        whole = len(row) % 2 == 0
        if before is not None and (after is not None or not whole):
            row.insert(0, [before, row[0][0]])
        if after is not None and (before is not None) == whole:
            row.append([row[-1][1], after])
        legs += row
        runs += [number] * len(row)
    return replace(bout, legs=np.array(legs), runs=np.array(runs))


def _opposite(x: Floats, leg: list[int], low: Floats, high: Floats) -> Floats:
    """Return the place from which the leg came, where the next one would go."""
    return low if x[leg[0]] < x[leg[1]] else high


def _dwelt(features: Floats, points: Int64s, outer: int, step: int, goal: Floats, size: float) -> int | None:
    """Return the moment nearest to `outer` at which the flank on its side dwelt near `goal`, if it did."""
    k = int(np.searchsorted(points, outer)) + step
    edge = int(points[k]) if 0 <= k < len(points) else (0 if step < 0 else len(features) - 1)
    a, b = min(edge, outer), max(edge, outer)
    off = features[a : b + 1] - goal
    near = a + np.flatnonzero(np.sqrt((off * off).sum(axis=1)) <= NEAR * size)
    if len(near) < DWELL:
        return None
    return int(near[-1] if step < 0 else near[0])


def _measured(
    x: Floats, features: Floats, legs: Int64s, rate_hz: float, runs: Int64s | None = None
) -> Bout | None:
    low, high = _places(x, features, legs)
    if len(low) < 2 or len(high) < 2:
        return None
    size = float(np.linalg.norm(high.mean(axis=0) - low.mean(axis=0)))
    if size < LEAST_RANGE_RAD:
        return None
    parts = [moving_part(x, a, b) for a, b in legs.tolist()]
    seconds = np.array([max(1, b - a) for a, b in parts]) / rate_hz
    if np.median(seconds) > _LONGEST_LEG_S:
        return None
    tightness = float(np.sqrt(0.5 * (_scatter(low) ** 2 + _scatter(high) ** 2))) / size
    unrest = float(1.4826 * np.median(np.abs(seconds - np.median(seconds))) / np.median(seconds))
    numbers = np.zeros(len(legs), np.int64) if runs is None else runs
    return Bout(legs, numbers, size, tightness, _shape(x, features, legs, parts), unrest)


def moving_part(x: Floats, a: int, b: int) -> tuple[int, int]:
    """Return where the leg from `a` to `b` has left by a tenth of its way, and where a tenth is left."""
    part = x[a : b + 1] if x[b] > x[a] else -x[a : b + 1]
    way = part[-1] - part[0]
    leaves = len(part) - 1 - int((part[::-1] <= part[0] + 0.1 * way).argmax())
    arrives = leaves + int((part[leaves:] >= part[0] + 0.9 * way).argmax())
    return a + leaves, a + arrives


def _shape(x: Floats, features: Floats, legs: Int64s, parts: list[tuple[int, int]]) -> float:
    """Return how much of the way the mean leg of each direction explains, at equal shares of its time."""
    ends = np.array(parts)
    at = np.rint(ends[:, :1] + (ends[:, 1:] - ends[:, :1]) * _SHARES).astype(np.int64)
    curves, rises = features[at], x[legs[:, 1]] > x[legs[:, 0]]
    left, whole = 0.0, 0.0
    for same in (curves[rises], curves[~rises]):
        if len(same) >= 2:
            left += float(((same - same.mean(axis=0)) ** 2).sum())
            whole += float(((same - same.mean(axis=(0, 1))) ** 2).sum())
    return 1.0 - left / whole if whole > 0 else 0.0
