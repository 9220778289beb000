"""Programs for the tests of the whole: each test gets a starter that ends what it has started."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from house_helpers import Program, Programs

LAST = "test_headless.py"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What runs in the background from the beginning is looked at in the end."""
    items.sort(key=lambda item: item.path.name == LAST)


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    starter = Programs(tmp_path)
    yield starter
    starter.end()


@pytest.fixture(scope="session", autouse=True)
def headless(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Program]]:
    """Headless demonstrations in the background, begun with the first test if any test asks for them."""
    starter = Programs(tmp_path_factory.mktemp("headless"))
    runs = {"desk": ("desk", 62), "soon": ("desk", 10), "short": ("short", 95)}
    begun = {
        name: starter.start(
            "demo", "--headless", "--script", script, "--seconds", seconds, "--seed", 1, place=name
        )
        for name, (script, seconds) in runs.items()
        if any(item.path.name == LAST for item in request.session.items)
    }
    yield begun
    starter.end()
