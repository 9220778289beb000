"""Moves closed hours from `poise.db` into the archive, looks after its files, and deletes by policy.

At every moment a message is in the table `messages` or in a file that is on the disk and was read back; for
an instant in both. So a program that dies anywhere loses nothing, and the next try goes on.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from ingest.archive import book, files
from ingest.archive.book import Entry
from ingest.archive.hour import set_out
from ingest.archive.layout import HOUR_US
from ingest.database.sqlite import Database, reading
from ingest.results.store import key, wearer_of
from poise import __version__
from poise.errors import StoreError, StoreUnavailableError

DAY_US: Final = 86_400_000_000


class Damage(NamedTuple):
    """What is wrong with a file of the archive."""

    file: str
    what: str


class Archivist:
    """The archive beside one database.

    Args:
        database: the writing connection; its folder holds the archive.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.folder = database.path.parent / files.FOLDER

    def archive(self, before_us: int, now_us: int) -> Iterator[Entry]:
        """Move every closed hour that came before a moment; yield each file when its messages have moved.

        Raises:
            StoreUnavailableError: if the disk refuses now: what was not moved yet stays where it is.
            StoreError: if an hour cannot be read back.
        """
        with reading(self._database.path) as c:
            hours = book.closed_hours(c, before_us)
        for wearer, hour_us in hours:
            while (entry := self._move(wearer, hour_us, now_us)) is not None:
                yield entry

    def forget(self, keep_days: int, now_us: int) -> Iterator[Entry]:
        """Delete the files that were archived longer ago; the entries stay and say so. 0 days keep all.

        Raises:
            StoreUnavailableError: if a file cannot be deleted or its entry not be written.
        """
        if keep_days:
            why = f"kept for {keep_days} days"
            with self._database.transaction() as c:
                old = [e for e in book.entries(c) if e.archived_us < now_us - keep_days * DAY_US]
                due = [e for e in old if e.deleted_us is None]
                book.delete(c, (e.file for e in due), now_us, why)
            yield from due
        for entry in self.entries():  # also those that a program which died had noted and not deleted
            if entry.deleted_us is not None:
                files.remove(self.folder / entry.file)

    def entries(self, wearer: str | None = None) -> list[Entry]:
        """Return all files, or those of a wearer, also the deleted ones."""
        with reading(self._database.path) as c:
            return book.entries(c, wearer)

    def _move(self, name: str, hour_us: int, now_us: int) -> Entry | None:
        with reading(self._database.path) as c:
            raws = book.messages_of(c, name, hour_us)
            if not raws:
                return None
            runs = book.runs_of(c, name, raws[0].row, raws[-1].row)
            calibrations = book.calibrations_of(c, name, hour_us + HOUR_US)
            taken = {entry.file for entry in book.entries(c, name)}
        columns, notes = set_out(
            raws, wearer=wearer_of(name), hour_us=hour_us, program=f"poise {__version__}", runs=runs,
            calibrations=calibrations,
        )  # fmt: skip
        file = files.free_name(self.folder, notes, raws, taken)
        kept = files.keep(self.folder / file, columns, notes, raws)
        entry = Entry(
            file, name, hour_us, len(raws), len(columns.t_us), raws[0].row, raws[-1].row, *kept, now_us
        )
        try:
            with self._database.transaction() as c:
                book.move(c, entry, [raw.row for raw in raws])
        except StoreUnavailableError:
            raise
        except StoreError:
            files.remove(self.folder / file)  # its messages are gone: who was erased must not stay in it
            raise
        return entry


def damages(folder: Path, entries: list[Entry]) -> Iterator[Damage | None]:
    """Look at each file, and yield what is wrong with it, None for nothing."""
    for entry in entries:
        wrong = _wrong(folder / entry.file, entry)
        yield Damage(entry.file, wrong) if wrong else None


def unlisted(folder: Path, entries: list[Entry]) -> list[str]:
    """Return the files of the folder that have no entry."""
    known = {entry.file for entry in entries}
    found = (path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*.parquet*")))
    return [file for file in found if file not in known]


def _wrong(path: Path, entry: Entry) -> str:
    if entry.deleted_us is not None:
        return "is there although it was deleted" if path.exists() else ""
    if not path.is_file():
        return "is missing"
    if path.stat().st_size != entry.bytes or files.sha256(path) != entry.sha256:
        return "is damaged: it is not the file that was written"
    try:
        found, notes = files.messages_in(path)
    except StoreError as exc:
        return f"cannot be read: {exc}"
    same = len(found) == entry.messages and key(notes.wearer) == entry.wearer
    return "" if same else "holds other messages than were written into it"
