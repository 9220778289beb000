"""Counts to the figures that people read: percentiles, time in zones, EVA, RULA, and rates an hour seen.

Every figure rests on the time that was seen and judged, and is None where that is less than is asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analytics.exposure.counts import (
    ANGLE_BINS,
    ANGLE_HIGH_DEG,
    ANGLE_LOW_DEG,
    RATE_EDGES,
    Counted,
    Counts,
)
from poise.results import ACTIVITIES, Activity

LEAST_QUARTER_S: Final = 60.0
"""A figure of a quarter of an hour rests on at least this: a project decision."""
LEAST_DAY_S: Final = 900.0
"""A figure of a day or a phase rests on at least this: a project decision."""

_FRAMES_A_SECOND: Final = 10
_ANGLE_MIDDLE: Final = ANGLE_LOW_DEG - 0.25 + np.arange(ANGLE_BINS) / 2
# A bin of tenths holds its lower edge, and the next one's does not belong to it.
_RATE_MIDDLE: Final = (RATE_EDGES + np.append(RATE_EDGES[1:] - 1, RATE_EDGES[-1])) / 20


@dataclass(frozen=True, slots=True)
class Percentiles:
    """10th, 50th and 90th percentile of the time seen, each off by half a bin at most.

    That is 0.25°; of a speed nothing below 2 °/s, 0.25 below 10, 0.5 below 40, 2.5 below 100, 10 °/s beyond.
    What lies beyond -40 and 80°, or 200 °/s, reads as just there.
    """

    p10: float
    p50: float
    p90: float


@dataclass(frozen=True, slots=True)
class Rula:
    """Neck and trunk parts of RULA over a time (`analytics.exposure.rula`); twist unseen.

    Attributes:
        neck_s: (6,) s by neck score, 1 to 5 at these indices.
        trunk_s: (6,) s by trunk score.
        neck: mean neck score by time, None if too little was seen.
        trunk: mean trunk score by time.
        neck_static: share of the time seen in which the neck was static for over a minute. RULA adds one to
            the score then (muscle use), so `neck + neck_static` is the mean score with it.
        trunk_static: the same for the trunk.
    """

    neck_s: tuple[float, ...]
    trunk_s: tuple[float, ...]
    neck: float | None
    trunk: float | None
    neck_static: float | None
    trunk_static: float | None


def seen_s(counts: Counts, stream: str) -> float:
    """Return s in which a stream was seen and judged."""
    row = counts.row(stream)
    return 0.0 if row is None else float(counts.angle[row].sum(dtype=np.int64)) / _FRAMES_A_SECOND


def activity_s(counts: Counts) -> dict[Activity, float]:
    """Return s by activity, judged or not."""
    return {a: float(n) / _FRAMES_A_SECOND for a, n in zip(ACTIVITIES, counts.activity, strict=True)}


def worn_s(counts: Counts) -> float:
    """Return s in which the sensors were heard and worn."""
    return sum(s for activity, s in activity_s(counts).items() if activity != Activity.NOT_WORN)


def angle_percentiles(counts: Counts, stream: str, *, least_s: float = LEAST_QUARTER_S) -> Percentiles | None:
    """Return percentiles of a stream's angle, degrees; None if less than `least_s` was seen."""
    row = counts.row(stream)
    return None if row is None else _percentiles(counts.angle[row], _ANGLE_MIDDLE, least_s)


def rate_percentiles(counts: Counts, stream: str, *, least_s: float = LEAST_QUARTER_S) -> Percentiles | None:
    """Return percentiles of a stream's angular velocity, °/s; None if less than `least_s` was seen."""
    row = counts.row(stream)
    return None if row is None else _percentiles(counts.rate[row], _RATE_MIDDLE, least_s)


def zones_s(counts: Counts, stream: str, edges_deg: Sequence[int]) -> tuple[float, ...]:
    """Return s below, between and above whole degrees; exact, a zone holds its lower edge.

    Raises:
        ValueError: for an edge that is not a whole degree from -40 to 80.
    """
    if any(edge != int(edge) or not ANGLE_LOW_DEG <= edge <= ANGLE_HIGH_DEG for edge in edges_deg):
        raise ValueError(f"a zone needs edges in whole degrees from {ANGLE_LOW_DEG} to {ANGLE_HIGH_DEG}")
    row = counts.row(stream)
    if row is None:
        return (0.0,) * (len(edges_deg) + 1)
    cuts = [0, *(2 * (int(edge) - ANGLE_LOW_DEG) + 1 for edge in edges_deg), ANGLE_BINS]
    frames = counts.angle[row].astype(np.int64)
    return tuple(float(frames[a:b].sum()) / _FRAMES_A_SECOND for a, b in pairwise(cuts))


def eva(counts: Counts, stream: str) -> NDArray[np.float64] | None:
    """Return (levels, durations) share of the time seen, None if unseen; edges are those of `counts`."""
    row = counts.row(stream)
    total = 0 if row is None else int(counts.eva[row].sum(dtype=np.int64))
    return None if row is None or total == 0 else counts.eva[row] / total


def rula(counts: Counts, *, least_s: float = LEAST_QUARTER_S) -> Rula:
    """Return the neck and trunk parts of RULA."""
    neck, trunk = (
        tuple((frames / _FRAMES_A_SECOND).tolist()) for frames in (counts.rula_neck, counts.rula_trunk)
    )
    upper = next((n for n in ("head_relative", "neck", "head", "c7") if seen_s(counts, n) >= least_s), "")
    return Rula(
        neck,
        trunk,
        _mean_score(neck, least_s),
        _mean_score(trunk, least_s),
        static_share(counts, upper, least_s=least_s),
        static_share(counts, "trunk", least_s=least_s),
    )


def static_share(counts: Counts, stream: str, *, least_s: float = LEAST_QUARTER_S) -> float | None:
    """Return the share of the time seen in which a stream was static (`analytics.exposure.stillness`)."""
    row, seconds = counts.row(stream), seen_s(counts, stream)
    if row is None or seconds < least_s or seconds <= 0:
        return None
    # A static second may have been seen for half of its frames only.
    return min(float(counts.static_s[row]) / seconds, 1.0)


def per_hour(number: float, seconds: float, *, least_s: float = LEAST_DAY_S) -> float | None:
    """Return a number for each hour of the time it was counted in, None if that is less than `least_s`."""
    return None if seconds < least_s or seconds <= 0 else number * 3600 / seconds


def cycles_per_minute(counts: Counts, stream: str, *, least_s: float = LEAST_QUARTER_S) -> float | None:
    """Return repeated movements a minute seen (`analytics.exposure.cycles`)."""
    row, seconds = counts.row(stream), seen_s(counts, stream)
    rate = None if row is None else per_hour(float(counts.cycles[row]), seconds, least_s=least_s)
    return None if rate is None else rate / 60


def _mean_score(seconds: Sequence[float], least_s: float) -> float | None:
    total = sum(seconds)
    weighted = sum(score * s for score, s in enumerate(seconds))
    return None if total < least_s or total <= 0 else weighted / total


def _percentiles(frames: Counted, middle: NDArray[np.float64], least_s: float) -> Percentiles | None:
    """Return the middle of the bins in which a tenth, half and nine tenths of the frames are reached."""
    reached = np.cumsum(frames, dtype=np.int64)
    total = int(reached[-1])
    if total < least_s * _FRAMES_A_SECOND or total == 0:
        return None
    at = np.searchsorted(reached, [-(-total * share // 10) for share in (1, 5, 9)], side="left")
    return Percentiles(*(float(value) for value in middle[at]))
