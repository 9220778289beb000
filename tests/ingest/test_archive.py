"""The raw archive: every message comes back bit for bit, and a death at any moment loses nothing."""

import contextlib
import errno
import os
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from ingest_helpers import START_US, WEARER, Shelf, calibrated, day, message, samples, take_all

from ingest.archive import files, parquet, ranges
from ingest.archive.archivist import DAY_US, Archivist, damages, unlisted
from ingest.archive.book import Entry
from ingest.archive.hour import put_together, set_out
from ingest.archive.layout import HOUR_US, CalibrationRow, Raw, RunRow
from poise.errors import StoreError, StoreUnavailableError
from poise.samples import Gap, ImuBatch, SampleMessage, Scale
from poise.topics import Wearer
from poise.wire import encode_samples

counts = st.integers(-32768, 32767)
words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
nano = st.integers(1, 2**40 - 1)
NOW_US = START_US + DAY_US


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


def archived(shelf: Shelf, now_us: int = NOW_US) -> list[Entry]:
    """An hour of which 100 s are stored, and a second one whose run goes on."""
    later = [message(4000 + i, sequence=100 + i) for i in range(20)]
    take_all(shelf, [calibrated(), *samples(day(100)), *samples(later)])
    return list(Archivist(shelf.database).archive(now_us, now_us))


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    shelf = Shelf(tmp_path / "poise.db")
    yield shelf
    shelf.database.close()


def stored(shelf: Shelf) -> dict[tuple[object, ...], object]:
    """Every message of the database and of its archive, by identity; none is in both."""
    sql = "SELECT wearer, id, lane, received_us, payload FROM messages"
    rows = [(row[0], Raw(*row[1:])) for row in shelf.rows(sql)]  # type: ignore[arg-type]
    archivist = Archivist(shelf.database)
    for entry in archivist.entries():
        rows += ((entry.wearer, raw) for raw in files.messages_in(archivist.folder / entry.file)[0])
    found = {(wearer, raw.row): raw for wearer, raw in rows}
    assert len(found) == len(rows)
    return found


def test_a_closed_hour_moves_and_the_one_that_an_open_run_needs_stays(shelf: Shelf) -> None:
    entries = archived(shelf)
    assert [(e.file, e.messages, e.samples) for e in entries] == [
        ("home/anna/2026-09-21/14.parquet", 100, 20_000)
    ]
    assert shelf.rows("SELECT count(*), min(sequence) FROM messages") == [(20, 100)]
    assert len(stored(shelf)) == 120
    assert list(Archivist(shelf.database).archive(NOW_US, NOW_US)) == []
    notes = parquet.read_notes(shelf.path.parent / "archive" / entries[0].file)
    assert [(run.reason, run.calibration) for run in notes.runs] == [("start", "k1")]
    assert [known.id for known in notes.calibrations] == ["k1"]


def test_what_came_lately_keeps_its_hour_from_moving(shelf: Shelf) -> None:
    take_all(shelf, samples(day(50)))
    take_all(shelf, samples([message(4000, sequence=50)]))
    shelf.now_us += HOUR_US
    take_all(shelf, samples([replace(message(30.5, session="g2"), batches=message(30.5).batches)]))
    archivist = Archivist(shelf.database)
    assert list(archivist.archive(shelf.now_us, shelf.now_us)) == []
    shelf.now_us += 60_000_000
    shelf.intake.close_late_runs()
    assert [e.messages for e in archivist.archive(shelf.now_us, shelf.now_us)] == [51]


def test_a_message_of_the_archive_that_comes_again_is_a_duplicate_also_after_a_restart(shelf: Shelf) -> None:
    archived(shelf)
    before = stored(shelf)
    again = Shelf(shelf.path)
    outcome = again.intake.take(samples(day(100))[20:40])
    assert (outcome.counts.duplicates, outcome.counts.stored) == (20, 0)
    assert again.intake.confirmed((WEARER, "g1")).through == 119
    assert stored(again) == before
    again.database.close()


def test_what_comes_later_for_an_archived_hour_makes_a_file_beside_it(shelf: Shelf) -> None:
    archived(shelf)
    late = samples(message(200 + i, session="g2", sequence=i) for i in range(9))
    take_all(shelf, late)
    shelf.now_us += 60_000_000
    shelf.intake.close_late_runs()
    entries = list(Archivist(shelf.database).archive(NOW_US, NOW_US))
    assert [(e.file, e.messages) for e in entries] == [("home/anna/2026-09-21/14-2.parquet", 9)]
    assert len(stored(shelf)) == 129


def test_messages_without_samples_move_with_the_hour_in_which_they_came(shelf: Shelf) -> None:
    lost = Gap("S1", "head", START_US, START_US + 40_000, 1)
    take_all(shelf, samples([SampleMessage("g1", 0, (), (lost,)), message(4000, sequence=1)]))
    before = stored(shelf)
    assert [e.samples for e in Archivist(shelf.database).archive(NOW_US, NOW_US)] == [0]
    assert stored(shelf) == before
    assert shelf.rows("SELECT count(*) FROM gaps") == [(1,)]


STEPS = ("written", "named", "entered")


