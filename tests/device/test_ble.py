"""The bleak backend through bleak's own door, and the supervision of links that go wrong."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import device_processes
import pytest
from bleak import BleakClient, BleakScanner
from bleak.exc import BleakError, BleakGATTProtocolError
from device_helpers import Announced, account, running, spooled, until
from device_source import CountingSource, index_of

from device.bluetooth import ble
from device.bluetooth.ble import Bluetooth
from device.gateway import Gateway
from device.radio.central import open_central
from device.radio.room import RadioRoom, RoomControl
from device.spooling.spool import DiskSpool
from device.stream.clock import SystemClock
from device.vendors import movella_dot_frames as dot
from poise.errors import ConfigurationError, SensorError
from poise.topics import Wearer


async def test_the_backend_through_bleaks_public_api() -> None:
    async with RadioRoom(CountingSource(), ["head", "c7"]) as room, room.central() as backend:
        device = await BleakScanner.find_device_by_address(
            room.sensors[1].address, 5, backend=backend.scanner
        )
        assert device is not None
        assert device.name == "Movella DOT"
        received: list[int] = []
        gone = asyncio.Event()
        client = BleakClient(device, lambda _: gone.set(), backend=backend.client)
        async with client:
            assert client.mtu_size == 517
            control = client.services.get_characteristic(dot.MEASUREMENT_CONTROL)
            assert control is not None
            assert set(control.properties) == {"read", "write"}
            assert await client.read_gatt_char(dot.BATTERY) == bytes([90, 0])
            await client.start_notify(
                dot.MEDIUM_PAYLOAD,
                lambda _, value: received.append(index_of("c7", int.from_bytes(value[:4], "little"))),
            )
            await asyncio.sleep(0.2)
            assert not received, "a sensor sends only when measuring"
            await client.write_gatt_char(dot.MEASUREMENT_CONTROL, dot.START, response=True)
            await until(lambda: len(received) > 30)
            with pytest.raises(BleakGATTProtocolError):
                await client.write_gatt_char(dot.MEASUREMENT_CONTROL, b"x", response=True)
            with pytest.raises(BleakError):
                await client.start_notify(dot.MEDIUM_PAYLOAD, lambda *_: None)
            await room.drop(1)
            await asyncio.wait_for(gone.wait(), 2)
            assert not client.is_connected
            with pytest.raises(BleakError):
                await client.read_gatt_char(dot.BATTERY)
            await client.disconnect()
            await client.connect()
            assert await client.read_gatt_char(dot.MEASUREMENT_CONTROL) == dot.STOP
        assert received == list(range(received[0], received[0] + len(received)))


async def test_an_absent_sensor_does_not_block_the_others() -> None:
    async with RadioRoom(CountingSource(), ["head", "c7"]) as room, room.central() as backend:
        found = await BleakScanner.discover(0.2, backend=backend.scanner)
        absent, present = sorted(found, key=lambda d: d.address)
        await room.vanish(0)
        with pytest.raises(TimeoutError):
            await BleakClient(absent, timeout=0.3, backend=backend.client).connect()
        async with BleakClient(present, backend=backend.client) as client:
            assert client.is_connected


async def test_a_silent_sensor_is_stale_and_then_connected_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ble, "STALE_S", 0.4)
    monkeypatch.setattr(ble, "GIVE_UP_S", 1.2)
    spool = DiskSpool(tmp_path / "spool.db")
    async with RadioRoom(CountingSource(), ["head"]) as room, room.central() as backend:
        gateway = Gateway(Wearer("p1"), room.worn, spool, Announced(), backend=backend)
        (link,) = gateway.links.values()
        async with running(gateway):
            await until(lambda: link.state == "streaming")
            room.sensors[0].peripheral.measuring = False  # a sensor that hangs: connected, but mute
            await until(lambda: link.state == "stale")
            await until(lambda: link.state == "streaming")
            await asyncio.sleep(1)
    assert link.drops == 1
    mine = account(spooled(spool), link.sensor)
    mine.closes()
    assert mine.missing > 50


async def test_a_program_that_was_held_up_does_not_take_its_sensors_for_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ble, "GIVE_UP_S", 1.2)
    spool = DiskSpool(tmp_path / "spool.db")
    async with RadioRoom(CountingSource(), ["head", "c7"]) as room, room.central() as backend:
        gateway = Gateway(Wearer("p1"), room.worn, spool, Announced(), backend=backend)
        links = gateway.links.values()
        async with running(gateway):
            await until(lambda: all(link.state == "streaming" for link in links))
            await asyncio.sleep(1)
            time.sleep(2.5)  # noqa: ASYNC251 - as if the machine had no time for this program
            await asyncio.sleep(1)
    assert [link.drops for link in links] == [0, 0]
    for link in links:
        mine = account(spooled(spool), link.sensor)
        mine.closes()
        assert mine.missing == 0


@pytest.mark.skipif(os.path.exists("/run/dbus/system_bus_socket"), reason="this machine may have Bluetooth")  # noqa: PTH110
async def test_no_bluetooth_is_one_sentence_that_mends_it() -> None:
    class Nobody:
        found = linked = notified = changed = lambda *_: None

    with pytest.raises(ConfigurationError, match=r"No Bluetooth adapter is ready\. Plug one in"):
        await Bluetooth({"D4:22:CD:00:00:01": "c7"}, Nobody(), SystemClock()).run()
    with pytest.raises(ConfigurationError, match="No Bluetooth controller answers"):
        async with open_central(f"tcp-client:127.0.0.1:{free_port()}"):
            pass
    with pytest.raises(SensorError):
        await RoomControl.connect(free_port())


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@asynccontextmanager
async def process(*arguments: str) -> AsyncIterator[Process]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    child = await asyncio.create_subprocess_exec(
        sys.executable, device_processes.__file__, *arguments, stdout=PIPE, env=environment
    )
    try:
        yield child
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.communicate()


async def lines(child: Process, n: int) -> None:
    assert child.stdout is not None
    for _ in range(n):
        assert await asyncio.wait_for(child.stdout.readline(), 20)


async def test_a_killed_gateway_leaves_an_exact_gap(tmp_path: Path) -> None:
    """SIGKILL, then a new process: the sensors' own counts equal what is stored plus what is missing."""
    port, path = str(free_port()), tmp_path / "spool.db"
    async with process("room", port) as room:
        assert room.stdout is not None
        control = await RoomControl.connect(int(await asyncio.wait_for(room.stdout.readline(), 20)))
        sensors = list(await control.ledgers())
        async with process("gateway", port, str(path), *sensors) as first:
            await lines(first, 3)
            first.send_signal(signal.SIGKILL)
            await first.wait()
        async with process("gateway", port, str(path), *sensors) as second:
            await lines(second, 3)
            second.send_signal(signal.SIGKILL)
            await second.wait()
        ledgers = await control.ledgers()
        await control.close()
    spool = DiskSpool(path)
    messages = spooled(spool)
    assert len({m.session for m in messages}) == 2
    for sensor in sensors:
        mine = account(messages, sensor)
        mine.closes()
        (gap,) = mine.gaps
        assert (gap.reason, gap.estimated) == ("gateway restarted", False)
        assert gap.count > 20
        assert mine.indexes[0] == ledgers[sensor].first_index
        assert mine.indexes[-1] <= ledgers[sensor].last_index
