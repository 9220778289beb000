"""Spool → MQTT for one wearer: the gateway's side of "nothing is confirmed before it is on disk".

PUBACK opens the send window and means nothing more; a message leaves the spool only when ingest's `stored`
names it. Whatever is unconfirmed is sent again, from the oldest on, after a reconnect and when `stored` shows
a hole. After a reconnect the oldest message goes alone, until it is confirmed: a broker that has just started
forgets what it gets before ingest is back, and what comes in order is analysed without a break.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from ingest.mqtt.link import Link
from ingest.mqtt.settings import BrokerSettings, Outgoing
from poise import notices
from poise.errors import BrokerError, BrokerRefusedError, StoreError, WireError
from poise.notices import Command, Presence, Stored
from poise.planned import PlanNotice
from poise.ports import Spool, Spooled
from poise.tasks import until_one_ends
from poise.topics import Leaf, Wearer, parse

log = logging.getLogger("poise.bridge")
_IDLE_S: Final = 0.2
_REPORT_S: Final = 5.0
_STORE_RETRY_S: Final = 2.0
_GOODBYE_S: Final = 2.0
_MOST_ANNOUNCED: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How far a bridge runs ahead.

    Attributes:
        unacked: messages sent without the broker's PUBACK.
        unstored: messages sent that ingest has not confirmed.
        stall_s: without progress for so long although connected, the oldest message is sent again.
        ask_s: wait for the first confirmation after a reconnect before the oldest message is sent again;
            doubled each time up to `stall_s`.
        hole_s: least time between two answers to holes.
    """

    unacked: int = 20
    unstored: int = 600
    stall_s: float = 30.0
    ask_s: float = 1.0
    hole_s: float = 5.0


@dataclass(slots=True)
class BridgeCounts:
    """What a bridge has done; `sent` counts repetitions too, `refused` what the broker did not take."""

    sent: int = 0
    refused: int = 0
    confirmed: int = 0
    rewinds: int = 0
    stalls: int = 0
    announcements_dropped: int = 0


