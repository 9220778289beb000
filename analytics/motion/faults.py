"""What can be wrong with samples: counted and reported, never hidden."""

from typing import Final, NamedTuple

from poise.samples import SampleFlag

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
