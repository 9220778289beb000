"""Seconds for InfluxDB, in whole hours."""

from random import Random

from ingest.results.influxdb.server import InfluxSettings
from poise.results import Second

HOUR = 3600
T0 = 1_790_000_000 // HOUR * HOUR
RUN = T0 * 1_000_000


def dice(seed: int) -> Random:
    return Random(seed)  # noqa: S311 - test data


def some_seconds(rng: Random, times: list[int], stream: str = "head") -> list[Second]:
    rows = []
    for t_s in times:
        mean = rng.uniform(-1, 1)
        rows.append(
            Second(
                t_s, stream, mean, mean - rng.random(), mean + rng.random(), rng.randint(1, 10) / 10, RUN, "k"
            )
        )
    return rows


NOWHERE = InfluxSettings(url="http://127.0.0.1:9", token="x", org="x", bucket="x")  # noqa: S106 - no server
