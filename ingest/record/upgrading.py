"""Bringing the record's tables up to this program's: all steps in one transaction, or none."""

import threading
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, text

from poise.errors import ConfigurationError

HEAD: Final = "head"
_LOCK: Final = 0x706F6973
"""Of PostgreSQL's advisory locks: two programs may start on a new database at once."""
_ALONE: Final = threading.Lock()
"""Alembic keeps what it is at in its modules: one thread at a time."""


def upgrade(engine: Engine, name: str, revision: str = HEAD) -> None:
    """Take every step from what is there to `revision`.

    Args:
        engine: where.
        name: how to call it in a sentence.
        revision: the newest one, but in tests.

    Raises:
        ConfigurationError: if a newer Poise made it.
    """
    config = _config()
    with _ALONE, engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        _refuse_newer(connection, config, name)
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "ingest.record:migrations")
    return config


def _refuse_newer(connection: Connection, config: Config, name: str) -> None:
    script = ScriptDirectory.from_config(config)
    for found in MigrationContext.configure(connection).get_current_heads():
        try:
            script.get_revision(found)
        except CommandError as exc:
            raise ConfigurationError(
                f"{name} was written by a newer Poise (tables {found}, this one knows "
                f"{script.get_current_head()}); update Poise"
            ) from exc
