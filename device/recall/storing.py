"""Recordings that have come home, into the spool: second by second, all sensors together, each sample once.

What a message brings and how far each recording has come are one transaction, so this may be cut off anywhere
and goes on. The messages are marked `kept`: ingest makes runs of their own of them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

import numpy as np

from device.recall.book import FETCHED, STORED, Book, Recording, Stretch, advance, settle
from device.recall.timing import Timed, timed, unwrapped
from device.spooling.spool import Connection
from device.stream.pieces import SECOND_US, Cutter, Missing, Piece, Values, quantised
from device.stream.reading import Before, Rows, Stamped
from device.stream.track import LastSample
from device.vendors.base import Samples
from device.vendors.movella_dot import MovellaDot
from poise.samples import Gap, ImuBatch, Int64s, SampleFlag, SampleMessage

BEFORE: Final = "gateway restarted"
"""What was taken while the sensor neither streamed to a gateway nor recorded."""
UNREADABLE: Final = "sensor memory"
_MAX_BATCHES: Final = 60  # the wire allows 64 in a message
_DOT: Final = MovellaDot()


class Home:
    """A recording that has come home.

    Attributes:
        recording: its entry in the book, as of the newest message.
        timed: how well its times are known, None where it holds no sample.
        last: the newest sample counted once all is in the spool.
    """

    def __init__(self, recording: Recording, samples: Samples, last: LastSample | None) -> None:
        """Give the samples that are not in the spool yet their times.

        Args:
            recording: its entry in the book.
            samples: all of its samples.
            last: the newest sample counted before those that are not in the spool yet.
        """
        self.recording, self.last = recording, last
        self.timed: Timed | None = None
        self._cutter = Cutter(recording.sensor, recording.segment, _DOT)
        self._reader = Stamped(_DOT)
        self._ends: list[Int64s] = []
        self._told = 0
        if len(samples):
            self._read(samples)

    def _read(self, samples: Samples) -> None:
        r, raw = self.recording, samples.tick_us
        self._reader.first(raw)  # so that the sampling period is known before anything is counted with it
        self.timed = timed(raw, r.begun_us, r.before, r.after)
        t_us = self.timed.line.at(unwrapped(raw, self.timed.first_tick))
        values, at = quantised(samples, _DOT), r.spooled
        while at < len(raw):
            rows = self._next(raw, t_us, at)
            at = rows.start + len(rows.ticks)
            if len(rows.ticks):
                self._add(rows, t_us[rows.start : at], values.rows(rows.start, at))

    def _next(self, raw: Int64s, t_us: Int64s, at: int) -> Rows:
        if self.last is None:
            return replace(self._reader.first(raw[at:]), start=at)
        fresh = at == 0  # behind what a gateway has spooled: by the clock, whatever lies between
        return self._reader.next(raw, t_us, at, Before(self.last.tick, self.last.t_us, None, fresh))

    def _add(self, rows: Rows, t_us: Int64s, values: Values) -> None:
        estimate = SampleFlag.TIME_ESTIMATED if self.timed is None or self.timed.estimated else 0
        flags = (values.flags | estimate).astype(np.uint8)
        missing = None
        if self.last is not None and (rows.missing or rows.spread):
            reason = "sensor restarted" if rows.restarted else UNREADABLE if rows.start else BEFORE
            missing = Missing(self.last.t_us, rows.missing, rows.spread, rows.estimated, reason)
        piece = Piece(rows.ticks, t_us, values.acc, values.gyr, flags, joins=False, missing=missing)
        self._cutter.add(piece)
        self.last = LastSample(int(rows.ticks[-1]), int(t_us[-1]))
        self._ends.append(np.stack([rows.start + 1 + np.arange(len(t_us)), rows.ticks, t_us]))

    def oldest_us(self) -> int | None:
        """Return UTC µs of the oldest sample not handed over yet, None if there is none."""
        return self._cutter.oldest_us()

    def cut(self, before_us: int) -> tuple[list[ImuBatch], list[Gap]]:
        """Hand over all samples before a time."""
        return self._cutter.cut(before_us, self._reader.period_us, self.recording.calibration)

    def advance(self, db: Connection, n: int) -> None:
        """Note that the next n samples are in the spool."""
        self._told += n
        while self._told > self._ends[0].shape[1]:
            self._told -= self._ends.pop(0).shape[1]
        position, tick, t_us = (int(value) for value in self._ends[0][:, self._told - 1])
        self.recording = advance(db, self.recording, position, LastSample(tick, t_us))


class Storing:
    """Puts recordings into the spool."""

    def __init__(
        self,
        book: Book,
        samples: Mapping[Recording, Samples],
        session: str,
        origin: str,
    ) -> None:
        """Prepare.

        Args:
            book: where they stand.
            samples: by recording, all of its samples; recordings are in the state `FETCHED`.
            session: id of a gateway session of its own.
            origin: "worn", or "simulated" when the sensors are virtual.
        """
        self._book, self._session, self._origin = book, session, origin
        self.homes: list[Home] = []
        for recording in sorted(samples, key=lambda r: r.begun_us):
            self.homes.append(Home(recording, samples[recording], self._before(recording)))

    def _before(self, recording: Recording) -> LastSample | None:
        """Return the newest sample counted before a recording: the book's, or an earlier one's of these."""
        stretch = self._book.stretch_of(recording)
        mine = [h for h in self.homes if h.recording.sensor == recording.sensor]
        if mine and self._book.stretch_of(mine[-1].recording) == stretch:
            return mine[-1].last
        return None if stretch is None else stretch.last

    def steps(self) -> Iterator[Callable[[], object]]:
        """Yield what is to be done, one transaction each; every one may be the last that happens."""
        while (oldest := self._oldest()) is not None:
            parts, gaps = self._second((oldest // SECOND_US + 1) * SECOND_US)
            for i in range(0, len(parts), _MAX_BATCHES):
                yield self._put(parts[i : i + _MAX_BATCHES], gaps if i == 0 else [])
        for home in self.homes:
            yield partial(self._stored, home)

    def _stored(self, home: Home) -> None:
        self._book.note(replace(home.recording, state=STORED))

    def _oldest(self) -> int | None:
        return min((t for home in self.homes if (t := home.oldest_us()) is not None), default=None)

    def _second(self, end_us: int) -> tuple[list[tuple[Home, ImuBatch]], list[Gap]]:
        parts: list[tuple[Home, ImuBatch]] = []
        gaps: list[Gap] = []
        for home in self.homes:
            batches, missing = home.cut(end_us)
            parts += [(home, batch) for batch in batches]
            gaps += missing
        return parts, gaps

    def _put(self, parts: Sequence[tuple[Home, ImuBatch]], gaps: Sequence[Gap]) -> Callable[[], object]:
        batches = tuple(batch for _, batch in parts)
        message = SampleMessage(self._session, 0, batches, tuple(gaps), 0, self._origin, kept=True)

        def also(db: Connection) -> None:
            for home, batch in parts:
                home.advance(db, len(batch))

        return lambda: self._book.spool.put_kept(message, also)


def settling(book: Book, session: str, origin: str) -> Iterator[Callable[[], object]]:
    """Yield what settles the stretches that nothing is to fill any more: what is missing there is told."""
    for stretch in book.stretches():
        if book.unsettled(stretch):
            continue
        gap = _rest(book, stretch)
        if gap is None:
            yield partial(book.settle, stretch)
        else:
            message = SampleMessage(session, 0, (), (gap,), 0, origin, kept=True)
            yield partial(book.spool.put_kept, message, partial(settle, stretch=stretch))


def _rest(book: Book, stretch: Stretch) -> Gap | None:
    """Return what is missing between the newest sample of a stretch and the live ones that ended it."""
    if stretch.last is None or stretch.to is None:
        return None
    tick, t_us = (np.array([value], np.int64) for value in (stretch.to.tick % _DOT.wrap_us, stretch.to.t_us))
    rows = Stamped(_DOT).next(tick, t_us, 0, Before(stretch.last.tick, stretch.last.t_us, None, broken=True))
    if not rows.missing and not rows.spread:
        return None
    segment = book.recordings(sensor=stretch.sensor)[-1].segment
    reason = "sensor restarted" if rows.restarted else BEFORE
    times = (min(stretch.last.t_us, stretch.to.t_us), stretch.to.t_us)
    return Gap(stretch.sensor, segment, *times, rows.missing, rows.estimated, reason, rows.spread)


def ready(recordings: Sequence[Recording], out: Sequence[Recording]) -> list[Recording]:
    """Return the fetched recordings that no other sensor's recording, still out, may overlap.

    Posture needs the sensors together: what is put into the spool one after the other is analysed apart.
    """

    def ends_us(r: Recording) -> int:
        return r.begun_us + round(r.packets * 1e6 / _DOT.rate_hz)

    return [
        r for r in recordings
        if r.state == FETCHED and not any(o.sensor != r.sensor and o.begun_us < ends_us(r) for o in out)
    ]  # fmt: skip
