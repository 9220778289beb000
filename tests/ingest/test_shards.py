"""Several databases in a folder: each wearer in one of them, and no mixture of what is not one set."""

from datetime import date
from pathlib import Path

import pytest
from ingest_helpers import START_US, Shelf, day, samples, take_all

from ingest.database.shards import WHOLE, Shard, count_in, shard_named, shard_of, shards, shards_for
from ingest.readers import ReaderOfAll, open_reader
from ingest.results.store import SqliteResults
from poise.errors import ConfigurationError, StoreUnavailableError
from poise.topics import BUCKETS, Wearer


@pytest.mark.parametrize("count", [1, 2, 3, 7, 32])
def test_every_wearer_has_one_database(count: int) -> None:
    owned = [bucket for shard in shards(count) for bucket in shard.buckets]
    assert sorted(owned) == list(range(BUCKETS))
    for i in range(100):
        wearer = Wearer(f"P-{i:04d}")
        assert wearer.bucket in shards(count)[shard_of(wearer, count)].buckets


def test_a_folder_keeps_its_number(tmp_path: Path) -> None:
    assert count_in(tmp_path) == 0
    assert shards_for(tmp_path, None) == [WHOLE]
    assert shards_for(tmp_path, 2) == [Shard(1, 2), Shard(2, 2)]
    Shard(2, 4).file(tmp_path).touch()
    assert count_in(tmp_path) == 4
    assert len(shards_for(tmp_path, None)) == len(shards_for(tmp_path, 4)) == 4
    with pytest.raises(ConfigurationError, match="set up for 4 workers"):
        shards_for(tmp_path, 2)
    WHOLE.file(tmp_path).touch()
    with pytest.raises(ConfigurationError, match="1 and 4 workers"):
        count_in(tmp_path)


@pytest.mark.parametrize("text", ["", "3", "0/2", "3/2", "1/99", "a/b", "1/2/3"])
def test_a_wrong_part_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="no part of the databases"):
        shard_named(text)
    assert shard_named("2/3") == Shard(2, 3)


def test_the_reader_asks_the_right_database(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="start `poise ingest` first"):
        open_reader(tmp_path, SqliteResults)
    names = [Wearer(f"P-{i:04d}") for i in range(6)]
    for shard in shards(2):
        shelf = Shelf(shard.file(tmp_path))
        for wearer in names:
            if wearer.bucket in shard.buckets:
                take_all(shelf, samples(day(40), wearer))
        shelf.database.close()
    reader = open_reader(tmp_path, SqliteResults)
    assert isinstance(reader, ReaderOfAll)
    assert [person.wearer for person in reader.people()] == names
    for wearer in names:
        person = reader.person(wearer)
        assert person is not None
        assert person.last_us > START_US
        found = reader.series(wearer, ["c7_sagittal"], START_US // 10**6, START_US // 10**6 + 60)
        assert set(found) == {"c7_sagittal"}
        assert not reader.days(wearer, date(2026, 9, 21), date(2026, 9, 22)), "nobody has calibrated"
        assert not reader.gaps(wearer, START_US, START_US + 1)
        assert not reader.sensors(wearer)
        assert reader.presence(wearer) is None
        assert not reader.episodes(wearer, START_US, START_US + 1)
    assert reader.person(Wearer("nobody")) is None


def test_a_database_that_is_not_there_yet_hides_nobody(tmp_path: Path) -> None:
    shelf = Shelf(Shard(1, 2).file(tmp_path))
    wearer = next(w for w in (Wearer(f"P-{i}") for i in range(9)) if w.bucket % 2 == 0)
    take_all(shelf, samples(day(3), wearer))
    shelf.database.close()
    reader = open_reader(tmp_path, SqliteResults)
    assert [person.wearer for person in reader.people()] == [wearer]
    Shard(1, 2).file(tmp_path).unlink()
    with pytest.raises(StoreUnavailableError):
        reader.people()
