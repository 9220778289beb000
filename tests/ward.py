"""A clinic's worth of simulated gateways in one process, and the kernel's account of other processes."""

import asyncio
import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Self

from device.spooling.growing import grown
from device.spooling.spool import DiskSpool
from device.wearer.wearer import Wearer as Simulated
from ingest.bridge import Bridge
from ingest.mqtt.link import Link
from ingest.mqtt.settings import BrokerSettings, Outgoing
from poise import notices
from poise.calibration import Calibration
from poise.errors import BrokerError
from poise.notices import CalibrationNotice, Presence, Stored
from poise.samples import SampleMessage
from poise.topics import Leaf, Wearer, everyone, parse
from poise.wire import encode_samples

GROUPS = 40
SENSORS = ("head", "c7", "t4", "lumbar")
SESSION = "clinic"
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
_LEAD_S = 3.0


class Samples:
    """The payloads of forty simulated wearers at different moments, made when they are due."""

    def __init__(self, message_s: int, seconds: float) -> None:
        self.message_s = message_s
        simulated = Simulated("desk", seed=1, segments=SENSORS, rate_hz=50.0)
        length = 6.0 * GROUPS + seconds + 2 * message_s
        self._seconds = list(simulated.to_messages(0, SESSION, stop_s=length))
        self.true_calibration = simulated.true_calibration(1_000_000)
        self.calibration = notices.encode(CalibrationNotice(calibration=self.true_calibration))

    def message(self, group: int, number: int, first_us: int) -> SampleMessage:
        """Return a group's message: its own stretch of the simulated wearer, at another time."""
        start = group * 6 + number * self.message_s
        shift_us = first_us - start * 1_000_000
        pieces = [_at(second, shift_us) for second in self._seconds[start:][: self.message_s]]
        whole = pieces[0]
        for piece in pieces[1:]:
            joined = grown(whole, piece, 60_000_000)
            assert joined is not None
            whole = joined
        return replace(whole, sequence=number)


