"""All results once more from the archive: the same bits, however the day went."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from ingest_helpers import START_US, WEARER, Shelf, calibrated, conclusions, day, message, samples, take_all

from analytics.pipeline import Pipeline
from ingest.archive.archivist import DAY_US, Archivist
from ingest.archive.compare import Row, Tally, compare, tally
from ingest.archive.past import Past, past_from_files, past_in
from ingest.archive.recompute import choose, recompute
from ingest.database.sqlite import Database, reading
from ingest.judging.intake import LATE_IDLE_US
from ingest.mqtt.settings import Received
from ingest.results.store import key
from poise.samples import ImuBatch, SampleMessage

NOW_US = START_US + 2 * DAY_US
ALWAYS = (0, 2**62)


def numbered(messages: list[SampleMessage], first: int, session: str = "g1") -> list[SampleMessage]:
    return [replace(m, sequence=first + i, session=session) for i, m in enumerate(messages)]


def gaps_and_calibrations() -> list[Received]:
    """A calibration within a message, a gap, one within an hour, and a second hour."""
    return [
        calibrated(-5),
        *samples(numbered(day(70), 0)),
        calibrated(95.5, "k2"),
        *samples(numbered(day(50, 80.25), 70)),
        *samples(numbered(day(40, 3590), 200)),
        calibrated(3660.3, "k3"),
        *samples(numbered(day(60, 3640), 300)),
    ]


def late_ones() -> list[Received]:
    """Two stretches that come when others behind them are stored; the first goes on after a pause."""
    whole = numbered(day(200), 0)
    return [
        calibrated(),
        *samples([*whole[:60], *whole[120:150]]),
        *samples([*whole[60:80], *whole[90:120]]),
        *samples([*whole[150:], *numbered(day(30, 3700), 400)]),
    ]


def set_back() -> list[Received]:
    """The clock of the gateway goes back by two minutes, then by an hour."""
    return [
        calibrated(),
        *samples(numbered(day(60, 4000), 0)),
        *samples(numbered(day(40, 3900), 60)),
        calibrated(299.5, "k2"),
        *samples(numbered(day(50, 300), 100)),
        calibrated(4100, "k3"),
        *samples(numbered(day(50, 4100), 150)),
    ]


DAYS = [gaps_and_calibrations, late_ones, set_back]
LAST = samples(numbered(day(20, 12_000), 5000))
"""Ends the run before, whose hours can then be archived."""


def lived(shelf: Shelf, told: list[Received], restarts: tuple[int, ...]) -> None:
    """Take all, minutes apart for the clock of ingest, with restarts in between."""
    for at in range(0, len(told), 10):
        if at in restarts:
            shelf.database.close()
            shelf.__init__(shelf.path)  # type: ignore[misc]
        shelf.now_us = START_US + at * 1_000_000
        take_all(shelf, told[at : at + 10])
        shelf.intake.close_late_runs()
    shelf.now_us += LATE_IDLE_US + 1
    shelf.intake.close_late_runs()
    take_all(shelf, LAST)


def once_more(past: Past, folder: Path, span: tuple[int, int] = ALWAYS) -> tuple[Shelf, set[int]]:
    chosen = choose(past, *span)
    fresh = Shelf(folder / "again" / "poise.db")
    list(recompute(past, chosen, fresh.database, Pipeline))
    return fresh, {run.from_us for run in chosen.runs}


@pytest.mark.parametrize("restarts", [(), (30, 80, 130)], ids=["in one go", "with restarts"])
@pytest.mark.parametrize("told", DAYS)
def test_archived_and_computed_again_gives_the_same_bits(
    tmp_path: Path, told: Callable[[], list[Received]], restarts: tuple[int, ...]
) -> None:
    shelf = Shelf(tmp_path / "poise.db")
    lived(shelf, told(), restarts)
    before = conclusions(shelf)
    assert len(before["episodes"]) > 1
    assert len(list(Archivist(shelf.database).archive(NOW_US, NOW_US))) > 1
    assert shelf.rows("SELECT count(*) FROM messages") == [(len(LAST),)]
    with past_in(shelf.path, WEARER) as (past, stored):
        fresh, runs = once_more(past, tmp_path)
        with reading(fresh.path) as computed:
            found = compare(stored, computed, key(WEARER), runs)
    print(shelf.rows("SELECT late, reason, calibration, closed FROM runs ORDER BY id"), found)
    assert conclusions(fresh) == before
    assert [(name, tally.is_same) for name, tally in found.items()] == [
        ("seconds", True), ("episodes", True), ("exposures", True),
    ]  # fmt: skip
    assert found["seconds"].same == len(before["seconds"])
    fresh.database.close()
    shelf.database.close()


def test_the_archive_alone_is_enough(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "poise.db")
    lived(shelf, gaps_and_calibrations(), ())
    before = conclusions(shelf)
    list(Archivist(shelf.database).archive(NOW_US, NOW_US))
    (last_run,) = shelf.rows("SELECT from_us FROM runs ORDER BY id DESC LIMIT 1")[0]
    shelf.database.close()
    for file in tmp_path.glob("poise.db*"):
        file.unlink()
    fresh, _ = once_more(past_from_files(tmp_path / "archive", WEARER), tmp_path)
    after = conclusions(fresh)
    # The run before the last has no end in the archive: it ended where the last one began.
    assert set(after["exposures"]) <= set(before["exposures"])
    done = [row for row in before["seconds"] if row[6] != last_run]
    missing = [row for row in done if row not in after["seconds"]]
    assert [row for row in after["seconds"] if row not in done] == []
    assert {row[1] for row in missing} <= {max(row[1] for row in done)}  # type: ignore[type-var]
    assert len(after["seconds"]) > 500
    fresh.database.close()


def test_a_span_takes_only_the_runs_that_reach_into_it(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "poise.db")
    lived(shelf, gaps_and_calibrations(), ())
    list(Archivist(shelf.database).archive(NOW_US, NOW_US))
    span = (START_US + 11_000_000_000, START_US + 13_000_000_000)
    with past_in(shelf.path, WEARER) as (past, stored):
        fresh, runs = once_more(past, tmp_path, span)
        with reading(fresh.path) as computed:
            found = compare(stored, computed, key(WEARER), runs)
        assert choose(past, 0, START_US - DAY_US).runs == ()
    assert len(runs) == 2, "the last, and the one whose end its first message is"
    assert all(tally.is_same for tally in found.values())
    assert found["seconds"].same > 0
    fresh.database.close()
    shelf.database.close()


def test_what_was_deleted_cannot_be_computed_and_is_said(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "poise.db")
    lived(shelf, gaps_and_calibrations(), ())
    archivist = Archivist(shelf.database)
    first, *_ = archivist.archive(NOW_US, NOW_US)
    (archivist.folder / first.file).unlink()
    with past_in(shelf.path, WEARER) as (past, stored):
        chosen = choose(past, *ALWAYS)
        assert {(lost.entry.file, lost.why) for lost in chosen.lost.values()} == {(first.file, "is missing")}
        assert 0 < len(chosen.runs) < len(past.runs)
        fresh, runs = once_more(past, tmp_path)
        with reading(fresh.path) as computed:
            assert all(tally.is_same for tally in compare(stored, computed, key(WEARER), runs).values())
    fresh.database.close()
    shelf.database.close()


class Other(Pipeline):
    """A program that has changed: every sensor leans a little more."""

    def update(self, batches: "list[ImuBatch]") -> object:  # type: ignore[override]
        return super().update([replace(b, acc=b.acc + b.acc // 50 * (b.segment == "head")) for b in batches])


def test_another_program_differs_and_it_is_said_by_how_much(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "poise.db")
    take_all(shelf, [calibrated(), *samples(day(60))])
    fresh = Database(tmp_path / "again" / "poise.db")
    with past_in(shelf.path, WEARER) as (past, stored):
        chosen = choose(past, *ALWAYS)
        list(recompute(past, chosen, fresh, Other))  # type: ignore[arg-type]
        with reading(fresh.path) as computed:
            found = compare(stored, computed, key(WEARER), {run.from_us for run in chosen.runs})
    assert found["seconds"].differ > 0
    assert 0 < found["seconds"].greatest < 1
    fresh.close()
    shelf.database.close()


def test_tallying_tells_bits_from_values_and_leaves_other_runs_alone() -> None:
    def row(name: int, value: object, run: int = 1) -> Row:
        return Row((name,), str(name), run, (value,))

    stored = [row(1, 0.5), row(2, 0.0), row(3, 1.0), row(4, 1.0, run=2), row(5, 9, run=2)]
    computed = [row(1, 0.5), row(2, -0.0), row(4, 7.0), row(6, 1.25)]
    assert tally(stored, computed, {1}) == Tally(1, 1, 1, 1, 0.0, {"2", "3", "6"})
    assert tally([row(1, 0.5)], [row(1, 0.75)], {1}) == Tally(0, 1, 0, 0, 0.25, {"1"})


def test_messages_of_hours_that_lie_between_each_other_come_in_the_order_of_their_rows(
    tmp_path: Path,
) -> None:
    shelf = Shelf(tmp_path / "poise.db")
    turns = [message(3600 * (i % 3) + i, session=f"g{i % 3}", sequence=i // 3) for i in range(60)]
    take_all(shelf, samples(turns))
    shelf.now_us += LATE_IDLE_US + 1
    shelf.intake.close_late_runs()
    rows = shelf.rows("SELECT id, payload FROM messages ORDER BY id")
    list(Archivist(shelf.database).archive(NOW_US, NOW_US))
    with past_in(shelf.path, WEARER) as (past, _):
        assert [(raw.row, raw.payload) for raw in past.messages(*ALWAYS)] == rows
        assert [raw.row for raw in past.messages(7, 23)] == list(range(7, 24))
    shelf.database.close()
