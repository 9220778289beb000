"""Databases of released versions are brought up to this one, with what they hold."""

from pathlib import Path

from ingest_helpers import Shelf, calibrated, day, received, samples, take_all

from ingest.database import schema
from ingest.database.journal import MOST_DEAD_OF_ONE
from ingest.results.store import key
from poise.topics import Leaf, Wearer

LOUD = Wearer("loud")
BY_WEARER = "SELECT wearer, count(*) FROM dead_letters GROUP BY wearer ORDER BY wearer"

SECONDS_BEFORE = """
CREATE TABLE seconds (
    stream INTEGER NOT NULL REFERENCES streams (id),
    t_s INTEGER NOT NULL,
    mean REAL NOT NULL,
    low REAL NOT NULL,
    high REAL NOT NULL,
    coverage REAL NOT NULL,
    judgement INTEGER NOT NULL REFERENCES judgements (id),
    PRIMARY KEY (stream, t_s)
) STRICT, WITHOUT ROWID
"""
CHANGED = (
    "runs",
    "calibrations",
    "gaps",
    "ledger",
    "outbox",
    "outbox_size",
    "stale_hours",
    "quarters",
    "archive",
    "archived",
    "dead_letters",
)


def test_a_database_of_the_first_version_is_brought_up_and_its_open_run_goes_on(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "poise.db")
    columns = [shelf.rows(f"PRAGMA table_info({table})") for table in CHANGED]
    take_all(shelf, [calibrated(), *samples(day(20))])
    with shelf.database.transaction() as c:
        c.execute("ALTER TABLE runs DROP COLUMN trust")
        c.execute("ALTER TABLE calibrations DROP COLUMN trust")
        c.execute(SECONDS_BEFORE)
        c.execute("INSERT INTO streams (id, wearer, name) VALUES (7000, 'home/old', 'head')")
        c.execute("INSERT INTO judgements (id, run_us, calibration) VALUES (3000, 5, 'k0')")
        c.executemany(
            "INSERT INTO seconds VALUES (7000, ?, 0.1, -0.25, 0.5, 0.9, 3000)", [(599,), (600,), (601,)]
        )
        for table in ("states", "fresh", "pieces", "archive", "archived"):
            c.execute(f"DROP TABLE {table}")
        c.execute("ALTER TABLE gaps DROP COLUMN spread")
        c.execute("ALTER TABLE ledger DROP COLUMN spread")
        c.execute("ALTER TABLE outbox DROP COLUMN lines")
        c.execute("ALTER TABLE outbox RENAME COLUMN body TO line")
        c.execute(
            "INSERT INTO outbox (line) VALUES (?), (?)", (b"posture_second a=1 1", b"posture_second a=2 2")
        )
        c.execute("DROP TABLE outbox_size")
        c.execute("DROP TABLE stale_hours")
        c.execute("DROP TABLE quarters")
        c.execute("DROP INDEX dead_letters_by_wearer")
        c.execute("ALTER TABLE dead_letters DROP COLUMN wearer")
        c.execute("PRAGMA user_version = 1")
    shelf.database.close()
    again = Shelf(shelf.path)
    assert [again.rows(f"PRAGMA table_info({table})") for table in CHANGED] == columns
    assert again.rows("PRAGMA user_version") == [(schema.VERSION,)]
    assert again.rows("SELECT lines, bytes FROM outbox_size") == [(2, 40)]
    assert again.rows("SELECT * FROM seconds WHERE stream = 7000 ORDER BY t_s") == [
        (7000, t_s, 0.1, -0.25, 0.5, 0.9, 3000) for t_s in (599, 600, 601)
    ]
    assert again.rows("SELECT window_s FROM fresh WHERE wearer = 'home/old' ORDER BY id") == [
        (0,),
        (600,),
        (600,),
    ]
    take_all(again, samples(day(40)))
    assert again.rows("SELECT reason, calibration FROM runs") == [("start", "k1")]
    again.database.close()


def test_letters_of_the_version_before_are_known_by_their_topics(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "poise.db")
    topics = [
        LOUD.topic(Leaf.SAMPLES),
        Wearer("P-0142", site="clinic").topic(Leaf.SENSOR, "S1"),
        "influxdb",
        "poise/1/home",
        "poise/1/what/is",
        "",
    ]
    with shelf.database.transaction() as c:
        c.execute("DROP INDEX dead_letters_by_wearer")
        c.execute("ALTER TABLE dead_letters DROP COLUMN wearer")
        for topic in topics:
            c.execute(
                "INSERT INTO dead_letters (topic, payload, reason, sentence, received_us) "
                "VALUES (?, x'', 'size', '', 0)",
                (topic,),
            )
        c.execute("DROP TABLE fresh")
        c.execute(SECONDS_BEFORE)
        c.execute("PRAGMA user_version = 7")
    shelf.database.close()
    again = Shelf(shelf.path)
    wearers = [row[0] for row in again.rows("SELECT wearer FROM dead_letters ORDER BY id")]
    assert wearers == [key(LOUD), "clinic/P-0142", "", "", "", ""]
    topic = LOUD.topic(Leaf.SAMPLES)
    again.intake.take([received(topic, b"\xc1 %d" % number) for number in range(MOST_DEAD_OF_ONE)])
    assert again.rows(BY_WEARER) == [("", 4), ("clinic/P-0142", 1), (key(LOUD), MOST_DEAD_OF_ONE)]
    again.database.close()
