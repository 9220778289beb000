"""The archive from the command line, and by itself beside ingest."""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ingest_helpers import Shelf, calibrated, day, eventually, message, samples, take_all
from typer.testing import CliRunner

from ingest.archive.archivist import DAY_US, Archivist
from ingest.database.shards import WHOLE
from poise.cli import archiving
from poise.cli.commands import app
from poise.cli.settings import ArchivePart, load


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    """What came three days ago: an hour that is closed, and one whose run is open."""
    (tmp_path / "poise.toml").touch()
    monkeypatch.setenv("POISE_CONFIG", str(tmp_path / "poise.toml"))
    shelf = Shelf(tmp_path / "poise.db")
    shelf.now_us = time.time_ns() // 1000 - 3 * DAY_US
    later = [message(4000 + i, sequence=100 + i) for i in range(20)]
    take_all(shelf, [calibrated(), *samples(day(100)), *samples(later)])
    yield shelf
    shelf.database.close()


def poise(shelf: Shelf, *words: str) -> tuple[int, str]:
    ended = CliRunner().invoke(app, [*words, "--data", str(shelf.path.parent)])
    print(ended.output)
    return ended.exit_code, " ".join(ended.output.split())


def test_archiving_verifying_and_computing_again_from_the_command_line(shelf: Shelf) -> None:
    file = "home/anna/2026-09-21/14.parquet"
    assert poise(shelf, "archive", "now")[0] == 0
    assert shelf.rows("SELECT count(*) FROM messages") == [(20,)]
    code, told = poise(shelf, "archive", "list")
    assert (code, told.startswith(f"{file} 100 messages, 20000 samples")) == (0, True)
    assert poise(shelf, "archive", "verify") == (0, "1 file looked at, none wrong.")
    code, told = poise(shelf, "recompute", "anna")
    assert code == 0
    assert told.startswith("2 runs of anna computed again with Poise")
    assert told.endswith("All are the same bits.")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("POISE_ARCHIVE__KEEP_DAYS", "1")
        assert poise(shelf, "archive", "now") == (0, "0 files with 0 bytes written, 0 deleted.")
    (shelf.path.parent / "archive" / file).unlink()
    assert poise(shelf, "archive", "verify") == (1, f"{file} is missing 1 file looked at, 1 wrong.")
    code, told = poise(shelf, "recompute", "anna", "--into", str(shelf.path.parent / "new"))
    assert f"{file} is missing Without that, 1 more cannot be computed again." in told
    assert poise(shelf, "recompute", "bob")[0] == 2
    assert poise(shelf, "recompute", "anna", "--into", str(shelf.path.parent / "new"))[0] == 2


def test_results_that_were_changed_are_named(shelf: Shelf) -> None:
    shelf.rows("UPDATE exposures SET seconds = seconds + 0.5 WHERE kind = 'seen'")
    code, told = poise(shelf, "recompute", "anna", "--from", "2026-09-21")
    assert code == 1
    assert "differ, by at most 0.5 s (seen)" in told
    assert told.endswith("Not all are what was stored.")


async def test_ingest_archives_by_itself_in_a_process_that_gives_way(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archiving, "_FIRST_S", 0.0)
    task = asyncio.create_task(archiving.hourly(load(data=shelf.path.parent), WHOLE))
    archivist = Archivist(shelf.database)
    await eventually(archivist.entries, 60)
    assert shelf.rows("SELECT count(*) FROM messages") == [(20,)]
    assert shelf.intake.take(samples(day(3))).counts.duplicates == 3
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    never = load(data=shelf.path.parent, archive=ArchivePart(hourly=False))
    await asyncio.wait_for(archiving.hourly(never, WHOLE), 1)
