"""The `LiveFeed` of `ingest.reading`: the live topic of the wearers somebody looks at."""

import asyncio
import logging
import time
import uuid
from collections.abc import Callable
from typing import Final

from ingest.mqtt.commanding import outgoing
from ingest.mqtt.link import Link
from ingest.mqtt.settings import BrokerSettings
from poise import notices
from poise.errors import BrokerError, WireError
from poise.notices import Command, Live, Verb
from poise.topics import Leaf, Wearer, parse

log = logging.getLogger("poise.live")
Callback = Callable[[Live], None]
_ASK_S: Final = 20.0
_LOOK_US: Final = 60_000_000
"""Three times as long as until it is asked again: one request may be lost."""


def _utc_us() -> int:
    return time.time_ns() // 1000


class MqttLiveFeed:
    """Subscribes to a wearer's frames while somebody watches; `run` it as a task in the same loop.

    It also asks the wearer's gateway to let every second leave at once meanwhile.
    """

    def __init__(self, settings: BrokerSettings, clock: Callable[[], int] = _utc_us) -> None:
        self._clock = clock
        self._link = Link(settings, f"poise-live-{uuid.uuid4().hex[:12]}")
        self._watchers: dict[Wearer, list[Callback]] = {}

    @property
    def connected(self) -> bool:
        """True while the broker is there."""
        return self._link.connected

    def watch(self, wearer: Wearer, callback: Callback) -> Callable[[], None]:
        """Call `callback` with each new `Live` of the wearer; the function returned ends it."""
        watchers = self._watchers.setdefault(wearer, [])
        if not watchers:
            self._link.subscribe(wearer.topic(Leaf.LIVE))
            self._ask(wearer)
        watchers.append(callback)

        def end() -> None:
            if callback in watchers:
                watchers.remove(callback)
            if not watchers and self._watchers.get(wearer) is watchers:
                del self._watchers[wearer]
                self._link.unsubscribe(wearer.topic(Leaf.LIVE))

        return end

    async def run(self) -> None:
        """Hand frames on until cancelled.

        Raises:
            ConfigurationError: if the broker refuses this program for good.
        """
        async with self._link:
            asking = asyncio.create_task(self._go_on_asking())
            try:
                while True:
                    for message in await self._link.receive(100):
                        self._link.acknowledge(message)
                        self._hand_on(message.topic, message.payload)
            finally:
                asking.cancel()
                await asyncio.gather(asking, return_exceptions=True)

    async def _go_on_asking(self) -> None:
        while True:
            await self._link.until_connected()
            for wearer in list(self._watchers):
                self._ask(wearer)
            await asyncio.sleep(_ASK_S)

    def _ask(self, wearer: Wearer) -> None:
        """Ask the gateway to send each second; without a connection it is asked a little later."""
        now_us = self._clock()
        until_us = now_us + _LOOK_US
        command = Command(id=uuid.uuid4().hex, verb=Verb.WATCH, until_us=until_us, expires_us=until_us)
        try:
            self._link.send(outgoing(wearer, command, now_us))
        except BrokerError:
            return

    def _hand_on(self, topic: str, payload: bytes) -> None:
        try:
            address = parse(topic)
            live = notices.decode(payload, Live)
        except WireError as exc:
            log.warning("a live message cannot be read: %s", exc)
            return
        for callback in list(self._watchers.get(address.wearer, ())):
            try:
                callback(live)
            except Exception:
                log.exception("a page could not take a live message")
