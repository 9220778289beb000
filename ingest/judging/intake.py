"""Waiting messages to disk: decode, analyse and store in one transaction. Synchronous; runs in one thread."""

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from ingest.database import chunks
from ingest.database.journal import Journal, Lane
from ingest.database.sqlite import Connection, Database
from ingest.database.trusted import doubts_in
from ingest.judging.analyses import Analyses
from ingest.judging.confirm import Confirmation
from ingest.judging.guards import (
    CLOCK_OFF,
    REFUSED,
    SECOND_GATEWAY,
    TwoGateways,
    is_at_work,
    is_beside,
    is_clock_off,
    last_of,
    must_be_same,
)
from ingest.judging.outcome import IntakeCounts, Outcome, Session, joined
from ingest.judging.statuses import KEPT, detail_of
from ingest.judging.stream import Stream
from ingest.judging.telling import live_notice
from ingest.mqtt.inbox import wearer_in
from ingest.mqtt.settings import Received
from ingest.results.store import ResultStore, key, storable, wearer_of
from poise import notices
from poise.errors import StoreRejectedError, WireError
from poise.notices import CalibrationNotice, EpisodeNotice, Stored
from poise.results import Results
from poise.samples import SampleMessage
from poise.topics import BUCKETS, LONGEST_S, Address, Leaf, Wearer, parse
from poise.wire import decode_samples

log = logging.getLogger("poise.ingest")
_TELL_EVERY_US: Final = 60_000_000
"""Between two lines in the log about the same wearer and reason: a flood must not fill the log too."""
LATE_IDLE_US: Final = LONGEST_S * 1_500_000
"""The longest message of a clock that was set back, and half a one more."""
_SETTLED_AT_ONCE: Final = 10
_TAKEN: Final = (Leaf.SAMPLES, Leaf.CALIBRATION, *KEPT)


