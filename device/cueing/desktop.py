"""Desktop notifications; the one file that uses desktop-notifier.

On Linux through the session's bus, on Windows and macOS through the system (these two are untested). Where
there is no desktop, `show` says so and the gateway goes on.
"""

import asyncio
import contextlib
import logging
from typing import Final

from desktop_notifier import DEFAULT_SOUND, DesktopNotifier, Urgency

_ANSWER_S: Final = 3.0
logging.getLogger("desktop_notifier").setLevel(logging.CRITICAL)  # it logs a traceback where `show` tells


class Desktop:
    """Shows one calm notification at a time."""

    def __init__(self) -> None:
        """Connect to nothing yet."""
        self._notifier: DesktopNotifier | None = None
        self._shown = ""

    async def show(self, title: str, sentence: str) -> bool:
        """Show a notification in place of the one before; False if there is no desktop that shows it."""
        dispatched = asyncio.Event()
        try:
            async with asyncio.timeout(_ANSWER_S):
                self._notifier = self._notifier or DesktopNotifier(app_name="Poise", app_icon=None)
                await self.clear()
                self._shown = await self._notifier.send(
                    title,
                    sentence,
                    urgency=Urgency.Normal,
                    sound=DEFAULT_SOUND,
                    on_dispatched=dispatched.set,
                )
        except Exception:  # noqa: BLE001 - each system's library has errors of its own
            return False
        return dispatched.is_set()

    async def clear(self) -> None:
        """Take the notification away, if one is shown."""
        shown, self._shown = self._shown, ""
        if shown and self._notifier is not None:
            with contextlib.suppress(Exception):
                await self._notifier.clear(shown)
