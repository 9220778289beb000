"""The memory of a Capture2Go: record on the sensor while no link is there, and fetch it later.

After the maker's document, see `capture2go_frames`. Not verified on hardware. A sensor in the state RECORDING
writes frames into a file, and goes on without a link; meanwhile it can send samples in real time, and its
files can be read. What a gateway does:

1.  To begin: `begin(name)` with a name that is not on the sensor yet. Live samples are frames of the kind
    FIXED_REAL_TIME, whatever was newest when the radio was free, at most 50 a second and not evenly spaced.
    The file gets every sample, 50 a second, in frames of eight.
2.  The link was lost and is back: subscribe, and wait for STATUS, which the sensor sends by itself (or write
    `ask_status()`). In any other `state` than RECORDING nothing was measured from some moment on: fetch what
    there is and begin anew under another name. Otherwise write `live()`, and live samples come again.
3.  Write `ask_size(name)`; SIZE tells how long the file is. Write the `ask()` of
    `Download(name, position(...), size)` and feed it every frame of the connection. Frames inside BYTES are
    history, all others are live: the two cannot be confused.
4.  `Download.broken`: bytes are missing; write `stop_fetching()` and `ask()` once more. `Download.done`: all
    that was asked for is there. Take those samples between the last live tick before the loss and the first
    one after it. If the newest is older than that first one, the sensor had not written it all: again from 3
    with a larger `Download.end`.
5.  At the end: `end()`, fetch the rest likewise, then `delete(name)`; FILE_DELETED answers.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from device.vendors.base import Samples, Write
from device.vendors.capture2go_frames import (
    HEAD_BYTES,
    LAYOUTS,
    MAX_PAYLOAD,
    RX,
    Frame,
    Kind,
    Splitter,
    decode,
    frame,
)
from poise.errors import ConfigurationError, DecodeError

NAME_BYTES: Final = 65
CHUNK: Final = MAX_PAYLOAD - 4
IDLE, STREAMING, RECORDING = 1, 2, 3
MODE_50_HZ: Final = 3
REAL_TIME_FULL: Final = 2
STATUS_S: Final = 10
"""How often the sensor tells its state unasked; project decision, the maker recommends 1 s."""
_PACK_US: Final = 160_000
_PACK_BYTES: Final = HEAD_BYTES + LAYOUTS[Kind.PACKED_50_HZ].dtype.itemsize

_STATUS: Final = np.dtype(
    [
        ("time_ns", "<i8"),
        ("state", "u1"),
        ("connection", "u1"),
        ("bias", "<i2", 3),
        ("synchronised", "u1"),
        ("battery", "u1"),
        ("free", "u1"),
    ]
)


class Status(NamedTuple):
    """What the sensor says of itself.

    Attributes:
        tick_us: µs of its clock.
        state: IDLE, STREAMING or RECORDING.
        battery_percent: charge.
        charging: whether it charges.
        free_percent: of its storage.
    """

    tick_us: int
    state: int
    battery_percent: int
    charging: bool
    free_percent: int


class StoredFile(NamedTuple):
    """A file on the sensor: its name, and how many bytes it has."""

    name: str
    size: int


def command(kind: Kind, payload: bytes = b"") -> Write:
    """Return a command to the sensor."""
    return Write(RX, frame(kind, payload))


def measurement(*, fixed: int = 0, packed: int = 0) -> bytes:
    """Return the payload that sets which samples are made, all without the magnetometer.

    Args:
        fixed: how often frames of one sample are made, as the maker numbers rates; 0 for never.
        packed: likewise, the samples in frames of eight.
    """
    at_once, modes = bytes(8), bytes([0, fixed, packed, 0, 0, 0, STATUS_S, 0])
    no_extension, no_synchronisation, no_mag = bytes(2), bytes(9), bytes([0, 0, 1])
    return at_once + modes + no_extension + no_synchronisation + no_mag


def begin(name: str) -> tuple[Write, ...]:
    """Return the commands that record into a new file and send samples in real time too."""
    open_end = bytes(9)
    return (
        command(Kind.STOP_RECORDING),
        command(Kind.STOP_STREAMING_AND_CLEAR),
        command(Kind.SET_MEASUREMENT, measurement(packed=MODE_50_HZ)),
        command(Kind.SET_RECORDING, open_end + _named(name)),
        command(Kind.START_RECORDING),
        live(),
    )


def live() -> Write:
    """Return the command that sends samples in real time beside the recording."""
    return command(Kind.START_REAL_TIME, bytes([REAL_TIME_FULL, 50]))


def end() -> tuple[Write, ...]:
    """Return the commands that end a recording; its file stays."""
    return command(Kind.STOP_REAL_TIME), command(Kind.STOP_RECORDING)


def ask_status() -> Write:
    """Return the command that is answered with STATUS."""
    return command(Kind.GET_STATUS)


def ask_files() -> Write:
    """Return the command that is answered with FILE_COUNT, and FILE for each."""
    return command(Kind.LIST_FILES)


def ask_size(name: str) -> Write:
    """Return the command that is answered with SIZE, or ERROR if there is no such file."""
    return command(Kind.GET_SIZE, _named(name))


def stop_fetching() -> Write:
    """Return the command that ends a transfer; answered with BYTES_STOPPED."""
    return command(Kind.STOP_BYTES)


def delete(name: str) -> Write:
    """Return the command that deletes a file; answered with FILE_DELETED."""
    return command(Kind.DELETE_FILE, _named(name))


def position(first_tick_us: int, tick_us: int) -> int:
    """Return from where to read a file to get what was measured from a tick on; never too late.

    Args:
        first_tick_us: tick of the file's first sample: `Download(name, 0, 123)` gets it.
        tick_us: of the first sample that is wanted.
    """
    return max(0, (tick_us - first_tick_us) // _PACK_US - 1) * _PACK_BYTES


def read_status(payload: bytes) -> Status:
    """Read a STATUS.

    Raises:
        DecodeError: if it is not one.
    """
    if len(payload) != _STATUS.itemsize or payload[17] % 128 > 100:
        raise DecodeError(f"not a Capture2Go's status: {payload.hex()}")
    row = np.frombuffer(payload, _STATUS)[0]
    battery = int(row["battery"])
    return Status(
        int(row["time_ns"]) // 1000, int(row["state"]), battery % 128, battery >= 128, int(row["free"])
    )


def write_status(status: Status) -> bytes:
    """Return the payload of a STATUS; connected, no gyroscope bias, not synchronised."""
    battery = status.battery_percent + 128 * status.charging
    row = (status.tick_us * 1000, status.state, 2, (0, 0, 0), 0, battery, status.free_percent)
    return np.array(row, _STATUS).tobytes()


def read_file(payload: bytes) -> StoredFile:
    """Read a FILE (number, name, size) or a SIZE (name, size).

    Raises:
        DecodeError: if it is neither.
    """
    if len(payload) not in (NAME_BYTES + 4, NAME_BYTES + 6):
        raise DecodeError(f"not a file on a Capture2Go: {payload.hex()}")
    name = payload[-NAME_BYTES - 4 : -4].split(b"\0", 1)[0].decode("utf-8", "replace")
    return StoredFile(name, int.from_bytes(payload[-4:], "little"))


def _named(name: str) -> bytes:
    value = name.encode()
    if not 0 < len(value) < NAME_BYTES:
        raise ConfigurationError("the name of a file on a Capture2Go has 1 to 64 bytes")
    return value.ljust(NAME_BYTES, b"\0")


class Download:
    """Puts a file's bytes together and reads the samples in them.

    Attributes:
        have: the bytes before this one are there.
        end: the first byte that is not wanted; larger, when the file has grown.
        broken: bytes are missing from `have` on; cleared by `ask`.
        damaged: stretches inside the file that are no frames of samples.
    """

    def __init__(self, name: str, start: int, end: int) -> None:
        """Want the bytes from `start` to before `end`; a frame cut by `start` counts as damaged."""
        self.have, self.end, self.broken = start, end, False
        self._name, self._unread = name, 0
        self._splitter = Splitter()

    @property
    def done(self) -> bool:
        """Is all there?"""
        return self.have >= self.end

    @property
    def damaged(self) -> int:
        """See the class."""
        return self._splitter.damaged + self._unread

    def ask(self) -> Write:
        """Return the command that sends what is not there yet."""
        self.broken = False
        limits = self.have.to_bytes(4, "little") + self.end.to_bytes(4, "little")
        return command(Kind.GET_BYTES, _named(self._name) + limits)

    def feed(self, frames: Sequence[Frame]) -> Samples:
        """Take a connection's frames, of all kinds, and return the samples that are whole by now."""
        found = [part for kind, payload in frames if kind == Kind.BYTES for part in self._take(payload)]
        good = [part for part in found if part.kind in LAYOUTS and _reads(part)]
        self._unread += sum(part.kind in LAYOUTS for part in found) - len(good)
        return decode(good)

    def _take(self, payload: bytes) -> list[Frame]:
        at, data = int.from_bytes(payload[:4], "little"), payload[4:]
        if len(payload) < 4 or at > self.have:
            self.broken = True
            return []
        new = data[self.have - at : max(0, self.end - at)]
        self.have += len(new)
        return self._splitter.feed(new)


def _reads(found: Frame) -> bool:
    return len(found.payload) == LAYOUTS[found.kind].dtype.itemsize
