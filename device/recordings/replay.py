"""Replay: a recording's messages once more, at the pace at which they came or any other.

What comes out is a gateway session of its own, spooled and published like any other; only its origin says
what it is.
"""

import asyncio
import secrets
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from device.recordings.recording import Record
from poise.calibration import Calibration
from poise.errors import ConfigurationError, RecordingError
from poise.notices import CalibrationNotice, SensorStatus
from poise.samples import Gap, ImuBatch, SampleMessage

REPLAYED: Final = "replayed"
SIMULATED: Final = "simulated"
_AHEAD_US: Final = 2_000_000
"""How far to look ahead for a calibration: a second of samples and the time it took to make it."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a replay has come.

    Attributes:
        records: records yielded so far.
        samples: samples in them.
        recorded_s: s of recorded time from the first sample to the newest.
    """

    records: int
    samples: int
    recorded_s: float


@dataclass(frozen=True, slots=True)
class Clock:
    """The time that a replay goes by; a test hands in its own.

    Attributes:
        monotonic: s of a clock that never jumps.
        now_us: UTC µs.
        sleep: waits s.
    """

    monotonic: Callable[[], float] = time.monotonic
    now_us: Callable[[], int] = lambda: time.time_ns() // 1000
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep


async def replay(
    records: Iterable[Record],
    *,
    speed: float = 1.0,
    as_if_now: bool = False,
    session: str | None = None,
    progress: Callable[[Progress], None] | None = None,
    clock: Clock | None = None,
) -> AsyncIterator[Record]:
    """Yield a recording's records, each when its newest sample is due.

    Sequences begin at 0 and have no holes, in a gateway session of their own; a calibration comes before the
    message within which it was made. Origin "simulated" stays,
    anything else becomes "replayed".

    Args:
        records: a `RecordingReader`, or any records in their order.
        speed: 1 for the recorded pace, 10 for ten times as fast, 0 for as fast as they are taken.
        as_if_now: shift all times so that the first sample is now, and give calibrations names of their own,
            as they hold at another time than the recorded ones; otherwise times stay as they were. At a
            speed above 1 such times run ahead of the clock.
        session: gateway session; a new one by default.
        progress: called after each record.
        clock: the time to go by.

    Raises:
        ConfigurationError: for a speed below 0.
        RecordingError: if the recording is damaged, after everything before the damage.
    """
    if not 0 <= speed < float("inf"):
        raise ConfigurationError("the speed of a replay is a number from 0 (as fast as possible) up")
    clock = clock or Clock()
    pace = _Pace(clock, speed)
    voice = _Voice(session or secrets.token_hex(8), as_if_now, clock.now_us)
    samples = 0
    for count, record in enumerate(_led_by_time(_calibrations_first(records), voice.begin), 1):
        await pace.wait_until(_due_us(record))
        said = voice.say(record)
        samples += said.samples if isinstance(said, SampleMessage) else 0
        yield said
        if progress is not None:
            progress(Progress(count, samples, pace.recorded_s))


class _Pace:
    """Maps recorded time to the clock, from the first record that has a time on."""

    def __init__(self, clock: Clock, speed: float) -> None:
        self._clock, self._speed = clock, speed
        self._first_us: int | None = None
        self._began = 0.0
        self.recorded_s = 0.0

    async def wait_until(self, due_us: int | None) -> None:
        if due_us is not None:
            if self._first_us is None:
                self._first_us, self._began = due_us, self._clock.monotonic()
            self.recorded_s = max(self.recorded_s, (due_us - self._first_us) * 1e-6)
        wait = 0.0
        if self._speed > 0 and due_us is not None and self._first_us is not None:
            due = self._began + (due_us - self._first_us) * 1e-6 / self._speed
            wait = max(0.0, due - self._clock.monotonic())
        await self._clock.sleep(wait)


