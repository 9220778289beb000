"""Check-ins at 2, 24, 48 and 72 hours and on day 7: what is due, open, answered or missed.

That soreness peaks within 24 to 48 hours and that signs show in the first days is the document's; the five
times and how long each may be answered are project decisions.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from analytics.care.prompts import check_in_due, delivered
from poise.care.first_days import CheckIn, Which
from poise.care.injections import Injection
from poise.care.plans import QuietHours

OPEN_H: Final = {
    Which.HOURS_2: 14,
    Which.HOURS_24: 16,
    Which.HOURS_48: 16,
    Which.HOURS_72: 24,
    Which.DAY_7: 48,
}
"""Hours from due until missed; each closes before the next is due. Project decision."""
LEAST_OPEN_H: Final = 4
"""So long a check-in is open at least after it was delivered, however long quiet hours held it back."""
SILENT: Final = 2
"""As many missed in a row ask the team to call. Project decision."""


class State(StrEnum):
    """How it stands with a check-in."""

    AHEAD = "ahead"
    """Not yet delivered."""
    OPEN = "open"
    ANSWERED = "answered"
    LATE = "late"
    """Answered after it had closed."""
    MISSED = "missed"


@dataclass(frozen=True, slots=True)
class Asked:
    """One check-in of an injection.

    Attributes:
        which: its label.
        due: when it is due.
        opens: when it is delivered, after quiet hours.
        closes: from when on it counts as missed; it can still be answered.
        state: as of now.
        answer: the last answer to it, None if there is none.
    """

    which: Which
    due: datetime
    opens: datetime
    closes: datetime
    state: State
    answer: CheckIn | None = None


def asked(
    now: datetime,
    key: UUID,
    injection: Injection,
    answers: Iterable[CheckIn],
    quiet: tuple[QuietHours, ...],
    zone: ZoneInfo,
) -> tuple[Asked, ...]:
    """Return how it stands with each check-in of an injection.

    Args:
        now: answers and times after it are passed over.
        key: the injection's entry.
        injection: what it says.
        answers: the patient's check-ins; those about other injections are passed over.
        quiet: the plan's quiet hours.
        zone: the patient's.
    """
    about = [answer for answer in answers if answer.injection == key and answer.at <= now]
    return tuple(_one(now, which, injection, about, quiet, zone) for which in Which)


def _one(
    now: datetime,
    which: Which,
    injection: Injection,
    about: list[CheckIn],
    quiet: tuple[QuietHours, ...],
    zone: ZoneInfo,
) -> Asked:
    due = check_in_due(injection, which, zone)
    opens = delivered(due, quiet, zone)
    closes = max(due + timedelta(hours=OPEN_H[which]), opens + timedelta(hours=LEAST_OPEN_H))
    given = sorted((answer for answer in about if answer.which is which), key=lambda answer: answer.at)
    if given:
        state = State.ANSWERED if given[0].at < closes else State.LATE
    elif now < opens:
        state = State.AHEAD
    else:
        state = State.OPEN if now < closes else State.MISSED
    return Asked(which, due, opens, closes, state, given[-1] if given else None)


def silent(row: Iterable[Asked]) -> bool:
    """Return whether so many of the last check-ins that have closed were missed that somebody should call."""
    closed = [one for one in row if one.state not in (State.AHEAD, State.OPEN)]
    last = sorted(closed, key=lambda one: one.due)[-SILENT:]
    return len(last) == SILENT and all(one.state is State.MISSED for one in last)
