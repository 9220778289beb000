"""Wearers moved into another number of databases: everything is there once, and the analysis goes on."""

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from ingest_helpers import START_US, Shelf, received
from spread_folders import HALF, WEARERS, Told, concluded, feed, settle, told

from analytics.pipeline import Pipeline
from ingest.database.backup import back_up
from ingest.database.shards import count_in, shards, shards_for, unfinished
from ingest.database.sqlite import Connection, Database, reading
from ingest.results.influxdb import outbox
from ingest.results.influxdb.downsampling import mark
from ingest.results.store import key
from ingest.spreading import filling, tables
from ingest.spreading.spread import STAGE, spread
from poise.errors import ConfigurationError, StoreError, StoreUnavailableError


def quiet(_what: str, _done: int, _total: int) -> None:
    pass


def parted(whole: Told, at: int) -> tuple[Told, Told]:
    return {w: m[:at] for w, m in whole.items()}, {w: m[at:] for w, m in whole.items()}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    folder = tmp_path_factory.mktemp("undisturbed")
    first, rest = parted(told(), HALF)
    feed(folder, 1, first)
    feed(folder, 1, rest)
    return concluded(folder, 1)


@pytest.mark.parametrize(
    ("there", "to", "settled"), [(1, 3, True), (3, 1, True), (2, 3, True), (2, 4, False), (4, 2, False)]
)
def test_the_analysis_goes_on_with_the_same_bits(
    tmp_path: Path, undisturbed: dict[str, object], there: int, to: int, settled: bool
) -> None:
    first, rest = parted(told(), HALF)
    feed(tmp_path, there, first)
    if settled:
        settle(tmp_path, there)
    before = concluded(tmp_path, there)
    done = spread(tmp_path, to, "aside", quiet)
    assert done is not None
    assert done.wearers == len(WEARERS)
    assert count_in(tmp_path) == to
    assert concluded(tmp_path, to) == before
    feed(tmp_path, to, rest)
    assert concluded(tmp_path, to) == undisturbed
    assert sorted(p.name for p in (tmp_path / "aside").glob("*.db")) == [
        s.file(tmp_path).name for s in shards(there)
    ]
    assert not (tmp_path / STAGE).exists()


@pytest.mark.parametrize(("there", "to"), [(1, 3), (3, 1)])
def test_saved_states_are_taken_up_and_nothing_is_fed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: int, to: int
) -> None:
    first, rest = parted(told(), HALF)
    feed(tmp_path, there, first)
    spread(tmp_path, to, "aside", quiet)
    fed: list[int] = []
    plain = Pipeline.update
    monkeypatch.setattr(Pipeline, "update", lambda self, batches: fed.append(1) or plain(self, batches))
    some = {wearer: messages[:3] for wearer, messages in rest.items()}
    feed(tmp_path, to, some)
    assert len(fed) == 3 * len(WEARERS)


def test_there_and_back_is_what_it_was(tmp_path: Path) -> None:
    feed(tmp_path, 2, told(60))
    settle(tmp_path, 2)
    before = concluded(tmp_path, 2)
    for step, count in enumerate((3, 1, 4, 2)):
        spread(tmp_path, count, f"aside{step}", quiet)
    assert concluded(tmp_path, 2) == before
    assert spread(tmp_path, 2, "aside", quiet) is None


def furnished(folder: Path) -> None:
    """Two databases with all that is not a wearer's: an outbox, dead letters, counters of nobody."""
    feed(folder, 2, told(30))
    for number, shard in enumerate(shards(2)):
        shelf = Shelf(shard.file(folder))
        shelf.intake.count_refused({"": 3 + number})
        letters = [
            received("poise/1/nonsense", b"x"),
            received(f"poise/1/home/1/{WEARERS[number].patient}/samples", b"y"),
        ]
        shelf.intake.take(letters)
        with shelf.database.transaction() as c:
            for wearer in WEARERS:
                if wearer.bucket in shard.buckets:
                    line = f"posture_second,site=home,patient={wearer.patient},stream=x mean=1.0 1".encode()
                    for _ in range(3):
                        row = outbox.put(c, [line, line], 10**9)
                    mark(c, wearer, {3600}, row)
        shelf.database.close()


