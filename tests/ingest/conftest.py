import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest
from servers import INFLUX_VERSIONS, Influx, InfluxSettings, Mosquitto, running_influx, running_mosquitto

from device.spooling.spool import DiskSpool
from ingest.mqtt.embedded import EmbeddedBroker
from ingest.mqtt.settings import BrokerSettings


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    with running_mosquitto(tmp_path) as server:
        yield server


Found = tuple[InfluxSettings, Influx | None]


@pytest.fixture(scope="session")
def influx_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Found]]:
    """Gives the real InfluxDB of a version, started when it is first asked for."""
    with ExitStack() as stack:

        @cache
        def start(version: str) -> Found:
            folder = tmp_path_factory.mktemp("influxdb")
            return stack.enter_context(running_influx(folder, f"poise{os.getpid()}", version))

        yield start


@pytest.fixture(params=INFLUX_VERSIONS)
def influx(request: pytest.FixtureRequest, influx_of: Callable[[str], Found]) -> Found:
    """A real InfluxDB of each version: where it is, and its process if it is our own."""
    return influx_of(request.param)


@pytest.fixture(params=["embedded", pytest.param("mosquitto", marks=pytest.mark.mosquitto)])
async def broker(request: pytest.FixtureRequest, tmp_path: Path):
    """Settings of a running broker of each kind."""
    if request.param == "embedded":
        async with EmbeddedBroker(0) as embedded:
            yield embedded.settings
    else:
        with running_mosquitto(tmp_path) as server:
            settings: BrokerSettings = server.settings
            yield settings


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[DiskSpool]:
    """What waits at a gateway."""
    spool = DiskSpool(tmp_path / "spool.db")
    yield spool
    spool.close()
