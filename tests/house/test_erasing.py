"""A person is stopped, resumed and erased while everything is at work, and is nowhere to be found then."""

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from erasing_helpers import found_in
from house_helpers import Program, Programs, until
from ingest_helpers import calibrated, day, samples
from servers import Mosquitto, free_port, running_mosquitto

from ingest.database.shards import shards
from ingest.database.sqlite import reading
from ingest.mqtt.link import Link
from ingest.mqtt.settings import BrokerSettings, Outgoing
from poise.errors import BrokerError, StoreUnavailableError
from poise.topics import Leaf, Wearer
from poise.wire import decode_samples

pytestmark = [pytest.mark.mosquitto, pytest.mark.timeout(300)]
GONE, OTHER = Wearer("P-GONE"), Wearer("P-STAYS")


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    with running_mosquitto(tmp_path) as server:
        yield server


class House:
    """Broker, ingest with two workers, a virtual wearer's sensors, and their gateway."""

    def __init__(self, programs: Programs, mosquitto: Mosquitto) -> None:
        self.programs, self.broker = programs, mosquitto.settings
        self.env = {"POISE_BROKER__PORT": str(mosquitto.port)}
        self.data, self.home = programs.folder / "data", programs.folder / "gateway"
        self.hci = free_port()
        room = programs.start("room", "--hci", f"tcp-server:127.0.0.1:{self.hci}")
        room.said("begins with the calibration")
        self.worn = [line.split()[-1] for line in room.out.splitlines() if "--sensor" in line]
        self.ingest = self.start_ingest()

    def start_ingest(self) -> Program:
        ingest = self.programs.start("ingest", "--workers", 2, env=self.env)
        ingest.said("Ingest stores")
        until(lambda: all(shard.file(self.data).exists() for shard in shards(2)), 60, ingest)
        return ingest

    def gateway(self) -> Program:
        options = [word for sensor in self.worn for word in ("--sensor", sensor)]
        return self.programs.start(
            "gateway", "--hci", f"tcp-client:127.0.0.1:{self.hci}", "--simulated", "--patient", GONE.patient,
            "--data", self.home, *options, env=self.env,
        )  # fmt: skip

    def typed(self, *words: object) -> tuple[int, str]:
        program = self.programs.start(*words, env=self.env)
        code = program.ended(120)
        return code, program.out + program.err

    def payloads(self, wearer: Wearer) -> list[bytes]:
        found = []
        for shard in shards(2):
            with contextlib.suppress(StoreUnavailableError), reading(shard.file(self.data)) as c:
                sql = "SELECT payload FROM messages WHERE wearer = ?"
                found += [row[0] for row in c.execute(sql, (f"home/{wearer.patient}",))]
        return found

    def stored(self, at_least: int) -> None:
        until(lambda: len(self.payloads(GONE)) >= at_least, 90, self.programs.all[-1])

    def retained(self) -> list[str]:
        return asyncio.run(retained(self.broker))


async def retained(settings: BrokerSettings) -> list[str]:
    topics = []
    async with Link(settings, "looking", subscriptions={"#": 1}) as link:
        await link.until_connected()
        try:
            async with asyncio.timeout(1.5):
                while True:
                    topics += [m.topic for m in await link.receive(100) if m.retain and m.payload]
        except TimeoutError:
            return topics


async def other(settings: BrokerSettings) -> None:
    """Another wearer's samples, so that it can be seen that these stay."""
    async with Link(settings, "another") as link:
        await link.until_connected()
        await link.publish(Outgoing(OTHER.topic(Leaf.CALIBRATION), calibrated().payload, 1, retain=True))
        for message in samples(day(30), OTHER):
            try:
                await link.publish(Outgoing(message.topic, message.payload))
            except BrokerError as exc:
                raise AssertionError(exc) from exc


def words_of(payloads: list[bytes]) -> list[bytes]:
    """The pseudonym, and bytes of samples as they lie in messages; one at rest is no trace of anybody."""
    runs = {
        batch.acc[i : i + 8].tobytes()
        for payload in payloads
        for batch in decode_samples(payload).batches
        for i in (4, 20)
        if len(batch) > 28
    }
    return [GONE.patient.encode(), *(run for run in runs if len(set(run)) > 20)]


def test_erased_while_everything_is_at_work_and_not_brought_back(
    programs: Programs, mosquitto: Mosquitto
) -> None:
    house = House(programs, mosquitto)
    until(lambda: asyncio.run(other(house.broker)) or house.payloads(OTHER), 60, house.ingest)
    gateway = house.gateway()
    gateway.said("Calibrated.")
    house.stored(30)
    backup = programs.folder / "before.tar"
    assert house.typed("backup", backup)[0] == 0
    words = words_of(house.payloads(GONE))
    assert len(words) > 50
    assert len(found_in(house.data, words)) > 50
    assert any(GONE.patient in topic for topic in house.retained())

    code, said = house.typed("person", "erase", "home/P-GONE", "--yes")
    assert code == 0, said
    assert "All is done" in said
    assert "messages" in said
    assert gateway.ended() == 2
    assert "was erased" in gateway.err
    words += words_of(house.payloads(GONE))
    assert found_in(house.data, words) == []
    assert found_in(house.home, words) == []
    assert not any(GONE.patient in topic for topic in house.retained())
    assert house.payloads(OTHER)
    assert any(OTHER.patient in topic for topic in house.retained())

    again = house.gateway()
    assert again.ended() == 2
    assert "was erased" in again.err
    assert "has not confirmed" not in house.typed("status")[1]
    assert house.ingest.interrupted(within_s=30).code == 0
    assert found_in(house.data, words) == []

    code, said = house.typed("restore", backup, "--replace")
    assert code == 0, said
    assert "Taken out, because they were erased: 1 person" in said
    assert house.payloads(OTHER)
    assert found_in(house.data, words) == []
    house.start_ingest()
    assert found_in(house.data, words) == []


def test_stopped_resumed_and_erased_while_the_gateway_is_away(
    programs: Programs, mosquitto: Mosquitto
) -> None:
    house = House(programs, mosquitto)
    first = house.gateway()
    house.stored(3)
    code, said = house.typed("person", "stop", "home/P-GONE")
    assert (code, "The gateway has stopped." in said) == (0, True), said
    assert first.ended() == 2
    assert "has withdrawn consent" in first.err
    count = len(house.payloads(GONE))
    waits = house.gateway()
    waits.said("has withdrawn consent")
    programs.nap(3)
    assert len(house.payloads(GONE)) == count
    assert house.typed("person", "resume", "home/P-GONE")[0] == 0
    waits.said("session")
    house.stored(count + 5)
    waits.kill()

    code, said = house.typed("person", "erase", "home/P-GONE", "--yes")
    assert code == 1, said
    assert "not confirmed yet" in said
    assert house.payloads(GONE) == []
    assert "has not confirmed it yet" in house.typed("status")[1]
    assert (house.home / "spool-home-P-GONE.db").exists()
    back = house.gateway()
    assert back.ended() == 2
    assert "was erased" in back.err
    assert found_in(house.home, [GONE.patient.encode()]) == []
    assert house.payloads(GONE) == []
    until(lambda: "has not confirmed" not in house.typed("status")[1], 30, back)
    assert house.typed("person", "erase", "home/P-GONE", "--yes")[0] == 0
    assert house.typed("person", "resume", "home/P-GONE")[0] == 2