def test_what_waits_and_what_is_nobodys_is_there_once(tmp_path: Path) -> None:
    furnished(tmp_path)
    spread(tmp_path, 3, "aside", quiet)
    waiting, letters, counted = 0, 0, dict[str, int]()
    for shard in shards(3):
        with reading(shard.file(tmp_path)) as c:
            size = outbox.waiting(c)
            assert size.lines == 2 * c.execute("SELECT count(*) FROM outbox").fetchone()[0]
            waiting += size.lines
            rows = c.execute("SELECT id FROM dead_letters ORDER BY id").fetchall()
            assert rows == [(i + 1,) for i in range(len(rows))]
            letters += len(rows)
            nobody = dict(c.execute("SELECT name, count FROM counters WHERE wearer = ''").fetchall())
            assert shard.number == 1 or not nobody
            counted |= nobody
            for wearer in [w for w in WEARERS if w.bucket in shard.buckets]:
                stale = c.execute("SELECT upto FROM stale_hours WHERE wearer = ?", (key(wearer),)).fetchone()
                mine = [
                    i
                    for i, body in c.execute("SELECT id, body FROM outbox")
                    if key(wearer)[5:].encode() in outbox.text_of(body)
                ]
                assert stale == (max(mine),)
                assert len(mine) == 3
    assert waiting == 2 * 3 * len(WEARERS)
    assert letters == 4
    assert 7 in counted.values(), counted


def test_no_number_is_given_twice(tmp_path: Path) -> None:
    """Rows that have gone to the archive had numbers too; a new row must not have one of them."""
    feed(tmp_path, 3, told(20))
    for shard in shards(3):
        with Database(shard.file(tmp_path)).transaction() as c:
            c.execute("DELETE FROM messages")
    spread(tmp_path, 2, "aside", quiet)
    for shard in shards(2):
        with reading(shard.file(tmp_path)) as c:
            ends = dict(c.execute("SELECT name, seq FROM sqlite_sequence"))
            (greatest,) = c.execute("SELECT max(message) FROM gaps").fetchone()
            assert ends["messages"] >= greatest


def test_every_table_is_known(tmp_path: Path) -> None:
    """Whoever adds a table says in `ingest/spreading/tables.py` how its rows go into another database."""
    with Database(tmp_path / "new.db").transaction() as c:
        known = {table.name for table in (*tables.OF_WEARERS, *tables.OTHERS)}
        assert tables.tables_in(c) == known
        for table in tables.OF_WEARERS:
            columns = tables.columns_of(c, table.name)
            assert "wearer" in columns or table.where != "wearer = ?"
            named = {row[3] for row in c.execute(f"PRAGMA foreign_key_list({table.name})")}
            assert named - {"judgement"} <= set(table.numbers)
            (keyed,) = c.execute("SELECT sql FROM sqlite_schema WHERE name = ?", (table.name,)).fetchone()
            assert ("id INTEGER PRIMARY KEY" in keyed) == ("id" in table.numbers)


def test_an_unknown_table_is_refused(tmp_path: Path) -> None:
    feed(tmp_path, 1, told(30))
    with Database(tmp_path / "poise.db").transaction() as c:
        c.execute("CREATE TABLE novelties (wearer TEXT)")
    with pytest.raises(ConfigurationError, match="novelties"):
        spread(tmp_path, 2, "aside", quiet)
    assert count_in(tmp_path) == 1


@pytest.mark.parametrize(
    "harm",
    [
        "DELETE FROM fresh WHERE id = (SELECT max(id) FROM fresh)",
        "UPDATE messages SET lane = 2 WHERE id = (SELECT max(id) FROM messages)",
        "UPDATE runs SET message = message + 1",
        "UPDATE judgements SET run_us = run_us + 1",
        "INSERT INTO people VALUES ('home/stranger', 'UTC', 'worn', '', 0)",
        "INSERT INTO archived VALUES ('home/P-0001', 'g1', 1, 1)",
    ],
)
def test_a_difference_stops_it_and_nothing_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harm: str
) -> None:
    feed(tmp_path, 2, told(20))
    before = concluded(tmp_path, 2)
    plain = filling.forget_marks

    def harmed(database: Database) -> None:
        plain(database)
        with database.transaction() as c:
            if c.execute("SELECT 1 FROM people").fetchone():
                c.execute(harm)

    monkeypatch.setattr("ingest.spreading.spread.forget_marks", harmed)
    with pytest.raises(StoreError, match="are not the old ones"):
        spread(tmp_path, 3, "aside", quiet)
    assert concluded(tmp_path, 2) == before
    assert not (tmp_path / STAGE).exists()
    monkeypatch.undo()
    spread(tmp_path, 3, "aside", quiet)
    assert concluded(tmp_path, 3) == before


