"""What is kept of what cannot be understood: bounded for each wearer, so that nobody's is pushed out."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from ingest_helpers import Shelf, received

from ingest.database.journal import MOST_DEAD_LETTERS, MOST_DEAD_OF_ONE
from ingest.results.store import key
from poise.topics import Leaf, Wearer

LOUD, QUIET = Wearer("loud"), Wearer("quiet")
BY_WEARER = "SELECT wearer, count(*) FROM dead_letters GROUP BY wearer ORDER BY wearer"


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    shelf = Shelf(tmp_path / "poise.db")
    yield shelf
    shelf.database.close()


def garbage(shelf: Shelf, topic: str, count: int) -> None:
    shelf.intake.take([received(topic, b"\xc1 %d" % number) for number in range(count)])


def test_one_wearers_garbage_pushes_out_its_own_and_nobody_elses(shelf: Shelf) -> None:
    garbage(shelf, QUIET.topic(Leaf.SAMPLES), 3)
    garbage(shelf, "poise/1/what", 2)
    garbage(shelf, LOUD.topic(Leaf.SAMPLES), MOST_DEAD_LETTERS + 50)
    assert shelf.rows(BY_WEARER) == [("", 2), (key(LOUD), MOST_DEAD_OF_ONE), (key(QUIET), 3)]
    newest = shelf.rows("SELECT payload FROM dead_letters ORDER BY id DESC LIMIT 1")
    oldest = shelf.rows("SELECT payload FROM dead_letters WHERE wearer = ? ORDER BY id LIMIT 1", key(LOUD))
    assert newest == [(b"\xc1 %d" % (MOST_DEAD_LETTERS + 49),)]
    assert oldest == [(b"\xc1 %d" % (MOST_DEAD_LETTERS + 50 - MOST_DEAD_OF_ONE),)]
    counted = shelf.rows("SELECT count FROM counters WHERE name = 'dead letter: malformed'")
    assert counted == [(MOST_DEAD_LETTERS + 53,)]


def test_of_many_the_newest_are_kept(shelf: Shelf) -> None:
    many = [Wearer(f"w{number:03}") for number in range(MOST_DEAD_LETTERS // MOST_DEAD_OF_ONE + 2)]
    for wearer in many:
        garbage(shelf, wearer.topic(Leaf.SAMPLES), MOST_DEAD_OF_ONE)
    garbage(shelf, QUIET.topic(Leaf.SAMPLES), 1)
    kept = shelf.rows(BY_WEARER)
    assert kept[0] == (key(QUIET), 1)
    assert kept[1:] == [(key(many[2]), MOST_DEAD_OF_ONE - 1), *((key(w), MOST_DEAD_OF_ONE) for w in many[3:])]


def test_no_letter_costs_a_look_at_all_of_them(shelf: Shelf) -> None:
    """SQLite's plan: the wearer's own and the count of all come from the index alone."""
    statements: list[str] = []
    with shelf.database.transaction() as c:
        c.set_trace_callback(statements.append)
        shelf.journal.put_dead_letter(c, "t", b"", "size", "", 0, name=key(LOUD))
        c.set_trace_callback(None)
        asked = [s for s in statements if s.startswith(("DELETE", "SELECT"))]
        plans = [str(row[3]) for s in asked for row in c.execute(f"EXPLAIN QUERY PLAN {s}")]
    assert len(asked) == 2
    assert all("INDEX dead_letters_by_wearer" in plan for plan in plans if "dead_letters" in plan), plans
