"""From virtual sensors over real Bluetooth bytes to the spool: each sample stored once or reported."""

import asyncio
from pathlib import Path

import numpy as np
from device_helpers import Announced, account, running, spooled, until
from device_source import CountingSource

from device.gateway import Gateway
from device.radio.room import RadioRoom
from device.spooling.spool import DiskSpool
from poise.notices import SensorStatus, decode
from poise.topics import Leaf, Wearer

WEARER = Wearer("p1")
SECOND = 1_000_000


async def test_three_sensors_stream_into_the_spool_without_loss(tmp_path: Path) -> None:
    spool, announced = DiskSpool(tmp_path / "spool.db"), Announced()
    seen = []
    async with RadioRoom(CountingSource(), ["head", "c7", "t4"]) as room, room.central() as backend:
        gateway = Gateway(
            WEARER, room.worn, spool, announced, backend=backend, origin="simulated", observers=[seen.append]
        )
        async with running(gateway):
            await until(lambda: gateway.stats().samples > 400)
        messages, ledgers = spooled(spool), room.ledgers()
    assert [m.sequence for m in messages] == list(range(len(messages)))
    assert seen == messages
    assert {m.origin for m in messages} == {"simulated"}
    for address, segment in room.worn.items():
        mine = account(messages, address)
        mine.closes()
        assert not mine.gaps
        assert mine.indexes[0] == ledgers[address].first_index
        # What was still in the air when the measurement was stopped may be lost, nothing else.
        assert ledgers[address].handed - len(mine.indexes) <= 6
        assert {b.segment for b in mine.batches} == {segment}
        times = np.concatenate([b.t_us for b in mine.batches])
        assert (np.diff(times) > 0).all()
        for batch in mine.batches:
            assert batch.t_us[0] // SECOND == batch.t_us[-1] // SECOND, "cut at UTC seconds"
            assert abs(batch.rate_hz - 60) < 0.2
    assert all(leaf is Leaf.SENSOR for leaf, _, _ in announced.seen)
    states = [decode(payload, SensorStatus) for _, _, payload in announced.seen]
    assert {s.state for s in states} >= {"connected", "streaming", "lost"}
    assert {s.battery_percent for s in states} >= {90}
    assert {s.firmware for s in states} == {"3.0.0"}


async def test_drop_vanish_and_reappear_leave_exact_gaps(tmp_path: Path) -> None:
    spool = DiskSpool(tmp_path / "spool.db")
    async with RadioRoom(CountingSource(), ["head", "c7", "t4"]) as room, room.central() as backend:
        gateway = Gateway(WEARER, room.worn, spool, Announced(), backend=backend, origin="simulated")
        head, c7, t4 = gateway.links.values()
        async with running(gateway):
            await until(lambda: gateway.stats().streaming == 3)
            await room.drop(0)
            await room.vanish(1)
            await until(lambda: head.state == "lost" and c7.state == "lost")
            await until(lambda: head.state == "streaming")
            await asyncio.sleep(1)
            await room.reappear(1)
            await until(lambda: c7.state == "streaming", 20)
            await asyncio.sleep(2.5)
        messages = spooled(spool)
    for link, lost in ((head, True), (c7, True), (t4, False)):
        mine = account(messages, link.sensor)
        mine.closes()
        assert bool(mine.gaps) is lost
        assert {g.reason for g in mine.gaps} <= {"radio"}
        assert not any(g.estimated for g in mine.gaps)
        for gap in mine.gaps:
            assert abs((gap.to_us - gap.from_us) / 1e6 - (gap.count + 1) / 60) < 0.05
    assert account(messages, c7.sensor).missing > 60
    assert gateway.stats().missing == sum(account(messages, s).missing for s in gateway.links)
    assert gateway.stats().repeated == 0


async def test_segments_without_addresses_are_given_by_address(tmp_path: Path) -> None:
    spool = DiskSpool(tmp_path / "spool.db")
    async with RadioRoom(CountingSource(), ["head", "c7"]) as room, room.central() as backend:
        gateway = Gateway(WEARER, ["head", "c7"], spool, Announced(), backend=backend)
        async with running(gateway):
            await until(lambda: gateway.stats().streaming == 2)
        assert {link.sensor: link.segment for link in gateway.links.values()} == room.worn
