"""Routes of accounts and invitations. An administrator looks after the program, not after patients."""

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from dashboards.api.routes import Serving, add
from dashboards.api.rules import Asker, Rule, only
from dashboards.api.shapes import AuditRow, Shape, audit_rows, instant
from dashboards.api.signing_in import Me, Secret, me_of
from ingest.record import accounts
from ingest.record.identity import Role
from poise.errors import RecordRefusedError

_ADMINISTRATOR: Final = only(Role.ADMINISTRATOR)
_EVERYONE: Final = Rule(everyone=True)


class Invited(Shape):
    """An invitation; `secret` goes into the link and is shown this once."""

    id: UUID
    role: Role
    expires: datetime
    secret: str


class Invite(Shape):
    """An invitation of staff; patients are invited from their own record."""

    role: Role


class Acceptance(Shape):
    """Who takes up an invitation."""

    secret: Annotated[str, Field(min_length=1, max_length=200)]
    name: Annotated[str, Field(min_length=1, max_length=200)]
    password: Secret


class HandedOut(Shape):
    """A password to be handed to its owner, shown this once."""

    name: str
    password: str


class Named(Shape):
    """The name of an account."""

    name: Annotated[str, Field(min_length=1, max_length=200)]


class Verified(Shape):
    """What looking through the audit came to; `broken_at` is null if every row is as it was written."""

    rows: int
    broken_at: int | None


def administering_routes(router: APIRouter) -> None:
    """Add the routes to a router."""
    add(router, "GET", "/accounts", _ADMINISTRATOR, list_accounts, answer=list[Me])
    add(router, "DELETE", "/accounts/{account_id}", _ADMINISTRATOR, end_account, status=204)
    add(router, "POST", "/accounts/reset", _ADMINISTRATOR, reset_account, answer=HandedOut)
    add(router, "POST", "/invitations", _ADMINISTRATOR, invite, answer=Invited, status=201)
    add(router, "DELETE", "/invitations/{invitation_id}", _ADMINISTRATOR, withdraw_invitation, status=204)
    add(router, "POST", "/invitations/accept", _EVERYONE, accept_invitation, answer=Me, status=201)
    add(router, "GET", "/audit", _ADMINISTRATOR, read_audit, answer=list[AuditRow])
    add(router, "GET", "/audit/verified", _ADMINISTRATOR, verify_audit, answer=Verified)


def list_accounts(asker: Asker, service: Serving) -> list[Me]:  # noqa: ARG001 - the gate asks for who asks
    """Return all accounts that were not ended."""
    with service.clinic.database.reading() as session:
        return [me_of(identity) for identity in accounts.everybody(session)]


def end_account(asker: Asker, service: Serving, account_id: UUID) -> None:
    """Shut an account for good; what it wrote stays."""
    with service.clinic.database.writing() as session:
        service.clinic.accounts.end(session, asker.who, account_id, asker.now_us)


def reset_account(asker: Asker, service: Serving, account: Named) -> HandedOut:
    """Give an account a password to be handed out; it must be changed at the next sign-in."""
    handed = service.clinic.accounts.reset(asker.who, account.name, asker.now_us)
    return HandedOut(name=handed.name, password=handed.password)


def invite(asker: Asker, service: Serving, wanted: Invite) -> Invited:
    """Invite somebody to make an account: a link that works once and for a week."""
    if wanted.role is Role.PATIENT:
        raise RecordRefusedError("a patient is invited from their record: POST …/patients/…/invitations")
    with service.clinic.database.writing() as session:
        made, secret = service.clinic.invitations.invite(session, asker.who, wanted.role, None, asker.now_us)
    return Invited(id=made.id, role=made.role, expires=instant(made.expires_us), secret=secret)


def withdraw_invitation(asker: Asker, service: Serving, invitation_id: UUID) -> None:
    """Let an invitation end now."""
    with service.clinic.database.writing() as session:
        service.clinic.invitations.withdraw(session, asker.who, invitation_id, asker.now_us)


def accept_invitation(asker: Asker, service: Serving, acceptance: Acceptance) -> Me:
    """Make the account that an invitation is for; then sign in."""
    service.strangers.count(asker.who.origin, asker.now_us)
    identity = service.clinic.invitations.accept(
        acceptance.secret,
        acceptance.name,
        acceptance.password.get_secret_value(),
        asker.who.origin,
        asker.now_us,
    )
    return me_of(identity)


def read_audit(
    asker: Asker,  # noqa: ARG001
    service: Serving,
    before: Annotated[int | None, Field(ge=1, lt=2**63)] = None,
) -> list[AuditRow]:
    """Return what was noted, the newest first; patients and addresses are not named here."""
    with service.clinic.database.reading() as session:
        return audit_rows(service.clinic.audit.of_all(session, before), origins=False)


def verify_audit(asker: Asker, service: Serving) -> Verified:  # noqa: ARG001
    """Look through the whole audit for a row that was changed, taken out or put in."""
    with service.clinic.database.reading() as session:
        verdict = service.clinic.audit.verify(session)
    return Verified(rows=verdict.rows, broken_at=verdict.broken_at)
