"""Adding a route: never without the rule that says who may use it."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Path, Request
from fastapi.routing import APIRoute

from dashboards.api.access import Gate, gate_of
from dashboards.api.rules import Asker, Rule
from dashboards.api.service import Service

PATIENT = "/patients/{site}/{patient}"
"""Where everything about a patient begins: site and pseudonym."""
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    401: {"description": "Nobody has signed in"},
    403: {"description": "Not for this role, token or password"},
    404: {"description": "No such thing, or none of yours"},
    409: {"description": "Somebody was faster, or it is there already"},
    422: {"description": "The request is not as it must be"},
    429: {"description": "Too many requests"},
    503: {"description": "The record cannot be read or written now"},
}


def _whose(
    site: Annotated[str, Path(max_length=64)],
    patient: Annotated[str, Path(max_length=64)],
) -> None:
    """Say in the OpenAPI document what the path of a patient is made of."""


def service_of(request: Request) -> Service:
    """Return what the API works with."""
    service: Service = request.app.state.service
    return service


Serving = Annotated[Service, Depends(service_of)]


def add(
    router: APIRouter,
    method: str,
    path: str,
    rule: Rule,
    handler: Callable[..., Any],
    *,
    answer: Any = None,
    status: int = 200,
    name: str = "",
) -> None:
    """Add a route.

    Args:
        router: to this.
        method: of HTTP.
        path: below the router's.
        rule: who may use it; the handler's parameter `asker` gets who does.
        handler: does it, in a thread.
        answer: the shape of what it returns.
        status: of the answer when it was done.
        name: of the operation in the OpenAPI document; the handler's by default.
    """
    handler.__annotations__["asker"] = Annotated[Asker, Depends(Gate(rule))]
    router.add_api_route(
        path,
        handler,
        methods=[method],
        dependencies=[Depends(_whose)] if path.startswith(PATIENT) else [],
        response_model=answer,
        status_code=status,
        operation_id=name or handler.__name__,
        name=name or handler.__name__,
        summary=(handler.__doc__ or "").split("\n")[0] or None,
        description=(handler.__doc__ or "").split("\n\n")[0] or None,
        responses=_PROBLEMS,
        openapi_extra={"x-who-may": rule.spoken()},
    )


def routes_of(app: FastAPI) -> list[APIRoute]:
    """Return the routes of an application.

    Raises:
        RuntimeError: if it has any of another sort, into which nobody could look.
    """
    found = [route for route in app.routes if isinstance(route, APIRoute)]
    if len(found) < len(app.routes):
        raise RuntimeError("add every route to the application itself, by dashboards.api.routes.add")
    return found


def require_rules(app: FastAPI) -> None:
    """Refuse to start with a route that nobody said who may use.

    Raises:
        RuntimeError: with its path.
    """
    for route in routes_of(app):
        gate = gate_of(route)
        if gate is None:
            raise RuntimeError(f"{route.path} has no rule that says who may use it")
        if not gate.rule.everyone and not gate.rule.roles:
            raise RuntimeError(f"nobody may use {route.path}")
