"""A conversation with one sensor, outside the gateway's supervision: found, connected, asked, and let go."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

from bleak import BleakClient, BleakScanner
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient
from bleak.backends.device import BLEDevice

from device.bluetooth.ble import Backend
from device.bluetooth.gatt import FAILURES, hang_up, read, reason, stray, write_all
from device.stream.clock import HostClock, Moment
from device.vendors.base import Notification, Write
from poise.errors import SensorError, SensorGoneError

ANSWER_S: Final = 10.0
FIND_S: Final = 10.0
_CONNECT_S: Final = 15.0


class Heard(NamedTuple):
    """A notification and the moment of its arrival."""

    notification: Notification
    moment: Moment


class Peer:
    """A connected sensor that is talked to, not supervised; every failure comes out as a `SensorError`."""

    def __init__(self, device: BLEDevice, stack: type[BaseBleakClient] | None, clock: HostClock) -> None:
        """Take what a scan found; see `talking`."""
        self.clock = clock
        self._heard: asyncio.Queue[Heard | None] = asyncio.Queue()
        self._client = BleakClient(device, lambda _: self._gone(), timeout=_CONNECT_S, backend=stack)

    @property
    def address(self) -> str:
        """The sensor's."""
        return self._client.address

    async def connect(self) -> None:
        """Connect, or leave nothing half connected behind."""
        try:
            await self._client.connect()
        except BaseException:
            await hang_up(self._client)
            raise

    async def close(self) -> None:
        """End the link, whatever its state."""
        await hang_up(self._client)

    def _gone(self) -> None:
        """The link has ended: whoever waits for a notification wakes."""
        self._heard.put_nowait(None)

    def has(self, uuid: str) -> bool:
        """Does it have this characteristic?"""
        return self._client.services.get_characteristic(uuid) is not None

    async def listen(self, uuid: str) -> None:
        """Subscribe to a characteristic."""

        def notified(characteristic: BleakGATTCharacteristic, value: bytearray) -> None:
            self._heard.put_nowait(Heard(Notification(characteristic.uuid, bytes(value)), self.clock.now()))

        async with self._asking():
            await self._client.start_notify(uuid, notified)

    async def write(self, *writes: Write) -> None:
        """Send commands."""
        async with self._asking():
            await write_all(self._client, writes)

    async def read(self, uuid: str) -> bytes:
        """Return a characteristic's value, b"" where the sensor has none."""
        async with self._asking():
            return await read(self._client, uuid)

    async def next(self, within_s: float = ANSWER_S) -> Heard:
        """Wait for a notification.

        Raises:
            SensorGoneError: if the link ends first.
            SensorError: if none comes in time.
        """
        try:
            async with asyncio.timeout(within_s):
                heard = await self._heard.get()
        except TimeoutError as exc:
            raise SensorError(f"Sensor {self.address} does not answer.", sensor=self.address) from exc
        if heard is None:
            self._gone()
            raise SensorGoneError(f"The link to sensor {self.address} ended.", sensor=self.address)
        return heard

    def at_hand(self) -> list[Heard]:
        """Return what has come already, without waiting."""
        found: list[Heard] = []
        while not self._heard.empty() and (heard := self._heard.get_nowait()) is not None:
            found.append(heard)
        if not self._client.is_connected:
            self._gone()
        return found

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(ANSWER_S):
                yield
        except BaseException as exc:
            if not isinstance(exc, FAILURES) and not stray(exc):
                raise
            kind = SensorError if self._client.is_connected else SensorGoneError
            raise kind(f"Sensor {self.address}: {reason(exc)}", sensor=self.address) from exc


@asynccontextmanager
async def talking(
    address: str, clock: HostClock, backend: Backend | None = None, within_s: float = FIND_S
) -> AsyncIterator[Peer]:
    """Find a sensor, connect it, and hang up at the end of the block.

    Raises:
        SensorError: if it is not heard, or does not let itself be connected.
    """
    try:
        device = await _found(address, backend, within_s)
        peer = Peer(device, None if backend is None else backend.client, clock)
        await peer.connect()
    except BaseException as exc:
        if not isinstance(exc, FAILURES) and not stray(exc):
            raise
        raise SensorError(f"Sensor {address} cannot be connected: {reason(exc)}", sensor=address) from exc
    try:
        yield peer
    finally:
        await peer.close()


async def _found(address: str, backend: Backend | None, within_s: float) -> BLEDevice:
    mine: dict[str, Any] = {} if backend is None else {"backend": backend.scanner}
    device = await BleakScanner.find_device_by_address(address, within_s, **mine)
    if device is None:
        raise SensorError(f"Sensor {address} is not heard.", sensor=address)
    return device
