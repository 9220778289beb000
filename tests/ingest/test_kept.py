"""Kept states: whoever takes over goes on with the same bits; without them the long way leads there too."""

from pathlib import Path

import pytest
from ingest_helpers import WEARER, Shelf, calibrated, conclusions, day, samples, take_all

import ingest.database.kept
import ingest.judging.stream
from analytics.pipeline import Pipeline
from poise.topics import Wearer


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep every seven seconds."""
    for module in (ingest.database.kept, ingest.judging.stream):
        monkeypatch.setattr(module, "EVERY_US", 7_000_000)


@pytest.fixture
def undisturbed(tmp_path: Path) -> dict[str, list[tuple[object, ...]]]:
    shelf = Shelf(tmp_path / "whole.db")
    take_all(shelf, [calibrated(), *samples(day(90))])
    found = conclusions(shelf)
    shelf.database.close()
    return found


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("orderly", [True, False], ids=["ended", "killed"])
def test_whoever_takes_over_goes_on_with_the_same_bits(
    tmp_path: Path, undisturbed: dict[str, list[tuple[object, ...]]], orderly: bool
) -> None:
    path, restored = tmp_path / "poise.db", 0
    pieces = [calibrated(), *samples(day(90))]
    for at in range(0, len(pieces), 13):
        shelf = Shelf(path)
        take_all(shelf, pieces[at : at + 13])
        stream = shelf.intake._streams[WEARER, False]
        restored += stream.run is not None
        if orderly:
            shelf.intake.keep_all()
        shelf.database.close()
    shelf = Shelf(path)
    assert shelf.rows("SELECT count(*) FROM states") == [(1,)]
    assert conclusions(shelf) == undisturbed
    assert restored > 4


@pytest.mark.usefixtures("often")
def test_what_was_kept_is_not_fed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = Shelf(tmp_path / "poise.db")
    take_all(shelf, [calibrated(), *samples(day(60))])
    shelf.intake.keep_all()
    shelf.database.close()
    fed: list[int] = []
    plain = Pipeline.update
    monkeypatch.setattr(Pipeline, "update", lambda self, batches: fed.append(1) or plain(self, batches))
    again = Shelf(tmp_path / "poise.db")
    take_all(again, samples(day(62))[60:])
    assert len(fed) == 2


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("damage", ["cut", "turned", "other version", "gone"])
def test_without_it_the_long_way_leads_to_the_same_bits(
    tmp_path: Path, undisturbed: dict[str, list[tuple[object, ...]]], damage: str
) -> None:
    pieces = [calibrated(), *samples(day(90))]
    shelf = Shelf(tmp_path / "poise.db")
    take_all(shelf, pieces[:50])
    patched = "UPDATE states SET state = CAST(substr(state, 1, {}) || x'{}' || substr(state, {}) AS BLOB)"
    change = {
        "cut": "UPDATE states SET state = substr(state, 1, 900)",
        "turned": patched.format(900, "00ff", 903),
        "other version": patched.format(1, "7f", 3),
        "gone": "DELETE FROM states",
    }[damage]
    shelf.rows(change)
    shelf.database.close()
    again = Shelf(tmp_path / "poise.db")
    take_all(again, pieces[50:])
    assert conclusions(again) == undisturbed


def test_not_all_wearers_are_kept_at_once() -> None:
    moments = {ingest.database.kept.begins_at(Wearer(f"P-{i:04d}")) // 1_000_000 for i in range(500)}
    assert len(moments) > 100
