"""A small deterministic sample source for virtual sensors, whose every sample tells its own index."""

import numpy as np

from poise.samples import Floats, Int64s

PERIOD_US = 1e6 / 60
START_TICKS = {"head": 4_294_000_000, "c7": 1_000_000, "t4": 77}


def ticks(segment: str, i0: int, i1: int) -> Int64s:
    """Ticks as a DOT makes them: 16 666 and 16 667 µs, each sensor from a start of its own."""
    i = np.arange(i0, i1)
    return START_TICKS.get(segment, 5) + (i * 1_000_000 + 30) // 60


def index_of(segment: str, tick: int) -> int:
    """The index of the sample with this tick, wrapped or not: no test runs for 71 minutes."""
    return round(((tick - START_TICKS.get(segment, 5)) % 2**32) / PERIOD_US)


class CountingSource:
    """Acceleration z counts the samples, modulo 4096, in steps of one count."""

    def samples_by_index(self, segment: str, i0: int, i1: int) -> tuple[Int64s, Floats, Floats]:
        n = i1 - i0
        acc, gyr = np.zeros((n, 3)), np.zeros((n, 3))
        acc[:, 2] = (np.arange(i0, i1) % 4096) * 4_788_403e-9
        gyr[:, 0] = 0.5
        return ticks(segment, i0, i1), acc, gyr
