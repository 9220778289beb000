"""A program that dies in the middle of a write leaves all of it or nothing."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from record_helpers import House, injection
from sqlalchemy import select, text

from ingest.record.tables import EntryRow

TESTS = Path(__file__).resolve().parents[2]
HALF = """
import sys, time
from record_helpers import ANNA, BODIES, KEY, NOW, WEARER, injection
from ingest.record.audit import Audit
from ingest.record.database import RecordDatabase
from ingest.record.entries import Entries
from ingest.record.patients import find
database = RecordDatabase(sys.argv[1])
entries = Entries(Audit(database, KEY), BODIES)
with database.writing() as session:
    patient = find(session, WEARER)
while True:
    with database.writing() as session:
        for _ in range(int(sys.argv[2])):
            written = entries.add(session, ANNA, patient, injection(), NOW)
        session.flush()
        if sys.argv[3] == "within":
            print("half", flush=True)
            time.sleep(600)
    print(written.id.hex, flush=True)
"""


def begun(url: str, at_once: int, where: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", HALF, url, str(at_once), where]
    found = os.pathsep.join(str(folder) for folder in (TESTS.parent, TESTS))
    env = {**os.environ, "PYTHONPATH": found}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env)


def counted(house: House) -> tuple[int, int]:
    """How many entries there are, and how many rows of the audit tell of one."""
    with house.database.reading() as session:
        assert house.audit.verify(session).broken_at is None
        told = "SELECT count(*) FROM audit WHERE kind = 'injection'"
        return (
            session.execute(text("SELECT count(*) FROM entries")).scalar_one(),
            session.execute(text(told)).scalar_one(),
        )


def killed(child: "subprocess.Popen[str]") -> str:
    child.send_signal(signal.SIGKILL)
    said, _ = child.communicate(timeout=30)
    return said


def test_a_kill_within_a_transaction_leaves_nothing_of_it(house: House, url: str) -> None:
    patient = house.patient()
    house.add(patient, injection())
    child = begun(url, 20, "within")
    assert child.stdout is not None
    assert child.stdout.readline() == "half\n"
    killed(child)
    assert counted(house) == (1, 1)
    house.add(patient, injection())
    assert counted(house) == (2, 2)


@pytest.mark.parametrize("seed", range(3))
def test_a_kill_at_any_moment_keeps_what_was_written_and_no_half(house: House, url: str, seed: int) -> None:
    """Each transaction holds three entries; what was said to be written is there, in threes."""
    patient = house.patient()
    child = begun(url, 3, "on")
    assert child.stdout is not None
    first = child.stdout.readline().strip()
    time.sleep(random.Random(seed).uniform(0.05, 0.5))  # noqa: S311 - a moment, no secret
    said = [first, *(line.strip() for line in killed(child).split() if len(line) == 32)]
    entries, rows = counted(house)
    assert entries == rows
    assert entries % 3 == 0
    assert entries // 3 - len(said) in (0, 1)
    with house.database.reading() as session:
        kept = {entry_id.hex for entry_id in session.scalars(select(EntryRow.id))}
    assert set(said) <= kept
    house.add(patient, injection())
