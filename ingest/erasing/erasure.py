"""One person's erasure in a data folder, place by place, and what of it is still to be done.

It is written down first. Then each place answers: a database that a worker owns by that worker, which looks
at the list; all others here, under the lock that a worker would hold. Everything may be done again, and what
was done is not undone by a death.
"""

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ingest.database.shards import Shard, count_in, shards
from ingest.database.sqlite import Database, reading
from ingest.erasing import files
from ingest.erasing.carrying import Carrying, erased_in
from ingest.erasing.gate import GATEWAY
from ingest.erasing.register import Note, Order, Register, Standing
from ingest.results.store import key
from poise.errors import ConfigurationError, StoreError
from poise.topics import Wearer

if TYPE_CHECKING:
    from ingest.results.influxdb.server import InfluxServer

PATIENCE_S: Final = 60.0
"""How long a worker is waited for; a large database takes longer, and goes on by itself."""
_LOOK_S: Final = 0.2
Hold = Callable[[Path, str], AbstractContextManager[None]]
"""Holds a lock file for a program of a kind; raises ConfigurationError if another one does."""


@dataclass(frozen=True, slots=True)
class Place:
    """What became of one place.

    Attributes:
        name: for people.
        removed: how much of what, with all that was removed there before.
        left: what is still to be done there, a sentence; "" for nothing.
    """

    name: str
    removed: dict[str, int] = field(default_factory=dict)
    left: str = ""


