"""A plan on its whole way: the broker, a gateway at work, its disk, and a restart without a broker."""

import asyncio
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from ingest_helpers import eventually

from analytics.care.limits import STRICT
from analytics.cues.plan import CuePlan
from device.radio.room import RadioRoom
from device.wearer import Wearer as VirtualWearer
from ingest.mqtt.embedded import EmbeddedBroker
from ingest.mqtt.link import Link
from ingest.mqtt.settings import Outgoing
from poise.cli import parts
from poise.notices import encode
from poise.planned import PlanNotice, Stage
from poise.topics import Leaf, Wearer

ANNA = Wearer("anna")
CUES = parts.Cues(CuePlan(), ZoneInfo("Europe/Vienna"))


def plan(made_us: int, slouch_deg: float) -> Outgoing:
    stage = Stage(from_us=1, effort="gentle", posture={"slouch_deg": slouch_deg})
    notice = PlanNotice(id=str(made_us), made_us=made_us, stages=[stage])
    return Outgoing(ANNA.topic(Leaf.PLAN), encode(notice), retain=True)


@pytest.mark.timeout(120)
async def test_a_plan_is_gone_by_at_once_and_after_a_restart_without_a_broker(tmp_path: Path) -> None:
    async with (
        RadioRoom(VirtualWearer("short"), ["c7", "t4"]) as room,
        room.central() as backend,
        EmbeddedBroker(0) as broker,
        Link(broker.settings, "clinic") as clinic,
    ):
        await asyncio.wait_for(clinic.until_connected(), 10)
        await clinic.publish(plan(1, 30.0))
        async with parts.wearing(
            ANNA, room.worn, broker.settings, tmp_path, backend=backend, cues=CUES
        ) as worn:
            edge = worn.gateway.edge
            assert edge is not None
            await eventually(lambda: edge._posture.slouch_deg == 30.0, 30)
            assert edge.guard._since == ((1, STRICT),)
            await clinic.publish(plan(2, 31.0))
            await eventually(lambda: edge._posture.slouch_deg == 31.0, 30)
    async with (
        RadioRoom(VirtualWearer("short"), ["c7", "t4"]) as room,
        room.central() as backend,
        parts.wearing(ANNA, room.worn, broker.settings, tmp_path, backend=backend, cues=CUES) as worn,
    ):
        edge = worn.gateway.edge
        assert edge is not None
        await eventually(lambda: edge._posture.slouch_deg == 31.0, 30)
        assert not worn.bridge.connected
