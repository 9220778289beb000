"""Frames of Capture2Go: how its bytes are cut, checked and put together, and the samples in them.

After the maker's document `protocol/Capture2Go_Communication_Protocol.md` in sensorstim/capture2go_sdk.
Everything to and from the sensor, and what its files hold, is a sequence of frames, little-endian:

    0  uint8   2
    1  uint32  CRC-32 of all that follows the next byte
    5  uint8   n, bytes of payload, at most 236
    6  uint16  what it is
    8  n bytes of payload

A notification begins with 255 minus the number of whole frames that were sent as soon as possible; behind
those frames it is filled from a stream whose frames may go on in the next notification.
"""

import zlib
from collections.abc import Sequence
from enum import IntEnum
from functools import cache
from typing import Final, NamedTuple

import numpy as np

from device.vendors.base import Samples
from poise.errors import DecodeError
from poise.samples import Floats

SERVICE: Final = "80030001-e629-4c98-9324-aa7fc0c66de7"
RX: Final = "80030002-e629-4c98-9324-aa7fc0c66de7"
TX: Final = "80030003-e629-4c98-9324-aa7fc0c66de7"
START_BYTE: Final = 0x02
HEAD_BYTES: Final = 8
MAX_PAYLOAD: Final = 236
MAX_AT_ONCE: Final = 3
"""How many frames the maker's own reader takes at the beginning of a notification."""
ACC_COUNT: Final = 16 * 9.81 / 32768
"""m/s²; the maker counts 9.81, not standard gravity."""
GYR_COUNT: Final = np.radians(2000 / 32768)
"""rad/s."""
GYR_CLIPPED, ACC_CLIPPED = 0x02, 0x04
"""Flags of a frame of samples; a gap in time is seen by the ticks."""
LEVEL: Final = sum(0x80000 << shift for shift in (0, 20, 40))
"""The orientation (1, 0, 0, 0) as the sensor writes it; Poise does not read it."""


class Kind(IntEnum):
    """What a frame is; requests, answers and data that Poise uses."""

    SET_MEASUREMENT = 0x0120
    MEASUREMENT = 0x0122
    SET_RECORDING = 0x0140
    RECORDING = 0x0142
    START_STREAMING = 0x0150
    STREAMING_STARTED = 0x0151
    STOP_STREAMING = 0x0152
    STREAMING_STOPPED = 0x0153
    START_RECORDING = 0x0154
    RECORDING_STARTED = 0x0155
    STOP_RECORDING = 0x0156
    RECORDING_STOPPED = 0x0157
    STOP_STREAMING_AND_CLEAR = 0x0158
    STREAMING_CLEARED = 0x0159
    START_REAL_TIME = 0x0160
    REAL_TIME = 0x0162
    STOP_REAL_TIME = 0x0163
    REAL_TIME_STOPPED = 0x0164
    SET_TIME = 0x0170
    TIME = 0x0171
    SET_LED = 0x0183
    LED = 0x0185
    GET_STATUS = 0x0200
    STATUS = 0x0201
    PACKED_50_HZ = 0x0233
    FIXED_REAL_TIME = 0x0247
    FIXED_50_HZ = 0x0253
    LIST_FILES = 0x0500
    FILE_COUNT = 0x0501
    FILE = 0x0502
    GET_BYTES = 0x0503
    BYTES = 0x0504
    STOP_BYTES = 0x0505
    BYTES_STOPPED = 0x0506
    GET_SIZE = 0x0507
    SIZE = 0x0508
    DELETE_FILE = 0x0509
    FILE_DELETED = 0x050A
    ERROR = 0xFFFF


class Frame(NamedTuple):
    """What a frame is, and its payload."""

    kind: int
    payload: bytes


def frame(kind: int, payload: bytes = b"") -> bytes:
    """Return a frame's bytes."""
    checked = kind.to_bytes(2, "little") + payload
    head = bytes([START_BYTE]) + zlib.crc32(checked).to_bytes(4, "little") + bytes([len(payload)])
    return head + checked


def whole(data: bytes, at: int = 0) -> Frame | None:
    """Return the frame that begins at a place, None if none does or it is not all there."""
    end = at + HEAD_BYTES + (data[at + 5] if len(data) >= at + HEAD_BYTES else 0)
    if len(data) < max(end, at + HEAD_BYTES) or data[at] != START_BYTE or data[at + 5] > MAX_PAYLOAD:
        return None
    if zlib.crc32(data[at + 6 : end]) != int.from_bytes(data[at + 1 : at + 5], "little"):
        return None
    return Frame(int.from_bytes(data[at + 6 : at + 8], "little"), data[at + HEAD_BYTES : end])


class Splitter:
    """Cuts a stream into frames; after damage it goes on at the next frame whose checksum is right.

    Attributes:
        damaged: stretches of bytes that are no frame.
    """

    def __init__(self) -> None:
        self.damaged = 0
        self._bytes = bytearray()
        self._lost = False

    def feed(self, data: bytes) -> list[Frame]:
        """Take the next bytes and return the frames that are whole by now."""
        self._bytes += data
        frames: list[Frame] = []
        at = 0
        while (at := self._next(at)) + HEAD_BYTES <= len(self._bytes):
            if at + HEAD_BYTES + self._bytes[at + 5] > len(self._bytes):
                break
            found = whole(bytes(self._bytes[at : at + HEAD_BYTES + MAX_PAYLOAD]))
            if found is None:
                self._skipped(1)
                at += 1
                continue
            frames.append(found)
            at += HEAD_BYTES + len(found.payload)
            self._lost = False
        del self._bytes[:at]
        return frames

    def _next(self, at: int) -> int:
        """Return where the next frame could begin."""
        while True:
            start = self._bytes.find(START_BYTE, at)
            start = len(self._bytes) if start < 0 else start
            self._skipped(start - at)
            if len(self._bytes) <= start + 5 or self._bytes[start + 5] <= MAX_PAYLOAD:
                return start
            self._skipped(1)
            at = start + 1

    def _skipped(self, count: int) -> None:
        if count and not self._lost:
            self.damaged += 1
            self._lost = True


