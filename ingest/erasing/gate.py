"""Stands before the intake: nothing is taken of who was erased or has withdrawn, and it is said so.

What comes of them is dropped, read only for its number, and counted without a name. The gateway is told that
it need not keep it (`stored` with a reason), and, as often as it is heard, what it has to do: so an order
waits here, by its hash, for a gateway that was away.
"""

import secrets
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

from ingest.database.journal import Journal
from ingest.database.sqlite import Database
from ingest.erasing.carrying import Carrying
from ingest.erasing.register import Note, Order, Register, Standing
from ingest.judging.intake import Intake
from ingest.judging.outcome import IntakeCounts, Outcome, Session
from ingest.mqtt.commanding import outgoing
from ingest.mqtt.inbox import wearer_in
from ingest.mqtt.settings import Outgoing, Received
from ingest.results.store import key, wearer_of
from poise import notices
from poise.errors import WireError
from poise.notices import Command, Presence, Stored, Verb
from poise.topics import Leaf, parse
from poise.wire import decode_samples

GATEWAY: Final = "gateway"
"""The place at which a gateway's word is noted."""
ENDED: Final = {Standing.ERASED: "erased", Standing.WITHDRAWN: "stopped"}
"""What a gateway's presence says once it has done what it was told."""
VERBS: Final = {Standing.ERASED: Verb.ERASE, Standing.WITHDRAWN: Verb.STOP, Standing.RESUMED: Verb.RESUME}
GOOD_FOR_US: Final = 60_000_000
"""How long a command may be on its way; it is given again as often as the gateway is heard."""
_TELL_EVERY_US: Final = 10_000_000
_MOST_SESSIONS: Final = 10_000


class Gate:
    """The intake of a worker, and the list; synchronous, in the worker's one thread.

    Args:
        intake: takes what is let in.
        register: the list.
        database: the writing connection.
        journal: keeps the counters.
        clock: UTC µs.
    """

    def __init__(
        self,
        intake: Intake,
        register: Register,
        database: Database,
        journal: Journal,
        clock: Callable[[], int],
    ) -> None:
        self._intake, self._register, self._database = intake, register, database
        self._journal, self._clock = journal, clock
        self._carrying = Carrying(database, register, clock, intake.forget)
        self._orders: dict[str, Order | None] = {}
        self._dropped: OrderedDict[Session, int] = OrderedDict()
        self._told_us: dict[str, int] = {}

    def look(self) -> None:
        """Take the list up if it has changed, and erase who is on it.

        Raises:
            StoreUnavailableError: if the disk refuses now.
        """
        changed = self._register.refresh()
        if changed:
            self._orders.clear()
            self._told_us.clear()
        self._carrying.look(changed=changed)

    def take(self, messages: Sequence[Received]) -> Outcome:
        """Let in what may be let in; see `Intake.take`."""
        if not self._register:
            return self._intake.take(messages)
        names = [wearer_in(message.topic) for message in messages]
        orders = [self._order(name) for name in names]
        let_in = [m for m, order in zip(messages, orders, strict=True) if not _refuses(order, m)]
        outcome = self._intake.take(let_in) if let_in else Outcome()
        refused = Counter[str]()
        for message, name, order in zip(messages, names, orders, strict=True):
            if order is not None:
                refused += self._answer(message, name, order, outcome)
        self._count(refused, outcome)
        return outcome

    def all_confirmed(self, sessions: Collection[Session]) -> dict[Session, Stored]:
        """Return what may be said of sessions; of who is not let in, that all that came need not be kept."""
        said, asked = {}, []
        for session in sessions:
            reason = self._register.reason(key(session[0])) if session in self._dropped else ""
            if reason:
                upto = self._dropped[session]
                said[session] = Stored(session=session[1], through=upto, highest=upto, refused=reason)
            else:
                asked.append(session)
        return {**said, **self._intake.all_confirmed(asked)}

    def count_refused(self, refused: Mapping[str, int]) -> None:
        """See `Intake.count_refused`; who was erased is counted without a name."""
        counts = Counter[str]()
        for name, number in refused.items():
            counts["" if self._register.is_erased(name) else name] += number
        self._intake.count_refused(counts)

    def _order(self, name: str) -> Order | None:
        if name not in self._orders:
            if len(self._orders) >= _MOST_SESSIONS:
                self._orders.clear()
            self._orders[name] = self._register.order(name)
        return self._orders[name]

    def _count(self, refused: Counter[str], outcome: Outcome) -> None:
        if not refused:
            return
        counts = IntakeCounts(erased=refused[Standing.ERASED], withdrawn=refused[Standing.WITHDRAWN])
        with self._database.transaction() as c:
            for reason, number in refused.items():
                self._journal.count(c, "", f"refused: {reason}", number)
        self._intake.counts.add(counts)
        outcome.counts.add(counts)

    def _answer(self, message: Received, name: str, order: Order, outcome: Outcome) -> Counter[str]:
        """Say what is to be said to a message; return for what reason it was refused, if it was."""
        try:
            address = parse(message.topic)
            if not message.payload:
                return Counter()  # somebody has emptied a retained topic
            if address.leaf is Leaf.PRESENCE and self._heard(message.payload, name, order):
                return Counter()
            self._tell(message, address.leaf, name, order, outcome)
            if address.leaf is Leaf.SAMPLES and order.what is not Standing.RESUMED:
                self._drop(message, name, outcome)
        except WireError:
            pass  # not understood, and not kept for that
        return Counter([str(order.what)]) if _refuses(order, message) else Counter()

    def _heard(self, payload: bytes, name: str, order: Order) -> bool:
        """Note that a gateway has done what it was told, if that is what its presence says."""
        state = notices.decode(payload, Presence).state
        if state != ENDED.get(order.what):
            return False
        note = Note(asked_us=order.asked_us, at_us=self._clock())
        self._register.note(self._register.person(name), GATEWAY, note)
        return True

    def _tell(self, message: Received, leaf: Leaf, name: str, order: Order, outcome: Outcome) -> None:
        """Give the order again to a gateway that does otherwise, but not with each of its messages."""
        resumed = order.what is Standing.RESUMED
        if resumed and not (leaf is Leaf.PRESENCE and _state(message) == ENDED[Standing.WITHDRAWN]):
            return
        now_us = self._clock()
        if abs(now_us - self._told_us.get(name, -_TELL_EVERY_US)) >= _TELL_EVERY_US:
            self._told_us[name] = now_us
            outcome.answers.append(command(name, order, now_us))

    def _drop(self, message: Received, name: str, outcome: Outcome) -> None:
        samples = decode_samples(message.payload)
        session = (wearer_of(name), samples.session)
        self._dropped[session] = max(samples.sequence, self._dropped.get(session, -1))
        self._dropped.move_to_end(session)
        if len(self._dropped) > _MOST_SESSIONS:
            self._dropped.popitem(last=False)
        outcome.sessions.add(session)


def command(name: str, order: Order, now_us: int) -> Outgoing:
    """Return what tells a wearer's gateway of an order."""
    said = Command(id=secrets.token_hex(8), verb=VERBS[order.what], expires_us=now_us + GOOD_FOR_US)
    return outgoing(wearer_of(name), said, now_us)


def _refuses(order: Order | None, message: Received) -> bool:
    """Return whether a message is not let in: of who has withdrawn, only whether the gateway is there is."""
    if order is None or order.what is Standing.RESUMED:
        return False
    return order.what is Standing.ERASED or not message.topic.endswith(f"/{Leaf.PRESENCE}")


def _state(message: Received) -> str:
    return notices.decode(message.payload, Presence).state
