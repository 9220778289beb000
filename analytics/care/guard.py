"""The guard of the activity after an injection: effort above the limit of the day, from posture frames.

It judges what the sensors show and nothing else: no load, no pain, no harm (docs/guard.md). Causal, and the
same whatever the chunks of frames. Gentle movements stay below the limits, which are held over two minutes;
spans of a guided exercise are left out altogether.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from math import ceil
from typing import Final

import numpy as np

from analytics.care.arms import ARMS, BLADES, CHANNELS, TRUNK, UPPER_ARMS, ArmWork, raised
from analytics.care.bends import Bends
from analytics.care.limits import GuardLimits, Since
from analytics.care.tail import Tail
from poise.results import GRID_US, PostureFrames
from poise.samples import Bools, Int64s
from poise.strain import Exceedance, Strain

Span = tuple[int, int]
"""UTC µs from and until of a guided exercise."""
_EXERCISES: Final = 100
"""Spans that are remembered; older ones lie far behind the newest frame."""


class Watch:
    """One kind of effort: when there is so much of it that it is told, and when calm has returned."""

    def __init__(self, kind: Strain, names: Sequence[str]) -> None:
        """Begin calm.

        Args:
            kind: which.
            names: segments, one for each row of `update`.
        """
        self._kind, self._names = kind, tuple(str(name) for name in names)
        self._tail = Tail(len(names) + 1)
        self._open: Exceedance | None = None
        self._last = 0

    def update(self, at: Int64s, rows: Bools, length: int, need: int, reach: int) -> list[Exceedance]:
        """Return what began or ended.

        Args:
            at: (n,) grid indices.
            rows: (r, n) bool, one for each name: too much at this frame.
            length: window in frames.
            need: how many of its frames make an exceedance; below half of that it ends.
            reach: the longest window of all limits ahead, in frames.
        """
        loud = np.asarray(rows.any(axis=0), np.bool_)
        self._tail.take(at, np.concatenate((rows, loud[None])), reach)
        counts = self._tail.sums(length, len(rows))[0]
        found, row = [], 0
        while row < len(at):
            left = counts[row:]
            ahead = np.flatnonzero(left >= need if self._open is None else 2 * left < need)
            if not len(ahead):
                break
            row += int(ahead[0])
            self._note(at[: row + 1][loud[: row + 1]])
            found += [self._begin(int(at[row]), length)] if self._open is None else self.finish()
        self._note(at[loud])
        return found

    def finish(self) -> list[Exceedance]:
        """End what is open, with the newest frame that was too much."""
        opened, self._open = self._open, None
        return [] if opened is None else [replace(opened, end_us=self._last * GRID_US)]

    def _note(self, loud: Int64s) -> None:
        self._last = int(loud[-1]) if len(loud) else self._last

    def _begin(self, frame: int, length: int) -> Exceedance:
        frames, rows = self._tail.within(frame, length)
        about = tuple(name for name, row in zip(self._names, rows, strict=False) if row.any())
        first = int(frames[np.flatnonzero(rows[-1])[0]]) * GRID_US
        sure = self._kind is Strain.OVERHEAD or bool({*about} & {*ARMS})
        self._open = Exceedance(self._kind, first, None, not sure, about)
        return self._open


class ActivityGuard:
    """All kinds of effort of one wearer, across runs: sensors' own motion needs no calibration."""

    def __init__(self, limits: GuardLimits | None = None) -> None:
        """Begin calm.

        Args:
            limits: what holds until `plan` says otherwise; None for off.
        """
        self._exercises: list[Span] = []
        self.plan(((0, limits),))
        self._start()

    def _start(self) -> None:
        """Begin with nothing seen."""
        self._newest = -1
        self._arms, self._bends = ArmWork(), Bends()
        self._watches = {
            Strain.VIGOROUS_ARMS: Watch(Strain.VIGOROUS_ARMS, CHANNELS),
            Strain.OVERHEAD: Watch(Strain.OVERHEAD, UPPER_ARMS),
            Strain.LIFTING_LIKE: Watch(Strain.LIFTING_LIKE, ("trunk",)),
        }

    def plan(self, since: Sequence[Since]) -> None:
        """Go by these limits from now on; before the first of them the guard is off."""
        self._since = tuple(since)
        windows = [window for _, limits in since if limits for window in (limits.window_s, limits.bends_s)]
        self._reach = round(10 * max(windows, default=0.0))

    def exercise(self, from_us: int, until_us: int) -> None:
        """Leave out a span of a guided exercise; frames that were taken already stay as they are."""
        self._exercises = [*self._exercises, (from_us, until_us)][-_EXERCISES:]

    def update(self, frames: PostureFrames) -> list[Exceedance]:
        """Return what began or ended within new frames."""
        if not len(frames):
            return []
        found: list[Exceedance] = []
        if int(frames.t_us[0]) // GRID_US <= self._newest:  # a clock was set back
            found = self.finish()
        for rows, limits in self._pieces(frames.t_us):
            piece = frames.part(rows)
            found += self.finish() if limits is None else self._judge(piece, limits)
        self._newest = int(frames.t_us[-1]) // GRID_US
        return found

    def finish(self) -> list[Exceedance]:
        """End what is open and begin anew."""
        found = [exceedance for watch in self._watches.values() for exceedance in watch.finish()]
        self._start()
        return found

    def _judge(self, frames: PostureFrames, limits: GuardLimits) -> list[Exceedance]:
        at = frames.t_us // GRID_US
        counted = np.ones(len(at), np.bool_)
        for begin, end in self._exercises:
            counted &= (frames.t_us < begin) | (frames.t_us >= end)
        length, reach = round(10 * limits.window_s), self._reach
        need = ceil(length * limits.share)
        arms, overhead, bending = self._watches.values()
        bends = self._bends.update(frames, at, counted, limits)[None]
        return [
            *arms.update(at, self._arms.update(frames, at, counted, limits), length, need, reach),
            *overhead.update(at, raised(frames, counted, limits), length, need, reach),
            *bending.update(at, bends, round(10 * limits.bends_s), limits.bends, reach),
        ]

    def _pieces(self, t_us: Int64s) -> Iterator[tuple[slice, GuardLimits | None]]:
        """Yield stretches of rows in which the same limits hold."""
        begins = [at for at, _ in self._since]
        cuts = np.searchsorted(t_us, begins, "left").tolist()
        for start, stop in pairwise(sorted({0, *cuts, len(t_us)})):
            i = bisect_right(begins, int(t_us[start])) - 1
            yield slice(start, stop), self._since[i][1] if i >= 0 else None


def unseen(segments: Iterable[str]) -> list[str]:
    """Return a sentence for each thing that the guard cannot see, or only guess, with these sensors."""
    worn, said = set(segments), []
    if not worn & {*UPPER_ARMS}:
        said.append("Without a sensor on an upper arm, arms held high are not noticed.")
    if not worn & {*ARMS}:
        known = "estimated from the shoulder blades" if worn & {*BLADES} else "not noticed"
        said.append(f"Without a sensor on a wrist or an upper arm, work of the arms is {known}.")
    if not worn & {*TRUNK}:
        said.append("Without a sensor at T4, T12 or C7, bending as in lifting is not noticed.")
    return [*said, "What is lifted, and whether anything is, no sensor here can tell."]
