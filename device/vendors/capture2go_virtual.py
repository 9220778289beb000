"""A Capture2Go without a radio: what it answers, sends and keeps. See `capture2go`.

What the maker's document leaves open and is decided here: what is refused in which state, the sizes of the
buffer and of the storage, that a full buffer drops what is new, and that the clock stays the samples' own
whatever time is set.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from device.vendors import capture2go_memory as memory
from device.vendors.base import Advertised, Endpoint, Notification, Samples, no_samples
from device.vendors.capture2go_frames import LAYOUTS, RX, SERVICE, TX, Frame, Kind, encode, frame, whole
from poise.errors import DecodeError

PACKET: Final = 244
"""Bytes of a notification: a link layer's 251 less the headers of L2CAP and ATT."""
BUFFER_BYTES: Final = 64 * 1024
STORAGE_BYTES: Final = 16 * 1024 * 1024
_A_WHILE: Final = 8 * PACKET  # of a file, before samples have their turn again

NOT_FOUND, EXISTS, FULL, NO_CONFIG, WRONG_STATE, BAD, UNKNOWN = 0xF0, 0xF3, 0xF6, 0xF9, 0xFB, 0xFC, 0xFD


_Obey = Callable[["VirtualCapture2Go", bytes], list[Frame] | None]


class _Refused(Exception):  # noqa: N818 - never leaves this file
    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class _Queue:
    """Frames on their way, first in, first out; cut wherever a notification is full."""

    def __init__(self) -> None:
        self.bytes = 0
        self.samples = 0
        self._parts: deque[tuple[bytes, int]] = deque()

    def put(self, found: Frame) -> None:
        samples = LAYOUTS[found.kind].n if found.kind in LAYOUTS else 0
        self._parts.append((frame(*found), samples))
        self.bytes += len(self._parts[-1][0])
        self.samples += samples

    def take(self, room: int) -> tuple[bytes, int]:
        """Return up to so many bytes, and how many samples are complete with them."""
        taken, count = b"", 0
        while self._parts and len(taken) < room:
            part, samples = self._parts.popleft()
            fits = part[: room - len(taken)]
            taken += fits
            if len(fits) < len(part):
                self._parts.appendleft((part[len(fits) :], samples))
            else:
                count += samples
        self.bytes -= len(taken)
        self.samples -= count
        return taken, count


