"""A cue becomes something to feel or to see, goes on gently until the wearer is back, and falls silent."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

from analytics.cues.cue import Cue, CueEnded
from device.vendors.base import Vendor, Write
from poise.notices import CueNotice, encode
from poise.ports import Announce
from poise.topics import Leaf

REPEAT_S: Final = 10.0
"""A signal that asks on is repeated as seldom as this (project decision: calm)."""
TITLE: Final = "Poise"
_log: Final = logging.getLogger(__name__)


class Sends(Protocol):
    """Sends a command to connected sensors, as `device.bluetooth.ble.Bluetooth.command`."""

    def __call__(self, choose: Callable[[Vendor], Sequence[Write]], sensor: str = "") -> Awaitable[int]:
        """Return how many sensors took it."""
        ...


class Shows(Protocol):
    """A desktop, as `device.cueing.desktop.Desktop`."""

    async def show(self, title: str, sentence: str) -> bool:
        """Show a sentence; False if nobody can see it."""
        ...

    async def clear(self) -> None:
        """Take it away."""
        ...


class Signals:
    """Gives cues by the sensors that can vibrate, else on the desktop, and tells what was given.

    Attributes:
        given: called with each notice, after it was given.
    """

    def __init__(
        self,
        send: Sends,
        desktop: Shows | None,
        announce: Announce,
        now_us: Callable[[], int],
        *,
        origin: str = "worn",
    ) -> None:
        """Prepare.

        Args:
            send: sends a command to the worn sensors.
            desktop: None for none.
            announce: takes the notices.
            now_us: UTC µs.
            origin: of the samples.
        """
        self.given: Callable[[CueNotice], None] = lambda _notice: None
        self._send, self._desktop, self._announce, self._now_us = send, desktop, announce, now_us
        self._origin = origin
        self._asking: asyncio.Task[None] | None = None

    def cue(self, cue: Cue) -> None:
        """Begin the signal of a cue; to be called in the event loop."""
        self.stop()
        self._asking = asyncio.create_task(self._ask(cue), name="cue")
        self._asking.add_done_callback(_tell_failure)

    def end(self, end: CueEnded) -> None:
        """Fall silent: the wearer is back, or it was in vain."""
        del end
        self.stop()

    def stop(self) -> None:
        """Fall silent."""
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None

    async def _ask(self, cue: Cue) -> None:
        self._tell(cue, await self._give(cue))
        try:
            while True:
                await asyncio.sleep(REPEAT_S)
                await self._buzz()
        finally:
            if self._desktop is not None:
                await self._desktop.clear()

    async def _buzz(self) -> int:
        return await self._send(lambda vendor: vendor.buzz)

    async def _give(self, cue: Cue) -> list[str]:
        ways = ["buzz"] if await self._buzz() else []
        sentence = f"{cue.sentence} {cue.until}".strip()
        if not ways and self._desktop is not None and await self._desktop.show(TITLE, sentence):
            ways.append("desktop")
        return ways

    def _tell(self, cue: Cue, ways: Sequence[str]) -> None:
        notice = CueNotice(
            origin=self._origin,
            t_us=cue.t_us,
            given_us=self._now_us(),
            kind=cue.kind,
            sentence=cue.sentence,
            sentences_version=cue.sentences_version,
            mode=str(cue.mode),
            load_s=cue.load_s,
            used=cue.used,
            budget=cue.budget,
            ways=list(ways),
        )
        self._announce(Leaf.CUE, encode(notice), retain=False)
        self.given(notice)


def _tell_failure(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and (exc := task.exception()) is not None:
        _log.warning("A cue could not be given: %s", exc)
