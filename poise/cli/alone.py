"""One program of a kind in a folder: two would write over each other's work."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from poise.errors import ConfigurationError

if sys.platform != "win32":
    import fcntl


@contextmanager
def alone(file: Path, program: str) -> Iterator[None]:
    """Hold a lock for as long as the block lasts; the system frees it even if this program is killed.

    Raises:
        ConfigurationError: if another program holds it.
    """
    with file.open("a") as lock:
        if sys.platform != "win32":
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as exc:
                raise ConfigurationError(
                    f"Another {program} is at work in {file.parent} already. End that one, or choose another "
                    "folder with --data."
                ) from exc
        yield