class Ward:
    """`async with Ward(…) as ward`: many wearers, of which each fortieth has the same samples.

    Attributes:
        late_s: of each confirmed message, s from its last sample to its confirmation.
        behind_s: how late a message was sent at most.
    """

    def __init__(self, settings: BrokerSettings, wearers: int, message_s: int, seconds: float) -> None:
        self.late_s: list[float] = []
        self.behind_s = 0.0
        self._wearers = [Wearer(f"W-{i:05d}") for i in range(wearers)]
        self._message_s, self._count = message_s, int(seconds // message_s) + 2
        self._link = Link(settings, "clinic", subscriptions={everyone(Leaf.STORED): 1})
        self._sent: dict[tuple[Wearer, int], float] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._start_us = 0
        self._samples = Samples(message_s, message_s * self._count)
        self._first_us: dict[int, list[int]] = {group: [] for group in range(GROUPS)}

    @property
    def wearers(self) -> list[Wearer]:
        """All of them."""
        return self._wearers

    @property
    def calibration(self) -> Calibration:
        """Everybody's."""
        return self._samples.true_calibration

    def messages(self, group: int) -> Iterator[SampleMessage]:
        """Yield what was sent for each wearer of a group."""
        for number, first_us in enumerate(self._first_us[group]):
            yield self._samples.message(group, number, first_us)

    async def __aenter__(self) -> Self:
        await self._link.__aenter__()
        await self._link.until_connected()
        self._tasks.append(asyncio.create_task(self._hear()))
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._link.__aexit__()

    async def calibrate(self, *, wait: bool) -> None:
        """Give every wearer a calibration, and ingest the time to subscribe before."""
        if wait:
            await asyncio.sleep(6.0)
        for wearer in self._wearers:
            await self._link.send(
                Outgoing(wearer.topic(Leaf.CALIBRATION), self._samples.calibration, 1, retain=True)
            )

    async def send(self) -> None:
        """Send each wearer's messages when their last sample is due, spread over a message's length."""
        start_s = time.time() + _LEAD_S + self._message_s
        for number in range(self._count):
            for group in range(GROUPS):
                due_s = start_s + (number + group / GROUPS) * self._message_s
                first_us = round((due_s - self._message_s) * 1e6)
                payload = await asyncio.to_thread(self._payload, group, number, first_us)
                await asyncio.sleep(max(0.0, due_s - time.time()))
                self.behind_s = max(self.behind_s, time.time() - due_s)
                for wearer in self._wearers[group::GROUPS]:
                    self._sent[wearer, number] = due_s
                    try:
                        self._link.send(Outgoing(wearer.topic(Leaf.SAMPLES), payload, 1))
                    except BrokerError:
                        return
                self._first_us[group].append(first_us)

    def unconfirmed(self, older_s: float) -> int:
        """Return how many messages have waited longer than that."""
        return sum(time.time() - due_s > older_s for due_s in self._sent.values())

    def _payload(self, group: int, number: int, first_us: int) -> bytes:
        return encode_samples(self._samples.message(group, number, first_us))

    async def _hear(self) -> None:
        while True:
            for message in await self._link.receive(200):
                wearer = parse(message.topic).wearer
                told = notices.decode(message.payload, Stored)
                now_s = time.time()
                for number in range(told.highest, -1, -1):
                    due_s = self._sent.pop((wearer, number), None)
                    if due_s is None:
                        break
                    self.late_s.append(now_s - due_s)
                self._link.acknowledge(message)


class SpoolWard:
    """`async with SpoolWard(…) as ward`: wearers with a spool and a bridge each, as gateways have them.

    Attributes:
        wearers: all; each fortieth has the same samples.
        calibration: everybody's.
        sent: by group, the payloads so far.
    """

    def __init__(self, settings: BrokerSettings, wearers: int, message_s: int, folder: Path) -> None:
        self.wearers = [Wearer(f"W-{i:05d}") for i in range(wearers)]
        self.sent: dict[int, list[bytes]] = {group: [] for group in range(GROUPS)}
        self._settings, self._samples = settings, Samples(message_s, 600)
        self.calibration = self._samples.calibration
        (folder / "spools").mkdir()
        with _low_numbers_kept(4 * wearers):
            self._spools = [DiskSpool(folder / "spools" / f"{w.patient}.db") for w in self.wearers]
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        presence = Presence(
            state="online", gateway="g", session=SESSION, since_us=0, origin="simulated", program=""
        )
        for wearer, spool in zip(self.wearers, self._spools, strict=True):
            self._tasks.append(asyncio.create_task(Bridge(self._settings, wearer, spool, presence).run()))
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for spool in self._spools:
            spool.close()

    async def calibrated(self) -> None:
        """Give everybody a calibration, in time for the first sample."""
        async with Link(self._settings, "calibrations") as link:
            await link.until_connected()
            for wearer in self.wearers:
                topic = wearer.topic(Leaf.CALIBRATION)
                await link.publish(Outgoing(topic, self.calibration, 1, retain=True))
        await asyncio.sleep(15.0)

    async def send(self, seconds: float) -> None:
        """Spool everybody's messages when they are due."""
        start_s = time.time() + self._samples.message_s
        for number in range(int(seconds // self._samples.message_s)):
            for group in range(min(GROUPS, len(self.wearers))):
                due_s = start_s + (number + group / GROUPS) * self._samples.message_s
                await asyncio.sleep(max(0.0, due_s - time.time()))
                first_us = round((due_s - self._samples.message_s) * 1e6)
                message = self._samples.message(group, number, first_us)
                self.sent[group].append(encode_samples(message))
                await asyncio.to_thread(self._put, group, message)

    async def waiting(self) -> int:
        """Return how many messages are not confirmed."""
        return await asyncio.to_thread(lambda: sum(spool.depth() for spool in self._spools))

    def _put(self, group: int, message: SampleMessage) -> None:
        for spool in self._spools[group::GROUPS]:
            spool.put(message)


@contextmanager
def _low_numbers_kept(count: int) -> Iterator[None]:
    """Let files opened meanwhile have high numbers: paho waits with `select`, which knows 1,024 only."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    kept = [os.open(os.devnull, os.O_RDONLY) for _ in range(count)]
    try:
        yield
    finally:
        for number in kept:
            os.close(number)


def _at(message: SampleMessage, shift_us: int) -> SampleMessage:
    batches = tuple(replace(batch, t_us=batch.t_us + shift_us) for batch in message.batches)
    return replace(message, batches=batches)


def family(pid: int) -> list[int]:
    """Return a process and all that it started."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(one for child in children for one in family(int(child)))]


def cpu_s(pids: list[int]) -> float:
    """Return the CPU time that processes have used, s."""
    total = 0.0
    for pid in pids:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += (int(words[11]) + int(words[12])) / CLOCK_TICKS
    return total


def resident_mb(pids: list[int]) -> float:
    """Return the memory that processes hold, MB."""
    pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids)
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
