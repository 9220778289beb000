"""The door of the pages: only this machine's own browser, under this server's own name, gets in.

Pages on 127.0.0.1 can be reached by any web page that the same browser has open, by a form or a socket that
does not ask for cross-origin leave, or by a foreign name that is made to resolve to 127.0.0.1 (DNS
rebinding). So the Host header must be a loopback name with our port, and an Origin header, if there is one,
must be the same. The door is the outermost part of the application, and HTTP and WebSocket go through it
alike.
"""

import re
import secrets
from collections.abc import Mapping
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")
REFUSAL: Final = (
    "Poise shows these pages only to a browser on this computer, "
    "at the address that it printed when it started."
)
_HTTP: Final = 80  # browsers leave this port out of Host and Origin
_SCRIPT: Final = re.compile(rb"<script(?=[\s>])")
_FIXED: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}


class Guard:
    """ASGI middleware: checks Host and Origin, adds security headers and a nonce for our own scripts."""

    def __init__(self, app: ASGIApp, *, port: int) -> None:
        """Guard `app`, which is served at `port` of this machine."""
        self.app = app
        self._hosts = frozenset(f"{name}:{port}" if port != _HTTP else name for name in LOOPBACK)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
        elif not self._allowed(Headers(scope=scope)):
            await self._refuse(scope, receive, send)
        elif scope["type"] == "websocket":
            await self.app(scope, receive, send)
        else:
            await self.app(scope, receive, _Dressed(send))

    def _allowed(self, headers: Headers) -> bool:
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            return False
        return all(origin.lower() == f"http://{hosts[0].lower()}" for origin in origins)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 4403, "reason": "foreign Host or Origin"})
            return
        await PlainTextResponse(REFUSAL + "\n", 403, headers=_FIXED)(scope, receive, send)


def policy(nonce: str) -> str:
    """Return the Content-Security-Policy: nothing from elsewhere, no script without nonce, no eval.

    Inline styles stay allowed: NiceGUI and Quasar set them, and they cannot run code.
    """
    rules: Mapping[str, str] = {
        "default-src": "'none'",
        "script-src": f"'self' 'nonce-{nonce}'",
        "style-src": "'self' 'unsafe-inline'",
        "img-src": "'self' data:",
        "font-src": "'self'",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


class _Dressed:
    """Wraps `send`: security headers on every answer, and the nonce on the scripts of a page."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._nonce = secrets.token_urlsafe(16)
        self._start: Message | None = None
        self._page = bytearray()

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=message["headers"])
            headers.update({**_FIXED, "Content-Security-Policy": policy(self._nonce)})
            if headers.get("content-type", "").startswith("text/html"):
                self._start = message
                return
        elif message["type"] == "http.response.body" and self._start is not None:
            self._page += message.get("body", b"")
            if message.get("more_body"):
                return
            await self._flush(self._start)
            return
        await self._send(message)

    async def _flush(self, start: Message) -> None:
        page = _SCRIPT.sub(f'<script nonce="{self._nonce}"'.encode(), bytes(self._page))
        MutableHeaders(raw=start["headers"])["content-length"] = str(len(page))
        await self._send(start)
        await self._send({"type": "http.response.body", "body": page})
