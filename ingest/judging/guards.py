"""What is looked at before a message is judged: is it new, of one gateway, and of a clock that can be?"""

from typing import Final

from ingest.database.journal import Journal
from ingest.database.sqlite import Connection
from poise.errors import WireError
from poise.samples import SampleMessage
from poise.topics import LONGEST_S, Wearer
from poise.wire import decode_samples

REFUSED: Final = "refused"
"""Counter of messages that were more than may wait of a wearer."""
SECOND_GATEWAY: Final = "second gateway"
"""Counter of messages that were stored and not judged, since another gateway's of that time are."""
CLOCK_OFF: Final = "clock far off"
"""Counter of messages of worn sensors whose times cannot be."""
TWO_GATEWAYS: Final = (
    "Two gateways send for this wearer at the same time. "
    "Only the samples of one are judged: end the other one."
)

AT_WORK_US: Final = LONGEST_S * 2_500_000
"""A gateway that was heard of within this is at work: two and a half long messages (project decision)."""
_OVERLAP_US: Final = 400_000
"""Of two messages, beyond which they are not one gateway's before and after a restart (project decision):
a restart takes longer than that, and of two gateways' seconds one overlaps the other by half or more."""
_LONGEST_US: Final = (LONGEST_S + 1) * 1_000_000
_AHEAD_US: Final = 86_400_000_000
_BEHIND_US: Final = 31 * 86_400_000_000
"""No spool lasts as long (project decision)."""


class TwoGateways:
    """The wearers for whom two gateways were at work lately."""

    def __init__(self) -> None:
        self._heard_us: dict[Wearer, int] = {}

    def hear(self, wearer: Wearer, now_us: int) -> None:
        """Note that it is so now."""
        self._heard_us[wearer] = now_us

    def advice(self, wearer: Wearer, now_us: int) -> list[str]:
        """Return what the wearer should be told of it."""
        heard_us = self._heard_us.get(wearer)
        return [] if heard_us is None or now_us - heard_us >= AT_WORK_US else [TWO_GATEWAYS]


def must_be_same(
    c: Connection, journal: Journal, wearer: Wearer, message: SampleMessage, payload: bytes
) -> None:
    """Look whether what came again is what came before; a gateway may only have raised its floor.

    Raises:
        WireError: if it is something else under the same number.
    """
    stored = journal.raw_of(c, wearer, message.session, message.sequence)
    if stored is None or stored == payload:
        return
    before = decode_samples(stored)
    if (before.batches, before.gaps, before.origin) != (message.batches, message.gaps, message.origin):
        raise WireError(
            f"session {message.session!r} has sent something else as number {message.sequence} before; a "
            "gateway needs a new session at each start",
            reason="replayed",
        )


def is_at_work(c: Connection, journal: Journal, wearer: Wearer, session: str, now_us: int) -> bool:
    """Return whether something of a gateway session came lately."""
    return journal.heard_us(c, wearer, session) >= now_us - AT_WORK_US


def is_beside(
    c: Connection,
    journal: Journal,
    wearer: Wearer,
    message: SampleMessage,
    judged: str,
    now_us: int,
    *,
    fills: bool = False,
) -> bool:
    """Return whether a message is a second gateway's, of a time of which another's samples are judged.

    Of now it is so only while the other one is at work, or nobody would take over from one whose clock was
    ahead. What is older is a backlog: judged beside the other's, its time would count twice.

    It depends on what is stored and on the time only, so that a restart changes nothing.

    Args:
        c: the transaction.
        journal: what is stored.
        wearer: whose message it is.
        message: it.
        judged: the session whose samples are judged live, "" before the first.
        now_us: UTC µs.
        fills: it lies behind what is judged, and not because its clock was set back.
    """
    first_us, last_us = message.first_us, last_of(message)
    old = last_us < now_us - AT_WORK_US
    mine = message.session == judged and not (old and fills)
    if mine or not judged or first_us is None or message.origin == "replayed":
        return False
    other = message.session != judged and is_at_work(c, journal, wearer, judged, now_us)
    if other and journal.was_beside(c, wearer, message):
        return True
    found = journal.judged_before(
        c, wearer, message.session, max(0, first_us - _LONGEST_US), last_us - _OVERLAP_US
    )
    if found is None or not (old or is_at_work(c, journal, wearer, found[0], now_us)):
        return False
    return last_of(decode_samples(found[1])) > first_us + _OVERLAP_US


def is_clock_off(message: SampleMessage, now_us: int) -> bool:
    """Return whether the times of worn sensors are a day ahead of ours or a month behind."""
    if message.origin != "worn" or not message.batches:
        return False
    return not now_us - _BEHIND_US < last_of(message) <= now_us + _AHEAD_US


def last_of(message: SampleMessage) -> int:
    """Return UTC µs of a message's newest sample, 0 without any."""
    return max((int(batch.t_us[-1]) for batch in message.batches), default=0)
