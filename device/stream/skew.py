"""Do the sensors agree about when the wearer moved? An estimate from the movements themselves.

One-way radio cannot show its own least delay, so the times of two sensors may differ by some tens of ms
though each clock is mapped well. But all sensors sit on one body: when it bows, turns or walks, their rates
of turning rise together. The lag at which these correlate best is the skew between the sensors' times. It
contains what one segment really moves later than another (a head after a trunk: up to some tens of ms), so it
is an estimate: it shows gross faults and corrects nothing.

The method is the generalised cross-correlation without weighting (Knapp and Carter 1976,
doi:10.1109/TASSP.1976.1162830), its peak refined by a parabola.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Final

import numpy as np

from poise.samples import Floats, ImuBatch, Int64s
from poise.skeleton import Segment

WINDOW_US: Final = 20_000_000
STEP_US: Final = 10_000
MOST_US: Final = 300_000
"""Lags are looked for up to here."""
MOVING_RAD_S: Final = 0.1
"""Rms of the angular rate's length from which on a window says something: sitting still says nothing."""
LIKE: Final = 0.75
"""Correlation from which on two sensors have moved together (both project decisions)."""
KEPT: Final = 9
_REFERENCES: Final = (Segment.C7, Segment.T4, Segment.T12, Segment.LUMBAR, Segment.HEAD)


class SkewWatch:
    """Takes what all sensors measured and says by how much each seems late against one on the trunk.

    Attributes:
        skew_us: by sensor, the median of the newest estimates, µs; positive: its times are too late.
        reference: the sensor against which they are, "" before the first.
    """

    def __init__(self) -> None:
        """Begin with nothing known."""
        self.skew_us: dict[str, float] = {}
        self.reference = ""
        self._found: dict[str, deque[float]] = {}
        self._parts: dict[str, list[ImuBatch]] = {}
        self._from_us = 0

    def feed(self, batches: Sequence[ImuBatch]) -> None:
        """Take batches of any sensors; every twenty seconds they are looked at."""
        for batch in batches:
            self._parts.setdefault(batch.sensor, []).append(batch)
            self._from_us = self._from_us or int(batch.t_us[0])
        newest = max((int(batch.t_us[-1]) for batch in batches), default=0)
        if newest - self._from_us < WINDOW_US:
            return
        self._look(self._parts)
        self._parts, self._from_us = {}, 0

    def _look(self, parts: Mapping[str, Sequence[ImuBatch]]) -> None:
        segments = {sensor: found[0].segment for sensor, found in parts.items()}
        order = [sensor for name in _REFERENCES for sensor, segment in segments.items() if segment == name]
        if not order:
            return
        self.reference = order[0]
        grid = _grid(parts.values())
        theirs = _rate(parts[self.reference], grid)
        for sensor, found in parts.items():
            lag = None if sensor == self.reference else lag_us(_rate(found, grid), theirs)
            if lag is not None:
                self._found.setdefault(sensor, deque(maxlen=KEPT)).append(lag)
                self.skew_us[sensor] = median(self._found[sensor])


def lag_us(late: Floats, against: Floats) -> float | None:
    """Return by how much one signal comes later than another, None if they do not move together.

    Args:
        late: (n,) on a grid of `STEP_US`.
        against: (n,) on the same.
    """
    n, most = len(late), MOST_US // STEP_US
    if n < 8 * most or min(late.std(), against.std()) == 0:
        return None
    if min(np.sqrt(np.mean(late**2)), np.sqrt(np.mean(against**2))) < MOVING_RAD_S:
        return None
    a, b = (late - late.mean()) / late.std(), (against - against.mean()) / against.std()
    middle = b[most : n - most]
    r = np.array([a[most + lag : n - most + lag] @ middle for lag in range(-most, most + 1)]) / len(middle)
    peak = int(r.argmax())
    if r[peak] < LIKE or peak in (0, len(r) - 1):
        return None
    before, at, after = r[peak - 1 : peak + 2]
    return float(peak - most + 0.5 * (before - after) / (before - 2 * at + after)) * STEP_US


def _grid(parts: Iterable[Sequence[ImuBatch]]) -> Int64s:
    """Return the times at which all sensors were heard."""
    spans = [(int(found[0].t_us[0]), int(found[-1].t_us[-1])) for found in parts]
    first, last = max(a for a, _ in spans), min(b for _, b in spans)
    return np.arange(first, max(first, last), STEP_US, dtype=np.int64)


def _rate(found: Sequence[ImuBatch], grid: Int64s) -> Floats:
    """Return the length of a sensor's angular rate at these times, rad/s."""
    t_us = np.concatenate([batch.t_us for batch in found])
    length = np.linalg.norm(np.concatenate([batch.gyr_si for batch in found]), axis=1)
    order = np.argsort(t_us, kind="stable")
    rate: Floats = np.interp(grid, t_us[order], length[order])
    return rate
