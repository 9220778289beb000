"""Who may use a route. Every route of the API has a `Gate`; without one the API does not start.

A rule names roles, and for each whose patients: their own, those in whose care team they are, or none at all
because the route is about no patient. What a rule does not name is refused. Nobody learns from an answer
whether a patient exists whom they do not look after.
"""

from collections.abc import Mapping
from typing import Final

from fastapi import Request
from fastapi.routing import APIRoute

from dashboards.api.errors import RefusedError, UnknownPatientError, UnknownUserError
from dashboards.api.rules import Asker, Reach, Rule
from dashboards.api.service import Service
from ingest.record.audit import About, Action
from ingest.record.identity import Identity
from ingest.record.patients import Patient
from poise.errors import RecordMissingError, WireError
from poise.topics import Wearer

SAFE: Final = frozenset({"GET", "HEAD"})


class Gate:
    """A dependency of one route: lets those through whom its rule names, and notes reads in the audit."""

    def __init__(self, rule: Rule) -> None:
        """Guard a route by a rule."""
        self.rule = rule

    def __call__(self, request: Request) -> Asker:
        """Return who asks.

        Raises:
            UnknownUserError: if they must sign in first.
            RefusedError: if their role, token or password does not let them.
            UnknownPatientError: if there is no such patient, or none of theirs.
        """
        service: Service = request.app.state.service
        now_us = service.now()
        identity = service.identify(request, now_us)
        origin = request.client.host if request.client else ""
        if identity is None:
            if self.rule.everyone:
                return Asker(None, service.nobody(origin), now_us)
            raise UnknownUserError
        service.limits.count(identity.account_id.hex, now_us)
        self._require(identity, request.method)
        asker = Asker(identity, identity.at(origin), now_us)
        if "patient" not in request.path_params:
            return asker
        patient = self._patient(service, identity, request.path_params, now_us)
        asker = Asker(identity, asker.who, now_us, patient)
        if request.method in SAFE and self.rule.about:
            self._note(service, asker, request.path_params)
        return asker

    def _require(self, identity: Identity, method: str) -> None:
        if identity.must_change and not self.rule.handed_out:
            raise RefusedError("change the password that you were given first: POST /api/1/password")
        if not self.rule.everyone and identity.role not in self.rule.roles:
            raise RefusedError(f"this is not for the role {identity.role.value}")
        if method not in SAFE and not identity.may_write:
            raise RefusedError("this token may read only")

    def _patient(
        self, service: Service, identity: Identity, named: Mapping[str, str], now_us: int
    ) -> Patient:
        reach = self.rule.roles.get(identity.role, Reach.ANY)
        try:
            patient = service.patient(Wearer(named["patient"], named["site"]))
        except (RecordMissingError, WireError) as exc:
            raise UnknownPatientError from exc
        if not service.reaches(identity, patient, reach, now_us):
            raise UnknownPatientError
        return patient

    def _note(self, service: Service, asker: Asker, named: Mapping[str, str]) -> None:
        about = About(self.rule.about, named.get("entry_id", "").replace("-", "")[:32])
        service.note(asker.who, Action.READ, about, asker.now_us, asker.patient.wearer)


def gate_of(route: APIRoute) -> Gate | None:
    """Return the gate of a route, None if it has none."""
    found = [one.call for one in route.dependant.dependencies if isinstance(one.call, Gate)]
    return found[0] if len(found) == 1 else None
