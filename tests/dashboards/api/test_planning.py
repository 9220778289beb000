"""The plan reaches a gateway through a real broker: at the start, and after every change."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from api_house import NOW, OTHER, OWN, ApiHouse, injection, path_of
from servers import Mosquitto, running_mosquitto

from ingest.care.planning import Planning
from ingest.mqtt.link import Link
from ingest.mqtt.settings import BrokerSettings
from ingest.record.identity import Role
from poise.notices import decode
from poise.planned import PlanNotice
from poise.topics import Leaf, Wearer


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    (tmp_path / "broker").mkdir()
    with running_mosquitto(tmp_path / "broker") as opened:
        yield opened


@asynccontextmanager
async def publishing(house: ApiHouse, settings: BrokerSettings) -> AsyncIterator[None]:
    planning = Planning(house.clinic, settings, lambda: house.clock[0])
    task = asyncio.create_task(planning.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def plans(settings: BrokerSettings, wearer: Wearer, number: int) -> list[PlanNotice | None]:
    """Return so many plans as a gateway gets that comes now."""
    found: list[PlanNotice | None] = []
    async with Link(settings, "gateway", subscriptions={wearer.topic(Leaf.PLAN): 1}) as link:
        async with asyncio.timeout(20):
            while len(found) < number:
                for message in await link.receive(10):
                    found.append(decode(message.payload, PlanNotice) if message.payload else None)
                    link.acknowledge(message)
    return found


async def test_a_gateway_is_told_of_all_phases_ahead_and_of_every_change(
    house: ApiHouse, broker: Mosquitto
) -> None:
    clinician = await asyncio.to_thread(house.client, Role.CLINICIAN)
    async with publishing(house, broker.settings):
        await asyncio.sleep(1.0)
        shot = await asyncio.to_thread(clinician.post, path_of(OWN, "/injection"), json=injection(NOW))
        (first,) = await plans(broker.settings, OWN, 1)
        assert first is not None
        assert [stage.phase for stage in first.stages][:2] == ["protected", "easing"]
        assert first.stages[0].effort == "gentle"
        changed = {"begins": NOW.isoformat(), "limits": {"protected_h": 72}}
        answer = await asyncio.to_thread(clinician.post, path_of(OWN, "/plan"), json=changed)
        assert answer.status_code == 201, answer.text
        await asyncio.sleep(1.0)
        (second,) = await plans(broker.settings, OWN, 1)
        assert second is not None
        assert second.stages[1].from_us - second.stages[0].from_us == 72 * 3_600_000_000
        gone = {"version": 1, "reason": "not this patient"}
        one = path_of(OWN, f"/injection/{shot.json()['id']}/withdrawal")
        assert (await asyncio.to_thread(clinician.post, one, json=gone)).status_code == 200
        await asyncio.sleep(1.0)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2):
                await plans(broker.settings, OWN, 1)


async def test_a_broker_that_has_forgotten_is_told_again_at_the_start(
    house: ApiHouse, broker: Mosquitto
) -> None:
    clinician = await asyncio.to_thread(house.client, Role.CLINICIAN)
    await asyncio.to_thread(clinician.post, path_of(OWN, "/injection"), json=injection(NOW))
    async with publishing(house, broker.settings):
        (told,) = await plans(broker.settings, OWN, 1)
        assert told is not None
        await asyncio.sleep(1.0)  # until the other one's was taken back, which nobody has
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2):
                await plans(broker.settings, OTHER, 1)
