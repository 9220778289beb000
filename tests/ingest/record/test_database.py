"""Opening the record, its migrations, and what a library's errors become."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, inspect, text

from ingest.record.database import RecordDatabase, url_in
from ingest.record.tables import Base
from ingest.record.upgrading import upgrade
from poise.errors import ConfigurationError, StoreRejectedError, StoreUnavailableError

PATIENT = "INSERT INTO patients VALUES ('{id}', 'home', 'P-1', 'Europe/Berlin', 'active', 5)"
ENTRY = "INSERT INTO entries VALUES ('{entry}', 1, '{id}', 'note', 1, '{{}}', 7, 'machine', 8, 'current', '')"
IDS = {"id": "0" * 31 + "1", "entry": "0" * 31 + "2"}


def test_tables_and_classes_agree(database: RecordDatabase) -> None:
    with database._engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_a_database_of_the_former_revision_is_brought_up_with_what_it_holds(url: str) -> None:
    engine = create_engine(url)
    upgrade(engine, "the old one", "0001")
    with engine.begin() as connection:
        assert "accounts" not in inspect(connection).get_table_names()
        connection.execute(text(PATIENT.format(**IDS)))
        connection.execute(text(ENTRY.format(**IDS)))
    engine.dispose()
    opened = RecordDatabase(url)
    with opened.reading() as session:
        assert session.execute(text("SELECT patient, zone FROM patients")).all() == [("P-1", "Europe/Berlin")]
        assert session.execute(text("SELECT kind, at_us FROM entries")).all() == [("note", 7)]
        assert session.execute(text("SELECT count(*) FROM accounts")).scalar_one() == 0
    opened.close()


def test_opening_again_changes_nothing(database: RecordDatabase, url: str) -> None:
    RecordDatabase(url).close()
    with database.reading() as session:
        assert session.execute(text("SELECT count(*) FROM alembic_version")).scalar_one() == 1


def test_programs_that_start_on_a_new_database_at_once_wait_for_each_other(url: str) -> None:
    house = Path(__file__).resolve().parents[3]
    code = "import sys; from ingest.record.database import RecordDatabase as D; D(sys.argv[1]).close()"
    run = [sys.executable, "-W", "error", "-c", code, url]
    env = {**os.environ, "PYTHONPATH": str(house)}
    started = [subprocess.Popen(run, env=env, stderr=subprocess.PIPE) for _ in range(3)]
    assert [program.communicate(timeout=60)[1] for program in started] == [b""] * 3
    assert [program.returncode for program in started] == [0] * 3
    RecordDatabase(url).close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite waits for others 50 ms and not 5 s."""
    monkeypatch.setattr("ingest.record.database._PRAGMAS", ("journal_mode = WAL", "busy_timeout = 50"))


@pytest.mark.usefixtures("impatient")
def test_the_log_is_emptied_unless_somebody_reads_an_older_state(tmp_path: Path) -> None:
    database = RecordDatabase(url_in(tmp_path))
    with database.reading() as session:
        session.execute(text("SELECT count(*) FROM patients"))
        with database.writing() as writer:
            writer.execute(text(PATIENT.format(**IDS)))
        with pytest.raises(StoreUnavailableError, match="next try"):
            database.settle()
    database.settle()
    assert (tmp_path / "record.db-wal").stat().st_size == 0
    database.close()


def test_a_database_of_a_newer_poise_is_refused_with_a_sentence(database: RecordDatabase, url: str) -> None:
    with database.writing() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigurationError, match=r"newer Poise \(tables 9999.*update Poise"):
        RecordDatabase(url)


@pytest.fixture
def written(database: RecordDatabase) -> RecordDatabase:
    with database.writing() as session:
        session.execute(text(PATIENT.format(**IDS)))
        session.execute(text(ENTRY.format(**IDS)))
    return database


@pytest.mark.parametrize("statement", ["UPDATE entries SET reason = 'x'", "DELETE FROM entries"])
def test_the_database_itself_refuses_to_change_an_entry(written: RecordDatabase, statement: str) -> None:
    with pytest.raises(StoreRejectedError, match="entries only grows"), written.writing() as session:
        session.execute(text(statement))


def test_what_is_being_erased_can_be_deleted_but_never_changed(written: RecordDatabase) -> None:
    erasing = text("INSERT INTO erasing SELECT id FROM patients")
    with written.writing() as session:
        session.execute(erasing)
    with pytest.raises(StoreRejectedError, match="entries only grows"), written.writing() as session:
        session.execute(text("UPDATE entries SET reason = 'x'"))
    with written.writing() as session:
        session.execute(text("DELETE FROM entries"))
    with written.reading() as session:
        assert session.execute(text("SELECT count(*) FROM entries")).scalar_one() == 0


def test_an_entry_of_nobody_is_refused(database: RecordDatabase) -> None:
    with pytest.raises(StoreRejectedError, match="refuses this data"), database.writing() as session:
        session.execute(text(ENTRY.format(**IDS)))


def test_a_block_that_fails_leaves_nothing(database: RecordDatabase) -> None:
    twice = [text(PATIENT.format(**IDS))] * 2
    with pytest.raises(StoreRejectedError), database.writing() as session:
        list(map(session.execute, twice))
    with database.reading() as session:
        assert session.execute(text("SELECT count(*) FROM patients")).scalar_one() == 0


def test_a_reader_sees_one_state_while_others_write(database: RecordDatabase) -> None:
    count = text("SELECT count(*) FROM patients")
    with database.reading() as session:
        assert session.execute(count).scalar_one() == 0
        with database.writing() as writer:
            writer.execute(text(PATIENT.format(**IDS)))
        assert session.execute(count).scalar_one() == 0


def test_a_failed_migration_leaves_the_tables_as_they_were(url: str) -> None:
    """The second step meets a table that is there already: the first one's are taken back too."""
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE accounts (id INTEGER)"))
    engine.dispose()
    with pytest.raises(ConfigurationError):
        RecordDatabase(url)
    with engine.connect() as connection:
        assert inspect(connection).get_table_names() == ["accounts"]
    engine.dispose()


@pytest.mark.parametrize("url", ["", "mysql://u:secret@h/d", "sqlite://", "postgresql+pg8000://u:secret@h/d"])
def test_an_address_that_cannot_be_used_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        RecordDatabase(url)
    assert "secret" not in str(caught.value)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "record.db").write_bytes(b"this is a letter, no database" * 100)
    with pytest.raises(ConfigurationError, match="no database that Poise can use"):
        RecordDatabase(url_in(tmp_path))


def test_a_server_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError) as caught:
        RecordDatabase(f"postgresql://poise:secret@/poise?host={tmp_path}")
    assert "secret" not in str(caught.value)


def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    RecordDatabase(url_in(tmp_path)).close()
    assert (tmp_path / "record.db").stat().st_mode & 0o077 == 0


@pytest.mark.usefixtures("impatient")
def test_a_writer_waits_for_the_lock_and_then_says_so(tmp_path: Path) -> None:
    database = RecordDatabase(url_in(tmp_path))
    with database.writing() as session:
        session.execute(text("SELECT 1"))
        with pytest.raises(StoreUnavailableError, match="locked"), database.writing() as other:
            other.execute(text("SELECT 1"))
    database.close()
