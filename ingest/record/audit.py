"""The audit: who saw or changed what, when, and from where; each row holds the hash of the one before.

No pseudonym and no address stands in a row, only keyed hashes of them (`keys.py`). So a row stays as it was
when a person is erased, the chain of hashes holds, and somebody who has the key can still look up what
happened to a pseudonym. A row is written in the transaction of the change that it tells of.

What the chain shows: a row that was changed, taken out or put in. Who can write to the database and makes all
hashes anew is found only by comparing `head` with one that was noted elsewhere.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, Select, delete, select
from sqlalchemy.orm import Session

from ingest.record.database import RecordDatabase, insert_if_absent
from ingest.record.identity import NOBODY, Who
from ingest.record.keys import keyed
from ingest.record.tables import AuditHeadRow, AuditRow, OriginRow
from poise.errors import ConfigurationError
from poise.topics import Wearer

_FIRST: Final = "0" * 64
_HEAD: Final = 1
_AT_ONCE: Final = 1000


class Action(StrEnum):
    """What was done."""

    READ = "read"
    CREATED = "created"
    REVISED = "revised"
    WITHDRAWN = "withdrawn"
    CHANGED = "changed"
    ENDED = "ended"
    EXPORTED = "exported"
    ERASED = "erased"
    JOINED = "joined"
    LEFT = "left"
    SIGNED_IN = "signed_in"
    SIGN_IN_FAILED = "sign_in_failed"
    SIGNED_OUT = "signed_out"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - the name of an action
    PASSWORD_RESET = "password_reset"  # noqa: S105 - the same


@dataclass(frozen=True, slots=True)
class About:
    """What was seen or changed.

    Attributes:
        kind: of entry, or "patient", "account", "token", "invitation", "team".
        subject: its id as hexadecimal digits; "" for all of the kind.
        version_no: of the entry.
    """

    kind: str
    subject: str = ""
    version_no: int | None = None


@dataclass(frozen=True, slots=True)
class Noted:
    """A row of the audit, as it is shown.

    Attributes:
        origin: the address; "" on the machine itself, or where it was forgotten.
    """

    seq: int
    at_us: int
    actor: str
    action: str
    about: About
    origin: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What looking through the whole audit came to.

    Attributes:
        rows: how many are as they were written, from the first.
        broken_at: the number of the first that is not; None if all are right.
    """

    rows: int
    broken_at: int | None = None


class Audit:
    """Writes and reads the audit of one record.

    Raises:
        ConfigurationError: if the record was begun with another key.
    """

    def __init__(self, database: RecordDatabase, key: bytes) -> None:
        self._key = key
        check = keyed(key, "check", "")
        with database.writing() as session:
            begin = {"id": _HEAD, "seq": 0, "hash": _FIRST, "key_check": check}
            insert_if_absent(session, AuditHeadRow, begin)
            if session.get_one(AuditHeadRow, _HEAD).key_check != check:
                raise ConfigurationError(
                    f"record.key is not the one that {database.name} was begun with; put back the one of "
                    "your backup, for without it nobody can look up a patient in the audit"
                )

    def hashed(self, purpose: str, name: str) -> str:
        """Return the keyed hash of a name, see `keys.keyed`."""
        return keyed(self._key, purpose, name)

    def patient_key(self, wearer: Wearer) -> str:
        """Return what stands for a patient in the audit and in the list of erasures."""
        return self.hashed("patient", f"{wearer.site}/{wearer.patient}")

    def note(
        self, session: Session, who: Who, action: Action, about: About, now_us: int,
        wearer: Wearer | None = None,
    ) -> None:  # fmt: skip
        """Add a row; whoever adds one waits for others who have not committed theirs yet."""
        head = session.get_one(AuditHeadRow, _HEAD, with_for_update=True, populate_existing=True)
        row = AuditRow(
            seq=head.seq + 1, at_us=now_us, actor=who.actor, action=action.value,
            patient_key=self.patient_key(wearer) if wearer else "",
            kind=about.kind, subject=about.subject, version_no=about.version_no,
            origin_key=self._origin(session, who.origin), former=head.hash,
        )  # fmt: skip
        row.hash = _hash(row)
        session.add(row)
        head.seq, head.hash = row.seq, row.hash
        session.flush()

    def of_patient(
        self, session: Session, wearer: Wearer, before: int | None = None, limit: int = 100
    ) -> Sequence[Noted]:
        """Return what was noted about a patient, the newest first, below the number `before`."""
        rows = select(AuditRow).where(AuditRow.patient_key == self.patient_key(wearer))
        return _shown(session, rows, before, limit)

    def of_all(self, session: Session, before: int | None = None, limit: int = 100) -> Sequence[Noted]:
        """Return everything that was noted, the newest first, below the number `before`."""
        return _shown(session, select(AuditRow), before, limit)

    def forget_origins(self, session: Session, accounts: Sequence[UUID]) -> None:
        """Forget the addresses that only these accounts came from; their hashes stay."""
        actors = [account.hex for account in accounts]
        theirs = select(AuditRow.origin_key).where(AuditRow.actor.in_(actors))
        others = select(AuditRow.origin_key).where(AuditRow.actor.not_in([*actors, NOBODY]))
        session.execute(delete(OriginRow).where(OriginRow.key.in_(theirs), OriginRow.key.not_in(others)))

    def verify(self, session: Session) -> Verdict:
        """Look through the whole audit for a row that was changed, taken out or put in."""
        seq, former = 0, _FIRST
        while rows := session.execute(
            select(*AuditRow.__table__.columns)
            .where(AuditRow.seq > seq)
            .order_by(AuditRow.seq)
            .limit(_AT_ONCE)
        ).all():
            for row in rows:
                if (row.seq, row.former, row.hash) != (seq + 1, former, _hash(row)):
                    return Verdict(seq, seq + 1)
                seq, former = row.seq, row.hash
        return Verdict(seq) if (seq, former) == self.head(session) else Verdict(seq, seq + 1)

    def head(self, session: Session) -> tuple[int, str]:
        """Return the number and hash of the newest row, to be noted elsewhere."""
        head = session.get_one(AuditHeadRow, _HEAD)
        return head.seq, head.hash

    def _origin(self, session: Session, address: str) -> str:
        if not address:
            return ""
        key = self.hashed("origin", address)
        insert_if_absent(session, OriginRow, {"key": key, "address": address})
        return key


def _hash(row: AuditRow | Row[Any]) -> str:
    content = [
        row.seq, row.at_us, row.actor, row.action, row.patient_key, row.kind, row.subject, row.version_no,
        row.origin_key,
    ]  # fmt: skip
    return hashlib.sha256(f"{row.former}{json.dumps(content)}".encode()).hexdigest()


def _shown(session: Session, rows: Select[AuditRow], before: int | None, limit: int) -> list[Noted]:
    if before is not None:
        rows = rows.where(AuditRow.seq < before)
    rows = rows.order_by(AuditRow.seq.desc()).limit(limit)
    joined = rows.add_columns(OriginRow.address).outerjoin(OriginRow, OriginRow.key == AuditRow.origin_key)
    return [
        Noted(
            row.seq, row.at_us, row.actor, row.action, About(row.kind, row.subject, row.version_no),
            address or "",
        )
        for row, address in session.execute(joined)
    ]  # fmt: skip
