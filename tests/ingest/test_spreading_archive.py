"""The raw archive of wearers whose rows got other numbers: the same messages, runs and results as before."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from ingest_helpers import START_US, Shelf, conclusions, day, samples
from spread_folders import WEARERS, feed, told

from analytics.pipeline import Pipeline
from ingest.archive.archivist import DAY_US, Archivist, damages
from ingest.archive.numbering import Raised, note, numbering_of
from ingest.archive.past import Past, past_from_files, past_in
from ingest.archive.recompute import choose, recompute
from ingest.database.shards import shard_of, shards
from ingest.spreading.spread import spread
from poise.errors import StoreError
from poise.topics import Wearer

HOUR_S = 3600
SOME = [WEARERS[i] for i in (0, 1, 4)]
"""Each way below brings two of them together that were apart."""


def archived(folder: Path, count: int, days: int) -> None:
    """Archive what can be; the last run stays."""
    moved = 0
    for shard in shards(count):
        shelf = Shelf(shard.file(folder))
        now_us = START_US + days * DAY_US
        moved += len(list(Archivist(shelf.database).archive(now_us, now_us)))
        entries = Archivist(shelf.database).entries()
        assert not [found for found in damages(folder / "archive", entries) if found]
        shelf.database.close()
    assert moved >= len(SOME)


def computed(past: Past, folder: Path) -> dict[str, list[tuple[object, ...]]]:
    fresh = Shelf(folder / "again" / "poise.db")
    list(recompute(past, choose(past, 0, 2**62), fresh.database, Pipeline))
    found = conclusions(fresh)
    fresh.database.close()
    shutil.rmtree(fresh.path.parent)
    return found


def computed_of(folder: Path, count: int, wearer: Wearer, into: Path) -> dict[str, list[tuple[object, ...]]]:
    file = shards(count)[shard_of(wearer, count)].file(folder)
    with past_in(file, wearer) as (past, _):
        return computed(past, into)


def fed(folder: Path, count: int, begin_s: int, first: int) -> None:
    """Let some more come of each wearer."""
    messages = [replace(m, sequence=first + i) for i, m in enumerate(day(20, begin_s))]
    feed(
        folder,
        count,
        {wearer: samples(messages, wearer) for wearer in SOME},
        START_US + begin_s * 1_000_000,
    )


@pytest.mark.parametrize("way", [(2, 3), (4, 2, 1)])
def test_archived_and_moved_and_computed_again_gives_the_same_bits(
    tmp_path: Path, way: tuple[int, ...]
) -> None:
    """Before each move some is archived and some is not, and a run goes on over it."""
    moved, still = tmp_path / "moved", tmp_path / "still"
    for folder in (moved, still):
        feed(folder, way[0], {wearer: sent for wearer, sent in told(40).items() if wearer in SOME})
    for turn, count in enumerate(way):
        if turn:
            spread(moved, count, f"aside{turn}", lambda *_: None)
        for folder, number in ((moved, count), (still, way[0])):
            if turn:
                fed(folder, number, turn * HOUR_S + 20, 100 * turn + 20)
            fed(folder, number, (turn + 1) * HOUR_S, 100 * turn + 100)
            archived(folder, number, turn + 2)
    assert list(moved.rglob("numbering.json"))
    for wearer in SOME:
        one, other = (
            computed_of(still, way[0], wearer, tmp_path),
            computed_of(moved, way[-1], wearer, tmp_path),
        )
        assert len(one["seconds"]) > 50
        assert other == one
        alone = [computed(past_from_files(f / "archive", wearer), tmp_path) for f in (still, moved)]
        assert len(alone[0]["seconds"]) > 50
        assert alone[0] == alone[1]


def test_a_row_is_raised_once(tmp_path: Path) -> None:
    wearer = Wearer("anna")
    assert numbering_of(tmp_path, wearer)(7) == 7
    for _ in range(2):
        note(tmp_path, wearer, Raised(10, 25))
    note(tmp_path, wearer, Raised(60, 100))
    today = numbering_of(tmp_path, wearer)
    assert [today(row) for row in (1, 10, 26, 60, 61, 126)] == [126, 135, 126, 160, 61, 126]
    (tmp_path / "home/anna/numbering.json").write_text("[[1")
    with pytest.raises(StoreError, match="cannot be read"):
        numbering_of(tmp_path, wearer)
