"""The radio room and the gateway as processes of their own: `python device_processes.py room|gateway …`."""

import asyncio
import sys
from pathlib import Path

from device_source import CountingSource

from device.gateway import Gateway
from device.radio.central import open_central
from device.radio.room import RadioRoom, serve_room
from device.spool import DiskSpool
from poise.topics import Leaf, Wearer

SEGMENTS = ["head", "c7"]


async def room(hci_port: int) -> None:
    async with (
        RadioRoom(CountingSource(), SEGMENTS) as here,
        serve_room(here, f"tcp-server:127.0.0.1:{hci_port}", 0) as control,
    ):
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


if __name__ == "__main__":
    if sys.argv[1] == "room":
        asyncio.run(room(int(sys.argv[2])))
    else:
        asyncio.run(gateway(int(sys.argv[2]), *sys.argv[3:]))
