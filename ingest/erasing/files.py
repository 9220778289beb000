"""A person's files in a data folder: archive, spools, calibrations, and databases that were put aside.

Files are deleted as the system deletes them: what a disk keeps of them below that is not in our power.
"""

import contextlib
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from ingest.archive.files import FOLDER
from ingest.database.files import sync, with_logs
from ingest.results.store import wearer_of
from poise.errors import StoreUnavailableError, WireError
from poise.topics import Wearer

_OWN: Final = re.compile(r"(?:spool|replay|calibration|plan)-(.+?)\.(?:db|lock|json|db-wal|db-shm)")
_COMPUTED: Final = re.compile(r"(.+)-\d{8}T\d{6}")
_DATABASE: Final = re.compile(r"poise(?:-\d{1,2}of\d{1,2})?\.db")
Is = Callable[[str], bool]


def archived(data: Path, is_erased: Is) -> set[str]:
    """Return the `site/patient` of those who are erased and have a folder in the archive."""
    folders = (path for path in (data / FOLDER).glob("*/*") if path.is_dir())
    return {name for path in folders if is_erased(name := f"{path.parent.name}/{path.name}")}


def erase_archive(data: Path, name: str) -> int:
    """Delete a wearer's folder of the archive, and return how many files of samples were in it.

    Raises:
        StoreUnavailableError: if it cannot be deleted.
    """
    wearer = wearer_of(name)
    folder = data / FOLDER / wearer.site / wearer.patient
    if not folder.exists():
        return 0
    count = sum(1 for _ in folder.rglob("*.parquet"))
    _remove_folder(folder)
    with contextlib.suppress(OSError):
        folder.parent.rmdir()
    return count


def own_files(data: Path, is_erased: Is) -> list[Path]:
    """Return spools and calibrations of those who are erased, also those in folders that were put aside.

    A name that can be read as that of several wearers ("a-b-c") is theirs if one of them was erased.
    """
    found = []
    for path in sorted(data.rglob("*-*")):
        match = _OWN.fullmatch(path.name)
        if match and path.is_file() and any(is_erased(name) for name in _readings(match[1])):
            found.append(path)
    return found


def computed(data: Path, is_erased: Is) -> list[Path]:
    """Return the folders with results of those who are erased that were computed again."""
    matches = ((path, _COMPUTED.fullmatch(path.name)) for path in sorted((data / "recomputed").glob("*-*")))
    return [path for path, match in matches if match and any(map(is_erased, _readings(match[1])))]


def cursors(data: Path, wearer: Wearer) -> list[Path]:
    """Return the files in which `poise store copy` noted days of a wearer; without them it begins anew."""
    mark = f"{wearer.site}/{wearer.patient}"
    return [path for path in sorted(data.glob("copy-*.txt")) if mark in path.read_text("utf-8", "replace")]


def databases_in(data: Path, pattern: str = "poise*.db") -> list[Path]:
    """Return the databases of ingest in a folder."""
    return [path for path in sorted(data.glob(pattern)) if _DATABASE.fullmatch(path.name)]


def databases_aside(data: Path) -> list[Path]:
    """Return the databases of ingest in folders within the data folder, which no worker owns."""
    return [path for path in databases_in(data, "**/poise*.db") if path.parent != data]


def remove(path: Path) -> None:
    """Delete a file with the logs beside it, or a folder; again it changes nothing.

    Raises:
        StoreUnavailableError: if it cannot be deleted.
    """
    if path.is_dir():
        _remove_folder(path)
        return
    try:
        for file in with_logs(path):
            file.unlink(missing_ok=True)
        sync(path.parent)
    except OSError as exc:
        raise StoreUnavailableError(f"{path} cannot be deleted ({exc.strerror or exc})") from exc


def _remove_folder(folder: Path) -> None:
    try:
        shutil.rmtree(folder)
        sync(folder.parent)
    except FileNotFoundError:
        return  # somebody else does the same
    except OSError as exc:
        raise StoreUnavailableError(f"{folder} cannot be deleted ({exc.strerror or exc})") from exc


def _readings(joined: str) -> Iterator[str]:
    """Yield every `site/patient` that `site-patient` can mean."""
    for at in (match.start() for match in re.finditer("-", joined)):
        with contextlib.suppress(WireError):
            wearer = Wearer(joined[at + 1 :], joined[:at])
            yield f"{wearer.site}/{wearer.patient}"
