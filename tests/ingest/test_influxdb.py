"""The outbox, its cap and what the server refuses; minutes and hours; the written schema. On real servers."""

import asyncio
import math
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from influx_helpers import HOUR, NOWHERE, T0, dice, some_seconds
from ingest_helpers import START_US, eventually
from servers import Influx

from ingest.database.sqlite import Database
from ingest.reading import Series
from ingest.results.coarse import coarser, step_for
from ingest.results.influxdb.forwarder import Forwarder
from ingest.results.influxdb.layout import create
from ingest.results.influxdb.results import InfluxResults
from ingest.results.influxdb.server import InfluxServer, InfluxSettings
from ingest.results.store import SqliteResults
from poise.errors import ConfigurationError, StoreUnavailableError
from poise.results import Results, Second
from poise.topics import Wearer


class Bench:
    """A database, a server, and a clock that a test sets."""

    def __init__(self, path: Path, settings: InfluxSettings, most_bytes: int = 10**9) -> None:
        self.now_us = (T0 + 100 * HOUR) * 1_000_000
        self.database, self.server = Database(path), InfluxServer(settings)
        self.store = InfluxResults(self.server, path, most_bytes)
        self.forwarder = Forwarder(
            self.database, self.server, most_bytes=most_bytes, clock=lambda: self.now_us, quiet_s=60
        )

    def write(self, wearer: Wearer, seconds: list[Second]) -> None:
        with self.database.transaction() as c:
            self.store.write(c, wearer, "simulated", Results(seconds=tuple(seconds)))

    def settle(self) -> None:
        """Forward everything; an hour is made when it was quiet for a minute."""
        self.forwarder.work()
        self.now_us += 61_000_000
        while self.forwarder.work():
            pass

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with self.database.transaction() as c:
            return c.execute(sql).fetchall()

    def minutes(self, wearer: Wearer) -> int:
        """How many minutes the server holds."""
        asked = f"SELECT coverage FROM posture_minute WHERE patient = '{wearer.patient}'"  # noqa: S608
        return sum(len(rows) for _, rows in self.server.query(asked, "_1m"))

    def close(self) -> None:
        self.server.close()
        self.database.close()


@pytest.fixture
def bench(influx: tuple[InfluxSettings, Influx | None], tmp_path: Path) -> Iterator[Bench]:
    with closing(Bench(tmp_path / "poise.db", influx[0])) as made:
        yield made


@pytest.fixture
def wearer(request: pytest.FixtureRequest) -> Wearer:
    return Wearer(f"w{zlib.crc32(request.node.name.encode())}")


