"""Recordings: samples, calibrations and sensor states in one file, laid out in docs/recording.md.

A magic line, a line of JSON, then records: length, type, their CRC-32, payload, its CRC-32. Samples stand as
on the wire. As the length has a checksum of its own, a damaged one is never taken for a cut-off tail.
"""

import json
import struct
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

from poise import __version__
from poise.calibration import Calibration
from poise.errors import RecordingError, WireError
from poise.notices import CalibrationNotice, SensorStatus, decode, encode
from poise.samples import SampleMessage
from poise.wire import decode_samples, encode_samples

MAGIC: Final = b"POISE RECORDING 1\n"
SUFFIX: Final = ".poise"
SAMPLES, CALIBRATION, SENSOR, END = 1, 2, 3, 255
MAX_PAYLOAD: Final = 1024 * 1024
_MAX_HEADER: Final = 64 * 1024
_HEAD: Final = struct.Struct("<IBI")
_CRC: Final = struct.Struct("<I")

Record = SampleMessage | CalibrationNotice | SensorStatus


@dataclass(frozen=True, slots=True)
class RecordingHeader:
    """What a recording says about itself.

    Attributes:
        patient: pseudonym; never a name.
        site: the wearer's site.
        origin: "worn", "simulated" or "replayed".
        timezone: the wearer's IANA time zone.
        program: what wrote it.
        made: when it was begun, ISO 8601 in UTC, "" if nobody said.
        note: anything else worth knowing, such as script and seed of a simulation.
    """

    patient: str
    site: str = "home"
    origin: str = "worn"
    timezone: str = "UTC"
    program: str = f"poise {__version__}"
    made: str = ""
    note: str = ""


@dataclass(slots=True)
class Tally:
    """How much a recording holds."""

    records: int = 0
    samples: int = 0
    unknown: int = 0


class RecordingWriter:
    """Writes a recording; use it in a `with` statement, so that its end is marked.

    Each record is handed to the operating system at once: a program that is killed loses none of them.

    Raises:
        RecordingError: if the file is already there or cannot be written; nothing is ever written over.
    """

    def __init__(self, path: Path, header: RecordingHeader) -> None:
        self.path, self.tally = path, Tally()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: IO[bytes] = path.open("xb", buffering=0)
        except OSError as exc:
            if path.exists():
                raise RecordingError(f"{path} is already there; choose another name or move it away") from exc
            raise RecordingError(f"{path} cannot be written: {exc.strerror}") from exc
        self._put(MAGIC + json.dumps({"version": 1} | asdict(header), ensure_ascii=False).encode() + b"\n")

    def write(self, record: Record | Calibration) -> None:
        """Add one record."""
        if isinstance(record, SampleMessage):
            self._record(SAMPLES, encode_samples(record))
            self.tally.samples += record.samples
        elif isinstance(record, SensorStatus):
            self._record(SENSOR, encode(record))
        else:
            notice = CalibrationNotice(calibration=record) if isinstance(record, Calibration) else record
            self._record(CALIBRATION, encode(notice))

    def write_payload(self, payload: bytes, samples: int) -> None:
        """Add a samples message that is already in its wire form, with the number of samples in it."""
        self._record(SAMPLES, payload)
        self.tally.samples += samples

    def close(self) -> None:
        """Mark the end and close the file; harmless a second time."""
        if self._file.closed:
            return
        end = {"records": self.tally.records, "samples": self.tally.samples}
        try:
            self._record(END, json.dumps(end).encode())
        finally:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _record(self, kind: int, payload: bytes) -> None:
        if len(payload) > MAX_PAYLOAD:
            raise RecordingError(f"a record of {len(payload)} bytes is over the {MAX_PAYLOAD} allowed")
        head = _HEAD.pack(len(payload), kind, _head_crc(len(payload), kind))
        self._put(head + payload + _CRC.pack(zlib.crc32(payload)))
        self.tally.records += kind != END

    def _put(self, data: bytes) -> None:
        try:
            view = memoryview(data)
            while view:
                view = view[self._file.write(view) :]
        except OSError as exc:
            raise RecordingError(f"{self.path} cannot be written on: {exc.strerror}") from exc


