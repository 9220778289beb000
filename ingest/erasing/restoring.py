"""Erasures are applied to a backup before it is put in place: nothing of who was erased comes back with it.

A backup holds the list as it was when it was made; the list of the folder is newer, and both are joined. So
where the disk was lost with its list, the erasures up to the backup are known at least.
"""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from ingest.database.sqlite import Database
from ingest.erasing import files
from ingest.erasing.carrying import erased_in
from ingest.erasing.register import PACKED, Register
from poise.errors import StoreUnavailableError


def packed(data: Path) -> dict[str, bytes]:
    """Return what a backup of a data folder holds beside its databases: the list, if there is one."""
    register = Register(data)
    return {PACKED: register.packed()} if register else {}


class Applied:
    """Called with the unpacked files of a backup, takes out who was erased.

    Args:
        data: the folder that they are put into.
        clock: UTC µs.

    Attributes:
        sentences: what is to be said of it afterwards.
    """

    def __init__(self, data: Path, clock: Callable[[], int]) -> None:
        self._register, self._clock = Register(data), clock
        self.sentences: list[str] = []

    def __call__(self, unpacked: Path) -> None:
        """Erase from these files whoever is on the list of the folder or of the backup.

        Raises:
            StoreUnavailableError: if it cannot be done; then nothing is put in place.
        """
        if not self._register:
            self.sentences.append(
                "This folder had no list of erasures. If another folder has one, copy its `erasures` here "
                "before ingest starts: it takes out whoever was erased since the backup was made."
            )
        if (list_ := unpacked / PACKED).exists():
            self._register.merge(list_.read_bytes())
            list_.unlink()
        people = set[str]().union(*(self._in(path) for path in files.databases_in(unpacked)))
        for path in files.own_files(unpacked, self._register.is_erased):
            files.remove(path)
        if people:
            number = f"{len(people)} {'person' if len(people) == 1 else 'people'}"
            self.sentences.append(f"Taken out, because they were erased: {number} of this backup.")

    def _in(self, path: Path) -> set[str]:
        """Erase from one database, and return who was in it."""
        with closing(Database(path)) as database:
            removed, left = erased_in(database, self._register)
        if left:
            raise StoreUnavailableError(f"{left}. Nothing was put in place")
        return set(removed)
