"""The record's tests run on both databases."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from postgresql_server import fresh_database, running_postgresql
from record_helpers import KEY, House

from ingest.record.audit import Audit
from ingest.record.database import RecordDatabase, url_in


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """A real server, started when a test first asks for it."""
    with running_postgresql() as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty database of each kind."""
    if request.param == "sqlite":
        yield url_in(tmp_path)
        return
    with fresh_database(request.getfixturevalue("postgresql")) as address:
        yield address


@pytest.fixture
def database(url: str) -> Iterator[RecordDatabase]:
    with ExitStack() as stack:
        opened = RecordDatabase(url)
        stack.callback(opened.close)
        yield opened


@pytest.fixture
def house(database: RecordDatabase) -> House:
    return House(database, Audit(database, KEY))
