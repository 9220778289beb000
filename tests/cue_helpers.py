"""Postures given to the cueing, and when it spoke."""

from dataclasses import replace
from typing import Any

import numpy as np

from analytics.cues.cue import Cued
from analytics.cues.cueing import Cueing
from analytics.cues.plan import CuePlan
from poise.results import GRID_US, Kind

NOON_US = 20_000 * 86_400_000_000 + 12 * 3_600_000_000
HOUR_US = 3_600_000_000
KINDS = (Kind.SLOUCH, Kind.FORWARD_HEAD)
BARE = CuePlan(fading=(), quiet_hours=(), budget_per_day=10_000)
ALWAYS = replace(
    BARE, varied_s=60, steady_s=60, content_s=5, refractory_s=120, repeat_s=120, repeat_most_s=1800
)
"""One limit, whether the work varies or not."""


def times(seconds: float, start_us: int = NOON_US) -> np.ndarray:
    return start_us + np.arange(round(seconds * 10), dtype=np.int64) * GRID_US


def stretch(*parts: tuple[float, float]) -> np.ndarray:
    """Return (n, 1) deviation over threshold: seconds and ratio of each part."""
    return np.concatenate([np.full(round(seconds * 10), ratio) for seconds, ratio in parts])[:, None]


def posture(ratio: np.ndarray, plan: CuePlan = ALWAYS, **more: Any) -> tuple[Cueing, Cued]:
    cueing = Cueing(plan)
    start_us = more.pop("start_us", NOON_US)
    t_us = times(len(ratio) / 10, start_us)
    return cueing, cueing.update(t_us, KINDS[:1], ratio >= 1, ratio, **more)


def at_s(cued: Cued) -> list[float]:
    return [(cue.t_us - NOON_US) / 1e6 for cue in cued.cues]
