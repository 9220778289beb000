"""Ingest in several processes: one worker for each database, and this parent that starts them again.

A worker's buckets are its own, so a worker that died is simply started anew: its subscriptions have waited at
the broker, and its wearers' analyses go on from the disk.
"""

import asyncio
import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from typing import Final

from ingest.database.shards import Shard
from ingest.metrics import Workers
from ingest.vitals import decode
from poise.cli.running import OK, WRONG, out
from poise.cli.settings import Settings
from poise.errors import ConfigurationError
from poise.tasks import until_one_ends

log = logging.getLogger("poise.workers")
_WAITS_S: Final = (0.5, 1, 2, 5, 10, 30)
_LONG_LIFE_S: Final = 60.0
_GOODBYE_S: Final = 20.0
_STDIN: Final = 0
_LONGEST_LINE: Final = 1024**2


async def supervise(settings: Settings, parts: Sequence[Shard], told: Workers) -> int:
    """Run a worker for each database until cancelled; one that dies is started again.

    Args:
        settings: all of them.
        parts: the databases.
        told: is given what the workers tell of themselves.

    Raises:
        ConfigurationError: if a worker finds that it cannot work as things are set.
    """
    out.print(f"Ingest stores into {settings.data} with {len(parts)} workers, broker {settings.broker.host}.")
    await until_one_ends(_keep_running(settings, shard, told) for shard in parts)
    return OK


async def _keep_running(settings: Settings, shard: Shard, told: Workers) -> None:
    loop, deaths = asyncio.get_running_loop(), 0
    while True:
        began = loop.time()
        told.started[str(shard)] += 1
        code = await _one_life(settings, shard, told)
        told.gone(str(shard))
        if code == WRONG:
            raise ConfigurationError(f"worker {shard} cannot go on; what to do stands above")
        deaths = 0 if loop.time() - began > _LONG_LIFE_S else deaths + 1
        wait_s = _WAITS_S[min(deaths, len(_WAITS_S) - 1)]
        log.error("worker %s ended with %d and is started again in %.1f s", shard, code, wait_s)
        await asyncio.sleep(wait_s)


async def _one_life(settings: Settings, shard: Shard, told: Workers) -> int:
    """Run a worker until it ends; when this is cancelled, let it bring its work to the disk first."""
    words = ["-m", "poise.cli.app", "ingest", "--part", str(shard), "--data", str(settings.data)]
    # Ctrl-C must reach the parent only, which then ends the workers one by one.
    worker = await asyncio.create_subprocess_exec(
        sys.executable,
        *words,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=_LONGEST_LINE,
        start_new_session=True,
    )
    hearing = asyncio.create_task(_hear(worker.stdout, told))
    try:
        return await worker.wait()
    finally:
        hearing.cancel()
        if worker.returncode is None:
            await _end(worker)


async def _hear(said: asyncio.StreamReader | None, told: Workers) -> None:
    """Take what a worker tells of itself, a line each time; other lines are passed over."""
    while said is not None and (line := await said.readline()):
        vitals = decode(line)
        if vitals is not None:
            told.tell(vitals)


async def _end(worker: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        worker.terminate()
    try:
        async with asyncio.timeout(_GOODBYE_S):
            await worker.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            worker.kill()
        await worker.wait()


def end_with_parent() -> None:
    """End this worker in good order when its parent is gone, however it went: its end of the pipe closes."""

    def watch() -> None:
        while os.read(_STDIN, 1):  # not by sys.stdin, whose lock would be held when the interpreter ends
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent", daemon=True).start()
