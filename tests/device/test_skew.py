"""Whether sensors agree about when the wearer moved."""

from dataclasses import replace

import numpy as np
import pytest

from device.stream.skew import SkewWatch, lag_us
from device.wearer.wearer import Wearer
from poise.samples import ImuBatch

START_US = 1_790_000_000_000_000


def watched(shifts_us: dict[str, int], seconds: float = 45) -> SkewWatch:
    """Feed a simulated wearer's samples, some sensors' times shifted."""
    watch = SkewWatch()
    for message in Wearer("short", seed=2).to_messages(START_US, "s", stop_s=seconds):
        watch.feed([late(batch, shifts_us.get(batch.segment, 0)) for batch in message.batches])
    return watch


def late(batch: ImuBatch, shift_us: int) -> ImuBatch:
    return replace(batch, t_us=batch.t_us + shift_us)


def by_segment(watch: SkewWatch) -> dict[str, float]:
    names = {sensor.name: name for name, sensor in Wearer("short", seed=2).sensors.items()}
    return {names[sensor]: skew for sensor, skew in watch.skew_us.items()}


def test_a_bow_shows_that_the_times_agree_and_by_how_much_they_do_not() -> None:
    honest, shifted = by_segment(watched({})), by_segment(watched({"t4": 80_000, "lumbar": -60_000}))
    assert set(honest) >= {"t4", "lumbar"}
    assert all(abs(skew) < 60_000 for skew in honest.values())
    assert shifted["t4"] - honest["t4"] == pytest.approx(80_000, abs=10_000)
    assert shifted["lumbar"] - honest["lumbar"] == pytest.approx(-60_000, abs=10_000)


def test_a_lag_is_found_to_a_fraction_of_a_sample() -> None:
    t = np.arange(0, 20, 0.01)
    moves = np.abs(np.sin(t) + 0.7 * np.sin(2.3 * t + 1) + 0.5 * np.sin(5.1 * t))
    later = np.interp(t - 0.0537, t, moves)
    assert lag_us(later, moves) == pytest.approx(53_700, abs=3_000)


def test_nothing_is_said_without_movement_or_where_they_move_apart() -> None:
    random = np.random.default_rng(1)
    still = random.normal(0, 0.02, 2000)
    assert lag_us(np.abs(still), np.abs(still)) is None
    assert lag_us(np.abs(random.normal(0, 1, 2000)), np.abs(random.normal(0, 1, 2000))) is None
    assert lag_us(np.zeros(10), np.zeros(10)) is None
    assert SkewWatch().skew_us == {}
