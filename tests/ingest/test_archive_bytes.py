"""An hour of raw messages as columns: the same bytes again, whoever wrote them, and damage is named."""

import contextlib
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from archive_helpers import archived
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from ingest_helpers import START_US, WEARER, Shelf, message

from ingest.archive import files, parquet, ranges
from ingest.archive.archivist import damages
from ingest.archive.book import Entry
from ingest.archive.hour import put_together, set_out
from ingest.archive.layout import CalibrationRow, Raw, RunRow
from poise.errors import StoreError
from poise.samples import Gap, ImuBatch, SampleMessage, Scale
from poise.topics import Wearer
from poise.wire import encode_samples

counts = st.integers(-32768, 32767)


words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)


nano = st.integers(1, 2**40 - 1)


@st.composite
def batches(draw: st.DrawFn) -> ImuBatch:
    n = draw(st.integers(1, 9))
    vectors = hnp.arrays(np.int16, (n, 3), elements=counts)
    return ImuBatch(
        draw(st.sampled_from(["AB:01", "AB:02"]) | words),
        draw(st.sampled_from(["head", "c7"]) | words),
        draw(st.integers(0, 2**63 - 1)),
        draw(st.integers(1, 10**10)),
        np.cumsum(draw(hnp.arrays(np.int64, n, elements=st.integers(1, 10**9)))),
        draw(vectors),
        draw(vectors),
        Scale(draw(nano), draw(nano), draw(st.just(0) | nano)),
        draw(st.none() | vectors),
        draw(st.none() | hnp.arrays(np.uint8, n)),
        draw(st.text("c-09", max_size=8)),
    )


gaps = st.builds(Gap, words, words, st.integers(0, 99), st.integers(100, 2**40), st.integers(0, 2**39),
                 st.booleans(), st.text(max_size=9), st.integers(0, 2**39))  # fmt: skip


@st.composite
def payloads(draw: st.DrawFn) -> bytes:
    """As Poise writes them, as a stranger may, and as nobody should."""
    sequence = draw(st.integers(0, 2**53 - 1))
    worn, missing = st.lists(batches(), max_size=4), st.lists(gaps, max_size=2)
    whole = SampleMessage(
        draw(words), sequence, tuple(draw(worn)), tuple(draw(missing)), draw(st.integers(0, sequence)),
        draw(st.sampled_from(["worn", "simulated"])), draw(st.booleans()),
    )  # fmt: skip
    payload = encode_samples(whole)
    raw = msgspec.msgpack.decode(payload, type=list)
    match draw(st.sampled_from(["ours", "ours", "short", "ragged", "longer", "unreadable"])):
        case "short":
            raw[5] = [block[:10] for block in raw[5]]
            payload = msgspec.msgpack.encode(raw[:7])
        case "ragged":
            raw[5] = [block[: 10 + i % 5] for i, block in enumerate(raw[5])]
            payload = msgspec.msgpack.encode(raw)
        case "longer":
            payload = msgspec.msgpack.encode([*raw, "a field of the future"])
        case "unreadable":
            payload = draw(st.binary(max_size=20))
    return payload


