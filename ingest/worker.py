"""Broker → analytics → store, and back what is on disk: the one process that owns its wearers' data."""

import asyncio
import itertools
import logging
import zlib
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any, Final, TypeVar

from analytics.pipeline import Pipeline
from ingest.database.journal import Journal
from ingest.database.sqlite import Database
from ingest.erasing.gate import Gate
from ingest.erasing.register import Register
from ingest.judging.analyses import Analyses
from ingest.judging.intake import Intake
from ingest.judging.outcome import IntakeCounts, Outcome, Session
from ingest.mqtt.inbox import WEARER_SHARE, Inbox, Share, is_samples, wearer_in
from ingest.mqtt.link import Link
from ingest.mqtt.settings import BrokerSettings, Outgoing, Received
from ingest.results.store import ResultStore
from ingest.vitals import Tally, Vitals, most
from poise import notices
from poise.errors import BrokerError, StoreError
from poise.tasks import until_one_ends
from poise.topics import BUCKETS, Leaf, everyone

log = logging.getLogger("poise.ingest")
_MOST_PER_COMMIT: Final = 200
_STORED_EVERY_US: Final = 1_000_000
_STORED_SOON_US: Final = 100_000
_TICK_S: Final = 0.1
_LOOK_TICKS: Final = 10
_SETTLE_S: Final = 0.5
_SETTLE_PAUSE_S: Final = 120.0
_RECENT_US: Final = 86_400_000_000
_GARBAGE: Final = 100
"""As many messages one counts for that cannot be understood: a gateway makes none."""
_MOST_NAMED: Final = 10
_NAME_EVERY_US: Final = 60_000_000
_RECEIVE_MAXIMUM: Final = 20_000
"""So many that no wearer's share fills it: what the broker holds back, it holds back for all."""
_WAITS_S: Final = (0.5, 1, 2, 5, 10)
T = TypeVar("T")


