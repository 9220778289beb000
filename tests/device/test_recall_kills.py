"""A program that brings recordings home is killed in mid-fetch, twice, and started again."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import AsyncExitStack
from pathlib import Path

import device_processes
from device_helpers import account, spooled
from servers import free_port

from device.radio.room import RoomControl
from device.recall.book import STORED, Book
from device.spooling.spool import DiskSpool


async def started(opened: AsyncExitStack, *arguments: str) -> Process:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    child = await asyncio.create_subprocess_exec(
        sys.executable, device_processes.__file__, *arguments, stdout=PIPE, env=environment
    )

    async def end() -> None:
        if child.returncode is None:
            child.kill()
        await child.communicate()

    opened.push_async_callback(end)
    return child


async def line(child: Process) -> str:
    assert child.stdout is not None
    return (await asyncio.wait_for(child.stdout.readline(), 60)).decode().strip()


async def test_sigkill_in_mid_fetch_costs_no_sample(tmp_path: Path) -> None:
    port, path = str(free_port()), str(tmp_path / "spool.db")
    async with AsyncExitStack() as opened:
        control = await RoomControl.connect(int(await line(await started(opened, "room", port))))
        sensors = list(await control.ledgers())
        gateway = await started(opened, "gateway", port, path, *sensors)
        for _ in range(3):
            await line(gateway)
        gateway.send_signal(signal.SIGKILL)
        await gateway.wait()
        assert await line(await started(opened, "record", port, path, *sensors)) == "[]"
        for verb in ("vanish", "reappear"):
            for i in range(len(sensors)):
                await control.order(verb, i)
            await asyncio.sleep(4)
        for parts in (2, 4):
            fetching = await started(opened, "fetch", port, path)
            for _ in range(parts):
                assert await line(fetching)
            fetching.send_signal(signal.SIGKILL)
            await fetching.wait()
            half = DiskSpool(Path(path))
            assert all(0 <= r.spooled <= r.packets for r in Book(half).recordings())
            assert not any(message.kept for message in spooled(half))
            half.close()
        fetching = await started(opened, "fetch", port, path)
        while (said := await line(fetching)) != "[]":
            assert said
        await fetching.wait()
        ledgers = await control.ledgers()
        await control.close()
    spool = DiskSpool(Path(path))
    messages = spooled(spool)
    assert [r.state for r in Book(spool).recordings()] == [STORED] * 2
    for sensor in sensors:
        account(messages, sensor).closes()
        kept = account([m for m in messages if m.kept], sensor)
        assert len(kept.indexes) == ledgers[sensor].recorded > 200
