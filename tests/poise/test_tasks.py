"""Things that run together end together, whatever ends them."""

import asyncio

import pytest

from poise.tasks import until_one_ends


class Works:
    """Two that go on for ever and say how they ended, and a third."""

    def __init__(self) -> None:
        self.ended: list[str] = []

    async def for_ever(self, name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            self.ended.append(name)
            if name == "b":
                raise OSError("at its end")


async def test_one_that_ends_ends_all() -> None:
    works = Works()
    await until_one_ends((works.for_ever("a"), works.for_ever("b"), asyncio.sleep(0)))
    assert works.ended == ["a", "b"]


async def test_one_that_fails_ends_all_and_its_error_comes_out() -> None:
    works = Works()

    async def fail() -> None:
        await asyncio.sleep(0)
        raise ValueError("this one")

    with pytest.raises(ValueError, match="this one"):
        await until_one_ends((works.for_ever("a"), works.for_ever("b"), fail()))
    assert works.ended == ["a", "b"]


async def test_cancelled_from_outside_it_waits_for_all() -> None:
    works = Works()
    task = asyncio.create_task(until_one_ends((works.for_ever("a"), works.for_ever("b"))))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert works.ended == ["a", "b"]
