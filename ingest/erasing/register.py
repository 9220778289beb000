"""The list of who was erased and who has withdrawn, without a name in it.

It lies in `erasures/` beside the databases. A person is known by a keyed hash (HMAC-SHA256, RFC 2104) of
`site/patient` alone; the key is random and only its owner can read it. So the list tells what comes or is
found here again, and does not tell whom it speaks of to who has no pseudonym to ask with.

An order stands here before anything is done, and each place notes what it removed. No file has two writers
that say different things, and each is written whole: a program that dies leaves an order to be gone on with.
"""

import contextlib
import hmac
import os
import secrets
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from ingest.database.files import give, sync
from poise.errors import ConfigurationError, StoreUnavailableError

FOLDER: Final = "erasures"
PACKED: Final = "erasures.json"
"""As the list is called in a backup."""
_KEYS: Final = "keys"
_CHANGED: Final = "changed"
_ORDER: Final = "order.json"
_KEY_BYTES: Final = 32
T = TypeVar("T", "Order", "Note")


class Standing(StrEnum):
    """What a person has said last; an erasure is never taken back."""

    ERASED = "erased"
    WITHDRAWN = "withdrawn"
    RESUMED = "resumed"


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for a person.

    Attributes:
        at_us: UTC µs since when.
        asked_us: UTC µs at which it was asked for last: each place answers that anew.
    """

    v: int = 1
    what: Standing
    at_us: int
    asked_us: int


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """What a place has done.

    Attributes:
        asked_us: which order it answers.
        removed: how much of what, over all its answers.
        left: why it is not done yet, a sentence; "" if it is.
    """

    v: int = 1
    asked_us: int
    at_us: int
    removed: dict[str, int] = {}
    left: str = ""


class Packed(msgspec.Struct, frozen=True, kw_only=True):
    """The list in a backup: keys, newest first, and orders by hash."""

    v: int = 1
    keys: list[str]
    orders: dict[str, Order]


class Register:
    """The list of a data folder, as of the last `refresh`; programs may share it.

    Args:
        data: the data folder.
    """

    def __init__(self, data: Path) -> None:
        self.folder = data / FOLDER
        self._stamp: tuple[int, int] | None = None
        self._keys: list[bytes] = []
        self._orders: dict[str, Order] = {}
        self.refresh()

    def __bool__(self) -> bool:
        """Return whether anybody stands in it."""
        return bool(self._orders)

    def refresh(self) -> bool:
        """Read it anew if somebody has changed it since, and return whether that was so.

        Raises:
            StoreUnavailableError: if it cannot be read: nothing may be taken then.
        """
        stamp = _stamp(self.folder)
        if stamp == self._stamp:
            return False
        with _in_our_words(self.folder):
            self._keys = [bytes.fromhex(line) for line in (self.folder / _KEYS).read_text("ascii").split()]
            files = self.folder.glob(f"*/{_ORDER}")
            self._orders = {file.parent.name: _decoded(file, Order) for file in files}
        self._stamp = stamp
        return True

    def order(self, name: str) -> Order | None:
        """Return what holds for a wearer's `site/patient`, None if nothing was ever said."""
        found = [order for known in self._hashes(name) if (order := self._orders.get(known))]
        return max(found, key=_rank, default=None)

    def reason(self, name: str) -> str:
        """Return "erased" or "withdrawn" where nothing may be taken of a wearer, else ""."""
        order = self.order(name) if self._orders else None
        return "" if order is None or order.what is Standing.RESUMED else str(order.what)

    def is_erased(self, name: str) -> bool:
        """Return whether a wearer was erased."""
        return self.reason(name) == Standing.ERASED

    @property
    def all(self) -> dict[str, Order]:
        """All orders by hash."""
        return dict(self._orders)

    def put(self, name: str, what: Standing, now_us: int) -> Order:
        """Write down what a wearer has said; it is on the disk when this returns.

        Raises:
            ConfigurationError: if the wearer was erased, which nothing takes back.
            StoreUnavailableError: if the disk refuses.
        """
        self.refresh()
        before = self.order(name)
        if before is not None and before.what is Standing.ERASED and what is not Standing.ERASED:
            raise ConfigurationError(
                f"{name} was erased, and an erasure is never taken back: a person who comes again gets a new "
                "pseudonym"
            )
        same = before is not None and before.what is what
        order = Order(what=what, at_us=before.at_us if before and same else now_us, asked_us=now_us)
        with _in_our_words(self.folder):
            if not self._keys:
                self._keep_keys([secrets.token_bytes(_KEY_BYTES)])
            self._keep(self._hash_of(name), order)
        self.refresh()
        return order

    def note(self, person: str, place: str, note: Note) -> None:
        """Write down what a place has done about a hash; what it removed before is counted in.

        Raises:
            StoreUnavailableError: if the disk refuses.
        """
        before = self.notes(person).get(place)
        removed = dict(before.removed) if before else {}
        for what, count in note.removed.items():
            removed[what] = removed.get(what, 0) + count
        with _in_our_words(self.folder):
            _write(
                self.folder / person / f"{place}.json",
                msgspec.json.encode(msgspec.structs.replace(note, removed=removed)),
            )

    def notes(self, person: str) -> dict[str, Note]:
        """Return by place what was done about a hash."""
        with _in_our_words(self.folder):
            files = [file for file in (self.folder / person).glob("*.json") if file.name != _ORDER]
            return {file.stem: _decoded(file, Note) for file in sorted(files)}

    def answered(self, person: str, place: str) -> bool:
        """Return whether a place has done all that holds for a hash now; an older order's answer is none."""
        note = self.notes(person).get(place)
        return note is not None and not note.left and note.asked_us >= self._orders[person].at_us

    def person(self, name: str) -> str:
        """Return the hash under which a wearer stands here."""
        known = [one for one in self._hashes(name) if one in self._orders]
        return max(known, key=lambda one: _rank(self._orders[one]), default="") or self._hash_of(name)

    def pending(self, place: str) -> Iterator[tuple[str, Order]]:
        """Yield hash and order of the erasures that a place has not answered for good."""
        for person, order in self._orders.items():
            if order.what is Standing.ERASED:
                note = self.notes(person).get(place)
                if note is None or note.left or note.asked_us < order.asked_us:
                    yield person, order

    def packed(self) -> bytes:
        """Return the list for a backup."""
        return msgspec.json.encode(Packed(keys=[key.hex() for key in self._keys], orders=self._orders))

    def merge(self, packed: bytes) -> None:
        """Take in the list of a backup: of what both know, the newer holds, and an erasure always.

        Raises:
            ConfigurationError: if it is none.
            StoreUnavailableError: if the disk refuses.
        """
        try:
            other = msgspec.json.decode(packed, type=Packed)
            keys = [bytes.fromhex(key) for key in other.keys]
        except (msgspec.MsgspecError, ValueError) as exc:
            raise ConfigurationError(f"the backup's list of erasures cannot be read ({exc})") from exc
        with _in_our_words(self.folder):
            if keys and set(keys) - set(self._keys):
                self._keep_keys([*self._keys, *(key for key in keys if key not in self._keys)])
            for person, order in other.orders.items():
                mine = self._orders.get(person)
                if mine is None or _rank(order) > _rank(mine):
                    self._keep(person, order)
        self.refresh()

    def _hash_of(self, name: str) -> str:
        return _hash(self._keys[0], name) if self._keys else ""

    def _hashes(self, name: str) -> Iterator[str]:
        return (_hash(key, name) for key in self._keys)

    def _keep_keys(self, keys: list[bytes]) -> None:
        _make(self.folder)
        _write(self.folder / _KEYS, "".join(f"{key.hex()}\n" for key in keys).encode())
        self._keys = keys
        _write(self.folder / _CHANGED, b"")

    def _keep(self, person: str, order: Order) -> None:
        folder = self.folder / person
        _make(folder)
        _write(folder / _ORDER, msgspec.json.encode(order))
        sync(self.folder)
        _write(self.folder / _CHANGED, b"")


