"""A Movella DOT without a radio: what it answers, sends and records. See `movella_dot` and its memory.

What the maker's document leaves open and is decided here: that a sensor which streams refuses to record and
one which records does not stream; that it goes on recording without a link, as the user manual implies; that
a start without room is refused and told as FULL; how fast an export is; and that a lost link ends an export.
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from device.vendors import movella_dot_memory as memory
from device.vendors.base import Advertised, Endpoint, Notification, Samples
from device.vendors.movella_dot_frames import (
    BATTERY,
    BATTERY_SERVICE,
    CONFIGURATION_SERVICE,
    DEVICE_CONTROL,
    DEVICE_INFO,
    MEASUREMENT_CONTROL,
    MEASUREMENT_SERVICE,
    MEDIUM_PAYLOAD,
    NAMES,
    RATE_HZ,
    START,
    STOP,
    control_for_rate,
    encode,
    info,
)
from device.vendors.movella_dot_memory import Kind, Result
from poise.errors import DecodeError

COMPANY: Final = 0x0886
FIRMWARE: Final = (3, 0, 0)
ROOM: Final = RATE_HZ * memory.HOLDS_S * 9 // 10
"""Samples that the memory takes."""
AT_ONCE: Final = 120
"""Far more than a real link carries in that time, for short tests."""
_PART: Final = 128
_SAMPLES_A_SECTOR: Final = memory.SECTOR_BYTES * memory.HOLDS_S * RATE_HZ // memory.SIZE_BYTES


@dataclass(slots=True)
class Recorded:
    """A recording on the sensor: as it was started, and the samples' bytes."""

    start_utc_s: int
    duration_s: int
    rows: list[bytes] = field(default_factory=list)


_Obey = Callable[["VirtualDot", bytes], tuple[Result, list[bytes]]]


