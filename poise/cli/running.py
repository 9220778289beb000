"""Running asynchronous work from the command line: signals end it, errors become one sentence."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final

from rich.console import Console

from device.tasks import together
from poise.cli import logs
from poise.errors import PoiseError

OK: Final = 0
FAILED: Final = 1
WRONG: Final = 2
# Without emoji: rich would make a disc of the ":CD:" in a sensor's address.
out: Final = Console(highlight=False, emoji=False)
err: Final = Console(stderr=True, highlight=False, emoji=False)


def run(work: Coroutine[Any, Any, int]) -> int:
    """Run until done or until Ctrl-C or SIGTERM, which end it in good order; return the exit code.

    A second signal ends the program at once.
    """
    logs.begin()
    try:
        return asyncio.run(_until_signal(work))
    except PoiseError as exc:
        err.print(f"poise: {exc}", soft_wrap=True, markup=False)
        return WRONG


async def _until_signal(work: Coroutine[Any, Any, int]) -> int:
    task = asyncio.ensure_future(work)
    asked = 0

    def ask() -> None:
        nonlocal asked
        asked += 1
        if asked > 1:
            os._exit(130)
        task.cancel()

    _on_signals(ask)
    try:
        return await task
    except asyncio.CancelledError:
        return OK


def _on_signals(handler: Any) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        # Windows' loops cannot do this; there Ctrl-C arrives as KeyboardInterrupt.
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, handler)


@asynccontextmanager
async def during(work: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Task[None]]:
    """Run `work` beside the block; its failure ends the block, the block's end cancels it and waits."""
    async with together() as group:
        task = group.create_task(work)
        try:
            yield task
        finally:
            task.cancel()


def say(work: Callable[[], int | None]) -> int:
    """Do what needs no loop; a known error becomes one sentence. Return the exit code."""
    try:
        return work() or OK
    except PoiseError as exc:
        err.print(f"poise: {exc}", soft_wrap=True, markup=False)
        return WRONG


def leave(code: int) -> None:
    """End the program with an exit code."""
    sys.exit(code)
