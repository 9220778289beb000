"""Carries the list out in one database, by the program that owns it: its worker, or whoever holds its lock.

A worker looks at the list once a second, and at every start: so what a restored backup or an older copy
brings back goes before anything else is done. Each step may be done again; the note that it is done comes
last.
"""

import logging
from collections import Counter
from collections.abc import Callable
from typing import Final

from ingest.database.sqlite import Database, reading
from ingest.erasing import files
from ingest.erasing.register import Note, Register
from ingest.erasing.rows import erase, names_in, scrub
from poise.errors import StoreError

log = logging.getLogger("poise.ingest")
_AGAIN_US: Final = 30_000_000
"""Between two tries of what could not be done (project decision)."""


class Carrying:
    """One database and the archive beside it.

    Args:
        database: the writing connection.
        register: the list.
        clock: UTC µs.
        forget: called with the `site/patient` of whom nothing is on the disk any more, before anything else
            is read or written.
    """

    def __init__(
        self,
        database: Database,
        register: Register,
        clock: Callable[[], int],
        forget: Callable[[str], None] = lambda _name: None,
    ) -> None:
        self._database, self._register, self._clock, self._forget = database, register, clock, forget
        self._looked = False
        self._next_us: int | None = None

    @property
    def place(self) -> str:
        """As what it notes what it did."""
        return self._database.path.stem

    def look(self, *, changed: bool) -> None:
        """Erase whoever is on the list and here, if the list has changed or something is still to be done.

        Raises:
            StoreUnavailableError: if the disk refuses now; the same call goes on.
        """
        again = self._next_us is not None and self._clock() >= self._next_us
        if changed or not self._looked or again:
            self._carry_out()
            self._looked = True

    def _carry_out(self) -> None:
        self._next_us = None
        if not self._register:
            return
        removed, left = self._remove()
        pending = {person for person, _ in self._register.pending(self.place)}
        if removed or any(self._was_begun(person) for person in pending):
            left = self._scrub() or left
        if left:
            log.warning("an erasure is not finished: %s", left)
            self._next_us = self._clock() + _AGAIN_US
        for person in {*removed, *pending}:
            self._note(person, self._register.all[person].asked_us, removed.get(person), left)

    def _was_begun(self, person: str) -> bool:
        """Return whether rows may have gone whose bytes have not."""
        note = self._register.notes(person).get(self.place)
        return note is not None and bool(note.left)

    def _scrub(self) -> str:
        try:
            return scrub(self._database)
        except StoreError as exc:
            return str(exc)

    def _note(self, person: str, asked_us: int, removed: Counter[str] | None, left: str) -> None:
        note = Note(asked_us=asked_us, at_us=self._clock(), removed=dict(removed or {}), left=left)
        self._register.note(person, self.place, note)

    def _remove(self) -> tuple[dict[str, Counter[str]], str]:
        """Delete rows and archive files; return by hash what was deleted, and what could not be."""
        folder, left = self._database.path.parent, ""
        with reading(self._database.path) as c:
            found = {name for name in names_in(c) if self._register.is_erased(name)}
        removed: dict[str, Counter[str]] = {}
        for name in sorted(found | files.archived(folder, self._register.is_erased)):
            person, count = self._register.person(name), Counter[str]()
            if name in found:
                self._note(person, 0, None, "it was begun")
                with self._database.transaction() as c:
                    count.update(erase(c, name))
                self._forget(name)
            try:
                count["archive files"] += files.erase_archive(folder, name)
            except StoreError as exc:
                left = str(exc)
            removed[person] = +count
        return removed, left


def erased_in(database: Database, register: Register) -> tuple[dict[str, Counter[str]], str]:
    """Erase whoever is on the list from a database that no program uses.

    Returns:
        What was removed by `site/patient`, and what is left, a sentence; "" for nothing.

    Raises:
        StoreUnavailableError: if the disk refuses.
    """
    with database.transaction() as c:
        names = [name for name in sorted(names_in(c)) if register.is_erased(name)]
        removed = {name: erase(c, name) for name in names}
    return removed, scrub(database) if removed else ""
