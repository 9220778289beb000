"""The API as an application: every route with its rule, one shape of error, answers that nobody keeps."""

from typing import Any, Final

from fastapi import FastAPI, Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboards.api.administering import administering_routes
from dashboards.api.caring import caring_routes
from dashboards.api.entries import entry_routes
from dashboards.api.erasing import erasing_routes
from dashboards.api.errors import answer, convert_errors
from dashboards.api.people import people_routes
from dashboards.api.routes import add, require_rules
from dashboards.api.rules import Asker, Rule
from dashboards.api.service import Service
from dashboards.api.signing_in import signing_in_routes
from poise import __version__

ROUTES: Final = (
    signing_in_routes,
    administering_routes,
    people_routes,
    erasing_routes,
    caring_routes,
    entry_routes,
)
MOST_BYTES: Final = 256 * 1024
"""Of a request: the longest entry, with every text at its limit, is far below."""
_DESCRIPTION: Final = (
    "The clinical record of Poise: research and education software, not a medical device. Times are ISO 8601 "
    "with an offset and come back in UTC. Every route says who may use it (`x-who-may`); whom it does not "
    'name is refused. Errors look like `{"error": "a sentence that says what to do"}`.'
)


def create_api(service: Service) -> FastAPI:
    """Return the API, to be mounted at `dashboards.api.PREFIX`.

    Raises:
        RuntimeError: if nobody said who may use one of its routes.
    """
    app = FastAPI(
        title="Poise",
        version=__version__,
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    app.state.service = service
    for routes in ROUTES:
        routes(app.router)
    add(app.router, "GET", "/openapi.json", Rule(everyone=True), openapi)
    require_rules(app)
    convert_errors(app)
    app.add_middleware(Careful)
    return app


def openapi(asker: Asker, request: Request) -> dict[str, Any]:  # noqa: ARG001 - the gate asks for who asks
    """Return what this API can do, as an OpenAPI document."""
    found: dict[str, Any] = request.app.openapi()
    return found


class Careful:
    """ASGI middleware: refuses long requests unread, and marks every answer as nobody's to keep."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap an application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, unless it is longer than any entry."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        seen, too_long = 0, False

        async def counted() -> Message:
            nonlocal seen, too_long
            message = await receive()
            seen += len(message.get("body", b""))
            too_long = too_long or seen > MOST_BYTES
            # What comes after is not read: to whoever waits for it, the one who asked has gone.
            return {"type": "http.disconnect"} if too_long else message

        async def marked(message: Message) -> None:
            if too_long:
                return
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message["headers"])
                headers["Cache-Control"] = "no-store"
                headers.setdefault("X-Content-Type-Options", "nosniff")
            await send(message)

        await self._app(scope, counted, marked)
        if too_long:
            await answer(f"a request has at most {MOST_BYTES} bytes", 413)(scope, receive, send)
