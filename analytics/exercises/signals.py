"""What an exercise looks like to each sensor: tilt, turning about the vertical, at 25 moments a second.

Tilt comes from the orientation filter and does not drift. Turning is the angular rate about the vertical,
integrated over the exercise after the gyroscope's rest value is taken off: good for seconds to a minute,
which is what a repetition or a hold needs.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from analytics.motion.orientation import Orientation
from poise.samples import Bools, Floats, ImuBatch, Int64s

STEP_US: Final = 40_000
RATE_HZ: Final = 1e6 / STEP_US
"""Twenty-five moments a second: a repetition takes half a second or more."""
SMOOTH_S: Final = 0.10
"""Standard deviation of the smoothing in time: what is quicker than about 1.5 Hz is no exercise."""
STILL_RAD_S: Final = 0.04
OFF_RAD_S: Final = 0.20
"""At rest the angular rate stays this close to its mean over a second, and that mean is a gyroscope's offset:
small ones are off by up to some 0.1 rad/s. Project decisions."""
FILLED_US: Final = 2_000_000
"""Longer silences are left out: nothing is made up for them."""
LEAST_SHARE: Final = 0.6
"""A sensor with less of the exercise than this, against the one with most, is left aside."""
_COLUMNS: Final = 9
Parts = Mapping[str, Sequence[ImuBatch]]


@dataclass(frozen=True, slots=True)
class Signals:
    """What one sensor saw over an exercise.

    Attributes:
        t_us: (n,) int64 UTC µs, one step apart but for silences.
        up: (n, 3) earth's up in the sensor frame S, unit length.
        turn: (n,) rad turned about the vertical since the first moment, to the left positive; drifts slowly.
        rate: (n, 3) angular rate in S without the gyroscope's rest value, rad/s.
        force: (n,) length of the specific force, m/s².
        still: (n,) bool, at rest.
        seen: share of the moments that lie between samples less than 0.2 s apart.
    """

    t_us: Int64s
    up: Floats
    turn: Floats
    rate: Floats
    force: Floats
    still: Bools
    seen: float

    def __len__(self) -> int:
        return len(self.t_us)


class SignalTrack:
    """One sensor's samples on the common 25 Hz UTC grid; any chunking gives the same bits."""

    def __init__(self, period_ns: int, keep_s: float | None = None) -> None:
        """Begin at the sensor's nominal period; only the newest `keep_s` seconds are kept if given."""
        self._orientation = Orientation(period_ns)
        self._keep = None if keep_s is None else round(keep_s * RATE_HZ)
        self._last_us = -1
        self._last = np.zeros(_COLUMNS)
        self._frames: list[Int64s] = []
        self._rows: list[Floats] = []
        self._holes: list[Bools] = []

    def update(self, batch: ImuBatch) -> None:
        """Take a batch; samples not newer than the last are left out."""
        if len(batch) == 0:
            return
        track = self._orientation.update(batch)
        taken = len(track.t_us)
        if taken == 0:
            return
        rows = np.hstack([track.up, batch.gyr_si[-taken:], batch.acc_si[-taken:]])
        t_us = track.t_us
        if self._last_us >= 0:
            t_us = np.concatenate([[self._last_us], t_us])
            rows = np.concatenate([self._last[None], rows])
        self._last_us, self._last = int(t_us[-1]), rows[-1].copy()
        if len(t_us) > 1:
            self._place(t_us, rows)

    def _place(self, t_us: Int64s, rows: Floats) -> None:
        """Interpolate linearly; a frame belongs to the pair of samples before and at or after it."""
        wide, ticks = np.diff(t_us), t_us // STEP_US
        between = np.where(wide <= FILLED_US, np.diff(ticks), 0)
        right = np.repeat(np.arange(1, len(t_us)), between)
        if len(right) == 0:
            return
        before = np.repeat(np.cumsum(between) - between, between)
        frames = ticks[right - 1] + 1 + np.arange(len(right), dtype=np.int64) - before
        wide = wide[right - 1]
        share = ((frames * STEP_US - t_us[right - 1]) / wide)[:, None]
        self._frames.append(frames)
        self._rows.append(rows[right - 1] + share * (rows[right] - rows[right - 1]))
        self._holes.append(wide > 200_000)
        self._forget()

    def _forget(self) -> None:
        if self._keep is None or len(self._frames) < 64:
            return
        frames, rows, holes = self._joined()
        cut = int(np.searchsorted(frames, frames[-1] - self._keep))
        self._frames, self._rows, self._holes = [frames[cut:]], [rows[cut:]], [holes[cut:]]

    def _joined(self) -> tuple[Int64s, Floats, Bools]:
        return np.concatenate(self._frames), np.concatenate(self._rows), np.concatenate(self._holes)

    @property
    def newest(self) -> int:
        """Index of the newest frame, -1 before the first."""
        return int(self._frames[-1][-1]) if self._frames else -1

    def signals(self, since: int | None = None) -> Signals | None:
        """Return what was seen from frame `since` on, None if that is less than a second."""
        if not self._frames:
            return None
        frames, rows, holes = self._joined()
        newest = int(frames[-1])
        least = newest - self._keep if self._keep is not None else 0
        cut = int(np.searchsorted(frames, max(least, since if since is not None else 0)))
        frames, rows, holes = frames[cut:], rows[cut:], holes[cut:]
        return _signals(frames, rows, holes) if len(frames) >= RATE_HZ else None