class VirtualDot:
    """A `Peripheral` and `Recorder`; it measures at 60 Hz whatever rate it is told.

    Attributes:
        files: its recordings.
        room: how many samples all of them may have.
        spoiled: numbers of packets that it cannot read from its memory any more.
        at_once: samples of an export each time that the room wakes up.
    """

    advertised = Advertised(NAMES[0])
    company = (COMPANY, b"")
    endpoints = (
        Endpoint(CONFIGURATION_SERVICE, DEVICE_INFO, "r"),
        Endpoint(CONFIGURATION_SERVICE, DEVICE_CONTROL, "rw"),
        Endpoint(MEASUREMENT_SERVICE, MEASUREMENT_CONTROL, "rw"),
        Endpoint(MEASUREMENT_SERVICE, MEDIUM_PAYLOAD, "n"),
        Endpoint(BATTERY_SERVICE, BATTERY, "rn"),
        Endpoint(memory.MESSAGE_SERVICE, memory.CONTROL, "w"),
        Endpoint(memory.MESSAGE_SERVICE, memory.ACKNOWLEDGE, "r"),
        Endpoint(memory.MESSAGE_SERVICE, memory.NOTIFICATION, "n"),
    )

    def __init__(self, address: str) -> None:
        """Take the Bluetooth address, which its device info tells."""
        self.measuring = False
        self.battery_percent, self.charging = 90, False
        self.files: list[Recorded] = []
        self.room, self.spoiled, self.at_once = ROOM, frozenset[int](), AT_ONCE
        self._info = info(address, FIRMWARE)
        self._state, self._acknowledge = Result.IDLE, b""
        self._file, self._next = 0, 0

    @property
    def recording(self) -> bool:
        """See `Recorder`."""
        return self._state is Result.RECORDING

    def read(self, uuid: str) -> bytes:
        """See `Peripheral`."""
        values = {
            DEVICE_INFO: self._info,
            DEVICE_CONTROL: control_for_rate(RATE_HZ),
            MEASUREMENT_CONTROL: START if self.measuring else STOP,
            BATTERY: bytes([self.battery_percent, self.charging]),
            memory.ACKNOWLEDGE: self._acknowledge,
        }
        return values[uuid]

    def write(self, uuid: str, value: bytes) -> Sequence[Notification]:
        """See `Peripheral`."""
        if uuid == memory.CONTROL:
            return [Notification(memory.NOTIFICATION, answer) for answer in self._obey(value)]
        if uuid == MEASUREMENT_CONTROL:
            if len(value) != len(START):
                raise DecodeError(f"the measurement control takes {len(START)} bytes")
            if value in (START, STOP):
                self.measuring = value == START and self._state is Result.IDLE
        return ()

    def send(self, samples: Samples) -> Sequence[tuple[Notification, int]]:
        """See `Peripheral`."""
        return [(Notification(MEDIUM_PAYLOAD, value), 1) for value in encode(samples)]

    def disconnected(self) -> None:
        """See `Peripheral`; it goes on recording."""
        self.measuring = False
        if not self.recording:
            self._state = Result.IDLE

    def record(self, samples: Samples) -> int:
        """See `Recorder`; the recording ends when its time is over or the memory is full."""
        file = self.files[-1]
        most = self._room_left()
        if file.duration_s != memory.OPEN_END:
            most = min(most, file.duration_s * RATE_HZ - len(file.rows))
        taken = encode(samples)[: max(0, most)]
        file.rows += taken
        if len(taken) < len(samples):
            self._state = Result.IDLE
        return len(taken)

    def exported(self) -> Sequence[Notification]:
        """See `Recorder`."""
        if self._state is not Result.EXPORTING_DATA:
            return ()
        rows = self.files[self._file - 1].rows
        parts = [self._packet(i, row) for i, row in enumerate(rows[self._next :][: self.at_once], self._next)]
        self._next += len(parts)
        if self._next >= len(rows):
            self._state = Result.IDLE
            parts.append(memory.message(Kind.DATA_DONE))
        return [Notification(memory.NOTIFICATION, part) for part in parts]

    def _packet(self, number: int, row: bytes) -> bytes:
        kind = Kind.BAD_DATA if number in self.spoiled else Kind.DATA
        return memory.message(kind, number.to_bytes(4, "little") + row)

    def _room_left(self) -> int:
        return self.room - sum(len(file.rows) for file in self.files)

    def _obey(self, value: bytes) -> list[bytes]:
        asked = memory.read_message(value)
        obey = self._controls.get(asked.kind)
        result, answers = (Result.INVALID, []) if obey is None else obey(self, asked.data)
        self._acknowledge = memory.acknowledge(result, asked)
        return answers

    def _tell_state(self, _: bytes) -> tuple[Result, list[bytes]]:
        return self._state, []

    def _start(self, data: bytes) -> tuple[Result, list[bytes]]:
        if self._state is not Result.IDLE or self.measuring:
            return Result.BUSY, []
        if self._room_left() <= 0:
            return Result.INVALID, [memory.message(Kind.FULL)]
        self.files.append(Recorded(*struct.unpack("<IH", data)))
        self._state = Result.RECORDING
        return Result.SUCCESS, []

    def _stop(self, _: bytes) -> tuple[Result, list[bytes]]:
        if not self.recording:
            return Result.INVALID, []
        self._state = Result.IDLE
        return Result.SUCCESS, [memory.message(memory.RECORDING_STOPPED)]

    def _erase(self, _: bytes) -> tuple[Result, list[bytes]]:
        if self._state is not Result.IDLE or self.measuring:
            return Result.BUSY, []
        self.files = []
        return Result.SUCCESS, [memory.message(Kind.ERASED)]

    def _tell_flash(self, _: bytes) -> tuple[Result, list[bytes]]:
        if self._state is not Result.IDLE or self.measuring:
            return Result.BUSY, []
        marks = b"".join(b"\xee" + b"\xcc" * (1 + len(file.rows) // _SAMPLES_A_SECTOR) for file in self.files)
        parts = [memory.flash_header(len(self.files)).ljust(_PART, b"\0")]
        parts += [marks[at : at + _PART].ljust(_PART, b"\xff") for at in range(0, len(marks), _PART)]
        told = [memory.message(Kind.FLASH_INFO, part) for part in parts]
        return Result.SUCCESS, [*told, memory.message(Kind.FLASH_INFO_DONE)]

    def _tell_file(self, data: bytes) -> tuple[Result, list[bytes]]:
        if not 0 < data[0] <= len(self.files):
            return Result.SUCCESS, [memory.message(Kind.NO_SUCH_FILE)]
        file = self.files[data[0] - 1]
        told = memory.write_file_info(memory.FileInfo(file.start_utc_s, file.duration_s))
        parts = [memory.message(Kind.FILE_INFO, told.ljust(_PART, b"\0"))]
        return Result.SUCCESS, [*parts, memory.message(Kind.FILE_INFO_DONE)]

    def _select(self, data: bytes) -> tuple[Result, list[bytes]]:
        return (Result.SUCCESS if data == memory.TIME_ACC_GYR else Result.INVALID), []

    def _export(self, data: bytes) -> tuple[Result, list[bytes]]:
        if self._state is not Result.IDLE or self.measuring:
            return Result.BUSY, []
        if not 0 < data[0] <= len(self.files):
            return Result.SUCCESS, [memory.message(Kind.NO_SUCH_FILE)]
        self._state, self._file, self._next = Result.EXPORTING_DATA, data[0], 0
        return Result.SUCCESS, []

    def _again(self, data: bytes) -> tuple[Result, list[bytes]]:
        if not self._file or self._state not in (Result.IDLE, Result.EXPORTING_DATA):
            return Result.INVALID, []
        self._state, self._next = Result.EXPORTING_DATA, int(np.frombuffer(data, "<u4")[0])
        return Result.SUCCESS, []

    def _stop_export(self, _: bytes) -> tuple[Result, list[bytes]]:
        if self._state is not Result.EXPORTING_DATA:
            return Result.INVALID, []
        self._state = Result.IDLE
        return Result.SUCCESS, [memory.message(memory.EXPORT_STOPPED)]

    _controls: Final[dict[int, _Obey]] = {
        Kind.GET_STATE: _tell_state,
        Kind.START: _start,
        Kind.STOP: _stop,
        Kind.ERASE: _erase,
        Kind.GET_FLASH_INFO: _tell_flash,
        Kind.GET_FILE_INFO: _tell_file,
        Kind.SELECT: _select,
        Kind.GET_DATA: _export,
        Kind.RETRANSMIT: _again,
        Kind.STOP_EXPORT: _stop_export,
    }
