"""Nothing of a person is left in a database, and nothing comes back."""

import stat
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from erasing_helpers import GONE, OTHER, Guarded, everything_of, filled, found_in, traces
from ingest_helpers import Shelf, conclusions, day, message, received, samples, take_all

from ingest.archive.archivist import DAY_US, Archivist
from ingest.database import chunks
from ingest.database.sqlite import Database, reading
from ingest.erasing import rows
from ingest.erasing.register import Note, Register, Standing
from ingest.results.influxdb import outbox
from ingest.results.store import key
from ingest.spreading.tables import OF_WEARERS, OTHERS, tables_in
from poise import notices
from poise.errors import ConfigurationError, StoreUnavailableError
from poise.notices import Command, Presence, Verb
from poise.topics import Leaf

NAME = key(GONE)
LINE = b"posture_second,site=home,patient=P-gone,stream=head mean=0.1 1790000000000000"
THEIRS = b"posture_second,site=home,patient=P-stays,stream=head mean=0.1 1790000000000000"


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Guarded]:
    shelf = Guarded(tmp_path / "data" / "poise.db")
    yield shelf
    shelf.database.close()


def fill_the_rest(shelf: Shelf) -> None:
    """What messages alone do not bring: the outbox, a refused line, minutes to be made, counters, pieces."""
    with shelf.database.transaction() as c:
        chunks.settle(c, NAME, 1_790_000_050 + 1500)
        for line in (LINE, THEIRS):
            outbox.put(c, [line, line], 10**9)
            shelf.journal.put_dead_letter(c, "influxdb", line, "refused", "a field of another type", 1)
        for name in (NAME, key(OTHER)):
            c.execute("INSERT INTO stale_hours VALUES (?, 1790000000, 1)", (name,))
            c.execute("INSERT INTO quarters VALUES (?, 1790000000, 1, 'worn', x'00')", (name,))
            shelf.journal.count(c, name, "refused")
    for wearer in (GONE, OTHER):
        take_all(shelf, samples([message(100 + i, sequence=100 + i) for i in range(5)], wearer))


def counts_of(shelf: Shelf, name: str) -> dict[str, int]:
    sql = "SELECT count(*) FROM {} WHERE {}"
    with reading(shelf.path) as c:
        counts = {t.name: c.execute(sql.format(t.name, t.where), (name,)).fetchone() for t in OF_WEARERS}
    return {table: count for table, (count,) in counts.items()}


def test_every_table_is_emptied_of_one_and_of_nobody_else(shelf: Guarded) -> None:
    filled(shelf)
    fill_the_rest(shelf)
    shelf.now_us += 3 * DAY_US
    list(Archivist(shelf.database).archive(shelf.now_us, shelf.now_us))
    before, theirs = counts_of(shelf, NAME), counts_of(shelf, key(OTHER))
    others = conclusions(shelf)
    assert {name for name, count in before.items() if not count} <= {"archive", "archived", "messages"}
    shelf.said(GONE, Standing.ERASED)
    assert not any(counts_of(shelf, NAME).values())
    assert counts_of(shelf, key(OTHER)) == theirs
    left = conclusions(shelf)
    assert {what: len(part) * 2 for what, part in left.items()} == {w: len(p) for w, p in others.items()}
    assert shelf.rows("SELECT wearer, payload FROM dead_letters WHERE topic = 'influxdb'") == [("", THEIRS)]
    with shelf.database.transaction() as c:
        assert outbox.waiting(c) == outbox.Waiting(2, len(zlib.compress(THEIRS + b"\n" + THEIRS, 1)))
        assert rows.names_in(c) == {key(OTHER)}
    note = shelf.register.notes(shelf.register.person(NAME))["poise"]
    assert note.left == ""
    assert note.removed["messages"] == before["messages"]
    assert {"episodes", "outbox", "dead_letters", "fresh", "pieces", "states"} <= set(note.removed)


def test_no_byte_is_left_in_any_file_of_the_folder(shelf: Guarded, tmp_path: Path) -> None:
    made = filled(shelf)
    fill_the_rest(shelf)
    shelf.now_us += 3 * DAY_US
    later, more = everything_of(GONE, 77)
    take_all(shelf, [m for m in later if m.topic.endswith("samples")])
    words = [GONE.patient.encode(), *traces(made), *traces(more)]
    assert len(found_in(tmp_path, words)) > 100
    shelf.said(GONE, Standing.ERASED)
    assert found_in(tmp_path, words) == []
    assert found_in(tmp_path, [OTHER.patient.encode()])
    shelf.database.close()
    assert found_in(tmp_path, words) == []


def test_the_archive_goes_with_its_book(shelf: Guarded) -> None:
    filled(shelf)
    later = [message(4000 + i, sequence=200 + i) for i in range(5)]
    take_all(shelf, [*samples(later, GONE), *samples(later, OTHER)])
    shelf.now_us += 3 * DAY_US
    entries = list(Archivist(shelf.database).archive(shelf.now_us, shelf.now_us))
    assert {entry.wearer for entry in entries} == {NAME, key(OTHER)}
    shelf.said(GONE, Standing.ERASED)
    archivist = Archivist(shelf.database)
    assert {entry.wearer for entry in archivist.entries()} == {key(OTHER)}
    assert not (archivist.folder / "home" / "P-gone").exists()
    assert (archivist.folder / "home" / "P-stays").exists()
    assert shelf.register.notes(shelf.register.person(NAME))["poise"].removed["archive files"] == 1


