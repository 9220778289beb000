"""One sensor's stream between its notifications and the messages: repeats, gaps and times."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from device.clock import Line, Moment, SensorClock, read_tick
from device.vendors import Vendor, decode_all
from device.vendors.base import Samples
from poise.samples import Gap, ImuBatch, Int16s, Int64s, SampleFlag, quantise, regular_times

SECOND_US: Final = 1_000_000
SNAP_US: Final = 100
"""Times this near to a regular grid are put on it: less than the jitter of any sensor's own sampling."""


@dataclass(frozen=True, slots=True)
class LastSample:
    """The newest sample of a sensor that is safely on disk.

    Attributes:
        tick: unwrapped µs of the sensor's clock.
        t_us: UTC µs.
    """

    tick: int
    t_us: int


@dataclass(slots=True)
class Counts:
    """What became of one sensor's notifications.

    Attributes:
        received: samples taken in.
        missing: samples reported in gaps, estimates included.
        repeated: dropped because their tick was not later than the last.
        damaged: notifications that do not follow the maker's layout.
        restarts: how often the sensor's clock began anew.
    """

    received: int = 0
    missing: int = 0
    repeated: int = 0
    damaged: int = 0
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class _Missing:
    from_us: int | None  # None: the sample before it has no time yet and is the one taken just before
    count: int
    estimated: bool
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """Consecutive samples; `joins` if they follow the piece before without a gap."""

    ticks: Int64s
    t_us: Int64s
    acc: Int16s
    gyr: Int16s
    flags: np.typing.NDArray[np.uint8]
    joins: bool
    missing: _Missing | None

    def split(self, at: int) -> tuple["_Piece", "_Piece"]:
        return self._rows(slice(None, at), self.joins, self.missing), self._rows(slice(at, None), True, None)  # noqa: FBT003

    def _rows(self, rows: slice, joins: bool, missing: _Missing | None) -> "_Piece":  # noqa: FBT001
        cut = (self.ticks[rows], self.t_us[rows], self.acc[rows], self.gyr[rows], self.flags[rows])
        return _Piece(*cut, joins, missing)


@dataclass(frozen=True, slots=True)
class _Run:
    """Samples of one call that share a mapping; `rows` are their places in the call."""

    rows: list[int]
    ticks: list[int]
    line: Line | None
    clock: SensorClock
    joins: bool
    missing: _Missing | None


