"""The memory of a Movella DOT: record on the sensor, and export the recording later.

After "Movella DOT BLE Services Specifications", XD0506P revision C, July 2023, section 5. Not verified on
hardware. `device.recall` leads the conversation: messages are written to `CONTROL`, acknowledged in what
`ACKNOWLEDGE` then reads, and answered by notifications of `NOTIFICATION`. Each is

    0  uint8   1, a message about recordings
    1  uint8   n, bytes of data with the next one
    2  uint8   what it is
    3  n - 1 bytes, little-endian
    .  uint8   makes the sum of all bytes a multiple of 256

(the document's example of starting a recording does not keep to that; all its others do). To begin:
`start_recording`, in the state IDLE, so not while it streams: no source says that a DOT does both, or that it
records over a lost link, which its user manual implies. To fetch: subscribe, `stop_recording`, wait for
RECORDING_STOPPED, `ask_flash` until FLASH_INFO_DONE, `ask_file(i)` for each of the files, then `select`,
`fetch(i)` and an `Export` until it is done. A file's index begins at 1. Its samples have the layout of the
stream; their ticks are µs of the sensor's clock, and UTC is told to the second only, by who started it.
Nothing deletes one file: `erase` deletes all.
"""

import struct
from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Final, NamedTuple

from device.vendors.base import Samples, Write
from device.vendors.movella_dot_frames import SAMPLE_BYTES, decode, uuid
from poise.errors import DecodeError

MESSAGE_SERVICE: Final = uuid(0x7000)
CONTROL: Final = uuid(0x7001)
ACKNOWLEDGE: Final = uuid(0x7002)
NOTIFICATION: Final = uuid(0x7003)

_ABOUT_RECORDINGS: Final = 0x01
_ACKNOWLEDGED: Final = 0x01
OPEN_END: Final = 0xFFFF
"""Seconds of a recording that goes on until it is stopped, or the memory is nine tenths full."""
TIME_ACC_GYR: Final = bytes([0x00, 0x07, 0x08])
"""What an export holds: ticks, accelerations, angular rates, as the stream's 28 bytes."""
HOLDS_S: Final = 6 * 3600
"""What the whole memory holds at 60 Hz, about, after the maker's user manual XD0502P."""
SIZE_BYTES: Final = 64 << 20
SECTOR_BYTES: Final = 228_000
_FULL: Final = 0.9
_FLASH: Final = struct.Struct("<IIHII")
_FLASH_MAGIC: Final = 0x466C6173
_FILE: Final = struct.Struct("<IIHIH")
_FILE_MAGIC: Final = 0x5265636F
_FILE_BEGINS, _SECTOR_USED = 0xEE, 0xCC


class Kind(IntEnum):
    """What a message is; below the controls, the notifications."""

    GET_STATE = 0x02
    ERASE = 0x30
    START = 0x40
    STOP = 0x41
    GET_FLASH_INFO = 0x50
    GET_FILE_INFO = 0x60
    GET_DATA = 0x70
    STOP_EXPORT = 0x73
    SELECT = 0x74
    RETRANSMIT = 0x75

    BUSY = 0x03
    ERASED = 0x33
    FULL = 0x34
    BAD_FORMAT = 0x35
    FLASH_INFO = 0x51
    FLASH_INFO_DONE = 0x52
    FILE_INFO = 0x61
    FILE_INFO_DONE = 0x62
    NO_SUCH_FILE = 0x63
    DATA = 0x71
    DATA_DONE = 0x72
    BAD_DATA = 0x76


RECORDING_STOPPED: Final = Kind.STOP
EXPORT_STOPPED: Final = Kind.STOP_EXPORT


class Result(IntEnum):
    """What a sensor acknowledges: 0, or why not, or (after `ask_state`) what it is doing."""

    SUCCESS = 0x00
    INVALID = 0x02
    BUSY = 0x03
    IDLE = 0x06
    ERASING = 0x30
    RECORDING = 0x40
    EXPORTING_FLASH_INFO = 0x50
    EXPORTING_FILE_INFO = 0x60
    EXPORTING_DATA = 0x70


