"""Serving the pages on this machine inside an event loop that is already running."""

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import Iterator
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from poise.errors import ConfigurationError

_GRACE_S: Final = 1
_HURRY_S: Final = 3.5
"""More than the second that connections get and the two that NiceGUI then gives its pages' tasks: cut off
within those, it tells a traceback."""


class _Server(uvicorn.Server):
    """A server that leaves the process's signals to the program around it, and says when it listens."""

    ready: asyncio.Event | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and self.ready is not None:
            self.ready.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(app: ASGIApp, host: str, port: int, ready: asyncio.Event | None = None) -> None:
    """Serve `app` until cancelled; then end within 4 s, mostly at once, also with browsers connected.

    Args:
        app: from `dashboards.app.create_app`.
        host: a loopback address, or "localhost".
        port: TCP port.
        ready: set as soon as the pages can be opened.

    Raises:
        ConfigurationError: if the address is not this machine's own, or the port is taken.
    """
    listener = _listen(host, port)
    config = uvicorn.Config(
        app,
        ws="websockets-sansio",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_S,
    )
    server = _Server(config)
    server.ready = ready
    running = asyncio.create_task(server.serve(sockets=[listener]), name="pages")
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        await _end(server, running)
        raise
    finally:
        listener.close()


async def _end(server: uvicorn.Server, running: asyncio.Task[None]) -> None:
    server.should_exit = True
    done, _ = await asyncio.wait([running], timeout=_HURRY_S)
    if not done:
        server.force_exit = True
        running.cancel()
        await asyncio.wait([running], timeout=0.2)


def _listen(host: str, port: int) -> socket.socket:
    address = "127.0.0.1" if host == "localhost" else host.strip("[]")
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        ip = None
    if ip is None or not ip.is_loopback:
        raise ConfigurationError(f"The pages are served on this computer only: use 127.0.0.1, not {host}.")
    listener = socket.socket(socket.AF_INET6 if ip.version == 6 else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((str(ip), port))
        listener.listen(128)
    except OSError as exc:
        listener.close()
        raise ConfigurationError(
            f"Port {port} is taken by another program; choose another port for the pages."
        ) from exc
    listener.settimeout(0)
    return listener
