"""Ticks to UTC: wraps, drift, late arrivals, restarts, and a host whose clock is set."""

from collections.abc import Iterator

import numpy as np
import pytest

from device.stream.assembler import Assembler
from device.stream.clock import Moment
from device.stream.ticks import WRAP, TickRead, read_tick
from device.vendors import movella_dot_frames as movella_dot
from device.vendors import vendor_named
from device.vendors.base import Notification, Samples
from poise.samples import ImuBatch, SampleMessage

DOT = vendor_named("movella_dot")
UTC0, HOST0 = 1_800_000_000_000_000, 5_000_000_000
MINUTE = 60_000_000


@pytest.mark.parametrize(
    ("raw", "last", "elapsed", "expected"),
    [
        (1000, WRAP - 15_667, 16_667, TickRead(WRAP + 1000)),
        (1000, 2 * WRAP - 15_667, 16_667, TickRead(2 * WRAP + 1000)),
        (77, 77, 20, TickRead(77, repeated=True)),
        (WRAP - 100, WRAP + 16_567, 20, TickRead(WRAP - 100, repeated=True)),
        (5_000_000, 4_000_000, 3 * WRAP + 1_000_300, TickRead(3 * WRAP + 5_000_000)),
        (1_000, 900_000_000, 4_000_000, TickRead(1_000, restarted=True)),
        (900_000_000, 1_000, 4_000_000, TickRead(900_000_000, restarted=True)),
        (2_000_000, 1_000_000, 4_900_000, TickRead(2_000_000)),  # late, not restarted
    ],
)
def test_reading_a_tick(raw: int, last: int, elapsed: int, expected: TickRead) -> None:
    assert read_tick(raw, last, elapsed) == expected


def stream(
    seconds: float, *, ppm: float = 0.0, delay_us: float = 15_000, seed: int = 1, first_tick: int = 0
) -> Iterator[tuple[int, int, int]]:
    """Index, raw tick and host arrival (µs since the start) of a sensor whose radio is often late."""
    random = np.random.default_rng(seed)
    n, arrived = int(seconds * 60), 0
    late = random.exponential(delay_us, n) + np.where(random.random(n) < 0.002, 300_000, 0)
    for i in range(n):
        true_us = i * 1e6 / 60 / (1 + ppm * 1e-6)
        arrived = max(arrived, int(true_us + late[i]))
        yield i, (first_tick + (i * 1_000_000) // 60) % WRAP, arrived


def notification(tick: int) -> Notification:
    samples = Samples(np.array([tick]), np.zeros((1, 3)), np.zeros((1, 3)))
    return Notification(movella_dot.MEDIUM_PAYLOAD, movella_dot.encode(samples)[0])


def messages_of(samples: Iterator[tuple[int, int, int]], *, set_at: int = 0, set_by: int = 0):
    """Run a stream through an assembler; the host's UTC clock is set by `set_by` at `set_at`."""
    assembler = Assembler("s")
    assembler.add("a", "c7", DOT)
    messages: list[SampleMessage] = []
    moment = Moment(HOST0, UTC0)
    for _, tick, arrived in samples:
        step = set_by if set_by and arrived >= set_at else 0
        moment = Moment(HOST0 + arrived, UTC0 + arrived + step)
        assembler.push("a", notification(tick), moment)
        messages += assembler.advance(moment)
    return assembler, messages + assembler.finish(moment)


def batches_of(messages: list[SampleMessage]) -> list[ImuBatch]:
    return [batch for message in messages for batch in message.batches]


@pytest.mark.parametrize("ppm", [-180.0, 0.0, 50.0])
def test_drift_and_late_arrivals_over_a_wrap(ppm: float) -> None:
    arrivals = stream(240, ppm=ppm, first_tick=WRAP - 90_000_000)
    assembler, messages = messages_of(arrivals)
    batches = batches_of(messages)
    times = np.concatenate([b.t_us for b in batches]) - UTC0
    true = np.arange(240 * 60) * 1e6 / 60 / (1 + ppm * 1e-6)
    error = times - true
    assert len(times) == 240 * 60
    assert not any(m.gaps for m in messages)
    assert np.abs(error[60 * 60 :]).max() < 5_000
    assert np.abs(error).max() < 30_000
    assert np.abs(np.diff(times) - 16_667).max() < 25, "evenly spaced"
    assert all((np.diff(b.t_us) > 0).all() for b in batches)
    assert assembler.tracks["a"].clock.ppm == pytest.approx(ppm, abs=12)
    # Rates that differ little from second to second.
    periods = np.array([b.period_ns for b in batches if len(b) > 30])
    assert np.abs(periods[60:] / (1e9 / 60) - 1 + ppm * 1e-6).max() < 1e-4
    assert [b.first_tick for b in batches][-1] > WRAP


@pytest.mark.parametrize("set_by", [3_600_000_000, -3_600_000_000, 40_000])
def test_a_host_clock_that_is_set(set_by: int) -> None:
    at = MINUTE + 300_000
    _, messages = messages_of(stream(150), set_at=at, set_by=set_by)
    batches = batches_of(messages)
    assert sum(len(b) for b in batches) == 150 * 60, "nothing is lost"
    assert not any(m.gaps for m in messages)
    times = np.concatenate([b.t_us for b in batches])
    jumps = np.abs(np.diff(times) - 16_667) > 1000
    assert jumps.sum() == (1 if abs(set_by) > 1_000_000 else 0), "one jump, or a gentle bend"
    true = UTC0 + np.arange(len(times)) * 1e6 / 60
    error = times - true
    assert np.abs(error[50 * 60 : 60 * 60]).max() < 5_000
    assert np.abs(error[-60:] - set_by).max() < 5_000


def test_a_clock_that_begins_again_is_a_new_stretch() -> None:
    first, second = list(stream(5)), list(stream(5, first_tick=40))
    later = [(i, tick, arrived + 15_000_000) for i, tick, arrived in second]
    assembler, messages = messages_of(iter(first + later))
    (gap,) = [gap for m in messages for gap in m.gaps]
    assert gap.estimated
    assert gap.reason == "sensor restarted"
    assert gap.count == pytest.approx(600, abs=10)
    assert assembler.tracks["a"].counts.restarts == 1
    assert sum(len(b) for b in batches_of(messages)) == 600
