"""An hour of raw messages as columns and notes, and back: the same bytes, message for message.

Pure; the disk is the business of `ingest.archive.files` and `ingest.archive.parquet`.
"""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import astuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from ingest.archive.layout import (
    UNITS,
    Bare,
    CalibrationRow,
    Columns,
    Head,
    Notes,
    Raw,
    RunRow,
    Shape,
    Verbatim,
)
from poise.errors import WireError
from poise.samples import Gap, ImuBatch, SampleMessage, Scale
from poise.topics import Wearer
from poise.wire import decode_samples, encode_samples


def set_out(
    raws: Sequence[Raw],
    *,
    wearer: Wearer,
    hour_us: int,
    program: str,
    runs: list[RunRow],
    calibrations: list[CalibrationRow],
) -> tuple[Columns, Notes]:
    """Return the columns and notes of an hour's messages, at least one, in the order of their rows."""
    notes = Notes(
        program=program, site=wearer.site, patient=wearer.patient, hour_us=hour_us, messages=len(raws),
        first_message=raws[0].row, last_message=raws[-1].row, units=UNITS, runs=runs,
        calibrations=calibrations, gaps=[], bare=[], shapes=[], verbatim=[],
    )  # fmt: skip
    blocks: list[tuple[Head, ImuBatch]] = []
    for raw in raws:
        try:
            message = decode_samples(raw.payload)
        except WireError:  # it was read once, by a program that was less strict
            _keep_verbatim(notes, raw)
            continue
        _note(notes, raw, message)
        blocks += ((_head(raw, message, i, batch), batch) for i, batch in enumerate(message.batches))
    return _columns(sorted(blocks, key=lambda block: block[0][:4])), notes


def put_together(columns: Columns, notes: Notes) -> list[Raw]:
    """Return the messages as they came, in the order of their rows.

    Raises:
        WireError: if the columns do not make messages.
    """
    heads: dict[int, Head | Bare] = {bare.row: bare for bare in notes.bare}
    batches: dict[int, dict[int, ImuBatch]] = {}
    for block, batch in _batches(columns):
        heads[block.message] = block
        batches.setdefault(block.message, {})[block.block] = batch
    gaps, shapes = dict(notes.gaps), dict(notes.shapes)
    found = {v.row: Raw(v.row, v.lane, v.received_us, _unzipped(v.payload)) for v in notes.verbatim}
    for row in heads.keys() - found.keys():
        head, parts = heads[row], [batch for _, batch in sorted(batches.get(row, {}).items())]
        payload = encode_samples(_message(head, parts, [Gap(*gap) for gap in gaps.get(row, ())]))
        payload = reshaped(payload, shapes[row]) if row in shapes else payload
        found[row] = Raw(row, head.lane, head.received_us, payload)
    return [found[row] for row in sorted(found)]


def reshaped(payload: bytes, shape: Shape) -> bytes:
    """Return a payload of ours with no more fields than a stranger wrote."""
    whole = msgspec.msgpack.decode(payload, type=list)
    whole[5] = [block[: shape.block] for block in whole[5]]
    whole[6] = [gap[: shape.gap] for gap in whole[6]]
    return msgspec.msgpack.encode(whole[: shape.message])


def _note(notes: Notes, raw: Raw, m: SampleMessage) -> None:
    """Note what the columns cannot say of a message."""
    if m.gaps:
        notes.gaps.append((raw.row, [astuple(gap) for gap in m.gaps]))
    if not m.batches:
        notes.bare.append(
            Bare(raw.row, raw.lane, raw.received_us, m.session, m.sequence, m.floor, m.origin, m.kept)
        )
    ours = encode_samples(m)
    if ours == raw.payload:
        return
    shape = _shape(raw.payload)
    if reshaped(ours, shape) == raw.payload:
        notes.shapes.append((raw.row, shape))
    else:
        _keep_verbatim(notes, raw)


def _shape(payload: bytes) -> Shape:
    whole = msgspec.msgpack.decode(payload, type=list)
    sizes = [max((len(item) for item in items), default=0) for items in whole[5:7]]
    return Shape(len(whole), *sizes)


def _keep_verbatim(notes: Notes, raw: Raw) -> None:
    notes.verbatim.append(Verbatim(raw.row, raw.lane, raw.received_us, zlib.compress(raw.payload)))


def _unzipped(data: bytes) -> bytes:
    try:
        return zlib.decompress(data)
    except zlib.error as exc:
        raise WireError(f"a message that was kept as it came is damaged: {exc}") from exc


def _head(raw: Raw, m: SampleMessage, block: int, b: ImuBatch) -> Head:
    scale = b.scale
    return Head(
        b.sensor, b.segment, raw.row, block, raw.lane, raw.received_us, m.session, m.sequence, m.floor,
        m.origin, m.kept, b.first_tick, b.period_ns, scale.acc_nano, scale.gyr_nano, scale.mag_nano,
        b.calibration,
    )  # fmt: skip


def _columns(blocks: Sequence[tuple[Head, ImuBatch]]) -> Columns:
    batches = [batch for _, batch in blocks]
    lengths = [len(batch) for batch in batches]
    none = np.zeros((0, 3), np.int16)
    return Columns(
        heads=[head for head, _ in blocks],
        lengths=lengths,
        t_us=np.concatenate([np.zeros(0, np.int64), *(b.t_us for b in batches)]),
        acc=np.concatenate([none, *(b.acc for b in batches)]),
        gyr=np.concatenate([none, *(b.gyr for b in batches)]),
        mag=np.concatenate([none, *(np.zeros_like(b.acc) if b.mag is None else b.mag for b in batches)]),
        has_mag=np.repeat(np.array([b.mag is not None for b in batches], np.bool_), lengths),
        flags=np.concatenate([np.zeros(0, np.uint8), *(_flags(b) for b in batches)]),
        has_flags=np.repeat(np.array([b.flags is not None for b in batches], np.bool_), lengths),
    )


def _flags(b: ImuBatch) -> NDArray[np.uint8]:
    return np.zeros(len(b), np.uint8) if b.flags is None else b.flags


def _batches(c: Columns) -> Iterator[tuple[Head, ImuBatch]]:
    start = 0
    for head, length in zip(c.heads, c.lengths, strict=True):
        part = slice(start, start + length)
        yield (
            head,
            ImuBatch(
                sensor=head.sensor,
                segment=head.segment,
                first_tick=head.first_tick,
                period_ns=head.period_ns,
                t_us=c.t_us[part],
                acc=c.acc[part],
                gyr=c.gyr[part],
                scale=Scale(head.acc_nano, head.gyr_nano, head.mag_nano),
                mag=c.mag[part] if c.has_mag[start] else None,
                flags=c.flags[part] if c.has_flags[start] else None,
                calibration=head.calibration,
            ),
        )
        start += length


def _message(head: Head | Bare, batches: Sequence[ImuBatch], gaps: Sequence[Gap]) -> SampleMessage:
    return SampleMessage(
        head.session, head.sequence, tuple(batches), tuple(gaps), head.floor, head.origin, head.kept
    )
