"""A database of which some has moved into the archive."""

from ingest_helpers import START_US, Shelf, calibrated, day, message, samples, take_all

from ingest.archive import files
from ingest.archive.archivist import DAY_US, Archivist
from ingest.archive.book import Entry
from ingest.archive.layout import Raw

NOW_US = START_US + DAY_US


def archived(shelf: Shelf, now_us: int = NOW_US) -> list[Entry]:
    """An hour of which 100 s are stored, and a second one whose run goes on."""
    later = [message(4000 + i, sequence=100 + i) for i in range(20)]
    take_all(shelf, [calibrated(), *samples(day(100)), *samples(later)])
    return list(Archivist(shelf.database).archive(now_us, now_us))


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