def test_what_is_found_later_goes_at_the_next_start(shelf: Guarded) -> None:
    filled(shelf)
    shelf.said(GONE, Standing.ERASED)
    with closing(Shelf(shelf.path).database):  # an older Poise, that knows no list
        take_all(Shelf(shelf.path), everything_of(GONE, 5)[0])
    assert counts_of(shelf, NAME)["messages"] == 100
    again = Guarded(shelf.path)
    again.gate.look()
    assert not any(counts_of(shelf, NAME).values())
    again.database.close()


def test_a_death_at_any_step_is_gone_on_from(
    shelf: Guarded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = filled(shelf)
    words = [GONE.patient.encode(), *traces(made)]
    shelf.register.put(NAME, Standing.ERASED, 1)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    for step in ("carrying.erase", "files.erase_archive", "carrying.scrub", "register.Register.note"):
        with monkeypatch.context() as patched:
            patched.setattr(f"ingest.erasing.{step}", die)
            begun = Guarded(shelf.path)
            with pytest.raises(KeyboardInterrupt):
                begun.gate.look()
            begun.database.close()
        assert list(Register(shelf.path.parent).pending("poise"))
    shelf.gate.look()
    shelf.register.refresh()
    assert not list(shelf.register.pending("poise"))
    assert found_in(tmp_path, words) == []


def test_a_full_disk_is_said_and_tried_again(shelf: Guarded, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(shelf)
    with monkeypatch.context() as patched:
        patched.setattr(rows.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 10})())
        shelf.said(GONE, Standing.ERASED)
    note = shelf.register.notes(shelf.register.person(NAME))["poise"]
    assert "has to be written anew" in note.left
    shelf.gate.look()
    assert list(shelf.register.pending("poise"))
    shelf.now_us += 31_000_000
    shelf.gate.look()
    assert not list(shelf.register.pending("poise"))