class Message(NamedTuple):
    """What a message is, and its data."""

    kind: int
    data: bytes


class Acknowledged(NamedTuple):
    """The result of a control, and which one it was."""

    result: int
    control: Message


class FileInfo(NamedTuple):
    """When a recording was started, UTC seconds since 1970, and for how long; both as told at its start."""

    start_utc_s: int
    duration_s: int


def message(kind: int, data: bytes = b"") -> bytes:
    """Return a message's bytes."""
    value = bytes([_ABOUT_RECORDINGS, 1 + len(data), kind]) + data
    return value + bytes([-sum(value) % 256])


def read_message(value: bytes) -> Message:
    """Read a message; bytes behind it are ignored, since characteristics have one length.

    Raises:
        DecodeError: if it is not one about recordings, is cut off or its sum is wrong.
    """
    end = 3 + value[1] if len(value) > 1 else 0
    if not 4 <= end <= len(value) or value[0] != _ABOUT_RECORDINGS or sum(value[:end]) % 256:
        raise DecodeError(f"not a DOT's message about recordings: {value.hex()}")
    return Message(value[2], value[3 : end - 1])


def read_acknowledge(value: bytes) -> Acknowledged:
    """Read what `ACKNOWLEDGE` holds.

    Raises:
        DecodeError: if it is not an acknowledgement of a message about recordings.
    """
    kind, data = read_message(value)
    if kind != _ACKNOWLEDGED or len(data) < 2:
        raise DecodeError(f"not a DOT's acknowledgement: {value.hex()}")
    return Acknowledged(data[0], Message(data[1], data[2:]))


def acknowledge(result: int, control: Message) -> bytes:
    """Return what `ACKNOWLEDGE` reads after a control."""
    return message(_ACKNOWLEDGED, bytes([result, control.kind]) + control.data)


def ask_state() -> Write:
    """Return the message whose acknowledgement tells what the sensor is doing."""
    return Write(CONTROL, message(Kind.GET_STATE))


def start_recording(utc_s: int, duration_s: int = OPEN_END) -> Write:
    """Return the message that starts a recording; the output rate is set as for streaming."""
    return Write(CONTROL, message(Kind.START, struct.pack("<IH", utc_s, duration_s)))


def stop_recording() -> Write:
    """Return the message that ends a recording; RECORDING_STOPPED is notified."""
    return Write(CONTROL, message(Kind.STOP))


def erase(utc_s: int) -> Write:
    """Return the message that deletes all recordings; ERASED is notified."""
    return Write(CONTROL, message(Kind.ERASE, utc_s.to_bytes(4, "little")))


def ask_flash() -> Write:
    """Return the message that is answered with FLASH_INFO, several of them, and FLASH_INFO_DONE."""
    return Write(CONTROL, message(Kind.GET_FLASH_INFO))


def ask_file(index: int) -> Write:
    """Return the message that is answered with FILE_INFO and FILE_INFO_DONE, or NO_SUCH_FILE."""
    return Write(CONTROL, message(Kind.GET_FILE_INFO, bytes([index])))


def select() -> Write:
    """Return the message that says what an export holds; before `fetch`."""
    return Write(CONTROL, message(Kind.SELECT, TIME_ACC_GYR))


def fetch(index: int) -> Write:
    """Return the message that exports a file: DATA for each sample, then DATA_DONE."""
    return Write(CONTROL, message(Kind.GET_DATA, bytes([index])))


def stop_export() -> Write:
    """Return the message that ends an export; EXPORT_STOPPED is notified."""
    return Write(CONTROL, message(Kind.STOP_EXPORT))


