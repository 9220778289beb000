"""Several things at once, of which none is to go on without the others."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any


async def until_one_ends(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run all until one of them ends; then cancel the others, wait for them, and raise what the one raised.

    Cancelled from outside, it cancels all and waits for them. What others raise as they end is passed over.
    """
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
