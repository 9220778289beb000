"""Synthetic messages and small stand-ins for the ingest tests."""

import asyncio
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from seconds_table import asked

from analytics.pipeline import Pipeline
from ingest.database.journal import Journal
from ingest.database.sqlite import Database
from ingest.judging.intake import Intake
from ingest.mqtt.settings import Received
from ingest.results.store import SqliteResults
from poise import notices
from poise.calibration import Alignment, Calibration, Verdict
from poise.notices import CalibrationNotice
from poise.samples import Gap, ImuBatch, SampleMessage, Scale
from poise.topics import Leaf, Wearer
from poise.wire import encode_samples

START_US = 1_790_000_000_000_000
WEARER = Wearer("anna")
SENSORS = {"head": "S1", "c7": "S2", "t4": "S3", "lumbar": "S4"}
_HZ = 50
_SCALE = Scale(4_000_000, 1_000_000)
_LEAN_RAD = {"head": 0.5, "c7": 0.42, "t4": 0.45, "lumbar": 0.03}


def batch(segment: str, second: float, *, lean: float = 0.0, seconds: float = 1.0) -> ImuBatch:
    """A sensor whose x points up when upright, leaning forward by a share of a clear slouch."""
    n = int(_HZ * seconds)
    angle = lean * _LEAN_RAD[segment]
    up = 9.81 * np.array([math.cos(angle), 0.0, math.sin(angle)])
    start_us = START_US + round(second * 1e6)
    return ImuBatch(
        sensor=SENSORS[segment],
        segment=segment,
        first_tick=round(second * 1e6) + 10_000_000,
        period_ns=1_000_000_000 // _HZ,
        t_us=start_us + np.arange(n, dtype=np.int64) * (1_000_000 // _HZ),
        acc=np.tile(np.rint(up / 4e-3).astype(np.int16), (n, 1)),
        gyr=np.zeros((n, 3), np.int16),
        scale=_SCALE,
    )


def message(
    second: float, *, lean: float = 0.0, session: str = "g1", sequence: int = 0, gaps: tuple[Gap, ...] = ()
) -> SampleMessage:
    batches = tuple(batch(segment, second, lean=lean) for segment in SENSORS)
    return SampleMessage(session, sequence, batches, gaps, origin="simulated")


def day(seconds: int, start: float = 0.0) -> list[SampleMessage]:
    """Upright and slouched in turns of half a minute."""
    return [message(start + i, lean=1.0 if (i // 30) % 2 else 0.0, sequence=i) for i in range(seconds)]


def calibration(made_second: float = -10.0, name: str = "k1") -> Calibration:
    """Upright as these sensors show it: their x is up, z is forward."""
    # Segment frame: x forward, y left, z up; the sensor sees up as its x and forward as its -z.
    half = math.sqrt(0.5)
    return Calibration(
        name,
        START_US + round(made_second * 1e6),
        "static",
        Verdict.GOOD,
        {segment: Alignment(sensor, (half, 0.0, half, 0.0), 0.01) for segment, sensor in SENSORS.items()},
    )


class Shelf:
    """An ingest database with everything around it."""

    def __init__(self, path: Path, new_analysis: Callable[[], object] = Pipeline) -> None:
        self.path = path
        self.now_us = START_US
        self.database = Database(path)
        self.journal = Journal(self.database)
        self.results = SqliteResults(path)
        self.intake = Intake(
            self.database,
            self.journal,
            self.results,
            new_analysis,
            lambda: self.now_us,  # type: ignore[arg-type]
        )

    def rows(self, sql: str, *values: object) -> list[tuple[object, ...]]:
        with self.database.transaction() as c:
            return asked(c, sql, values)


async def eventually(holds: Callable[[], object], within_s: float = 20.0) -> None:
    """Wait until something holds."""
    until = asyncio.get_running_loop().time() + within_s
    while not holds():
        if asyncio.get_running_loop().time() > until:
            raise AssertionError(f"still not so after {within_s} s")
        await asyncio.sleep(0.02)


def sequences(rows: Sequence[tuple[object, ...]]) -> list[object]:
    return [row[0] for row in rows]


def received(topic: str, payload: bytes) -> Received:
    return Received(topic, payload, 1, False, 1, 1)


def samples(messages: Iterable[SampleMessage], wearer: Wearer = WEARER) -> list[Received]:
    return [received(wearer.topic(Leaf.SAMPLES), encode_samples(m)) for m in messages]


def calibrated(made_second: float = -10.0, name: str = "k1") -> Received:
    notice = CalibrationNotice(calibration=calibration(made_second, name))
    return received(WEARER.topic(Leaf.CALIBRATION), notices.encode(notice))


def conclusions(shelf: Shelf) -> dict[str, list[tuple[object, ...]]]:
    """Everything that was concluded, without the rows' numbers."""
    return {
        "seconds": shelf.rows(
            "SELECT name, t_s, mean, low, high, coverage, run_us, calibration FROM seconds "
            "JOIN streams ON streams.id = stream JOIN judgements ON judgements.id = judgement ORDER BY 1, 2"
        ),
        "episodes": shelf.rows("SELECT episode FROM episodes ORDER BY id"),
        "exposures": shelf.rows("SELECT * FROM exposures ORDER BY 2, 3, 4"),
    }


def take_all(shelf: Shelf, messages: Sequence[Received], at_once: int = 7) -> None:
    for i in range(0, len(messages), at_once):
        shelf.intake.take(messages[i : i + at_once])
