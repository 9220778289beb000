"""What is told from whole seconds: static stretches, shifts of the trunk, and breaks.

- A stream is *static* in every minute in which its means over each second stay within 10° of each other.
  The minute is RULA's (McAtamney and Corlett 1993, doi:10.1016/0003-6870(93)90080-S: a posture held longer
  than a minute adds to the score); the 10° are a project decision: RULA's first neck band.
- A *shift* is a trunk settled (5 s within 5°) at least 10° away from where it was settled before, forward,
  back or sideways. A *break* is 30 s or more of standing, walking or lying, interrupted by no more than 10 s.
  Breaks and shifts are counted because prompting either went with fewer people getting neck pain within six
  months (17 % against 44 %, doi:10.5271/sjweh.3949). That study measured load on a seat; the angles and times
  here are project decisions.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from analytics.exposure.streams import UNSEEN, Centidegrees
from poise.samples import Bools, Int64s

STATIC_S: Final = 60
STATIC_RANGE_DEG: Final = 10
SETTLED_S: Final = 5
SETTLED_RANGE_DEG: Final = 5
SHIFT_DEG: Final = 10
FORGOTTEN_S: Final = 60
"""Unsettled or unseen for longer than this, the next settled posture is a new beginning, not a shift."""
BREAK_S: Final = 30
BREAK_BRIDGED_S: Final = 10

KEPT_S: Final = STATIC_S - 1
_NEVER: Final = -(1 << 40)
_HALF: Final = 5


def second_means(angle: Centidegrees, seen: Bools) -> Centidegrees:
    """Return (k, n / 10) means over each second; `UNSEEN` where fewer than half of its frames were judged."""
    count, total = _tens(seen), _tens(np.where(seen, angle, 0))
    return np.where(count >= _HALF, total // np.maximum(count, 1), UNSEEN).astype(np.int16)


def _tens(values: NDArray[Any]) -> Int64s:
    """Return (k, n / 10) the sums of every ten; ten long additions are faster than many short sums."""
    sums = values[:, ::10].astype(np.int64)
    for i in range(1, 10):
        sums += values[:, i::10]
    return sums


def trailing_range(means: Centidegrees, window: int) -> NDArray[np.int32]:
    """Return (k, s - window + 1) range over each `window` seconds; very large with an unseen second in it."""
    low, high = means.astype(np.int32), means.astype(np.int32)
    high[means == UNSEEN] = -UNSEEN * 4
    width = 1
    while width < window:
        step = min(width, window - width)
        low = np.minimum(low[:, :-step], low[:, step:])
        high = np.maximum(high[:, :-step], high[:, step:])
        width += step
    found: NDArray[np.int32] = high - low
    return found


@dataclass(frozen=True, slots=True)
class StaticTime:
    """What a block added to static stretches.

    Attributes:
        added: (k, KEPT_S + s) bool, seconds that are known to be static now, from `KEPT_S` before the block.
        length: (k, s) length so far, s, of the stretch that goes on at each second of the block; 0 without.
    """

    added: Bools
    length: Int64s


class Stillness:
    """Static stretches of k streams, fed in blocks of seconds."""

    def __init__(self) -> None:
        """Begin unseen."""
        self._last: Int64s = np.zeros(0, np.int64)
        self._length: Int64s = np.zeros(0, np.int64)

    def rename(self, moved: list[int], k: int) -> None:
        """Tell that stream i is stream `moved[i]` of `k` from now on."""
        last, length = np.full(k, _NEVER), np.zeros(k, np.int64)
        last[moved], length[moved] = self._last, self._length
        self._last, self._length = last, length

    def update(self, first_s: int, means: Centidegrees) -> StaticTime:
        """Take means (k, KEPT_S + s), of which the first `KEPT_S` came before the second `first_s`."""
        k, n = means.shape
        still = trailing_range(means, STATIC_S) <= STATIC_RANGE_DEG * 100
        if not still.any():
            return StaticTime(np.zeros((k, n), np.bool_), np.zeros((k, n - KEPT_S), np.int64))
        at = np.arange(first_s, first_s + n - KEPT_S)
        latest = np.maximum.accumulate(np.where(still, at, _NEVER), axis=1)
        latest = np.maximum(latest, self._last[:, None])
        before = np.concatenate([self._last[:, None], latest[:, :-1]], axis=1)
        fresh = np.where(still, np.minimum(at - before, STATIC_S), 0)
        length = self._lengths(still & (at - before > STATIC_S), fresh)
        self._last, self._length = latest[:, -1].copy(), length[:, -1].copy()
        return StaticTime(_marked(still, fresh, n), np.where(still, length, 0))

    def _lengths(self, begins: Bools, fresh: Int64s) -> Int64s:
        """Return the running length of the newest stretch."""
        total = np.cumsum(fresh, axis=1) + self._length[:, None]
        base = np.maximum.accumulate(np.where(begins, total - fresh, 0), axis=1)
        found: Int64s = total - base
        return found


def _marked(still: Bools, fresh: Int64s, n: int) -> Bools:
    """Return (k, n) bool, True in the `fresh` seconds that end with each still one."""
    edges = np.zeros((still.shape[0], n + 1), np.int8)
    stream, end = np.nonzero(still)
    end = end + KEPT_S + 1
    edges[stream, end - fresh[still]] += 1
    edges[stream, end] -= 1
    found: Bools = np.cumsum(edges[:, :-1], axis=1) > 0
    return found


class Shifts:
    """Shifts of the trunk in the two planes, fed in blocks of seconds."""

    def __init__(self) -> None:
        """Begin without a posture to shift from."""
        self._from: tuple[int, ...] | None = None
        self._last_s = _NEVER

    def update(self, first_s: int, means: Centidegrees) -> Int64s:
        """Return the seconds at which a shift was found.

        Args:
            first_s: the second after the first `SETTLED_S - 1`, which came before.
            means: (2, SETTLED_S - 1 + s) trunk forward, and sideways (0 where only that is unseen).
        """
        low = np.minimum.reduce([means[:, i : means.shape[1] - SETTLED_S + 1 + i] for i in range(SETTLED_S)])
        settled = (trailing_range(means, SETTLED_S) <= SETTLED_RANGE_DEG * 100).all(axis=0)
        hits = np.flatnonzero(settled)
        found, i, held = [], 0, low[:, hits].astype(np.int64)
        at = first_s + hits
        pause = np.diff(at, prepend=self._last_s) > FORGOTTEN_S
        while i < len(hits):
            origin = np.array(self._from or held[:, i])[:, None]
            left = np.abs(held[:, i:] - origin).max(axis=0) >= SHIFT_DEG * 100
            if self._from is None:
                pause[i] = True
            events = np.flatnonzero(left | pause[i:])
            if not len(events):
                break
            i += int(events[0])
            if not pause[i]:
                found.append(int(at[i]))
            self._from = tuple(held[:, i].tolist())
            i += 1
        if len(at):
            self._last_s = int(at[-1])
        return np.array(found, np.int64)


class Breaks:
    """Breaks, fed in blocks of seconds."""

    def __init__(self) -> None:
        """Begin in the seat."""
        self._start_s = self._last_s = _NEVER
        self._counted = False

    def update(self, away_s: NDArray[np.integer[Any]]) -> list[int]:
        """Take the seconds spent out of the seat, increasing, and return those at which a break was one."""
        found: list[int] = []
        if not len(away_s):
            return found
        cuts = np.flatnonzero(np.diff(away_s, prepend=self._last_s) > BREAK_BRIDGED_S + 1)
        for number, piece in enumerate(np.split(away_s, cuts)):
            if not len(piece):
                continue
            if number > 0:
                self._start_s, self._counted = int(piece[0]), False
            self._last_s = int(piece[-1])
            if not self._counted and self._last_s - self._start_s + 1 >= BREAK_S:
                reached = int(np.searchsorted(piece, self._start_s + BREAK_S - 1))
                found.append(int(piece[reached]))
                self._counted = True
        return found
