"""The two small words that every maker's file needs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from poise.samples import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Samples as a sensor sent them, in SI units.

    Attributes:
        tick_us: (n,) uint32, µs of the sensor's own clock modulo 2^32.
        acc: (n, 3) float64, specific force in the sensor frame S, m/s².
        gyr: (n, 3) float64, angular rate in S, rad/s.
    """

    tick_us: NDArray[np.uint32]
    acc: Floats
    gyr: Floats

    def __len__(self) -> int:
        return len(self.tick_us)


@dataclass(frozen=True, slots=True)
class Write:
    """A command to a sensor.

    Attributes:
        uuid: the characteristic to write.
        value: the bytes, written with response.
    """

    uuid: str
    value: bytes
