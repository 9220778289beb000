"""Samples in, posture out: the one door of the analytics."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final, Self

import numpy as np

from analytics import state
from analytics.conclusions import Conclusions, joined
from analytics.posture.rules import DEFAULT_PLAN, Plan
from analytics.run import Run
from analytics.wearing.trust import UNDOUBTED, Trust
from analytics.wearing.validity import JUMP_US
from poise.calibration import Calibration
from poise.samples import ImuBatch

__all__ = ["Pipeline", "joined"]
RUN_GAP_US: Final = 5_000_000
"""A longer silence of all sensors ends the run (docs/postures.md)."""


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
        self._trust = UNDOUBTED
        self._coming: list[tuple[Calibration, Trust]] = []
        self._run: Run | None = None

    @property
    def run_us(self) -> int | None:
        """Identity of the open run: UTC µs of its first sample; None between runs."""
        return self._run.run_us if self._run else None

    @property
    def calibration(self) -> Calibration | None:
        """The calibration in force, None while uncalibrated."""
        return self._calibration

    @property
    def trust(self) -> Trust:
        """What is known of the calibration in force; it outlives runs and ends with the next calibration."""
        return self._run.trust() if self._run else self._trust

    def calibrate(self, calibration: Calibration, trust: Trust = UNDOUBTED) -> Conclusions:
        """Judge samples from `calibration.made_us` on with it; that ends the run.

        Args:
            calibration: a new one, or one that this pipeline takes over from another.
            trust: what the other knew of it.

        Returns:
            always empty: what the ended run still held comes with the next `update`.
        """
        if calibration != self._calibration and all(calibration != c for c, _ in self._coming):
            self._coming = sorted([*self._coming, (calibration, trust)], key=lambda c: c[0].made_us)
        return Conclusions()

    def update(self, batches: Sequence[ImuBatch]) -> Conclusions:
        """Take the batches of one message (about one second of all sensors) and conclude what can be."""
        parts: list[Conclusions] = []
        for piece in _slices(batches, self._cuts(batches)):
            first_us = min(int(batch.t_us[0]) for batch in piece)
            if self._coming and first_us >= self._coming[0][0].made_us:
                parts.append(self.finish())
                self._take_over(first_us)
            elif self._run and self._breaks(self._run, piece):
                parts.append(self.finish())
            if self._run is None:
                self._run = Run(first_us, self._calibration, self._plan, self._trust)
            parts.append(self._run.update(piece))
        return joined(parts)

    def save(self) -> bytes:
        """Return the whole state; the analysis goes on from it with the same bits, in another process too."""
        return state.save(self)

    @classmethod
    def restore(cls, data: bytes) -> Self:
        """Return the pipeline that was saved.

        Raises:
            StateError: if the bytes are damaged or another version's: begin a new run, and report it.
        """
        return state.restore(data, cls)

    def finish(self) -> Conclusions:
        """End the run: close what is open and return it."""
        run, self._run = self._run, None
        if run is None:
            return Conclusions()
        rest = run.finish()
        self._trust = run.trust()
        return rest

    def _take_over(self, t_us: int) -> None:
        """Go on with the newest calibration made by then; a re-check makes none whole that had ended."""
        while self._coming and self._coming[0][0].made_us <= t_us:
            before, ended = self._calibration, self._trust.renewed()
            (self._calibration, self._trust), *self._coming = self._coming
            if before and self._calibration.renews == before.id:
                self._trust = self._trust.with_doubts(ended.doubts)

    def _breaks(self, run: Run, piece: Sequence[ImuBatch]) -> bool:
        """Tell whether a piece comes after a silence, or with a clock that was set back."""
        first_us = min(int(batch.t_us[0]) for batch in piece)
        last_us = max(int(batch.t_us[-1]) for batch in piece)
        return first_us - run.last_us > RUN_GAP_US or last_us < run.last_us - JUMP_US

    def _cuts(self, batches: Sequence[ImuBatch]) -> list[int]:
        """Return where the batches are to be cut: at silences that end a run, and at calibrations."""
        cuts = _silences(batches)
        if not cuts:
            return []
        first, last = max(cuts[0], self._since_us), max(int(batch.t_us[-1]) for batch in batches)
        due = {c.made_us for c, _ in self._coming if first < c.made_us <= last}
        return sorted({first, last + 1, *(cut for cut in cuts if cut > first), *due})


def _silences(batches: Sequence[ImuBatch]) -> list[int]:
    """Return the first time of all batches and every time at which a silence of all sensors ends."""
    spans: list[tuple[int, int]] = []
    for batch in batches:
        if len(batch) == 0:
            continue
        first, last = int(batch.t_us[0]), int(batch.t_us[-1])
        if last - first <= RUN_GAP_US:
            spans.append((first, last))
            continue
        breaks = (batch.t_us[1:] - batch.t_us[:-1] > RUN_GAP_US).nonzero()[0]
        edges = [0, *(int(i) + 1 for i in breaks), len(batch)]
        spans += [(int(batch.t_us[i]), int(batch.t_us[j - 1])) for i, j in pairwise(edges)]
    cuts: list[int] = []
    heard = -RUN_GAP_US
    for start, end in sorted(spans):
        if not cuts or start - heard > RUN_GAP_US:
            cuts.append(start)
        heard = max(heard, end)
    return cuts


def _slices(batches: Sequence[ImuBatch], cuts: Sequence[int]) -> list[list[ImuBatch]]:
    """Cut all batches at the same times; a slice holds every sensor's samples in `cut <= t < next cut`."""
    slices = []
    for start, stop in pairwise(cuts):
        piece = [part for batch in batches if (part := _within(batch, start, stop)) is not None]
        if piece:
            slices.append(piece)
    return slices


def _within(batch: ImuBatch, start: int, stop: int) -> ImuBatch | None:
    if len(batch) and start <= batch.t_us[0] and batch.t_us[-1] < stop:
        return batch
    i, j = (int(k) for k in np.searchsorted(batch.t_us, (start, stop)))
    return batch.part(i, j) if j > i else None