class Erasure:
    """Everything of one wearer that lies in a data folder and in its InfluxDB.

    Args:
        data: the data folder.
        wearer: who is erased.
        clock: UTC µs.
        hold: holds a lock.
        server: the InfluxDB that results go to, None for none.
        patience_s: how long a worker is waited for.
    """

    def __init__(
        self,
        data: Path,
        wearer: Wearer,
        clock: Callable[[], int],
        hold: Hold,
        server: "InfluxServer | None" = None,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._data, self._wearer, self._clock, self._hold = data, wearer, clock, hold
        self._server, self._patience_s = server, patience_s
        self.register = Register(data)

    @property
    def known(self) -> bool:
        """Whether anything of the wearer is in the folder's databases, or the wearer was erased before."""
        if self.register.is_erased(key(self._wearer)):
            return True
        for shard in self._shards():
            with contextlib.suppress(StoreError), reading(shard.file(self._data)) as c:
                sql = "SELECT 1 FROM people WHERE wearer = ? UNION SELECT 1 FROM notices WHERE wearer = ?"
                if c.execute(sql, (key(self._wearer),) * 2).fetchone():
                    return True
        return False

    def write_down(self) -> Order:
        """Put the wearer on the list: from now on it will happen, whatever happens."""
        return self.register.put(key(self._wearer), Standing.ERASED, self._clock())

    def carry_out(self, order: Order) -> Iterator[Place]:
        """Do it place by place; nothing is raised, what fails is told as left."""
        for shard in self._shards():
            yield from self._database(shard, order)
        yield from self._aside()
        yield self._own_files()

    @property
    def person(self) -> str:
        """The hash under which the wearer stands on the list."""
        return self.register.person(key(self._wearer))

    def _shards(self) -> list[Shard]:
        count = count_in(self._data)
        return [shard for shard in shards(count) if shard.file(self._data).exists()] if count else []

    def _database(self, shard: Shard, order: Order) -> Iterator[Place]:
        """Erase in a database, and at InfluxDB what came of it; or wait for the worker that does."""
        path, failed = shard.file(self._data), ""
        mine = self._server is not None and self._wearer.bucket in shard.buckets
        try:
            with self._hold(path.with_suffix(".lock"), "ingest"):
                left = self._here(path)
                if not left and self._server is not None and mine:
                    failed = self._influx(self._server, path.stem, shard)
        except ConfigurationError:
            left = ""
            for place in (path.stem, *((f"influxdb-{path.stem}",) if mine else ())):
                self._wait_for(place, order)
        done = self._noted(path.name, path.stem, order)
        yield Place(done.name, done.removed, left or done.left)
        if mine:
            done = self._noted("InfluxDB", f"influxdb-{path.stem}", order)
            yield Place(done.name, done.removed, failed or done.left)

    def _here(self, path: Path) -> str:
        """Erase in a database of which no worker is at work; return why it could not be done."""
        try:
            with closing(Database(path)) as database:
                Carrying(database, self.register, self._clock).look(changed=True)
        except (StoreError, ConfigurationError) as exc:
            return str(exc)
        return ""

    def _influx(self, server: "InfluxServer", database: str, shard: Shard) -> str:
        """Delete at the server, of which no forwarder is at work; return why it could not be done."""
        from ingest.erasing.influx import InfluxErasure  # a quarter of a second to read

        erasure = InfluxErasure(server, self.register, database, self._clock, frozenset(shard.buckets))
        try:
            erasure.look()
        except StoreError as exc:
            return f"{exc}; run this again when it answers, or start ingest, which goes on by itself"
        return ""

    def _wait_for(self, place: str, order: Order) -> None:
        """Wait until a worker has answered the order."""
        until = time.monotonic() + self._patience_s
        while time.monotonic() < until:
            note = self.register.notes(self.person).get(place)
            if note is not None and note.asked_us >= order.asked_us and not note.left:
                return
            time.sleep(_LOOK_S)

    def _noted(self, name: str, place: str, order: Order) -> Place:
        note = self.register.notes(self.person).get(place)
        if note is None or note.asked_us < order.asked_us:
            removed = {} if note is None else note.removed
            left = "ingest is at work and has not done it yet; it goes on by itself, run this again to see"
            return Place(name, removed, left)
        return Place(name, note.removed, note.left)

    def _aside(self) -> Iterator[Place]:
        """Erase from databases that were put aside, which no worker owns."""
        for path in files.databases_aside(self._data):
            name = str(path.relative_to(self._data))
            try:
                with closing(Database(path)) as database:
                    removed, left = erased_in(database, self.register)
            except (StoreError, ConfigurationError) as exc:
                yield Place(name, left=str(exc))
                continue
            if removed or left:
                yield Place(name, dict(sum(removed.values(), Counter[str]())), left)

    def _own_files(self) -> Place:
        """Delete spools, calibrations and what was computed again."""
        left, removed = "", Counter[str]()
        found = files.own_files(self._data, self.register.is_erased)
        spool = any(path.parent == self._data and path.name.startswith("spool-") for path in found)
        for path in [path for path in found if path.suffix != ".lock"]:
            try:
                with self._held(path):
                    files.remove(path)
                removed[path.name.partition("-")[0]] += path.suffix in (".db", ".json")
            except ConfigurationError:
                left = "a gateway of this machine is at work with its spool; it deletes that when it is told"
            except StoreError as exc:
                left = str(exc)
        again, notes = (
            files.computed(self._data, self.register.is_erased),
            files.cursors(self._data, self._wearer),
        )
        for path in (*again, *notes):
            files.remove(path)
            removed["folders and notes"] += 1
        if not left:
            for path in files.own_files(self._data, self.register.is_erased):
                files.remove(path)
        if spool and not left:
            self._note_gateway()
        return Place("files of this folder", +removed, left)

    def _note_gateway(self) -> None:
        """The gateway's spool lay here: nothing else of it is to be waited for."""
        order = self.register.all[self.person]
        self.register.note(self.person, GATEWAY, Note(asked_us=order.asked_us, at_us=self._clock()))

    @contextlib.contextmanager
    def _held(self, path: Path) -> Iterator[None]:
        lock = path.with_suffix(".lock")
        if lock.exists():
            with self._hold(lock, "gateway"):
                yield
        else:
            yield