class Ingest:
    """Owns the wearers of its buckets: `await Ingest(…).run()` until cancelled.

    Args:
        settings: the broker.
        database: `poise.db`.
        results: where results go.
        clock: UTC µs; nothing here reads another.
        buckets: those that this worker owns; two workers must never share one.
        timezone: IANA zone of new wearers.
        new_analysis: makes the analysis of one run.
        share: what each wearer may have of it.
    """

    def __init__(
        self,
        settings: BrokerSettings,
        database: Database,
        results: ResultStore,
        *,
        clock: Callable[[], int],
        buckets: Iterable[int] = range(BUCKETS),
        timezone: str = "UTC",
        new_analysis: Analyses = Pipeline,
        share: Share = WEARER_SHARE,
    ) -> None:
        self.journal = Journal(database, timezone)
        self.trouble = ""
        self._clock = clock
        self._owned = sorted(set(buckets))
        self._intake = Intake(database, self.journal, results, new_analysis, clock, self._owned)
        self._gate = Gate(self._intake, Register(database.path.parent), database, self.journal, clock)
        self._inbox = Inbox(wearer_in, share, once=is_samples)
        self._link = Link(
            replace(settings, receive_maximum=_RECEIVE_MAXIMUM),
            self._client_id(),
            subscriptions=dict.fromkeys(self._topics(), 1),
            persistent=True,
            on_connected=self._reconnected,
            inbox=self._inbox,
        )
        self._tally, self._since_us = Tally(), clock()
        self._named: Counter[str] = Counter()
        self._named_in_all = 0
        self._named_us = -_NAME_EVERY_US
        self._told_us: dict[Session, int] = {}
        self._to_tell: set[Session] = set()
        self._remind = False

    @property
    def counts(self) -> IntakeCounts:
        """What came since the start."""
        counts = self._intake.counts
        return replace(counts, duplicates=counts.duplicates + self._inbox.copies)

    @property
    def waiting(self) -> int:
        """How many messages have come and are not on the disk yet, nor being brought there."""
        return self._link.waiting

    @property
    def refused(self) -> Mapping[str, int]:
        """How many messages were more than may wait, by wearer's `site/patient`."""
        return self._inbox.refused

    def vitals(self, worker: str) -> Vitals:
        """Return how it does now; outbox and disk are the caller's to look at."""
        tally, now_us = self._tally, self._clock()
        return Vitals(
            worker=worker,
            at_us=now_us,
            since_us=self._since_us,
            connected=self.connected,
            trouble=self.trouble,
            counts=self.counts,
            dead=dict(tally.dead),
            refused=most(self._inbox.refused),
            refused_in_all=self._inbox.refused.total(),
            waiting=self.waiting,
            wearers=tally.wearers(now_us),
            newest_us=tally.newest_us,
            lags=list(tally.lags),
            lag_sum_s=tally.lag_sum_s,
        )

    @property
    def connected(self) -> bool:
        """True while the broker is there."""
        return self._link.connected

    async def until_connected(self) -> None:
        """Wait until messages can come; raises ConfigurationError if the broker refuses for good."""
        await self._link.until_connected()

    async def run(self) -> None:
        """Take messages until cancelled.

        Raises:
            ConfigurationError: if the broker refuses this program for good.
        """
        with ThreadPoolExecutor(1, "poise-ingest") as thread:
            await self._insist(thread, self._gate.look)  # before anything comes back
            async with self._link:
                try:
                    await until_one_ends(self._works(thread))
                finally:
                    await self._keep_all(thread)

    def _works(self, thread: ThreadPoolExecutor) -> tuple[Coroutine[Any, Any, None], ...]:
        return self._take_all(thread), self._tick(thread), self._settle(thread)

    async def _settle(self, thread: ThreadPoolExecutor) -> None:
        """Put old seconds into pieces by and by, a few wearers at a time."""
        after = ""
        while True:
            await asyncio.sleep(_SETTLE_S if after else _SETTLE_PAUSE_S)
            after = await self._insist(thread, partial(self._intake.settle, after))

    async def _keep_all(self, thread: ThreadPoolExecutor) -> None:
        """Whoever takes these wearers over begins where this worker ends."""
        try:
            more = self._newly_refused()
            await asyncio.get_running_loop().run_in_executor(thread, self._intake.keep_all)
            await asyncio.get_running_loop().run_in_executor(thread, self._gate.count_refused, more)
        except StoreError as exc:
            log.warning("%s; what runs is analysed again from its beginning", exc)

    async def _take_all(self, thread: ThreadPoolExecutor) -> None:
        while True:
            await self._take(thread, await self._link.receive(_MOST_PER_COMMIT))

    async def _take(self, thread: ThreadPoolExecutor, messages: list[Received]) -> None:
        """Bring messages to disk, however long the disk refuses, and only then tell anybody."""
        outcome = await self._insist(thread, lambda: self._gate.take(messages))
        for message in messages:
            self._link.acknowledge(message)
        self._tally.note(outcome, self._clock())
        for topic, _ in outcome.dead:
            self._inbox.charge(topic, _GARBAGE)
        self._to_tell |= outcome.sessions
        await self._tell_stored(thread)
        self._tell_results(outcome)

    async def _insist(self, thread: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        loop, tries = asyncio.get_running_loop(), 0
        while True:
            try:
                done = await loop.run_in_executor(thread, work)
            except StoreError as exc:
                if str(exc) != self.trouble:
                    log.error("%s; nothing is confirmed until it works again", exc)  # noqa: TRY400 - a sentence
                self.trouble = str(exc)
                await asyncio.sleep(_WAITS_S[min(tries, len(_WAITS_S) - 1)])
                tries += 1
            else:
                # Only what had failed tells: on a full disk everything that but reads goes on well.
                if tries and self.trouble:
                    log.warning("the store works again")
                    self.trouble = ""
                return done

    async def _tick(self, thread: ThreadPoolExecutor) -> None:
        """Tell what was held back, remind after a reconnect, see who was erased, end late runs."""
        for tick in itertools.count(1):
            await asyncio.sleep(_TICK_S)
            if self._remind and self._link.connected:
                self._remind = False
                recent = await self._insist(thread, lambda: self._intake.recent_sessions(_RECENT_US))
                self._to_tell |= set(recent)
            await self._tell_stored(thread)
            await self._name_refused(thread)
            if tick % _LOOK_TICKS:
                continue
            await self._insist(thread, self._gate.look)
            if self._intake.late_runs:
                self._tell_results(await self._insist(thread, self._intake.close_late_runs))

    async def _name_refused(self, thread: ThreadPoolExecutor) -> None:
        """Say once a minute who sends more than may wait, in the log and on the disk."""
        if self._link.counts.overflowed == self._named_in_all:
            return
        now_us = self._clock()
        if abs(now_us - self._named_us) >= _NAME_EVERY_US and (more := self._newly_refused()):
            self._named_us = now_us
            for name, count in more.most_common(_MOST_NAMED):
                log.warning(
                    "a wearer sends more than may wait: %d messages refused; the metrics say who",
                    count,
                    extra={"wearer": name},
                )
            await self._insist(thread, lambda: self._gate.count_refused(more))

    def _newly_refused(self) -> Counter[str]:
        more, self._named = self._inbox.refused - self._named, Counter(self._inbox.refused)
        self._named_in_all = self._link.counts.overflowed
        return more

    async def _tell_stored(self, thread: ThreadPoolExecutor) -> None:
        """Confirm at most once a second while more is waiting, and soon after the last of a backlog."""
        if not self._to_tell:
            return
        now_us = self._clock()
        pause_us = _STORED_EVERY_US if self._link.waiting else _STORED_SOON_US
        due = {s for s in self._to_tell if not 0 <= now_us - self._told_us.get(s, -pause_us) < pause_us}
        self._to_tell -= due
        if not due:
            return
        said = await self._insist(thread, partial(self._gate.all_confirmed, due))
        for session, stored in said.items():
            topic = session[0].topic(Leaf.STORED)
            if not self._send(Outgoing(topic, notices.encode(stored), qos=1)):
                self._to_tell.add(session)
            self._told_us[session] = now_us

    def _tell_results(self, outcome: Outcome) -> None:
        for wearer, live in outcome.live.items():
            self._send(Outgoing(wearer.topic(Leaf.LIVE), notices.encode(live), qos=0))
        for (wearer, _), notice in outcome.episodes.items():
            self._send(Outgoing(wearer.topic(Leaf.EPISODE), notices.encode(notice), qos=0))
        for answer in outcome.answers:
            self._send(answer)

    def _send(self, message: Outgoing) -> bool:
        try:
            self._link.send(message)
        except BrokerError:
            return False
        return True

    def _reconnected(self) -> None:
        self._remind = True

    def _topics(self) -> Iterator[str]:
        whole = len(self._owned) == BUCKETS
        for bucket in [None] if whole else self._owned:
            for leaf in (Leaf.SAMPLES, Leaf.PRESENCE, Leaf.SENSOR, Leaf.CALIBRATION, Leaf.GUARD):
                yield everyone(leaf, bucket=bucket)

    def _client_id(self) -> str:
        if len(self._owned) == BUCKETS:
            return "poise-ingest"
        return f"poise-ingest-{zlib.crc32(bytes(self._owned)):08x}"
