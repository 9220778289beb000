"""The web application: pages for the people, on this machine only."""

import time
from collections.abc import Callable

from fastapi import FastAPI
from nicegui import app as nicegui_app
from nicegui import ui
from starlette.types import ASGIApp

from dashboards.api import PREFIX
from dashboards.elements import STATIC
from dashboards.guard import Guard
from dashboards.people_page import show_people
from dashboards.person_page import show_person
from ingest.reading import LiveFeed, Reader
from poise.errors import WireError
from poise.topics import Wearer


def utc_us() -> int:
    """Return this machine's UTC time, µs."""
    return time.time_ns() // 1000


def create_app(
    reader: Reader,
    live: LiveFeed,
    *,
    port: int,
    now: Callable[[], int] = utc_us,
    api: ASGIApp | None = None,
) -> FastAPI:
    """Return the pages as an ASGI application for `dashboards.serve.serve`.

    One application at a time is alive in a process, because NiceGUI keeps its pages per process; a later call
    replaces the pages of an earlier one.

    Args:
        reader: what is stored; its calls are made in threads.
        live: the live topic; its callbacks come in this event loop.
        port: the port it is served at, which the guard holds every request against.
        now: UTC µs.
        api: of the clinical record (`dashboards.api`), None for pages alone.
    """
    app = FastAPI(title="Poise", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(Guard, port=port)
    if api is not None:
        app.mount(PREFIX, api)
    _pages(reader, live, now)
    nicegui_app.add_static_files("/poise", STATIC, max_cache_age=0)
    # A process may build its pages again, but NiceGUI refuses middlewares once it has started.
    nicegui_app.user_middleware.clear()
    nicegui_app.middleware_stack = None
    ui.run_with(
        app,
        title="Poise",
        favicon=STATIC / "poise.svg",
        language="en-GB",
        tailwind=False,
        binding_refresh_interval=None,
        reconnect_timeout=10.0,
        gzip_middleware_factory=None,
        show_welcome_message=False,
    )
    return app


def _pages(reader: Reader, live: LiveFeed, now: Callable[[], int]) -> None:
    @ui.page("/", title="People · Poise")
    async def people() -> None:
        _dress()
        await show_people(reader, now)

    @ui.page("/person/{site}/{patient}")
    async def person(site: str, patient: str) -> None:
        _dress()
        ui.page_title(f"{patient} · Poise")
        try:
            wearer = Wearer(patient, site)
        except WireError:
            wearer = None
        await show_person(reader, live, wearer, patient, now)


def _dress() -> None:
    ui.add_head_html('<link rel="stylesheet" href="/poise/poise.css">')
