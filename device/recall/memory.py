"""The conversation with a Movella DOT's memory: is it recording, begin, end, what is there, bring it here.

The bytes, and what the maker's document says of the order, are in `device.vendors.movella_dot_memory`.
"""

import asyncio
from collections.abc import AsyncIterator, Collection
from typing import Final, NamedTuple

import numpy as np

from device.bluetooth.talking import Peer
from device.recall.timing import Anchor, anchored
from device.vendors import movella_dot_memory as bytes_of
from device.vendors.base import Notification, Write
from device.vendors.movella_dot import MovellaDot
from device.vendors.movella_dot_frames import MEDIUM_PAYLOAD, decode
from device.vendors.movella_dot_memory import Export, FileInfo, Kind, Message, Result
from poise.errors import DecodeError, SensorError

LISTEN_S: Final = 2.0
"""For so long a sensor streams so that its clock is seen; the promptest arrival of many counts."""
ERASING_S: Final = 60.0
_DOT: Final = MovellaDot()


class Contents(NamedTuple):
    """What a memory holds: its recordings, the first having index 1, and for how long there is room."""

    files: list[FileInfo]
    room_s: float


class Memory:
    """One sensor's memory; every failure is a `SensorError`."""

    def __init__(self, peer: Peer) -> None:
        """Take an open conversation; `open` comes first."""
        self._peer = peer

    async def open(self) -> Result:
        """Begin to listen, and return what the sensor is doing: nothing or recording.

        Raises:
            SensorError: if it has no memory of this kind, or is busy with something else.
        """
        if not self._peer.has(bytes_of.CONTROL):
            raise SensorError(f"Sensor {self._peer.address} has no memory that Poise can use.")
        await self._peer.listen(bytes_of.NOTIFICATION)
        await self._peer.listen(MEDIUM_PAYLOAD)
        state = await self._ask(bytes_of.ask_state())
        if state == Result.EXPORTING_DATA:  # for an earlier link
            await self._must(bytes_of.stop_export(), "does not end an export.")
            await self._until({bytes_of.EXPORT_STOPPED})
        elif state not in (Result.IDLE, Result.RECORDING):
            raise SensorError(f"Sensor {self._peer.address} is busy; try again in a minute.")
        return Result.RECORDING if state == Result.RECORDING else Result.IDLE

    async def clock(self) -> Anchor | None:
        """Let the sensor stream for a moment, and return when its clock showed what; None if nothing came."""
        await self._peer.write(*_DOT.start)
        await asyncio.sleep(LISTEN_S)
        await self._peer.write(*_DOT.stop)
        heard = [(_tick(h.notification), h.moment.utc_us) for h in self._peer.at_hand()]
        seen = [(tick, utc_us) for tick, utc_us in heard if tick is not None]
        return anchored(np.array(seen, np.int64).reshape(-1, 2))

    async def begin(self, utc_s: int) -> int:
        """Begin to record, and return UTC µs of that moment.

        Raises:
            SensorError: if the sensor refuses; its memory is full, most likely.
        """
        await self._peer.write(_DOT.start[0])
        await self._must(bytes_of.start_recording(utc_s), "does not begin to record: is its memory full?")
        return self._peer.clock.now().utc_us

    async def halt(self) -> None:
        """End the recording; it stays in the memory."""
        await self._must(bytes_of.stop_recording(), "does not end its recording.")
        await self._until({bytes_of.RECORDING_STOPPED})

    async def contents(self) -> Contents:
        """Return what is there."""
        await self._must(bytes_of.ask_flash(), "does not tell what its memory holds.")
        told = await self._until({Kind.FLASH_INFO_DONE})
        try:
            n, room_s = len(bytes_of.file_sectors(told)), bytes_of.room_s(told)
            return Contents([await self._file(index + 1) for index in range(n)], room_s)
        except DecodeError as exc:
            raise SensorError(f"Sensor {self._peer.address}: {exc}", sensor=self._peer.address) from exc

    async def erase(self) -> None:
        """Delete all recordings."""
        now_s = self._peer.clock.now().utc_us // 1_000_000
        await self._must(bytes_of.erase(now_s), "does not erase its memory.")
        await self._until({Kind.ERASED}, ERASING_S)

    async def export(self, index: int, first: int) -> AsyncIterator[list[bytes]]:
        """Bring a recording here: the packets from `first` on, each b"" where the sensor cannot read it.

        Raises:
            SensorGoneError: if the link ends meanwhile; go on from there with another one.
            SensorError: if the sensor does not answer any more.
        """
        await self._must(bytes_of.select(), "does not export what Poise asks for.")
        await self._must(bytes_of.fetch(index), "does not export its recording.")
        export = Export(first)
        if first:  # a sensor that does not obey sends all from the beginning, which is passed over
            await self._ask(export.again())
        while not export.done:
            heard = [await self._peer.next(), *self._peer.at_hand()]
            rows = export.take([h.notification.value for h in heard])
            if rows:
                yield rows
            if export.broken:
                await self._must(export.again(), "does not send again what was lost.")
        if await self._ask(bytes_of.stop_export()) == Result.SUCCESS:
            await self._until({bytes_of.EXPORT_STOPPED})

    async def _file(self, index: int) -> FileInfo:
        await self._must(bytes_of.ask_file(index), "does not tell of its recordings.")
        told = await self._until({Kind.FILE_INFO_DONE, Kind.NO_SUCH_FILE})
        return bytes_of.read_file_info(next((data for kind, data in told if kind == Kind.FILE_INFO), b""))

    async def _must(self, write: Write, otherwise: str) -> None:
        if await self._ask(write) != Result.SUCCESS:
            raise SensorError(f"Sensor {self._peer.address} {otherwise}", sensor=self._peer.address)

    async def _ask(self, write: Write) -> int:
        """Send a message and return the result that the sensor acknowledges it with."""
        await self._peer.write(write)
        try:
            return bytes_of.read_acknowledge(await self._peer.read(bytes_of.ACKNOWLEDGE)).result
        except DecodeError as exc:
            raise SensorError(f"Sensor {self._peer.address}: {exc}", sensor=self._peer.address) from exc

    async def _until(self, kinds: Collection[int], within_s: float = 10.0) -> list[Message]:
        """Return the messages up to the first of one of these kinds; others' bytes are passed over."""
        told: list[Message] = []
        while not told or told[-1].kind not in kinds:
            uuid, value = (await self._peer.next(within_s)).notification
            if uuid == bytes_of.NOTIFICATION:
                try:
                    told.append(bytes_of.read_message(value))
                except DecodeError:
                    continue
        return told


def _tick(found: Notification) -> int | None:
    """Return a streamed sample's tick, None for what is none."""
    try:
        return int(decode([found.value]).tick_us[0]) if found.uuid == MEDIUM_PAYLOAD else None
    except DecodeError:
        return None
