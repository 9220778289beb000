"""The radio room: virtual sensors on one simulated radio, in this process or in one of their own."""

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any, Final, Self

from bumble.core import BaseBumbleError
from bumble.link import LocalLink
from bumble.transport import open_transport

from device.radio.central import CONTROLLER_ADDRESS, Backend, CentralController, local_central
from device.radio.sensor import Ledger, SampleSource, VirtualSensor
from device.vendors import Vendor, vendor_named
from poise.errors import ConfigurationError, SensorError

WAKE_S: Final = 0.05
"""One wake-up sends three samples of each sensor; waking for every sample would cost three times as much."""
PATIENCE_S: Final = 10.0
_USUAL: Final = vendor_named("movella_dot")
_log: Final = logging.getLogger(__name__)


class RadioRoom:
    """Holds the sensors and paces them by the monotonic clock.

    Attributes:
        link: the simulated radio.
        sensors: in the order of the segments given.
    """

    def __init__(
        self,
        source: SampleSource,
        segments: Sequence[str],
        *,
        drift_ppm: Mapping[str, float] | None = None,
        patient: bool = False,
        vendors: Mapping[str, Vendor] | None = None,
    ) -> None:
        """Furnish the room.

        Args:
            source: moves the sensors.
            segments: one sensor for each.
            drift_ppm: by segment, how much faster than real time a sensor's clock runs.
            patient: the source's time begins when somebody listens to all sensors, or to one for ten seconds,
                not at once: the calibration at its beginning must not be missed.
            vendors: by segment, the maker of its sensor; a Movella DOT where none is named.
        """
        self._patient = patient
        self.link = LocalLink()  # type: ignore[no-untyped-call]
        makers, drift = vendors or {}, drift_ppm or {}
        self.sensors = [
            VirtualSensor(
                self.link, f"D4:22:CD:00:00:{i + 1:02X}", segment, source, makers.get(segment, _USUAL)
            )
            for i, segment in enumerate(segments)
        ]
        self._rates = [
            sensor.vendor.rate_hz * (1 + drift.get(str(sensor.segment), 0.0) * 1e-6)
            for sensor in self.sensors
        ]
        self._begun = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def worn(self) -> dict[str, str]:
        """Segment of each sensor by its address, as a gateway wants it."""
        return {sensor.address: str(sensor.segment) for sensor in self.sensors}

    async def __aenter__(self) -> Self:
        for sensor in self.sensors:
            await sensor.start()
        self._task = asyncio.create_task(self._run(), name="radio room")
        self._task.add_done_callback(_say_if_failed)
        return self

    async def __aexit__(self, *_exc: object) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        for sensor in self.sensors:
            await sensor.stop()

    def central(self) -> contextlib.AbstractAsyncContextManager[Backend]:
        """Put a gateway's Bluetooth into the room, in this process."""
        return local_central(self.link)

    async def drop(self, i: int) -> None:
        """Let sensor `i` hang up."""
        await self.sensors[i].drop()

    async def vanish(self, i: int) -> None:
        """Take sensor `i` out of range."""
        await self.sensors[i].vanish()

    async def reappear(self, i: int) -> None:
        """Bring sensor `i` back into range."""
        await self.sensors[i].reappear()

    async def reboot(self, i: int) -> None:
        """Take the power of sensor `i` away; `reappear` gives it back."""
        await self.sensors[i].reboot()

    def set_battery(self, i: int, percent: int) -> None:
        """Set the charge that sensor `i` reports."""
        self.sensors[i].peripheral.battery_percent = percent

    def ledgers(self) -> dict[str, Ledger]:
        """Return each sensor's ledger by its address."""
        return {sensor.address: sensor.ledger for sensor in self.sensors}

    async def begun(self) -> None:
        """Wait until the source's time begins; see `patient`."""
        await self._begun.wait()

    async def _until_heard(self) -> None:
        first = float("inf")
        while not all(s.sending for s in self.sensors) and time.monotonic() - first < PATIENCE_S:
            await asyncio.sleep(WAKE_S)
            if any(s.sending for s in self.sensors):
                first = min(first, time.monotonic())

    async def _run(self) -> None:
        if self._patient:
            await self._until_heard()
        began = time.monotonic()
        self._begun.set()
        while True:
            await asyncio.sleep(WAKE_S)
            elapsed = time.monotonic() - began
            for sensor, rate in zip(self.sensors, self._rates, strict=True):
                await sensor.run_to(int(elapsed * rate))


