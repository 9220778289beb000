"""The `LiveFeed` of `ingest.reading`: the live topic of the wearers somebody looks at."""

import logging
import uuid
from collections.abc import Callable

from ingest.broker import BrokerSettings
from ingest.mqtt import Link
from poise import notices
from poise.errors import WireError
from poise.notices import Live
from poise.topics import Leaf, Wearer, parse

log = logging.getLogger("poise.live")
Callback = Callable[[Live], None]


class MqttLiveFeed:
    """Subscribes to a wearer's frames while somebody watches; `run` it as a task in the same loop."""

    def __init__(self, settings: BrokerSettings) -> None:
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
            while True:
                for message in await self._link.receive(100):
                    self._link.acknowledge(message)
                    self._hand_on(message.topic, message.payload)

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
