"""What the activity guard found is kept by ingest: once for each effort, and never what cannot be."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from ingest_helpers import START_US, WEARER

from analytics.pipeline import Pipeline
from ingest.database.journal import Journal
from ingest.database.sqlite import Database
from ingest.judging.intake import Intake
from ingest.mqtt.settings import Received
from ingest.reader import StoreReader
from ingest.results.store import SqliteResults
from poise import notices
from poise.notices import GuardNotice
from poise.strain import Exceedance, Strain
from poise.topics import Leaf


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(Database(tmp_path / "poise.db")) as opened:
        yield opened


def told(kind: Strain, start_us: int, end_us: int | None) -> Received:
    found = Exceedance(kind, start_us, end_us, estimate=False, about=("wrist_left",))
    payload = notices.encode(GuardNotice(exceedance=found))
    return Received(WEARER.topic(Leaf.GUARD), payload, 1, False, 0, 0)


def test_an_effort_is_kept_once_and_gets_its_end(database: Database) -> None:
    results = SqliteResults(database.path)
    intake = Intake(database, Journal(database), results, Pipeline, lambda: START_US)
    end_us = START_US + 150_000_000
    outcome = intake.take(
        [
            told(Strain.VIGOROUS_ARMS, START_US, None),
            told(Strain.LIFTING_LIKE, START_US + 1, None),
            told(Strain.VIGOROUS_ARMS, START_US, end_us),
            told(Strain.OVERHEAD, START_US, START_US - 1),
        ]
    )
    assert [reason for _, reason in outcome.dead] == ["range"]
    efforts = StoreReader(database.path, results).efforts(WEARER, START_US, START_US + 10)
    assert [(effort.kind, effort.end_us) for effort in efforts] == [
        (Strain.VIGOROUS_ARMS, end_us),
        (Strain.LIFTING_LIKE, None),
    ]
    assert StoreReader(database.path, results).efforts(WEARER, START_US + 10, START_US + 20) == []
