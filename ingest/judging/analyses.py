"""What ingest needs of the analytics: the door that it knows them by."""

from collections.abc import Sequence
from typing import Protocol

from analytics.wearing.trust import Trust
from poise.calibration import Calibration
from poise.results import Results
from poise.samples import ImuBatch


class Analysis(Protocol):
    """What ingest needs of `analytics.pipeline.Pipeline`."""

    @property
    def trust(self) -> Trust:
        """What is known of the calibration by now."""
        ...

    def calibrate(self, calibration: Calibration, trust: Trust = ...) -> Results:
        """Judge what follows with it, knowing this of it."""
        ...

    def update(self, batches: Sequence[ImuBatch]) -> Results:
        """Conclude what can be."""
        ...

    def finish(self) -> Results:
        """Close what is open."""
        ...

    def save(self) -> bytes:
        """Return all there is to go on from."""
        ...


class Analyses(Protocol):
    """Makes the analysis of a run: the class `Pipeline`, or what behaves like it."""

    def __call__(self) -> Analysis:
        """Begin."""
        ...

    def restore(self, data: bytes, /) -> Analysis:
        """Go on with what was saved.

        Raises:
            StateError: if it cannot be read.
        """
        ...
