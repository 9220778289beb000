"""Samples in, posture out: the one door of the analytics."""

from collections.abc import Sequence

from poise.calibration import Calibration
from poise.results import Results
from poise.samples import ImuBatch


class Pipeline:
    """One wearer's stream of samples to frames, seconds, episodes and exposure.

    Any chunking of the same stream gives bit-identical results (law 1); bad data never raises (law 6).
    """

    def calibrate(self, calibration: Calibration) -> Results:
        """End the run and judge what follows with `calibration`; returns what the ended run still held."""
        raise NotImplementedError

    def update(self, batches: Sequence[ImuBatch]) -> Results:
        """Take the batches of one message (about one second of all sensors) and conclude what can be."""
        raise NotImplementedError

    def finish(self) -> Results:
        """End the run: close what is open and return it."""
        raise NotImplementedError
