"""What is looked at before a message is judged: is it new, of one gateway, and of a clock that can be?"""

from typing import Final

from ingest.database.journal import Journal
from ingest.database.sqlite import Connection
from poise.errors import WireError
from poise.samples import SampleMessage
from poise.topics import Wearer
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

AT_WORK_US: Final = 90_000_000
"""A gateway that was heard of within this is at work: three of the longest messages (project decision)."""
_OVERLAP_US: Final = 400_000
"""Of two messages, beyond which they are not one gateway's before and after a restart (project decision):
a restart takes longer than that, and of two gateways' seconds one overlaps the other by half or more."""
_LONGEST_US: Final = 31_000_000
_AHEAD_US: Final = 86_400_000_000
_BEHIND_US: Final = 31 * 86_400_000_000
"""No spool lasts as long (project decision)."""


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


def is_beside(
    c: Connection, journal: Journal, wearer: Wearer, message: SampleMessage, judged: str, now_us: int
) -> bool:
    """Return whether a message is a second gateway's, of a time of which another's samples are judged.

    It depends on what is stored and on the time only, so that a restart changes nothing.

    Args:
        c: the transaction.
        journal: what is stored.
        wearer: whose message it is.
        message: it.
        judged: the session whose samples are judged live, "" before the first.
        now_us: UTC µs.
    """
    first_us = message.first_us
    if message.session == judged or not judged or first_us is None or message.origin == "replayed":
        return False
    since_us = now_us - AT_WORK_US
    if journal.heard_us(c, wearer, judged) >= since_us and journal.was_beside(c, wearer, message):
        return True
    last_us = last_of(message)
    found = journal.judged_before(
        c, wearer, message.session, max(0, first_us - _LONGEST_US), last_us - _OVERLAP_US
    )
    if found is None or journal.heard_us(c, wearer, found[0]) < since_us:
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
