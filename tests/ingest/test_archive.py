"""The raw archive: hours move into it, and a death at any moment loses nothing."""

import errno
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from archive_helpers import NOW_US, archived, stored
from ingest_helpers import START_US, WEARER, Shelf, day, message, samples, take_all

from ingest.archive import files, parquet
from ingest.archive.archivist import DAY_US, Archivist, damages, unlisted
from ingest.archive.layout import HOUR_US
from ingest.judging.intake import LATE_IDLE_US
from poise.errors import StoreError, StoreUnavailableError
from poise.samples import Gap, SampleMessage


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    shelf = Shelf(tmp_path / "poise.db")
    yield shelf
    shelf.database.close()


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
    shelf.now_us += LATE_IDLE_US + 1
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
    shelf.now_us += LATE_IDLE_US + 1
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
    shelf.now_us += LATE_IDLE_US + 1
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
