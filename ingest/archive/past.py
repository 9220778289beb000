"""What can be had of a wearer's past: messages from archive and database, runs, calibrations."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from heapq import heappop, heappush, merge
from pathlib import Path

import msgspec

from ingest.archive import book, files, parquet
from ingest.archive.book import Entry
from ingest.archive.layout import HOUR_US, CalibrationRow, Notes, Raw, RunRow
from ingest.archive.numbering import Numbering, numbering_of
from ingest.database.sqlite import Connection, reading
from ingest.results.store import key
from poise import notices
from poise.calibration import Calibration
from poise.errors import StoreError
from poise.topics import Wearer


@dataclass(frozen=True, slots=True)
class Lost:
    """Messages that cannot be had: those of a file that was deleted, is missing or damaged."""

    entry: Entry
    why: str

    def touches(self, first: int, last: int) -> bool:
        """Whether some of it may lie between two rows."""
        return self.entry.first_message <= last and self.entry.last_message >= first


@dataclass(frozen=True, slots=True)
class Past:
    """What a wearer's results can be computed from.

    Attributes:
        wearer: whose.
        folder: of the archive.
        entries: files that are there, in the order of their messages.
        lost: what is not.
        runs: all, in the order in which they began.
        calibrations: by id.
        rest: gives the messages that are still in the database, between two rows.
        spanned: gives the first and the last row in the database between two times, None for none.
    """

    wearer: Wearer
    folder: Path
    entries: tuple[Entry, ...]
    lost: tuple[Lost, ...]
    runs: tuple[RunRow, ...]
    calibrations: dict[str, Calibration]
    rest: Callable[[int, int], Iterable[Raw]] = lambda _first, _last: ()
    spanned: Callable[[int, int], tuple[int, int] | None] = lambda _from, _to: None

    def messages(self, first: int, last: int) -> Iterator[Raw]:
        """Yield the messages between two rows as they came, in the order in which they came.

        Raises:
            StoreError: if a file cannot be read.
        """
        both = merge(self._archived(first, last), self.rest(first, last), key=lambda raw: raw.row)
        return (raw for raw in both if first <= raw.row <= last)

    def rows(self, from_us: int, to_us: int) -> tuple[int, int] | None:
        """Return the first and the last row that may hold samples of a time, None for none."""
        known = [
            (e.first_message, e.last_message)
            for e in (*self.entries, *(lost.entry for lost in self.lost))
            if e.hour_us < to_us and e.hour_us + HOUR_US > from_us
        ]
        spans = [*known, self.spanned(from_us, to_us)]
        found = [span for span in spans if span is not None]
        return (min(span[0] for span in found), max(span[1] for span in found)) if found else None

    def _archived(self, first: int, last: int) -> Iterator[Raw]:
        """Yield what is in the files; those whose rows lie between each other's are read together."""
        waiting = deque(e for e in self.entries if e.last_message >= first and e.first_message <= last)
        read: list[Raw] = []
        while waiting or read:
            while waiting and (not read or waiting[0].first_message <= read[0].row):
                for raw in _numbered(self.folder, waiting.popleft()):
                    heappush(read, raw)
            yield heappop(read)


@contextmanager
def past_in(database: Path, wearer: Wearer) -> Iterator[tuple[Past, Connection]]:
    """Give a wearer's past as one moment has it, with a connection that sees the same moment.

    Raises:
        StoreUnavailableError: if the database is not there.
    """
    folder, name = database.parent / files.FOLDER, key(wearer)
    with reading(database) as c:
        entries = book.entries(c, name)
        states = [(entry, _state(folder / entry.file, entry)) for entry in entries]
        yield (
            Past(
                wearer=wearer,
                folder=folder,
                entries=tuple(entry for entry, state in states if not state),
                lost=tuple(Lost(entry, state) for entry, state in states if state),
                runs=tuple(book.runs_of(c, name)),
                calibrations=_calibrations(book.calibrations_of(c, name)),
                rest=lambda first, last: book.rest_of(c, name, first, last),
                spanned=lambda from_us, to_us: book.rows_in(c, name, from_us, to_us),
            ),
            c,
        )


def past_from_files(folder: Path, wearer: Wearer) -> Past:
    """Give a wearer's past as the archive alone has it; what cannot be read is passed over."""
    entries: list[Entry] = []
    runs: dict[int, RunRow] = {}
    calibrations: list[CalibrationRow] = []
    today = numbering_of(folder, wearer)
    for path in sorted((folder / wearer.site / wearer.patient).rglob("*.parquet")):
        try:
            notes = parquet.read_notes(path)
        except StoreError:
            continue
        entries.append(_entry_of(path.relative_to(folder).as_posix(), notes, today))
        for noted in notes.runs:
            run = msgspec.structs.replace(noted, id=today(noted.id), message=today(noted.message))
            runs[run.id] = max(run, runs.get(run.id, run), key=lambda known: known.closed)
        calibrations += notes.calibrations
    return Past(
        wearer=wearer,
        folder=folder,
        entries=tuple(sorted(entries, key=lambda entry: entry.first_message)),
        lost=(),
        runs=tuple(runs[i] for i in sorted(runs)),
        calibrations=_calibrations(calibrations),
    )


def _state(path: Path, entry: Entry) -> str:
    """Return why a file cannot be used, "" if it can."""
    if entry.deleted_us is not None:
        return f"was deleted ({entry.why})"
    if not path.is_file():
        return "is missing"
    return "" if files.sha256(path) == entry.sha256 else "is damaged"


def _numbered(folder: Path, entry: Entry) -> Iterator[Raw]:
    """Yield what is in a file, its rows numbered as its entry has them: they may have been raised since."""
    raws, notes = files.messages_in(folder / entry.file)
    by = entry.first_message - notes.first_message
    return (raw._replace(row=raw.row + by) for raw in raws)


def _entry_of(file: str, notes: Notes, today: Numbering) -> Entry:
    first, last = today(notes.first_message), today(notes.last_message)
    return Entry(file, key(notes.wearer), notes.hour_us, notes.messages, 0, first, last, 0, "", 0)


def _calibrations(rows: Iterable[CalibrationRow]) -> dict[str, Calibration]:
    return {row.id: notices.decode(row.notice, notices.CalibrationNotice).calibration for row in rows}
