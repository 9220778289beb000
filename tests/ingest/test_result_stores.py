"""One contract for both result stores: SQLite, and a real InfluxDB by way of the outbox."""

import math
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import pytest
from servers import INFLUX_VERSIONS

from analytics.conclusions import Conclusions
from analytics.exposure.counts import Counts, QuarterExposure
from ingest.database.sqlite import Database
from ingest.results.influxdb import outbox
from ingest.results.influxdb.forwarder import Forwarder
from ingest.results.influxdb.results import InfluxResults
from ingest.results.influxdb.server import InfluxServer, InfluxSettings
from ingest.results.store import ResultStore, SqliteResults, storable
from poise.errors import StoreUnavailableError
from poise.results import Activity, Episode, Exposure, Kind, Results, Second
from poise.topics import Wearer

T0 = 1_790_000_100
RUN = T0 * 1_000_000 - 777


def second(t_s: int, stream: str = "head", mean: float = 0.1) -> Second:
    return Second(t_s, stream, mean, mean - 0.01, mean + 0.01, 0.9, RUN, "k1")


def episode(start_s: float, end_s: float | None, last_s: float, kind: Kind = Kind.SLOUCH) -> Episode:
    start_us = round((T0 + start_s) * 1e6)
    return Episode(
        f"{RUN}-{kind}-{start_us}",
        kind,
        RUN,
        start_us,
        start_us + 10_000_000,
        None if end_s is None else round((T0 + end_s) * 1e6),
        round((T0 + last_s) * 1e6),
        0.5,
        1 / 3,
        "k1",
        ("t4", "c7"),
        ("lumbar unseen",),
        1 / 7,
        Activity.STANDING,
        0.9,
    )


def counted(quarter_s: int, run_us: int, frames: int) -> QuarterExposure:
    counts = Counts.zero(("head", "neck"))
    counts.angle[0, 40], counts.judged, counts.shifts = frames, frames, 1
    counts.eva[1, 2, 3], counts.dose[1] = frames, (17, frames)
    return QuarterExposure(quarter_s, run_us, counts)


class Written:
    """A store, and a way to write to it that returns when it can be read."""

    def __init__(self, database: Database, store: ResultStore, settle: Callable[[], object]) -> None:
        self.database, self.store, self.settle = database, store, settle

    def write(self, wearer: Wearer, results: Results) -> None:
        with self.database.transaction() as connection:
            self.store.write(connection, wearer, "simulated", results)
        self.settle()


@pytest.fixture(
    params=["sqlite", *(pytest.param(version, marks=pytest.mark.influxdb) for version in INFLUX_VERSIONS)]
)
def written(
    request: pytest.FixtureRequest, tmp_path: Path, influx_of: Callable[[str], Any]
) -> Iterator[Written]:
    database = Database(tmp_path / "poise.db")
    try:
        if request.param == "sqlite":
            yield Written(database, SqliteResults(database.path), lambda: None)
            return
        server = InfluxServer(influx_of(request.param)[0])
        yield Written(database, InfluxResults(server, database.path), Forwarder(database, server).forward)
        server.close()
    finally:
        database.close()


@pytest.fixture
def wearer(request: pytest.FixtureRequest) -> Wearer:
    """A wearer of this test's own: the server is shared."""
    return Wearer(f"p{zlib.crc32(request.node.name.encode())}")


