"""Helpers of the device tests: gateways that run for a while, and the ledger of what they spooled."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from device_source import index_of

from device.gateway import Gateway
from device.spooling.spool import DiskSpool
from poise.samples import Gap, ImuBatch, SampleMessage
from poise.topics import Leaf
from poise.wire import decode_samples


@dataclass
class Announced:
    """Takes a gateway's announcements."""

    seen: list[tuple[Leaf, str, bytes]] = field(default_factory=list)

    def __call__(self, leaf: Leaf, payload: bytes, *, detail: str = "", retain: bool = True) -> None:
        assert retain
        self.anything(leaf, payload, detail=detail)

    def anything(self, leaf: Leaf, payload: bytes, *, detail: str = "", retain: bool = True) -> None:
        """Take what passes, too."""
        self.seen.append((leaf, detail, payload))


@asynccontextmanager
async def running(gateway: Gateway) -> AsyncIterator[None]:
    """Run a gateway beside the test and stop it as Ctrl-C would."""
    task = asyncio.create_task(gateway.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - the code under test has no event for it
            await asyncio.sleep(0.02)


def spooled(spool: DiskSpool) -> list[SampleMessage]:
    """Everything in the spool, decoded."""
    return [decode_samples(entry.payload) for entry in spool.after(0, 100_000)]


@dataclass
class Account:
    """What the messages say of one sensor."""

    batches: list[ImuBatch] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)

    @property
    def indexes(self) -> list[int]:
        """Index of every sample stored, from its tick, checked against the number it carries in its data."""
        found: list[int] = []
        for batch in self.batches:
            first = index_of(batch.segment, batch.first_tick)
            found += range(first, first + len(batch))
            assert [i % 4096 for i in range(first, first + len(batch))] == batch.acc[:, 2].tolist()
        return found

    @property
    def missing(self) -> int:
        return sum(gap.count for gap in self.gaps)

    def closes(self) -> None:
        """Law 7: between the first and last sample stored, each is stored once or reported missing."""
        indexes = self.indexes
        assert len(set(indexes)) == len(indexes), "a sample is stored twice"
        assert indexes == sorted(indexes)
        assert indexes[-1] - indexes[0] + 1 == len(indexes) + self.missing


def account(messages: list[SampleMessage], sensor: str) -> Account:
    """Collect what the messages hold of one sensor."""
    return Account(
        [b for m in messages for b in m.batches if b.sensor == sensor],
        [g for m in messages for g in m.gaps if g.sensor == sensor],
    )
