"""One sensor's stream between its notifications and the messages: repeats, gaps and times."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import NamedTuple

import numpy as np

from device.stream.clock import Line, Moment, SensorClock
from device.stream.pieces import Cutter, Missing, Piece, Values, quantised
from device.stream.reading import LATENESS_US, Before, Rows, reader_for
from device.vendors.base import Notification, Timing, Vendor
from poise.samples import Bools, Gap, ImuBatch, Int64s


@dataclass(frozen=True, slots=True)
class LastSample:
    """The newest sample of a sensor that is safely on disk.

    Attributes:
        tick: unwrapped µs of the sensor's clock.
        t_us: UTC µs.
        host_us: µs of the host's monotonic clock, None if that has begun anew since.
    """

    tick: int
    t_us: int
    host_us: int | None = None


class Marks(NamedTuple):
    """How a host's two clocks stand to each other.

    Attributes:
        boot: names the stretch over which the monotonic clock counts on.
        utc_less_host_us: by sensor, the time that its newest sample got less the moment at which it was
            heard, µs.
    """

    boot: str
    utc_less_host_us: Mapping[str, int]


@dataclass(slots=True)
class Counts:
    """What became of one sensor's notifications.

    Attributes:
        received: samples taken in.
        missing: samples reported in gaps, estimates included.
        spread: the true number lies within missing ± spread.
        repeated: dropped because their tick was not later than the last.
        damaged: notifications that do not follow the maker's layout.
        restarts: how often the sensor's clock began anew.
    """

    received: int = 0
    missing: int = 0
    spread: int = 0
    repeated: int = 0
    damaged: int = 0
    restarts: int = 0


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
        battery_percent: as told among the samples, None for sensors that tell it otherwise.
        watched: somebody asks for `fresh` samples.
    """

    def __init__(self, sensor: str, segment: str, vendor: Vendor, last: LastSample | None) -> None:
        self.sensor, self.segment, self.vendor = sensor, segment, vendor
        self.counts = Counts()
        self.clock = self._new_clock(None)
        self.newest_us = 0
        self.heard_us = 0
        self.battery_percent: int | None = None
        self.watched = False
        self._fresh: list[Piece] = []
        self._decoder = vendor.decoder()
        self._reader = reader_for(vendor)
        self._tick = last.tick if last else None
        self._last_utc_us = last.t_us if last else 0
        self._last_host_us = last.host_us if last else None
        self._broken = True
        self._joins = False
        self._missing: Missing | None = None
        self._held: list[tuple[SensorClock, Piece]] = []
        self._cutter = Cutter(sensor, segment, vendor)

    def take(self, notifications: Sequence[Notification | None], moments: Sequence[Moment]) -> None:
        """Take notifications with the moments of their arrival, oldest first; None where a link began."""
        at = 0
        for i in [*(i for i, n in enumerate(notifications) if n is None), len(notifications)]:
            heard = [n for n in notifications[at:i] if n is not None]
            if heard:
                self._take(heard, moments[at:i])
            if i < len(notifications):
                self._decoder, self._broken = self.vendor.decoder(), True
            at = i + 1

    def _take(self, notifications: Sequence[Notification], moments: Sequence[Moment]) -> None:
        decoded = self._decoder.feed(notifications)
        self.counts.damaged += decoded.damaged
        if decoded.battery_percent is not None:
            self.battery_percent = decoded.battery_percent
        if len(decoded.samples) == 0:
            return
        host_us = np.array([moment.host_us for moment in moments], np.int64)[decoded.of]
        utc_us = np.array([moment.utc_us for moment in moments], np.int64)[decoded.of]
        values = quantised(decoded.samples, self.vendor)
        prompt = np.append(decoded.of[1:] != decoded.of[:-1], True)
        at = 0
        while at < len(host_us):
            rows = self._read(decoded.samples.tick_us, host_us, utc_us, at)
            n = len(rows.ticks)
            if n:
                here = slice(rows.start, rows.start + n)
                cut = values.rows(here.start, here.stop)
                self._observe(rows, cut, host_us[here], utc_us[here], prompt[here])
            at = rows.start + n

    def _read(self, ticks: Int64s, host_us: Int64s, utc_us: Int64s, at: int) -> Rows:
        """Read the next samples that follow each other, and note what is missing before them."""
        if self._tick is None:
            rows = self._reader.first(ticks)
        else:
            fresh = self.heard_us == 0  # the last sample is one that an earlier gateway spooled
            heard_us = self._last_heard_us(int(host_us[at] - utc_us[at])) if fresh else self.heard_us
            before = Before(self._tick, heard_us, self.clock.ppm, self._broken)
            rows = self._reader.next(ticks, host_us, at, before)
        self.counts.repeated += rows.repeated
        if len(rows.ticks):
            self._note_rows(rows)
        return rows

    def _last_heard_us(self, host_less_utc_us: int) -> int:
        """When an earlier gateway heard its last sample, by the monotonic clock if that still runs."""
        if self._last_host_us is not None:
            return self._last_host_us
        return self._last_utc_us + host_less_utc_us

    def _note_rows(self, rows: Rows) -> None:
        fresh = self.heard_us == 0 and self._tick is not None
        if rows.restarted:
            self.counts.restarts += 1
            self.settle()
            self.clock = self._new_clock(self.clock.ppm)
        if rows.missing or rows.restarted or fresh:
            reason = "gateway restarted" if fresh else "sensor restarted" if rows.restarted else "radio"
            self._joins = False
            self._note(rows.missing, spread=rows.spread, estimated=rows.estimated, reason=reason)
        self._broken = False

    def _new_clock(self, ppm: float | None) -> SensorClock:
        return SensorClock(ppm, limit_ppm=self.vendor.clock_ppm, keeps=self.vendor.resume is not None)

    def _observe(self, rows: Rows, values: Values, host_us: Int64s, utc_us: Int64s, prompt: Bools) -> None:
        """Let the clock see samples, and place them or hold them until it knows their time."""
        for stretch in self.clock.observe(rows.ticks, host_us, utc_us - host_us, prompt):
            i, j = stretch.start, stretch.stop
            if stretch.stepped:
                self._joins = False
                self._note_lost(stretch.lost_us)
            acc, gyr, flags = values.rows(i, j)
            untimed = np.zeros(j - i, np.int64)
            piece = Piece(rows.ticks[i:j], untimed, acc, gyr, flags, self._joins, self._missing)
            self._joins, self._missing = True, None
            if stretch.line is None:
                self._held.append((self.clock, piece))
            else:
                self._release(stretch.line)
                self._place(piece, stretch.line)
        self.counts.received += len(rows.ticks)
        self._tick, self._last_utc_us = int(rows.ticks[-1]), int(utc_us[-1])
        self.heard_us = int(host_us[-1])

    def settle(self) -> None:
        """Give times to what still waits for its clock, as well as can be, because nothing more comes."""
        if self._held:
            self._release(self.clock.settle())

    def oldest_us(self) -> int | None:
        """Return UTC µs of the oldest sample not handed over yet, None if there is none."""
        return self._cutter.oldest_us()

    def fresh(self, calibration: str) -> list[ImuBatch]:
        """Return what has got its times since the last call, without waiting for its second to be over."""
        fresh, self._fresh = self._fresh, []
        return self._cutter.joined(fresh, self._reader.period_us, calibration)

    def cut(self, before_us: int, calibration: str) -> tuple[list[ImuBatch], list[Gap]]:
        """Hand over all samples before a time: a batch for each unbroken stretch and each UTC second."""
        return self._cutter.cut(before_us, self._reader.period_us, calibration)

    def _note(self, count: int, *, spread: int, estimated: bool, reason: str) -> None:
        if count or spread:
            self.counts.missing += count
            self.counts.spread += spread
            from_us = self._last_utc_us if self.heard_us == 0 else None
            self._missing = Missing(from_us, count, spread, estimated, reason)

    def _note_lost(self, lost_us: int) -> None:
        """A sensor that neither stamps nor numbers has lost samples unseen: its arrivals lag for good."""
        if self.vendor.timing is not Timing.STAMPED and lost_us and self._missing is None:
            period_us = self._reader.period_us
            spread = ceil(LATENESS_US / period_us)
            self._note(round(lost_us / period_us), spread=spread, estimated=True, reason="radio")

    def _release(self, line: Line) -> None:
        """Place what was held back until its clock was known."""
        held, self._held = self._held, []
        for clock, piece in held:
            self._place(piece, line if clock is self.clock else clock.settle())

    def _place(self, piece: Piece, line: Line) -> None:
        t_us = line.at(piece.ticks)
        missing, before = piece.missing, self.newest_us
        if missing is not None and missing.from_us is None:
            missing = replace(missing, from_us=before)
        # Bends of the mapping are far too gentle to reach this; a step of the host's clock is a new stretch.
        if piece.joins and t_us[0] <= before:
            t_us = np.maximum(t_us, before + 1 + np.arange(len(t_us)))
        self.newest_us = int(t_us[-1])
        placed = replace(piece, t_us=t_us, missing=missing)
        self._cutter.add(placed)
        if self.watched:
            self._fresh.append(placed)
