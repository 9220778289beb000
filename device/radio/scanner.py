"""The scanner half of a bleak backend on bumble, and what both halves share.

bleak makes the objects, so a class must know its Bluetooth stack beforehand: `device.radio.central` makes a
subclass of each for every central.
"""

import asyncio
from typing import Any, ClassVar

from bleak.backends.scanner import AdvertisementData, AdvertisementDataCallback, BaseBleakScanner
from bleak.exc import BleakError, BleakGATTProtocolError
from bleak.uuids import normalize_uuid_str
from bumble import att, hci
from bumble.core import UUID, AdvertisingData, BaseBumbleError
from bumble.device import Device

from device.tasks import obey_cancellation

_UUID_LISTS = {
    AdvertisingData.Type.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS: 2,
    AdvertisingData.Type.INCOMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS: 2,
    AdvertisingData.Type.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS: 16,
    AdvertisingData.Type.INCOMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS: 16,
}


class Central:
    """A powered bumble device and the lock that its connection attempts share."""

    def __init__(self, device: Device) -> None:
        """Take over a device that is powered on."""
        self.device = device
        self.connecting = asyncio.Lock()  # a controller makes one connection at a time


class BumbleScanner(BaseBleakScanner):
    """bleak's scanner; advertisement and scan response of a device are joined."""

    central: ClassVar[Central]

    def __init__(
        self,
        detection_callback: AdvertisementDataCallback | None,
        service_uuids: list[str] | None,
        scanning_mode: str,
        **_unused: Any,
    ) -> None:
        """Take bleak's arguments; those for other systems mean nothing here."""
        super().__init__(detection_callback, service_uuids)
        self._active = scanning_mode == "active"
        self._heard: dict[str, _Heard] = {}

    async def start(self) -> None:
        """See bleak."""
        self.seen_devices = {}
        self._heard.clear()
        device = self.central.device
        device.on("advertisement", self._on_advertisement)
        if not device.is_scanning:
            await bleak_errors(device.start_scanning(active=self._active))

    async def stop(self) -> None:
        """See bleak."""
        device = self.central.device
        device.remove_listener("advertisement", self._on_advertisement)
        if not device.listeners("advertisement") and device.is_scanning:
            await bleak_errors(device.stop_scanning())

    def _on_advertisement(self, advertisement: Any) -> None:
        address = advertisement.address.to_string(with_type_qualifier=False)
        heard = self._heard.setdefault(address, _Heard())
        for kind, raw in advertisement.data.ad_structures:
            heard.add(kind, raw)
        data = heard.data(advertisement)
        if self.is_allowed_uuid(data.service_uuids):
            device = self.create_or_update_device(address, address, heard.name, advertisement.address, data)
            self.call_detection_callbacks(device, data)


class _Heard:
    """What one device has advertised so far."""

    def __init__(self) -> None:
        self.name: str | None = None
        self.tx_power: int | None = None
        self.uuids: list[str] = []
        self.manufacturer: dict[int, bytes] = {}

    def add(self, kind: Any, raw: bytes) -> None:
        if kind in (AdvertisingData.Type.COMPLETE_LOCAL_NAME, AdvertisingData.Type.SHORTENED_LOCAL_NAME):
            self.name = raw.decode("utf-8", "replace")
        elif kind == AdvertisingData.Type.TX_POWER_LEVEL:
            self.tx_power = int.from_bytes(raw, "little", signed=True)
        elif kind == AdvertisingData.Type.MANUFACTURER_SPECIFIC_DATA and len(raw) >= 2:
            self.manufacturer[int.from_bytes(raw[:2], "little")] = bytes(raw[2:])
        elif size := _UUID_LISTS.get(kind):
            found = [
                full_uuid(UUID.from_bytes(raw[i : i + size])) for i in range(0, len(raw) - size + 1, size)
            ]
            self.uuids += [uuid for uuid in found if uuid not in self.uuids]

    def data(self, advertisement: Any) -> AdvertisementData:
        return AdvertisementData(
            self.name,
            dict(self.manufacturer),
            {},
            list(self.uuids),
            self.tx_power,
            max(advertisement.rssi, -127),
            (advertisement,),
        )


async def bleak_errors(request: Any) -> Any:
    """Wait for something of the stack, and raise its failures as bleak's own errors."""
    try:
        result = await request
    except att.ATT_Error as exc:
        raise BleakGATTProtocolError(exc.error_code) from exc
    except (BaseBumbleError, hci.HCI_Error) as exc:
        raise BleakError(str(exc)) from exc
    obey_cancellation()
    return result


def full_uuid(uuid: UUID) -> str:
    """Return a UUID as bleak writes it: 128 bits, lower case."""
    return normalize_uuid_str(uuid.to_hex_str("-"))
