"""What a transaction makes of waiting messages: stored once, analysed as if nothing was ever restarted."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ingest_helpers import (
    START_US,
    WEARER,
    Shelf,
    calibrated,
    conclusions,
    day,
    message,
    received,
    samples,
    take_all,
)

from analytics.pipeline import Pipeline
from analytics.wearing.doubts import Cause
from ingest.database.sqlite import Database, reading
from ingest.database.trusted import unpack
from ingest.judging.intake import LATE_IDLE_US
from poise import notices
from poise.errors import ConfigurationError, StoreUnavailableError
from poise.notices import SensorStatus
from poise.results import Results
from poise.samples import Gap, ImuBatch, SampleMessage
from poise.topics import Leaf
from poise.wire import encode_samples


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    shelf = Shelf(tmp_path / "poise.db")
    yield shelf
    shelf.database.close()


def test_a_restart_anywhere_changes_no_bit_of_what_is_concluded(tmp_path: Path) -> None:
    after_a_gap = samples([replace(m, sequence=m.sequence + 70) for m in day(70, 80)])
    stream = [calibrated(), *samples(day(70)), calibrated(110.5, "k2"), *after_a_gap]
    whole = Shelf(tmp_path / "whole.db")
    take_all(whole, stream)
    for cut in (1, 40, 75, 103, 105, 120):
        shelf = Shelf(tmp_path / f"cut{cut}.db")
        take_all(shelf, stream[:cut])
        shelf.database.close()  # all that is in memory is gone
        again = Shelf(shelf.path)
        take_all(again, stream[cut:])
        assert conclusions(again) == conclusions(whole)
        again.database.close()
    runs = whole.rows("SELECT reason, calibration, from_us FROM runs ORDER BY id")
    assert runs == [
        ("start", "k1", START_US),
        ("gap", "k1", START_US + 80_000_000),
        ("calibration", "k2", START_US + 110_500_000),
    ]
    assert len(conclusions(whole)["episodes"]) > 1
    whole.database.close()


def laid_down(m: SampleMessage) -> SampleMessage:
    """The same with every sensor on a table, its z up."""
    return replace(m, batches=tuple(replace(b, acc=np.roll(b.acc, 2, axis=1)) for b in m.batches))


def worn_and_laid_down(start: int, flat: int, worn: int) -> list[SampleMessage]:
    lying = [laid_down(message(start + i, sequence=start + i)) for i in range(flat)]
    return [*lying, *(message(i, lean=i % 2, sequence=i) for i in range(start + flat, start + flat + worn))]


def test_what_has_ended_stays_ended_over_gaps_and_restarts_anywhere(tmp_path: Path) -> None:
    stream = [
        calibrated(),
        *samples(worn_and_laid_down(0, 190, 20)),
        *samples(replace(m, sequence=1000 + i) for i, m in enumerate([*day(15, 220), *day(10, 40_000)])),
        calibrated(40_020, "k2"),
        *samples(replace(m, sequence=2000 + i) for i, m in enumerate(day(20, 40_010))),
    ]

    def known(shelf: Shelf) -> list[tuple[object, ...]]:
        runs = shelf.rows("SELECT reason, calibration, from_us, trust FROM runs ORDER BY id")
        return [*runs, *shelf.rows("SELECT id, trust FROM calibrations ORDER BY id")]

    whole = Shelf(tmp_path / "whole.db")
    take_all(whole, stream)
    for cut in (100, 198, 209, 215, 228, 238):
        shelf = Shelf(tmp_path / f"cut{cut}.db")
        take_all(shelf, stream[:cut])
        shelf.database.close()  # all that is in memory is gone
        again = Shelf(shelf.path)
        take_all(again, stream[cut:])
        assert (known(again), conclusions(again)) == (known(whole), conclusions(whole))
        again.database.close()
    causes = [[d.cause for d in unpack(trust).doubts] for *_, trust in known(whole)]  # type: ignore[arg-type]
    back = [Cause.PUT_BACK] * 4
    assert causes == [[], back, back, [], [*back, Cause.AWAY], []]
    judged = whole.rows(
        "SELECT min(t_s), max(t_s), calibration FROM seconds JOIN judgements ON id = judgement GROUP BY 3"
    )
    assert [row[2] for row in judged] == ["k1", "k2"]
    assert judged[0][1] < START_US // 1_000_000 + 200, "no angle since it was put back"  # type: ignore[operator]
    whole.database.close()


def test_what_late_samples_find_ends_the_calibration_of_the_live_run(shelf: Shelf) -> None:
    late = samples(worn_and_laid_down(0, 190, 20))
    take_all(
        shelf,
        [calibrated(), *samples(replace(m, sequence=500 + i) for i, m in enumerate(day(10, 300))), *late],
    )
    assert shelf.rows("SELECT late, reason FROM runs ORDER BY id") == [(0, "start"), (1, "start")]
    shelf.database.close()
    again = Shelf(shelf.path)
    take_all(again, samples(replace(m, sequence=1000 + i) for i, m in enumerate(day(10, 310))))
    runs = again.rows("SELECT late, reason, from_us FROM runs ORDER BY id")
    assert runs[2:] == [(0, "doubt", START_US + 310_000_000)]
    assert again.rows("SELECT max(t_s) FROM seconds") == [(START_US // 1_000_000 + 309,)]
    again.database.close()


def test_what_a_sensor_kept_over_a_break_is_no_clock_set_back(shelf: Shelf) -> None:
    kept = [replace(m, sequence=300 + i, kept=True) for i, m in enumerate(day(10, 100))]
    kept = [replace(m, batches=m.batches[:1]) for m in kept]
    now = [m for m in day(220) if m.sequence < 100 or m.sequence >= 110]
    rest = [replace(m, sequence=400 + i) for i, m in enumerate(day(10, 220))]
    take_all(shelf, [calibrated(), *samples([*now, *kept, *rest])])
    runs = shelf.rows("SELECT late, reason, calibration FROM runs ORDER BY id")
    assert [run for run in runs if run[0]] == [(1, "start", "k1")]
    assert {run[1] for run in runs} == {"start", "gap"}
    assert [unpack(trust).doubts for (trust,) in shelf.rows("SELECT trust FROM calibrations")] == [()]


def test_what_a_sensor_recorded_is_no_news_even_where_nothing_newer_has_come(shelf: Shelf) -> None:
    recorded = [replace(m, session="r1", kept=True) for m in day(20, 100)]
    for part in samples([*day(20), *recorded]):
        live = shelf.intake.take([part]).live
    assert live == {}
    take_all(shelf, samples([replace(m, sequence=100 + i) for i, m in enumerate(day(20, 200))]))
    runs = shelf.rows("SELECT late, reason, from_us FROM runs ORDER BY id")
    begins = [START_US + second * 1_000_000 for second in (0, 100, 200)]
    assert runs == [(0, "start", begins[0]), (1, "start", begins[1]), (0, "gap", begins[2])]


def test_a_message_that_comes_again_is_confirmed_but_not_counted_again(shelf: Shelf) -> None:
    lost = Gap("S1", "head", START_US, START_US + 40_000, 1)
    first = samples([message(0, gaps=(lost,)), message(1, sequence=1)])
    take_all(shelf, [*first, *first])
    before = conclusions(shelf)
    outcome = shelf.intake.take(first)
    assert outcome.sessions == {(WEARER, "g1")}
    assert shelf.intake.confirmed((WEARER, "g1")).through == 1
    assert conclusions(shelf) == before
    ledger = shelf.rows("SELECT sensor, stored, missing, duplicates FROM ledger ORDER BY sensor")
    assert ledger == [("S1", 100, 1, 200)] + [(f"S{i}", 100, 0, 200) for i in (2, 3, 4)]
    assert shelf.rows("SELECT count(*) FROM gaps") == [(1,)]


def test_late_messages_are_a_run_of_their_own_and_leave_the_live_one_alone(tmp_path: Path) -> None:
    whole = [replace(m, sequence=i) for i, m in enumerate(day(180))]
    live, late = [*whole[:60], *whole[120:]], whole[60:120]
    shelf, without = Shelf(tmp_path / "a.db"), Shelf(tmp_path / "b.db")
    take_all(shelf, [calibrated(), *samples(live[:90]), *samples(late), *samples(live[90:])])
    take_all(without, [calibrated(), *samples(live)])
    assert shelf.intake.counts.late == 60
    assert [r for r in shelf.rows("SELECT late, reason FROM runs ORDER BY id") if r[0]] == [(1, "start")]
    assert set(conclusions(without)["episodes"]) < set(conclusions(shelf)["episodes"])
    shelf.now_us += LATE_IDLE_US + 1
    outcome = shelf.intake.close_late_runs()
    assert all(notice.episode.end_us is not None for notice in outcome.episodes.values())
    assert shelf.intake.confirmed((WEARER, "g1")).through == 179
    seen = shelf.rows("SELECT sum(seconds) FROM exposures WHERE kind = 'seen'")
    assert seen[0][0] == pytest.approx(180, abs=0.5)
    shelf.database.close()
    without.database.close()


def test_a_calibration_holds_from_its_own_time_on_however_early_it_comes(shelf: Shelf) -> None:
    take_all(shelf, [calibrated(20.25), *samples(day(40))])
    assert shelf.rows("SELECT from_us, calibration FROM runs ORDER BY id") == [
        (START_US, ""),
        (START_US + 20_260_000, "k1"),
    ]
    judged = shelf.rows(
        "SELECT min(t_s), calibration FROM seconds JOIN judgements ON id = judgement GROUP BY 2"
    )
    assert judged == [(START_US // 1_000_000 + 20, "k1")]


class Faulty(Pipeline):
    """Raises once at a message that leans by a certain amount."""

    def update(self, batches: Sequence[ImuBatch]) -> Results:
        if any(int(b.t_us[0]) == START_US + 30_000_000 for b in batches):
            raise ZeroDivisionError("a bug")
        return super().update(batches)


def test_a_fault_in_the_analysis_costs_a_run_but_no_sample(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "poise.db", Faulty)
    take_all(shelf, [calibrated(), *samples(day(60))])
    assert shelf.intake.counts.stored == 60
    assert shelf.intake.confirmed((WEARER, "g1")).through == 59
    assert shelf.rows("SELECT name, count FROM counters WHERE name != 'repeated'") == [("analysis failed", 1)]
    assert shelf.rows("SELECT reason, from_us FROM runs ORDER BY id")[1:] == [
        ("fault", START_US + 31_000_000)
    ]
    shelf.database.close()


def test_a_full_disk_confirms_nothing_says_so_and_loses_nothing(shelf: Shelf, tmp_path: Path) -> None:
    stream = [calibrated(), *samples(day(60))]
    take_all(shelf, stream[:20])
    with shelf.database.transaction() as c:
        pages = c.execute("PRAGMA page_count").fetchone()[0]
        c.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(StoreUnavailableError, match="full; make room"):
        shelf.intake.take(stream[20:])
    assert shelf.intake.confirmed((WEARER, "g1")).through == 18
    with shelf.database.transaction() as c:
        c.execute("PRAGMA max_page_count = 100000000")
    shelf.intake.take(stream[20:])
    assert shelf.intake.confirmed((WEARER, "g1")).through == 59
    whole = Shelf(tmp_path / "whole.db")
    take_all(whole, stream)
    assert conclusions(shelf) == conclusions(whole)
    whole.database.close()


def test_what_cannot_be_understood_is_put_aside_with_its_reason(shelf: Shelf) -> None:
    good = samples([message(0)])[0]
    status = notices.encode(SensorStatus(sensor="S9", segment="t4", state="lost", since_us=1))
    wrong_bucket = good.topic.replace(f"/{WEARER.bucket}/", f"/{(WEARER.bucket + 1) % 64}/")
    bad = [
        received(good.topic, b"\xc1 nonsense"),
        received(wrong_bucket, good.payload),
        received(good.topic.replace("poise/1", "poise/2"), good.payload),
        received(WEARER.topic(Leaf.SENSOR, "S1"), status),
        received(WEARER.topic(Leaf.LIVE), b"{}"),
        received(WEARER.topic(Leaf.CALIBRATION), b'{"v":1}'),
        received("poise/1/home/\ud800", good.payload),
    ]
    shelf.intake.take([*bad, good])
    assert shelf.intake.counts.stored == 1
    reasons = [row[0] for row in shelf.rows("SELECT reason FROM dead_letters ORDER BY id")]
    assert reasons == ["malformed", "bucket", "topic", "sensor", "not ours", "malformed", "topic"]


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    shelf = Shelf(tmp_path_factory.mktemp("fuzz") / "poise.db")
    yield shelf
    shelf.database.close()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_damaged_payloads_never_stop_the_stream(fuzzed: Shelf, data: st.DataObject) -> None:
    before = fuzzed.intake.counts.stored + fuzzed.intake.counts.duplicates
    good = encode_samples(message(0, sequence=data.draw(st.integers(0, 3))))
    start = data.draw(st.integers(0, len(good)))
    damage = data.draw(st.binary(max_size=8))
    kept = data.draw(st.integers(start, len(good)))
    bad = good[:start] + damage + good[kept:]
    leaf = data.draw(st.sampled_from([Leaf.SAMPLES, Leaf.PRESENCE, Leaf.CALIBRATION]))
    fuzzed.intake.take([received(WEARER.topic(leaf), bad), received(WEARER.topic(Leaf.SAMPLES), good)])
    assert fuzzed.intake.counts.stored + fuzzed.intake.counts.duplicates >= before + 1


def test_a_worker_takes_only_its_own_buckets(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "poise.db")
    shelf.intake._buckets = frozenset({(WEARER.bucket + 1) % 64})
    shelf.intake.take(samples([message(0)]))
    assert shelf.rows("SELECT reason FROM dead_letters") == [("not ours",)]
    shelf.database.close()


def test_a_database_of_a_newer_poise_and_a_file_that_is_none_are_refused(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "poise.db")
    with shelf.database.transaction() as c:
        c.execute("PRAGMA user_version = 99")
    shelf.database.close()
    with pytest.raises(ConfigurationError, match="update Poise"):
        Database(shelf.path)
    (tmp_path / "letter.db").write_text("Dear reader, this is no database." * 100)
    with pytest.raises(ConfigurationError, match="no database"):
        Database(tmp_path / "letter.db")
    with pytest.raises(StoreUnavailableError, match="is not there"), reading(tmp_path / "absent.db"):
        pass
