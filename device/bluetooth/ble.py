"""Bluetooth: finds the worn sensors, keeps them connected and streaming, and passes on what they send.

Only it and `device.bluetooth.talking` connect by bleak (the bumble backend: `device.radio`).
One task looks for sensors and connects them one by one, because adapters can neither scan and connect at once
nor make two connections at a time. Each connected sensor then has a task that watches over it.
"""

import asyncio
import contextlib
import logging
import random
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final, Protocol

from bleak import BleakAdapter, BleakClient, BleakScanner
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner
from bleak.exc import BleakBluetoothNotAvailableError

from device.bluetooth.gatt import (
    FAILURES,
    GOODBYE_S,
    advertisement,
    hang_up,
    is_recording,
    no_bus,
    read,
    reason,
    release,
    stop_measuring,
    stray,
    within,
    write_all,
)
from device.bluetooth.link import Link, Receiver, Trouble
from device.stream.clock import HostClock
from device.tasks import obey_cancellation, together
from device.vendors import Vendor, vendor_of
from device.vendors.base import Advertised, Notification, Write
from poise.errors import ConfigurationError, DecodeError

STALE_S: Final = 2.0
GIVE_UP_S: Final = 10.0
BATTERY_S: Final = 60.0
MEND: Final = (
    "Plug one in or switch Bluetooth on (on Linux: start the bluetooth service and run "
    "`bluetoothctl power on`), then start again."
)
_SCAN_S: Final = 5.0
_LINGER_S: Final = 0.3
_CONNECT_S: Final = 15.0
_COMMAND_S: Final = 1.0
_FIRST_PAUSE_S: Final = 0.3
_LONGEST_PAUSE_S: Final = 8.0
_FEWEST_SLOTS: Final = 5
_LOOK_S: Final = 0.25
_HELD_UP_S: Final = 1.0
_RESUME_S: Final = 1.5
_log: Final = logging.getLogger(__name__)


class Backend(Protocol):
    """Classes for bleak's `backend=`, in place of the system's Bluetooth; see `device.radio.central`."""

    @property
    def scanner(self) -> type[BaseBleakScanner]: ...  # noqa: D102

    @property
    def client(self) -> type[BaseBleakClient]: ...  # noqa: D102


