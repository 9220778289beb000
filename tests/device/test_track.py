"""Sensors with short clocks, mere numbers, or nothing at all: what they lack is estimated and said to be."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from device.stream.clock import Moment
from device.stream.ticks import TickRead, read_tick
from device.stream.track import Track
from device.vendors.base import Decoded, Notification, Samples, Timing
from device.vendors.movella_dot import SCALE, MovellaDot
from poise.samples import Gap, ImuBatch, SampleFlag

UTC0, HOST0 = 1_800_000_000_000_000, 5_000_000_000
SECOND = 1_000_000


class Numbered:
    """A decoder whose notifications are the raw tick as text."""

    def feed(self, notifications: Sequence[Notification]) -> Decoded:
        ticks = np.array([int(n.value) for n in notifications], np.int64)
        n = len(ticks)
        return Decoded(Samples(ticks, np.zeros((n, 3)), np.zeros((n, 3))), np.arange(n))


@dataclass
class Made(MovellaDot):
    """A made-up maker: 50 Hz, any timing."""

    timing: Timing = Timing.NONE
    wrap_us: int = 0
    clock_ppm: float = 30_000.0
    rate_hz: float = 50.0
    scale = SCALE

    def decoder(self) -> Numbered:  # type: ignore[override]
        return Numbered()


Arrivals = Iterable[tuple[int | None, int]]


def tracked(vendor: Made, arrivals: Arrivals) -> tuple[Track, list[ImuBatch], list[Gap]]:
    """Feed (raw tick or None for a new link, host µs) in slots of 100 ms, as the assembler does."""
    track = Track("a", "c7", vendor, None)
    slots: dict[int, tuple[list[Notification | None], list[Moment]]] = {}
    for raw, at in arrivals:
        notifications, moments = slots.setdefault(at // 100_000, ([], []))
        notifications.append(None if raw is None else Notification("u", str(raw).encode()))
        moments.append(Moment(HOST0 + at, UTC0 + at))
    for notifications, moments in slots.values():
        track.take(notifications, moments)
    track.settle()
    batches, gaps = track.cut(UTC0 + 10**15, "")
    return track, batches, gaps


def ideal(seconds: float, *, rate: float = 50.0, start: float = 0.0, seed: int = 1) -> list[int]:
    """Arrivals in host µs of a sensor that really samples at this rate."""
    random = np.random.default_rng(seed)
    true = start * SECOND + np.arange(int(seconds * rate)) * SECOND / rate
    return np.maximum.accumulate(true + random.exponential(8_000, len(true))).astype(int).tolist()


@pytest.mark.parametrize("off", [-0.025, 0.0, 0.025])
def test_without_a_clock_times_follow_the_arrivals_though_the_rate_is_off(off: float) -> None:
    rate = 50 * (1 + off)
    track, batches, gaps = tracked(Made(), [(0, at) for at in ideal(60, rate=rate)])
    times = np.concatenate([b.t_us for b in batches]) - UTC0
    true = np.arange(len(times)) * SECOND / rate
    assert len(times) == int(60 * rate)
    assert not gaps
    assert (np.diff(times) > 0).all()
    assert np.abs(times - true)[20 * 50 :].max() < 40_000
    assert np.abs(times - true).max() < 250_000
    assert track.clock.ppm == pytest.approx(off * 1e6, abs=1500)
    assert all(b.flags is not None and (b.flags & SampleFlag.TIME_ESTIMATED).all() for b in batches)


@pytest.mark.parametrize("away", [0.3, 4.0, 60.0])
def test_without_a_clock_a_new_link_gives_an_interval_that_holds_the_truth(away: float) -> None:
    before, after = ideal(30), ideal(30, start=30 + away, seed=2)
    arrivals = [(0, at) for at in before] + [(None, after[0] - 5)] + [(0, at) for at in after]
    _, batches, gaps = tracked(Made(), arrivals)
    (gap,) = gaps
    assert (gap.estimated, gap.reason) == (True, "radio")
    assert abs(gap.count - away * 50) <= gap.spread < 30
    assert sum(len(b) for b in batches) == 3000


def test_without_a_clock_a_burst_after_a_busy_host_is_no_gap() -> None:
    arrivals = [(0, 20 * SECOND if 17 * SECOND < at < 20 * SECOND else at) for at in ideal(40)]
    _, batches, gaps = tracked(Made(), arrivals)
    assert not gaps
    assert sum(len(b) for b in batches) == 2000


def test_without_a_clock_samples_lost_under_way_are_found_by_their_delay() -> None:
    arrivals = [(0, at) for i, at in enumerate(ideal(60)) if not 1000 <= i < 1100 or i % 2]
    arrivals = [(raw, at) for i, (raw, at) in enumerate(arrivals)]
    _, batches, gaps = tracked(Made(), arrivals)
    assert sum(len(b) for b in batches) == 2950
    assert sum(gap.count for gap in gaps) == pytest.approx(50, abs=sum(g.spread for g in gaps))
    times = np.concatenate([b.t_us for b in batches]) - UTC0
    assert abs(times[-1] - 59.98 * SECOND) < 50_000


@pytest.mark.parametrize(("wrap_us", "away"), [(5_120_000, 4.0), (1 << 24, 100.0), (65_536_000, 1000.0)])
def test_short_clocks_are_exact_over_wraps(wrap_us: int, away: float) -> None:
    """A number of one byte at 50 Hz, a clock of 24 bits of µs, one of 16 bits of ms."""
    vendor = Made(timing=Timing.STAMPED, wrap_us=wrap_us, clock_ppm=200.0)
    numbers = [*range(1500), *range(1500 + int(away * 50), 3000 + int(away * 50))]
    arrivals: list[tuple[int | None, int]] = []
    for k, (i, at) in enumerate(zip(numbers, ideal(30) + ideal(30, start=30 + away, seed=2), strict=True)):
        if k == 1500:
            arrivals.append((None, at - 1))
        arrivals.append((i * 20_000 % wrap_us, at))
    _, batches, gaps = tracked(vendor, arrivals)
    (gap,) = gaps
    assert (gap.count, gap.spread, gap.estimated) == (int(away * 50), 0, False)
    assert sum(len(b) for b in batches) == 3000


def test_a_number_of_one_byte_says_when_it_may_have_gone_round() -> None:
    read = read_tick(40_000, 20_000, 600 * SECOND, 5_120_000, 30_000)
    assert read.unsure_us >= 3 * 5_120_000
    assert read_tick(40_000, 20_000, 20_000, 5_120_000, 30_000) == TickRead(40_000)


def test_sampling_that_is_not_what_it_is_called_is_measured() -> None:
    """Stamped by a crystal, sampled at 51.3 instead of 50 Hz: after ten minutes the count is exact still."""
    vendor = Made(timing=Timing.STAMPED, clock_ppm=200.0)
    arrivals: list[tuple[int | None, int]] = []
    for i in [*range(3000), *range(33_000, 34_000)]:
        tick = round(i * SECOND / 51.3)
        if i == 33_000:
            arrivals.append((None, tick))
        arrivals.append((7_000_000 + tick, tick + 10_000))
    _, _, gaps = tracked(vendor, arrivals)
    (gap,) = gaps
    assert (gap.count, gap.estimated) == (30_000, False)