def _stamp(folder: Path) -> tuple[int, int] | None:
    """Return what every change changes, None for no list."""
    with _in_our_words(folder), contextlib.suppress(FileNotFoundError, NotADirectoryError):
        stat = (folder / _CHANGED).stat()
        return stat.st_mtime_ns, stat.st_ino
    return (0, 0) if (folder / _KEYS).exists() else None


def _rank(order: Order) -> tuple[bool, int]:
    return order.what is Standing.ERASED, order.asked_us


def _hash(key: bytes, name: str) -> str:
    return hmac.digest(key, name.encode(), "sha256").hex()


def _make(folder: Path) -> None:
    """Make a folder for the owner of the one above it, who may be another than who types the order."""
    if not folder.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        give(folder, folder.parent)


def _decoded(file: Path, kind: type[T]) -> T:
    return msgspec.json.decode(file.read_bytes(), type=kind)


def _write(path: Path, content: bytes) -> None:
    """Write a file whole, for its owner alone; several programs may write the same at once."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            give(file.fileno(), path.parent)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    sync(path.parent)


@contextlib.contextmanager
def _in_our_words(folder: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, msgspec.MsgspecError) as exc:
        raise StoreUnavailableError(
            f"the list of erasures in {folder} cannot be used ({exc}); mend it, and never delete it: it "
            "keeps what was erased from coming back"
        ) from exc
