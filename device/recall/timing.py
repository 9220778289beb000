"""When a recording's samples were taken, and how well that is known.

A DOT's ticks count µs since it was switched on, whether it streams or records (user manual XD0502P, section
4.2.5), and wrap after 71.6 min. So two looks at its streaming clock, before the recording began and after it
ended, give a line that its samples lie on. If the second look does not fit, the sensor was off in between and
its rate is a guess; if the first does not, only the moment is left at which it was told to begin.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from device.stream.clock import CRYSTAL_PPM, Line
from device.vendors.movella_dot_frames import WRAP_US
from poise.samples import Int64s

SLACK_US: Final = 250_000
"""How much a look or an order may be late: some connection intervals and a busy host (project decision)."""
BEGINS_US: Final = 3_000_000
"""A recording's first sample comes within this time of the order (project decision: nothing tells)."""
LOOK_US: Final = 40_000
"""How well one look is known: the least delay of a link, see `device.stream.clock`."""


class Anchor(NamedTuple):
    """A sensor's clock showed this tick, modulo its wrap, at this UTC µs."""

    tick: int
    utc_us: int


@dataclass(frozen=True, slots=True)
class Timed:
    """How a recording's ticks become UTC.

    Attributes:
        line: takes unwrapped ticks, the first of them as `first_tick`.
        first_tick: of the recording, unwrapped.
        unsure_us: how far a time may be off, at the worst sample; an estimate.
        estimated: it is more than a look's own uncertainty.
    """

    line: Line
    first_tick: int
    unsure_us: int
    estimated: bool


def anchored(seen: Int64s) -> Anchor | None:
    """Return the promptest of (n, 2) ticks and UTC µs of their arrivals, None for none."""
    if not len(seen):
        return None
    ahead = (seen[:, 0] - seen[0, 0]) % WRAP_US
    best = int(np.argmin(seen[:, 1] - ahead))
    return Anchor(int(seen[best, 0]), int(seen[best, 1]))


def unwrapped(raw: Int64s, first: int) -> Int64s:
    """Return (n,) raw ticks unwrapped, the first of them being `first`; no gap within may be a whole wrap."""
    steps: Int64s = np.diff(raw) % WRAP_US
    return first + np.concatenate([np.zeros(1, np.int64), np.cumsum(steps)])


def timed(raw: Int64s, begun_us: int, before: Anchor | None, after: Anchor | None) -> Timed:
    """Find out when a recording's samples were taken.

    Args:
        raw: (n,) ticks modulo the wrap, n at least 1.
        begun_us: UTC µs at which the sensor was told to begin.
        before: a look at its clock before.
        after: a look at its clock since.
    """
    ahead = None if before is None else (int(raw[0]) - before.tick) % WRAP_US
    lasts_us = int(unwrapped(raw, 0)[-1])
    if before is None or ahead is None or not _begins(ahead, begun_us - before.utc_us):
        return _from_order(int(raw[0]), begun_us, lasts_us, after)
    first = before.tick + ahead
    rate = None if after is None else _rate(before, after)
    doubt = 0 if rate else round(CRYSTAL_PPM * 1e-6 * (ahead + lasts_us))
    line = Line(before.tick, before.utc_us, rate or 1.0)
    return Timed(line, first, LOOK_US + doubt, estimated=rate is None)


def _begins(ahead_us: int, elapsed_us: int) -> bool:
    """Does the first sample follow the order soon, by a clock that ran on since the look before?"""
    return -SLACK_US <= ahead_us - elapsed_us <= BEGINS_US


def _rate(before: Anchor, after: Anchor) -> float | None:
    """Return UTC µs for a tick between two looks, None if the clock did not run through."""
    elapsed_us = after.utc_us - before.utc_us
    ahead = (after.tick - before.tick) % WRAP_US
    ahead += round((elapsed_us - ahead) / WRAP_US) * WRAP_US
    if ahead <= 0 or abs(ahead - elapsed_us) > SLACK_US + CRYSTAL_PPM * 1e-6 * elapsed_us:
        return None
    bound = CRYSTAL_PPM * 1e-6
    return min(1 + bound, max(1 - bound, elapsed_us / ahead))


def _from_order(first: int, begun_us: int, lasts_us: int, after: Anchor | None) -> Timed:
    """Only one moment is known: the look after, if the clock ran on to it, else that of the order."""
    doubt = round(CRYSTAL_PPM * 1e-6 * lasts_us)
    if after is not None:
        elapsed_us = after.utc_us - begun_us
        ahead = (after.tick - first) % WRAP_US
        ahead += round((elapsed_us - ahead) / WRAP_US) * WRAP_US
        drift = SLACK_US + CRYSTAL_PPM * 1e-6 * elapsed_us
        if ahead > 0 and -drift - BEGINS_US <= ahead - elapsed_us <= drift:
            doubt = round(CRYSTAL_PPM * 1e-6 * ahead)
            return Timed(Line(first + ahead, after.utc_us, 1.0), first, LOOK_US + doubt, estimated=True)
    return Timed(Line(first, begun_us, 1.0), first, BEGINS_US + doubt, estimated=True)
