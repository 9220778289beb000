"""Samples in, posture out: the one door of the analytics."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np

from analytics.rules import DEFAULT_PLAN, Plan
from analytics.run import Run
from poise.calibration import Calibration
from poise.results import Episode, Exposure, Results
from poise.samples import ImuBatch

RUN_GAP_US: Final = 5_000_000
"""A longer silence of all sensors ends the run (docs/postures.md)."""
_SECOND_US: Final = 1_000_000


class Pipeline:
    """One wearer's stream of samples to frames, seconds, episodes and exposure.

    Any chunking of the same stream gives bit-identical results (law 1); bad data never raises (law 6).
    """

    def __init__(self, plan: Plan = DEFAULT_PLAN, *, since_us: int = 0) -> None:
        """Begin uncalibrated.

        Args:
            plan: thresholds and times.
            since_us: samples before this UTC µs are passed over: where a restarted worker takes up a run.
        """
        self._plan = plan
        self._since_us = since_us
        self._calibration: Calibration | None = None
        self._coming: list[Calibration] = []
        self._run: Run | None = None

    @property
    def run_us(self) -> int | None:
        """Identity of the open run: UTC µs of its first sample; None between runs."""
        return self._run.run_us if self._run else None

    @property
    def calibration(self) -> Calibration | None:
        """The calibration in force, None while uncalibrated."""
        return self._calibration

    def calibrate(self, calibration: Calibration) -> Results:
        """Judge samples from `calibration.made_us` on with it; that ends the run.

        Returns:
            always empty: what the ended run still held comes with the next `update`.
        """
        if calibration != self._calibration and calibration not in self._coming:
            self._coming = sorted([*self._coming, calibration], key=lambda c: c.made_us)
        return Results()

    def update(self, batches: Sequence[ImuBatch]) -> Results:
        """Take the batches of one message (about one second of all sensors) and conclude what can be."""
        parts: list[Results] = []
        for piece in _slices(batches, self._cuts(batches)):
            first_us = min(int(batch.t_us[0]) for batch in piece)
            if self._coming and first_us >= self._coming[0].made_us:
                parts.append(self.finish())
                due = [c for c in self._coming if c.made_us <= first_us]
                self._calibration, self._coming = due[-1], self._coming[len(due) :]
            elif self._run and first_us - self._run.last_us > RUN_GAP_US:
                parts.append(self.finish())
            if self._run is None:
                self._run = Run(first_us, self._calibration, self._plan)
            parts.append(self._run.update(piece))
        return joined(parts)

    def finish(self) -> Results:
        """End the run: close what is open and return it."""
        run, self._run = self._run, None
        return run.finish() if run else Results()

    def _cuts(self, batches: Sequence[ImuBatch]) -> list[int]:
        """Return where the batches are to be cut: whole seconds, so that all sensors advance together."""
        if not batches:
            return []
        first = max(min(int(batch.t_us[0]) for batch in batches), self._since_us)
        last = max(int(batch.t_us[-1]) for batch in batches)
        # A batch spans hours at the most: anything longer has a broken clock and is cut by its own samples.
        seconds = np.unique(np.concatenate([batch.t_us // _SECOND_US for batch in batches])) * _SECOND_US
        cuts = {first, last + 1, *(int(s) for s in seconds if first < s <= last)}
        cuts |= {c.made_us for c in self._coming if first < c.made_us <= last}
        return sorted(cuts)


def _slices(batches: Sequence[ImuBatch], cuts: Sequence[int]) -> list[list[ImuBatch]]:
    """Cut all batches at the same times; a slice holds every sensor's samples in `cut <= t < next cut`."""
    slices = []
    for start, stop in pairwise(cuts):
        piece = []
        for batch in batches:
            i, j = np.searchsorted(batch.t_us, (start, stop))
            if j > i:
                piece.append(batch.part(int(i), int(j)))
        if piece:
            slices.append(piece)
    return slices


def joined(parts: Sequence[Results]) -> Results:
    """Put results of consecutive slices together; of a row with the same key the newest is kept."""
    if len(parts) == 1:
        return parts[0]
    episodes: dict[str, Episode] = {e.id: e for part in parts for e in part.episodes}
    exposures: dict[tuple[int, int, str], Exposure] = {
        (x.quarter_s, x.run_us, x.kind): x for part in parts for x in part.exposures
    }
    remarks: dict[str, int] = {}
    for part in parts:
        for name, count in part.remarks:
            remarks[name] = remarks.get(name, 0) + count
    return Results(
        tuple(frames for part in parts for frames in part.frames),
        tuple(second for part in parts for second in part.seconds),
        tuple(episodes.values()),
        tuple(exposures.values()),
        tuple(remarks.items()),
    )
