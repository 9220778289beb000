"""How a set was done: range, tempo and left against right. Figures only; nothing is marked good or bad."""

from dataclasses import dataclass

import numpy as np

from analytics.exercises.cycles import moving_part
from analytics.exercises.signals import RATE_HZ
from analytics.exercises.views import View
from poise.samples import Floats


@dataclass(frozen=True, slots=True)
class Tempo:
    """Seconds of one repetition, medians over the set.

    Attributes:
        period_s: from one repetition to the next, pauses included.
        out_s: moving out.
        back_s: moving back.
        unevenness: spread of the repetitions' own durations against their mean.
    """

    period_s: float
    out_s: float
    back_s: float
    unevenness: float


@dataclass(frozen=True, slots=True)
class Range:
    """How far the watched segment moved, rad.

    Attributes:
        segment: whose range it is.
        mean_rad: mean over the repetitions.
        spread_rad: standard deviation over them.
        lost: share by which the last third is smaller than the first; negative if it grew.
    """

    segment: str
    mean_rad: float
    spread_rad: float
    lost: float


@dataclass(frozen=True, slots=True)
class Repetition:
    """One repetition.

    Attributes:
        start_us: UTC µs at which it leaves its start by a tenth of the way.
        end_us: UTC µs at which it is back but for a tenth.
        range_rad: how far the segment moved, tilt and turn together.
        out_s: seconds of moving out.
        back_s: seconds of moving back; NaN if the way back was not seen.
    """

    start_us: int
    end_us: int
    range_rad: float
    out_s: float
    back_s: float


def repetitions(view: View) -> tuple[Repetition, ...]:
    """Return the bout's repetitions in time order: two legs each."""
    found = []
    for number in np.unique(view.bout.runs):
        legs = view.bout.legs[view.bout.runs == number].tolist()
        found += [_repetition(view, legs[i : i + 2]) for i in range(0, len(legs), 2)]
    return tuple(found)


def _repetition(view: View, legs: list[list[int]]) -> Repetition:
    parts = [moving_part(view.x, a, b) for a, b in legs]
    t_us = view.signals.t_us
    seconds = [(b - a) / RATE_HZ for a, b in parts]
    return Repetition(
        int(t_us[parts[0][0]]),
        int(t_us[parts[-1][1]]),
        float(np.mean([way(view, a, b) for a, b in legs])),
        seconds[0],
        seconds[1] if len(seconds) > 1 else float("nan"),
    )


def way(view: View, a: int, b: int) -> float:
    """Return the angle between two moments, rad: tilt against gravity and turn about the vertical."""
    up = view.signals.up
    tilt = np.arccos(np.clip((up[a] * up[b]).sum(), -1.0, 1.0))
    return float(np.hypot(tilt, view.features[b, 3] - view.features[a, 3]))


def range_of(segment: str, found: tuple[Repetition, ...]) -> Range:
    """Return the set's range."""
    sizes = np.array([repetition.range_rad for repetition in found])
    third = max(1, len(sizes) // 3)
    lost = 1.0 - float(sizes[-third:].mean() / sizes[:third].mean())
    spread = float(sizes.std(ddof=1)) if len(sizes) > 1 else float("nan")
    return Range(segment, float(sizes.mean()), spread, lost)


def tempo_of(found: tuple[Repetition, ...]) -> Tempo:
    """Return the set's tempo."""
    starts = np.array([repetition.start_us for repetition in found])
    whole = np.array([(repetition.end_us - repetition.start_us) / 1e6 for repetition in found])
    back = np.array([repetition.back_s for repetition in found])
    period = float(np.median(np.diff(starts))) / 1e6 if len(starts) > 1 else float("nan")
    seen = back[np.isfinite(back)]
    return Tempo(
        period,
        float(np.median([repetition.out_s for repetition in found])),
        float(np.median(seen)) if len(seen) else float("nan"),
        float(whole.std() / whole.mean()) if whole.mean() > 0 else 0.0,
    )


def symmetry_of(one: View, other: View) -> float:
    """Return the other side's range against this side's over the same legs, the smaller over the larger.

    1 is alike, 0 is one side alone. Both sides must be cut to the same moments.
    """
    legs = one.bout.legs
    here = np.array([way(one, a, b) for a, b in legs.tolist()])
    there = np.array([_widest(other, a, b) for a, b in legs.tolist()])
    left, right = float(here.mean()), float(there.mean())
    return min(left, right) / max(left, right) if max(left, right) > 0 else 1.0


def _widest(view: View, a: int, b: int) -> float:
    features: Floats = view.features[a : b + 1]
    return way(view, a, a + int(np.argmax(((features - features[0]) ** 2).sum(axis=1))))
