"""One program of a kind in a folder: two would write over each other's work."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from poise.errors import ConfigurationError


@contextmanager
def alone(file: Path, program: str) -> Iterator[None]:
    """Hold a lock for as long as the block lasts; the system frees it even if this program is killed.

    Raises:
        ConfigurationError: if another program holds it.
    """
    with file.open("a") as lock:
        try:
            _take(lock)
        except OSError as exc:
            raise ConfigurationError(
                f"Another {program} is at work in {file.parent} already. End that one, or choose another "
                "folder with --data."
            ) from exc
        yield


def _take(lock: IO[str]) -> None:
    """Lock an open file, or raise OSError at once; each system's module is looked for only where it is."""
    if sys.platform == "win32":
        import msvcrt

        # One byte far behind the end: Windows forbids others to read what is locked.
        lock.seek(1 << 30)
        msvcrt.locking(lock.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def nobody_in(folder: Path) -> Iterator[None]:
    """Hold the lock of every program that could be at work in a data folder.

    Raises:
        ConfigurationError: if one is at work.
    """
    with all_alone({folder / "poise.lock", *folder.glob("*.lock")}):
        yield


@contextmanager
def all_alone(locks: Iterable[Path]) -> Iterator[None]:
    """Hold several locks.

    Raises:
        ConfigurationError: if another program holds one.
    """
    with ExitStack() as held:
        for lock in sorted(set(locks)):
            held.enter_context(alone(lock, "gateway" if lock.name.startswith("spool") else "ingest"))
        yield