@settings(max_examples=70)
@given(st.lists(st.tuples(payloads(), st.integers(0, 2), st.integers(0, 2**60)), min_size=1, max_size=6))
def test_every_message_comes_back_bit_for_bit(
    tmp_path_factory: pytest.TempPathFactory, told: list[tuple[bytes, int, int]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "hour.parquet"
    raws = [Raw(7 + 3 * i, lane, received_us, p) for i, (p, lane, received_us) in enumerate(told)]
    runs = [RunRow(1, 0, 7, START_US, "k1", "start", 0, b"\x00\xff")]
    made = [CalibrationRow("k1", 1, 2, b"{}")]
    columns, notes = set_out(raws, wearer=WEARER, hour_us=0, program="a test", runs=runs, calibrations=made)
    with path.open("wb") as file:
        parquet.write(file, columns, notes)
    read, noted = parquet.read(path)
    assert noted == notes
    assert put_together(read, noted) == raws
    assert parquet.read_notes(path) == notes


def test_what_a_stranger_wrote_with_fewer_fields_takes_no_more_room() -> None:
    block = ["X1", "c7", 0, START_US, 20_000_000, None, 4_788_403, bytes(300), 1_065_264, bytes(300)]
    raws = [Raw(1, 0, 1, msgspec.msgpack.encode([1, "theirs", 0, 0, "worn", [block], []]))]
    columns, notes = set_out(raws, wearer=WEARER, hour_us=0, program="", runs=[], calibrations=[])
    assert (len(notes.shapes), notes.verbatim) == (1, [])
    assert put_together(columns, notes) == raws


def test_the_columns_are_what_the_document_says(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "poise.db")
    (entry, *_) = archived(shelf)
    table = pq.read_table(tmp_path / "archive" / entry.file, filters=[("sensor", "=", "S2")])
    assert table.num_rows == 50 * 100
    first = table.slice(0, 1).to_pylist()[0]
    batch = message(0).batches[1]
    assert first["t_us"] == START_US
    assert first["acc_x"] * first["acc_nano"] * 1e-9 == pytest.approx(batch.acc_si[0, 0])
    assert {name: first[name] for name in ("segment", "session", "sequence", "origin", "mag_x", "flags")} == {
        "segment": "c7", "session": "g1", "sequence": 0, "origin": "simulated", "mag_x": None, "flags": None,
    }  # fmt: skip
    group = pq.ParquetFile(tmp_path / "archive" / entry.file).metadata.row_group(1)
    assert group.num_rows == 50 * 100
    assert group.column(0).compression == "ZSTD"
    assert group.column(0).statistics.min == "S2"


@pytest.fixture(scope="module")
def whole_file(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Entry, bytes]:
    shelf = Shelf(tmp_path_factory.mktemp("damage") / "poise.db")
    (entry,) = archived(shelf)
    shelf.database.close()
    folder = shelf.path.parent / "archive"
    return folder, entry, (folder / entry.file).read_bytes()


@settings(max_examples=150)
@given(data=st.data())
def test_a_damaged_file_raises_only_the_stores_error_and_verifying_names_it(
    whole_file: tuple[Path, Entry, bytes], data: st.DataObject
) -> None:
    folder, entry, good = whole_file
    bad = bytearray(good)
    if data.draw(st.booleans()):
        del bad[data.draw(st.integers(0, len(good) - 1)) :]
    else:
        # The end, where the notes are, has no checksum of its own.
        at = data.draw(st.integers(0, len(good) - 1) | st.integers(len(good) - 9000, len(good) - 1))
        bad[at] ^= data.draw(st.integers(1, 255))
    (folder / entry.file).write_bytes(bad)
    with contextlib.suppress(StoreError):
        files.messages_in(folder / entry.file)
    (damage,) = damages(folder, [entry])
    assert damage is not None
    assert damage.file == entry.file


def test_a_word_that_is_not_in_the_file_is_told_before_it_is_looked_up(
    whole_file: tuple[Path, Entry, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, entry, good = whole_file
    (folder / entry.file).write_bytes(good)
    table = pq.ParquetFile(folder / entry.file).read()
    nowhere = pa.array(np.full(table.num_rows, 9, np.int32))
    words = pa.DictionaryArray.from_arrays(nowhere, pa.array(["S1"]), safe=False)
    damaged = table.set_column(table.schema.get_field_index("sensor"), "sensor", words)
    monkeypatch.setattr(pq.ParquetFile, "read", lambda _file: damaged)
    with pytest.raises(StoreError, match="out of bounds"):
        files.messages_in(folder / entry.file)


sequences = st.lists(st.sets(st.integers(0, 40), max_size=12), max_size=4)


@settings(max_examples=60)
@given(sequences, st.integers(0, 20))
def test_ranges_know_what_was_put_into_them(parts: list[set[int]], floor: int) -> None:
    known = set[int]().union(*parts)
    joined: list[tuple[int, int]] = []
    for part in parts:
        joined = ranges.merged([*joined, *((i, i) for i in part)])
    assert all(a[1] + 1 < b[0] for a, b in pairwise(joined))
    assert set(ranges.sequences(joined, floor)) == {i for i in known if i >= floor}
    assert ranges.floor_of(joined, floor) == next(i for i in range(floor, 99) if i not in known)


def test_two_wearers_of_a_name_in_two_sites_have_folders_of_their_own() -> None:
    names = [next(files.names(wearer, 0)) for wearer in (Wearer("a", "b"), Wearer("a", "home"))]
    assert names == ["b/a/1970-01-01/00.parquet", "home/a/1970-01-01/00.parquet"]
