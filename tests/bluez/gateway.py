"""Inside the guest: Poise's gateway over the operating system's Bluetooth, which tells what it sees.

`python gateway.py SPOOL ADDRESS=SEGMENT …`; each line printed is a JSON object. SIGTERM ends it in order.
"""

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from dataclasses import asdict
from pathlib import Path

from device.bluetooth.finding import adapter_trouble
from device.gateway import Gateway
from device.spooling.spool import DiskSpool
from poise.topics import Leaf, Wearer


def tell(**facts: object) -> None:
    print(json.dumps(facts), flush=True)


def nobody(leaf: Leaf, payload: bytes, *, detail: str = "", retain: bool = True) -> None:
    """Nobody listens to the announcements here."""


async def report(gateway: Gateway) -> None:
    """Tell each link's state as soon as it changes, and the sums each second."""
    links: dict[str, object] = {}
    for turn in range(sys.maxsize):
        now: dict[str, object] = {
            link.sensor: {"state": link.state, "trouble": str(link.trouble), "drops": link.drops}
            for link in gateway.links.values()
        }
        if now != links or turn % 20 == 0:
            links = now
            tell(links=links, stats=asdict(gateway.stats()))
        await asyncio.sleep(0.05)


async def main(path: str, *worn: str) -> None:
    while await adapter_trouble():  # noqa: ASYNC110 - it tells no event
        await asyncio.sleep(0.2)
    sensors = dict(pair.split("=") for pair in worn)
    spool = DiskSpool(Path(path))
    gateway = Gateway(Wearer("p1"), sensors, spool, nobody, origin="simulated")
    work, reports = asyncio.create_task(gateway.run()), asyncio.create_task(report(gateway))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, work.cancel)
    tell(session=gateway.session, pid=os.getpid())
    with contextlib.suppress(asyncio.CancelledError):
        await work
    reports.cancel()
    tell(stats=asdict(gateway.stats()))
    spool.close()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    asyncio.run(main(*sys.argv[1:]))
