"""Rates and losses as the wearer sees them."""

import numpy as np
import pytest

from device.tally import Tally
from device.wearer import Wearer
from poise.samples import Gap, SampleMessage

START_US = 1_790_000_000_300_000


def test_the_rate_is_that_of_whole_seconds_and_ends_with_the_samples() -> None:
    wearer, tally = Wearer("short", segments=["head", "c7"]), Tally()
    messages = list(wearer.to_messages(START_US, "s", 20))
    sensor = wearer.sensors["head"].name
    assert tally.rate_hz(sensor, START_US) is None
    for number, message in enumerate(messages, 1):
        tally(message)
        rate = tally.rate_hz(sensor, START_US + number * 1_000_000)
        assert rate is None if number < 3 else rate == pytest.approx(60, abs=1.1)
    assert tally.of(sensor).samples == sum(len(b) for m in messages for b in m.batches if b.sensor == sensor)
    assert len(tally.of(sensor).lately) <= 11
    assert tally.rate_hz(sensor, START_US + 60_000_000) is None


def test_losses_are_summed_with_what_is_not_known_of_them() -> None:
    tally = Tally()
    gaps = (
        Gap("a", "head", 0, 1, 5),
        Gap("a", "head", 0, 1, 20, estimated=True, spread=3),
        Gap("a", "head", 0, 1, 9_000, reason="gateway restarted"),
        Gap("b", "c7", 0, 1, 1),
    )
    tally(SampleMessage("s", 0, (), gaps))
    assert (tally.of("a").missing, tally.of("a").spread) == (25, 3)
    assert (tally.of("b").missing, tally.of("b").spread) == (1, 0)


def test_half_of_the_samples_is_half_the_rate() -> None:
    wearer, tally = Wearer("short", segments=["head"]), Tally()
    for message in wearer.to_messages(START_US, "s", 12):
        batch = message.batches[0]
        tally(SampleMessage("s", 0, (batch.part(0, len(batch) // 2),)))
    assert tally.rate_hz(batch.sensor, START_US + 12_000_000) == pytest.approx(30, abs=1)
    assert np.isfinite(tally.rate_hz(batch.sensor, START_US + 12_000_000) or np.nan)
