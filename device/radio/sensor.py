"""A virtual sensor: a Bluetooth peripheral that behaves, byte for byte, as a Movella DOT does.

Its clock and its samples run on whether anybody listens or not; it sends only while a central is connected,
has subscribed and has started the measurement.
"""

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
from device.vendors import movella_dot as dot
from device.vendors.base import Samples
from poise.samples import Floats, Int64s

ADVERTISING_MS: Final = 50
FIRMWARE: Final = (3, 0, 0)
_Access = Characteristic.Properties
_READ: Final = Characteristic.Permissions.READABLE
_WRITE: Final = Characteristic.Permissions.WRITEABLE


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
    """

    produced: int = 0
    handed: int = 0
    first_index: int = -1
    last_index: int = -1
    first_tick: int = 0
    last_tick: int = 0


class VirtualSensor:
    """One peripheral on a `LocalLink`.

    Attributes:
        address: its Bluetooth address.
        segment: where the wearer wears it.
        ledger: what it has done.
        battery: charge in per cent.
    """

    def __init__(self, link: LocalLink, address: str, segment: str, source: SampleSource) -> None:
        """Build the sensor; `start` switches it on."""
        self.address, self.segment = address, segment
        self.ledger = Ledger()
        self.battery, self.charging = 90, False
        self._source = source
        self._link = link
        self._measuring = False
        self._controller = Controller(f"sensor {segment}", link=link)
        advertised = AdvertisingData(
            [
                Flags(
                    AdvertisingData.Flags.LE_GENERAL_DISCOVERABLE_MODE
                    | AdvertisingData.Flags.BR_EDR_NOT_SUPPORTED
                ),
                CompleteLocalName(dot.NAMES[0]),
                ManufacturerSpecificData(dot.COMPANY, b""),
            ]
        )
        configuration = DeviceConfiguration(
            name=dot.NAMES[0],
            address=Address(address),
            advertising_data=bytes(advertised),
            advertising_interval_min=ADVERTISING_MS,
            advertising_interval_max=ADVERTISING_MS,
        )
        self._device = Device.from_config_with_hci(configuration, self._controller, self._controller)
        self._samples = Characteristic(
            UUID(dot.MEDIUM_PAYLOAD), _Access.NOTIFY, Characteristic.Permissions(0), bytes(dot.SAMPLE_BYTES)
        )
        self._battery_state: Characteristic[bytes] = Characteristic(
            UUID(dot.BATTERY),
            _Access.READ | _Access.NOTIFY,
            _READ,
            CharacteristicValue(read=self._on_battery),
        )
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
        return self._measuring and bool(self._listeners())

    async def run_to(self, index: int) -> None:
        """Let the sensor's clock reach sample `index`, and send what it passed if somebody listens."""
        start, self.ledger.produced = self.ledger.produced, max(index, self.ledger.produced)
        if index <= start or not self.sending:
            return
        ticks, acc, gyr = self._source.samples_by_index(self.segment, start, index)
        raw_ticks = (np.asarray(ticks, np.int64) % (1 << 32)).astype(np.uint32)
        for offset, notification in enumerate(dot.encode(Samples(raw_ticks, acc, gyr))):
            if not await self._send(notification):
                return
            self._book(start + offset, int(raw_ticks[offset]))

    async def drop(self) -> None:
        """Hang up, as a sensor does that is switched off and on; it advertises again at once."""
        for connection in list(self._device.connections.values()):
            await connection.disconnect()

    async def vanish(self) -> None:
        """Go out of range: the link is lost on both sides and nothing is advertised."""
        self._measuring = False
        me = Address(self.address)
        for connection in list(self._controller.le_connections.values()):
            end_link(self._link, me, connection.peer_address)
        await self._device.stop_advertising()

    async def reappear(self) -> None:
        """Come back into range."""
        await self._device.start_advertising(auto_restart=True)

    def _services(self) -> list[Service]:
        info = dot.info(self.address, FIRMWARE)
        control = CharacteristicValue(
            read=lambda _c: dot.control_for_rate(dot.RATE_HZ), write=self._on_control
        )
        measurement = CharacteristicValue(read=self._on_state, write=self._on_measurement)
        both = _Access.READ | _Access.WRITE
        return [
            Service(
                UUID(dot.CONFIGURATION_SERVICE),
                [
                    Characteristic(UUID(dot.DEVICE_INFO), _Access.READ, _READ, info),
                    Characteristic(UUID(dot.DEVICE_CONTROL), both, _READ | _WRITE, control),
                ],
            ),
            Service(
                UUID(dot.MEASUREMENT_SERVICE),
                [
                    Characteristic(UUID(dot.MEASUREMENT_CONTROL), both, _READ | _WRITE, measurement),
                    self._samples,
                ],
            ),
            Service(UUID(dot.BATTERY_SERVICE), [self._battery_state]),
        ]

    def _listeners(self) -> list[Connection]:
        subscribers = self._device.gatt_server.subscribers
        handle = self._samples.handle
        return [
            c for c in self._device.connections.values() if subscribers.get(c, {}).get(handle, b"\0")[0] & 1
        ]

    async def _send(self, notification: bytes) -> bool:
        try:
            for connection in self._listeners():
                await self._device.notify_subscriber(connection, self._samples, notification)
        except (BaseBumbleError, HCI_Error):  # the link ended just now
            return False
        return True

    def _book(self, index: int, tick: int) -> None:
        ledger = self.ledger
        ledger.handed += 1
        if ledger.first_index < 0:
            ledger.first_index, ledger.first_tick = index, tick
        ledger.last_index, ledger.last_tick = index, tick

    def _on_connection(self, connection: Connection) -> None:
        connection.on("disconnection", self._on_disconnection)

    def _on_disconnection(self, _reason: int) -> None:
        self._measuring = False

    def _on_battery(self, _connection: Any) -> bytes:
        return bytes([self.battery, self.charging])

    def _on_state(self, _connection: Any) -> bytes:
        return dot.START if self._measuring else dot.STOP

    def _on_control(self, _connection: Any, value: bytes) -> None:
        """Take device control; the output rate is 60 Hz whatever is asked, as no other is simulated."""

    def _on_measurement(self, _connection: Any, value: bytes) -> None:
        if len(value) != len(dot.START):
            raise ATT_Error(ErrorCode.INVALID_ATTRIBUTE_LENGTH)
        if bytes(value) == dot.START:
            self._measuring = True
        elif bytes(value[:2]) == dot.STOP[:2]:
            self._measuring = False
