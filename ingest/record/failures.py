"""Lock-out: after repeated failures to sign in nothing is looked at for a while, by account and by address.

An attempt is counted before the password is looked at, and given back if it was right: so many attempts at
once come no farther than as many one after the other. A name that nobody has is locked like any other.

The numbers are a project decision. NIST SP 800-63-3B (section 5.2.2) allows up to 100 failures in a row; 5 in
a quarter of an hour leave somebody who guesses 480 tries a day. The price: who knows a name can keep its
owner from signing in; who is signed in already stays so.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from ingest.record.database import insert_if_absent
from ingest.record.tables import FailureRow
from poise.errors import AccessLockedError

_MINUTE_US: Final = 60_000_000
_IPV6_OF_ONE: Final = 64
"""Bits that one customer's addresses of IPv6 have in common."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How many failures within what time lock for how long."""

    failures: int
    within_us: int = 15 * _MINUTE_US
    locked_us: int = 15 * _MINUTE_US


ACCOUNT: Final = Limit(5)
ADDRESS: Final = Limit(50)
"""A clinic may come from one address, so this is more than one person mistypes."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What failures are counted for: the keyed hash of a name or an address."""

    subject: str
    limit: Limit


def place(address: str) -> str:
    """Return what counts as one address: of IPv6 the network that one customer has."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped:
            return str(ip.ipv4_mapped)
        return str(ipaddress.ip_network((int(ip), _IPV6_OF_ONE), strict=False))
    return str(ip)


def attempt(session: Session, counted: Sequence[Counted], now_us: int) -> None:
    """Count one attempt as failed; the last one that is allowed locks what comes after it.

    Raises:
        AccessLockedError: if there were too many; nothing is counted then.
    """
    rows = [_row(session, one, now_us) for one in counted]
    until_us = max((row.until_us for row in rows), default=0)
    if until_us > now_us:
        minutes = -(-(until_us - now_us) // _MINUTE_US)
        raise AccessLockedError(f"too many failures; try again in {minutes} min", until_us=until_us)
    for row, one in zip(rows, counted, strict=True):
        if now_us - row.first_us >= one.limit.within_us:
            row.count, row.first_us = 0, now_us
        row.count += 1
        if row.count >= one.limit.failures:
            row.until_us = now_us + one.limit.locked_us
            row.count, row.first_us = 0, row.until_us
    session.flush()


def succeeded(session: Session, account: Counted, others: Sequence[Counted], now_us: int) -> None:
    """Forget an account's failures, and give the attempt back to the others."""
    mine = _row(session, account, now_us)
    mine.count, mine.first_us, mine.until_us = 0, now_us, 0
    for one in others:
        row = _row(session, one, now_us)
        if row.until_us > now_us and row.count == 0:  # this very attempt was the last one allowed
            row.until_us, row.count, row.first_us = 0, one.limit.failures, now_us
        row.count = max(0, row.count - 1)


def forget(session: Session, subjects: Sequence[str]) -> None:
    """Forget the failures of names that are erased."""
    session.execute(delete(FailureRow).where(FailureRow.subject.in_(subjects)))


def sweep(session: Session, now_us: int) -> None:
    """Forget what no longer counts."""
    longest_us = max(ACCOUNT.within_us, ADDRESS.within_us)
    old = delete(FailureRow).where(FailureRow.until_us <= now_us, FailureRow.first_us <= now_us - longest_us)
    session.execute(old)


def _row(session: Session, one: Counted, now_us: int) -> FailureRow:
    values = {"subject": one.subject, "count": 0, "first_us": now_us, "until_us": 0}
    rows = select(FailureRow).where(FailureRow.subject == one.subject).with_for_update()
    while True:
        insert_if_absent(session, FailureRow, values)
        row = session.scalars(rows.execution_options(populate_existing=True)).one_or_none()
        if row is not None:  # else another transaction has just deleted it
            return row
