"""The radio room, the gateway and what deals with recordings as processes of their own.

`python device_processes.py room|gateway|record|fetch …`.
"""

import asyncio
import sys
from pathlib import Path

from device_source import CountingSource

from device.gateway import Gateway, new_session
from device.radio.central import open_central
from device.radio.room import RadioRoom, serve_room
from device.recall import errand
from device.recall.book import Book, Recording
from device.recall.staged import Staged
from device.spooling.spool import DiskSpool
from device.vendors.movella_dot_virtual import VirtualDot
from poise.topics import Leaf, Wearer

SEGMENTS = ["head", "c7"]


async def room(hci_port: int) -> None:
    async with (
        RadioRoom(CountingSource(), SEGMENTS) as here,
        serve_room(here, f"tcp-server:127.0.0.1:{hci_port}", 0) as control,
    ):
        for sensor in here.sensors:
            assert isinstance(sensor.peripheral, VirtualDot)
            sensor.peripheral.at_once = 10  # so that there is time to die in mid-export
        print(control, flush=True)
        await asyncio.Event().wait()


def nobody(leaf: Leaf, payload: bytes, *, detail: str = "", retain: bool = True) -> None:
    """Nobody listens to the announcements here."""


async def gateway(hci_port: int, path: str, *addresses: str) -> None:
    worn = dict(zip(addresses, SEGMENTS, strict=True))
    async with open_central(f"tcp-client:127.0.0.1:{hci_port}") as backend:
        mine = Gateway(Wearer("p1"), worn, DiskSpool(Path(path)), nobody, backend=backend)
        mine.observers.append(lambda message: print(message.sequence, flush=True))
        await mine.run()


class Telling(errand.Errand):
    """Says so at every part of a recording that is on this machine's disk."""

    def _keep(self, staged: Staged, recording: Recording, packets: list[bytes]) -> Recording:
        kept = super()._keep(staged, recording, packets)
        print(kept.sensor, kept.packets, flush=True)
        return kept


async def recordings(what: str, hci_port: int, path: str, *addresses: str) -> None:
    errand._AT_ONCE = 30  # type: ignore[misc]
    async with open_central(f"tcp-client:127.0.0.1:{hci_port}") as backend:
        mine = Telling(Book(DiskSpool(Path(path))), new_session(), "worn", lambda _: None, backend)
        if what == "record":
            await mine.record(dict(zip(addresses, SEGMENTS, strict=True)), "")
        else:
            await mine.fetch()
        print(sorted(mine.refused), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "room":
        asyncio.run(room(int(sys.argv[2])))
    elif sys.argv[1] != "gateway":
        asyncio.run(recordings(sys.argv[1], int(sys.argv[2]), *sys.argv[3:]))
    else:
        asyncio.run(gateway(int(sys.argv[2]), *sys.argv[3:]))
