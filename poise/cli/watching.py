"""How ingest is watched: each worker tells every second how it does, and its parent serves it."""

import asyncio
import contextlib
import logging
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import msgspec

from ingest.database.shards import Shard
from ingest.metrics import Workers, served
from ingest.overview import outbox_in
from ingest.vitals import Vitals, encode
from ingest.worker import Ingest
from poise.cli import parts
from poise.cli.settings import Settings
from poise.errors import ConfigurationError, StoreError

log = logging.getLogger("poise.workers")
_EVERY_S: Final = 1.0
_LOOK_EVERY: Final = 5
_STDOUT: Final = 1


def of(shards: Sequence[Shard]) -> Workers:
    """Return a place for what these workers tell."""
    return Workers([str(shard) for shard in shards], parts.now_us)


@contextmanager
def watched(settings: Settings, told: Workers) -> Iterator[None]:
    """Serve the metrics beside the block; where that cannot be, say so and store all the same."""
    with contextlib.ExitStack() as stack:
        if settings.ingest.metrics_port:
            try:
                stack.enter_context(served(told, settings.ingest.metrics_port))
            except ConfigurationError as exc:
                log.warning("%s", exc)
        yield


async def report(worker: Ingest, shard: Shard, settings: Settings, tell: Callable[[Vitals], None]) -> None:
    """Tell every second how a worker does, until cancelled."""
    looked = _Look()
    for number in range(2**62):
        if number % _LOOK_EVERY == 0:
            looked = await asyncio.to_thread(_look, shard, settings)
        vitals = worker.vitals(str(shard))
        tell(msgspec.structs.replace(vitals, outbox=looked.outbox, free_bytes=looked.free_bytes))
        await asyncio.sleep(_EVERY_S)


def tell_parent(vitals: Vitals) -> None:
    """Write a line to the parent; it reads all the time, and when it is gone this worker ends anyway."""
    with contextlib.suppress(OSError):
        os.write(_STDOUT, encode(vitals) + b"\n")


@dataclass(frozen=True, slots=True)
class _Look:
    outbox: int = 0
    free_bytes: int = 0


def _look(shard: Shard, settings: Settings) -> _Look:
    """Look at what a worker does not know by itself."""
    try:
        return _Look(outbox_in(shard.file(settings.data)), shutil.disk_usage(settings.data).free)
    except (StoreError, OSError):
        return _Look()
