"""Tokens by which a program acts for an account: named, with an end, to read or also to write."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid4

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from ingest.record.audit import About, Action, Audit
from ingest.record.database import RecordDatabase
from ingest.record.identity import Identity, Who
from ingest.record.keys import digest, new_secret
from ingest.record.sessions import identity_of
from ingest.record.tables import AccountRow, TokenRow
from poise.errors import AccessError, RecordMissingError, RecordRefusedError

PREFIX: Final = "poise_"
"""So that a token that went astray is known for what it is."""
LONGEST_US: Final = 366 * 24 * 3600 * 1_000_000
"""Project decision: a token is made again once a year."""
_NAME: Final = 100
_NOTED_US: Final = 60_000_000
_READ: Final = "read"
_WRITE: Final = "write"


@dataclass(frozen=True, slots=True)
class Token:
    """A token as its owner sees it; the secret is shown once, when it is made."""

    id: UUID
    name: str
    may_write: bool
    created_us: int
    expires_us: int
    used_us: int | None
    ended_us: int | None


class Tokens:
    """Makes and ends tokens, each with its row in the audit."""

    def __init__(self, database: RecordDatabase, audit: Audit) -> None:
        self._database = database
        self._audit = audit

    def create(
        self, session: Session, owner: Identity, origin: str, name: str, now_us: int, *,
        lasts_us: int, may_write: bool = False,
    ) -> tuple[Token, str]:  # fmt: skip
        """Make a token and return it with its secret, which is kept nowhere.

        Raises:
            RecordRefusedError: if it has no name or lasts too long, or the owner may not make one.
        """
        if not 0 < len(name.strip()) <= _NAME or not name.isprintable():
            raise RecordRefusedError(f"give the token a name of at most {_NAME} characters")
        if not 0 < lasts_us <= LONGEST_US:
            raise RecordRefusedError("a token lasts a year at most")
        if owner.must_change or not owner.may_write:
            raise RecordRefusedError("a token is made by somebody who is signed in and may write")
        secret = PREFIX + new_secret()
        row = TokenRow(
            id=uuid4(), secret_hash=digest(secret), account_id=owner.account_id, name=name.strip(),
            scopes=_WRITE if may_write else _READ, created_us=now_us, expires_us=now_us + lasts_us,
        )  # fmt: skip
        session.add(row)
        session.flush()
        self._audit.note(session, owner.at(origin), Action.CREATED, About("token", row.id.hex), now_us)
        return _token(row), secret

    def recognise(self, secret: str, now_us: int) -> Identity:
        """Return for whom a token acts, and note that it is used.

        Raises:
            AccessError: if it is none, or over.
        """
        with self._database.reading() as session:
            row, account = _look(session, secret, now_us)
        if now_us - (row.used_us or 0) >= _NOTED_US:
            with self._database.writing() as session:
                used = update(TokenRow).where(TokenRow.id == row.id).values(used_us=now_us)
                session.execute(used)
        return identity_of(account, may_write=row.scopes == _WRITE)

    def end(self, session: Session, who: Who, account_id: UUID, token_id: UUID, now_us: int) -> None:
        """End a token of an account.

        Raises:
            RecordMissingError: if the account has no such token.
        """
        row = session.get(TokenRow, token_id)
        if row is None or row.account_id != account_id:
            raise RecordMissingError("there is no such token")
        row.ended_us = row.ended_us or now_us
        self._audit.note(session, who, Action.ENDED, About("token", row.id.hex), now_us)


def of_account(session: Session, account_id: UUID) -> Sequence[Token]:
    """Return an account's tokens, the oldest first, also those that are over."""
    rows = select(TokenRow).where(TokenRow.account_id == account_id)
    return [_token(row) for row in session.scalars(rows.order_by(TokenRow.created_us, TokenRow.id))]


def end_all(session: Session, account_id: UUID, now_us: int) -> None:
    """End all tokens of an account."""
    theirs = update(TokenRow).where(TokenRow.account_id == account_id, TokenRow.ended_us.is_(None))
    session.execute(theirs.values(ended_us=now_us))


def _look(session: Session, secret: str, now_us: int) -> tuple[TokenRow, AccountRow]:
    found = session.execute(
        select(TokenRow, AccountRow)
        .join(AccountRow, AccountRow.id == TokenRow.account_id)
        .where(TokenRow.secret_hash == digest(secret))
    ).one_or_none()
    if found is None:
        raise AccessError("this token is none")
    row, account = found
    if row.ended_us is not None or account.ended_us is not None or now_us >= row.expires_us:
        raise AccessError("this token is over; make a new one")
    if account.must_change:
        raise AccessError("the password of this token's account must be changed first")
    return row, account


def _token(row: TokenRow) -> Token:
    may_write = row.scopes == _WRITE
    return Token(row.id, row.name, may_write, row.created_us, row.expires_us, row.used_us, row.ended_us)