class RecordingReader:
    """Reads a recording, as often as it is iterated.

    Attributes:
        header: what it says about itself.
        tally: how much the last iteration found.
        complete: True once an iteration came to the mark of its end.
        cut_at: byte offset of an unfinished record at the end of the file, None without one. A program that
            was killed leaves such a tail; all records before it are whole.

    Raises:
        RecordingError: if the file is no recording of version 1; while iterating, with the byte offset, if a
            record is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.tally, self.complete = path, Tally(), False
        self.cut_at: int | None = None
        with self._open() as file:
            self.header = self._header(file)
            self._begin = file.tell()

    def __iter__(self) -> Iterator[Record]:
        self.tally, self.complete, self.cut_at = Tally(), False, None
        with self._open() as file:
            file.seek(self._begin)
            while (found := self._next(file)) is not None:
                offset, kind, payload = found
                if kind == END:
                    self._check_end(offset, payload)
                    return
                record = self._decoded(offset, kind, payload)
                self.tally.records += 1
                if record is None:
                    self.tally.unknown += 1
                    continue
                self.tally.samples += record.samples if isinstance(record, SampleMessage) else 0
                yield record

    def _open(self) -> IO[bytes]:
        try:
            return self.path.open("rb")
        except OSError as exc:
            raise RecordingError(f"{self.path} cannot be read: {exc.strerror}") from exc

    def _header(self, file: IO[bytes]) -> RecordingHeader:
        magic = file.read(len(MAGIC))
        if magic[:16] == MAGIC[:16] and magic != MAGIC:
            raise RecordingError(f"{self.path} was written by a newer Poise; update this program to read it")
        if magic != MAGIC:
            raise RecordingError(f"{self.path} is not a Poise recording")
        try:
            line = file.readline(_MAX_HEADER)
            plain: Any = json.loads(line) if line.endswith(b"\n") else None
            known = {name: plain[name] for name in RecordingHeader.__dataclass_fields__ if name in plain}
            if plain["version"] != 1 or not all(isinstance(value, str) for value in known.values()):
                raise RecordingError(f"{self.path}: its header does not follow version 1")
            return RecordingHeader(**known)
        except (ValueError, TypeError, KeyError, RecursionError) as exc:
            raise RecordingError(f"{self.path}: its header is damaged or cut off") from exc

    def _next(self, file: IO[bytes]) -> tuple[int, int, bytes] | None:
        """Return offset, type and payload of the next record; None at the end or a cut-off tail."""
        offset = file.tell()
        try:
            head = file.read(_HEAD.size)
            if len(head) < _HEAD.size:
                self.cut_at = offset if head else None
                return None
            size, kind, crc = _HEAD.unpack(head)
            if not any(head) and _only_zeros(file):
                self.cut_at = offset
                return None
            if crc != _head_crc(size, kind) or size > MAX_PAYLOAD:
                raise self._damaged(offset, "a record's length does not match its checksum")
            body = file.read(size + _CRC.size)
        except OSError as exc:
            raise self._damaged(offset, f"cannot be read: {exc.strerror}") from exc
        if len(body) < size + _CRC.size:
            self.cut_at = offset
            return None
        payload = body[:size]
        if _CRC.unpack(body[size:])[0] != zlib.crc32(payload):
            raise self._damaged(offset, "the bytes do not match their checksum")
        return offset, kind, payload

    def _decoded(self, offset: int, kind: int, payload: bytes) -> Record | None:
        try:
            if kind == SAMPLES:
                return decode_samples(payload)
            if kind == CALIBRATION:
                return decode(payload, CalibrationNotice)
            return decode(payload, SensorStatus) if kind == SENSOR else None
        except WireError as exc:
            raise self._damaged(offset, str(exc)) from exc

    def _check_end(self, offset: int, payload: bytes) -> None:
        try:
            said = json.loads(payload)
            whole = (said["records"], said["samples"]) == (self.tally.records, self.tally.samples)
        except (ValueError, TypeError, KeyError, RecursionError) as exc:
            raise self._damaged(offset, "its mark of the end cannot be read") from exc
        if not whole:
            raise self._damaged(offset, "records are missing before the mark of the end")
        self.complete = True

    def _damaged(self, offset: int, what: str) -> RecordingError:
        return RecordingError(f"{self.path} is damaged at byte {offset}: {what}", offset=offset)


def _head_crc(size: int, kind: int) -> int:
    return zlib.crc32(struct.pack("<IB", size, kind))


def _only_zeros(file: IO[bytes]) -> bool:
    """Tell whether nothing but zeros follows: what some file systems leave at the end after a power cut."""
    while chunk := file.read(65536):
        if any(chunk):
            return False
    return True


def now_text() -> str:
    """Return the present moment as headers carry it."""
    return datetime.now(UTC).isoformat(timespec="seconds")
