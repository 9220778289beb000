"""Messages that have come and wait to be taken: each sender has a share, so that none can starve another.

Taken in turns, a few of each sender at a time. What a sender has waiting is bounded; what comes beyond that
is refused, which loses nothing of who keeps to the protocol: only `stored` confirms, so a gateway keeps what
was refused and sends it again, and it never has as much on its way as may wait here (docs/decisions/0025).
It does send again what waits here already, after a reconnect for one: such a copy needs no second place.
"""

import asyncio
import contextlib
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from ingest.mqtt.settings import Received
from poise.errors import WireError
from poise.topics import Leaf, valid_name

_LOOK_S: Final = 0.2
_MOST_BYTES: Final = 256 * 1024**2
_MANY_SENDERS: Final = 10_000
_Same = tuple[str, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one sender may have.

    Attributes:
        waiting: messages that may wait.
        waiting_bytes: and their bytes.
        at_once: messages taken in a turn.
        per_s: messages taken a second in the long run.
        bytes_per_s: and their bytes.
        burst: messages taken as fast as it goes before that holds.
        burst_bytes: and their bytes.
    """

    waiting: int = 2000
    waiting_bytes: int = _MOST_BYTES
    at_once: int = 2000
    per_s: float = float("inf")
    bytes_per_s: float = float("inf")
    burst: int = 2**40
    burst_bytes: int = 2**60


WEARER_SHARE: Final = Share(
    waiting=1000,
    waiting_bytes=64 * 1024**2,
    at_once=25,
    per_s=50.0,
    bytes_per_s=512 * 1024,
    burst=50_000,
    burst_bytes=512 * 1024**2,
)
"""Of one wearer's gateway at an ingest: project decisions. A gateway has at most 600 messages on its way
(`ingest.bridge.Pace`) and makes about two a second, 15 kB with eight sensors at 100 Hz; the burst is 14 hours
of messages of a second, after which a full spool of five days still drains in about two hours."""


@dataclass(slots=True)
class _Sender:
    """What waits of a sender, and what it may still have taken."""

    tokens: float
    byte_tokens: float
    seen_s: float
    bytes: int = 0
    queue: deque[Received] = field(default_factory=deque)
    waits: set[_Same] = field(default_factory=set)


class Inbox:
    """A queue for an event loop, in which the order of each sender's messages is kept.

    Args:
        sender_of: who a topic's messages are from; by default all are from one.
        share: what each may have.
        clock: monotonic s.
        once: topics of which the same bytes again say nothing new while the first of them wait.

    Attributes:
        refused: messages that were refused, by sender.
        copies: messages that came while the same waited.
    """

    def __init__(
        self,
        sender_of: Callable[[str], str] = lambda _topic: "",
        share: Share | None = None,
        clock: Callable[[], float] = time.monotonic,
        once: Callable[[str], bool] = lambda _topic: False,
    ) -> None:
        self.refused: Counter[str] = Counter()
        self.copies = 0
        self._once = once
        self._sender_of, self._share, self._clock = sender_of, share or Share(), clock
        self._senders: dict[str, _Sender] = {}
        self._turns: deque[str] = deque()
        self._count = self._bytes = 0
        self._came = asyncio.Event()
        self._closed = False

    def __len__(self) -> int:
        """Return how many messages wait."""
        return self._count

    def is_copy(self, message: Received) -> bool:
        """Return whether the same waits already, and count it if so."""
        waits = self._sender(self._sender_of(message.topic)).waits
        copy = bool(waits) and (message.topic, message.payload) in waits
        self.copies += copy
        return copy

    def put(self, message: Received) -> bool:
        """Let a message wait; False if it is refused."""
        name, size = self._sender_of(message.topic), len(message.payload)
        sender, share = self._sender(name), self._share
        full = len(sender.queue) >= share.waiting or sender.bytes + size > share.waiting_bytes
        if full or self._bytes + size > _MOST_BYTES:
            self.refused[name] += 1
            return False
        if not sender.queue:
            self._turns.append(name)
        sender.queue.append(message)
        if self._once(message.topic):
            sender.waits.add((message.topic, message.payload))
        sender.bytes += size
        self._bytes += size
        self._count += 1
        self._came.set()
        return True

    def close(self) -> None:
        """Let who waits go with nothing."""
        self._closed = True
        self._came.set()

    async def get(self, most: int) -> list[Received]:
        """Wait for messages and return up to `most` of them, none only once it is closed."""
        while True:
            self._came.clear()
            messages = self.take(most)
            if messages or self._closed:
                return messages
            # Not wait_for: until Python 3.12 it could swallow a cancellation that met its time-out.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_S if self._turns else None):
                    await self._came.wait()

    def take(self, most: int) -> list[Received]:
        """Return what may be taken now, a few of each sender in turn."""
        messages: list[Received] = []
        now_s = self._clock()
        for _ in range(len(self._turns)):
            if len(messages) >= most:
                break
            name = self._turns.popleft()
            sender = self._senders[name]
            messages += self._take_of(sender, most - len(messages), now_s)
            if sender.queue:
                self._turns.append(name)
        self._count -= len(messages)
        return messages

    def charge(self, topic: str, messages: int) -> None:
        """Let what came from there count for more messages than it was."""
        self._sender(self._sender_of(topic)).tokens -= messages

    def _take_of(self, sender: _Sender, most: int, now_s: float) -> list[Received]:
        """Take a sender's turn. One over its rate waits for a whole turn's worth, which one commit brings."""
        self._refill(sender, now_s)
        turn = min(self._share.at_once, len(sender.queue))
        if sender.tokens < turn or sender.byte_tokens < 0:
            return []
        taken = [sender.queue.popleft() for _ in range(min(turn, most))]
        if sender.waits:
            sender.waits.difference_update((message.topic, message.payload) for message in taken)
        size = sum(len(message.payload) for message in taken)
        sender.tokens -= len(taken)
        sender.byte_tokens -= size
        sender.bytes -= size
        self._bytes -= size
        return taken

    def _refill(self, sender: _Sender, now_s: float) -> None:
        share, passed_s = self._share, now_s - sender.seen_s
        sender.seen_s = now_s
        if passed_s > 0:
            sender.tokens = min(share.burst, sender.tokens + passed_s * share.per_s)
            sender.byte_tokens = min(share.burst_bytes, sender.byte_tokens + passed_s * share.bytes_per_s)

    def _sender(self, name: str) -> _Sender:
        if name not in self._senders:
            if len(self._senders) >= _MANY_SENDERS:
                self._forget_idle()
            share = self._share
            self._senders[name] = _Sender(share.burst, share.burst_bytes, self._clock())
        return self._senders[name]

    def _forget_idle(self) -> None:
        """Forget who has nothing waiting and its whole burst again: it begins anew with the same."""
        now_s = self._clock()
        for name, sender in list(self._senders.items()):
            self._refill(sender, now_s)
            if not sender.queue and sender.tokens >= self._share.burst:
                del self._senders[name]


def is_samples(topic: str) -> bool:
    """Return whether a topic is one of samples messages, each of which has a number of its own."""
    return topic.rpartition("/")[2] == Leaf.SAMPLES


def wearer_in(topic: str) -> str:
    """Return `site/patient` of a topic, "" if it has none; at a clinic's broker that is who published it."""
    parts = topic.split("/", 5)
    try:
        return f"{valid_name(parts[2])}/{valid_name(parts[4])}" if len(parts) > 4 else ""
    except WireError:
        return ""
