"""Samples on the wire: MessagePack arrays, version 1, as `docs/wire.md` sets them out.

The bytes are meant to be written by strangers in any language, so everything is checked on the way in, and
anything wrong raises `WireError` and nothing else.
"""

from dataclasses import astuple
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from poise.errors import WireError
from poise.samples import Gap, ImuBatch, Int16s, Int64s, SampleMessage, Scale, regular_times

VERSION: Final = 1
MAX_BYTES: Final = 256 * 1024
MAX_SAMPLES: Final = 4096
MAX_BATCHES: Final = 64
_LATEST_US: Final = 4_102_444_800_000_000  # the year 2100
_RESIDUALS: Final = {width: np.dtype(f"<i{width}") for width in (1, 2, 4, 8)}
_LONGEST_PERIOD_NS: Final = 10_000_000_000


class _Block(msgspec.Struct, array_like=True, forbid_unknown_fields=False):
    sensor: str
    segment: str
    first_tick: int
    first_us: int
    period_ns: int
    residuals: bytes | None
    acc_nano: int
    acc: bytes
    gyr_nano: int
    gyr: bytes
    mag_nano: int = 0
    mag: bytes | None = None
    flags: bytes | None = None
    calibration: str = ""


class _Gap(msgspec.Struct, array_like=True, forbid_unknown_fields=False):
    sensor: str
    segment: str
    from_us: int
    to_us: int
    count: int
    estimated: bool = False
    reason: str = ""
    spread: int = 0


class _Message(msgspec.Struct, array_like=True, forbid_unknown_fields=False):
    version: int
    session: str
    sequence: int
    floor: int
    origin: str
    blocks: list[_Block]
    gaps: list[_Gap]
    kept: bool = False


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Message)


def encode_samples(message: SampleMessage) -> bytes:
    """Return the payload of a samples message; `decode_samples` gives back an equal message."""
    return _encoder.encode(
        _Message(
            VERSION,
            message.session,
            message.sequence,
            message.floor,
            message.origin,
            [_block(batch) for batch in message.batches],
            [_Gap(*astuple(gap)) for gap in message.gaps],
            message.kept,
        )
    )


def decode_samples(payload: bytes) -> SampleMessage:
    """Check and unpack the payload of a samples message.

    Raises:
        WireError: with a `reason` of "size", "version", "malformed" or "range".
    """
    if len(payload) > MAX_BYTES:
        raise WireError(f"a payload of {len(payload)} bytes is over the {MAX_BYTES} allowed", reason="size")
    try:
        raw = _decoder.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        _require_version(_version_of(payload))
        raise WireError(f"not a samples message: {exc}", reason="malformed") from exc
    _require_version(raw.version)
    _require(0 < len(raw.session) <= 64 and len(raw.origin) <= 32, "session or origin too long or empty")
    _require(0 <= raw.floor <= raw.sequence < 2**53, "sequence must be a whole number not below floor")
    _require(len(raw.blocks) <= MAX_BATCHES and len(raw.gaps) <= 1024, "too many blocks or gaps")
    return SampleMessage(
        raw.session,
        raw.sequence,
        tuple(_batch(block) for block in raw.blocks),
        tuple(_gap(gap) for gap in raw.gaps),
        raw.floor,
        raw.origin,
        raw.kept,
    )


def _version_of(payload: bytes) -> int:
    """Return the version that a payload names which this program cannot read, its own if it names none."""
    try:
        raw = msgspec.msgpack.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError, TypeError):
        return VERSION
    return raw[0] if isinstance(raw, list) and raw and type(raw[0]) is int else VERSION


def _require_version(version: int) -> None:
    if version != VERSION:
        raise WireError(f"version {version} is not {VERSION}; update this program", reason="version")


def _block(batch: ImuBatch) -> _Block:
    first_us = int(batch.t_us[0])
    return _Block(
        batch.sensor,
        batch.segment,
        batch.first_tick,
        first_us,
        batch.period_ns,
        _pack_residuals(batch.t_us - regular_times(first_us, batch.period_ns, len(batch))),
        batch.scale.acc_nano,
        batch.acc.astype("<i2").tobytes(),
        batch.scale.gyr_nano,
        batch.gyr.astype("<i2").tobytes(),
        batch.scale.mag_nano,
        None if batch.mag is None else batch.mag.astype("<i2").tobytes(),
        None if batch.flags is None else batch.flags.tobytes(),
        batch.calibration,
    )


