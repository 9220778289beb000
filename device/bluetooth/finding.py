"""Finding sensors: who advertises around, of which maker, and how well it is heard.

Beside `device.bluetooth.ble` the only other user of bleak for the gateway; here nothing is connected.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from bleak import BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData

from device.bluetooth.ble import MEND, Backend
from device.bluetooth.gatt import FAILURES, advertisement
from device.vendors import Vendor, vendor_of
from poise.errors import ConfigurationError

_START_S: Final = 15.0
_STOP_S: Final = 3.0
_HEARD: Final = 8
_SIGNALS: Final = ((-60, "strong"), (-75, "good"), (-87, "weak"))
"""From how many dBm on a signal is called so (project decision: radios lose packets from about -90 on)."""


@dataclass(slots=True)
class Found:
    """A sensor that advertises.

    Attributes:
        address: as this system names it: a Bluetooth address, on macOS an identifier of its own.
        name: as advertised, "" without one.
        vendor: its maker.
        heard: the newest signal strengths, dBm.
    """

    address: str
    name: str
    vendor: Vendor
    heard: deque[int] = field(default_factory=lambda: deque(maxlen=_HEARD))

    @property
    def dbm(self) -> int:
        """The mean of the newest signal strengths, dBm: single ones jump by 10."""
        return round(sum(self.heard) / len(self.heard))


@dataclass(slots=True)
class Surroundings:
    """What has been heard so far.

    Attributes:
        found: sensors of known makers, by address.
        strangers: addresses of all other devices; people's phones among them, so they are only counted.
    """

    found: dict[str, Found] = field(default_factory=dict)
    strangers: set[str] = field(default_factory=set)

    def hear(self, device: BLEDevice, data: AdvertisementData) -> None:
        """Take one advertisement; the name or the services may come with a later one."""
        advertised, address = advertisement(device, data), device.address
        vendor = vendor_of(advertised)
        if vendor is not None:
            self.strangers.discard(address)
            self.found.setdefault(address, Found(address, advertised.name, vendor))
        elif address not in self.found:
            self.strangers.add(address)
            return
        self.found[address].name = advertised.name or self.found[address].name
        self.found[address].heard.append(data.rssi)


def signal(dbm: int) -> str:
    """Return a signal strength in words."""
    return next((word for least, word in _SIGNALS if dbm >= least), "very weak")


@asynccontextmanager
async def listening(
    backend: Backend | None = None, within_s: float = _START_S
) -> AsyncIterator[Surroundings]:
    """Listen beside the block.

    Args:
        backend: None for the operating system's Bluetooth.
        within_s: how long it may take to begin.

    Raises:
        ConfigurationError: if there is no Bluetooth to listen with.
    """
    here = Surroundings()
    try:
        scanner = BleakScanner(here.hear, backend=None if backend is None else backend.scanner)
        async with asyncio.timeout(within_s):
            await scanner.start()
    except FAILURES as exc:
        raise ConfigurationError(f"No Bluetooth adapter is ready. {MEND} ({exc})") from exc
    try:
        yield here
    finally:
        with suppress(*FAILURES):
            async with asyncio.timeout(_STOP_S):
                await scanner.stop()


async def look(
    seconds: float, *, wanted: Mapping[str, str] | int = 0, backend: Backend | None = None
) -> Surroundings:
    """Listen for a time, or until what is wanted has been heard: these addresses, or so many sensors.

    Raises:
        ConfigurationError: if there is no Bluetooth to listen with.
    """
    loop = asyncio.get_running_loop()
    last = loop.time() + seconds
    async with listening(backend) as here:
        while loop.time() < last and not _enough(here, wanted):  # noqa: ASYNC110 - bleak has no event
            await asyncio.sleep(0.1)
    return here


async def adapter_trouble() -> str:
    """Return "" if the operating system's Bluetooth can scan, else the sentence that mends it."""
    try:
        async with listening(within_s=_STOP_S):
            return ""
    except ConfigurationError:
        return MEND


def _enough(here: Surroundings, wanted: Mapping[str, str] | int) -> bool:
    if isinstance(wanted, int):
        return bool(wanted) and len(here.found) >= wanted
    return set(wanted) <= set(here.found)