class VirtualCapture2Go:
    """A `Peripheral` that answers as the sensor does; it measures at 50 Hz whatever rate it is told.

    Attributes:
        files: what it recorded, by name.
    """

    advertised = Advertised("", frozenset({SERVICE}))
    company: tuple[int, bytes] | None = None
    endpoints: tuple[Endpoint, ...] = (Endpoint(SERVICE, RX, "wc"), Endpoint(SERVICE, TX, "n"))

    def __init__(self, address: str) -> None:  # noqa: ARG002 - its serial number is asked by nobody
        """Be idle, with nothing recorded."""
        self.measuring = False
        self.battery_percent, self.charging = 90, False
        self.files: dict[str, bytearray] = {}
        self._state, self._real_time, self._tick_us = memory.IDLE, 0, 0
        self._mode, self._file = memory.measurement(), ""
        self._rest: dict[int, Samples] = {}
        self._queue, self._greeted = _Queue(), False
        self._reading: tuple[bytearray, int, int] | None = None

    def read(self, uuid: str) -> bytes:
        """See `Peripheral`; nothing can be read."""
        raise KeyError(uuid)

    def write(self, uuid: str, value: bytes) -> Sequence[Notification]:
        """See `Peripheral`; the sensor answers what it refuses. Answers wait behind samples, as all do."""
        if uuid != RX:
            raise DecodeError("a Capture2Go takes commands in one place only")
        self._greet()
        found = whole(value)
        try:
            for answer in self._obey(found) if found and len(frame(*found)) == len(value) else _refuse(BAD):
                self._queue.put(answer)
        except _Refused as refused:
            about = found.kind if found else Kind.ERROR
            self._queue.put(Frame(Kind.ERROR, bytes([refused.code]) + about.to_bytes(2, "little")))
        self.measuring = self._state != memory.IDLE or self._real_time == memory.REAL_TIME_FULL
        return () if self._queue.samples else [sent for sent, _ in self._sent([])]

    def send(self, samples: Samples) -> Sequence[tuple[Notification, int]]:
        """See `Peripheral`; what was kept comes first."""
        self._greet()
        self.keep(samples)
        at_once = encode(samples, Kind.FIXED_REAL_TIME) if self._real_time == memory.REAL_TIME_FULL else []
        return self._sent(at_once)

    def keep(self, samples: Samples) -> int:
        """See `Keeping`: into the buffer while streaming, into the file while recording."""
        if len(samples):
            self._tick_us = int(samples.tick_us[-1])
        if self._state == memory.IDLE:
            return 0
        before = self._queue.samples
        for found in self._made(samples):
            if self._state == memory.STREAMING and self._queue.bytes < BUFFER_BYTES:
                self._queue.put(found)
            elif self._state == memory.RECORDING:
                self._record(frame(*found))
        return self._queue.samples - before

    def disconnected(self) -> None:
        """See `Peripheral`; the sensor goes on with what it was told, and only stops reading a file."""
        self._greeted, self._reading = False, None

    def _greet(self) -> None:
        if not self._greeted:
            self._greeted = True
            self._queue.put(Frame(Kind.STATUS, memory.write_status(self._status())))

    def _status(self) -> memory.Status:
        free = 100 - 100 * self._stored() // STORAGE_BYTES
        return memory.Status(self._tick_us, self._state, self.battery_percent, self.charging, free)

    def _stored(self) -> int:
        return sum(len(data) for data in self.files.values())

    def _made(self, samples: Samples) -> list[Frame]:
        """Return the frames that the measurement's mode makes; what does not fill one is kept."""
        fixed, packed, no_mag = self._mode[9], self._mode[10], 0x10 * self._mode[29]
        frames: list[Frame] = []
        for kind in (0x0240 + no_mag + fixed if fixed else 0, 0x0220 + no_mag + packed if packed else 0):
            if kind:
                waiting = _and(self._rest.get(kind, no_samples()), samples)
                whole_ones, self._rest[kind] = _without_gaps(waiting, LAYOUTS[kind].n)
                frames += encode(whole_ones, kind)
        return frames

    def _record(self, data: bytes) -> None:
        if self._stored() + len(data) > STORAGE_BYTES:
            self._state = memory.IDLE
            self._queue.put(Frame(Kind.ERROR, bytes([FULL]) + Kind.ERROR.to_bytes(2, "little")))
        else:
            self.files[self._file] += data

    def _sent(self, at_once: Sequence[Frame]) -> list[tuple[Notification, int]]:
        sent: list[tuple[Notification, int]] = []
        first = deque(frame(*found) for found in at_once)
        self._read_on()
        while first or self._queue.bytes:
            head = first.popleft() if first else b""
            rest, count = self._queue.take(PACKET - 1 - len(head))
            value = bytes([0xFF - bool(head)]) + head + rest
            sent.append((Notification(TX, value), count + bool(head)))
            if not self.measuring:
                self._read_on()
        return sent

    def _read_on(self) -> None:
        """Put the next bytes of a file that is being read on their way."""
        while self._reading is not None and self._queue.bytes < _A_WHILE:
            data, at, end = self._reading
            part = bytes(data[at : min(end, at + memory.CHUNK)])
            self._queue.put(Frame(Kind.BYTES, at.to_bytes(4, "little") + part))
            self._reading = (data, at + len(part), end) if at + len(part) < end else None

    def _obey(self, found: Frame) -> list[Frame]:
        kind, payload = found
        if kind not in self._commands:
            raise _Refused(UNKNOWN)
        size, obey, answer = self._commands[kind]
        if len(payload) != size:
            raise _Refused(BAD)
        return obey(self, payload) or ([Frame(answer, payload)] if answer else [])

    def _must_be(self, state: int) -> None:
        if self._state != state:
            raise _Refused(WRONG_STATE)

    def _set_mode(self, payload: bytes) -> None:
        self._must_be(memory.IDLE)
        self._mode, self._rest = payload, {}

    def _set_file(self, payload: bytes) -> None:
        self._must_be(memory.IDLE)
        self._file = payload[9:].split(b"\0", 1)[0].decode("utf-8", "replace")

    def _stream(self, _: bytes) -> None:
        self._must_be(memory.IDLE)
        self._state = memory.STREAMING

    def _stop(self, _: bytes) -> None:
        self._must_be(memory.STREAMING)
        self._state = memory.IDLE

    def _clear(self, _: bytes) -> None:
        self._state = memory.IDLE if self._state == memory.STREAMING else self._state
        self._queue, self._reading = _Queue(), None

    def _begin(self, _: bytes) -> None:
        self._must_be(memory.IDLE)
        if not self._file:
            raise _Refused(NO_CONFIG)
        if self._file in self.files:
            raise _Refused(EXISTS)
        self._state, self.files[self._file] = memory.RECORDING, bytearray()

    def _end(self, _: bytes) -> None:
        self._must_be(memory.RECORDING)
        self._state = memory.IDLE

    def _set_real_time(self, payload: bytes) -> None:
        self._real_time = payload[0] if payload else 0

    def _nothing(self, _: bytes) -> None:
        """The answer is all."""

    def _tell(self, _: bytes) -> list[Frame]:
        return [Frame(Kind.STATUS, memory.write_status(self._status()))]

    def _list(self, _: bytes) -> list[Frame]:
        files = [
            Frame(Kind.FILE, i.to_bytes(2, "little") + _padded(name) + len(data).to_bytes(4, "little"))
            for i, (name, data) in enumerate(self.files.items())
        ]
        return [Frame(Kind.FILE_COUNT, len(files).to_bytes(2, "little")), *files]

    def _size(self, payload: bytes) -> list[Frame]:
        return [Frame(Kind.SIZE, payload + len(self._found(payload)).to_bytes(4, "little"))]

    def _get(self, payload: bytes) -> None:
        data = self._found(payload[: memory.NAME_BYTES])
        start, end = (int.from_bytes(payload[at : at + 4], "little") for at in (65, 69))
        end = min(end or len(data), len(data))
        self._reading = (data, start, end) if start < end else None

    def _stop_reading(self, _: bytes) -> None:
        self._reading = None

    def _delete(self, payload: bytes) -> None:
        self._found(payload)
        del self.files[payload.rstrip(b"\0").decode()]

    def _found(self, name: bytes) -> bytearray:
        data = self.files.get(name.split(b"\0", 1)[0].decode("utf-8", "replace"))
        if data is None:
            raise _Refused(NOT_FOUND)
        return data

    _commands: Final[dict[int, tuple[int, _Obey, int]]] = {
        Kind.SET_MEASUREMENT: (30, _set_mode, Kind.MEASUREMENT),
        Kind.SET_RECORDING: (74, _set_file, Kind.RECORDING),
        Kind.START_STREAMING: (0, _stream, Kind.STREAMING_STARTED),
        Kind.STOP_STREAMING: (0, _stop, Kind.STREAMING_STOPPED),
        Kind.START_RECORDING: (0, _begin, Kind.RECORDING_STARTED),
        Kind.STOP_RECORDING: (0, _end, Kind.RECORDING_STOPPED),
        Kind.STOP_STREAMING_AND_CLEAR: (0, _clear, Kind.STREAMING_CLEARED),
        Kind.START_REAL_TIME: (2, _set_real_time, Kind.REAL_TIME),
        Kind.STOP_REAL_TIME: (0, _set_real_time, Kind.REAL_TIME_STOPPED),
        Kind.SET_TIME: (8, _nothing, Kind.TIME),
        Kind.SET_LED: (17, _nothing, Kind.LED),
        Kind.GET_STATUS: (0, _tell, 0),
        Kind.LIST_FILES: (0, _list, 0),
        Kind.GET_SIZE: (65, _size, 0),
        Kind.GET_BYTES: (73, _get, 0),
        Kind.STOP_BYTES: (0, _stop_reading, Kind.BYTES_STOPPED),
        Kind.DELETE_FILE: (65, _delete, Kind.FILE_DELETED),
    }


def _refuse(code: int) -> list[Frame]:
    raise _Refused(code)


def _padded(name: str) -> bytes:
    return name.encode().ljust(memory.NAME_BYTES, b"\0")


def _and(first: Samples, second: Samples) -> Samples:
    acc, gyr = np.concatenate([first.acc, second.acc]), np.concatenate([first.gyr, second.gyr])
    return Samples(np.concatenate([first.tick_us, second.tick_us]), acc, gyr)


def _without_gaps(samples: Samples, n: int) -> tuple[Samples, Samples]:
    """Return whole groups of n evenly spaced samples, and the rest; a group that a gap cuts is lost."""
    gaps = np.flatnonzero(np.diff(samples.tick_us) != 1_000_000 // 50) + 1
    stretches = np.split(np.arange(len(samples)), gaps)
    full = np.concatenate([rows[: len(rows) // n * n] for rows in stretches])
    rest = stretches[-1][len(stretches[-1]) // n * n :]
    parts = [Samples(samples.tick_us[rows], samples.acc[rows], samples.gyr[rows]) for rows in (full, rest)]
    return parts[0], parts[1]
