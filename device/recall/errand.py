"""All sensors of a wearer, one after the other: begin to record, or bring recordings home and store them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from device.bluetooth.ble import Backend
from device.bluetooth.talking import FIND_S, talking
from device.recall.book import ASKED, BEGUN, FETCHED, LOST, OUT, STORED, Book, Recording
from device.recall.memory import Contents, Memory
from device.recall.staged import Staged
from device.recall.storing import Home, Storing, ready, settling
from device.stream.clock import HostClock, SystemClock
from device.vendors.movella_dot_frames import RATE_HZ
from device.vendors.movella_dot_memory import Result
from poise.errors import SensorError, SensorGoneError
from poise.skeleton import place

Consent = Callable[[str, int], Awaitable[bool]]
"""Asks a person whether a sensor's memory may be erased: where it is worn, how many recordings are in it that
this gateway did not begin."""
LEAST_S: Final = 60.0
"""With less room than this a sensor is not told to record."""
_TRIES: Final = 5
_PAUSE_S: Final = 1.0
_AT_ONCE: Final = 600
"""Packets between two syncs of the disk: ten seconds of samples."""


@dataclass(slots=True)
class Errand:
    """What is to be done with the sensors' memories.

    Attributes:
        book: the recordings of this wearer.
        session: id of a gateway session of its own.
        origin: "worn", or "simulated" when the sensors are virtual.
        told: called with a sentence whenever the person should know something.
        backend: None for the operating system's Bluetooth.
        clock: the host's.
        within_s: how long to look for a sensor.
        refused: sensors with which something did not work.
    """

    book: Book
    session: str
    origin: str
    told: Callable[[str], None]
    backend: Backend | None = None
    clock: HostClock = field(default_factory=SystemClock)
    within_s: float = FIND_S
    refused: set[str] = field(default_factory=set)

    async def record(
        self,
        sensors: Mapping[str, str],
        calibration: str,
        may_erase: Consent | None = None,
    ) -> None:
        """Let sensors record from now on.

        Args:
            sensors: segment by address.
            calibration: id of the calibration in force, "" for none.
            may_erase: asked before everything in a sensor's memory is deleted; None to delete nothing.
        """
        for sensor, segment in sensors.items():
            try:
                await self._record(Recording(sensor, 0, segment, calibration, 0), may_erase)
            except SensorError as exc:
                self._failed(sensor, f"{_at(segment)}: {exc}")
        await self._settle()

    async def _record(self, wanted: Recording, may_erase: Consent | None) -> None:
        sensor, at = wanted.sensor, _at(wanted.segment)
        async with talking(sensor, self.clock, self.backend, self.within_s) as peer:
            memory = Memory(peer)
            if await memory.open() is Result.RECORDING:
                self._failed(sensor, f"{at}: it records already; `poise sensors fetch` ends that.")
                return
            found = await memory.contents()
            if may_erase is not None and (found.files or not found.room_s):
                found = await self._erased(memory, wanted, found, may_erase)
            if found.room_s < LEAST_S:
                self._failed(sensor, f"{at}: its memory is full. Fetch what is there, then add --erase.")
                return
            await self._begin(memory, wanted)
        self.told(f"{at}: records; there is room for about {span(found.room_s)}.")

    async def _begin(self, memory: Memory, wanted: Recording) -> None:
        before = await memory.clock()
        now_us = self.clock.now().utc_us
        asked = replace(wanted, start_s=now_us // 1_000_000, begun_us=now_us, before=before)
        await asyncio.to_thread(self.book.begin, asked)
        try:
            begun_us = await memory.begin(asked.start_s)
        except SensorGoneError:
            raise  # the order may have arrived
        except SensorError:
            await asyncio.to_thread(self.book.note, replace(asked, state=LOST))
            raise
        await asyncio.to_thread(self.book.note, replace(asked, begun_us=begun_us, state=BEGUN))

    async def _erased(
        self,
        memory: Memory,
        wanted: Recording,
        found: Contents,
        may_erase: Consent,
    ) -> Contents:
        """Delete what is in a memory, unless it has not come home yet or the person says no."""
        at, there = _at(wanted.segment), {file.start_utc_s for file in found.files}
        mine = await asyncio.to_thread(self.book.recordings, sensor=wanted.sensor)
        if any(r.start_s in there and r.state in OUT for r in mine):
            raise SensorError("It holds recordings that have not come home: `poise sensors fetch` first.")
        if not await may_erase(at, len(there - {r.start_s for r in mine})):
            self.told(f"{at}: nothing was erased.")
            return found
        await memory.erase()
        return await memory.contents()

    async def fetch(self, *, incomplete: bool = False) -> list[Home]:
        """End recordings, bring them home, and put them into the spool.

        Args:
            incomplete: do not wait for sensors that recorded at the same time.

        Returns:
            what is in the spool now.
        """
        out = await asyncio.to_thread(self.book.recordings, *OUT)
        for sensor in dict.fromkeys(recording.sensor for recording in out):
            segment = next(r.segment for r in reversed(out) if r.sensor == sensor)
            try:
                await self._fetch(sensor, segment)
            except SensorError as exc:
                self._failed(sensor, f"{_at(segment)}: {exc} What has come is kept; try again.")
        stored = await self._store(incomplete=incomplete)
        await self._settle()
        return stored

    async def _fetch(self, sensor: str, segment: str) -> None:
        """Try for as long as more comes with each link."""
        tries, have, done = 0, -1, False
        while not done:
            try:
                async with talking(sensor, self.clock, self.backend, self.within_s) as peer:
                    await self._bring(Memory(peer), sensor)
                    done = True
            except SensorError as exc:
                came = await asyncio.to_thread(self._came, sensor)
                tries, have = 0 if came > have >= 0 else tries + 1, came
                if tries >= _TRIES:
                    raise
                self.told(f"{_at(segment)}: {exc} Trying again.")
                await asyncio.sleep(_PAUSE_S)

    def _came(self, sensor: str) -> int:
        return sum(r.packets for r in self.book.recordings(sensor=sensor))

    async def _bring(self, memory: Memory, sensor: str) -> None:
        if await memory.open() is Result.RECORDING:
            await memory.halt()
        out = await asyncio.to_thread(self.book.recordings, *OUT, sensor=sensor)
        if any(recording.after is None for recording in out):
            after = await memory.clock()
            out = [replace(r, after=r.after or after) for r in out]
            for recording in out:
                await asyncio.to_thread(self.book.note, recording)
        there = {file.start_utc_s: i + 1 for i, file in enumerate((await memory.contents()).files)}
        for recording in out:
            if recording.start_s in there:
                await self._export(memory, recording, there[recording.start_s])
            else:
                lost = replace(recording, state=LOST)
                await asyncio.to_thread(self.book.note, lost)
                if recording.state != ASKED:
                    self._failed(sensor, f"{_at(recording.segment)}: a recording is not on it any more.")

    async def _export(self, memory: Memory, recording: Recording, index: int) -> None:
        staged, waiting = Staged(self.book.spool.path, recording.sensor, recording.start_s), list[bytes]()
        recording = replace(recording, packets=await asyncio.to_thread(staged.resume, recording.packets))
        async for packets in memory.export(index, recording.packets):
            waiting += packets
            if len(waiting) >= _AT_ONCE:
                recording, waiting = await asyncio.to_thread(self._keep, staged, recording, waiting), []
        recording = await asyncio.to_thread(self._keep, staged, recording, waiting)
        await asyncio.to_thread(self.book.note, replace(recording, state=FETCHED))
        self.told(f"{_at(recording.segment)}: {span(recording.packets / RATE_HZ)} are here.")

    def _keep(self, staged: Staged, recording: Recording, packets: list[bytes]) -> Recording:
        staged.append(packets)
        further = replace(recording, packets=recording.packets + len(packets))
        self.book.note(further)
        return further

    async def _store(self, *, incomplete: bool) -> list[Home]:
        fetched = await asyncio.to_thread(self.book.recordings, FETCHED)
        out = [] if incomplete else await asyncio.to_thread(self.book.recordings, *OUT)
        wanted = ready(fetched, out)
        if len(wanted) < len(fetched):
            missing = ", ".join(sorted({_at(r.segment) for r in out}))
            self.told(f"The rest waits for {missing}, which recorded at the same time.")
        staged = {r: Staged(self.book.spool.path, r.sensor, r.start_s) for r in wanted}
        samples = {r: await asyncio.to_thread(s.samples, r.packets) for r, s in staged.items()}
        storing = await asyncio.to_thread(Storing, self.book, samples, self.session, self.origin)
        for step in storing.steps():
            await asyncio.to_thread(step)
        for r in await asyncio.to_thread(self.book.recordings, STORED):
            await asyncio.to_thread(Staged(self.book.spool.path, r.sensor, r.start_s).delete)
        return storing.homes

    async def _settle(self) -> None:
        for step in await asyncio.to_thread(lambda: list(settling(self.book, self.session, self.origin))):
            await asyncio.to_thread(step)

    def _failed(self, sensor: str, sentence: str) -> None:
        self.refused.add(sensor)
        self.told(sentence)


def span(seconds: float) -> str:
    """Return a length of time as a person would say it."""
    minutes = int(seconds / 60)
    if minutes < 2:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def _at(segment: str) -> str:
    name = place(segment)
    return name[:1].upper() + name[1:]
