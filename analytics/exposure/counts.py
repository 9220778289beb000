"""What is counted of one quarter of an hour (or any longer time), in whole numbers that add up.

Sources: amplitude distribution (percentiles of angle and of angular velocity) is usual practice in
ergonomics; level by duration is exposure variation analysis (EVA: Mathiassen and Winkel 1991, pubmed
1800110). The edges of its classes are a project decision: levels follow RULA's bands, durations double each
time (1, 3, 7, 15, 31 s), then RULA's minute and five minutes.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from analytics.exposure.streams import STREAMS, Centidegrees
from poise.results import ACTIVITIES

Counted: TypeAlias = NDArray[np.integer[Any]]

ANGLE_LOW_DEG: Final = -40
ANGLE_HIGH_DEG: Final = 80
ANGLE_BINS: Final = 2 * (ANGLE_HIGH_DEG - ANGLE_LOW_DEG) + 2
"""Bins of half a degree; the first and the last hold what lies below and above."""
RATE_EDGES: Final[NDArray[np.int64]] = np.concatenate(
    [
        np.arange(start, stop, step)
        for start, stop, step in (
            (0, 20, 1),
            (20, 100, 5),
            (100, 400, 10),
            (400, 1000, 50),
            (1000, 2001, 200),
        )
    ]
)
"""Lower edges of the bins of angular velocity, tenths of a degree a second; the last has no upper edge."""
LEVELS_DEG: Final = (-5, 10, 20, 45, 60)
"""Between the six levels of the EVA matrix; -5 to 10° is about upright."""
DURATIONS_S: Final = (1, 3, 7, 15, 31, 60, 300)
"""Between the eight durations of the EVA matrix, s; a stretch of exactly 1 s is in the second."""
EVA_SHAPE: Final = (len(LEVELS_DEG) + 1, len(DURATIONS_S) + 1)
RULA_SCORES: Final = 6
"""Frames with score 1 to 5 stand at these indices; 0 stays empty."""

_LEVEL_OF_BIN: Final = np.searchsorted(
    np.array(LEVELS_DEG), ANGLE_LOW_DEG + np.arange(-1, ANGLE_BINS - 1) / 2, side="right"
).astype(np.int8)
_TENTHS: Final = 2001
_BIN_OF_TENTH: Final = np.searchsorted(RATE_EDGES, np.arange(_TENTHS), side="right").astype(np.int16) - 1


def angle_bins(angle: Centidegrees) -> NDArray[np.int16]:
    """Return the bin of each angle; a bin holds its lower edge."""
    bins = (angle - (100 * ANGLE_LOW_DEG - 50)) // 50
    return np.clip(bins, 0, ANGLE_BINS - 1).astype(np.int16)


def levels(bins: NDArray[np.int16]) -> NDArray[np.int8]:
    """Return the EVA level of each angle bin."""
    found: NDArray[np.int8] = _LEVEL_OF_BIN.take(bins)
    return found


def rate_bins(tenths: NDArray[np.integer[Any]]) -> NDArray[np.int16]:
    """Return the bin of each angular velocity in tenths of a degree a second."""
    found: NDArray[np.int16] = _BIN_OF_TENTH.take(np.minimum(tenths, _TENTHS - 1))
    return found


@dataclass(slots=True, eq=False)
class Counts:
    """Whole numbers of one time and k streams; frames are 0.1 s.

    Posture is counted in frames of judged activity only (`poise.results.JUDGED`); walking, lying and moving
    are in `activity`. What was not seen is in no number.

    Attributes:
        streams: (k,) names, in the order of `STREAMS`.
        activity: (a,) frames by `poise.results.ACTIVITIES`.
        judged: frames in which at least one stream was seen and judged.
        angle: (k, ANGLE_BINS) frames by angle.
        rate: (k, r) frames by angular velocity, of neighbouring frames only.
        eva: (k, levels, durations) frames in unbroken stretches at a level, by the whole stretch's duration.
        dose: (k, 2) centidegree-frames above and below upright, both positive.
        static_s: (k,) s held within 10° for at least a minute.
        static_dose: (k, 2) centidegree-seconds of it above and below upright.
        longest_static_s: (k,) s, the longest such stretch that was going on here.
        cycles: (k,) to-and-fro movements that were repeated.
        rula_neck: (6,) frames by RULA neck score.
        rula_trunk: (6,) frames by RULA trunk score.
        shifts: how often the trunk settled elsewhere.
        breaks: how often the person was out of the seat.
    """

    streams: tuple[str, ...]
    activity: Counted
    judged: int
    angle: Counted
    rate: Counted
    eva: Counted
    dose: Counted
    static_s: Counted
    static_dose: Counted
    longest_static_s: Counted
    cycles: Counted
    rula_neck: Counted
    rula_trunk: Counted
    shifts: int = 0
    breaks: int = 0

    @classmethod
    def zero(cls, streams: tuple[str, ...] = (), *, dtype: type[np.integer[Any]] = np.int64) -> "Counts":
        """Return empty counts; a quarter's histograms fit `np.uint16` (9000 frames)."""
        k, wide = len(streams), np.int64
        return cls(
            streams,
            np.zeros(len(ACTIVITIES), wide),
            0,
            np.zeros((k, ANGLE_BINS), dtype),
            np.zeros((k, len(RATE_EDGES)), dtype),
            np.zeros((k, *EVA_SHAPE), dtype),
            np.zeros((k, 2), wide),
            np.zeros(k, wide),
            np.zeros((k, 2), wide),
            np.zeros(k, wide),
            np.zeros(k, wide),
            np.zeros(RULA_SCORES, wide),
            np.zeros(RULA_SCORES, wide),
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Counts):
            return NotImplemented
        return all(np.array_equal(getattr(self, f.name), getattr(other, f.name)) for f in fields(self))

    __hash__ = None  # type: ignore[assignment]

    def to_state(self) -> list[Any]:
        """Return what a saved analysis keeps: most bins of a histogram are empty and are left out."""
        flat = np.concatenate([getattr(self, name).ravel() for name in _HISTOGRAMS])
        hits = np.flatnonzero(flat)
        rest = [getattr(self, name) for name in (*_BY_STREAM, *_WHOLE) if name not in _HISTOGRAMS]
        return [self.streams, hits.astype(np.int32), flat[hits], rest]

    @classmethod
    def from_state(cls, state: list[Any]) -> "Counts":
        """Fill in what `to_state` gave."""
        streams, hits, values, rest = state
        made = cls.zero(streams, dtype=values.dtype.type)
        flat = np.zeros(sum(getattr(made, name).size for name in _HISTOGRAMS), values.dtype)
        flat[hits] = values
        for name in _HISTOGRAMS:
            shape = getattr(made, name).shape
            part, flat = np.split(flat, [math.prod(shape)])
            setattr(made, name, part.reshape(shape))
        for name, value in zip(
            (n for n in (*_BY_STREAM, *_WHOLE) if n not in _HISTOGRAMS), rest, strict=True
        ):
            setattr(made, name, value)
        return made

    def row(self, stream: str) -> int | None:
        """Return the stream's row, None if it was never seen."""
        return self.streams.index(stream) if stream in self.streams else None

    def widened(self, streams: tuple[str, ...], *, dtype: type[np.integer[Any]] = np.int64) -> "Counts":
        """Return a copy with these streams (a superset), the new ones empty."""
        wide = Counts.zero(streams, dtype=dtype)
        rows = [streams.index(name) for name in self.streams]
        for name in _BY_STREAM:
            getattr(wide, name)[rows] = getattr(self, name)
        for name in _WHOLE:
            setattr(wide, name, getattr(self, name) + 0)
        return wide

    def merge(self, other: "Counts") -> "Counts":
        """Return both together: sums, and of the longest stretch the longer one."""
        names = tuple(s for s in STREAMS if s in self.streams or s in other.streams)
        mine, theirs = self.widened(names), other.widened(names)
        longest = np.maximum(mine.longest_static_s, theirs.longest_static_s)
        for name in (*_BY_STREAM, *_WHOLE):
            setattr(mine, name, getattr(mine, name) + getattr(theirs, name))
        mine.longest_static_s = longest
        return mine