class _Voice:
    """Says records in a new session, shifted in time if they are to be now."""

    def __init__(self, session: str, as_if_now: bool, now_us: Callable[[], int]) -> None:  # noqa: FBT001
        self._session, self._as_if_now, self._now_us = session, as_if_now, now_us
        self._shift = 0
        self._sequence = -1

    def begin(self, first_us: int) -> None:
        if self._as_if_now:
            self._shift = self._now_us() - first_us

    def say(self, record: Record) -> Record:
        if isinstance(record, SampleMessage):
            return self._message(record)
        if isinstance(record, CalibrationNotice):
            return CalibrationNotice(calibration=self._calibration(record.calibration))
        return self._status(record)

    def _message(self, message: SampleMessage) -> SampleMessage:
        self._sequence += 1
        return SampleMessage(
            self._session,
            self._sequence,
            tuple(self._batch(batch) for batch in message.batches),
            tuple(self._gap(gap) for gap in message.gaps),
            0,
            _origin(message.origin),
        )

    def _batch(self, batch: ImuBatch) -> ImuBatch:
        if not self._as_if_now:
            return batch
        return replace(batch, t_us=batch.t_us + self._shift, calibration=self._renamed(batch.calibration))

    def _gap(self, gap: Gap) -> Gap:
        return replace(gap, from_us=gap.from_us + self._shift, to_us=gap.to_us + self._shift)

    def _calibration(self, calibration: Calibration) -> Calibration:
        return replace(
            calibration,
            id=self._renamed(calibration.id),
            made_us=max(0, calibration.made_us + self._shift),
        )

    def _status(self, status: SensorStatus) -> SensorStatus:
        same = {name: getattr(status, name) for name in status.__struct_fields__}
        return SensorStatus(
            **same
            | {
                "since_us": max(0, status.since_us + self._shift),
                "last_us": status.last_us and max(0, status.last_us + self._shift),
                "origin": _origin(status.origin),
            }
        )

    def _renamed(self, calibration: str) -> str:
        if not calibration or not self._as_if_now:
            return calibration
        return f"{calibration[:55]}-{self._session[:8]}"


def _calibrations_first(records: Iterable[Record]) -> Iterator[Record]:
    """Say a calibration before the message within which it was made.

    So does a live gateway, whose samples go by way of the disk; and so the run that it begins is the same
    however fast the recording is played. A recording has it behind that message: so look ahead.
    """
    held: deque[Record] = deque()
    newest_us = 0
    try:
        for record in records:
            newest_us = max(newest_us, _due_us(record) or 0)
            held.insert(_place(record, held), record)
            while held and (_due_us(held[0]) or 0) < newest_us - _AHEAD_US:
                yield held.popleft()
    except RecordingError:
        yield from held  # damage comes after all that is whole
        raise
    yield from held


def _place(record: Record, held: Iterable[Record]) -> int:
    behind = list(held)
    if isinstance(record, CalibrationNotice):
        for i, other in enumerate(behind):
            if (_due_us(other) or 0) >= record.calibration.made_us:
                return i
    return len(behind)


def _led_by_time(records: Iterable[Record], begin: Callable[[int], None]) -> Iterator[Record]:
    """Hold back what stands before the first sample until its time is known and told to `begin`."""
    waiting: list[Record] = []
    known = False
    for record in records:
        waiting.append(record)
        first_us = record.first_us if isinstance(record, SampleMessage) else None
        if first_us is not None and not known:
            known = True
            begin(first_us)
        if known:
            yield from waiting
            waiting.clear()
    yield from waiting


def _due_us(record: Record) -> int | None:
    """Return the UTC µs at which a live gateway would have sent it."""
    if not isinstance(record, SampleMessage):
        return None  # said at once after what stands before it
    ends = [int(batch.t_us[-1]) for batch in record.batches] + [gap.to_us for gap in record.gaps]
    return max(ends, default=None)


def _origin(origin: str) -> str:
    return origin if origin == SIMULATED else REPLAYED
