"""Tasks that live and die together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


def obey_cancellation() -> None:
    """Raise a cancellation of this task that what it waited for has swallowed.

    Until Python 3.12 `asyncio.wait_for`, which Bluetooth stacks use, loses one that comes together with its
    result (cpython issue 86296).
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


@asynccontextmanager
async def together() -> AsyncIterator[asyncio.TaskGroup]:
    """A task group whose failure comes out as the error itself, so that its sentence reaches the person."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as many:
        first: BaseException = many
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from many