_HISTOGRAMS: Final = ("angle", "rate", "eva")
_BY_STREAM: Final = (
    "angle",
    "rate",
    "eva",
    "dose",
    "static_s",
    "static_dose",
    "longest_static_s",
    "cycles",
)
_WHOLE: Final = ("activity", "judged", "rula_neck", "rula_trunk", "shifts", "breaks")


def merged(parts: Iterable[Counts]) -> Counts:
    """Return all counts together; empty counts for none."""
    total = Counts.zero()
    for part in parts:
        total = total.merge(part)
    return total


@dataclass(frozen=True, slots=True)
class QuarterExposure:
    """One run's counts of one quarter of an hour; rows of several runs are merged when read.

    Attributes:
        quarter_s: UTC s of the quarter's beginning, a multiple of 900.
        run_us: the run.
        counts: what was counted.
    """

    quarter_s: int
    run_us: int
    counts: Counts

    def to_plain(self) -> dict[str, Any]:
        """Return it as plain numbers, lists and names for JSON; empty ends of rows are left out."""
        plain: dict[str, Any] = {"quarter_s": self.quarter_s, "run_us": self.run_us}
        plain["streams"] = list(self.counts.streams)
        for name in _WHOLE:
            value = getattr(self.counts, name)
            plain[name] = value.tolist() if isinstance(value, np.ndarray) else int(value)
        for name in _BY_STREAM:
            plain[name] = [_trimmed(row) for row in _by_stream(getattr(self.counts, name))]
        return plain

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> "QuarterExposure":
        """Read what `to_plain` gave.

        Raises:
            KeyError, ValueError, TypeError or IndexError: if it is something else.
        """
        counts = Counts.zero(tuple(plain["streams"]))
        for name in _WHOLE:
            value = plain[name]
            setattr(counts, name, np.array(value, np.int64) if isinstance(value, list) else int(value))
        for name in _BY_STREAM:
            rows = _by_stream(getattr(counts, name))
            for row, (first, values) in zip(rows, plain[name], strict=True):
                row[first : first + len(values)] = values
        return cls(int(plain["quarter_s"]), int(plain["run_us"]), counts)


def _by_stream(counted: Counted) -> Counted:
    """Return (k, …) as rows (k, c), of which there may be none."""
    return counted.reshape(len(counted), math.prod(counted.shape[1:]))


def _trimmed(row: Counted) -> tuple[int, list[int]]:
    """Return where the first number other than 0 stands, and the numbers from there to the last such."""
    hits = np.flatnonzero(row)
    if not len(hits):
        return 0, []
    first, last = int(hits[0]), int(hits[-1])
    return first, row[first : last + 1].tolist()