class Bridge:
    """Publishes a gateway's spool and notices; a `poise.ports.Announce` by its method `announce`.

    `run` it as a task; cancelling it says "offline" and ends it. All methods belong to the event loop.

    Args:
        settings: the broker.
        wearer: whose gateway this is.
        spool: what waits; its calls run in a thread.
        presence: what to say while connected; "lost" and "offline" are derived from it.
        pace: how far to run ahead.

    Attributes:
        commanded: called with each command for the gateway.
        planned: called with each plan for the wearer, None where there is none any more.
    """

    def __init__(
        self,
        settings: BrokerSettings,
        wearer: Wearer,
        spool: Spool,
        presence: Presence,
        pace: Pace | None = None,
    ) -> None:
        self.counts = BridgeCounts()
        self.commanded: Callable[[Command], None] = lambda _command: None
        self.planned: Callable[[PlanNotice | None], None] = lambda _plan: None
        self._wearer, self._spool, self._pace = wearer, spool, pace or Pace()
        self._presence = presence
        self._link = Link(
            settings,
            f"poise-gateway-{wearer.site}-{wearer.patient}",
            subscriptions={wearer.topic(leaf): 1 for leaf in (Leaf.STORED, Leaf.COMMAND, Leaf.PLAN)},
            will=self._state("lost"),
            on_connected=self._reconnected,
        )
        self._outstanding: dict[tuple[str, int], int] = {}
        self._row = -1
        self._retained: dict[str, Outgoing] = {}
        self._passing: list[Outgoing] = []
        self._unacked = 0
        self._answered = False
        self._refused = ""
        self._patience_s = self._pace.ask_s
        self._progress_s = self._rewound_s = 0.0
        self._wake = asyncio.Event()

    @property
    def connected(self) -> bool:
        """True while the broker is there."""
        return self._link.connected

    def announce(self, leaf: Leaf, payload: bytes, *, detail: str = "", retain: bool = True) -> None:
        """Publish a notice; the newest retained one of each topic is sent again after a reconnect."""
        message = Outgoing(self._wearer.topic(leaf, detail), payload, 1, retain)
        if retain:
            self._retained[message.topic] = message
        if self._link.connected:
            self._send(message)
        elif not retain and len(self._passing) < _MOST_ANNOUNCED:
            self._passing.append(message)
        elif not retain:
            self.counts.announcements_dropped += 1

    def wake(self) -> None:
        """Say that the spool holds something new; without it the bridge looks five times a second."""
        self._wake.set()

    async def run(self) -> None:
        """Send until cancelled.

        Raises:
            ConfigurationError: if the broker refuses this program for good.
        """
        async with self._link:
            try:
                await until_one_ends((self._send_all(), self._hear_all(), self._report()))
            finally:
                await self._say_goodbye()

    def _state(self, state: str) -> Outgoing:
        presence = notices.encode(msgspec.structs.replace(self._presence, state=state))
        return Outgoing(self._wearer.topic(Leaf.PRESENCE), presence, 1, retain=True)

    def _reconnected(self) -> None:
        """Say again all that is true, and begin with the oldest unconfirmed message."""
        self._unacked = 0
        for message in (self._state("online"), *self._retained.values(), *self._passing):
            self._send(message)
        self._passing.clear()
        self._rewind()
        self._answered, self._patience_s = False, self._pace.ask_s

    def _rewind(self) -> None:
        self.counts.rewinds += bool(self._outstanding)
        self._outstanding.clear()
        self._row = -1
        self._progress_s = self._rewound_s = self._now_s()
        self._wake.set()

    async def _send_all(self) -> None:
        while True:
            await self._link.until_connected()
            try:
                sent = await self._send_more()
                await self._look_for_stall()
            except StoreError as exc:
                log.warning("%s; the spool is tried again", exc)
                await asyncio.sleep(_STORE_RETRY_S)
                continue
            if not sent:
                self._wake.clear()
                # Not wait_for: until Python 3.12 it could swallow a cancellation that met its time-out.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_IDLE_S):
                        await self._wake.wait()

    async def _send_more(self) -> bool:
        """Send what both windows allow; returns whether anything was sent."""
        window = self._pace.unstored if self._answered else 1
        room = min(window - len(self._outstanding), self._pace.unacked - self._unacked)
        if room <= 0 or not self._link.connected:
            return False
        row = self._row
        messages = await asyncio.to_thread(self._spool.after, row, room)
        if row != self._row or not self._link.connected:
            return True  # rewound meanwhile
        if messages and not self._outstanding:
            self._progress_s = self._now_s()
        for message in messages:
            if not self._publish(message):
                return True
            self._row = message.row
            self._outstanding[message.session, message.sequence] = message.row
        return bool(messages)

    def _publish(self, message: Spooled) -> bool:
        self.counts.sent += 1
        return self._send(Outgoing(self._wearer.topic(Leaf.SAMPLES), message.payload))

    def _send(self, message: Outgoing) -> bool:
        try:
            acknowledged = self._link.send(message)
        except BrokerError:
            return False
        self._unacked += 1
        acknowledged.add_done_callback(self._acknowledged)
        return True

    def _acknowledged(self, future: "asyncio.Future[None]") -> None:
        """Open the window; what the broker refused stays in the spool, and is asked with again."""
        if future.cancelled():
            return
        error = future.exception()
        self.counts.refused += isinstance(error, BrokerRefusedError)
        if error is None or isinstance(error, BrokerRefusedError):
            self._unacked = max(0, self._unacked - 1)
            self._wake.set()

    async def _look_for_stall(self) -> None:
        """Ask with the oldest message whether ingest is there, when it has said nothing for long."""
        silent_s = self._now_s() - self._progress_s
        answered = self._answered
        patience_s = self._pace.stall_s if answered else self._patience_s
        if not self._outstanding or silent_s < patience_s or not self._link.connected:
            return
        self._progress_s = self._now_s()
        oldest = await asyncio.to_thread(self._spool.after, -1, 1)
        if not oldest:
            self._outstanding.clear()  # confirmed while they were being sent
            return
        if self._answered and not answered:
            return  # the answer came while the disk was being asked
        if answered:
            log.warning("nothing was confirmed for %.0f s; the spool keeps everything", silent_s)
        self._answered = False
        self._patience_s = min(2 * patience_s, self._pace.stall_s)
        self.counts.stalls += 1
        self._publish(oldest[0])

    async def _report(self) -> None:
        """Say how much waits, whenever that has changed."""
        while True:
            await asyncio.sleep(_REPORT_S)
            with contextlib.suppress(StoreError):
                waiting = await asyncio.to_thread(self._spool.depth)
                told, dropped = self._presence, self._spool.dropped
                if (told.waiting, told.dropped) != (waiting, dropped):
                    self._presence = msgspec.structs.replace(told, waiting=waiting, dropped=dropped)
                    if self._link.connected:
                        self._send(self._state("online"))

    async def _hear_all(self) -> None:
        while True:
            for message in await self._link.receive(100):
                try:
                    leaf = parse(message.topic).leaf
                    if leaf is Leaf.STORED:
                        await self._hear(notices.decode(message.payload, Stored))
                    elif leaf is Leaf.COMMAND and not message.retain:  # a kept one is as old as it may be
                        self.commanded(notices.decode(message.payload, Command))
                    elif leaf is Leaf.PLAN:
                        self.planned(notices.decode(message.payload, PlanNotice) if message.payload else None)
                except WireError as exc:
                    log.warning("a confirmation, command or plan cannot be read: %s", exc)
                except StoreError as exc:
                    # Unconfirmed is safe: the next notice names it again.
                    log.warning("%s; the confirmation is taken from the next notice", exc)
                self._link.acknowledge(message)

    async def _hear(self, stored: Stored) -> None:
        if stored.refused and stored.refused != self._refused:
            log.warning("ingest keeps nothing of this wearer (%s)", stored.refused)
        self._refused = stored.refused
        confirmed = await asyncio.to_thread(self._spool.confirm, stored)
        self.counts.confirmed += confirmed
        holes = [range(first, last + 1) for first, last in stored.holes]
        lacking = False
        for session, sequence in list(self._outstanding):
            if session != stored.session or sequence > stored.highest:
                continue
            if sequence > stored.through and any(sequence in hole for hole in holes):
                lacking = True
            else:
                del self._outstanding[session, sequence]
        answered = bool(confirmed) and not self._answered
        if confirmed:
            self._progress_s = self._now_s()
            self._answered = True
        # What a silent ingest or a broker has lost does not come by itself.
        if answered or (lacking and self._now_s() - self._rewound_s > self._pace.hole_s):
            self._rewind()
        self._wake.set()

    async def _say_goodbye(self) -> None:
        if self._link.connected:
            with contextlib.suppress(BrokerError, TimeoutError):
                async with asyncio.timeout(_GOODBYE_S):
                    await self._link.publish(self._state("offline"))

    def _now_s(self) -> float:
        return asyncio.get_running_loop().time()