class TestContract:
    def test_seconds_come_back_as_written_and_what_is_not_there_stays_missing(
        self, written: Written, wearer: Wearer
    ) -> None:
        rows = [second(T0 + i, mean=i / 7) for i in (0, 1, 2, 5, 6)]
        written.write(wearer, Results(seconds=tuple(rows)))
        found = written.store.series(wearer, ["head", "never worn"], T0 + 1, T0 + 6)
        assert found["head"].t_s.tolist() == [T0 + 1, T0 + 2, T0 + 5]
        np.testing.assert_array_equal(found["head"].mean, [1 / 7, 2 / 7, 5 / 7])
        np.testing.assert_array_equal(found["head"].low, [r.low for r in rows[1:4]])
        np.testing.assert_array_equal(found["head"].coverage, [0.9] * 3)
        assert len(found["never worn"].t_s) == 0

    def test_writing_again_replaces_and_never_doubles(self, written: Written, wearer: Wearer) -> None:
        open_one, closed = episode(0, None, 20), episode(0, 31.5, 31.4)
        for state in (open_one, closed, closed):
            written.write(
                wearer,
                Results(
                    seconds=(second(T0, mean=0.2),),
                    episodes=(state,),
                    exposures=(Exposure(T0 // 900 * 900, RUN, "slouch", state.duration_s),),
                ),
            )
        assert written.store.series(wearer, ["head"], T0, T0 + 1)["head"].mean.tolist() == [0.2]
        assert list(written.store.episodes(wearer, T0 * 1_000_000, T0 * 1_000_000 + 1)) == [closed]
        (today,) = written.store.days(wearer, date(2026, 9, 21), date(2026, 9, 21), "UTC")
        assert today.seconds["slouch"] == pytest.approx(31.5)

    def test_episodes_are_found_by_overlap_and_an_open_one_up_to_its_newest_frame(
        self, written: Written, wearer: Wearer
    ) -> None:
        first, second_one = episode(0, 30, 29.9), episode(100, None, 130, Kind.FORWARD_HEAD)
        written.write(wearer, Results(episodes=(second_one, first)))

        def ids(from_s: float, to_s: float) -> list[str]:
            found = written.store.episodes(wearer, round((T0 + from_s) * 1e6), round((T0 + to_s) * 1e6))
            return [e.id for e in found]

        assert ids(-10, 200) == [first.id, second_one.id]
        assert ids(29, 50) == [first.id]
        assert ids(31, 100) == []
        assert ids(125, 126) == [second_one.id]
        assert ids(131, 500) == []

    def test_a_long_time_of_episodes_comes_whole_and_in_order(self, written: Written, wearer: Wearer) -> None:
        day_s, length = 86_400, 400
        before, over, inside = episode(-9000, -8000, -8000), episode(-60, 30, 30), range(0, length, 5)
        held = [episode(day * day_s, day * day_s + 20, day * day_s + 20) for day in inside]
        twins = [replace(held[10], id=f"{held[10].id}-2", kind=Kind.SIDE_BEND)]
        after = episode(length * day_s, None, length * day_s + 20)
        written.write(wearer, Results(episodes=(after, *twins, *reversed(held), over, before)))
        found = written.store.episodes(wearer, T0 * 1_000_000, (T0 + length * day_s) * 1_000_000)
        assert [one.id for one in found] == [one.id for one in (over, *held[:11], *twins, *held[11:])]
        ever = written.store.episodes(wearer, 0, 2**62)
        assert (ever[0].id, ever[-1].id, len(ever)) == (before.id, after.id, len(held) + 4)

    def test_years_of_days_come_whole(self, written: Written, wearer: Wearer) -> None:
        first, count = date(2021, 3, 1), 365 * 6
        noons = [int(datetime.combine(first, time(12), UTC).timestamp()) + n * 86_400 for n in range(count)]
        written.write(wearer, Results(exposures=tuple(Exposure(t_s, RUN, "seen", 60.0) for t_s in noons)))
        days = written.store.days(wearer, first, first + timedelta(days=count), "Europe/Berlin")
        assert [(one.day, one.seen_s) for one in days] == [
            (first + timedelta(days=n), 60.0) for n in range(count)
        ]

    def test_quarters_of_all_runs_add_up_to_local_days(self, written: Written, wearer: Wearer) -> None:
        # 21 Sep 2026, 22:00 UTC, is already the 22nd in Berlin.
        evening = 1_790_028_000
        rows = [
            Exposure(evening - 900, RUN, "seen", 900.0),
            Exposure(evening, RUN, "seen", 600.0),
            Exposure(evening, RUN + 5_000_001, "seen", 200.0),
            Exposure(evening, RUN, "slouch", 60.5),
        ]
        written.write(wearer, Results(exposures=tuple(rows)))
        days = written.store.days(wearer, date(2026, 9, 20), date(2026, 9, 22), "Europe/Berlin")
        assert [(d.day.day, d.seen_s, dict(d.seconds)) for d in days] == [
            (21, 900.0, {}),
            (22, 800.0, {"slouch": 60.5}),
        ]
        (utc,) = written.store.days(wearer, date(2026, 9, 21), date(2026, 9, 21), "UTC")
        assert utc.seen_s == 1700.0

    @pytest.mark.parametrize(
        ("first", "last", "zone"),
        [
            (date(2026, 10, 23), date(2026, 10, 27), "Europe/Berlin"),
            (date(2026, 3, 27), date(2026, 3, 30), "Europe/Berlin"),
            (date(2026, 3, 1), date(2026, 4, 20), "Asia/Kathmandu"),
            (date(2026, 10, 2), date(2026, 10, 6), "Australia/Lord_Howe"),
        ],
    )
    def test_a_day_has_all_its_quarters_also_when_clocks_are_changed(
        self, written: Written, wearer: Wearer, first: date, last: date, zone: str
    ) -> None:
        noon = int(datetime.combine(first, time(12), UTC).timestamp())
        quarters = range(noon - 2 * 86_400, noon + ((last - first).days + 2) * 86_400, 900)
        expected: dict[date, float] = {}
        for quarter_s in quarters:
            day = datetime.fromtimestamp(quarter_s, ZoneInfo(zone)).date()
            if first <= day <= last:
                expected[day] = expected.get(day, 0.0) + quarter_s % 7000
        rows = [Exposure(quarter_s, RUN, "seen", float(quarter_s % 7000)) for quarter_s in quarters]
        written.write(wearer, Results(exposures=tuple(rows)))
        days = written.store.days(wearer, first, last, zone)
        assert {day.day: day.seen_s for day in days} == expected
        assert len(days) == (last - first).days + 1

    def test_names_that_the_languages_would_trip_over_are_kept_apart(
        self, written: Written, wearer: Wearer
    ) -> None:
        awkward = ["t4, =x", "it's", 'sé"g', "a\\", "neck frontal"]
        written.write(
            wearer,
            Results(seconds=tuple(second(T0, name, float(i)) for i, name in enumerate(awkward))),
        )
        found = written.store.series(wearer, awkward, T0, T0 + 1)
        assert [found[name].mean.tolist() for name in awkward] == [[float(i)] for i in range(5)]

    def test_full_exposure_comes_back_as_written_by_quarter_and_run(
        self, written: Written, wearer: Wearer
    ) -> None:
        quarter_s = T0 // 900 * 900
        rows = [counted(quarter_s, RUN, 3), counted(quarter_s, RUN + 1, 4), counted(quarter_s + 900, RUN, 5)]
        written.write(wearer, Conclusions(quarters=(rows[2], rows[0], rows[1])))
        written.write(wearer, Conclusions(quarters=(counted(quarter_s + 900, RUN, 6),)))
        found = written.store.quarters(wearer, quarter_s, quarter_s + 1800)
        expected = [rows[0], rows[1], counted(quarter_s + 900, RUN, 6)]
        assert [q.to_plain() for q in found] == [q.to_plain() for q in expected]
        assert len(written.store.quarters(wearer, quarter_s + 900, quarter_s + 901)) == 1

    def test_wearers_are_kept_apart_also_between_sites(self, written: Written, wearer: Wearer) -> None:
        elsewhere = Wearer(wearer.patient, "clinic")
        written.write(wearer, Results(seconds=(second(T0, mean=1.0),), episodes=(episode(0, 1, 1),)))
        written.write(elsewhere, Results(seconds=(second(T0, mean=2.0),)))
        assert written.store.series(elsewhere, ["head"], T0, T0 + 1)["head"].mean.tolist() == [2.0]
        assert list(written.store.episodes(elsewhere, 0, 2**60)) == []


def test_an_episode_from_before_severity_was_known_reads_with_its_defaults(tmp_path: Path) -> None:
    database, wearer, written = Database(tmp_path / "poise.db"), Wearer("older"), episode(0, 31.5, 31.4)
    whole = msgspec.to_builtins(written)
    older = {name: whole[name] for name in whole if name not in ("dose_rad_s", "activity", "coverage")}
    store = SqliteResults(database.path)
    with database.transaction() as connection:
        store.write(connection, wearer, "worn", Results(episodes=(written,)))
        connection.execute("UPDATE episodes SET episode = ?", (msgspec.json.encode(older).decode(),))
    (found,) = store.episodes(wearer, 0, 2**60)
    assert (found.dose_rad_s, found.activity, found.coverage) == (0.0, Activity.UNKNOWN, 1.0)
    assert replace(found, dose_rad_s=1 / 7, activity=Activity.STANDING, coverage=0.9) == written
    database.close()


def test_rows_without_a_number_are_not_stored() -> None:
    nothing = second(T0, mean=math.nan)
    assert storable(Results(seconds=(nothing, second(T0)))).seconds == (second(T0),)


@pytest.mark.influxdb
def test_one_bad_line_is_put_aside_and_all_others_arrive(influx: Any, tmp_path: Path) -> None:
    database, server = Database(tmp_path / "poise.db"), InfluxServer(influx[0])
    store, forwarder, wearer = (
        InfluxResults(server, database.path),
        Forwarder(database, server),
        Wearer("badline"),
    )
    with database.transaction() as c:
        for part in (range(20), range(20, 50)):
            store.write(c, wearer, "worn", Results(seconds=tuple(second(T0 + i) for i in part)))
        outbox.put(c, [b"posture_second mean=oops"], 10**6)
    while forwarder.forward():
        pass
    assert (forwarder.forwarded, forwarder.refused, forwarder.waiting().lines) == (50, 1, 0)
    assert len(store.series(wearer, ["head"], T0, T0 + 50)["head"].t_s) == 50
    with database.transaction() as c:
        (letter,) = c.execute("SELECT topic, payload, reason FROM dead_letters").fetchall()
    assert letter == ("influxdb", b"posture_second mean=oops", "refused")
    server.close()
    database.close()


@pytest.mark.influxdb
def test_nothing_is_lost_while_influxdb_is_down(influx: Any, tmp_path: Path) -> None:
    settings, process = influx
    if process is None:
        pytest.skip("the server is not ours to kill")
    database, server = Database(tmp_path / "poise.db"), InfluxServer(settings)
    store, forwarder, wearer = (
        InfluxResults(server, database.path),
        Forwarder(database, server),
        Wearer("outage"),
    )

    def write(first: int) -> None:
        with database.transaction() as c:
            store.write(c, wearer, "worn", Results(seconds=tuple(second(T0 + first + i) for i in range(100))))

    write(0)
    forwarder.forward()
    process.kill()
    write(100)
    with pytest.raises(StoreUnavailableError, match="no answer from InfluxDB"):
        forwarder.forward()
    with pytest.raises(StoreUnavailableError, match="no answer from InfluxDB"):
        store.episodes(wearer, 0, 2**62)
    write(200)
    process.start()
    process.ready()
    while forwarder.waiting().lines:
        forwarder.forward()
    assert len(store.series(wearer, ["head"], T0, T0 + 300)["head"].t_s) == 300
    server.close()
    database.close()


@pytest.mark.influxdb
def test_a_wrong_token_or_bucket_is_never_taken_for_bad_data(influx: Any) -> None:
    right = influx[0]
    for wrong, words in (("token", "token"), ("bucket", "bucket")):
        values = {"url": right.url, "token": right.token, "org": right.org, "bucket": right.bucket}
        server = InfluxServer(InfluxSettings(**{**values, wrong: "nonsense"}))
        with pytest.raises(StoreUnavailableError, match=words):
            server.write(b"posture_second,site=home mean=1 1790000000000000")
        server.close()
