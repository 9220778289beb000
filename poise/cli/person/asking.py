"""Asking a person at the keyboard while asynchronous work goes on."""

import asyncio
import contextlib
import os
import sys
import threading

from poise.errors import ConfigurationError


class Answers:
    """Lines from the keyboard, as they come.

    A thread of its own reads the file descriptor: systems differ in what they can wait for, and a thread of
    asyncio's pool, or one that holds Python's own buffer, would keep Ctrl-C from ending the program.
    """

    def __init__(self) -> None:
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._read, daemon=True, name="keyboard").start()

    async def next(self) -> str:
        """Wait for a line.

        Raises:
            ConfigurationError: if nobody can answer, because the input is at its end.
        """
        line = await self._lines.get()
        if line is None:
            self._lines.put_nowait(None)
            raise ConfigurationError("Nobody answers at the keyboard. Run this in a terminal.")
        return line

    async def yes(self) -> bool:
        """Wait for an answer; everything but y or yes is a no."""
        return (await self.next()).strip().lower() in ("y", "yes")

    def _read(self) -> None:
        rest = b""
        with contextlib.suppress(OSError, ValueError):
            while piece := os.read(sys.stdin.fileno(), 1024):
                *lines, rest = (rest + piece).split(b"\n")
                for line in lines:
                    self._tell(line.decode("utf-8", "replace").strip())
        self._tell(None)

    def _tell(self, line: str | None) -> None:
        with contextlib.suppress(RuntimeError):  # the program is over
            self._loop.call_soon_threadsafe(self._lines.put_nowait, line)
