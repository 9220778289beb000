"""`poise store spread` from the command line: refused while somebody is at work, and what was is named."""

from pathlib import Path

import pytest
from house_helpers import Typed
from spread_folders import WEARERS, concluded, feed, told

from ingest.database.shards import count_in
from poise.cli.alone import alone


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    feed(folder, 1, told(30))
    return folder


def test_it_moves_and_says_what_is_left_to_do(typed: Typed, data: Path) -> None:
    before = concluded(data, 1)
    code, _, refused = typed("ingest", "--workers", "3")
    assert code == 2
    assert "poise store spread --workers 3" in refused
    code, said, _ = typed("store", "spread", "--workers", "3")
    assert code == 0
    assert f"{len(WEARERS)} wearers" in said
    assert concluded(data, 3) == before
    (aside,) = data.glob("before-spread-*")
    assert f"What was there before is in {aside}" in said
    assert (aside / "poise.db").exists()
    code, said, _ = typed("store", "spread", "--workers", "3", "--remove")
    assert code == 0
    assert "already" in said
    assert f"Deleted: {aside}" in said
    assert not aside.exists()
    assert count_in(data) == 3


@pytest.mark.parametrize(
    "lock", ["poise.lock", "poise.archive.lock", "poise-2of3.lock", "copy-1.lock", "DEMO"]
)
def test_it_waits_for_nobody(typed: Typed, data: Path, lock: str) -> None:
    with alone(data / lock, "program"):
        code, _, refused = typed("store", "spread", "--workers", "3")
    assert code == 2
    assert "is at work in" in refused
    assert count_in(data) == 1


def test_a_gateway_may_go_on(typed: Typed, data: Path) -> None:
    with alone(data / "spool-home-anna.lock", "gateway"):
        assert typed("store", "spread", "--workers", "2")[0] == 0
    assert count_in(data) == 2


def test_without_a_database_there_is_nothing_to_move(typed: Typed, tmp_path: Path) -> None:
    code, _, refused = typed("store", "spread", "--workers", "2", "--data", str(tmp_path / "empty"))
    assert code == 2
    assert "no database in" in refused
