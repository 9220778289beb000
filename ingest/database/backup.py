"""All databases of a folder in one file, taken while they are in use, and back.

The file is a tar archive of the databases and calibrations, with a list of their SHA-256 sums last: an
archive that was cut off has none, and nothing is put in place before every sum is right.
"""

import hashlib
import io
import os
import re
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

import msgspec

from ingest.database.files import move_aside
from ingest.database.shards import refuse_unfinished
from ingest.database.sqlite import copy_database
from poise.errors import ConfigurationError, StoreUnavailableError

_LIST: Final = "poise-backup.json"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]*\.(db|json)")
_PIECE: Final = 1024**2
_VERSION: Final = 1


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """What an archive holds.

    Attributes:
        version: of the archive.
        made_us: UTC µs at which it was begun.
        sums: SHA-256 of each file, by name.
    """

    version: int = _VERSION
    made_us: int
    sums: dict[str, str]


def back_up(folder: Path, file: Path, made_us: int, more: Mapping[str, bytes] | None = None) -> Contents:
    """Write an archive of all that a data folder keeps, each database as of one moment.

    Args:
        folder: the data folder; programs may be at work in it.
        file: the archive, which must not be there yet.
        made_us: UTC µs.
        more: what else belongs into it, by name.

    Raises:
        ConfigurationError: if there is nothing to keep, or the file is there or cannot be written.
        StoreUnavailableError: if a database cannot be read now.
    """
    if file.exists():
        raise ConfigurationError(f"{file} is there already: name another one, so that no backup is lost")
    refuse_unfinished(folder)
    if not (kept := _kept(folder)):
        raise ConfigurationError(f"there is no database in {folder}; choose the data folder with --data")
    part = file.with_name(f"{file.name}.part")
    try:
        with os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as raw:
            contents = _write(raw, kept, file.parent, made_us, more or {})
            raw.flush()
            os.fsync(raw.fileno())
        part.replace(file)
    except OSError as exc:
        raise ConfigurationError(f"{file} cannot be written ({exc.strerror or exc})") from exc
    finally:
        part.unlink(missing_ok=True)
    return contents


def restore(
    file: Path, folder: Path, *, replace: bool = False, before: Callable[[Path], None] = lambda _folder: None
) -> Contents:
    """Put an archive's files into a data folder in which no program is at work.

    Args:
        file: the archive.
        folder: the data folder.
        replace: whether what is there may be moved aside, into a folder beside.
        before: is given the folder with the files before they are put in place; what it deletes is not.

    Raises:
        ConfigurationError: if the archive is none, is damaged, or there are databases that would be lost.
    """
    refuse_unfinished(folder)
    there = _kept(folder)
    if there and not replace:
        raise ConfigurationError(
            f"{folder} holds {', '.join(path.name for path in there)} already: choose a new folder with "
            "--data, or move what is there aside with --replace"
        )
    with _in_our_words(file), tempfile.TemporaryDirectory(prefix=".restore-", dir=folder) as unpacked:
        contents = _unpack(file, Path(unpacked))
        before(Path(unpacked))
        if there:
            now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
            move_aside(there, folder / f"before-restore-{now}")
        for path in [Path(unpacked) / name for name in contents.sums]:
            if path.exists():
                path.replace(folder / path.name)
    return contents


def _kept(folder: Path) -> list[Path]:
    return sorted([*folder.glob("*.db"), *folder.glob("calibration-*.json")])


def _write(
    raw: IO[bytes], kept: list[Path], beside: Path, made_us: int, more: Mapping[str, bytes]
) -> Contents:
    """Copy one file after the other, so that a second place is needed for one of them only."""
    sums = {}
    with tarfile.open(fileobj=raw, mode="w") as archive:
        for path in kept:
            with tempfile.TemporaryDirectory(prefix=".backup-", dir=beside) as folder:
                copied = Path(folder) / path.name
                if path.suffix == ".db":
                    copy_database(path, copied)
                else:
                    copied.write_bytes(path.read_bytes())
                sums[path.name] = _sum(copied)
                archive.add(copied, path.name)
        for name, content in more.items():
            sums[name] = hashlib.sha256(content).hexdigest()
            _add(archive, name, content)
        contents = Contents(made_us=made_us, sums=sums)
        _add(archive, _LIST, msgspec.json.encode(contents))
    return contents


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))


def _unpack(file: Path, folder: Path) -> Contents:
    """Unpack into a folder and look whether every sum is right."""
    sums: dict[str, str] = {}
    listed = b""
    with tarfile.open(file, mode="r:") as archive:
        for entry in archive:
            content = archive.extractfile(entry) if entry.isreg() else None
            if content is None:
                raise ConfigurationError(f"{file} is no backup of Poise: it holds {entry.name}")
            if entry.name == _LIST:
                listed = content.read(_PIECE)
            elif _NAME.fullmatch(entry.name):
                sums[entry.name] = _keep(content, folder / entry.name)
            else:
                raise ConfigurationError(f"{file} is no backup of Poise: it holds {entry.name!r}")
    contents = msgspec.json.decode(listed, type=Contents)
    if contents.version != _VERSION:
        raise ConfigurationError(
            f"{file} was made by another Poise (version {contents.version}); update this one"
        )
    if wrong := [name for name in contents.sums | sums if contents.sums.get(name) != sums.get(name)]:
        raise ConfigurationError(f"{file} is damaged ({', '.join(wrong)}); nothing was changed")
    return contents


@contextmanager
def _in_our_words(file: Path) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, msgspec.MsgspecError, EOFError) as exc:
        raise ConfigurationError(f"{file} is no whole backup of Poise ({exc}); nothing was changed") from exc
    except FileNotFoundError as exc:
        raise ConfigurationError(f"there is no {exc.filename}") from exc
    except OSError as exc:
        raise StoreUnavailableError(f"the backup cannot be put in place ({exc.strerror or exc})") from exc


def _keep(content: IO[bytes], target: Path) -> str:
    with target.open("xb") as kept:
        while piece := content.read(_PIECE):
            kept.write(piece)
        kept.flush()
        os.fsync(kept.fileno())
    return _sum(target)


def _sum(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
