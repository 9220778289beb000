"""The archive's files: names, and bytes that are on the disk before anybody relies on them."""

import contextlib
import hashlib
import os
from collections.abc import Container, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from ingest.archive import parquet
from ingest.archive.hour import put_together
from ingest.archive.layout import Columns, Notes, Raw
from ingest.database.files import sync
from poise.errors import StoreError, StoreUnavailableError, WireError
from poise.topics import Wearer

FOLDER: Final = "archive"
_UNFINISHED: Final = ".unfinished"


class Kept(NamedTuple):
    """A file that is on the disk."""

    bytes: int
    sha256: str


def names(wearer: Wearer, hour_us: int) -> Iterator[str]:
    """Yield the names that a file of this hour may have, the first one first."""
    hour = datetime.fromtimestamp(hour_us // 1_000_000, UTC)
    base = f"{wearer.site}/{wearer.patient}/{hour:%Y-%m-%d}/{hour:%H}"
    yield f"{base}.parquet"
    number = 2
    while True:
        yield f"{base}-{number}.parquet"
        number += 1


def free_name(folder: Path, notes: Notes, raws: list[Raw], taken: Container[str]) -> str:
    """Return the first name that no file of the archive has or had.

    A file that is there without an entry was left by a program that died before it could enter it: if all
    that is in it is to be archived now, it is written over.
    """
    for name in names(notes.wearer, notes.hour_us):
        path = folder / name
        if name not in taken and (not path.exists() or _is_part(path, raws)):
            return name
    raise AssertionError  # names never end


def keep(path: Path, columns: Columns, notes: Notes, raws: list[Raw]) -> Kept:
    """Write a file, read it back, and give it its name; afterwards it is on the disk, whole.

    Raises:
        StoreUnavailableError: if it cannot be written now.
        StoreError: if what is read back is not what was written.
    """
    new = path.with_name(path.name + _UNFINISHED)
    try:
        made = _folders(path.parent)
        with new.open("wb") as file:
            parquet.write(file, columns, notes)
            file.flush()
            os.fsync(file.fileno())
        if messages_in(new)[0] != raws:
            raise StoreError(f"{path} would not give its messages back; they stay in the database")
        kept = Kept(new.stat().st_size, sha256(new))
        new.replace(path)
        for folder in made:
            sync(folder)
    except OSError as exc:
        raise StoreUnavailableError(
            f"{path} cannot be written ({exc.strerror or exc}); make room, or mend its folder. "
            "Nothing was deleted."
        ) from exc
    finally:
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)
    return kept


def messages_in(path: Path) -> tuple[list[Raw], Notes]:
    """Read a file.

    Raises:
        StoreError: if it cannot be read or does not make messages.
    """
    columns, notes = parquet.read(path)
    try:
        return put_together(columns, notes), notes
    except (WireError, ValueError, TypeError, LookupError, ArithmeticError, StopIteration) as exc:
        raise StoreError(f"{path} does not make messages: {exc}") from exc


def sha256(path: Path) -> str:
    """Return the hash of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remove(path: Path) -> None:
    """Delete a file, and the folders that are empty then.

    Raises:
        StoreUnavailableError: if it cannot be deleted.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as exc:
        raise StoreUnavailableError(f"{path} cannot be deleted: {exc.strerror}") from exc
    with contextlib.suppress(OSError):
        for folder in list(path.parents)[:3]:
            folder.rmdir()


def _is_part(path: Path, raws: list[Raw]) -> bool:
    try:
        return set(messages_in(path)[0]) <= set(raws)
    except StoreError:
        return False


def _folders(folder: Path) -> list[Path]:
    """Make a folder and those above it; return those whose entries must reach the disk, the deepest first."""
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    folder.mkdir(parents=True, exist_ok=True)
    return [parent for parent in (folder, *folder.parents) if parent.is_relative_to(there)]
