"""Every maker's sensor over real Bluetooth bytes: sample for sample, and what is missing over a break."""

import asyncio
from pathlib import Path

import pytest
from device_helpers import Announced, running, spooled, until
from makers import BY_NAME, Counted, fates

from device.gateway import Gateway
from device.radio.room import RadioRoom
from device.spooling.spool import DiskSpool
from device.vendors import VENDORS, vendor_named, vendor_of
from device.vendors.base import Advertised, Timing
from poise.topics import Wearer


def test_makers_are_told_apart() -> None:
    assert (
        len({vendor.name for vendor in VENDORS}) == len({vendor.label for vendor in VENDORS}) == len(VENDORS)
    )
    for vendor in VENDORS:
        advertised = vendor.peripheral("D4:22:CD:00:00:01").advertised
        assert [v for v in VENDORS if v.recognises(advertised)] == [vendor]
        assert vendor_named(vendor.name) is vendor
    for name in ("", "Headphones", "Polar"):
        assert vendor_of(Advertised(name)) is None


@pytest.mark.timeout(240)
async def test_sensors_of_all_makers_at_once_with_a_break_each(tmp_path: Path) -> None:
    spool, names = DiskSpool(tmp_path / "spool.db"), list(BY_NAME)
    async with RadioRoom(Counted(), names, vendors=BY_NAME) as room, room.central() as backend:
        gateway = Gateway(Wearer("p1"), room.worn, spool, Announced(), backend=backend)
        links = gateway.links.values()
        async with running(gateway):
            await until(lambda: all(link.state == "streaming" for link in links), 60)
            await asyncio.sleep(6)
            for i in range(len(names)):
                await (room.drop(i) if i % 2 else room.vanish(i))
            await asyncio.sleep(1)
            for i in range(len(names)):
                await room.reappear(i)
            await until(lambda: all(link.state == "streaming" for link in links), 60)
            await asyncio.sleep(4)
        ledgers = {segment: room.ledgers()[address] for address, segment in room.worn.items()}
    found = fates(spooled(spool))
    for name, fate in found.items():
        kinds = {(gap.reason, gap.estimated) for gap in fate.gaps}
        print(name, len(fate.indexes), ledgers[name], fate.gaps)
        assert len(fate.indexes) > 250, name
        fate.closes(ledgers[name])
        if fate.vendor.resume is None:
            assert kinds == {("radio", fate.vendor.timing is Timing.NONE)}, name
        assert ledgers[name].last_index - fate.indexes[-1] <= 200, name
    firmware = {link.segment: link.firmware for link in links}
    assert firmware["movella_dot"] == "3.0.0"
    assert all(link.drops == 1 for link in links)