class Track:
    """Takes one sensor's notifications in order and gives back batches of any whole time.

    Attributes:
        sensor: its identity.
        segment: where it is worn.
        vendor: its maker.
        counts: what became of its notifications.
        clock: the mapping of its ticks.
        newest_us: UTC µs of the newest sample that has a time, 0 before the first.
        heard_us: host µs of the newest notification, 0 before the first.
    """

    def __init__(self, sensor: str, segment: str, vendor: Vendor, last: LastSample | None) -> None:
        self.sensor, self.segment, self.vendor = sensor, segment, vendor
        self.counts = Counts()
        self.clock = SensorClock()
        self.newest_us = 0
        self.heard_us = 0
        self._period_us = 1e6 / vendor.rate_hz
        self._tick = last.tick if last else None
        self._last_utc_us = last.t_us if last else 0
        self._joins = False
        self._missing: _Missing | None = None
        self._held: list[tuple[SensorClock, _Piece]] = []
        self._pieces: deque[_Piece] = deque()

    def take(self, notifications: Sequence[bytes], moments: Sequence[Moment]) -> None:
        """Take notifications with the moments of their arrival, oldest first."""
        decoded = decode_all(self.vendor, notifications)
        self.counts.damaged += int(np.count_nonzero(~decoded.good))
        kept = [moment for moment, good in zip(moments, decoded.good, strict=True) if good]
        acc, acc_clipped = quantise(decoded.samples.acc, self.vendor.scale.acc_nano)
        gyr, gyr_clipped = quantise(decoded.samples.gyr, self.vendor.scale.gyr_nano)
        flags = (acc_clipped * SampleFlag.CLIPPED_ACC + gyr_clipped * SampleFlag.CLIPPED_GYR).astype(np.uint8)
        for run in self._runs(decoded.samples, kept):
            rows, ticks = run.rows, np.array(run.ticks, np.int64)
            untimed = np.zeros(len(ticks), np.int64)
            piece = _Piece(ticks, untimed, acc[rows], gyr[rows], flags[rows], run.joins, run.missing)
            if run.line is None:
                self._held.append((run.clock, piece))
            else:
                self._release(run.line)
                self._place(piece, run.line)

    def settle(self) -> None:
        """Give times to what still waits for its clock, as well as can be, because nothing more comes."""
        if self._held:
            self._release(self.clock.settle())

    def oldest_us(self) -> int | None:
        """Return UTC µs of the oldest sample not handed over yet, None if there is none."""
        return int(self._pieces[0].t_us[0]) if self._pieces else None

    def cut(self, before_us: int, calibration: str) -> tuple[list[ImuBatch], list[Gap]]:
        """Hand over all samples before a time: a batch for each unbroken stretch and each UTC second."""
        batches: list[ImuBatch] = []
        gaps: list[Gap] = []
        run: list[_Piece] = []
        while self._pieces and self._pieces[0].t_us[0] < before_us:
            piece = self._pieces.popleft()
            second_end = (int(piece.t_us[0]) // SECOND_US + 1) * SECOND_US
            at = int(np.searchsorted(piece.t_us, second_end))
            if at < len(piece.t_us):
                piece, rest = piece.split(at)
                self._pieces.appendleft(rest)
            if run and (not piece.joins or run[0].t_us[0] // SECOND_US != piece.t_us[0] // SECOND_US):
                batches.append(self._batch(run, calibration))
                run = []
            if piece.missing is not None:
                gaps.append(self._gap(piece.missing, int(piece.t_us[0])))
            run.append(piece)
        if run:
            batches.append(self._batch(run, calibration))
        return batches, gaps

    def _runs(self, samples: Samples, moments: Sequence[Moment]) -> list[_Run]:
        """Sort samples into runs that share a mapping and have no gap inside."""
        runs: list[_Run] = []
        for i, (raw, moment) in enumerate(zip(samples.tick_us.tolist(), moments, strict=True)):
            tick = self._read(raw, moment)
            if tick is None:
                continue
            if self.clock.observe(tick, moment.host_us, moment.utc_us - moment.host_us):
                self._joins = False
            line = self.clock.line
            if not runs or not self._joins or runs[-1].line is not line:
                runs.append(_Run([], [], line, self.clock, self._joins, self._missing))
            runs[-1].rows.append(i)
            runs[-1].ticks.append(tick)
            self._joins, self._missing = True, None
            self._tick, self._last_utc_us, self.heard_us = tick, moment.utc_us, moment.host_us
        return runs

    def _read(self, raw: int, moment: Moment) -> int | None:
        """Unwrap a tick and notice what is missing before it; None for a repetition."""
        if self._tick is None:
            self.counts.received += 1
            return raw
        fresh = self.heard_us == 0  # the last sample is one that an earlier gateway spooled
        elapsed = moment.utc_us - self._last_utc_us if fresh else moment.host_us - self.heard_us
        read = read_tick(raw, self._tick, elapsed)
        if read.repeated:
            self.counts.repeated += 1
            return None
        span = elapsed if read.restarted else read.tick - self._tick
        missing = max(0, round(span / self._period_us) - 1)
        if read.restarted:
            self.counts.restarts += 1
            self.settle()
            self.clock = SensorClock(self.clock.ppm)
        if missing or read.restarted or fresh:
            reason = "gateway restarted" if fresh else "sensor restarted" if read.restarted else "radio"
            self._joins = False
            self._note(missing, estimated=read.restarted, reason=reason)
        self.counts.received += 1
        return read.tick

    def _note(self, count: int, *, estimated: bool, reason: str) -> None:
        if count:
            self.counts.missing += count
            from_us = self._last_utc_us if self.heard_us == 0 else None
            self._missing = _Missing(from_us, count, estimated, reason)

    def _release(self, line: Line) -> None:
        """Place what was held back until its clock was known."""
        held, self._held = self._held, []
        for clock, piece in held:
            self._place(piece, line if clock is self.clock else clock.settle())

    def _place(self, piece: _Piece, line: Line) -> None:
        t_us = line.at(piece.ticks)
        missing, before = piece.missing, self.newest_us
        if missing is not None and missing.from_us is None:
            missing = replace(missing, from_us=before)
        # Bends of the mapping are far too gentle to reach this; a step of the host's clock is a new stretch.
        if piece.joins and t_us[0] <= before:
            t_us = np.maximum(t_us, before + 1 + np.arange(len(t_us)))
        self.newest_us = int(t_us[-1])
        self._pieces.append(replace(piece, t_us=t_us, missing=missing))

    def _batch(self, run: Sequence[_Piece], calibration: str) -> ImuBatch:
        t_us = np.concatenate([piece.t_us for piece in run])
        flags = np.concatenate([piece.flags for piece in run])
        period_ns = _period_ns(t_us, self._period_us)
        regular = regular_times(int(t_us[0]), period_ns, len(t_us))
        return ImuBatch(
            sensor=self.sensor,
            segment=self.segment,
            first_tick=int(run[0].ticks[0]),
            period_ns=period_ns,
            t_us=regular if np.abs(regular - t_us).max() < SNAP_US else t_us,
            acc=np.concatenate([piece.acc for piece in run]),
            gyr=np.concatenate([piece.gyr for piece in run]),
            scale=self.vendor.scale,
            flags=flags if flags.any() else None,
            calibration=calibration,
        )

    def _gap(self, missing: _Missing, to_us: int) -> Gap:
        # A host clock set back in between must not make the gap end before it begins.
        from_us = min(missing.from_us or to_us, to_us)
        return Gap(
            self.sensor, self.segment, from_us, to_us, missing.count, missing.estimated, missing.reason
        )


def _period_ns(t_us: Int64s, nominal_us: float) -> int:
    """Return the mean period, rounded down so that regular times never pass the last real one."""
    if len(t_us) < 2:
        return round(nominal_us * 1000)
    return int(t_us[-1] - t_us[0]) * 1000 // (len(t_us) - 1)
