"""An order at the broker: the wearer's gateway is told, and what the broker keeps of the wearer is emptied.

By MQTT a retained message goes when an empty one takes its place. All topics of the wearer are listened to,
so that also those are found that nobody should have retained.
"""

import asyncio
import contextlib
import secrets
from dataclasses import dataclass, field
from typing import Final

from ingest.erasing.gate import ENDED, command
from ingest.erasing.register import Order, Standing
from ingest.mqtt.link import Link
from ingest.mqtt.settings import BrokerSettings, Outgoing, Received
from ingest.results.store import key
from poise import notices
from poise.errors import BrokerError, WireError
from poise.notices import Presence
from poise.topics import ROOT, Leaf, Wearer

_CONNECT_S: Final = 10.0
_GATHER_S: Final = 1.0
"""What is retained comes at once with the subscription; a busy broker gets a second (project decision)."""
_ANSWER_S: Final = 8.0
"""A gateway that is there stops its sensors and deletes its spool within this (project decision)."""


@dataclass(slots=True)
class Told:
    """What became of it.

    Attributes:
        emptied: topics whose retained message was emptied.
        refused: topics that the broker does not let us write.
        left: topics that still hold something.
        confirmed: the gateway has said that it did what it was told.
    """

    emptied: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    left: set[str] = field(default_factory=set)
    confirmed: bool = False


async def tell(broker: BrokerSettings, wearer: Wearer, order: Order, now_us: int) -> Told:
    """Tell the gateway and wait for its answer for a while; of who is erased, empty all retained topics.

    Raises:
        BrokerError: if no broker answers.
        ConfigurationError: if it does not let us in.
    """
    link = Link(broker, f"poise-erase-{secrets.token_hex(4)}", subscriptions={_all_of(wearer): 1})
    async with link:
        try:
            async with asyncio.timeout(_CONNECT_S):
                await link.until_connected()
        except TimeoutError as exc:
            raise BrokerError(f"no MQTT broker answers at {broker.place}") from exc
        return await _Telling(link, wearer, order).tell(now_us)


class _Telling:
    def __init__(self, link: Link, wearer: Wearer, order: Order) -> None:
        self._link, self._wearer, self._order = link, wearer, order
        self._erases = order.what is Standing.ERASED
        self._told = Told()

    async def tell(self, now_us: int) -> Told:
        await self._hear(_GATHER_S)
        await self._publish(command(key(self._wearer), self._order, now_us))
        await self._hear(_ANSWER_S, until_confirmed=True)
        if self._erases:
            await self._empty_all()
            await self._look_again()
        return self._told

    async def _hear(self, within_s: float, *, until_confirmed: bool = False) -> None:
        """Take what comes for a while."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while not (until_confirmed and self._told.confirmed):
                    for message in await self._link.receive(100):
                        self._link.acknowledge(message)
                        await self._take(message)

    async def _take(self, message: Received) -> None:
        parts = message.topic.split("/")
        # The embedded broker may send what others have subscribed to.
        if len(parts) < 6 or (parts[2], parts[4]) != (self._wearer.site, self._wearer.patient):
            return
        if parts[5] == Leaf.PRESENCE and _state(message) == ENDED.get(self._order.what):
            self._told.confirmed = True
        if self._erases and message.retain and message.payload:
            self._told.emptied.add(message.topic)
            await self._publish(Outgoing(message.topic, b"", 1, retain=True))

    async def _empty_all(self) -> None:
        """Empty what every gateway retains, seen or not; all others only where something was seen."""
        for leaf in (Leaf.PRESENCE, Leaf.CALIBRATION):
            await self._publish(Outgoing(self._wearer.topic(leaf), b"", 1, retain=True))

    async def _look_again(self) -> None:
        self._link.unsubscribe(_all_of(self._wearer))
        await self._hear(_GATHER_S / 4)
        emptied, self._told.emptied = self._told.emptied, set()
        self._link.subscribe(_all_of(self._wearer), 1)
        await self._hear(_GATHER_S)
        # What was found now has been emptied, as far as we may.
        self._told.left = self._told.emptied & self._told.refused
        self._told.emptied |= emptied

    async def _publish(self, message: Outgoing) -> None:
        try:
            await self._link.publish(message)
        except BrokerError:
            self._told.refused.add(message.topic)


def _all_of(wearer: Wearer) -> str:
    return f"{ROOT}/{wearer.site}/+/{wearer.patient}/#"


def _state(message: Received) -> str:
    try:
        return notices.decode(message.payload, Presence).state
    except WireError:
        return ""
