"""The words of an archive file: its columns, and the notes that stand beside them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from poise.samples import Bools, Int16s, Int64s
from poise.topics import Wearer

SCHEMA: Final = 1
HOUR_US: Final = 3_600_000_000
UNITS: Final = {
    "t_us": "UTC µs since 1970-01-01",
    "acc_x, acc_y, acc_z": "counts of acc_nano nm/s² in the sensor frame: m/s² = acc · acc_nano · 1e-9",
    "gyr_x, gyr_y, gyr_z": "counts of gyr_nano nrad/s: rad/s = gyr · gyr_nano · 1e-9",
    "mag_x, mag_y, mag_z": "counts of mag_nano pT: µT = mag · mag_nano · 1e-6; null without magnetometer",
    "flags": "bits: 1 acc clipped, 2 gyr clipped, 4 repeated, 8 time estimated; null for none in the block",
    "first_tick": "µs of the sensor's own clock at the block's first sample",
    "period_ns": "sampling period on the UTC scale, ns",
    "received_us": "UTC µs at which ingest took the message",
    "lane": "0 live, 1 late, 2 stored but not analysed, 3 of a second gateway",
}


class Raw(NamedTuple):
    """A stored message: its row in `poise.db`, its lane, when it was received, and its bytes."""

    row: int
    lane: int
    received_us: int
    payload: bytes


class RunRow(msgspec.Struct, frozen=True):
    """A row of the table `runs`; `trust` is the MessagePack of what was known of the calibration."""

    id: int
    late: int
    message: int
    from_us: int
    calibration: str
    reason: str
    closed: int
    trust: bytes


class CalibrationRow(msgspec.Struct, frozen=True):
    """A row of the table `calibrations` without what is known of it now; `notice` is as on the wire."""

    id: str
    made_us: int
    received_us: int
    notice: bytes


class Shape(NamedTuple):
    """How many fields a stranger wrote: of the message, of each of its blocks, of each of its gaps."""

    message: int
    block: int
    gap: int


class Bare(msgspec.Struct, frozen=True):
    """A message without samples, which therefore has no row in the columns."""

    row: int
    lane: int
    received_us: int
    session: str
    sequence: int
    floor: int
    origin: str
    kept: bool


class Verbatim(msgspec.Struct, frozen=True):
    """A message whose bytes do not follow from its content: zlib of them."""

    row: int
    lane: int
    received_us: int
    payload: bytes


class Notes(msgspec.Struct, kw_only=True):
    """What stands beside the columns, as JSON in the file's metadata; bytes are base64.

    Attributes:
        schema: version of the columns and of this.
        program: what wrote the file.
        site: the wearer's site.
        patient: the wearer's pseudonym.
        hour_us: UTC µs at which the hour begins.
        messages: how many.
        first_message: the lowest row of a message.
        last_message: the highest.
        units: of the columns.
        runs: those of the analysis that begin in this hour, and those that went on into it.
        calibrations: all that the wearer had by the end of the hour.
        gaps: by message row, what was reported missing.
        bare: messages without samples.
        shapes: by message row, where a stranger wrote fewer fields.
        verbatim: messages that are kept as they came.
    """

    schema: int = SCHEMA
    program: str
    site: str
    patient: str
    hour_us: int
    messages: int
    first_message: int
    last_message: int
    units: dict[str, str]
    runs: list[RunRow]
    calibrations: list[CalibrationRow]
    gaps: list[tuple[int, list[tuple[str, str, int, int, int, bool, str, int]]]]
    bare: list[Bare]
    shapes: list[tuple[int, Shape]]
    verbatim: list[Verbatim]

    @property
    def wearer(self) -> Wearer:
        """Whose hour it is."""
        return Wearer(self.patient, self.site)


class Head(NamedTuple):
    """What all samples of a block share; columns of the file that change only from block to block."""

    sensor: str
    segment: str
    message: int
    block: int
    lane: int
    received_us: int
    session: str
    sequence: int
    floor: int
    origin: str
    kept: bool
    first_tick: int
    period_ns: int
    acc_nano: int
    gyr_nano: int
    mag_nano: int
    calibration: str


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """The samples of an hour, by sensor, segment, message and block; n samples in all.

    Attributes:
        heads: of each block.
        lengths: samples of each block.
        t_us: (n,) int64 UTC µs.
        acc: (n, 3) int16 counts.
        gyr: (n, 3) int16 counts.
        mag: (n, 3) int16 counts.
        has_mag: (n,) where there is a magnetometer.
        flags: (n,) uint8.
        has_flags: (n,) where the block has flags.
    """

    heads: Sequence[Head]
    lengths: Sequence[int]
    t_us: Int64s
    acc: Int16s
    gyr: Int16s
    mag: Int16s
    has_mag: Bools
    flags: NDArray[np.uint8]
    has_flags: Bools
