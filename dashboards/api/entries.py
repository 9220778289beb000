"""Routes of the entries: for each kind the same five, with the kind's own shape and the kind's own rules."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query

from dashboards.api.permits import PERMITS, Permit
from dashboards.api.routes import PATIENT, Serving, add
from dashboards.api.rules import Asker
from dashboards.api.shapes import Correction, Kept, Listed, Withdrawal, kept
from dashboards.api.withholding import for_research
from ingest.record.entries import Version, Wanted, microseconds
from ingest.record.identity import Role
from poise.care.entry import Entry
from poise.care.kinds import KINDS

Limit = Annotated[int, Query(ge=1, le=500)]


def entry_routes(router: APIRouter) -> None:
    """Add the routes of all kinds of entry to a router.

    Raises:
        KeyError: if nobody said who may read and write a kind.
    """
    for kind, cls in KINDS.items():
        _reading(router, cls, PERMITS[kind])
        _writing(router, cls, PERMITS[kind])


def _reading(router: APIRouter, cls: type[Entry], permit: Permit) -> None:
    kind, rule = cls.kind, permit.reading(cls.kind)

    def listed(
        asker: Asker,
        service: Serving,
        since: datetime | None = None,
        until: datetime | None = None,
        cursor: Annotated[str, Query(max_length=64)] = "",
        limit: Limit = 100,
        *,
        withdrawn: bool = False,
    ) -> Any:
        wanted = Wanted(kind, _us(since), _us(until), withdrawn, cursor, limit)
        page = service.page(asker, wanted)
        return {"entries": [_given(asker, version) for version in page.versions], "cursor": page.cursor}

    def history(asker: Asker, service: Serving, entry_id: UUID) -> Any:
        return [_given(asker, version) for version in service.history(asker, kind, entry_id)]

    listed.__doc__ = f"Return a patient's entries of the kind {kind}, the latest time first."
    history.__doc__ = f"Return all versions of an entry of the kind {kind}, the first one first."
    add(router, "GET", f"{PATIENT}/{kind}", rule, listed, answer=Listed[cls], name=f"list_{kind}")  # type: ignore[valid-type]
    one = f"{PATIENT}/{kind}/{{entry_id}}"
    add(router, "GET", one, rule, history, answer=list[Kept[cls]], name=f"history_of_{kind}")  # type: ignore[valid-type]


def _writing(router: APIRouter, cls: type[Entry], permit: Permit) -> None:
    kind, rule, answer = cls.kind, permit.writing(), Kept[cls]  # type: ignore[valid-type]

    def written(asker: Asker, service: Serving, entry: Any, id: UUID | None = None) -> Any:  # noqa: A002
        return kept(service.write(asker, entry, id))

    def corrected(asker: Asker, service: Serving, entry_id: UUID, correction: Any) -> Any:
        seen = entry_id, correction.version
        return kept(service.correct(asker, seen, correction.entry, correction.reason))

    def withdrawn(asker: Asker, service: Serving, entry_id: UUID, withdrawal: Withdrawal) -> Any:
        return kept(service.withdraw(asker, kind, (entry_id, withdrawal.version), withdrawal.reason))

    written.__annotations__["entry"] = cls
    corrected.__annotations__["correction"] = Correction[cls]  # type: ignore[valid-type]
    written.__doc__ = f"Write an entry of the kind {kind}; with an `id`, sent twice it makes no second one."
    corrected.__doc__ = f"Write a later version of an entry of the kind {kind}; the earlier ones stay."
    withdrawn.__doc__ = f"Say that an entry of the kind {kind} does not hold; what it said stays to be read."
    one = f"{PATIENT}/{kind}/{{entry_id}}"
    add(router, "POST", f"{PATIENT}/{kind}", rule, written, answer=answer, status=201, name=f"write_{kind}")
    add(router, "POST", f"{one}/versions", rule, corrected, answer=answer, status=201, name=f"correct_{kind}")
    add(router, "POST", f"{one}/withdrawal", rule, withdrawn, answer=answer, name=f"withdraw_{kind}")


def _given(asker: Asker, version: Version) -> Kept[Entry]:
    whole = kept(version)
    return for_research(whole) if asker.known.role is Role.RESEARCHER else whole


def _us(at: datetime | None) -> int | None:
    return None if at is None else microseconds(at.astimezone())
