"""Prompts that are no cues: soft notices of the guard, and reminders of the plan, at the wearer's desktop.

The guard's exceedances are published whether the wearer hears of them or not.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final
from zoneinfo import ZoneInfo

from analytics.care.soft import SENTENCES_VERSION, SoftNotices
from analytics.care.told import due, is_quiet
from device.cueing.signals import TITLE, Shows
from poise.notices import GuardNotice, encode
from poise.planned import Stage
from poise.ports import Announce
from poise.strain import Exceedance
from poise.topics import Leaf

LOOK_S: Final = 5.0
LATE_US: Final = 15 * 60 * 1_000_000
"""A reminder later than this, as after sleep of the machine, is dropped; project decision."""
_log: Final = logging.getLogger(__name__)


class Prompts:
    """Shows what is due now, and nothing in quiet hours or while prompts are paused.

    Attributes:
        given: called with each sentence, after it was given.
        paused_us: UTC µs until which nothing is shown.
    """

    def __init__(
        self,
        desktop: Shows | None,
        announce: Announce,
        now_us: Callable[[], int],
        zone: ZoneInfo,
        *,
        origin: str = "worn",
    ) -> None:
        """Begin without a plan.

        Args:
            desktop: None for none.
            announce: takes the notices.
            now_us: UTC µs.
            zone: the wearer's.
            origin: of the samples.
        """
        self.given: Callable[[str], None] = lambda _sentence: None
        self.paused_us = 0
        self._desktop, self._announce, self._now_us, self._zone = desktop, announce, now_us, zone
        self._origin = origin
        self._stages: tuple[Stage, ...] = ()
        self._soft = SoftNotices()
        self._done_us = now_us()
        self._showing: set[asyncio.Task[None]] = set()

    def plan(self, stages: Sequence[Stage]) -> None:
        """Remind by these stages from now on."""
        self._stages = tuple(stages)

    def exceeded(self, exceedance: Exceedance, newest_us: int) -> None:
        """Tell of an exceedance; to be called in the event loop."""
        now_us = self._now_us()
        quiet = now_us < self.paused_us or is_quiet(self._stages, now_us, self._zone)
        sentence = self._soft.say(exceedance, newest_us=newest_us, now_us=now_us, quiet=quiet)
        task = asyncio.create_task(self._tell(exceedance, sentence), name="guard")
        self._showing.add(task)
        task.add_done_callback(self._showing.discard)

    async def run(self) -> None:
        """Give reminders when they are due, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            await self.remind()

    async def remind(self) -> None:
        """Give the reminders that have become due since the last time; a pause delays them, too."""
        now_us = self._now_us()
        if now_us < self.paused_us:
            return
        after_us, self._done_us = max(self._done_us, now_us - LATE_US), now_us
        for reminder in due(self._stages, after_us, now_us, self._zone):
            await self._show(reminder.label)

    async def _tell(self, exceedance: Exceedance, sentence: str | None) -> None:
        ways = await self._show(sentence) if sentence else []
        notice = GuardNotice(
            origin=self._origin,
            exceedance=exceedance,
            sentence=sentence or "",
            sentences_version=SENTENCES_VERSION if sentence else 0,
            ways=ways,
        )
        self._announce(Leaf.GUARD, encode(notice), retain=False)

    async def _show(self, sentence: str) -> list[str]:
        shown = self._desktop is not None and await self._desktop.show(TITLE, sentence)
        self.given(sentence)
        return ["desktop"] if shown else []
