"""Routes of erasure: an administrator erases whom the clinic names, and sees nothing of their record."""

from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter
from pydantic import Field

from dashboards.api.routes import PATIENT, Serving, add
from dashboards.api.rules import Asker, Reach, Rule, only
from dashboards.api.shapes import Shape, instant
from ingest.record.identity import Role
from poise.errors import RecordMissingError, RecordRefusedError, WireError
from poise.topics import Wearer

_NAMED: Final = Rule({Role.ADMINISTRATOR: Reach.NAMED})
Name = Annotated[str, Field(min_length=1, max_length=64)]


class Erase(Shape):
    """The pseudonym once more, so that no slip of the hand erases anybody."""

    patient: Name


class PlaceShown(Shape):
    """What a place has done: how much of what it removed, and what is left there."""

    place: str
    at: datetime
    removed: dict[str, int]
    left: str


class ErasureShown(Shape):
    """An erasure: the record's is done; each other place answers when it has."""

    since: datetime
    places: list[PlaceShown]


def erasing_routes(router: APIRouter) -> None:
    """Add the routes to a router."""
    add(router, "POST", f"{PATIENT}/erasure", _NAMED, erase_patient, answer=ErasureShown, status=202)
    one = "/erasures/{site}/{person}"
    add(router, "GET", one, only(Role.ADMINISTRATOR), show_erasure, answer=list[PlaceShown])


def erase_patient(asker: Asker, service: Serving, erase: Erase) -> ErasureShown:
    """Erase a person for good: record, accounts, all that was measured; a restored backup erases them again.

    The pseudonym can never be used again. What is kept is a keyed hash and the time.
    """
    wearer = asker.patient.wearer
    if erase.patient != wearer.patient:
        raise RecordRefusedError("nothing was erased: repeat the pseudonym of the patient in the address")
    order = service.collecting.erase(asker.who, asker.patient)
    return ErasureShown(since=instant(order.at_us), places=_places(service, wearer))


def show_erasure(asker: Asker, service: Serving, site: Name, person: Name) -> list[PlaceShown]:  # noqa: ARG001
    """Return how far the erasure of a person is, place by place; empty until the first has answered."""
    try:
        return _places(service, Wearer(person, site))
    except WireError as exc:
        raise RecordMissingError("nobody of this pseudonym was erased") from exc


def _places(service: Serving, wearer: Wearer) -> list[PlaceShown]:
    return [
        PlaceShown(place=place, at=instant(note.at_us), removed=note.removed, left=note.left)
        for place, note in service.collecting.done(wearer).items()
    ]
