"""The client half of a bleak backend on bumble: connections, services, reads, writes, notifications."""

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any, ClassVar, TypeVar

from bleak.args import SizedBuffer
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient, NotifyCallback
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.device import BLEDevice
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakDeviceNotFoundError, BleakError
from bumble import hci
from bumble.core import BaseBumbleError
from bumble.device import Connection, Peer
from bumble.gatt import Characteristic

from device.radio.scanner import Central, bleak_errors, full_uuid

T = TypeVar("T")
_MTU = 517
_GOODBYE_S = 5.0
_GOODBYES: set[asyncio.Future[None]] = set()
_PROPERTIES = {
    Characteristic.Properties.BROADCAST: "broadcast",
    Characteristic.Properties.READ: "read",
    Characteristic.Properties.WRITE_WITHOUT_RESPONSE: "write-without-response",
    Characteristic.Properties.WRITE: "write",
    Characteristic.Properties.NOTIFY: "notify",
    Characteristic.Properties.INDICATE: "indicate",
    Characteristic.Properties.AUTHENTICATED_SIGNED_WRITES: "authenticated-signed-writes",
    Characteristic.Properties.EXTENDED_PROPERTIES: "extended-properties",
}


class BumbleClient(BaseBleakClient):
    """bleak's client; every failure of the stack or the link comes out as a `BleakError`."""

    central: ClassVar[Central]

    def __init__(self, address_or_ble_device: BLEDevice | str, **kwargs: Any) -> None:
        """Take bleak's arguments; those for other systems mean nothing here."""
        super().__init__(address_or_ble_device, **kwargs)
        known = isinstance(address_or_ble_device, BLEDevice)
        self._known_name = (
            address_or_ble_device.name if isinstance(address_or_ble_device, BLEDevice) else None
        )
        self._peer_address = (
            address_or_ble_device.details
            if known and isinstance(address_or_ble_device, BLEDevice)
            else hci.Address(self.address)
        )
        self._connection: Connection | None = None
        self._peer: Peer | None = None
        self._subscribed: dict[int, Any] = {}
        self._gone = asyncio.Event()

    @property
    def name(self) -> str:
        """See bleak."""
        return self._known_name or self.address.replace(":", "-")

    @property
    def mtu_size(self) -> int:
        """See bleak."""
        return int(self._connection.att_mtu) if self._connection else 23

    @property
    def is_connected(self) -> bool:
        """See bleak."""
        return self._connection is not None

    async def connect(self, pair: bool, **kwargs: Any) -> None:  # noqa: FBT001 - bleak's signature
        """See bleak; the whole of connecting and discovering takes at most the timeout."""
        if self.is_connected:
            raise BleakError("already connected")
        async with asyncio.timeout(kwargs.get("timeout", self._timeout)):
            async with self.central.connecting:
                connection = await self._open()
            self._gone.clear()
            self._connection = connection
            connection.on("disconnection", self._on_disconnection)
            try:
                self._peer = Peer(connection)
                await self._while_linked(self._peer.request_mtu(_MTU))
                if pair:
                    await self.pair()
                self.services = await self._while_linked(self._discover(self._peer))
            except BaseException:
                await self.disconnect()
                raise

    async def disconnect(self) -> None:
        """See bleak."""
        connection = self._connection
        if connection is None:
            return
        with contextlib.suppress(BaseBumbleError, TimeoutError):
            async with asyncio.timeout(_GOODBYE_S):
                await connection.disconnect()
        if self._connection is not None:  # the stack never said goodbye
            self._on_disconnection(0)

    async def pair(self, *_args: Any, **_kwargs: Any) -> None:
        """See bleak."""
        if self._connection is None:
            raise BleakError("not connected")
        await self._while_linked(self._connection.pair())

    async def unpair(self) -> None:
        """See bleak."""
        if self.central.device.keystore:
            await self.central.device.keystore.delete(str(self._peer_address))
        await self.disconnect()

    async def read_gatt_char(
        self, characteristic: BleakGATTCharacteristic, *, use_cached: bool = False, **_kwargs: Any
    ) -> bytearray:
        """See bleak; nothing is cached."""
        del use_cached
        return bytearray(await self._while_linked(characteristic.obj.read_value()))

    async def read_gatt_descriptor(
        self, descriptor: BleakGATTDescriptor, *, use_cached: bool = False, **_kwargs: Any
    ) -> bytearray:
        """See bleak; nothing is cached."""
        del use_cached
        return bytearray(await self._while_linked(descriptor.obj.read_value()))

    async def write_gatt_char(
        self,
        characteristic: BleakGATTCharacteristic,
        data: SizedBuffer,
        response: bool,  # noqa: FBT001
    ) -> None:
        """See bleak."""
        await self._while_linked(characteristic.obj.write_value(bytes(data), with_response=response))

    async def write_gatt_descriptor(self, descriptor: BleakGATTDescriptor, data: SizedBuffer) -> None:
        """See bleak."""
        await self._while_linked(descriptor.obj.write_value(bytes(data), with_response=True))

    async def start_notify(
        self, characteristic: BleakGATTCharacteristic, callback: NotifyCallback, **_kwargs: Any
    ) -> None:
        """See bleak."""
        if characteristic.handle in self._subscribed:
            raise BleakError("notifications of this characteristic are already started")

        def deliver(value: bytes) -> None:
            callback(bytearray(value))

        self._subscribed[characteristic.handle] = deliver
        try:
            await self._while_linked(characteristic.obj.subscribe(deliver))
        except BaseException:
            self._subscribed.pop(characteristic.handle, None)
            raise

    async def stop_notify(self, characteristic: BleakGATTCharacteristic) -> None:
        """See bleak."""
        deliver = self._subscribed.pop(characteristic.handle, None)
        await self._while_linked(characteristic.obj.unsubscribe(deliver))

    async def _open(self) -> Connection:
        """Connect; take the attempt back when the caller gives up, which bumble does for its timeout only."""
        device = self.central.device
        attempt = asyncio.ensure_future(device.connect(self._peer_address, timeout=None))
        try:
            return await asyncio.shield(attempt)
        except asyncio.CancelledError:
            if attempt.cancelled():
                raise BleakDeviceNotFoundError(self.address, "the attempt to connect ended") from None
            attempt.add_done_callback(_hang_up_late)
            with contextlib.suppress(BaseBumbleError, TimeoutError, asyncio.CancelledError):
                async with asyncio.timeout(_GOODBYE_S):
                    await device.cancel_connection()  # type: ignore[no-untyped-call]
                    await asyncio.wait({attempt})
            raise
        except BaseBumbleError as exc:
            raise BleakDeviceNotFoundError(self.address, f"cannot connect to {self.address}: {exc}") from exc

    async def _discover(self, peer: Peer) -> BleakGATTServiceCollection:
        found = BleakGATTServiceCollection()
        for service in await peer.discover_services():
            mine = BleakGATTService(service, service.handle, full_uuid(service.uuid))
            found.add_service(mine)
            for characteristic in await service.discover_characteristics():
                names: Any = [name for bit, name in _PROPERTIES.items() if characteristic.properties & bit]
                # bleak's handle is the declaration's, bumble's the value's, which follows it
                wrapped = BleakGATTCharacteristic(
                    characteristic,
                    characteristic.handle - 1,
                    full_uuid(characteristic.uuid),
                    names,
                    lambda: self.mtu_size - 3,
                    mine,
                )
                found.add_characteristic(wrapped)
                for descriptor in await characteristic.discover_descriptors():
                    found.add_descriptor(
                        BleakGATTDescriptor(
                            descriptor, descriptor.handle, full_uuid(descriptor.type), wrapped
                        )
                    )
        return found

    def _on_disconnection(self, _reason: int) -> None:
        if self._connection is None:
            return
        self._connection = self._peer = self.services = None
        self._subscribed.clear()
        self._gone.set()
        if self._disconnected_callback:
            self._disconnected_callback()

    async def _while_linked(self, request: Coroutine[Any, Any, T]) -> T:
        """Run a request of the stack; a link that ends under it ends it too."""
        if self._connection is None:
            request.close()
            raise BleakError("not connected")
        task, gone = asyncio.ensure_future(request), asyncio.ensure_future(self._gone.wait())
        try:
            await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
            # The stack cancels what waits for an answer when a link ends: that is not our own end.
            if not task.done() or task.cancelled():
                raise BleakError(f"the link to {self.address} ended")
            result: T = await bleak_errors(task)
            return result
        finally:
            task.cancel()
            gone.cancel()


def _hang_up_late(attempt: "asyncio.Future[Connection]") -> None:
    """A connection that comes when nobody waits for it any longer would keep its sensor from advertising."""
    if not attempt.cancelled() and attempt.exception() is None:
        goodbye = asyncio.ensure_future(_say_goodbye(attempt.result()))
        _GOODBYES.add(goodbye)
        goodbye.add_done_callback(_GOODBYES.discard)


async def _say_goodbye(connection: Connection) -> None:
    with contextlib.suppress(BaseBumbleError, TimeoutError):
        async with asyncio.timeout(_GOODBYE_S):
            await connection.disconnect()