def test_what_changed_meanwhile_is_copied_anew(tmp_path: Path) -> None:
    first, rest = parted(told(60), 30)
    feed(tmp_path, 1, first)
    steps = 0

    def stop(_what: str, _done: int, _total: int) -> None:
        nonlocal steps
        steps += 1
        if steps == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        spread(tmp_path, 2, "aside", stop)
    assert shards_for(tmp_path, 1), "the old ones can be used on"
    shutil.copytree(tmp_path, tmp_path.parent / "given up")
    assert spread(tmp_path.parent / "given up", 1, "aside", quiet) is None
    assert not (tmp_path.parent / "given up" / STAGE).exists()
    feed(tmp_path, 1, rest)
    before = concluded(tmp_path, 1)
    spread(tmp_path, 2, "aside", quiet)
    assert concluded(tmp_path, 2) == before


def test_a_full_disk_is_told_before_and_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    feed(tmp_path, 1, told(20))
    before = concluded(tmp_path, 1)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage._replace(free=1_000_000))
    with pytest.raises(
        ConfigurationError, match=r"need \d+ MB beside the old ones, and .* has only 1 MB free"
    ):
        spread(tmp_path, 2, "aside", quiet)
    monkeypatch.undo()

    plain = filling._insert

    def tight(c: Connection, table: tables.Table, rows: Sequence[tables.Row]) -> None:
        c.execute("PRAGMA max_page_count = 1")  # it stays at what the file has by now
        plain(c, table, rows)

    monkeypatch.setattr(filling, "_insert", tight)
    with pytest.raises(
        StoreUnavailableError, match=r"is full.* need \d+ MB in all; the old ones are as they"
    ):
        spread(tmp_path, 2, "aside", quiet)
    monkeypatch.undo()
    assert concluded(tmp_path, 1) == before
    spread(tmp_path, 2, "aside", quiet)
    assert concluded(tmp_path, 2) == before


def test_a_folder_that_is_being_exchanged_is_refused_to_others(tmp_path: Path) -> None:
    feed(tmp_path, 1, told(10))
    before = concluded(tmp_path, 1)

    def stop(_what: str, _done: int, _total: int) -> None:
        if (tmp_path / "aside").exists():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        spread(tmp_path, 3, "aside", stop)
    assert unfinished(tmp_path) == 3
    others: list[Callable[[], object]] = [
        lambda: count_in(tmp_path), lambda: shards_for(tmp_path, 3),
        lambda: back_up(tmp_path, tmp_path / "backup", START_US), lambda: spread(tmp_path, 2, "aside", quiet),
    ]  # fmt: skip
    for other in others:
        with pytest.raises(ConfigurationError, match="are being exchanged for 3"):
            other()
    spread(tmp_path, 3, "elsewhere", quiet)
    assert concluded(tmp_path, 3) == before
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["aside"]


def test_the_refusal_names_the_command(tmp_path: Path) -> None:
    (tmp_path / "poise.db").touch()
    with pytest.raises(ConfigurationError, match="`poise store spread --workers 3`"):
        shards_for(tmp_path, 3)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="dies in a process of its own")
@pytest.mark.parametrize(("there", "to"), [(1, 3), (3, 2)])
def test_killed_at_any_step_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: int, to: int
) -> None:
    """A program dies at once, without any clean-up, at each moment at which something is on the disk."""
    monkeypatch.setattr("ingest.spreading.filling.AT_ONCE", 200)
    origin = tmp_path / "origin"
    feed(origin, there, told(10))
    settle(origin, there)
    before = concluded(origin, there)
    steps = 0
    while True:
        steps += 1
        folder = tmp_path / "folder"
        shutil.copytree(origin, folder)
        died = dies_at(steps, folder, to)
        spread(folder, to, "aside", quiet)
        assert concluded(folder, to) == before, steps
        assert count_in(folder) == to
        assert not unfinished(folder)
        assert len(list((folder / "aside").glob("*.db"))) == there
        shutil.rmtree(folder)
        if not died:
            break
    print(f"{steps - 1} steps")
    assert steps > 20


def dies_at(step: int, folder: Path, to: int) -> bool:
    """Let a process die at a step; return whether there was such a step."""
    child = os.fork()
    if child == 0:
        left = step

        def tell(_what: str, _done: int, _total: int) -> None:
            nonlocal left
            left -= 1
            if not left:
                os._exit(9)

        try:
            spread(folder, to, "aside", tell)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
