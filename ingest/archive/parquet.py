"""The only file that knows pyarrow: an hour's columns and notes as a Parquet file, and back.

A row is a sample. Values that follow each other closely (counts, times) are stored as differences, which take
half of what plain or dictionary pages take; words and scales as dictionaries; all of it compressed by zstd.
Each page has a checksum, each sensor a row group of its own with the least and greatest of every column.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import IO, Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ingest.archive.layout import SCHEMA, Columns, Head, Notes
from poise.errors import StoreError

_KEY: Final = b"poise"
_LEVEL: Final = 3
_WORDS: Final = ("sensor", "segment", "session", "origin", "calibration")
_FEW: Final = {
    "lane": pa.uint8(), "kept": pa.bool_(), "acc_nano": pa.int64(), "gyr_nano": pa.int64(),
    "mag_nano": pa.int64(),
}  # fmt: skip
_STEADY: Final = {
    "message": pa.int64(), "block": pa.uint8(), "received_us": pa.int64(), "sequence": pa.int64(),
    "floor": pa.int64(), "first_tick": pa.int64(), "period_ns": pa.int64(),
}  # fmt: skip
_AXES: Final = ("x", "y", "z")
_VECTORS: Final = ("acc", "gyr", "mag")
_DIFFERENCES: Final = ("t_us", *(f"{v}_{axis}" for v in _VECTORS for axis in _AXES), *_STEADY)
_FAULTS: Final = (pa.ArrowException, OSError, LookupError, ValueError, TypeError, MemoryError)


def write(file: IO[bytes], columns: Columns, notes: Notes) -> None:
    """Write an hour into an open file.

    Raises:
        OSError: as the file does, a full disk among them.
    """
    table = _table(columns).replace_schema_metadata({_KEY: msgspec.json.encode(notes)})
    dictionary = [*_WORDS, *(name for name, kind in _FEW.items() if kind != pa.bool_()), "flags"]
    with pq.ParquetWriter(
        file,
        table.schema,
        compression="zstd",
        compression_level=_LEVEL,
        use_dictionary=dictionary,
        column_encoding=dict.fromkeys(_DIFFERENCES, "DELTA_BINARY_PACKED"),
        write_page_checksum=True,
    ) as writer:
        for start, stop in _groups(columns):
            writer.write_table(table.slice(start, stop - start))


def read(path: Path) -> tuple[Columns, Notes]:
    """Read an hour.

    Raises:
        StoreError: if the file cannot be read or is not one of ours.
    """
    try:
        with pq.ParquetFile(path, page_checksum_verification=True, read_dictionary=_WORDS) as file:
            notes = _notes_of(path, file.schema_arrow.metadata)
            table = file.read()
            # The end of a file has no checksum: its damage may point out of an array, which ends the process.
            table.validate(full=True)
            return _columns(table.combine_chunks()), notes
    except _FAULTS as exc:
        raise StoreError(f"{path} cannot be read: {exc}") from exc


def read_notes(path: Path) -> Notes:
    """Read only what stands beside the samples.

    Raises:
        StoreError: if the file cannot be read or is not one of ours.
    """
    try:
        return _notes_of(path, pq.read_schema(path).metadata)
    except _FAULTS as exc:
        raise StoreError(f"{path} cannot be read: {exc}") from exc


def _notes_of(path: Path, metadata: dict[bytes, bytes] | None) -> Notes:
    if not metadata or _KEY not in metadata:
        raise StoreError(f"{path} is no file of this archive")
    notes = msgspec.json.decode(metadata[_KEY], type=Notes)
    if notes.schema > SCHEMA:
        raise StoreError(f"{path} was written by a newer Poise ({notes.program}); update Poise")
    return notes


def _groups(c: Columns) -> Iterator[tuple[int, int]]:
    """Yield where each sensor's samples begin and end; one empty group where there are none."""
    edges, at = [], 0
    last: tuple[str, str] | None = None
    for head, length in zip(c.heads, c.lengths, strict=True):
        if (head.sensor, head.segment) != last:
            edges.append(at)
            last = (head.sensor, head.segment)
        at += length
    return pairwise([*(edges or [0]), at])


def _table(c: Columns) -> pa.Table:
    by_name = {name: [getattr(head, name) for head in c.heads] for name in Head._fields}
    arrays: dict[str, Any] = {name: _words(by_name[name], c.lengths) for name in _WORDS}
    arrays["t_us"] = pa.array(c.t_us)
    for vector in ("acc", "gyr"):
        arrays |= _vector(vector, getattr(c, vector), None)
    arrays |= _vector("mag", c.mag, ~c.has_mag)
    arrays["flags"] = pa.array(c.flags, mask=~c.has_flags)
    for name, kind in {**_FEW, **_STEADY}.items():
        values = np.array(by_name[name], kind.to_pandas_dtype())
        arrays[name] = pa.array(np.repeat(values, c.lengths), kind)
    return pa.table(arrays)


def _words(values: Sequence[str], lengths: Sequence[int]) -> pa.DictionaryArray:
    words = sorted(set(values))
    index = {word: i for i, word in enumerate(words)}
    codes = np.repeat(np.array([index[value] for value in values], np.int32), lengths)
    return pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(words, pa.string()))


def _vector(name: str, values: Any, mask: Any) -> dict[str, Any]:
    return {
        f"{name}_{axis}": pa.array(np.ascontiguousarray(values[:, i]), mask=mask)
        for i, axis in enumerate(_AXES)
    }


def _columns(table: pa.Table) -> Columns:
    starts = _starts(_plain(table, "message"), _plain(table, "block"))
    first = table.take(pa.array(starts)) if len(starts) else table
    heads = [Head(*row) for row in zip(*(first[name].to_pylist() for name in Head._fields), strict=True)]
    return Columns(
        heads=heads,
        lengths=[int(n) for n in np.diff([*starts, table.num_rows])],
        t_us=_plain(table, "t_us"),
        acc=_triple(table, "acc"),
        gyr=_triple(table, "gyr"),
        mag=_triple(table, "mag"),
        has_mag=_seen(table, "mag_x"),
        flags=_plain(table, "flags"),
        has_flags=_seen(table, "flags"),
    )


def _starts(*keys: Any) -> Any:
    """Return where a block begins: where its message or its number there changes."""
    if not len(keys[0]):
        return np.zeros(0, np.int64)
    changed = np.any([key[1:] != key[:-1] for key in keys], axis=0)
    return np.flatnonzero(np.concatenate([[True], changed]))


def _plain(table: pa.Table, name: str) -> Any:
    """Return a column as numbers, with 0 for null."""
    column = table[name].combine_chunks()
    if isinstance(column, pa.ChunkedArray):  # a table without rows
        column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    if pa.types.is_dictionary(column.type):
        column = column.indices
    return (column.fill_null(0) if column.null_count else column).to_numpy(zero_copy_only=False)


def _triple(table: pa.Table, name: str) -> Any:
    return np.stack([_plain(table, f"{name}_{axis}") for axis in _AXES], axis=1)


def _seen(table: pa.Table, name: str) -> Any:
    column = table[name]
    return np.ones(len(column), np.bool_) if not column.null_count else column.is_valid().to_numpy()
