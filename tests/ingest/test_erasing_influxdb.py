"""At a real InfluxDB 2.7 and 1.8 nothing of a person is left, in any bucket or policy, and others stay."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from erasing_helpers import GONE, OTHER
from influx_helpers import HOUR, NOWHERE, RUN, T0, dice, some_seconds
from servers import Influx, InfluxSettings

from ingest.database.sqlite import Database
from ingest.erasing.carrying import Carrying
from ingest.erasing.erasure import Erasure
from ingest.erasing.influx import InfluxErasure, erase, known, place_of
from ingest.erasing.register import Register, Standing
from ingest.results.influxdb import outbox
from ingest.results.influxdb.forwarder import Forwarder
from ingest.results.influxdb.layout import CONCLUSIONS, TABLES
from ingest.results.influxdb.lines import lines
from ingest.results.influxdb.results import InfluxResults, of
from ingest.results.influxdb.server import InfluxServer
from ingest.results.store import key
from poise.cli.alone import alone
from poise.errors import StoreUnavailableError
from poise.results import Episode, Exposure, Kind, Results
from poise.topics import Wearer

SUFFIXES = {table.suffix for table in (CONCLUSIONS, *TABLES.values())}
NOW_US = (T0 + 5 * HOUR) * 1_000_000


def clock() -> int:
    return NOW_US


def some_results(seed: int) -> Results:
    episode = Episode(
        id=f"e{seed}", kind=Kind.SLOUCH, run_us=RUN, start_us=RUN, detected_us=RUN, end_us=None,
        last_us=RUN + 10**7, peak_rad=0.3, mean_rad=0.2, calibration="k", sensors=["c7"], remarks=[],
    )  # fmt: skip
    return Results(
        seconds=tuple(some_seconds(dice(seed), list(range(T0, T0 + 2 * HOUR, 7)))),
        episodes=(episode,),
        exposures=(Exposure(T0, RUN, "seen", 800.0),),
    )


@pytest.fixture
def server(influx: tuple[InfluxSettings, Influx | None]) -> Iterator[InfluxServer]:
    with closing(InfluxServer(influx[0])) as server:
        yield server


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(Database(tmp_path / "poise.db")) as database:
        yield database


def measured(server: InfluxServer, wearer: Wearer) -> dict[str, int]:
    counts = {}
    for suffix in SUFFIXES:
        sql = f"SELECT count(*) FROM /posture_.*/ WHERE {of(wearer)}"  # noqa: S608 - quoted
        for _, rows in server.query(sql, suffix):
            counts[suffix] = counts.get(suffix, 0) + sum(int(n or 0) for row in rows for n in row[1:])
    return counts


def written(server: InfluxServer, database: Database) -> Forwarder:
    """Seconds, minutes, hours, episodes and exposure of two wearers, at the server."""
    results = InfluxResults(server, database.path)
    register = Register(database.path.parent)
    erasure = InfluxErasure(server, register, "poise", clock)
    forwarder = Forwarder(database, server, clock=clock, quiet_s=0, erasure=erasure)
    with database.transaction() as c:
        for number, wearer in enumerate((GONE, OTHER)):
            results.write(c, wearer, "worn", some_results(number))
    while forwarder.work() or forwarder.waiting().lines:
        pass
    forwarder.work()
    return forwarder


def test_every_bucket_and_policy_is_emptied_of_one(server: InfluxServer, database: Database) -> None:
    forwarder = written(server, database)
    before, others = measured(server, GONE), measured(server, OTHER)
    assert set(before) == SUFFIXES
    register = Register(database.path.parent)
    register.put(key(GONE), Standing.ERASED, NOW_US)
    forwarder.work()
    assert measured(server, GONE) == before  # its outbox comes first
    with database.transaction() as c:
        late = lines(GONE, "worn", some_results(3))
        outbox.put(c, late, 10**9)
    register.refresh()
    Carrying(database, register, clock).look(changed=True)
    forwarder.work()
    assert measured(server, GONE) == {}
    assert measured(server, OTHER) == others
    series = [
        row[0] for suffix in SUFFIXES for _, rows in server.query("SHOW SERIES", suffix) for row in rows
    ]
    assert any(OTHER.patient in one for one in series)
    assert not any(GONE.patient in one for one in series)
    assert OTHER in known(server)
    note = register.notes(register.person(key(GONE)))[place_of("poise")]
    assert set(note.removed) == {
        "posture_second", "posture_minute", "posture_hour", "posture_episode", "posture_exposure",
    }  # fmt: skip
    assert note.removed["posture_second"] == len(some_results(0).seconds)


def test_without_ingest_the_command_does_it(server: InfluxServer, database: Database) -> None:
    written(server, database)
    database.close()
    erasure = Erasure(database.path.parent, GONE, clock, alone, server, patience_s=0.3)
    places = {place.name: place for place in erasure.carry_out(erasure.write_down())}
    assert {name: place.left for name, place in places.items() if place.left} == {}
    assert places["InfluxDB"].removed["posture_hour"] == 2
    assert measured(server, GONE) == {}
    assert measured(server, OTHER)


def test_deleting_what_is_not_there_changes_nothing(server: InfluxServer, database: Database) -> None:
    written(server, database)
    before = measured(server, OTHER)
    assert not erase(server, Wearer("P-nobody"))
    assert measured(server, OTHER) == before


def test_a_server_that_is_away_is_named_and_waited_for(tmp_path: Path) -> None:
    Database(tmp_path / "poise.db").close()
    with closing(InfluxServer(NOWHERE)) as server:
        erasure = Erasure(tmp_path, GONE, clock, alone, server, patience_s=0.3)
        places = {place.name: place for place in erasure.carry_out(erasure.write_down())}
        assert places["poise.db"].left == ""
        assert "no answer from InfluxDB" in places["InfluxDB"].left
        assert "run this again" in places["InfluxDB"].left
        with closing(Database(tmp_path / "poise.db")) as database:
            register = Register(tmp_path)
            forwarder = Forwarder(
                database, server, clock=clock, erasure=InfluxErasure(server, register, "poise", clock)
            )
            with pytest.raises(StoreUnavailableError):
                forwarder.work()
            assert list(register.pending(place_of("poise")))


def test_a_refused_line_of_the_erased_is_no_dead_letter(
    tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    register = Register(tmp_path)
    with closing(InfluxServer(NOWHERE)) as server:
        erasure = InfluxErasure(server, register, "poise", clock)
        monkeypatch.setattr(erasure, "look", lambda: None)
        forwarder = Forwarder(database, server, clock=clock, erasure=erasure)
        body = [line for wearer in (GONE, OTHER) for line in lines(wearer, "worn", some_results(1))[-1:]]
        with database.transaction() as c:
            outbox.put(c, body, 10**9)

        def refuse_after_the_order(_table: object, text: bytes) -> list[tuple[bytes, str]]:
            register.put(key(GONE), Standing.ERASED, NOW_US)
            return [(line, "refused") for line in text.split(b"\n")]

        monkeypatch.setattr(forwarder, "_write", refuse_after_the_order)
        forwarder.forward()
    with database.transaction() as c:
        (letter,) = c.execute("SELECT payload FROM dead_letters").fetchall()
    assert letter[0] == body[1]
