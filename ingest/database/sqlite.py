"""The only file that knows sqlite3: opening `poise.db`, transactions, and its errors in our words."""

import sqlite3
import struct
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from ingest.database import schema
from poise.errors import ConfigurationError, StoreError, StoreRejectedError, StoreUnavailableError

Connection = sqlite3.Connection
_BUSY_MS: Final = 5000
_PAGE_BYTES: Final = 16384
"""Of new databases: a message of half a minute is 80 kB, and each page costs a call on the way in and another
when the log is folded in. Measured, this takes a tenth off the cost of ingest (docs/storage.md)."""
_CACHE_KB: Final = 32_768
_CHECKPOINT_PAGES: Final = 2000
_REFUSED: Final = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    OverflowError,
    UnicodeEncodeError,
)


class Database:
    """One writing connection to `poise.db`: WAL, every commit on the disk before it returns.

    Threads may share it; a transaction holds a lock for as long as it lasts.

    Raises:
        ConfigurationError: if the file cannot be opened, is no database or was made by a newer Poise.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        except (OSError, sqlite3.Error) as exc:
            raise ConfigurationError(f"{path} cannot be opened ({exc}); choose another data folder") from exc
        try:
            self._prepare()
        except BaseException:
            self._connection.close()
            raise

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Run the block as one transaction: all of it is on disk afterwards, or nothing.

        Raises:
            StoreUnavailableError: if it may work later (disk full, locked).
            StoreRejectedError: if this very data can never be stored.
        """
        with self._lock, in_our_words(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                # A full disk may have ended the transaction already.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @property
    def pages(self) -> int:
        """Bytes of the file that are in use."""
        with self._lock, in_our_words(self.path):
            count, free, size = (
                self._connection.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("page_count", "freelist_count", "page_size")
            )
        return int((count - free) * size)

    def rewrite(self) -> bool:
        """Write the whole file anew and cut its log to nothing; False if a reader keeps the log in use.

        Nobody else can write meanwhile.

        Raises:
            StoreUnavailableError: if the disk refuses; the file is as it was.
        """
        with self._lock, in_our_words(self.path):
            self._connection.execute("VACUUM")
            busy = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        return not busy

    def close(self) -> None:
        """Fold the write-ahead log into the file and close it."""
        with self._lock:
            self._connection.close()

    def _prepare(self) -> None:
        try:
            for pragma in (
                f"page_size = {_PAGE_BYTES}",
                f"cache_size = -{_CACHE_KB}",
                "journal_mode = WAL",
                "synchronous = FULL",
                "secure_delete = ON",
                f"busy_timeout = {_BUSY_MS}",
                f"wal_autocheckpoint = {_CHECKPOINT_PAGES}",
            ):
                self._connection.execute(f"PRAGMA {pragma}")
            self._migrate()
        except (sqlite3.Error, StoreError) as exc:
            raise ConfigurationError(
                f"{self.path} is no database that Poise can use ({exc}); move it or choose another folder"
            ) from exc

    def _migrate(self) -> None:
        # Two programs may start on a new file at once: the second waits here and then finds it done.
        self._connection.create_function("second_record", 7, struct.Struct("<qqqdddd").pack)
        with self.transaction() as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version > schema.VERSION:
                raise ConfigurationError(
                    f"{self.path} was written by a newer Poise (tables {version}, this one knows "
                    f"{schema.VERSION}); update Poise"
                )
            steps = [schema.MIGRATIONS[known] for known in range(version, schema.VERSION) if known]
            for step in steps if version else [schema.TABLES]:
                for statement in step.split(";"):
                    connection.execute(statement)
            if version < schema.VERSION:
                connection.execute(f"PRAGMA user_version = {schema.VERSION}")


@contextmanager
def reading(path: Path) -> Iterator[Connection]:
    """Open the database to read one consistent state of it, from any thread, and close it again.

    Raises:
        StoreUnavailableError: if it is not there or cannot be read now.
    """
    with in_our_words(path):
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
        with closing(connection):
            connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
            connection.execute("BEGIN")
            yield connection


def copy_database(source: Path, target: Path) -> None:
    """Copy one consistent state of a database that may be in use; who writes to it need not wait.

    In one step: a copy in several would begin anew whenever another program writes.

    Raises:
        StoreUnavailableError: if it cannot be read or written now.
    """
    with in_our_words(source), closing(sqlite3.connect(target)) as copied:
        uri = f"{source.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=_BUSY_MS / 1000)) as connection:
            connection.backup(copied)
        copied.execute("PRAGMA journal_mode = DELETE")  # one file, whose checksum says it all


@contextmanager
def in_our_words(path: Path) -> Iterator[None]:
    """Turn sqlite3's exceptions into those of `poise.errors`."""
    try:
        yield
    except _REFUSED as exc:
        raise StoreRejectedError(f"{path} refuses this data: {exc}") from exc
    except sqlite3.OperationalError as exc:
        raise StoreUnavailableError(_advice(path, exc)) from exc
    except sqlite3.Error as exc:
        raise StoreError(f"{path} cannot be used: {exc}") from exc


def _advice(path: Path, exc: sqlite3.OperationalError) -> str:
    if exc.sqlite_errorcode == sqlite3.SQLITE_FULL:
        return f"the disk of {path} is full; make room, nothing that arrived is lost meanwhile"
    if exc.sqlite_errorcode == sqlite3.SQLITE_CANTOPEN:
        return f"{path} is not there; start Poise's ingest first, or choose its data folder"
    return f"{path} cannot be used right now: {exc}"
