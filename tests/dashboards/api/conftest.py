"""A clinic behind its API, on the embedded database and on a real server."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from api_house import ApiHouse, api_house
from postgresql_server import fresh_database, running_postgresql


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    with running_postgresql() as url:
        yield url


@pytest.fixture
def house(tmp_path: Path) -> Iterator[ApiHouse]:
    with api_house(tmp_path) as opened:
        yield opened


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ApiHouse]:
    """The same clinic on each database."""
    if request.param == "sqlite":
        with api_house(tmp_path) as opened:
            yield opened
        return
    address = fresh_database(request.getfixturevalue("postgresql"))
    with address as url, api_house(tmp_path, url) as opened:
        yield opened
