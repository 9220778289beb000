"""Small dealings with one Bluetooth link, each bounded in time: reads, writes, goodbyes, failures."""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from typing import Final

from bleak import BleakClient
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakError

from device.vendors import Vendor
from device.vendors.base import Advertised, MayRecord, Write

GOODBYE_S: Final = 3.0
FAILURES: Final = (BleakError, TimeoutError, OSError, EOFError)
_log: Final = logging.getLogger(__name__)


def stray(exc: BaseException) -> bool:
    """Is it a cancellation that nobody asked of us? Bluetooth stacks cancel what waits on a lost link."""
    task = asyncio.current_task()
    return isinstance(exc, asyncio.CancelledError) and task is not None and not task.cancelling()


def reason(exc: BaseException) -> str:
    """Return what a failure says of itself."""
    return str(exc) or "no answer in time"


async def within(seconds: float, event: asyncio.Event) -> None:
    """Wait for an event, but no longer than so many seconds."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


async def stop_measuring(client: BleakClient, vendor: Vendor) -> None:
    """Tell a sensor that nobody listens any longer."""
    with contextlib.suppress(*FAILURES):
        async with asyncio.timeout(GOODBYE_S):
            await write_all(client, vendor.stop)


async def read(client: BleakClient, uuid: str) -> bytes:
    """Return a characteristic's value, b"" where a sensor has none: no reason to do without its samples."""
    if not uuid or client.services.get_characteristic(uuid) is None:
        return b""
    return bytes(await client.read_gatt_char(uuid))


async def is_recording(client: BleakClient, vendor: Vendor) -> bool:
    """Does a sensor record by itself? One that does not say so does not."""
    if not isinstance(vendor, MayRecord) or not client.services.get_characteristic(vendor.recording_uuid):
        return False
    with contextlib.suppress(*FAILURES):
        await write_all(client, (vendor.ask_recording,))
        return vendor.is_recording(await read(client, vendor.recording_uuid))
    return False


async def write_all(client: BleakClient, writes: Sequence[Write]) -> None:
    """Send commands in their order."""
    for write in writes:
        await client.write_gatt_char(write.uuid, write.value, response=write.response)


def advertisement(device: BLEDevice, data: AdvertisementData) -> Advertised:
    """Return what a device advertises, as `device.vendors` looks at it."""
    services = frozenset(uuid.lower() for uuid in data.service_uuids)
    return Advertised(data.local_name or device.name or "", services)


async def release(client: BleakClient) -> None:
    """End a connection that the system keeps for a program that died: take it over, then hang up."""
    _log.info("Sensor %s is still connected from before; hanging up", client.address)
    with contextlib.suppress(*FAILURES):
        await client.connect()
    await hang_up(client)


async def hang_up(client: BleakClient) -> None:
    """End a link, whatever its state."""
    with contextlib.suppress(*FAILURES):
        async with asyncio.timeout(GOODBYE_S):
            await client.disconnect()


def no_bus(exc: BaseException) -> bool:
    """Return whether the system's bus, on which BlueZ is asked, is not there at all."""
    return isinstance(exc, FileNotFoundError | ConnectionRefusedError)