def _say_if_failed(task: asyncio.Task[None]) -> None:
    """Say at once why all sensors fell silent; leaving the room raises it again."""
    if not task.cancelled() and (exc := task.exception()) is not None:
        _log.error("The radio room stopped: %s", exc)


@asynccontextmanager
async def serve_room(room: RadioRoom, transport: str, control_port: int) -> AsyncIterator[int]:
    """Offer a started room to a gateway in another process.

    Args:
        room: the room.
        transport: where the gateway finds the Bluetooth controller, for example "tcp-server:127.0.0.1:9100".
        control_port: port on 127.0.0.1 for `RoomControl`; 0 for any.

    Yields:
        The control port.

    Raises:
        ConfigurationError: if a port is taken.
    """
    async with contextlib.AsyncExitStack() as opened:
        try:
            wires = await opened.enter_async_context(await open_transport(transport))
            if (listener := getattr(wires, "server", None)) is not None:
                opened.callback(listener.close)  # bumble leaves it open
            orders = await asyncio.start_server(lambda r, w: _serve(room, r, w), "127.0.0.1", control_port)
        except (OSError, ValueError, OverflowError, BaseBumbleError) as exc:
            raise ConfigurationError(
                f"The radio room cannot open its ports: {exc}. Choose other ones."
            ) from exc
        opened.callback(orders.close)
        controller = CentralController(
            "central", host_source=wires.source, host_sink=wires.sink, link=room.link,
            public_address=CONTROLLER_ADDRESS,
        )  # fmt: skip
        opened.callback(room.link.remove_controller, controller)
        opened.callback(controller.lose_links)
        yield int(orders.sockets[0].getsockname()[1])


async def _serve(room: RadioRoom, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one JSON line with another: ["drop", 1] → null, ["ledgers"] → {address: ledger}."""
    with contextlib.suppress(ConnectionError):
        while line := await reader.readline():
            writer.write(json.dumps(await _obey(room, json.loads(line))).encode() + b"\n")
            await writer.drain()
    writer.close()


async def _obey(room: RadioRoom, order: list[Any]) -> Any:
    match order:
        case ["drop" | "vanish" | "reappear" | "reboot" as verb, int(i)]:
            await getattr(room, verb)(i)
            return None
        case ["battery", int(i), int(percent)]:
            return room.set_battery(i, percent)
        case ["ledgers"]:
            return {address: asdict(ledger) for address, ledger in room.ledgers().items()}
    return {"error": "unknown order"}


class RoomControl:
    """The far end of `serve_room`'s control port."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take over an open connection; see `connect`."""
        self._reader, self._writer = reader, writer

    @classmethod
    async def connect(cls, port: int) -> "RoomControl":
        """Connect to a room in another process.

        Raises:
            SensorError: if no room answers.
        """
        try:
            return cls(*await asyncio.open_connection("127.0.0.1", port))
        except OSError as exc:
            raise SensorError(f"No radio room answers on port {port}: {exc}") from exc

    async def order(self, *words: str | int) -> Any:
        """Send an order such as `"drop", 1` and return the answer."""
        self._writer.write(json.dumps(words).encode() + b"\n")
        await self._writer.drain()
        return json.loads(await self._reader.readline())

    async def ledgers(self) -> dict[str, Ledger]:
        """Return each sensor's ledger by its address."""
        return {address: Ledger(**entry) for address, entry in (await self.order("ledgers")).items()}

    async def close(self) -> None:
        """Hang up."""
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()
