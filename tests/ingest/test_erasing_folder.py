"""A whole data folder: databases, what was put aside, spools, and a backup that comes back."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from erasing_helpers import GONE, OTHER, filled, found_in, traces
from ingest_helpers import Shelf, day

from device.spooling.spool import DiskSpool
from ingest.database.backup import back_up, restore
from ingest.database.files import move_aside
from ingest.database.sqlite import reading
from ingest.erasing.erasure import Erasure, Place
from ingest.erasing.register import Register, Standing
from ingest.erasing.restoring import Applied, packed
from ingest.erasing.rows import names_in
from ingest.results.store import key
from poise.cli.alone import alone
from poise.errors import ConfigurationError
from poise.samples import SampleMessage
from poise.topics import Wearer

NOW_US = 1_790_000_900_000_000


def clock() -> int:
    return NOW_US


def erased(data: Path, wearer: Wearer = GONE, patience_s: float = 0.3) -> dict[str, Place]:
    erasure = Erasure(data, wearer, clock, alone, patience_s=patience_s)
    order = erasure.write_down()
    return {place.name: place for place in erasure.carry_out(order)}


def begun(data: Path, name: str = "poise.db") -> list[SampleMessage]:
    shelf = Shelf(data / name)
    made = filled(shelf)
    shelf.database.close()
    return made


def test_a_folder_in_which_nobody_is_at_work(tmp_path: Path) -> None:
    data = tmp_path / "data"
    made = begun(data)
    begun(data, "old.db")
    move_aside([data / "old.db"], data / "before-spread-20260101T000000Z")
    (data / "before-spread-20260101T000000Z" / "old.db").rename(
        data / "before-spread-20260101T000000Z" / "poise-1of2.db"
    )
    for wearer in (GONE, OTHER):
        spool = DiskSpool(data / f"spool-home-{wearer.patient}.db")
        spool.put(day(1)[0])
        spool.close()
        (data / f"spool-home-{wearer.patient}.lock").touch()
        (data / f"calibration-home-{wearer.patient}.json").write_text(wearer.patient)
        computed = data / "recomputed" / f"home-{wearer.patient}-20260101T000000"
        computed.mkdir(parents=True)
        (computed / "poise.db").touch()
    (data / "copy-12345678.txt").write_text(f"{key(GONE)} 1\n")
    words = [GONE.patient.encode(), *traces(made)]
    assert len({line.partition(":")[0] for line in found_in(data, words)}) >= 7
    places = erased(data)
    assert {name: place.left for name, place in places.items() if place.left} == {}
    assert places["poise.db"].removed["messages"] == 100
    assert places["before-spread-20260101T000000Z/poise-1of2.db"].removed["messages"] == 100
    assert places["files of this folder"].removed == {"spool": 1, "calibration": 1, "folders and notes": 2}
    assert found_in(data, words) == []
    assert len({line.partition(":")[0] for line in found_in(data, [OTHER.patient.encode()])}) >= 6
    assert "gateway" in Register(data).notes(Register(data).person(key(GONE)))
    assert {name: place.left for name, place in erased(data).items() if place.left} == {}


def test_of_what_is_in_use_it_is_said_that_it_is_not_done_yet(tmp_path: Path) -> None:
    begun(tmp_path)
    (tmp_path / f"spool-home-{GONE.patient}.db").touch()
    (tmp_path / f"spool-home-{GONE.patient}.lock").touch()
    with (
        alone(tmp_path / "poise.lock", "ingest"),
        alone(tmp_path / f"spool-home-{GONE.patient}.lock", "gateway"),
    ):
        places = erased(tmp_path)
    assert "has not done it yet" in places["poise.db"].left
    assert "a gateway of this machine is at work" in places["files of this folder"].left
    assert {place.left for place in erased(tmp_path).values()} == {""}


def test_a_database_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    begun(tmp_path)
    (tmp_path / "poise.db").write_text("no database")
    assert "is no database that Poise can use" in erased(tmp_path)["poise.db"].left


def test_a_name_with_dashes_is_read_every_way(tmp_path: Path) -> None:
    begun(tmp_path)
    for name in ("spool-north-1-P-7.db", "spool-north-1-P-77.db", "spool-north-P-7.db"):
        (tmp_path / name).touch()
    erased(tmp_path, Wearer("P-7", "north-1"))
    assert sorted(path.name for path in tmp_path.glob("spool*")) == [
        "spool-north-1-P-77.db", "spool-north-P-7.db",
    ]  # fmt: skip


@contextmanager
def nothing_of(data: Path, words: list[bytes]) -> Iterator[None]:
    yield
    assert found_in(data, words) == []
    with reading(data / "poise.db") as c:
        assert names_in(c) == {key(OTHER)}


def test_a_backup_from_before_comes_back_without_the_erased(tmp_path: Path) -> None:
    data, file = tmp_path / "data", tmp_path / "backup.tar"
    made = begun(data)
    with closing(DiskSpool(data / f"spool-home-{GONE.patient}.db")) as spool:
        spool.put(day(1)[0])
    back_up(data, file, NOW_US, packed(data))
    words = [GONE.patient.encode(), *traces(made)]
    assert any(word in file.read_bytes() for word in words)
    erased(data)
    with nothing_of(data, words):
        applied = Applied(data, clock)
        restore(file, data, replace=True, before=applied)
    assert applied.sentences == ["Taken out, because they were erased: 1 person of this backup."]


def test_a_backup_brings_its_list_where_the_disk_was_lost(tmp_path: Path) -> None:
    data, new, file = tmp_path / "data", tmp_path / "new", tmp_path / "backup.tar"
    begun(data)
    Register(data).put(key(GONE), Standing.ERASED, NOW_US)  # and no time to carry it out
    Register(data).put(key(OTHER), Standing.WITHDRAWN, NOW_US)
    back_up(data, file, NOW_US, packed(data))
    new.mkdir()
    with nothing_of(new, [GONE.patient.encode()]):
        applied = Applied(new, clock)
        restore(file, new, before=applied)
    assert "had no list of erasures" in applied.sentences[0]
    register = Register(new)
    assert (register.reason(key(GONE)), register.reason(key(OTHER))) == ("erased", "withdrawn")
    assert not (new / "erasures.json").exists()


def test_a_backup_whose_list_is_damaged_is_not_put_in_place(tmp_path: Path) -> None:
    data, new, file = tmp_path / "data", tmp_path / "new", tmp_path / "backup.tar"
    begun(data)
    back_up(data, file, NOW_US, {"erasures.json": b"nonsense"})
    new.mkdir()
    with pytest.raises(ConfigurationError, match="list of erasures cannot be read"):
        restore(file, new, before=Applied(new, clock))
    assert not (new / "poise.db").exists()
