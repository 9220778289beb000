"""What ingest says of itself to Prometheus, and whether it is well and ready."""

import http.client
from pathlib import Path

import msgspec
import pytest
from ingest_helpers import START_US, Shelf, calibrated, day, samples
from prometheus_client.parser import text_string_to_metric_families

from ingest.metrics import Workers, served
from ingest.mqtt.settings import BrokerSettings
from ingest.overview import overview
from ingest.vitals import STALE_US, Vitals, decode, encode
from ingest.worker import Ingest
from poise.errors import ConfigurationError

NOW = [START_US]


def asked(port: int, path: str, host: str = "127.0.0.1") -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path, headers={"Host": f"{host}:{port}"})
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, body


def vitals(tmp_path: Path, worker: str) -> Vitals:
    """Of an ingest that has stored half a minute, put two messages aside and refused one."""
    shelf = Shelf(tmp_path / f"{worker[0]}.db")
    ingest = Ingest(BrokerSettings(), shelf.database, shelf.results, clock=lambda: shelf.now_us)
    for message in [calibrated(), *samples(day(30))]:
        shelf.now_us = START_US + 30_400_000
        outcome = ingest._intake.take([message])
        ingest._tally.note(outcome, shelf.now_us)
    garbage = samples(day(2))
    outcome = ingest._intake.take([type(g)(g.topic, b"?", 1, False, 1, 1) for g in garbage])
    ingest._tally.note(outcome, shelf.now_us)
    ingest._inbox.refused["home/anna"] += 1
    told = ingest.vitals(worker)
    assert overview(shelf.path).dead == {"malformed": 2}
    shelf.database.close()
    return msgspec.structs.replace(told, connected=True, at_us=NOW[0])


def test_what_a_worker_tells_arrives_and_is_served(tmp_path: Path) -> None:
    told = vitals(tmp_path, "1/2")
    assert decode(encode(told)) == told
    assert decode(b"some other line\n") is None
    workers = Workers(["1/2", "2/2"], lambda: NOW[0])
    workers.tell(told)
    with served(workers, 0) as port:
        assert asked(port, "/healthz") == (200, "ok\n")
        assert asked(port, "/readyz") == (503, "worker 2/2 is not there\n")
        workers.tell(msgspec.structs.replace(told, worker="2/2"))
        assert asked(port, "/readyz") == (200, "ok\n")
        workers.tell(msgspec.structs.replace(told, worker="2/2", trouble="the disk is full"))
        assert asked(port, "/readyz") == (503, "worker 2/2: the disk is full\n")
        assert asked(port, "/metrics", "a-page.example")[0] == 403
        assert asked(port, "/elsewhere")[0] == 404
        code, text = asked(port, "/metrics")
        assert code == 200
        with pytest.raises(ConfigurationError, match="metrics_port"), served(workers, port):
            pass
    found = {
        (sample.name, *(v for k, v in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert found["poise_messages_stored_total", "1/2"] == 30
    assert found["poise_samples_stored_total", "1/2"] == 30 * 4 * 50
    assert found["poise_dead_letters_total", "malformed", "1/2"] == 2
    assert found["poise_refused_by_wearer_total", "home/anna", "1/2"] == 1
    assert [found["poise_store_works", worker] for worker in ("1/2", "2/2")] == [1, 0]
    assert found["poise_sample_to_stored_seconds_count", "1/2"] == 30
    assert found["poise_sample_to_stored_seconds_bucket", "1.0", "1/2"] == 1
    assert found["poise_sample_to_stored_seconds_bucket", "30.0", "1/2"] == 30


def test_a_worker_that_says_nothing_any_more_is_seen(tmp_path: Path) -> None:
    now = [START_US]
    workers = Workers(["1/1"], lambda: now[0])
    workers.tell(vitals(tmp_path, "1/1"))
    assert workers.unready() == []
    now[0] += STALE_US + 1
    assert workers.unready() == ["worker 1/1 has said nothing for 10 s"]
    assert 'poise_worker_up{worker="1/1"} 0.0' in workers.text().decode()