class Intake:
    """The state of all wearers of one worker.

    Args:
        database: the writing connection.
        journal: keeps what came.
        results: keeps what was concluded.
        new_analysis: makes the analysis of one run.
        clock: UTC µs.
        buckets: those that this worker owns.
    """

    def __init__(
        self,
        database: Database,
        journal: Journal,
        results: ResultStore,
        new_analysis: Analyses,
        clock: Callable[[], int],
        buckets: Iterable[int] = range(BUCKETS),
    ) -> None:
        self.counts = IntakeCounts()
        self._database, self._journal, self._results = database, journal, results
        self._new_analysis, self._clock = new_analysis, clock
        self._buckets = frozenset(buckets)
        self._streams: dict[tuple[Wearer, bool], Stream] = {}
        self._confirmations: dict[Session, Confirmation] = {}
        self._late_us: dict[Wearer, int] = {}
        self._told_us: dict[tuple[str, str], int] = {}
        self._two = TwoGateways()

    def take(self, messages: Sequence[Received]) -> Outcome:
        """Bring all of them to disk in one transaction, or none.

        Raises:
            StoreUnavailableError: if the disk refuses now; hand the same messages in again later.
        """
        try:
            return self._commit(messages)
        except StoreRejectedError as exc:
            if len(messages) > 1:
                return joined([self.take([message]) for message in messages])
            return self._commit_what_can_be(messages[0], str(exc))

    def close_late_runs(self) -> Outcome:
        """End the runs of late messages that nothing has followed for a while.

        Raises:
            StoreUnavailableError: if the disk refuses now.
        """
        now_us, outcome = self._clock(), Outcome()
        idle = [wearer for wearer, fed_us in self._late_us.items() if abs(now_us - fed_us) > LATE_IDLE_US]
        if idle:
            with self._transaction() as c:
                for stream in [self._stream(c, wearer, late=True) for wearer in idle]:
                    if stream.run is not None:
                        self._conclude(c, stream, [(stream.origin, stream.close(c))], outcome)
        for wearer in idle:
            del self._late_us[wearer]
        return outcome

    @property
    def late_runs(self) -> bool:
        """True while there may be runs that `close_late_runs` has to end; any thread may ask."""
        return bool(self._late_us)

    def keep_all(self) -> None:
        """Keep the state of all open runs, before the end: who takes them over begins there.

        Raises:
            StoreUnavailableError: if the disk refuses; then they are fed again.
        """
        with self._transaction() as c:
            for stream in self._streams.values():
                stream.keep(c)

    def settle(self, after: str) -> str:
        """Put old seconds of some wearers into pieces; return where to go on, "" when all have been seen.

        Raises:
            StoreUnavailableError: if the disk refuses now; nothing is lost.
        """
        with self._database.transaction() as c:
            return chunks.settle_some(c, after, _SETTLED_AT_ONCE, self._clock() // 1_000_000)

    def count_refused(self, refused: Mapping[str, int]) -> None:
        """Count messages that were never taken, by wearer's key, "" for nobody's.

        Raises:
            StoreUnavailableError: if the disk refuses now.
        """
        with self._transaction() as c:
            for name, number in refused.items():
                self._journal.count(c, name, REFUSED, number)

    def forget(self, name: str) -> None:
        """Forget a wearer's key, of whom nothing is on disk any more."""
        wearer = wearer_of(name)
        self._streams = {each: stream for each, stream in self._streams.items() if each[0] != wearer}
        self._confirmations = {s: kept for s, kept in self._confirmations.items() if s[0] != wearer}
        self._late_us.pop(wearer, None)

    def confirmed(self, session: Session) -> Stored:
        """Return what may be said of a session: only what is on disk.

        Raises:
            StoreUnavailableError: if it cannot be read now.
        """
        return self.all_confirmed([session])[session]

    def all_confirmed(self, sessions: Collection[Session]) -> dict[Session, Stored]:
        """Return the same of several; the disk is asked only about those that nothing was stored of lately.

        Raises:
            StoreUnavailableError: if it cannot be read now.
        """
        unknown = [session for session in sessions if session not in self._confirmations]
        if unknown:
            with self._database.transaction() as c:
                for session in unknown:
                    self._confirmation(c, session)
        return {session: self._confirmations[session].notice(session[1]) for session in sessions}

    def recent_sessions(self, within_us: int) -> list[Session]:
        """Return the sessions whose gateways may wait for a confirmation."""
        with self._database.transaction() as c:
            return self._journal.recent_sessions(c, self._clock() - within_us)

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        """If the transaction does not happen, forget what is in memory: it is read again from disk."""
        try:
            with self._database.transaction() as c:
                yield c
        except BaseException:
            self._streams.clear()
            self._confirmations.clear()
            raise

    def _commit(self, messages: Sequence[Received], *, analyse: bool = True) -> Outcome:
        outcome = Outcome(counts=IntakeCounts(commits=1))
        with self._transaction() as c:
            for message in messages:
                self._take_one(c, message, outcome, analyse=analyse)
        self.counts.add(outcome.counts)
        return outcome

    def _commit_what_can_be(self, message: Received, sentence: str) -> Outcome:
        """Store a message whose results the store refuses without them, or put it aside."""
        log.error("the store refuses a message's results: %s", sentence)
        try:
            return self._commit([message], analyse=False)
        except StoreRejectedError:
            outcome = Outcome(counts=IntakeCounts(commits=1))
            with self._transaction() as c:
                self._dead(c, message, WireError(sentence, reason="rejected"), outcome)
            self.counts.add(outcome.counts)
            return outcome

    def _take_one(self, c: Connection, message: Received, outcome: Outcome, *, analyse: bool) -> None:
        try:
            address = self._address(message.topic)
            if address.leaf is Leaf.SAMPLES:
                self._samples(c, address.wearer, message.payload, outcome, analyse=analyse)
            elif address.leaf is Leaf.CALIBRATION:
                self._calibration(c, address.wearer, message.payload)
            else:
                self._status(c, address, message.payload)
        except WireError as exc:
            self._dead(c, message, exc, outcome)

    def _address(self, topic: str) -> Address:
        address = parse(topic)
        if address.leaf not in _TAKEN or address.wearer.bucket not in self._buckets:
            raise WireError(f"{topic!r} is not for this ingest", reason="not ours")
        return address

    def _dead(self, c: Connection, message: Received, exc: WireError, outcome: Outcome) -> None:
        outcome.counts.dead_letters += 1
        outcome.dead.append((message.topic, exc.reason))
        told = wearer_in(message.topic), exc.reason
        if abs(self._clock() - self._told_us.get(told, -_TELL_EVERY_US)) >= _TELL_EVERY_US:
            self._told_us[told] = self._clock()
            log.warning("a message was put aside (%s)", exc.reason, extra={"wearer": told[0]})
            log.debug("%s", exc)  # it may name the wearer; the dead letter keeps it
        self._journal.put_dead_letter(
            c, message.topic, message.payload, exc.reason, str(exc)[:500], self._clock(), name=told[0]
        )

    def _samples(
        self, c: Connection, wearer: Wearer, payload: bytes, outcome: Outcome, *, analyse: bool
    ) -> None:
        message = decode_samples(payload)
        session = (wearer, message.session)
        confirmation = self._confirmation(c, session)
        outcome.sessions.add(session)
        if self._journal.holds(c, wearer, message.session, message.sequence):
            must_be_same(c, self._journal, wearer, message, payload)
            self._journal.put_duplicate(c, wearer, message)
            outcome.counts.duplicates += 1
        elif analyse:
            self._new_samples(c, wearer, message, payload, outcome)
        else:
            self._put(c, wearer, message, payload, Lane.UNANALYSED, outcome)
        confirmation.add(message.sequence, message.floor)

    def _new_samples(
        self, c: Connection, wearer: Wearer, message: SampleMessage, payload: bytes, outcome: Outcome
    ) -> None:
        now_us = self._clock()
        if is_clock_off(message, now_us):
            self._journal.count(c, key(wearer), CLOCK_OFF)
        live, behind = self._stream(c, wearer, late=False), self._stream(c, wearer, late=True)
        journal, is_behind = self._journal, live.is_behind(message, now_us)
        fills = is_behind and not live.is_set_back(message)
        if not message.kept and is_beside(c, journal, wearer, message, live.session, now_us, fills=fills):
            self._put(c, wearer, message, payload, Lane.BESIDE, outcome)
            journal.count(c, key(wearer), SECOND_GATEWAY)
            if message.session != live.session and is_at_work(c, journal, wearer, live.session, now_us):
                self._two.hear(wearer, now_us)
            return
        # What is behind stays so up to its last message, or the end of its run would be cut off; and what a
        # sensor had kept is no news, even where nothing newer has come yet.
        late = message.kept or is_behind
        late = late or behind.goes_on_with(message, live.analysed_us)
        stream = behind if late else live
        row = self._put(c, wearer, message, payload, Lane(late), outcome)
        if late:
            self._late_us[wearer] = now_us
        set_back = late and not message.kept and live.is_set_back(message)
        if set_back and not behind.is_now:
            live.put_by(c)
        parts = stream.feed(c, row, message, set_back=set_back)
        self._conclude(c, stream, parts, outcome)

    def _put(
        self,
        c: Connection,
        wearer: Wearer,
        message: SampleMessage,
        payload: bytes,
        lane: Lane,
        outcome: Outcome,
    ) -> int:
        """Store and count a message."""
        outcome.counts.put(message, late=lane is Lane.LATE, beside=lane is Lane.BESIDE)
        if lane is Lane.LIVE and message.batches:
            outcome.newest_us.append(last_of(message))
        return self._journal.put_message(c, wearer, message, payload, received_us=self._clock(), lane=lane)

    def _advice(self, stream: Stream) -> list[str]:
        return [*self._two.advice(stream.wearer, self._clock()), *stream.advice.sentences]

    def _conclude(
        self, c: Connection, stream: Stream, parts: Sequence[tuple[str, Results]], outcome: Outcome
    ) -> None:
        wearer = stream.wearer
        for origin, part in parts:
            results = storable(part)
            self._results.write(c, wearer, origin, results)
            for episode in results.episodes:
                outcome.episodes[wearer, episode.id] = EpisodeNotice(origin=origin, episode=episode)
            for remark, number in part.remarks:
                self._journal.count(c, key(wearer), remark, number)
            stream.advice.note(part, stream.trust.doubts)
            frames = next((frames for frames in reversed(part.frames) if len(frames)), None)
            if frames is not None and stream.is_now:
                outcome.live[wearer] = live_notice(frames, origin, self._advice(stream))
        if stream.late and any(doubts_in(part) for _, part in parts):
            self._stream(c, wearer, late=False).look_elsewhere(c)

    def _calibration(self, c: Connection, wearer: Wearer, payload: bytes) -> None:
        calibration = notices.decode(payload, CalibrationNotice).calibration
        if not 0 < len(calibration.id) <= 64 or not 0 <= calibration.made_us < 2**53:
            raise WireError("a calibration needs an id of 1 to 64 letters and a time", reason="range")
        if any(len(alignment.q_sensor_from_segment) != 4 for alignment in calibration.alignments.values()):
            raise WireError("a calibration's quaternions need four numbers", reason="range")
        self._journal.put_calibration(c, wearer, calibration, payload, self._clock())
        known = self._journal.calibrations(c, wearer)
        for late in (False, True):
            if (wearer, late) in self._streams:
                self._streams[wearer, late].calibrations = known

    def _status(self, c: Connection, address: Address, payload: bytes) -> None:
        detail = detail_of(address, payload)
        self._journal.put_notice(c, address.wearer, address.leaf, detail, payload, self._clock())

    def _stream(self, c: Connection, wearer: Wearer, *, late: bool) -> Stream:
        if (wearer, late) not in self._streams:
            stream = Stream(wearer, late, self._journal, self._new_analysis)
            stream.restore(c)
            self._streams[wearer, late] = stream
            if late and stream.run is not None:
                self._late_us.setdefault(wearer, self._clock())
        return self._streams[wearer, late]

    def _confirmation(self, c: Connection, session: Session) -> Confirmation:
        if session not in self._confirmations:
            self._confirmations[session] = self._journal.confirmation(c, *session)
        return self._confirmations[session]
