"""Stretches of one sensor's samples on their way from notifications to batches."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from poise.samples import Int16s, Int64s


@dataclass(frozen=True, slots=True)
class Missing:
    """What is missing before a piece.

    Attributes:
        from_us: UTC µs of the sample before it; None where that one has no time yet and is the one taken
            just before.
        count: samples.
        spread: the true number lies within count ± spread.
        estimated: the sensor does not tell the number.
        reason: a word.
    """

    from_us: int | None
    count: int
    spread: int
    estimated: bool
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Consecutive samples; `joins` if they follow the piece before without a gap."""

    ticks: Int64s
    t_us: Int64s
    acc: Int16s
    gyr: Int16s
    flags: NDArray[np.uint8]
    joins: bool
    missing: Missing | None

    def split(self, at: int) -> tuple["Piece", "Piece"]:
        """Return the first `at` samples and the rest."""
        return self._rows(slice(None, at), joins=self.joins, missing=self.missing), self._rows(
            slice(at, None), joins=True, missing=None
        )

    def _rows(self, rows: slice, *, joins: bool, missing: Missing | None) -> "Piece":
        cut = (self.ticks[rows], self.t_us[rows], self.acc[rows], self.gyr[rows], self.flags[rows])
        return Piece(*cut, joins, missing)