class Death(BaseException):
    """The program is killed."""


@pytest.mark.parametrize("moment", STEPS)
def test_a_death_at_any_moment_loses_nothing_and_the_next_try_goes_on(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    whole = Shelf(shelf.path.parent / "whole" / "poise.db")
    archived(whole)
    with monkeypatch.context() as patched:

        def die(*_args: object, **_options: object) -> None:
            raise Death

        match moment:
            case "written":
                patched.setattr(Path, "replace", die)
                patched.setattr(Path, "unlink", die)
            case "named":
                patched.setattr("ingest.archive.book.move", die)
            case _:
                patched.setattr("ingest.archive.ranges.add", die)
        with pytest.raises(Death):
            archived(shelf)
    assert shelf.rows("SELECT count(*) FROM messages") == [(120,)]
    assert shelf.rows("SELECT count(*) FROM archive") == [(0,)]
    again = list(Archivist(shelf.database).archive(NOW_US, NOW_US))
    assert again == Archivist(whole.database).entries()
    assert stored(shelf) == stored(whole)
    archive = shelf.path.parent / "archive"
    assert unlisted(archive, again) == []
    whole.database.close()


def test_a_file_that_belongs_to_another_database_is_never_written_over(shelf: Shelf) -> None:
    strange = shelf.path.parent / "archive/home/anna/2026-09-21/14.parquet"
    strange.parent.mkdir(parents=True)
    strange.write_bytes(b"somebody's")
    assert [e.file for e in archived(shelf)] == ["home/anna/2026-09-21/14-2.parquet"]
    assert strange.read_bytes() == b"somebody's"
    archivist = Archivist(shelf.database)
    assert unlisted(archivist.folder, archivist.entries()) == ["home/anna/2026-09-21/14.parquet"]


def test_a_full_disk_deletes_nothing_and_says_so(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(StoreUnavailableError, match=r"No space left.*make room.*Nothing was deleted"):
            archived(shelf)
    assert shelf.rows("SELECT count(*) FROM messages") == [(120,)]
    assert list((shelf.path.parent / "archive").rglob("*.parquet*")) == []


def test_what_does_not_read_back_the_same_stays_in_the_database(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = parquet.read

    def one_bit_off(path: Path) -> object:
        columns, notes = plain(path)
        columns.acc[7, 1] ^= 1
        return columns, notes

    with monkeypatch.context() as patched:
        patched.setattr(parquet, "read", one_bit_off)
        with pytest.raises(StoreError, match="would not give its messages back"):
            archived(shelf)
    assert shelf.rows("SELECT count(*) FROM messages") == [(120,)]


def test_verifying_names_what_is_damaged_missing_or_not_listed(shelf: Shelf) -> None:
    take_all(shelf, samples(message(3600 * i, sequence=i) for i in range(6)))
    archivist = Archivist(shelf.database)
    entries = list(archivist.archive(NOW_US, NOW_US))
    assert len(entries) == 5
    assert list(damages(archivist.folder, entries)) == [None] * 5
    paths = [archivist.folder / entry.file for entry in entries]
    turned = bytearray(paths[0].read_bytes())
    turned[200] ^= 1
    paths[0].write_bytes(turned)
    paths[1].unlink()
    paths[2].write_bytes(paths[3].read_bytes())
    found = [(d.file, d.what.split()[1]) for d in damages(archivist.folder, entries) if d]
    assert found == list(zip([e.file for e in entries[:3]], ["damaged:", "missing", "damaged:"], strict=True))


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


def test_what_policy_deletes_is_noted_and_still_known(shelf: Shelf) -> None:
    archived(shelf)
    archivist = Archivist(shelf.database)
    later = NOW_US + 31 * DAY_US
    assert list(archivist.forget(0, later)) == []
    assert list(archivist.forget(31, later)) == []
    (gone,) = archivist.forget(30, later)
    (entry,) = archivist.entries()
    assert (entry.file, entry.deleted_us, entry.why) == (gone.file, later, "kept for 30 days")
    assert list(archivist.folder.rglob("*")) == []
    assert list(damages(archivist.folder, [entry])) == [None]
    assert shelf.rows("SELECT count(*) FROM messages") == [(20,)], "what is not archived is never deleted"
    assert shelf.intake.take(samples(day(3))).counts.duplicates == 3
    take_all(shelf, samples(message(200 + i, session="g2", sequence=i) for i in range(3)))
    shelf.now_us += 60_000_000
    shelf.intake.close_late_runs()
    assert [e.file[-12:] for e in archivist.archive(later, later)] == ["14-2.parquet"]


def test_a_file_whose_deletion_was_noted_but_not_done_goes_with_the_next_one(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    (entry,) = archived(shelf)
    archivist = Archivist(shelf.database)
    with monkeypatch.context() as patched:
        patched.setattr(files, "remove", lambda path: None)
        list(archivist.forget(1, NOW_US + 2 * DAY_US))
    (damage,) = damages(archivist.folder, archivist.entries())
    assert damage is not None
    assert "although it was deleted" in damage.what
    list(archivist.forget(1, NOW_US + 2 * DAY_US))
    assert not (archivist.folder / entry.file).exists()


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
