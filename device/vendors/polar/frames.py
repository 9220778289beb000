"""Frames of Polar's measurement service (PMD): what stands in one notification of its data characteristic.

Layout after the parsers and their tests in the maker's SDK, github.com/polarofficial/polar-ble-sdk, commit
8fb5311 and before (`PmdDataFrame`, `AccData`, `GyrData`, `BlePMDClient.parseDeltaFramesAll`), and packets of
a Verity Sense recorded in that repository's issues 331 and 443. All numbers are little-endian:

    0  uint8   measurement in the low 6 bits: 2 acceleration, 5 angular rate
    1  uint64  ns since 2000-01-01 by the sensor's clock, of the last sample in the frame
    9  uint8   layout: bit 7 compressed, the rest a type
   10          samples x, y, z

Raw samples are whole numbers of 1, 2 or 3 bytes (types 0, 1, 2). Compressed frames give the first sample in
full, then blocks of differences to the sample before: uint8 bits for a difference, uint8 number of samples,
and the differences (two's complement, lowest bit first), filled up to whole bytes.

What a count is worth: raw acceleration mg; compressed acceleration of type 0 g, of type 1 mg, each times the
factor told at the start; angular rate of type 0 °/s times the factor; of type 1 the 32 bits are those of a
float, °/s times the factor. The SDK reads no raw angular rates, so they count as damaged here. That the
timestamp is the last sample's is how the SDK computes; the maker's document leaves it open (issue 700).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from device.vendors.base import G
from poise.errors import DecodeError
from poise.samples import Floats, Int64s

ACC: Final = 2
GYRO: Final = 5
COMPRESSED: Final = 0x80
HEADER_BYTES: Final = 10
FRAME_BYTES: Final = 232
"""A frame is sent when this much is full, says the maker in issue 439 of the repository."""

_RAW_BYTES: Final = {(ACC, 0): 1, (ACC, 1): 2, (ACC, 2): 3}
_REFERENCE_BYTES: Final = {
    (ACC, COMPRESSED): 2,
    (ACC, COMPRESSED | 1): 2,
    (GYRO, COMPRESSED): 2,
    (GYRO, COMPRESSED | 1): 4,
}
_UNITS: Final = {
    (ACC, 0): G / 1000,
    (ACC, 1): G / 1000,
    (ACC, 2): G / 1000,
    (ACC, COMPRESSED): G,
    (ACC, COMPRESSED | 1): G / 1000,
    (GYRO, COMPRESSED): np.pi / 180,
    (GYRO, COMPRESSED | 1): np.pi / 180,
}
_BITS: Final = 32
_COUNT: Final = 255
_FEWEST_BITS: Final = 3
"""Of a difference in what is encoded here: the fewest seen in the SDK's examples and the recorded frames."""
_WEIGHTS: Final = np.int64(1) << np.arange(_BITS, dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One frame.

    Attributes:
        measurement: `ACC` or `GYRO`.
        time_ns: ns of the sensor's clock at the last sample.
        layout: the byte that says how samples are written.
        counts: (n, 3) int64, n > 0, whole numbers as sent; the bits of a float where the layout has floats.
    """

    measurement: int
    time_ns: int
    layout: int
    counts: Int64s

    def values(self, factor: float) -> Floats:
        """Return (n, 3) m/s² or rad/s, given the factor told at the start of the measurement."""
        kind = self.measurement, self.layout
        if kind in _RAW_BYTES:
            factor = 1.0
        counts = self.counts.astype(np.float64)
        if kind == (GYRO, COMPRESSED | 1):
            with np.errstate(invalid="ignore"):
                counts = self.counts.astype(np.uint32).view(np.float32).astype(np.float64)
        return counts * (factor * _UNITS[kind])


def decode(value: bytes) -> Frame:
    """Read a notification of the data characteristic.

    Raises:
        DecodeError: if it is not a frame of accelerations or angular rates.
    """
    if len(value) <= HEADER_BYTES:
        raise DecodeError(f"a frame has more than {HEADER_BYTES} bytes, not {len(value)}")
    kind = measurement, layout = value[0] & 0x3F, value[9]
    time_ns = int.from_bytes(value[1:9], "little")
    if time_ns >> 62:
        raise DecodeError(f"no sensor's clock shows {time_ns} ns, which is after the year 2146")
    content = value[HEADER_BYTES:]
    if kind in _RAW_BYTES:
        counts = _integers(content, _RAW_BYTES[kind])
    elif kind in _REFERENCE_BYTES:
        counts = _compressed(content, _REFERENCE_BYTES[kind])
    else:
        raise DecodeError(f"measurement {measurement} in layout {layout} is not one that Poise asks for")
    return Frame(measurement, time_ns, layout, counts)


def _integers(content: bytes, width: int) -> Int64s:
    """Return (n, 3) signed numbers of `width` bytes."""
    if not content or len(content) % (3 * width):
        raise DecodeError(f"{len(content)} bytes are not samples of {3 * width}")
    raw = np.frombuffer(content, np.uint8).reshape(-1, width)
    padded = np.zeros((len(raw), 4), np.uint8)
    padded[:, 4 - width :] = raw
    return (padded.view("<i4").astype(np.int64) >> 8 * (4 - width)).reshape(-1, 3)


def _beyond(counts: Int64s, width: int) -> bool:
    limit = 1 << (8 * width - 1)
    return bool(counts.min() < -limit or counts.max() >= limit)


def _compressed(content: bytes, width: int) -> Int64s:
    at = 3 * width
    if len(content) < at:
        raise DecodeError("a compressed frame ends within its first sample")
    parts = [_integers(content[:at], width)]
    while at < len(content):
        bits, count = content[at], content[at + 1] if at + 1 < len(content) else 0
        end = at + 2 + (3 * bits * count + 7) // 8
        if not 0 < bits <= _BITS or not count or end > len(content):
            raise DecodeError(f"{count} differences of {bits} bits do not fit into the frame")
        parts.append(_differences(content[at + 2 : end], bits, count))
        at = end
    counts = np.cumsum(np.concatenate(parts), axis=0)
    if width == 4:
        return counts & 0xFFFFFFFF
    if _beyond(counts, width):
        raise DecodeError("a compressed sample leaves 16 bits")
    return counts


def _differences(block: bytes, bits: int, count: int) -> Int64s:
    """Return (count, 3) differences of `bits` bits each."""
    raw = np.unpackbits(np.frombuffer(block, np.uint8), count=3 * bits * count, bitorder="little")
    weights = _WEIGHTS[:bits].copy()
    weights[-1] = -weights[-1]
    return (raw.reshape(-1, bits) @ weights).reshape(count, 3)


def encode(frame: Frame) -> bytes:
    """Return the notification for a frame; floats are not written.

    Raises:
        DecodeError: if the counts do not fit the layout.
    """
    kind = frame.measurement, frame.layout
    head = bytes([frame.measurement]) + frame.time_ns.to_bytes(8, "little") + bytes([frame.layout])
    width = _RAW_BYTES.get(kind) or _REFERENCE_BYTES.get(kind, 0)
    if width not in (1, 2, 3) or _beyond(frame.counts, width):
        raise DecodeError(f"these counts cannot be sent in layout {frame.layout}")
    if kind in _RAW_BYTES:
        return head + _whole(frame.counts, width)
    return head + _whole(frame.counts[:1], width) + b"".join(_block(*b) for b in _blocks(frame.counts))


def _whole(counts: Int64s, width: int) -> bytes:
    return counts.astype("<i4").reshape(-1, 1).view(np.uint8)[:, :width].tobytes()


def _block(differences: Int64s, bits: int) -> bytes:
    raw = (differences.reshape(-1, 1) >> np.arange(bits)) & 1
    packed = np.packbits(raw.astype(np.uint8), bitorder="little")
    return bytes([bits, len(differences)]) + packed.tobytes()


def _blocks(counts: Int64s) -> list[tuple[Int64s, int]]:
    """Cut differences into blocks, each with the bits it needs; bits only grow within a frame.

    The recorded frames look so; by which rule the real sensor chooses is not known.
    """
    differences = np.diff(counts, axis=0)
    # A difference d needs the bits of d or of -d - 1, and one for its sign.
    largest = np.where(differences < 0, ~differences, differences).max(axis=1)
    needed = np.frexp(largest.astype(np.float64))[1] + 1
    bits = np.maximum.accumulate(np.maximum(needed, _FEWEST_BITS))
    blocks: list[tuple[Int64s, int]] = []
    for size in np.unique(bits):
        same = differences[bits == size]
        blocks += [(same[at : at + _COUNT], int(size)) for at in range(0, len(same), _COUNT)]
    return blocks


def fitting(counts: Int64s) -> int:
    """Return how many of the samples, (n, 3), n > 0, fit into one compressed frame of two-byte samples."""
    left, fit = FRAME_BYTES - HEADER_BYTES - 6, 1
    for differences, bits in _blocks(counts):
        room = max(0, (left - 2) * 8 // (3 * bits))
        fit += min(room, len(differences))
        if room < len(differences):
            break
        left -= 2 + (3 * bits * len(differences) + 7) // 8
    return fit
