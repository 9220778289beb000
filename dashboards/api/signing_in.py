"""Routes about the one who asks: signing in and out, the password, tokens for programs."""

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import Field, SecretStr

from dashboards.api.routes import Serving, add
from dashboards.api.rules import ANYBODY, Asker, Rule
from dashboards.api.service import COOKIE
from dashboards.api.shapes import Shape, instant
from ingest.record import tokens
from ingest.record.identity import Identity, Role
from ingest.record.sessions import lasting
from ingest.record.tokens import Token
from poise.care.entry import Line

_EVERYONE: Final = Rule(everyone=True)
_HANDED_OUT: Final = Rule(ANYBODY.roles, handed_out=True)
_DAY_US: Final = 86_400_000_000
Secret = Annotated[SecretStr, Field(min_length=1, max_length=1000)]


class SignIn(Shape):
    """Who wants to sign in."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    password: Secret


class Me(Shape):
    """Who asks.

    Attributes:
        patient: of an account of a patient: its id.
        must_change: the password was handed out and must be changed first.
        may_write: whether this session or token may change anything.
    """

    id: UUID
    name: str
    role: Role
    patient: UUID | None
    must_change: bool
    may_write: bool


class PasswordChange(Shape):
    """An old password and a new one."""

    old: Secret
    new: Secret


class NewToken(Shape):
    """A token for a program.

    Attributes:
        days: how long it lasts.
        may_write: otherwise it only reads.
    """

    name: Line
    days: Annotated[int, Field(ge=1, le=366)] = 90
    may_write: bool = False


class TokenShown(Shape):
    """A token as its owner sees it; `secret` only when it was just made."""

    id: UUID
    name: str
    may_write: bool
    created: datetime
    expires: datetime
    used: datetime | None
    ended: datetime | None
    secret: str = ""


def me_of(identity: Identity) -> Me:
    """Return who somebody is."""
    return Me(
        id=identity.account_id,
        name=identity.name,
        role=identity.role,
        patient=identity.patient_id,
        must_change=identity.must_change,
        may_write=identity.may_write,
    )


def signing_in_routes(router: APIRouter) -> None:
    """Add the routes to a router."""
    add(router, "POST", "/session", _EVERYONE, sign_in, answer=Me)
    add(router, "GET", "/session", _HANDED_OUT, who_am_i, answer=Me)
    add(router, "DELETE", "/session", _HANDED_OUT, sign_out, status=204)
    add(router, "POST", "/password", _HANDED_OUT, change_password, status=204)
    add(router, "GET", "/tokens", ANYBODY, list_tokens, answer=list[TokenShown])
    add(router, "POST", "/tokens", ANYBODY, make_token, answer=TokenShown, status=201)
    add(router, "DELETE", "/tokens/{token_id}", ANYBODY, end_token, status=204)


def sign_in(asker: Asker, service: Serving, who: SignIn, response: Response) -> Me:
    """Sign in; the answer sets a cookie. Too many failures lock the account and the address for a while."""
    service.strangers.count(asker.who.origin, asker.now_us)
    identity, secret = service.clinic.accounts.sign_in(
        who.name, who.password.get_secret_value(), asker.who.origin, asker.now_us
    )
    response.set_cookie(
        COOKIE,
        secret,
        max_age=lasting(identity.role).longest_us // 1_000_000,
        httponly=True,
        secure=service.secure,
        samesite="strict",
        path="/api/",
    )
    return me_of(identity)


def who_am_i(asker: Asker) -> Me:
    """Return who is signed in."""
    return me_of(asker.known)


def sign_out(asker: Asker, service: Serving, request: Request, response: Response) -> None:
    """End this session."""
    secret = request.cookies.get(COOKIE, "")
    service.clinic.accounts.sign_out(asker.known, secret, asker.who.origin, asker.now_us)
    response.delete_cookie(COOKIE, path="/api/")


def change_password(asker: Asker, service: Serving, change: PasswordChange, request: Request) -> None:
    """Change the password; all other sessions of the account end."""
    service.clinic.accounts.change_password(
        asker.known,
        change.old.get_secret_value(),
        change.new.get_secret_value(),
        asker.who.origin,
        asker.now_us,
        request.cookies.get(COOKIE, ""),
    )


def list_tokens(asker: Asker, service: Serving) -> list[TokenShown]:
    """Return the tokens of the account that asks, also those that are over."""
    with service.clinic.database.reading() as session:
        return [_shown(token) for token in tokens.of_account(session, asker.known.account_id)]


def make_token(asker: Asker, service: Serving, wanted: NewToken) -> TokenShown:
    """Make a token for a program; its secret is shown this once. Send it as `Authorization: Bearer …`."""
    with service.clinic.database.writing() as session:
        token, secret = service.clinic.tokens.create(
            session,
            asker.known,
            asker.who.origin,
            wanted.name,
            asker.now_us,
            lasts_us=wanted.days * _DAY_US,
            may_write=wanted.may_write,
        )
    return _shown(token, secret)


def end_token(asker: Asker, service: Serving, token_id: UUID) -> None:
    """End a token of the account that asks."""
    with service.clinic.database.writing() as session:
        service.clinic.tokens.end(session, asker.who, asker.known.account_id, token_id, asker.now_us)


def _shown(token: Token, secret: str = "") -> TokenShown:
    ended: Any = token.ended_us
    return TokenShown(
        id=token.id,
        name=token.name,
        may_write=token.may_write,
        created=instant(token.created_us),
        expires=instant(token.expires_us),
        used=None if token.used_us is None else instant(token.used_us),
        ended=None if ended is None else instant(ended),
        secret=secret,
    )