def file_sectors(messages: Iterable[Message]) -> list[int]:
    """Return how many sectors of 228 kB each file has, from all messages up to FLASH_INFO_DONE.

    Empty if there are no files, or the memory was never made ready: then it must be erased first.

    Raises:
        DecodeError: if the first of them is not the memory's header.
    """
    parts = [data for kind, data in messages if kind == Kind.FLASH_INFO]
    if not parts:
        return []
    if len(parts[0]) < _FLASH.size or _FLASH.unpack_from(parts[0])[0] != _FLASH_MAGIC:
        raise DecodeError("a DOT's memory does not begin with its header")
    sectors: list[int] = []
    for mark in b"".join(parts[1:]):
        if mark == _FILE_BEGINS:
            sectors.append(0)
        elif mark == _SECTOR_USED and sectors:
            sectors[-1] += 1
    return sectors


def room_s(messages: Iterable[Message]) -> float:
    """Return for how many seconds more the memory takes 60 Hz, about, from what `file_sectors` takes.

    Raises:
        DecodeError: if the first of them is not the memory's header.
    """
    told = list(messages)
    sectors = file_sectors(told)
    header = next((data for kind, data in told if kind == Kind.FLASH_INFO), None)
    if header is None:
        return 0.0
    size = int(_FLASH.unpack_from(header)[4])
    return max(0.0, _FULL - sum(sectors) * SECTOR_BYTES / size) * HOLDS_S


def flash_header(files: int) -> bytes:
    """Return the beginning of the memory's header, as a sensor tells it."""
    return _FLASH.pack(_FLASH_MAGIC, 128, 0x0200, 0, SIZE_BYTES) + files.to_bytes(4, "little")


def write_file_info(info: FileInfo) -> bytes:
    """Return the beginning of the data of a FILE_INFO; `read_file_info` reads it."""
    return _FILE.pack(_FILE_MAGIC, 128, 0x0100, info.start_utc_s, info.duration_s)


def read_file_info(data: bytes) -> FileInfo:
    """Read the data of a FILE_INFO.

    Raises:
        DecodeError: if it is not one.
    """
    if len(data) < _FILE.size or _FILE.unpack_from(data)[0] != _FILE_MAGIC:
        raise DecodeError(f"not a DOT's recording: {data.hex()}")
    _, _, _, start_utc_s, duration_s = _FILE.unpack_from(data)
    return FileInfo(start_utc_s, duration_s)


class Export:
    """Takes the notifications of one file's export; nothing tells beforehand how many there are.

    Attributes:
        next: number of the packet that comes next.
        broken: packets are missing from `next` on; cleared by `again`.
        done: everything came.
        damaged: packets without a good sample.
    """

    def __init__(self, first: int = 0) -> None:
        """Want the packets from `first` on: those before are there already."""
        self.next, self.damaged = first, 0
        self.broken = self.done = False

    def again(self) -> Write:
        """Return the message that sends all packets from the first missing one once more."""
        self.broken = self.done = False
        return Write(CONTROL, message(Kind.RETRANSMIT, self.next.to_bytes(4, "little")))

    def feed(self, notifications: Sequence[bytes]) -> Samples:
        """Take notifications of `NOTIFICATION`, oldest first, and return the samples in them."""
        return decode([data for data in self.take(notifications) if data])

    def take(self, notifications: Sequence[bytes]) -> list[bytes]:
        """Take notifications likewise, and return each packet's bytes, b"" for one without a good sample."""
        taken = [data for value in notifications if (data := self._take(value)) is not None]
        rows = [data if len(data) == SAMPLE_BYTES else b"" for data in taken]
        self.damaged += rows.count(b"")
        return rows

    def _take(self, value: bytes) -> bytes | None:
        try:
            kind, data = read_message(value)
        except DecodeError:  # it could be the last one, which no later number would tell to be missing
            self.broken = True
            return None
        if kind == Kind.DATA_DONE:
            self.done = not self.broken
        if kind not in (Kind.DATA, Kind.BAD_DATA) or len(data) < 4:
            return None
        number = int.from_bytes(data[:4], "little")
        self.broken = self.broken or number > self.next
        if number != self.next or self.broken:
            return None
        self.next += 1
        return data[4:] if kind == Kind.DATA else b""