def gather(parts: Parts) -> dict[str, Signals]:
    """Return the signals of all sensors worn over the exercise; sensors that sent too little are absent."""
    found: dict[str, Signals] = {}
    for segment, batches in parts.items():
        usable = [batch for batch in batches if len(batch)]
        if not usable:
            continue
        track = SignalTrack(usable[0].period_ns)
        for batch in usable:
            track.update(batch)
        signals = track.signals()
        if signals is not None:
            found[segment] = signals
    return found


def together(found: Mapping[str, Signals], segments: Iterable[str]) -> dict[str, Signals]:
    """Return the signals of `segments` at the moments that all of them have; {} if there are none."""
    chosen = {name: found[name] for name in segments if name in found}
    longest = max((len(one) for one in chosen.values()), default=0)
    chosen = {name: one for name, one in chosen.items() if len(one) >= LEAST_SHARE * longest}
    common: Int64s | None = None
    for one in chosen.values():
        common = one.t_us if common is None else np.intersect1d(common, one.t_us, assume_unique=True)
    if common is None or len(common) < RATE_HZ:
        return {}
    return {name: _at(one, np.searchsorted(one.t_us, common)) for name, one in chosen.items()}


def _at(one: Signals, rows: Int64s) -> Signals:
    return Signals(
        one.t_us[rows],
        one.up[rows],
        one.turn[rows],
        one.rate[rows],
        one.force[rows],
        one.still[rows],
        one.seen,
    )


def _signals(frames: Int64s, rows: Floats, holes: Bools) -> Signals:
    up, gyr, acc = rows[:, :3], rows[:, 3:6], rows[:, 6:9]
    force = np.sqrt((acc * acc).sum(axis=1))
    smooth = smoothed(gyr)
    still = _at_rest(smooth, force)
    rate = smooth - _rest_value(smooth, still)
    length = np.sqrt((up * up).sum(axis=1, keepdims=True))
    up = smoothed(up / np.where(length > 0, length, 1.0))
    vertical = (rate * up).sum(axis=1)
    turn = np.concatenate([[0.0], np.cumsum(0.5 * (vertical[1:] + vertical[:-1]))]) / RATE_HZ
    return Signals(frames * STEP_US, up, turn, rate, force, still, float(1.0 - holes.mean()))


def _at_rest(gyr: Floats, force: Floats) -> Bools:
    """Tell where a second around the moment is calm in turning and in force."""
    mean = np.stack([box_mean(axis, 12) for axis in gyr.T], axis=1)
    quick = np.sqrt(((gyr - mean) ** 2).sum(axis=1))
    jolt = np.abs(force - smoothed(force))
    off = np.sqrt((mean * mean).sum(axis=1))
    busy = ((quick > STILL_RAD_S) | (off > OFF_RAD_S) | (jolt > 0.5)).astype(np.float64)
    return np.asarray(box_mean(busy, 13) == 0.0, np.bool_)


def _rest_value(gyr: Floats, still: Bools) -> Floats:
    """Return what the gyroscope says at rest: the median of the calm moments, 0 without enough of them."""
    if int(still.sum()) < RATE_HZ:
        return np.zeros(3)
    value: Floats = np.median(gyr[still], axis=0)
    return value


def smoothed(values: Floats, seconds: float = SMOOTH_S) -> Floats:
    """Return values (n,) or (n, d) smoothed by a Gaussian in time; ends are continued by their value."""
    reach = int(4 * seconds * RATE_HZ) + 1
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / (seconds * RATE_HZ)) ** 2)
    kernel /= kernel.sum()
    columns = values[:, None] if values.ndim == 1 else values
    padded = np.pad(columns, ((reach, reach), (0, 0)), mode="edge")
    out = np.stack([np.convolve(column, kernel, "valid") for column in padded.T], axis=1)
    return out[:, 0] if values.ndim == 1 else out


def box_mean(values: Floats, reach: int) -> Floats:
    """Return the mean of `2 reach + 1` values around each; ends are continued by their value."""
    padded = np.pad(values, reach, mode="edge")
    sums = np.concatenate([[0.0], np.cumsum(padded)])
    mean: Floats = (sums[2 * reach + 1 :] - sums[: -2 * reach - 1]) / (2 * reach + 1)
    return mean


def without_drift(turn: Floats, seconds: float = 20.0) -> Floats:
    """Return a turning angle without what changes more slowly than an exercise.

    The slow part is a mean over `seconds`, taken after the straight line between the ends, so that a constant
    rest value of the gyroscope leaves nothing.
    """
    line = np.linspace(turn[0], turn[-1], len(turn))
    rest = turn - line
    reach = min(round(seconds / 2 * RATE_HZ), len(turn) - 1)
    padded = np.concatenate([-rest[reach:0:-1], rest, -rest[-2 : -reach - 2 : -1]])
    sums = np.concatenate([[0.0], np.cumsum(padded)])
    mean: Floats = (sums[2 * reach + 1 :] - sums[: -2 * reach - 1]) / (2 * reach + 1)
    return rest - mean