def test_a_database_that_never_held_the_erased_is_not_written_anew(
    shelf: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_all(shelf, samples(day(3), OTHER))
    monkeypatch.setattr("ingest.erasing.carrying.scrub", lambda _: pytest.fail("written anew"))
    shelf.said(GONE, Standing.ERASED)
    assert not list(shelf.register.pending("poise"))


def test_what_the_disk_refuses_does_not_hold_up_the_worker(
    shelf: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(shelf)

    def refuse(*_: object) -> str:
        raise StoreUnavailableError("the disk is full")

    for step in ("carrying.scrub", "files.erase_archive"):
        with monkeypatch.context() as patched:
            patched.setattr(f"ingest.erasing.{step}", refuse)
            shelf.said(GONE, Standing.ERASED)
            assert shelf.register.notes(shelf.register.person(NAME))["poise"].left
            assert shelf.take(*samples([message(shelf.now_us % 997, session=step)], OTHER)).counts.stored
            take_all(Shelf(shelf.path), everything_of(GONE, 5)[0])  # so that there is something again
    shelf.now_us += 31_000_000
    shelf.gate.look()
    assert not list(shelf.register.pending("poise"))
    assert not any(counts_of(shelf, NAME).values())


def test_no_table_is_forgotten(tmp_path: Path) -> None:
    with closing(Database(tmp_path / "poise.db")) as database, database.transaction() as c:
        assert tables_in(c) == {table.name for table in (*OF_WEARERS, *OTHERS)}


def test_what_comes_of_the_erased_is_dropped_and_confirmed_as_such(shelf: Guarded) -> None:
    filled(shelf)
    shelf.said(GONE, Standing.ERASED)
    before = shelf.rows("SELECT count(*) FROM dead_letters")
    mine, _ = everything_of(GONE, 3, 40)
    outcome = shelf.take(*mine, *samples([message(300, sequence=100)], OTHER))
    assert not any(counts_of(shelf, NAME).values())
    assert shelf.rows("SELECT count(*) FROM dead_letters") == before
    assert outcome.counts.erased == len(mine)
    assert outcome.counts.stored == 1
    assert shelf.rows("SELECT wearer, count FROM counters WHERE name = 'refused: erased'") == [
        ("", len(mine))
    ]
    stored = shelf.gate.all_confirmed(outcome.sessions)
    said = stored[GONE, "g1"]
    assert (said.through, said.highest, said.holes, said.refused) == (39, 39, [], "erased")
    assert stored[OTHER, "g1"].refused == ""
    (order,) = outcome.answers
    assert order.topic == GONE.topic(Leaf.COMMAND)
    assert notices.decode(order.payload, Command).verb is Verb.ERASE
    assert not order.retain


def test_a_gateway_is_told_again_but_not_with_each_message(shelf: Guarded) -> None:
    shelf.said(GONE, Standing.ERASED)
    one = samples([message(0)], GONE)
    assert len(shelf.take(*one, *one).answers) == 1
    assert shelf.take(*one).answers == []
    shelf.now_us += 11_000_000
    assert len(shelf.take(*one).answers) == 1
    assert shelf.take(received(GONE.topic(Leaf.PRESENCE), b"")).answers == []
    assert "gateway" not in shelf.register.notes(shelf.register.person(NAME))
    done = Presence(state="erased", gateway="", session="", since_us=0)
    assert shelf.take(received(GONE.topic(Leaf.PRESENCE), notices.encode(done))).answers == []
    assert "gateway" in shelf.register.notes(shelf.register.person(NAME))


def test_the_withdrawn_are_kept_and_nothing_is_added_until_they_come_again(shelf: Guarded) -> None:
    filled(shelf)
    before = counts_of(shelf, NAME)
    shelf.said(GONE, Standing.WITHDRAWN)
    outcome = shelf.take(*samples([message(300, session="g2")], GONE))
    assert counts_of(shelf, NAME) == before
    assert outcome.counts.withdrawn == 1
    assert shelf.gate.all_confirmed(outcome.sessions)[GONE, "g2"].refused == "withdrawn"
    (order,) = outcome.answers
    assert notices.decode(order.payload, Command).verb is Verb.STOP
    stopped = received(
        GONE.topic(Leaf.PRESENCE),
        notices.encode(Presence(state="stopped", gateway="", session="", since_us=0)),
    )
    assert shelf.take(stopped).answers == []
    assert "gateway" in shelf.register.notes(shelf.register.person(NAME))
    shelf.said(GONE, Standing.RESUMED)
    (order,) = shelf.take(stopped).answers
    assert notices.decode(order.payload, Command).verb is Verb.RESUME
    assert shelf.take(*samples([message(400, session="g3")], GONE)).counts.stored == 1


def test_the_answer_to_an_older_order_is_none(tmp_path: Path) -> None:
    register = Register(tmp_path)
    order = register.put(NAME, Standing.WITHDRAWN, 1)
    person = register.person(NAME)
    register.note(person, "gateway", Note(asked_us=order.asked_us, at_us=2))
    assert register.answered(person, "gateway")
    register.put(NAME, Standing.ERASED, 3)
    assert not register.answered(person, "gateway")
    register.note(person, "gateway", Note(asked_us=3, at_us=4))
    register.put(NAME, Standing.ERASED, 5)  # asked for again, as of the same moment
    assert register.answered(person, "gateway")


def test_an_erasure_is_never_taken_back(tmp_path: Path) -> None:
    register = Register(tmp_path)
    register.put(NAME, Standing.ERASED, 1)
    for what in (Standing.WITHDRAWN, Standing.RESUMED):
        with pytest.raises(ConfigurationError, match="never taken back"):
            register.put(NAME, what, 2)
    assert register.put(NAME, Standing.ERASED, 3).at_us == 1


def test_the_list_holds_no_name_and_is_its_owners_alone(tmp_path: Path) -> None:
    register = Register(tmp_path)
    register.put(NAME, Standing.ERASED, 1)
    register.note(register.person(NAME), "poise", Note(asked_us=1, at_us=2, removed={"messages": 3}))
    register.note(register.person(NAME), "poise", Note(asked_us=1, at_us=3, removed={"messages": 1}))
    assert register.notes(register.person(NAME))["poise"].removed == {"messages": 4}
    assert found_in(tmp_path, [GONE.patient.encode()]) == []
    files = [path for path in (tmp_path / "erasures").rglob("*") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE((tmp_path / "erasures").stat().st_mode) == 0o700
    assert Register(tmp_path).person(NAME) != Register(tmp_path / "other").person(NAME)


def test_two_lists_become_one_and_the_erasure_holds(tmp_path: Path) -> None:
    mine, theirs = Register(tmp_path / "a"), Register(tmp_path / "b")
    mine.put(NAME, Standing.ERASED, 5)
    mine.put(key(OTHER), Standing.RESUMED, 9)
    theirs.put("home/P-third", Standing.ERASED, 4)
    theirs.put(NAME, Standing.WITHDRAWN, 7)
    theirs.put(key(OTHER), Standing.WITHDRAWN, 6)
    mine.merge(theirs.packed())
    mine.merge(theirs.packed())
    both = Register(tmp_path / "a")
    assert [both.reason(name) for name in (NAME, key(OTHER), "home/P-third", "home/x")] == [
        "erased", "", "erased", "",
    ]  # fmt: skip


def test_a_list_that_cannot_be_read_lets_nothing_in(shelf: Guarded) -> None:
    shelf.said(GONE, Standing.ERASED)
    (shelf.register.folder / "keys").write_text("no key")
    (shelf.register.folder / "changed").unlink()
    (shelf.register.folder / "changed").touch()
    with pytest.raises(StoreUnavailableError, match="never delete it"):
        shelf.gate.look()