def _batch(block: _Block) -> ImuBatch:
    _require(
        0 < len(block.sensor) <= 64 and 0 < len(block.segment) <= 64, "sensor or segment: 1 to 64 letters"
    )
    _require(len(block.calibration) <= 64, "calibration id too long")
    _require(0 <= block.first_tick < 2**63, "first tick outside 0 … 2^63")
    _require(0 <= block.first_us < _LATEST_US, "first time outside 1970 … 2100")
    _require(0 < block.period_ns <= _LONGEST_PERIOD_NS, "period outside 1 ns … 10 s")
    for nano in (block.acc_nano, block.gyr_nano):
        _require(0 < nano < 2**40, "scale must be a positive number of nano-units")
    _require(0 <= block.mag_nano < 2**40, "magnetometer scale out of range")
    acc = _vectors(block.acc)
    n = len(acc)
    gyr, mag = _vectors(block.gyr), None if block.mag is None else _vectors(block.mag)
    _require(0 < n <= MAX_SAMPLES and len(gyr) == n, "acc and gyr must have as many samples")
    _require(mag is None or len(mag) == n, "mag must have as many samples as acc")
    _require(block.flags is None or len(block.flags) == n, "flags must have a byte a sample")
    return ImuBatch(
        sensor=block.sensor,
        segment=block.segment,
        first_tick=block.first_tick,
        period_ns=block.period_ns,
        t_us=_times(block, n),
        acc=acc,
        gyr=gyr,
        scale=Scale(block.acc_nano, block.gyr_nano, block.mag_nano),
        mag=mag,
        flags=None if block.flags is None else np.frombuffer(block.flags, np.uint8),
        calibration=block.calibration,
    )


def _times(block: _Block, n: int) -> Int64s:
    t_us = regular_times(block.first_us, block.period_ns, n)
    if block.residuals is not None:
        t_us += _unpack_residuals(block.residuals, n)
    _require(bool((t_us[1:] > t_us[:-1]).all()) and int(t_us[0]) >= 0, "times must increase")
    return t_us


def _gap(gap: _Gap) -> Gap:
    _require(0 < len(gap.sensor) <= 64 and 0 < len(gap.segment) <= 64, "gap of a sensor without a name")
    _require(0 <= gap.from_us <= gap.to_us < _LATEST_US and 0 <= gap.count < 2**40, "gap out of range")
    _require(len(gap.reason) <= 64 and 0 <= gap.spread < 2**40, "gap's reason too long or spread off")
    return Gap(
        gap.sensor, gap.segment, gap.from_us, gap.to_us, gap.count, gap.estimated, gap.reason, gap.spread
    )


def _vectors(raw: bytes) -> Int16s:
    _require(len(raw) % 6 == 0, "vectors must be three little-endian int16 a sample")
    return np.frombuffer(raw, "<i2").reshape(-1, 3).astype(np.int16, copy=False)


def _pack_residuals(residuals: Int64s) -> bytes | None:
    if not residuals.any():
        return None
    width = next(w for w in (1, 2, 4, 8) if np.abs(residuals).max() < 1 << (8 * w - 1))
    return residuals.astype(f"<i{width}").tobytes()


def _unpack_residuals(raw: bytes, n: int) -> NDArray[np.signedinteger[Any]]:
    _require(len(raw) in (n, 2 * n, 4 * n, 8 * n), "residuals must have 1, 2, 4 or 8 bytes a sample")
    values = np.frombuffer(raw, _RESIDUALS[len(raw) // n])
    if values.itemsize == 8:
        _require(bool((np.abs(values) < _LATEST_US).all()), "a residual is out of range")
    return values


def _require(holds: bool, sentence: str) -> None:  # noqa: FBT001 - reads as an assertion
    if not holds:
        raise WireError(sentence, reason="range")