class Bluetooth:
    """Supervises the sensors of one wearer.

    Attributes:
        links: by address, in the order given or found.
    """

    def __init__(
        self,
        sensors: Mapping[str, str] | Sequence[str],
        receiver: Receiver,
        clock: HostClock,
        *,
        backend: Backend | None = None,
        adapter: str = "",
    ) -> None:
        """Prepare; `run` does the work.

        Args:
            sensors: segment by address, or only segments: then the sensors found are worn in the order of
                their addresses.
            receiver: takes samples and states.
            clock: the host's clock.
            backend: None for the operating system's Bluetooth.
            adapter: name of the adapter, such as "hci1", on Linux; "" for the first.
        """
        self.links: dict[str, Link] = {}
        self._receiver, self._clock = receiver, clock
        self._scanner = None if backend is None else backend.scanner
        self._client = None if backend is None else backend.client
        self._bluez: dict[str, Any] = {"bluez": {"adapter": adapter}} if adapter else {}
        self._unassigned = [] if isinstance(sensors, Mapping) else [str(segment) for segment in sensors]
        if isinstance(sensors, Mapping):
            for address, segment in sensors.items():
                self._add(address, str(segment))
        self._clients: dict[str, BleakClient] = {}
        self._wake = asyncio.Event()
        self._worked = False

    async def run(self) -> None:
        """Find, connect and watch until cancelled; then stop the measurements and hang up.

        Raises:
            ConfigurationError: if there is no Bluetooth to work with from the start.
        """
        async with together() as watchers:
            pause_s = _FIRST_PAUSE_S
            while True:
                came = await self._look(watchers)
                obey_cancellation()
                pause_s = _FIRST_PAUSE_S if came else min(2 * pause_s, _LONGEST_PAUSE_S)
                if self._complete():
                    await self._wake.wait()
                else:
                    await within(pause_s * random.uniform(0.5, 1.5), self._wake)  # noqa: S311 - no secret
                if self._wake.is_set():
                    pause_s = _FIRST_PAUSE_S
                    self._wake.clear()

    async def command(self, choose: Callable[[Vendor], Sequence[Write]], sensor: str = "") -> int:
        """Send a command to the connected sensors that know it, or to one; return how many took it."""
        wanted = [link for link in self.links.values() if sensor in ("", link.sensor)]
        taken = 0
        for link in wanted:
            client, writes = self._clients.get(link.sensor), choose(link.vendor) if link.vendor else ()
            if client is None or not writes:
                continue
            with contextlib.suppress(*FAILURES):
                async with asyncio.timeout(_COMMAND_S):
                    await write_all(client, writes)
                    taken += 1
        return taken

    def _complete(self) -> bool:
        return not self._unassigned and not self._missing()

    def _missing(self) -> list[Link]:
        return [link for link in self.links.values() if not link.busy]

    async def _look(self, watchers: asyncio.TaskGroup) -> bool:
        """Scan once and connect what was found; True if any sensor came."""
        if self._complete():
            return False
        for address, (device, vendor) in (await self._scan()).items():
            if address in self.links:
                self.links[address].device, self.links[address].vendor = device, vendor
        came = False
        for link in self._missing():
            if link.device is not None and link.vendor is not None:
                gone = asyncio.Event()
                client = await self._connect(link, link.vendor, gone)
                link.device = None
                link.trouble = client if isinstance(client, Trouble) else ""
                if isinstance(client, BleakClient):
                    watch = self._watch(link, client, link.vendor, gone)
                    watchers.create_task(watch, name=f"sensor {link.sensor}")
                    came = True
            else:
                link.trouble = Trouble.NOT_SEEN
        return came

    def _refusal(self) -> Trouble:
        """Adapters have five to seven connections; running out of them looks like a sensor that refuses."""
        connected = sum(link.busy for link in self.links.values())
        return Trouble.NO_SLOT if connected >= _FEWEST_SLOTS else Trouble.REFUSED

    async def _scan(self) -> dict[str, tuple[BLEDevice, Vendor]]:
        """Return sensors that are wanted and advertise now; ends soon after the first or all are seen."""
        seen: dict[str, tuple[BLEDevice, Vendor]] = {}
        some, all_ = asyncio.Event(), asyncio.Event()
        wanted = {link.sensor for link in self._missing()}

        def heard(device: BLEDevice, advertised: AdvertisementData) -> None:
            vendor = vendor_of(advertisement(device, advertised))
            if (device.address in wanted or self._unassigned) and vendor is not None:
                seen[device.address] = (device, vendor)
                some.set()
            if len(seen) >= len(wanted) + len(self._unassigned):
                all_.set()

        try:
            await self._free(wanted)
            scanner = BleakScanner(heard, backend=self._scanner, **self._bluez)
            async with asyncio.timeout(_CONNECT_S):
                await scanner.start()
            try:
                await within(_SCAN_S, some)
                await within(_SCAN_S if self._unassigned else _LINGER_S, all_)
            finally:
                async with asyncio.timeout(GOODBYE_S):
                    await scanner.stop()
        except BleakBluetoothNotAvailableError as exc:
            self._no_bluetooth(exc)
        except FAILURES as exc:
            if self._scanner is None and not self._worked and no_bus(exc):
                self._no_bluetooth(exc)
            _log.warning("Scanning for sensors failed, and is tried again: %s", reason(exc))
            return {}
        self._worked = True
        self._assign(seen)
        return seen

    async def _free(self, wanted: Collection[str]) -> None:
        """Hang up on wanted sensors that nobody here is connected to, and which are connected all the same.

        BlueZ keeps the connections of a program that died (bluez issue 89), and a connected sensor does not
        advertise: after a crash, or a goodbye that failed, no scan would ever find it.
        """
        if self._scanner is not None or sys.platform != "linux":
            return
        adapter = await BleakAdapter.get(**self._bluez)
        ours = [d for d in await adapter.get_connected_devices() if d.address in wanted or self._may_be(d)]
        # Together: BlueZ takes two seconds for each goodbye.
        await asyncio.gather(*(release(BleakClient(d, timeout=_CONNECT_S, **self._bluez)) for d in ours))

    def _may_be(self, device: BLEDevice) -> bool:
        services = frozenset(uuid.lower() for uuid in device.details["props"].get("UUIDs", ()))
        return bool(self._unassigned) and vendor_of(Advertised(device.name or "", services)) is not None

    def _assign(self, seen: Mapping[str, Any]) -> None:
        """Give segments to sensors that nobody named: all at once, by address, so the same ones again."""
        new = sorted(address for address in seen if address not in self.links)
        if self._unassigned and len(new) >= len(self._unassigned):
            for address, segment in zip(new, self._unassigned, strict=False):
                self._add(address, segment)
            self._unassigned = []

    def _no_bluetooth(self, exc: Exception) -> None:
        if self._worked:
            _log.warning("Bluetooth is gone; waiting for it to come back: %s", exc)
            return
        raise ConfigurationError(f"No Bluetooth adapter is ready. {MEND} ({exc})") from exc

    async def _connect(self, link: Link, vendor: Vendor, gone: asyncio.Event) -> BleakClient | Trouble:
        """Connect, subscribe and start the measurement, or return why that failed."""
        client = BleakClient(
            link.device, lambda _: gone.set(), timeout=_CONNECT_S, backend=self._client, **self._bluez
        )
        self._receiver.found(link)

        heard, asked = asyncio.Event(), vendor.decoder()

        def notified(characteristic: BleakGATTCharacteristic, value: bytearray) -> None:
            moment = self._clock.now()
            if not heard.is_set() and len(asked.feed([Notification(characteristic.uuid, bytes(value))]).of):
                heard.set()
            link.heard_s = asyncio.get_running_loop().time()
            self._receiver.notified(link.sensor, Notification(characteristic.uuid, bytes(value)), moment)

        try:
            async with asyncio.timeout(2 * _CONNECT_S):
                await client.connect()
                if await is_recording(client, vendor):  # whoever began that does not want it ended here
                    await hang_up(client)
                    return Trouble.RECORDING
                self._receiver.linked(link.sensor, self._clock.now())
                for uuid in vendor.subscriptions:
                    await client.start_notify(uuid, notified)
                await self._start(client, vendor, heard)
                link.firmware = vendor.firmware(await read(client, vendor.info_uuid))
        except BaseException as exc:
            await hang_up(client)
            if not isinstance(exc, FAILURES) and not stray(exc):
                raise
            _log.info("Sensor %s could not be started, and is tried again: %s", link.sensor, reason(exc))
            return self._refusal()
        link.busy = True
        self._change(link, "connected")
        return client

    async def _start(self, client: BleakClient, vendor: Vendor, heard: asyncio.Event) -> None:
        """Begin the measurement; a sensor that kept samples and is at it already must not begin anew."""
        if vendor.resume is not None:
            await write_all(client, vendor.resume)
            await within(_RESUME_S, heard)
            if heard.is_set():
                return
        await write_all(client, vendor.start)

    async def _watch(self, link: Link, client: BleakClient, vendor: Vendor, gone: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        began = quiet_from = next_battery = loop.time()
        self._clients[link.sensor] = client
        try:
            while client.is_connected:
                silent = loop.time() - max(link.heard_s, quiet_from)
                if silent > GIVE_UP_S:
                    _log.info("Sensor %s has been silent for %.0f s; connecting again", link.sensor, silent)
                    break
                self._change(link, _state(link, began, silent))
                if loop.time() >= next_battery:
                    next_battery = loop.time() + BATTERY_S
                    await self._read_battery(link, client, vendor)
                due = loop.time() + _LOOK_S
                await within(_LOOK_S, gone)
                if loop.time() > due + _HELD_UP_S:  # held up: what the sensor sent meanwhile is on its way
                    quiet_from = loop.time()
            link.drops += 1
        except FAILURES as exc:
            link.drops += 1
            _log.info("The link to sensor %s failed: %s", link.sensor, reason(exc))
        except asyncio.CancelledError as exc:
            if stray(exc):
                link.drops += 1
            else:
                await stop_measuring(client, vendor)
                raise
        finally:
            # At once, before any other attempt: BlueZ would double every notification (bleak issue 2002).
            self._clients.pop(link.sensor, None)
            await hang_up(client)
            link.busy = False
            self._change(link, "lost")
            self._wake.set()

    async def _read_battery(self, link: Link, client: BleakClient, vendor: Vendor) -> None:
        if vendor.battery_request is not None:
            await write_all(client, (vendor.battery_request,))
        value = await read(client, vendor.battery_uuid)
        with contextlib.suppress(DecodeError):
            link.battery_percent, link.charging = vendor.battery(value)
            self._receiver.changed(link)

    def _add(self, address: str, segment: str) -> None:
        self.links[address] = Link(address, segment, since_us=self._clock.now().utc_us)

    def _change(self, link: Link, state: str) -> None:
        if state != link.state:
            link.state, link.since_us = state, self._clock.now().utc_us
            self._receiver.changed(link)


def _state(link: Link, began: float, silent: float) -> str:
    if silent > STALE_S:
        return "stale"
    return "streaming" if link.heard_s >= began else "connected"
