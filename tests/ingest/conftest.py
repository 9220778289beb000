import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers import Influx, InfluxSettings, Mosquitto, running_influx, running_mosquitto

from ingest.broker import BrokerSettings
from ingest.embedded import EmbeddedBroker


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    with running_mosquitto(tmp_path) as server:
        yield server


@pytest.fixture(scope="session")
def influx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[InfluxSettings, Influx | None]]:
    with running_influx(tmp_path_factory.mktemp("influxdb"), f"poise{os.getpid()}") as found:
        yield found


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
