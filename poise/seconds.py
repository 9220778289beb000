"""Stored seconds as columns: rows are made only where somebody wants them one by one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import overload

import numpy as np

from poise.results import Second
from poise.samples import Floats, Int64s


@dataclass(frozen=True, slots=True, eq=False)
class SecondBlock:
    """Seconds of one run as columns of equal length n; units as in `poise.results.Second`.

    Attributes:
        t_s: (n,) int64 UTC s.
        streams: the names that `of` points into.
        of: (n,) int64.
        mean: (n,) rad.
        low: (n,) rad.
        high: (n,) rad.
        coverage: (n,) 0 to 1.
        run_us: the run.
        calibration: its id.
    """

    t_s: Int64s
    streams: tuple[str, ...]
    of: Int64s
    mean: Floats
    low: Floats
    high: Floats
    coverage: Floats
    run_us: int
    calibration: str

    def __iter__(self) -> Iterator[Second]:
        columns = (self.t_s, self.of, self.mean, self.low, self.high, self.coverage)
        for t_s, j, mean, low, high, share in zip(*(c.tolist() for c in columns), strict=True):
            yield Second(t_s, self.streams[j], mean, low, high, share, self.run_us, self.calibration)


class SecondTable(Sequence[Second]):
    """The rows of several blocks, one after another; equal to any sequence of the same rows."""

    def __init__(self, blocks: Sequence[SecondBlock] = ()) -> None:
        """Hold the blocks in their order."""
        self.blocks = tuple(blocks)

    def __len__(self) -> int:
        return sum(len(block.t_s) for block in self.blocks)

    def __iter__(self) -> Iterator[Second]:
        for block in self.blocks:
            yield from block

    @overload
    def __getitem__(self, index: int) -> Second: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Second]: ...
    def __getitem__(self, index: int | slice) -> Second | Sequence[Second]:
        return tuple(self)[index]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]


def together(parts: Sequence[Sequence[Second]]) -> Sequence[Second]:
    """Return the rows of all parts in their order."""
    filled = [part for part in parts if len(part)]
    if len(filled) <= 1:
        return filled[0] if filled else ()
    tables = [part for part in filled if isinstance(part, SecondTable)]
    if len(tables) == len(filled):
        return SecondTable([block for table in tables for block in table.blocks])
    return tuple(second for part in filled for second in part)


def blocks_of(seconds: Sequence[Second]) -> Iterator[SecondBlock]:
    """Yield seconds as blocks, none empty; those that come one by one as one for each stretch of a run."""
    if isinstance(seconds, SecondTable):
        yield from (block for block in seconds.blocks if len(block.t_s))
        return
    for (run_us, calibration), stretch in groupby(seconds, lambda s: (s.run_us, s.calibration)):
        yield _block(tuple(stretch), run_us, calibration)


def _block(rows: Sequence[Second], run_us: int, calibration: str) -> SecondBlock:
    streams = tuple(dict.fromkeys(row.stream for row in rows))
    number = {stream: i for i, stream in enumerate(streams)}
    at, of = np.array([row.t_s for row in rows]), np.array([number[row.stream] for row in rows])
    table = np.array([(row.mean, row.low, row.high, row.coverage) for row in rows], np.float64)
    mean, low, high, coverage = np.ascontiguousarray(table.T)
    return SecondBlock(at, streams, of, mean, low, high, coverage, run_us, calibration)
