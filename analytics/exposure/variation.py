"""Unbroken stretches at a level, by level and duration: exposure variation analysis.

Mathiassen and Winkel 1991 (pubmed 1800110). A stretch ends when its stream leaves the level's band of
degrees, or is not seen or not judged for more than a second. A stretch over the end of a quarter of an hour
is one stretch: each of its frames counts in the quarter it lies in, with the duration of the whole.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from analytics.exposure.counts import DURATIONS_S
from poise.samples import Bools, Int64s

BRIDGED_FRAMES: Final = 10
_EDGES: Final = np.array(DURATIONS_S) * 10
_TOP: Final = int(_EDGES[-1])
_UNSEEN: Final = np.int8(-1)

_STREAM, _LEVEL, _QUARTER, _LENGTH, _START, _END, _BEFORE = range(7)


class Variation:
    """Cuts streams of levels into stretches, fed in blocks; stretches that go on are kept open."""

    def __init__(self) -> None:
        """Begin without any open stretch."""
        self._open: Int64s = np.zeros((7, 0), np.int64)

    def rename(self, moved: list[int]) -> None:
        """Tell that stream i is stream `moved[i]` from now on."""
        self._open[_STREAM] = np.array(moved, np.int64)[self._open[_STREAM]]

    def oldest(self, otherwise: int) -> int:
        """Return the oldest quarter with frames in open stretches, else what is given."""
        waiting = self._open[_QUARTER, self._open[_LENGTH] > 0]
        return int(waiting.min()) if len(waiting) else otherwise

    def update(self, first: int, level: NDArray[np.int8], seen: Bools, quarter: Int64s) -> Int64s:
        """Take a block of frames and return the stretches that are over.

        Args:
            first: grid index of the first frame.
            level: (k, n).
            seen: (k, n).
            quarter: (n,) quarter of an hour of each frame, UTC s / 900.

        Returns:
            (5, p) rows: stream, level, quarter, frames in it, duration class of the whole stretch.
        """
        pieces = _pieces(first, level, seen, quarter)
        if self._open.shape[1]:
            pieces = np.concatenate([self._open, pieces], axis=1)
            pieces = pieces[:, np.argsort(pieces[_STREAM], kind="stable")]
        return self._settle(pieces, everything=False)

    def finish(self) -> Int64s:
        """End the open stretches and return them."""
        return self._settle(self._open, everything=True)

    def _settle(self, pieces: Int64s, *, everything: bool) -> Int64s:
        """Put pieces of one stretch together; keep each stream's last one open."""
        if pieces.shape[1] == 0:
            return np.zeros((5, 0), np.int64)
        linked = (
            (np.diff(pieces[_STREAM]) == 0)
            & (np.diff(pieces[_LEVEL]) == 0)
            & (pieces[_START, 1:] - pieces[_END, :-1] <= BRIDGED_FRAMES)
        )
        stretch = np.concatenate([[0], np.cumsum(~linked)])
        starts = np.flatnonzero(np.concatenate([[True], ~linked]))
        total = np.add.reduceat(pieces[_LENGTH] + pieces[_BEFORE], starts)
        duration = np.searchsorted(_EDGES, total, side="right")[stretch]
        last = np.concatenate([np.diff(pieces[_STREAM, starts]) != 0, [True]])[stretch]
        if everything:
            last[:] = False
        # From the longest class on a stretch is settled: it counts at once and stays open without frames.
        settled = last & (total[stretch] >= _TOP)
        self._keep(pieces[:, last], total[stretch][last])
        done = ~last | settled
        rows = np.stack([pieces[_STREAM], pieces[_LEVEL], pieces[_QUARTER], pieces[_LENGTH], duration])
        return rows[:, done & (pieces[_LENGTH] > 0)]

    def _keep(self, pieces: Int64s, total: Int64s) -> None:
        """Keep open stretches, one piece a stream and quarter."""
        long = total >= _TOP
        kept = pieces.copy()
        kept[_BEFORE, long], kept[_LENGTH, long] = total[long], 0
        if kept.shape[1] > 1:
            again = (np.diff(kept[_STREAM]) == 0) & (long[1:] | (np.diff(kept[_QUARTER]) == 0))
            starts = np.flatnonzero(np.concatenate([[True], ~again]))
            ends = np.concatenate([starts[1:], [kept.shape[1]]]) - 1
            length = np.add.reduceat(kept[_LENGTH], starts)
            begun = kept[_START, starts]
            kept = kept[:, ends]
            kept[_LENGTH], kept[_START] = length, begun
        self._open = kept


def _pieces(first: int, level: NDArray[np.int8], seen: Bools, quarter: Int64s) -> Int64s:
    """Return (7, p) stretches within the block, cut at levels, gaps and quarters."""
    n = level.shape[1]
    height = np.where(seen, level, _UNSEEN)
    turns = np.ones(level.shape, np.bool_)
    turns[:, 1:] = (height[:, 1:] != height[:, :-1]) | (quarter[1:] != quarter[:-1])
    # Runs of one level, of which those that are near enough belong together.
    runs = np.flatnonzero(turns)
    ends = np.append(runs[1:], level.size)
    height = height.ravel()[runs]
    there = height != _UNSEEN
    if not there.any():
        return np.zeros((7, 0), np.int64)
    runs, ends, height = runs[there], ends[there], height[there]
    stream = runs // n
    at, last = runs - stream * n, ends - 1 - stream * n
    lies = quarter[at]
    cut = (
        (stream[1:] != stream[:-1])
        | (height[1:] != height[:-1])
        | (at[1:] - last[:-1] > BRIDGED_FRAMES)
        | (lies[1:] != lies[:-1])
    )
    begins = np.append(0, np.flatnonzero(cut) + 1)
    stops = np.append(begins[1:], len(runs)) - 1
    return np.stack(
        [
            stream[begins],
            height[begins].astype(np.int64),
            lies[begins],
            np.add.reduceat(ends - runs, begins),
            first + at[begins],
            first + last[stops],
            np.zeros(len(begins), np.int64),
        ]
    )
