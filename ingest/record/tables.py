"""The record's tables, as classes. Times are UTC µs; ids are random, so none tells how many came before it.

`entries` and `audit` only grow: triggers refuse every change (`migrations/versions/r0001_record.py`).
"""

from typing import Annotated, Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    MetaData,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

_NAMES: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
Micros = Annotated[int, mapped_column(BigInteger)]
MicrosOrNone = Annotated[int | None, mapped_column(BigInteger)]
Word = Annotated[str, mapped_column(String(64))]
Hex = Annotated[str, mapped_column(String(64))]
"""Of 32 bytes: a SHA-256 or a keyed hash."""
Free = Annotated[str, mapped_column(Text)]
PatientId = Annotated[UUID, mapped_column(ForeignKey("patients.id"))]


class Base(DeclarativeBase):
    """Of all tables of the record."""

    metadata = MetaData(naming_convention=_NAMES)


class PatientRow(Base):
    """A person under a pseudonym; nowhere else in the record does the pseudonym stand."""

    __tablename__ = "patients"
    __table_args__ = (UniqueConstraint("site", "patient"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    site: Mapped[Word]
    patient: Mapped[Word]
    zone: Mapped[Word]
    status: Mapped[Word]
    created_us: Mapped[Micros]


class EntryRow(Base):
    """One version of one entry."""

    __tablename__ = "entries"
    __table_args__ = (
        CheckConstraint("state IN ('current', 'withdrawn')", "state"),
        CheckConstraint("version_no > 0", "version_no"),
        Index(None, "patient_id", "kind", "at_us"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    version_no: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    patient_id: Mapped[PatientId]
    kind: Mapped[Word]
    format: Mapped[int]
    body: Mapped[Free]
    at_us: Mapped[Micros]
    author: Mapped[Word]
    recorded_us: Mapped[Micros]
    state: Mapped[Word]
    reason: Mapped[Free]


class ErasingRow(Base):
    """Whose entries may be deleted now: written and taken back within the transaction that erases them."""

    __tablename__ = "erasing"

    patient_id: Mapped[UUID] = mapped_column(primary_key=True)


class AuditRow(Base):
    """Who saw or changed what; each row holds the hash of the one before."""

    __tablename__ = "audit"
    __table_args__ = (Index(None, "patient_key", "seq"),)

    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at_us: Mapped[Micros]
    actor: Mapped[Word]
    action: Mapped[Word]
    patient_key: Mapped[Hex]
    kind: Mapped[Word]
    subject: Mapped[Word]
    version_no: Mapped[int | None]
    origin_key: Mapped[Hex]
    former: Mapped[Hex]
    hash: Mapped[Hex]


class AuditHeadRow(Base):
    """The newest row of the audit, one row: whoever adds to the audit holds it until the commit."""

    __tablename__ = "audit_head"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    seq: Mapped[Micros]
    hash: Mapped[Hex]
    key_check: Mapped[Hex]


class OriginRow(Base):
    """The network address behind a keyed hash; it can be forgotten without touching the audit."""

    __tablename__ = "audit_origins"

    key: Mapped[Hex] = mapped_column(primary_key=True)
    address: Mapped[Free]


AccountId = Annotated[UUID, mapped_column(ForeignKey("accounts.id"))]


class AccountRow(Base):
    """Who may sign in. `name_key` is the name as it is compared; `ended_us` shuts it, for good.

    `must_change` with `one_time_until_us`: the password was handed out and must be changed until then.
    """

    __tablename__ = "accounts"
    __table_args__ = (CheckConstraint("(role = 'patient') = (patient_id IS NOT NULL)", "patient"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[Word]
    name_key: Mapped[Word] = mapped_column(unique=True)
    role: Mapped[Word]
    patient_id: Mapped[UUID | None] = mapped_column(ForeignKey("patients.id"), index=True)
    password: Mapped[Free]
    must_change: Mapped[bool]
    one_time_until_us: Mapped[MicrosOrNone]
    created_us: Mapped[Micros]
    ended_us: Mapped[MicrosOrNone]


class TeamRow(Base):
    """Who looks after a patient, from when until when."""

    __tablename__ = "team"
    __table_args__ = (
        Index(
            "uq_team_now", "patient_id", "account_id", unique=True,
            sqlite_where=text("until_us IS NULL"), postgresql_where=text("until_us IS NULL"),
        ),
        Index(None, "account_id"),
    )  # fmt: skip

    id: Mapped[UUID] = mapped_column(primary_key=True)
    patient_id: Mapped[PatientId]
    account_id: Mapped[AccountId]
    role: Mapped[Word]
    from_us: Mapped[Micros]
    until_us: Mapped[MicrosOrNone]


class SessionRow(Base):
    """Somebody who is signed in; only the hash of the secret is kept."""

    __tablename__ = "sessions"

    secret_hash: Mapped[Hex] = mapped_column(primary_key=True)
    account_id: Mapped[AccountId] = mapped_column(index=True)
    created_us: Mapped[Micros]
    used_us: Mapped[Micros]
    expires_us: Mapped[Micros]
    ended_us: Mapped[MicrosOrNone]


class TokenRow(Base):
    """A program that may act for an account; only the hash of the secret is kept."""

    __tablename__ = "api_tokens"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    secret_hash: Mapped[Hex] = mapped_column(unique=True)
    account_id: Mapped[AccountId] = mapped_column(index=True)
    name: Mapped[Free]
    scopes: Mapped[Word]
    created_us: Mapped[Micros]
    expires_us: Mapped[Micros]
    used_us: Mapped[MicrosOrNone]
    ended_us: Mapped[MicrosOrNone]


class InvitationRow(Base):
    """A link that makes one account, once; only the hash of the secret is kept."""

    __tablename__ = "invitations"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    secret_hash: Mapped[Hex] = mapped_column(unique=True)
    role: Mapped[Word]
    patient_id: Mapped[UUID | None] = mapped_column(ForeignKey("patients.id"), index=True)
    invited_by: Mapped[Word]
    created_us: Mapped[Micros]
    expires_us: Mapped[Micros]
    used_us: Mapped[MicrosOrNone]
    account_id: Mapped[UUID | None] = mapped_column(ForeignKey("accounts.id"))


class FailureRow(Base):
    """Failures to sign in, by the keyed hash of a name or an address."""

    __tablename__ = "failures"

    subject: Mapped[Hex] = mapped_column(primary_key=True)
    count: Mapped[int]
    first_us: Mapped[Micros]
    until_us: Mapped[Micros]
