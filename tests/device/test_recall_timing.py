"""When a recording was made: between two looks at the sensor's clock, or by what is left of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.recall.timing import BEGINS_US, LOOK_US, Anchor, anchored, timed, unwrapped

W = 1 << 32
T0 = 1_790_000_000_000_000
HOUR_US = 3_600_000_000


def ticks(first: int, n: int, step: int = 16_667) -> np.ndarray:
    return (first + step * np.arange(n, dtype=np.int64)) % W


def at(tick0: int, elapsed_us: float, ppm: float) -> Anchor:
    """What a clock that showed `tick0` at T0 shows later."""
    return Anchor(int(tick0 + elapsed_us * (1 + ppm * 1e-6)) % W, round(T0 + elapsed_us))


@pytest.mark.parametrize("tick0", [5, W - 2_000_000])
@pytest.mark.parametrize("ppm", [-150.0, 0.0, 40.0])
def test_two_looks_give_the_times_of_hours_that_wrap(ppm: float, tick0: int) -> None:
    rate = 1 + ppm * 1e-6
    raw = ticks(round(tick0 + 2_400_000 * rate) % W, 60 * 3600 * 3)
    lasts = (len(raw) - 1) * 16_667 / rate
    found = timed(raw, T0 + 2_300_000, at(tick0, 0, ppm), at(tick0, 2_400_000 + lasts + 300_000_000, ppm))
    t_us = found.line.at(unwrapped(raw, found.first_tick))
    assert (found.estimated, found.unsure_us) == (False, LOOK_US)
    assert abs(t_us[0] - (T0 + 2_400_000)) <= 2
    assert abs(t_us[-1] - (T0 + 2_400_000 + lasts)) <= 5
    assert (np.diff(t_us) > 0).all()


def test_a_sensor_that_was_off_since_leaves_its_rate_unknown() -> None:
    raw = ticks(7_000_000, 60 * 3600)
    before = Anchor(5_000_000, T0)
    for after in (None, Anchor(123, T0 + 3 * HOUR_US)):
        found = timed(raw, T0 + 1_900_000, before, after)
        assert found.estimated
        assert found.line.at_one(found.first_tick) == T0 + 2_000_000
        assert found.unsure_us == pytest.approx(LOOK_US + 200e-6 * HOUR_US, rel=0.01)


def test_a_sensor_that_was_off_before_is_timed_from_the_look_after_or_by_the_order() -> None:
    raw, before = ticks(400_000, 60 * 3600), Anchor(3_000_000_000, T0)
    begun = T0 + 60_000_000
    after = Anchor(int(raw[-1]) + 20_000_000, begun + 500_000 + (len(raw) - 1) * 16_667 + 20_000_000)
    found = timed(raw, begun, before, after)
    assert abs(found.line.at_one(found.first_tick) - (begun + 500_000)) < 10
    assert found.estimated
    by_order = timed(raw, begun, None, None)
    assert by_order.line.at_one(by_order.first_tick) == begun
    assert by_order.estimated
    assert by_order.unsure_us > BEGINS_US


def test_of_many_arrivals_the_promptest_counts() -> None:
    seen = [(W - 10_000, T0 + 30_000), (6_667, T0 + 25_000), (23_334, T0 + 90_000)]
    assert anchored(np.array(seen)) == Anchor(6_667, T0 + 25_000)
    assert anchored(np.zeros((0, 2), np.int64)) is None


LOOKS = st.none() | st.builds(Anchor, st.integers(0, W - 1), st.integers(T0 - HOUR_US, T0 + 9 * HOUR_US))


@given(st.lists(st.integers(0, W - 1), min_size=1, max_size=20), LOOKS, LOOKS)
def test_whatever_was_seen_times_do_not_fall(
    raw: list[int], before: Anchor | None, after: Anchor | None
) -> None:
    found = timed(np.array(raw), T0, before, after)
    t_us = found.line.at(unwrapped(np.array(raw), found.first_tick))
    assert (np.diff(t_us) >= 0).all()
    assert found.unsure_us >= LOOK_US
