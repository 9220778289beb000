"""The OpenAPI document, held against the application by schemathesis: whatever is sent, no 500."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from api_house import OWN, ApiHouse, api_house, injection, path_of
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error

from dashboards.api.application import create_api
from dashboards.api.routes import routes_of
from ingest.record.identity import Role
from poise.care.kinds import KINDS

CLOSING = {"DELETE /session", "DELETE /tokens/{token_id}", "POST /password", "POST /accounts/reset"}
"""What would shut the door behind the one who asks; tried apart (test_signing_in)."""
ALIKE = {
    f"{verb}_{kind}"
    for verb in ("list", "history_of", "correct", "withdraw")
    for kind in set(KINDS) - {"injection", "check_in", "appointment"}
}
"""Operations that are the same lines for each kind: three kinds stand for all. Every kind is written."""


def left_out(context: Any) -> bool:
    operation = context.operation
    named = f"{operation.method.upper()} {operation.path}"
    return named in CLOSING or operation.definition.raw.get("operationId") in ALIKE


schema = schemathesis.openapi.from_dict(create_api(None).openapi()).exclude(left_out)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiHouse]:
    with api_house(tmp_path_factory.mktemp("record") / "data") as house:
        house.client(Role.CLINICIAN).post(path_of(OWN, "/injection"), json=injection())
        yield house


@pytest.fixture(scope="module")
def secrets(tried: ApiHouse) -> dict[Role, str]:
    """A token of each role that may write."""
    return {
        role: str(tried.client(role).post("/tokens", json={"name": "t", "may_write": True}).json()["secret"])
        for role in Role
    }


@schema.parametrize()
@settings(
    max_examples=4, deadline=None, derandomize=True, phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
def test_whatever_is_sent_is_answered_without_a_server_error(
    case: Case, tried: ApiHouse, secrets: dict[Role, str]
) -> None:
    """Each as somebody whom the rule lets in, so that it comes as far as the handler."""
    app = tried.app
    (route,) = (
        route
        for route in routes_of(app)
        if route.path == case.operation.path and case.operation.method.upper() in route.methods
    )
    roles = [said.split(":")[0] for said in route.openapi_extra["x-who-may"]]  # type: ignore[index]
    role = Role(roles[0]) if roles != ["everyone"] else Role.THERAPIST
    if "patient" in (case.path_parameters or {}):
        case.path_parameters |= {"site": OWN.site, "patient": OWN.patient}
    response = case.call(app=app, headers={"Authorization": f"Bearer {secrets[role]}"})
    case.validate_response(response, checks=[not_a_server_error])
    assert response.status_code != 401 or roles == ["everyone"]


def test_every_operation_of_the_document_is_tried_or_named_here() -> None:
    paths = create_api(None).openapi()["paths"]  # type: ignore[arg-type]
    operations = {
        (f"{method.upper()} {path}", one["operationId"])
        for path, item in paths.items()
        for method, one in item.items()
    }
    tried = {f"{op.ok().method.upper()} {op.ok().path}" for op in schema.get_all_operations()}
    assert {name for name, key in operations if name not in CLOSING and key not in ALIKE} == tried
    assert {key for _, key in operations} >= ALIKE
