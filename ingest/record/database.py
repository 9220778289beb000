"""Opening the record's database, its transactions, and SQLAlchemy's errors in our words.

SQLite by default: one file, write-ahead log, every commit on the disk before it returns. PostgreSQL through
psycopg where a clinic has one. What the rooms above see is the same.
"""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    NoSuchModuleError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session as Session  # the rooms above name it, and need not know whose it is

from ingest.record.tables import Base
from ingest.record.upgrading import upgrade
from poise.errors import (
    ConfigurationError,
    PoiseError,
    StoreError,
    StoreRejectedError,
    StoreUnavailableError,
)

FILE: Final = "record.db"
_BUSY_MS: Final = 5000
_BEGIN: Final = "poise_begin"
_PRAGMAS: Final = (
    "journal_mode = WAL",
    "synchronous = FULL",
    "foreign_keys = ON",
    "secure_delete = ON",  # what is erased is overwritten, not only let go of
    f"busy_timeout = {_BUSY_MS}",
)
_DUPLICATE: Final = {"23505", "SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY"}


def url_in(folder: Path) -> str:
    """Return the address of the SQLite record of a data folder."""
    return URL.create("sqlite", database=str(folder / FILE)).render_as_string()


class RecordDatabase:
    """The record's database, with its tables up to date. Threads may share it.

    Attributes:
        name: its address without a password, for sentences.

    Raises:
        ConfigurationError: if the address is wrong, it is no database, or a newer Poise made it.
        StoreUnavailableError: if its server is not there now.
    """

    def __init__(self, url: str) -> None:
        where = _address(url)
        self.name = where.render_as_string(hide_password=True)
        self._engine = _engine(where)
        try:
            with in_our_words(self.name):
                upgrade(self._engine, self.name)
        except StoreError as exc:
            self.close()
            if where.get_backend_name() == "sqlite" or not isinstance(exc, StoreUnavailableError):
                raise ConfigurationError(
                    f"{self.name} is no database that Poise can use ({exc}); choose another one"
                ) from exc
            raise
        except BaseException:
            self.close()
            raise
        self._reader = self._engine.execution_options(**_reading_options(where))

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Run the block as one transaction: all of it is on the disk afterwards, or nothing.

        Raises:
            StoreUnavailableError: if it may work later (server gone, disk full, locked).
            StoreRejectedError: if this very data can never be stored.
        """
        with (
            in_our_words(self.name),
            Session(self._engine, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Run the block on one consistent state of the record; nobody waits for it.

        Raises:
            StoreUnavailableError: if it cannot be read now.
        """
        with (
            in_our_words(self.name),
            Session(self._reader, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session

    def settle(self) -> None:
        """Fold SQLite's log into the file and empty it, so that no erased page stays in it.

        PostgreSQL does the like by itself, when it vacuums and recycles its log.

        Raises:
            StoreUnavailableError: if somebody reads an older state just now: to be called again.
        """
        if self._engine.dialect.name != "sqlite":
            return
        with in_our_words(self.name), closing(self._engine.raw_connection()) as raw:
            busy = raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        if busy:
            raise StoreUnavailableError(
                f"the log of {self.name} is being read; it is emptied at the next try"
            )

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()


@contextmanager
def unique_or(session: Session, error: PoiseError) -> Iterator[None]:
    """Raise `error` where what the block adds is there already; the transaction is lost then."""
    try:
        yield
        session.flush()
    except IntegrityError as exc:
        if _code(exc) in _DUPLICATE:
            raise error from exc
        raise


def insert_if_absent(session: Session, table: type[Base], values: dict[str, Any]) -> None:
    """Add a row unless one with its key is there; also when another transaction adds it right now."""
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    session.execute(dialect.insert(table).values(values).on_conflict_do_nothing())


@contextmanager
def in_our_words(name: str) -> Iterator[None]:
    """Turn SQLAlchemy's exceptions into those of `poise.errors`."""
    try:
        yield
    except (IntegrityError, DataError, OverflowError, UnicodeEncodeError) as exc:
        raise StoreRejectedError(f"{name} refuses this data: {_said(exc)}") from exc
    except (OperationalError, PoolTimeoutError) as exc:
        raise StoreUnavailableError(_advice(name, exc)) from exc
    except DBAPIError as exc:
        if exc.connection_invalidated:
            raise StoreUnavailableError(_advice(name, exc)) from exc
        raise StoreError(f"{name} cannot be used: {_said(exc)}") from exc
    except SQLAlchemyError as exc:
        raise StoreError(f"{name} cannot be used: {_said(exc)}") from exc


def _address(url: str) -> URL:
    try:
        where = make_url(url)
    except ArgumentError as exc:
        raise ConfigurationError("the record's address must begin sqlite:/// or postgresql://") from exc
    if where.drivername in ("postgres", "postgresql"):
        return where.set(drivername="postgresql+psycopg")
    if where.get_backend_name() not in ("sqlite", "postgresql") or not where.database:
        said = where.render_as_string(hide_password=True)
        raise ConfigurationError(f"{said} cannot keep the record: name a file of SQLite or use PostgreSQL")
    return where


def _engine(where: URL) -> Engine:
    if where.get_backend_name() == "sqlite":
        return _sqlite(where)
    try:
        return create_engine(where, pool_pre_ping=True)
    except (ModuleNotFoundError, NoSuchModuleError) as exc:
        raise ConfigurationError("PostgreSQL needs psycopg: install Poise as 'poise[postgres]'") from exc


def _sqlite(where: URL) -> Engine:
    """Return an engine that begins transactions itself, those that may write with the lock."""
    _only_for_its_owner(Path(str(where.database)))
    engine = create_engine(where, connect_args={"timeout": _BUSY_MS / 1000})

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver begins no transaction of its own
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get(_BEGIN, "BEGIN IMMEDIATE"))

    return engine


def _only_for_its_owner(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as exc:
        raise ConfigurationError(f"{path} cannot be opened ({exc}); choose another data folder") from exc


def _reading_options(where: URL) -> dict[str, Any]:
    if where.get_backend_name() == "sqlite":
        return {_BEGIN: "BEGIN"}
    return {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}


def _code(exc: DBAPIError) -> str:
    return str(getattr(exc.orig, "sqlstate", None) or getattr(exc.orig, "sqlite_errorname", ""))


def _said(exc: BaseException) -> str:
    """Return the driver's own words: SQLAlchemy's repeat the statement and what a person wrote."""
    orig = exc.orig if isinstance(exc, DBAPIError) else None
    return str(orig or exc).partition("\n")[0]


def _advice(name: str, exc: SQLAlchemyError) -> str:
    if isinstance(exc, DBAPIError) and _code(exc) in ("SQLITE_FULL", "53100"):
        return f"the disk of {name} is full; make room, nothing that was recorded is lost"
    return f"{name} cannot be used right now: {_said(exc)}"
