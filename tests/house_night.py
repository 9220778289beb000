"""A run in which broker, ingest and gateway are killed once each, while virtual sensors send."""

import asyncio
import random
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path

from house_helpers import Programs, until
from seconds_table import asked
from servers import Mosquitto, free_port

from device.radio.room import RoomControl
from device.radio.sensor import Ledger
from ingest.reader import StoreReader
from ingest.results.store import SqliteResults
from poise.samples import ImuBatch
from poise.topics import Wearer
from poise.wire import decode_samples

WHO = Wearer("P-KILL")
SEED = 20


@dataclass(frozen=True)
class Night:
    """What is left after the kills.

    Attributes:
        path: the database.
        sent: by address, what each sensor says it has sent.
        ingest_killed_us: UTC µs of the kill of ingest.
    """

    path: Path
    sent: dict[str, Ledger]
    ingest_killed_us: int

    def rows(self, sql: str) -> list[tuple]:
        with sqlite3.connect(self.path) as c:
            return asked(c, sql)

    @property
    def reader(self) -> StoreReader:
        return StoreReader(self.path, SqliteResults(self.path))

    @property
    def batches(self) -> dict[str, list[ImuBatch]]:
        """By sensor, all stored batches in the order of their sessions and sequences."""
        found: dict[str, list[ImuBatch]] = {}
        sql = "SELECT payload FROM messages ORDER BY min(first_us) OVER (PARTITION BY session), sequence"
        for (payload,) in self.rows(sql):
            for batch in decode_samples(payload).batches:
                found.setdefault(batch.sensor, []).append(batch)
        return found


def spooled(path: Path) -> int:
    with sqlite3.connect(path) as c:
        return int(c.execute("SELECT count(*) FROM message").fetchone()[0])


async def silenced(control: int, sensors: int) -> dict[str, Ledger]:
    """Take all sensors out of range and ask each for its own count."""
    room = await RoomControl.connect(control)
    for i in range(sensors):
        await room.order("vanish", i)
    ledgers = await room.ledgers()
    await room.close()
    return ledgers


def through_the_night(starter: Programs, mosquitto: Mosquitto) -> Night:
    folder, rng = starter.folder, random.Random(SEED)  # noqa: S311 - moments, not secrets
    hci, control, env = free_port(), free_port(), {"POISE_BROKER__PORT": str(mosquitto.port)}
    room = starter.start("room", "--hci", f"tcp-server:127.0.0.1:{hci}", "--control", control)
    room.said("begins with the calibration")
    worn = [line.split()[-1] for line in room.out.splitlines() if "--sensor" in line]
    options = [word for sensor in worn for word in ("--sensor", sensor)]

    def ingest():
        return starter.start("ingest", "--data", folder / "ingest", env=env)

    def gateway():
        return starter.start(
            "gateway", "--hci", f"tcp-client:127.0.0.1:{hci}", "--simulated", "--patient", WHO.patient,
            "--data", folder / "gateway", *options, env=env,
        )  # fmt: skip

    judge, first = ingest(), gateway()
    judge.said("Ingest stores")
    first.said("Calibrated.")
    began = time.monotonic()  # about 18 s after the wearer's start; the forward head is there from 28 s on

    def wait(from_s: float, to_s: float) -> None:
        starter.nap(began + rng.uniform(from_s, to_s) - time.monotonic())

    wait(3, 6)
    mosquitto.kill()
    starter.nap(rng.uniform(1, 3))
    mosquitto.start()
    wait(14, 17)  # the forward head has begun and is not an episode yet
    killed_us = time.time_ns() // 1000
    judge.kill()
    judge = ingest()
    judge.said("Ingest stores")
    wait(28, 31)
    first.kill()
    second = gateway()
    second.said("session")
    path, spool = folder / "ingest/poise.db", folder / f"gateway/spool-home-{WHO.patient}.db"
    with sqlite3.connect(path) as c:
        sql = "SELECT count(DISTINCT session) = 2 AND count(*) > 40 FROM messages"
        until(lambda: c.execute(sql).fetchone()[0], 60, second)
    wait(43, 44)
    sent = asyncio.run(silenced(control, len(worn)))
    starter.nap(6.0)  # the last second goes into the spool when nothing has come for a while, also under load
    until(lambda: not spooled(spool), 60, second)
    second.interrupted().in_good_order()
    if spooled(spool):  # a gateway that is behind spools the rest at its end, and the next one sends it
        third = gateway()
        until(lambda: not spooled(spool), 60, third)
        third.interrupted().in_good_order()
    assert not spooled(spool)
    judge.interrupted().in_good_order()
    room.interrupted().in_good_order()
    return Night(path, sent, killed_us)
