"""Files of a data folder: on the disk before anybody relies on them, and moved with what belongs to them."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path


def sync(folder: Path) -> None:
    """Bring a folder's entries to the disk; Windows has no such call and needs none."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_whole(path: Path, content: bytes) -> None:
    """Write a small file so that after a power cut it is what it was before, or all of this."""
    part = path.with_name(f"{path.name}.part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    sync(path.parent)


def give(what: int | Path, folder: Path) -> None:
    """Give a file to who owns a folder, where root does somebody's work: others must read it again."""
    if sys.platform != "win32" and os.geteuid() == 0:
        owner = folder.stat()
        os.chown(what, owner.st_uid, owner.st_gid)


def with_logs(database: Path) -> list[Path]:
    """Return a database and the files that SQLite keeps beside it, as far as they are there."""
    beside = (database.with_name(f"{database.name}-{tail}") for tail in ("wal", "shm"))
    return [path for path in (database, *beside) if path.exists()]


def move_aside(paths: Iterable[Path], aside: Path) -> None:
    """Move what is still there into a folder, with the logs that belong to it; again it changes nothing."""
    aside.mkdir(exist_ok=True)
    for path in paths:
        for file in reversed(with_logs(path)):  # the database last: its log alone says nothing
            file.replace(aside / file.name)
    sync(aside)
    sync(aside.parent)
