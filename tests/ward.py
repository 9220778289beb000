"""A clinic's worth of simulated gateways in one process, and the kernel's account of other processes."""

import asyncio
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Self

from device.growing import grown
from device.wearer.wearer import Wearer as Simulated
from ingest.broker import BrokerSettings, Outgoing
from ingest.mqtt import Link
from poise import notices
from poise.errors import BrokerError
from poise.notices import CalibrationNotice, Stored
from poise.samples import SampleMessage
from poise.topics import Leaf, Wearer, everyone, parse
from poise.wire import encode_samples

GROUPS = 40
SENSORS = ("head", "c7", "t4", "lumbar")
SESSION = "clinic"
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
_LEAD_S = 3.0


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
        simulated = Simulated("desk", seed=1, segments=SENSORS, rate_hz=50.0)
        length = 6.0 * GROUPS + message_s * (self._count + 1)
        self._seconds = list(simulated.to_messages(0, SESSION, stop_s=length))
        self._true_calibration = simulated.true_calibration

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
        made = notices.encode(CalibrationNotice(calibration=self._true_calibration(1_000_000)))
        for wearer in self._wearers:
            await self._link.send(Outgoing(wearer.topic(Leaf.CALIBRATION), made, 1, retain=True))

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

    def unconfirmed(self, older_s: float) -> int:
        """Return how many messages have waited longer than that."""
        return sum(time.time() - due_s > older_s for due_s in self._sent.values())

    def _payload(self, group: int, number: int, first_us: int) -> bytes:
        """Return a group's message: its own stretch of the simulated wearer, at another time."""
        start = group * 6 + number * self._message_s
        pieces = [
            _at(second, first_us - start * 1_000_000) for second in self._seconds[start:][: self._message_s]
        ]
        whole = pieces[0]
        for piece in pieces[1:]:
            joined = grown(whole, piece, 60_000_000)
            assert joined is not None
            whole = joined
        return encode_samples(replace(whole, sequence=number))

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
