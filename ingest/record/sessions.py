"""Who is signed in. A session's secret is random, so its SHA-256 is kept and nothing slower is needed.

How long one lasts are times of NIST SP 800-63-3B: for those who see many patients those of level 2 (section
4.2.3: 12 hours, and half an hour without use), without its second factor; for patients, who see their own,
those of level 1 (section 4.1.3: 30 days). A week without use is a project decision.
"""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.orm import Session

from ingest.record.database import RecordDatabase
from ingest.record.identity import Identity, Role
from ingest.record.keys import digest, new_secret
from ingest.record.tables import AccountRow, SessionRow
from poise.errors import AccessError

_MINUTE_US: Final = 60_000_000
_DAY_US: Final = 24 * 60 * _MINUTE_US
_NOTED_US: Final = _MINUTE_US
"""A use is noted when the last one that was noted is older than this, so that not every request writes."""
_KEPT_US: Final = 30 * _DAY_US


@dataclass(frozen=True, slots=True)
class Lasting:
    """How long a session lasts without use, and at the longest."""

    idle_us: int
    longest_us: int


OF_PATIENTS: Final = Lasting(7 * _DAY_US, 30 * _DAY_US)
OF_STAFF: Final = Lasting(30 * _MINUTE_US, 12 * 60 * _MINUTE_US)


def lasting(role: Role) -> Lasting:
    """Return how long sessions of a role last."""
    return OF_PATIENTS if role is Role.PATIENT else OF_STAFF


def begin(session: Session, account: AccountRow, now_us: int) -> str:
    """Begin a session and return its secret, which is kept nowhere."""
    secret = new_secret()
    expires_us = now_us + lasting(Role(account.role)).longest_us
    session.add(
        SessionRow(
            secret_hash=digest(secret), account_id=account.id, created_us=now_us, used_us=now_us,
            expires_us=expires_us,
        )
    )  # fmt: skip
    return secret


def recognise(database: RecordDatabase, secret: str, now_us: int) -> Identity:
    """Return whose session it is, and note that it is used.

    Raises:
        AccessError: if it is none, or over.
    """
    with database.reading() as session:
        identity, used_us = _look(session, secret, now_us)
    if now_us - used_us >= _NOTED_US:
        with database.writing() as session:
            row = SessionRow.secret_hash == digest(secret)
            session.execute(update(SessionRow).where(row).values(used_us=now_us))
    return identity


def end(session: Session, secret: str, now_us: int) -> None:
    """Sign out; again it changes nothing."""
    _end(session, SessionRow.secret_hash == digest(secret), now_us)


def end_all(session: Session, account_id: UUID, now_us: int, but: str = "") -> None:
    """Sign an account out everywhere, but for one secret."""
    theirs = (SessionRow.account_id == account_id) & (SessionRow.secret_hash != digest(but))
    _end(session, theirs, now_us)


def sweep(session: Session, now_us: int) -> None:
    """Delete what has been over for a month."""
    session.execute(delete(SessionRow).where(SessionRow.expires_us < now_us - _KEPT_US))


def identity_of(account: AccountRow, *, may_write: bool = True) -> Identity:
    """Return an account as others may know it."""
    return Identity(
        account.id, account.name, Role(account.role), account.patient_id, account.must_change, may_write
    )


def _look(session: Session, secret: str, now_us: int) -> tuple[Identity, int]:
    found = session.execute(
        select(SessionRow, AccountRow)
        .join(AccountRow, AccountRow.id == SessionRow.account_id)
        .where(SessionRow.secret_hash == digest(secret))
    ).one_or_none()
    if found is None:
        raise AccessError("sign in first")
    row, account = found
    ended = row.ended_us is not None or account.ended_us is not None
    idle = now_us - row.used_us >= lasting(Role(account.role)).idle_us
    if ended or idle or now_us >= row.expires_us:
        raise AccessError("this session is over; sign in again")
    return identity_of(account), row.used_us


def _end(session: Session, which: ColumnElement[bool], now_us: int) -> None:
    session.execute(update(SessionRow).where(which, SessionRow.ended_us.is_(None)).values(ended_us=now_us))
