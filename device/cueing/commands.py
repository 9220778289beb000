"""What a gateway can be asked to do from elsewhere, by MQTT."""

from collections import deque
from collections.abc import Callable
from typing import Final

from device.cueing.edge import Edge
from device.cueing.signals import Sends, Signals
from poise.notices import Command, Verb

_REMEMBERED: Final = 100


class Commands:
    """Does each command once, in time or not at all.

    Attributes:
        asked: called for what the wearer has to do: `Verb.RECHECK`, `CALIBRATE` and `SIDES`.
        watched: called with the UTC µs until which somebody looks.
        ended: called for what ends collecting: `Verb.ERASE` and `STOP`, and for `RESUME`.
        paused: called with the UTC µs until which nothing is to be shown.
    """

    def __init__(self, send: Sends, edge: Edge | None, signals: Signals, now_us: Callable[[], int]) -> None:
        """Take what can be commanded."""
        self.asked: Callable[[Verb], bool] = lambda _verb: False
        self.watched: Callable[[int], None] = lambda _until_us: None
        self.ended: Callable[[Verb], bool] = lambda _verb: False
        self.paused: Callable[[int], None] = lambda _until_us: None
        self._send, self._edge, self._signals, self._now_us = send, edge, signals, now_us
        self._done: deque[str] = deque(maxlen=_REMEMBERED)

    async def obey(self, command: Command) -> bool:
        """Do what was asked for; False where it came too late, again, or nothing here can do it."""
        if command.expires_us < self._now_us() or command.id in self._done:
            return False
        self._done.append(command.id)
        if command.verb is Verb.BLINK:
            return await self._send(lambda vendor: vendor.blink, command.sensor) > 0
        if command.verb is Verb.BUZZ:
            return await self._send(lambda vendor: vendor.buzz, command.sensor) > 0
        if command.verb is Verb.PAUSE:
            return self._pause(command.until_us)
        if command.verb is Verb.WATCH:
            self.watched(command.until_us)
            return True
        if command.verb in (Verb.ERASE, Verb.STOP, Verb.RESUME):
            return self.ended(command.verb)
        return self.asked(command.verb)

    def _pause(self, until_us: int) -> bool:
        if self._edge is None:
            return False
        self._signals.stop()
        self.paused(until_us)
        self._edge.cueing.pause(until_us)
        return True
