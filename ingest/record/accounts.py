"""Accounts: made, signed in to, their passwords changed and reset, and ended.

Who signs in has their password looked at outside of transactions: that takes tens of milliseconds, in which
others may write. What was read before is therefore looked at once more afterwards.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid4

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ingest.record import failures, sessions, tokens
from ingest.record.audit import About, Action, Audit
from ingest.record.database import RecordDatabase, unique_or
from ingest.record.failures import Counted
from ingest.record.identity import BY_HAND, NOBODY, Identity, Role, Who
from ingest.record.passwords import Passwords, one_time, refuse_weak
from ingest.record.tables import AccountRow
from poise.errors import AccessError, RecordConflictError, RecordMissingError, RecordRefusedError

FIRST: Final = "admin"
ONE_TIME_LASTS_US: Final = 7 * 24 * 3600 * 1_000_000
"""A password that was handed out must be changed within a week: project decision. The first administrator's
has no end, for nobody else could give them another."""
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{1,63}")
_WRONG: Final = "the name or the password is not right"


@dataclass(frozen=True, slots=True)
class HandedOut:
    """An account and the password to be handed to its owner; it is shown once."""

    name: str
    password: str


@dataclass(frozen=True, slots=True)
class _Seen:
    """What was read of an account before its password was looked at."""

    id: UUID
    password: str


class Accounts:
    """All that happens to accounts, each with its row in the audit."""

    def __init__(self, database: RecordDatabase, audit: Audit, passwords: Passwords) -> None:
        self._database = database
        self._audit = audit
        self._passwords = passwords

    def begin(self, now_us: int) -> HandedOut | None:
        """Make the first administrator; None if there is an account already, or another program makes it."""
        with self._database.reading() as session:
            if session.scalar(select(func.count()).select_from(AccountRow)):
                return None
        try:
            with self._database.writing() as session:
                handed = self.create(session, BY_HAND, FIRST, Role.ADMINISTRATOR, now_us)
                _by_name(session, FIRST).one_time_until_us = None
        except RecordConflictError:
            return None
        return handed

    def create(
        self, session: Session, who: Who, name: str, role: Role, now_us: int, patient_id: UUID | None = None
    ) -> HandedOut:
        """Make an account with a password to be handed out.

        Raises:
            RecordConflictError: if the name is taken.
            RecordRefusedError: if the name cannot be one, or the role and the patient do not fit.
        """
        handed = HandedOut(name, one_time())
        row = new_account(session, name, role, self._passwords.hash(handed.password), now_us, patient_id)
        row.must_change, row.one_time_until_us = True, now_us + ONE_TIME_LASTS_US
        session.flush()
        self._audit.note(session, who, Action.CREATED, about(row), now_us)
        return handed

    def sign_in(self, name: str, password: str, origin: str, now_us: int) -> tuple[Identity, str]:
        """Sign somebody in.

        Args:
            name: what was typed.
            password: what was typed.
            origin: the network address; "" on the machine itself.
            now_us: UTC µs.

        Returns:
            who it is, and the secret of the session.

        Raises:
            AccessLockedError: if there were too many failures.
            AccessError: if the name or the password is not right; it does not say which.
        """
        with self._database.writing() as session:
            failures.attempt(session, self._counted(name, origin), now_us)
            seen = _seen(session, name)
        right = self._passwords.matches(seen.password if seen else None, password)
        with self._database.writing() as session:
            account = self._judged(session, seen, origin, now_us, right=right)
            if account is not None:
                return self._admitted(session, account, password, origin, now_us)
        raise AccessError(_WRONG)

    def change_password(
        self, identity: Identity, old: str, new: str, origin: str, now_us: int, keep: str = ""
    ) -> None:
        """Change a password, and sign the account out everywhere but in the session `keep`.

        Raises:
            RecordRefusedError: if the new one is weak, or the old one again.
            AccessLockedError: if there were too many failures.
            AccessError: if the old one is not right.
        """
        refuse_weak(new, identity.name)
        if new == old:
            raise RecordRefusedError("this is the password that you have; choose another one")
        with self._database.writing() as session:
            failures.attempt(session, self._counted(identity.name, origin), now_us)
            seen = _seen(session, identity.name)
        right = self._passwords.matches(seen.password if seen else None, old)
        kept = self._passwords.hash(new) if right else ""
        with self._database.writing() as session:
            account = self._judged(session, seen, origin, now_us, right=right)
            if account is not None:
                self._forgive(session, account, origin, now_us)
                account.password, account.must_change, account.one_time_until_us = kept, False, None
                sessions.end_all(session, account.id, now_us, but=keep)
                who = Who(account.id.hex, origin)
                self._audit.note(session, who, Action.PASSWORD_CHANGED, about(account), now_us)
                return
        raise AccessError("the old password is not right")

    def reset(self, who: Who, name: str, now_us: int) -> HandedOut:
        """Give an account a password to be handed out, and end all its sessions, tokens and failures.

        Raises:
            RecordMissingError: if there is no such account.
        """
        handed = one_time()
        kept = self._passwords.hash(handed)
        with self._database.writing() as session:
            account = _by_name(session, name)
            account.password, account.must_change = kept, True
            account.one_time_until_us = now_us + ONE_TIME_LASTS_US
            sessions.end_all(session, account.id, now_us)
            tokens.end_all(session, account.id, now_us)
            failures.forget(session, [self.name_key(account.name)])
            self._audit.note(session, who, Action.PASSWORD_RESET, about(account), now_us)
            return HandedOut(account.name, handed)

    def sign_out(self, identity: Identity, secret: str, origin: str, now_us: int) -> None:
        """End one session."""
        with self._database.writing() as session:
            sessions.end(session, secret, now_us)
            subject = About("account", identity.account_id.hex)
            self._audit.note(session, identity.at(origin), Action.SIGNED_OUT, subject, now_us)

    def end(self, session: Session, who: Who, account_id: UUID, now_us: int) -> None:
        """Shut an account for good, with its sessions and tokens; what it wrote keeps its id.

        Raises:
            RecordMissingError: if there is no such account.
            RecordRefusedError: if it is the last administrator's.
        """
        administrators = session.scalars(
            select(AccountRow)
            .where(AccountRow.role == Role.ADMINISTRATOR.value, AccountRow.ended_us.is_(None))
            .order_by(AccountRow.id)
            .with_for_update()
        ).all()
        if [row.id for row in administrators] == [account_id]:
            raise RecordRefusedError("this is the only administrator; make another one first")
        account = session.get(AccountRow, account_id)
        if account is None or account.ended_us is not None:
            raise RecordMissingError("there is no such account")
        account.ended_us = now_us
        sessions.end_all(session, account_id, now_us)
        tokens.end_all(session, account_id, now_us)
        self._audit.note(session, who, Action.ENDED, about(account), now_us)

    def name_key(self, name: str) -> str:
        """Return the keyed hash under which failures of a name are counted."""
        return self._audit.hashed("account", name.casefold())

    def sweep(self, now_us: int) -> None:
        """Delete sessions and failures that have long been over; to be called once a day."""
        with self._database.writing() as session:
            sessions.sweep(session, now_us)
            failures.sweep(session, now_us)

    def _counted(self, name: str, origin: str) -> list[Counted]:
        """Return what failures are counted for, the account first."""
        counted = [Counted(self.name_key(name), failures.ACCOUNT)]
        if origin:
            where = self._audit.hashed("address", failures.place(origin))
            counted.append(Counted(where, failures.ADDRESS))
        return counted

    def _judged(
        self, session: Session, seen: _Seen | None, origin: str, now_us: int, *, right: bool
    ) -> AccountRow | None:
        """Return the account if the password was right and nothing changed since; else note the failure."""
        account = session.get(AccountRow, seen.id, with_for_update=True) if seen else None
        if account and seen and right and _still(account, seen, now_us):
            return account
        who = Who(account.id.hex if account else NOBODY, origin)
        subject = about(account) if account else About("account")
        self._audit.note(session, who, Action.SIGN_IN_FAILED, subject, now_us)
        return None

    def _admitted(
        self, session: Session, account: AccountRow, password: str, origin: str, now_us: int
    ) -> tuple[Identity, str]:
        self._forgive(session, account, origin, now_us)
        if self._passwords.outdated(account.password):
            account.password = self._passwords.hash(password)
        secret = sessions.begin(session, account, now_us)
        who = Who(account.id.hex, origin)
        self._audit.note(session, who, Action.SIGNED_IN, about(account), now_us)
        return sessions.identity_of(account), secret

    def _forgive(self, session: Session, account: AccountRow, origin: str, now_us: int) -> None:
        mine, *others = self._counted(account.name, origin)
        failures.succeeded(session, mine, others, now_us)


def new_account(
    session: Session, name: str, role: Role, password: str, now_us: int, patient_id: UUID | None
) -> AccountRow:
    """Add an account; its row in the audit is the caller's.

    Raises:
        RecordConflictError: if the name is taken.
        RecordRefusedError: if the name cannot be one, or the role and the patient do not fit.
    """
    refuse_name(name)
    if (role is Role.PATIENT) != (patient_id is not None):
        raise RecordRefusedError("an account of a patient belongs to one patient, and no other account does")
    row = AccountRow(
        id=uuid4(), name=name, name_key=name.casefold(), role=role.value, patient_id=patient_id,
        password=password, must_change=False, created_us=now_us,
    )  # fmt: skip
    with unique_or(session, RecordConflictError(f"there is an account called {name} already")):
        session.add(row)
    return row


def refuse_name(name: str) -> None:
    """Refuse what cannot be the name of an account.

    Raises:
        RecordRefusedError: with what a name looks like.
    """
    if not _NAME.fullmatch(name):
        raise RecordRefusedError(
            "a name has 2 to 64 letters, digits or . _ @ + -, the first a letter or digit"
        )


def about(account: AccountRow) -> About:
    """Return an account as the audit names it."""
    return About("account", account.id.hex)


def everybody(session: Session) -> Sequence[Identity]:
    """Return all accounts that were not ended, by name."""
    rows = select(AccountRow).where(AccountRow.ended_us.is_(None)).order_by(AccountRow.name_key)
    return [sessions.identity_of(row) for row in session.scalars(rows)]


def _seen(session: Session, name: str) -> _Seen | None:
    try:
        row = _by_name(session, name)
    except RecordMissingError:
        return None
    return _Seen(row.id, row.password)


def _still(account: AccountRow, seen: _Seen, now_us: int) -> bool:
    """Whether an account can be used with the password that was read of it."""
    over = account.one_time_until_us is not None and now_us >= account.one_time_until_us
    return account.ended_us is None and account.password == seen.password and not over


def _by_name(session: Session, name: str) -> AccountRow:
    """Return the account that may be signed in to under a name."""
    row = None
    if _NAME.fullmatch(name):
        mine = select(AccountRow).where(AccountRow.name_key == name.casefold())
        row = session.scalars(mine.where(AccountRow.ended_us.is_(None))).one_or_none()
    if row is None:
        raise RecordMissingError(f"there is no account called {name}")
    return row
