"""Polar sensors that are worn, without Bluetooth."""

import numpy as np

from device.vendors.base import G, Notification, Samples
from device.vendors.polar import PolarH10, PolarVeritySense

VERITY, H10 = PolarVeritySense(), PolarH10()
ADDRESS = "A0:9E:1A:0B:C1:23"


def started(vendor: PolarVeritySense | PolarH10) -> tuple[object, list[Notification]]:
    """A virtual sensor that measures, and what it answered."""
    sensor = vendor.peripheral(ADDRESS)
    answers = [answer for write in vendor.start for answer in sensor.write(write.uuid, write.value)]
    assert sensor.measuring
    return sensor, answers


def wearing(n: int, rate_hz: float, seed: int = 1) -> Samples:
    """Samples of a moving sensor with a gap of 40 in the middle, ticks as of the year 2026."""
    rng = np.random.default_rng(seed)
    index = np.arange(n) + np.where(np.arange(n) < n // 2, 0, 40)
    t = index / rate_hz
    sway = np.stack([np.sin(t), np.cos(1.3 * t), np.sin(0.7 * t)], axis=1)
    acc = 3 * sway + [0, 0, G] + rng.normal(0, 0.05, (n, 3))
    gyr = 2 * sway + rng.normal(0, 0.02, (n, 3))
    return Samples(820_000_000_000_000 + np.rint(t * 1e6).astype(np.int64), acc, gyr)


def part(samples: Samples, start: int, stop: int) -> Samples:
    return Samples(samples.tick_us[start:stop], samples.acc[start:stop], samples.gyr[start:stop])
