"""A virtual sensor: a Bluetooth peripheral that behaves, byte for byte, as one maker's does.

What it answers and sends is the business of the maker's `Peripheral`; here it gets an HCI controller, an
attribute server and a ledger. Its clock and its samples run on whether anybody listens or not; it sends only
while a central is connected, has subscribed and has started the measurement.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
from bumble.att import ATT_Error, ErrorCode
from bumble.controller import Controller
from bumble.core import UUID, AdvertisingData, BaseBumbleError
from bumble.data_types import CompleteLocalName, Flags, ManufacturerSpecificData
from bumble.device import Connection, Device, DeviceConfiguration
from bumble.gatt import Characteristic, CharacteristicValue, Service
from bumble.hci import Address, HCI_Error
from bumble.link import LocalLink

from device.radio.central import end_link
from device.vendors import Vendor
from device.vendors.base import Endpoint, Keeping, Notification, Peripheral, Recorder, Samples
from poise.errors import DecodeError
from poise.samples import Floats, Int64s

ADVERTISING_MS: Final = 50
_P = Characteristic.Properties
_PROPERTIES: Final = {
    "r": _P.READ,
    "w": _P.WRITE,
    "c": _P.WRITE_WITHOUT_RESPONSE,
    "n": _P.NOTIFY,
    "i": _P.INDICATE,
}


class SampleSource(Protocol):
    """Who moves the sensors: the virtual wearer, or a recording."""

    def samples_by_index(self, segment: str, i0: int, i1: int) -> tuple[Int64s, Floats, Floats]:
        """Return samples `i0:i1` of the sensor on `segment`; index 0 is the moment the room was started.

        Returns:
            tick (n,) in µs of the sensor's clock, specific force (n, 3) in m/s² and angular rate (n, 3) in
            rad/s, both in the sensor frame.
        """
        ...


@dataclass(slots=True)
class Ledger:
    """What one virtual sensor has done, to check everything behind it against.

    Attributes:
        produced: samples its clock has passed, sent or not.
        handed: samples given to its Bluetooth stack.
        first_index: index of the first sample ever handed over, -1 before.
        last_index: index of the newest sample handed over.
        first_tick: tick of the first, modulo 2^32.
        last_tick: tick of the newest, modulo 2^32.
        kept: of those handed over, how many had waited in the sensor's own memory for a link.
        reboots: how often it was switched off and on.
        recorded: samples in its own recordings, handed over or not.
    """

    produced: int = 0
    handed: int = 0
    first_index: int = -1
    last_index: int = -1
    first_tick: int = 0
    last_tick: int = 0
    kept: int = 0
    reboots: int = 0
    recorded: int = 0


class VirtualSensor:
    """One peripheral on a `LocalLink`.

    Attributes:
        address: its Bluetooth address.
        segment: where the wearer wears it.
        vendor: its maker.
        peripheral: what it answers and sends.
        ledger: what it has done.
    """

    def __init__(
        self, link: LocalLink, address: str, segment: str, source: SampleSource, vendor: Vendor
    ) -> None:
        """Build the sensor; `start` switches it on."""
        self.address, self.segment, self.vendor = address, segment, vendor
        self.peripheral: Peripheral = vendor.peripheral(address)
        self.ledger = Ledger()
        self._source, self._link = source, link
        self._kept: list[tuple[int, int]] = []
        self._booted_us = 0
        self._answering: set[asyncio.Task[None]] = set()
        self._controller = Controller(f"sensor {segment}", link=link)
        advertised = bytes(_advertised(self.peripheral))
        configuration = DeviceConfiguration(
            name=self.peripheral.advertised.name,
            address=Address(address),
            advertising_data=advertised,
            advertising_interval_min=ADVERTISING_MS,
            advertising_interval_max=ADVERTISING_MS,
        )
        self._device = Device.from_config_with_hci(configuration, self._controller, self._controller)
        self._characteristics = {e.uuid: self._characteristic(e) for e in self.peripheral.endpoints}
        self._device.add_services(self._services())
        self._device.on("connection", self._on_connection)

    async def start(self) -> None:
        """Switch the sensor on."""
        await self._device.power_on()
        await self.reappear()

    async def stop(self) -> None:
        """Switch the sensor off."""
        await self.vanish()
        await self._device.power_off()
        self._link.remove_controller(self._controller)

    @property
    def sending(self) -> bool:
        """Does anybody listen?"""
        return self.peripheral.measuring and any(self._listeners(uuid) for uuid in self._characteristics)

    async def run_to(self, index: int) -> None:
        """Let the sensor's clock reach sample `index`, and send what it passed if somebody listens."""
        start, self.ledger.produced = self.ledger.produced, max(index, self.ledger.produced)
        await self._give_out()
        if index <= start or not (self.sending or self._puts_by()):
            return
        ticks, acc, gyr = self._source.samples_by_index(self.segment, start, index)
        if self._booted_us < 0:
            self._booted_us = int(ticks[0])
        ticks = np.asarray(ticks, np.int64) - self._booted_us
        numbered = list(zip(range(start, index), (ticks % (1 << 32)).tolist(), strict=True))
        if not self.sending:
            self._put_by(Samples(ticks, acc, gyr), numbered)
            return
        self._kept = waiting = [*self._kept, *numbered]
        for notification, n in self.peripheral.send(Samples(ticks, acc, gyr)):
            if not await self._send(notification):
                self._kept = []
            if self._kept is not waiting:  # the link ended just now, and what waited is forgotten
                return
            for sample in waiting[:n]:
                self._book(*sample)
            del waiting[:n]

    def _puts_by(self) -> bool:
        """Does it measure although nobody listens?"""
        mine = self.peripheral
        return isinstance(mine, Keeping) or (isinstance(mine, Recorder) and mine.recording)

    def _put_by(self, samples: Samples, numbered: list[tuple[int, int]]) -> None:
        if isinstance(self.peripheral, Keeping):
            kept = self.peripheral.keep(samples)
            self._kept += numbered[:kept]
            self.ledger.kept += kept
        elif isinstance(self.peripheral, Recorder):
            self.ledger.recorded += self.peripheral.record(samples)

    async def _give_out(self) -> None:
        """Send the next part of a recording that somebody asked for."""
        for notification in self.peripheral.exported() if isinstance(self.peripheral, Recorder) else ():
            if not await self._send(notification):
                return

    async def drop(self) -> None:
        """Hang up, as a sensor does that is switched off and on; it advertises again at once."""
        for connection in list(self._device.connections.values()):
            await connection.disconnect()

    async def vanish(self) -> None:
        """Go out of range: the link is lost on both sides and nothing is advertised."""
        self._forget()
        me = Address(self.address)
        for connection in list(self._controller.le_connections.values()):
            end_link(self._link, me, connection.peer_address)
        await self._device.stop_advertising()

    async def reboot(self) -> None:
        """Lose power: everything is forgotten, and the clock begins at 0 when it is back in range."""
        await self.vanish()
        self.peripheral, self._kept = self.vendor.peripheral(self.address), []
        self._booted_us = -1
        self.ledger.reboots += 1

    async def reappear(self) -> None:
        """Come back into range."""
        await self._device.start_advertising(auto_restart=True)

    def _services(self) -> Iterable[Service]:
        by_service: dict[str, list[Characteristic[bytes]]] = {}
        for endpoint in self.peripheral.endpoints:
            by_service.setdefault(endpoint.service, []).append(self._characteristics[endpoint.uuid])
        return [Service(UUID(uuid), found) for uuid, found in by_service.items()]

    def _characteristic(self, endpoint: Endpoint) -> "Characteristic[bytes]":
        properties = _P(0)
        for letter in endpoint.access:
            properties |= _PROPERTIES[letter]
        allowed = Characteristic.Permissions(0)
        if "r" in endpoint.access:
            allowed |= Characteristic.Permissions.READABLE
        if "w" in endpoint.access or "c" in endpoint.access:
            allowed |= Characteristic.Permissions.WRITEABLE
        uuid = endpoint.uuid

        def read(_connection: Any) -> bytes:
            return self.peripheral.read(uuid)

        async def write(_connection: Any, value: bytes) -> None:
            await self._on_write(uuid, bytes(value))

        return Characteristic(UUID(uuid), properties, allowed, CharacteristicValue(read=read, write=write))

    async def _on_write(self, uuid: str, value: bytes) -> None:
        try:
            answers = self.peripheral.write(uuid, value)
        except DecodeError as exc:
            raise ATT_Error(ErrorCode.INVALID_ATTRIBUTE_LENGTH) from exc
        if answers:  # they follow the answer to the write itself
            task = asyncio.create_task(self._answer(answers))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)

    async def _answer(self, answers: Sequence[Notification]) -> None:
        for answer in answers:
            await self._send(answer)

    def _listeners(self, uuid: str) -> list[Connection]:
        subscribers = self._device.gatt_server.subscribers
        handle = self._characteristics[uuid].handle
        return [
            c for c in self._device.connections.values() if subscribers.get(c, {}).get(handle, b"\0")[0] & 3
        ]

    async def _send(self, notification: Notification) -> bool:
        """Send to who listens; False if nobody does."""
        characteristic, listeners = (
            self._characteristics[notification.uuid],
            self._listeners(notification.uuid),
        )
        try:
            for connection in listeners:
                if characteristic.properties & _P.INDICATE:
                    await self._device.indicate_subscriber(connection, characteristic, notification.value)
                else:
                    await self._device.notify_subscriber(connection, characteristic, notification.value)
        except (BaseBumbleError, HCI_Error, TimeoutError):  # the link ended just now
            return False
        return bool(listeners)

    def _book(self, index: int, tick: int) -> None:
        ledger = self.ledger
        ledger.handed += 1
        if ledger.first_index < 0:
            ledger.first_index, ledger.first_tick = index, tick
        ledger.last_index, ledger.last_tick = index, tick

    def _on_connection(self, connection: Connection) -> None:
        connection.on("disconnection", lambda _reason: self._forget())

    def _forget(self) -> None:
        self.peripheral.disconnected()
        if not isinstance(self.peripheral, Keeping):
            self._kept = []


def _advertised(peripheral: Peripheral) -> AdvertisingData:
    flags = AdvertisingData.Flags.LE_GENERAL_DISCOVERABLE_MODE | AdvertisingData.Flags.BR_EDR_NOT_SUPPORTED
    structures: list[Any] = [Flags(flags)]
    if peripheral.advertised.name:
        structures.append(CompleteLocalName(peripheral.advertised.name))
    for uuid in sorted(peripheral.advertised.services):
        kind = AdvertisingData.Type.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS
        structures.append((kind, bytes.fromhex(uuid.replace("-", ""))[::-1]))
    if peripheral.company is not None:
        structures.append(ManufacturerSpecificData(*peripheral.company))
    return AdvertisingData(structures)
