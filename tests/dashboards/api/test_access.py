"""Who may use what: every route of the router, every role, one's own patient and another one."""

import json
from pathlib import Path
from typing import Any

import pytest
from api_house import OTHER, OWN, ApiHouse, consent, path_of
from fastapi import Depends, FastAPI
from fastapi.routing import APIRoute
from starlette.testclient import TestClient

from dashboards.api.access import Gate, gate_of
from dashboards.api.routes import require_rules, routes_of
from dashboards.api.rules import Reach, Rule
from ingest.record.identity import Role
from poise.topics import Wearer

MATRIX = Path(__file__).with_name("access.json")
NOBODYS = "00000000-0000-4000-8000-000000000000"
ABOUT_A_PATIENT = "/patients/{site}/{patient}"
UNKNOWN = "there is no such patient, or you do not look after them"


def ask(client: TestClient, route: APIRoute, wearer: Wearer) -> Any:
    path = route.path.format(
        site=wearer.site, patient=wearer.patient, entry_id=NOBODYS, account_id=NOBODYS, token_id=NOBODYS,
        person="P-0001",
        invitation_id=NOBODYS,
    )  # fmt: skip
    (method,) = route.methods
    return client.request(method, path, json={} if method in ("POST", "PATCH") else None)


def let_in(route: APIRoute, answer: Any) -> bool:
    if answer.status_code == 401:
        # A sign-in with nothing in it is let in and is no sign-in.
        return False
    return answer.status_code != 403 and UNKNOWN not in answer.text


def may(rule: Rule, role: Role | None, *, own: bool, about: bool, there: bool) -> bool:
    """Say who should be let in, from the rule alone."""
    if rule.everyone:
        return True
    reach = rule.roles.get(role) if role else None
    if reach is None:
        return False
    return own or not about or (there and reach is Reach.NAMED)


@pytest.mark.parametrize("role", [None, *Role])
def test_every_route_lets_in_whom_its_rule_names_and_nobody_else(house: ApiHouse, role: Role | None) -> None:
    therapist = house.client(Role.THERAPIST)
    given = therapist.post(path_of(OWN, "/data_consent"), json=consent(house.now, "collection", "research"))
    assert given.status_code == 201
    client, wrong = house.client(role), []
    # Signing out comes last, or the rest would be asked by nobody.
    for route in sorted(routes_of(house.app), key=lambda route: route.name == "sign_out"):
        gate = gate_of(route)
        assert gate is not None
        about = route.path.startswith(ABOUT_A_PATIENT)
        for wearer in (OWN, OTHER, Wearer("P-9999", "north")) if about else (OWN,):
            expected = may(gate.rule, role, own=wearer == OWN, about=about, there=wearer in (OWN, OTHER))
            answer = ask(client, route, wearer)
            assert answer.status_code < 500, (route.path, answer.text)
            if let_in(route, answer) != expected:
                wrong.append((route.methods, route.path, wearer.patient, answer.status_code, expected))
    assert wrong == []


def test_the_matrix_is_the_one_that_was_looked_at(house: ApiHouse) -> None:
    """A new route, or a route that more people may use, must be written into access.json by hand."""
    found = {}
    for route in routes_of(house.app):
        gate = gate_of(route)
        assert gate is not None
        (method,) = route.methods
        found[f"{method} {route.path}"] = gate.rule.spoken()
    kept = json.loads(MATRIX.read_text())
    assert found == kept, "look at each difference, and write it into tests/dashboards/api/access.json"


def test_a_route_without_a_rule_does_not_start() -> None:
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.add_api_route("/open", lambda: None)
    with pytest.raises(RuntimeError, match="/open has no rule"):
        require_rules(app)


def test_a_rule_that_names_nobody_does_not_start() -> None:
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.add_api_route("/shut", lambda: None, dependencies=[Depends(Gate(Rule()))])
    with pytest.raises(RuntimeError, match="nobody may use /shut"):
        require_rules(app)


def test_a_researcher_sees_a_patient_only_while_they_consent_to_research(house: ApiHouse) -> None:
    patient, researcher = house.client(Role.PATIENT), house.client(Role.RESEARCHER)
    rating = path_of(OWN, "/rating")
    assert researcher.get(rating).status_code == 404
    assert researcher.get("/patients").json() == []
    patient.post(path_of(OWN, "/data_consent"), json=consent(house.now, "collection"))
    assert researcher.get(rating).status_code == 404
    patient.post(path_of(OWN, "/data_consent"), json=consent(house.now, "research"))
    assert researcher.get(rating).status_code == 200
    assert [one["patient"] for one in researcher.get("/patients").json()] == ["P-0142"]
    assert researcher.get(path_of(OWN, "/note")).status_code == 403
    house.later(minutes=1)
    patient.post(path_of(OWN, "/data_consent"), json=consent(house.now, "research", given=False))
    assert researcher.get(rating).status_code == 404


def test_who_has_left_the_team_sees_nothing_any_more(house: ApiHouse) -> None:
    therapist, clinician = house.client(Role.THERAPIST), house.client(Role.CLINICIAN)
    assert therapist.get(path_of(OWN, "/injection")).status_code == 200
    left = clinician.delete(path_of(OWN, f"/team/{house.ids[Role.THERAPIST]}"))
    assert left.status_code == 204
    house.later(seconds=1)
    assert therapist.get(path_of(OWN, "/injection")).status_code == 404
    last = clinician.delete(path_of(OWN, f"/team/{house.ids[Role.CLINICIAN]}"))
    assert last.status_code == 403, "somebody must look after a patient"


def test_no_rule_reaches_a_patient_without_saying_whose(house: ApiHouse) -> None:
    about = [route for route in routes_of(house.app) if route.path.startswith(ABOUT_A_PATIENT)]
    assert len(about) > 100
    for route in about:
        gate = gate_of(route)
        assert gate is not None
        assert not gate.rule.everyone, route.path
        assert Reach.ANY not in gate.rule.roles.values(), route.path


def test_an_administrator_sees_no_patient(house: ApiHouse) -> None:
    administrator = house.client(Role.ADMINISTRATOR)
    for route in routes_of(house.app):
        if route.path.startswith(ABOUT_A_PATIENT) and not route.path.endswith("/erasure"):
            assert ask(administrator, route, OWN).status_code == 403, route.path