def oracle(seconds: list[Second], step_s: int) -> list[tuple[float, ...]]:
    """Minutes or hours the slow way; the newest of each second counts."""
    newest = {second.t_s: second for second in seconds}
    bins: dict[int, list[Second]] = {}
    for t_s in sorted(newest):
        bins.setdefault(t_s // step_s * step_s, []).append(newest[t_s])
    return [
        (
            t_s,
            math.fsum(s.mean * s.coverage for s in rows) / math.fsum(s.coverage for s in rows),
            min(s.low for s in rows),
            max(s.high for s in rows),
            math.fsum(s.coverage for s in rows) / step_s,
        )
        for t_s, rows in bins.items()
    ]


def assert_is(series: Series, expected: list[tuple[float, ...]]) -> None:
    assert series.t_s.tolist() == [row[0] for row in expected]
    found = np.column_stack(series.columns)
    np.testing.assert_allclose(found, np.array(expected).reshape(-1, 5), rtol=1e-12, atol=1e-12)


class TestSteps:
    @pytest.mark.parametrize(
        ("span_s", "points", "step_s"),
        [(86_400, 0, 1), (86_400, 500, 120), (3600, 500, 7), (300, 500, 1), (86_400 * 90, 500, 4 * HOUR)],
    )
    def test_the_longest_step_is_taken_that_gives_the_points(
        self, span_s: int, points: int, step_s: int
    ) -> None:
        assert step_for(0, span_s, points) == step_s
        assert not points or step_s == 1 or span_s / step_s >= points

    def test_minutes_to_hours_give_what_seconds_to_hours_give(self) -> None:
        rng = dice(5)
        rows = some_seconds(rng, sorted(rng.sample(range(T0, T0 + 3 * HOUR), 4000)))
        columns = zip(*((s.t_s, s.mean, s.low, s.high, s.coverage) for s in rows), strict=True)
        t_s, *others = (np.array(column) for column in columns)
        seconds = Series(t_s, *others)
        direct, by_minutes = coarser(seconds, HOUR), coarser(coarser(seconds, 60), HOUR)
        for a, b in zip(direct.columns, by_minutes.columns, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12)
        assert_is(direct, oracle(rows, HOUR))

    def test_sqlite_gives_the_same_steps(self, tmp_path: Path) -> None:
        rng, database, anna = dice(6), Database(tmp_path / "poise.db"), Wearer("anna")
        rows = some_seconds(rng, sorted(rng.sample(range(T0, T0 + 10 * HOUR), 5000)))
        store = SqliteResults(database.path)
        with database.transaction() as c:
            store.write(c, anna, "worn", Results(seconds=tuple(rows)))
        for points, step_s in ((500, 60), (10, HOUR), (300, 120)):
            found = store.series(anna, ["head", "nobody"], T0, T0 + 10 * HOUR, points)
            assert_is(found["head"], oracle(rows, step_s))
            assert (found["head"].step_s, len(found["nobody"].t_s)) == (step_s, 0)
        database.close()


@pytest.mark.influxdb
class TestDownsampling:
    def test_minutes_and_hours_are_right_before_and_after_they_are_made(
        self, bench: Bench, wearer: Wearer
    ) -> None:
        rng = dice(1)
        rows = some_seconds(rng, sorted(rng.sample(range(T0, T0 + 5 * HOUR), 9000)))
        bench.write(wearer, rows)
        bench.forwarder.forward()
        for _ in range(2):
            for points, step_s in ((300, 60), (5, HOUR), (100, 180)):
                found = bench.store.series(wearer, ["head"], T0, T0 + 5 * HOUR, points)["head"]
                assert_is(found, oracle(rows, step_s))
            bench.settle()
            assert bench.rows("SELECT count(*) FROM stale_hours") == [(0,)]

    def test_late_and_rewritten_seconds_are_in_them(self, bench: Bench, wearer: Wearer) -> None:
        rng = dice(2)
        rows = some_seconds(rng, list(range(T0, T0 + 2 * HOUR, 3)))
        bench.write(wearer, rows)
        bench.settle()
        for again in (
            some_seconds(rng, list(range(T0 + 600, T0 + 900))),
            some_seconds(rng, [T0 - 1, T0 + HOUR]),
        ):
            bench.write(wearer, again)
            bench.forwarder.forward()
            rows += again
            for _ in range(2):
                found = bench.store.series(wearer, ["head"], T0 - HOUR, T0 + 2 * HOUR, 180)["head"]
                assert_is(found, oracle(rows, 60))
                bench.settle()

    def test_an_hour_is_made_when_it_is_over_and_all_of_it_has_arrived(
        self, bench: Bench, wearer: Wearer
    ) -> None:
        bench.now_us = (T0 + HOUR - 100) * 1_000_000
        bench.write(wearer, some_seconds(dice(3), list(range(T0, T0 + 3000))))
        bench.settle()
        assert bench.rows("SELECT count(*) FROM stale_hours") == [(1,)]
        assert bench.minutes(wearer) == 0
        bench.now_us += 200_000_000
        bench.settle()
        assert bench.rows("SELECT count(*) FROM stale_hours") == [(0,)]
        assert bench.minutes(wearer) == 50

    def test_what_the_server_may_have_deleted_is_not_made_again(self, bench: Bench, wearer: Wearer) -> None:
        rows = some_seconds(dice(4), list(range(T0, T0 + 100)))
        bench.write(wearer, rows)
        bench.settle()
        bench.server.settings = replace(bench.server.settings, keep_1s_days=1)
        bench.now_us = (T0 + 50 * HOUR) * 1_000_000
        bench.write(wearer, some_seconds(dice(5), [T0 + 50]))
        bench.settle()
        assert_is(bench.store.series(wearer, ["head"], T0, T0 + HOUR, 60)["head"], oracle(rows, 60))
        assert bench.rows("SELECT count(*) FROM stale_hours") == [(0,)]


@pytest.mark.influxdb
class TestOutbox:
    def test_what_a_server_no_longer_keeps_is_no_bad_data(
        self, bench: Bench, wearer: Wearer, influx: tuple[InfluxSettings, Influx | None]
    ) -> None:
        short = replace(influx[0], bucket=influx[0].bucket + "short", keep_1s_days=2)
        with closing(InfluxServer(short)) as server:
            list(create(server))
            forwarder = Forwarder(bench.database, server)
            recent = START_US // 1_000_000 + 10**9  # far ahead is kept, long ago is not
            bench.write(wearer, some_seconds(dice(1), [1_500_000_000, 1_500_000_001, recent]))
            assert forwarder.forward() == 3
            assert (forwarder.refused, forwarder.expired, forwarder.waiting().lines) == (0, 2, 0)
            store = InfluxResults(server, bench.database.path)
            assert store.series(wearer, ["head"], 0, 2**40)["head"].t_s.tolist() == [recent]

    @pytest.mark.parametrize("wrong", ["token", "bucket"])
    def test_a_wrong_token_or_bucket_keeps_everything(
        self, bench: Bench, wearer: Wearer, influx: tuple[InfluxSettings, Influx | None], wrong: str
    ) -> None:
        settings = replace(influx[0], **{wrong: "nonsense/x"})
        bench.write(wearer, some_seconds(dice(1), [T0, T0 + 1]))
        with closing(InfluxServer(settings)) as server:
            forwarder = Forwarder(bench.database, server)
            with pytest.raises(StoreUnavailableError):
                forwarder.forward()
        assert (forwarder.refused, forwarder.waiting().lines) == (0, 2)
        assert bench.rows("SELECT count(*) FROM dead_letters") == [(0,)]
        bench.settle()
        assert len(bench.store.series(wearer, ["head"], T0, T0 + 2)["head"].t_s) == 2

    async def test_trouble_and_size_are_told(self, bench: Bench, wearer: Wearer, tmp_path: Path) -> None:
        bench.write(wearer, some_seconds(dice(1), list(range(T0, T0 + 100))))
        with closing(InfluxServer(NOWHERE)) as server:
            forwarder = Forwarder(
                bench.database, server, most_bytes=2 * bench.forwarder.waiting().stored_bytes
            )
            task = asyncio.create_task(forwarder.run())
            await eventually(lambda: forwarder.trouble)
            task.cancel()
        assert "no answer from InfluxDB" in forwarder.trouble
        assert "outbox for InfluxDB holds 100 lines" in forwarder.trouble
        assert "nothing more is confirmed" in forwarder.trouble


@pytest.mark.influxdb
class TestLayout:
    def test_making_it_again_changes_nothing_and_says_so(self, influx: Any) -> None:
        settings = replace(influx[0], bucket=influx[0].bucket + "x", keep_1s_days=30)
        with closing(InfluxServer(settings)) as server:
            first, second = list(create(server)), list(create(server))
            names = [settings.bucket + suffix for suffix in ("", "_1s", "_1m", "_1h")]
            assert all(
                said.startswith("made: ") and name in said for said, name in zip(first, names, strict=True)
            )
            assert "kept for 30 days" in first[1]
            assert second == [said.replace("made: ", "there: ") for said in first]
        with closing(InfluxServer(replace(settings, keep_1s_days=0, keep_1m_days=7))) as server:
            changed = list(create(server))
            assert [said.partition(":")[0] for said in changed] == ["there", "changed", "changed", "there"]
            assert "kept for ever, 168 h in a file (before: kept for 30 days, 24 h in a file)" in changed[1]
            assert "kept for 7 days, 24 h in a file (before: kept for ever, 672 h in a file)" in changed[2]

    def test_settings_that_do_not_fit_end_with_a_sentence(self, influx: Any) -> None:
        settings: InfluxSettings = influx[0]
        wrong = replace(settings, org="nobody") if settings.org != "-" else replace(settings, bucket="poise")
        words = "store.org" if settings.org != "-" else "database/policy"
        with closing(InfluxServer(wrong)) as server, pytest.raises(ConfigurationError, match=words):
            list(create(server))
