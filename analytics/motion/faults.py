"""What can be wrong with samples: counted and reported, never hidden."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from poise.samples import Bools, SampleFlag

CLIPPED: Final = SampleFlag.CLIPPED_ACC | SampleFlag.CLIPPED_GYR


class Faults(NamedTuple):
    """How many samples were out of order; every one of them is stored all the same.

    Attributes:
        late: not newer than the sensor's last one, not used.
        clipped: beyond the sensor's range or not a number (`SampleFlag`); where there is no value at all the
            filter holds the last good one.
        repeated: bit for bit the row before: a logger that filled a gap, or a sensor that hangs.
    """

    late: int = 0
    clipped: int = 0
    repeated: int = 0


def clipped(flags: NDArray[np.uint8] | None, taken: Bools | None = None) -> int:
    """Return how many samples, of those taken, have a flag (n,) of values beyond the sensor's range."""
    if flags is None:
        return 0
    return int(np.count_nonzero((flags if taken is None else flags[taken]) & CLIPPED))