class Unpacker:
    """Takes notifications apart: the frames sent at once, then those of the stream.

    Attributes:
        damaged: notifications and stretches of bytes that could not be read.
    """

    def __init__(self) -> None:
        self._broken = 0
        self._stream = Splitter()

    @property
    def damaged(self) -> int:
        """See the class."""
        return self._broken + self._stream.damaged

    def feed(self, notification: bytes) -> list[Frame]:
        """Take the next notification and return the frames that are whole by now."""
        at_once = 0xFF - notification[0] if notification else MAX_AT_ONCE + 1
        if at_once > MAX_AT_ONCE:
            self._broken += 1
            return []
        frames: list[Frame] = []
        at = 1
        for _ in range(at_once):
            found = whole(notification, at)
            if found is None:  # nobody knows its length: the stream's reader finds what is behind it
                self._broken += 1
                break
            frames.append(found)
            at += HEAD_BYTES + len(found.payload)
        return frames + self._stream.feed(notification[at:])


class _Layout(NamedTuple):
    """How samples lie in a payload."""

    n: int
    mag: bool
    period_us: int

    @property
    def dtype(self) -> np.dtype[np.void]:
        return _dtype(self)


@cache
def _dtype(layout: _Layout) -> np.dtype[np.void]:
    rows = (layout.n, 3)
    mag = [("mag", "<i2", rows)] if layout.mag else []
    head = [("time_ns", "<i8"), ("gyr", "<i2", rows), ("acc", "<i2", rows)]
    return np.dtype([*head, *mag, ("quat", "<u8"), ("delta", "<i2"), ("flags", "u1")])


def _layouts() -> dict[int, _Layout]:
    """Return the frames with samples: 8 or 1 in each, with or without the magnetometer, at six rates."""
    rates = enumerate((200, 100, 50, 25, 10, 1), 1)
    found = {
        base + i: _Layout(n, mag, 1_000_000 // rate)
        for i, rate in rates
        for base, n, mag in ((0x0220, 8, True), (0x0230, 8, False), (0x0240, 1, True), (0x0250, 1, False))
    }
    return {**found, Kind.FIXED_REAL_TIME: _Layout(1, mag=True, period_us=0)}


LAYOUTS: Final = _layouts()
KNOWN: Final = frozenset(
    {0x0070, 0x0071, 0x0261, 0x0300, 0x0301, 0x0400, 0x050D, 0x050E, *Kind, *LAYOUTS}
    | {*range(0x0110, 0x0114), *range(0x0120, 0x0126), *range(0x0140, 0x0143), *range(0x0150, 0x015A)}
    | {*range(0x0160, 0x0165), *range(0x0170, 0x0173), *range(0x0180, 0x0188), *range(0x0271, 0x0277)}
    | {*range(0x0281, 0x0288), *range(0x0291, 0x0297)}
)
"""All that the document names."""


def decode(frames: Sequence[Frame]) -> Samples:
    """Return the samples of frames that have some, oldest first.

    Raises:
        DecodeError: if a frame has none or another length than its kind.
    """
    for kind, payload in frames:
        if kind not in LAYOUTS or len(payload) != LAYOUTS[kind].dtype.itemsize:
            raise DecodeError(f"a Capture2Go frame {kind:#06x} of {len(payload)} bytes has no samples")
    ends = np.cumsum([LAYOUTS[kind].n for kind, _ in frames], dtype=np.int64)
    n = int(ends[-1]) if frames else 0
    tick, acc, gyr = np.zeros(n, np.int64), np.zeros((n, 3)), np.zeros((n, 3))
    for kind in {kind for kind, _ in frames}:
        which = [i for i, found in enumerate(frames) if found.kind == kind]
        layout = LAYOUTS[kind]
        rows = np.frombuffer(b"".join(frames[i].payload for i in which), layout.dtype)
        step = np.arange(layout.n)
        place = ends[which, None] - layout.n + step
        tick[place] = rows["time_ns"][:, None] // 1000 + step * layout.period_us
        acc[place] = rows["acc"] * ACC_COUNT
        gyr[place] = rows["gyr"] * GYR_COUNT
    return Samples(tick, acc, gyr)


def encode(samples: Samples, kind: int) -> list[Frame]:
    """Return samples in frames of a kind; of a last frame that would not be full, nothing."""
    layout = LAYOUTS[kind]
    count = len(samples) // layout.n
    rows = np.zeros(count, layout.dtype)
    used = slice(0, count * layout.n)
    rows["time_ns"] = samples.tick_us[used][:: layout.n] * 1000
    acc, gyr = _counts(samples.acc[used], ACC_COUNT), _counts(samples.gyr[used], GYR_COUNT)
    rows["acc"], rows["gyr"] = acc.reshape(-1, layout.n, 3), gyr.reshape(-1, layout.n, 3)
    rows["quat"] = LEVEL
    for flag, name in ((GYR_CLIPPED, "gyr"), (ACC_CLIPPED, "acc")):
        clipped = np.isin(rows[name], (-32768, 32767)).any(axis=(1, 2))
        rows["flags"] |= np.where(clipped, flag, 0).astype(np.uint8)
    return [Frame(kind, row.tobytes()) for row in rows]


def _counts(values: Floats, count: float) -> Floats:
    return np.clip(np.rint(np.nan_to_num(values / count, posinf=1e9, neginf=-1e9)), -32768, 32767)
