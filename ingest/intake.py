"""Waiting messages to disk: decode, analyse and store in one transaction. Synchronous; runs in one thread."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, TypeVar

from ingest.analyses import Analyses
from ingest.broker import Received
from ingest.confirm import Confirmation
from ingest.journal import Journal, Lane
from ingest.sqlite import Connection, Database
from ingest.store import ResultStore, key, storable
from ingest.stream import Stream
from ingest.telling import live_notice
from ingest.trusted import doubts_in
from poise import notices
from poise.errors import StoreRejectedError, WireError
from poise.notices import CalibrationNotice, EpisodeNotice, Live, Presence, SensorStatus, Stored
from poise.results import Results
from poise.samples import SampleMessage
from poise.topics import BUCKETS, Address, Leaf, Wearer, parse
from poise.wire import decode_samples

log = logging.getLogger("poise.ingest")
LATE_IDLE_US: Final = 30_000_000
_TAKEN: Final = (Leaf.SAMPLES, Leaf.PRESENCE, Leaf.SENSOR, Leaf.CALIBRATION)
N = TypeVar("N", Presence, SensorStatus)
Session = tuple[Wearer, str]


@dataclass(slots=True)
class IntakeCounts:
    """What came since the start."""

    stored: int = 0
    duplicates: int = 0
    late: int = 0
    dead_letters: int = 0
    commits: int = 0


@dataclass(slots=True)
class Outcome:
    """What a commit makes true, to be told to others afterwards."""

    sessions: set[Session] = field(default_factory=set)
    live: dict[Wearer, Live] = field(default_factory=dict)
    episodes: dict[tuple[Wearer, str], EpisodeNotice] = field(default_factory=dict)
    counts: IntakeCounts = field(default_factory=IntakeCounts)


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
        self._fed_us: dict[tuple[Wearer, bool], int] = {}

    def take(self, messages: Sequence[Received]) -> Outcome:
        """Bring all of them to disk in one transaction, or none.

        Raises:
            StoreUnavailableError: if the disk refuses now; hand the same messages in again later.
        """
        try:
            return self._commit(messages)
        except StoreRejectedError as exc:
            if len(messages) > 1:
                return _joined([self.take([message]) for message in messages])
            return self._commit_what_can_be(messages[0], str(exc))

    def close_late_runs(self) -> Outcome:
        """End the runs of late messages that nothing has followed for a while.

        Raises:
            StoreUnavailableError: if the disk refuses now.
        """
        now_us, outcome = self._clock(), Outcome()
        idle = [
            stream
            for k, stream in self._streams.items()
            if stream.late and stream.run is not None and now_us - self._fed_us.get(k, 0) > LATE_IDLE_US
        ]
        if idle:
            with self._transaction() as c:
                for stream in idle:
                    self._conclude(c, stream, [(stream.origin, stream.close(c))], outcome)
        return outcome

    def keep_all(self) -> None:
        """Keep the state of all open runs, before the end: who takes them over begins there.

        Raises:
            StoreUnavailableError: if the disk refuses; then they are fed again.
        """
        with self._transaction() as c:
            for stream in self._streams.values():
                stream.keep(c)

    def confirmed(self, session: Session) -> Stored:
        """Return what may be said of a session: only what is on disk.

        Raises:
            StoreUnavailableError: if it cannot be read now.
        """
        if session not in self._confirmations:
            with self._database.transaction() as c:
                self._confirmation(c, session)
        return self._confirmations[session].notice(session[1])

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
        outcome = Outcome()
        with self._transaction() as c:
            for message in messages:
                self._take_one(c, message, outcome, analyse=analyse)
        self._count(outcome.counts)
        return outcome

    def _commit_what_can_be(self, message: Received, sentence: str) -> Outcome:
        """Store a message whose results the store refuses without them, or put it aside."""
        log.error("the store refuses a message's results: %s", sentence)
        try:
            return self._commit([message], analyse=False)
        except StoreRejectedError:
            outcome = Outcome()
            with self._transaction() as c:
                self._dead(c, message, WireError(sentence, reason="rejected"), outcome)
            self._count(outcome.counts)
            return outcome

    def _count(self, counts: IntakeCounts) -> None:
        mine = self.counts
        mine.stored += counts.stored
        mine.duplicates += counts.duplicates
        mine.late += counts.late
        mine.dead_letters += counts.dead_letters
        mine.commits += 1

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
        log.warning("put aside (%s): %s", exc.reason, exc)
        self._journal.put_dead_letter(
            c, message.topic, message.payload, exc.reason, str(exc)[:500], self._clock()
        )

    def _samples(
        self, c: Connection, wearer: Wearer, payload: bytes, outcome: Outcome, *, analyse: bool
    ) -> None:
        message = decode_samples(payload)
        session = (wearer, message.session)
        confirmation = self._confirmation(c, session)
        outcome.sessions.add(session)
        if self._journal.holds(c, wearer, message.session, message.sequence):
            self._journal.put_duplicate(c, wearer, message)
            outcome.counts.duplicates += 1
        elif analyse:
            self._new_samples(c, wearer, message, payload, outcome)
        else:
            self._journal.put_message(
                c, wearer, message, payload, received_us=self._clock(), lane=Lane.UNANALYSED
            )
            outcome.counts.stored += 1
        confirmation.add(message.sequence, message.floor)

    def _new_samples(
        self, c: Connection, wearer: Wearer, message: SampleMessage, payload: bytes, outcome: Outcome
    ) -> None:
        now_us = self._clock()
        live, behind = self._stream(c, wearer, late=False), self._stream(c, wearer, late=True)
        # What is behind stays so up to its last message, or the end of its run would be cut off.
        late = live.is_behind(message, now_us) or behind.goes_on_with(message, live.analysed_us)
        stream = behind if late else live
        row = self._journal.put_message(c, wearer, message, payload, received_us=now_us, lane=Lane(late))
        self._fed_us[wearer, late] = now_us
        outcome.counts.stored += 1
        outcome.counts.late += late
        set_back = late and not message.kept and live.is_set_back(message)
        if set_back and not behind.is_now:
            live.put_by(c)
        parts = stream.feed(c, row, message, set_back=set_back)
        self._conclude(c, stream, parts, outcome)

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
                outcome.live[wearer] = live_notice(frames, origin, stream.advice.sentences)
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
        if address.leaf is Leaf.PRESENCE:
            notices.decode(payload, Presence)
        elif notices.decode(payload, SensorStatus).sensor != address.detail:
            raise WireError(f"the status names another sensor than {address.detail!r}", reason="sensor")
        self._journal.put_notice(c, address.wearer, address.leaf, address.detail, payload, self._clock())

    def _stream(self, c: Connection, wearer: Wearer, *, late: bool) -> Stream:
        if (wearer, late) not in self._streams:
            stream = Stream(wearer, late, self._journal, self._new_analysis)
            stream.restore(c)
            self._streams[wearer, late] = stream
        return self._streams[wearer, late]

    def _confirmation(self, c: Connection, session: Session) -> Confirmation:
        if session not in self._confirmations:
            self._confirmations[session] = self._journal.confirmation(c, *session)
        return self._confirmations[session]


def _joined(outcomes: Iterable[Outcome]) -> Outcome:
    whole = Outcome()
    for outcome in outcomes:
        whole.sessions |= outcome.sessions
        whole.live |= outcome.live
        whole.episodes |= outcome.episodes
    return whole
