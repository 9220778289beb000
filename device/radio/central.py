"""The central: bumble as the Bluetooth stack of a gateway, over any HCI transport, for bleak to use.

`async with open_central("usb:0") as backend:` gives the two classes that bleak's `backend=` wants. With it a
USB dongle, a serial controller or one behind TCP works without the operating system's Bluetooth.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from bumble import hci
from bumble.controller import Controller
from bumble.core import BaseBumbleError
from bumble.device import Device
from bumble.link import LocalLink
from bumble.transport import open_transport

from device.radio.client import BumbleClient
from device.radio.scanner import BumbleScanner, Central
from poise.errors import ConfigurationError

HOST_ADDRESS: Final = "C0:00:00:00:00:FE"
CONTROLLER_ADDRESS: Final = "C0:00:00:00:00:FF"


@dataclass(frozen=True, slots=True)
class Backend:
    """What `device.bluetooth.ble` hands to bleak in place of the operating system's Bluetooth.

    Attributes:
        scanner: class for `BleakScanner(backend=…)`.
        client: class for `BleakClient(backend=…)`.
    """

    scanner: type[BumbleScanner]
    client: type[BumbleClient]


class CentralController(Controller):
    """A software controller that does two things bumble 0.0.236 leaves out, as the specification says.

    A cancelled connection attempt ends (otherwise an absent sensor would block all later attempts), and a
    reset ends all connections (otherwise the sensors of a gateway that was killed would never be free).
    """

    def on_hci_le_create_connection_cancel_command(self, _command: Any) -> Any:
        """Core specification 5.4, volume 4, part E, 7.8.13."""
        pending, self.pending_le_connection = self.pending_le_connection, None
        if pending is None:
            return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.COMMAND_DISALLOWED_ERROR)
        cancelled = hci.HCI_LE_Connection_Complete_Event(
            status=hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR,
            connection_handle=0,
            role=hci.Role.CENTRAL,
            peer_address_type=pending.peer_address.address_type,
            peer_address=pending.peer_address,
            connection_interval=0,
            peripheral_latency=0,
            supervision_timeout=0,
            central_clock_accuracy=0,
        )
        asyncio.get_running_loop().call_soon(self.send_hci_packet, cancelled)
        return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.SUCCESS)

    def on_hci_reset_command(self, command: Any) -> Any:
        """Core specification 5.4, volume 4, part E, 7.3.2."""
        self.lose_links()
        self.pending_le_connection = None
        return super().on_hci_reset_command(command)

    def lose_links(self) -> None:
        """End all connections as if the peers had gone out of range."""
        for connection in list(self.le_connections.values()):
            end_link(self.link, connection.self_address, connection.peer_address)


def end_link(link: LocalLink, one: hci.Address, other: hci.Address) -> None:
    """End the connection between two addresses on both sides by supervision timeout."""
    for controller in list(link.controllers):
        for connection in list(controller.le_connections.values()):
            if {connection.self_address, connection.peer_address} == {one, other}:
                controller.on_le_disconnected(connection, hci.HCI_CONNECTION_TIMEOUT_ERROR)


@asynccontextmanager
async def open_central(transport: str) -> AsyncIterator[Backend]:
    """Drive the controller at a bumble transport, for example "usb:0" or "tcp-client:127.0.0.1:9100".

    Raises:
        ConfigurationError: if there is no controller to be reached.
    """
    try:
        opened = await open_transport(transport)
    except (OSError, ValueError, OverflowError, ImportError, BaseBumbleError) as exc:
        raise ConfigurationError(
            f"No Bluetooth controller answers at {transport!r} ({exc}). Check that it is plugged in or "
            "running, and that the name of the transport is right."
        ) from exc
    async with opened as wires, _powered(wires.source, wires.sink) as backend:
        yield backend


@asynccontextmanager
async def local_central(link: LocalLink) -> AsyncIterator[Backend]:
    """Put a central on a link inside this process."""
    controller = CentralController("central", link=link, public_address=CONTROLLER_ADDRESS)
    try:
        async with _powered(controller, controller) as backend:
            yield backend
    finally:
        controller.lose_links()
        link.remove_controller(controller)


@asynccontextmanager
async def _powered(source: Any, sink: Any) -> AsyncIterator[Backend]:
    device = Device.with_hci("Poise gateway", hci.Address(HOST_ADDRESS), source, sink)
    try:
        async with asyncio.timeout(10):
            await device.power_on()
    except (TimeoutError, BaseBumbleError) as exc:
        raise ConfigurationError(
            "The Bluetooth controller does not answer. Unplug it, plug it in again and start once more."
        ) from exc
    central = Central(device)
    try:
        yield Backend(
            type("BumbleScannerHere", (BumbleScanner,), {"central": central}),
            type("BumbleClientHere", (BumbleClient,), {"central": central}),
        )
    finally:
        await device.power_off()
