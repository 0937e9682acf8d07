"""Who may ask: nobody but the browser that was given the address with the token.

Every request must name this server in its ``Host`` (a page elsewhere that rebinds its name to 127.0.0.1 does not), must
not come from another page (``Origin``, ``Sec-Fetch-Site``), and must carry the cookie that the address with the token
sets. The cookie's name depends on the token, because browsers share cookies between the ports of a machine.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOCAL = ("127.0.0.1", "localhost", "::1")

POLICY = (
    "default-src 'self'; img-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
"""Pages load nothing from elsewhere, and run no script but the server's files; pictures may be made by the page."""

REPORT_POLICY = (
    "sandbox allow-scripts allow-popups; default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; frame-ancestors 'self'"
)
"""A report carries its own scripts: it lives in a sandbox without an origin, and can ask the server for nothing."""

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
}


def new_token() -> str:
    """Return a token that cannot be guessed."""
    return secrets.token_urlsafe(24)


class Guard:
    """The ASGI application that stands before all others.

    Parameters
    ----------
    app
        The application behind it.
    token
        Of the address that was opened.
    hosts
        Names besides this machine's own by which the server may be called; ``*`` for any address of the network.
    """

    def __init__(self, app: ASGIApp, *, token: str, hosts: Iterable[str] = ()) -> None:
        self.app: Any = app
        self.token = token
        self._hosts = frozenset((*LOCAL, *(h.lower() for h in hosts)))
        self.cookie = f"fleeting_{hashlib.sha256(token.encode()).hexdigest()[:12]}"
        self._secret = hmac.new(token.encode(), b"cookie", hashlib.sha256).hexdigest()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what may come in; answer the rest."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        answer = self._refused(scope, headers)
        if answer is not None and scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif answer is not None:
            await answer(scope, receive, _with_headers(send))
        elif scope["type"] == "http":
            await self.app(scope, receive, _with_headers(send))
        else:
            await self.app(scope, receive, send)

    def _refused(self, scope: Scope, headers: Headers) -> Response | None:
        """Return the answer to a request that goes no further."""
        host = headers.get("host", "")
        if len(headers.getlist("host")) != 1 or not self._is_ours(host):
            return _error(421, "Use the address that 'fleeting serve' printed: the server answers to no other name.")
        opens = scope["type"] == "http" and scope["path"] == "/" and scope["method"] in ("GET", "HEAD")
        scheme = {"ws": "http", "wss": "https"}.get(scope["scheme"], scope["scheme"])
        origins = headers.getlist("origin")
        foreign = any(origin != f"{scheme}://{host}" for origin in origins)
        navigates = opens and headers.get("sec-fetch-mode", "navigate") == "navigate"
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin") and not navigates:
            foreign = True
        if foreign or (scope["type"] == "websocket" and not origins):
            return _error(403, "Another page asked; only the workbench's own page may.")
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [])
        if opens and given:
            return self._opened() if hmac.compare_digest(given[0].encode(), self.token.encode()) else _locked(scope)
        return None if self._knows(headers) else _locked(scope)

    def _is_ours(self, host: str) -> bool:
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() and not host.endswith("]") else host
        name = name.strip("[]").lower()
        if name in self._hosts:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return "*" in self._hosts  # a name could be anybody's; a bare address cannot be rebound

    def _knows(self, headers: Headers) -> bool:
        for line in headers.getlist("cookie"):
            try:
                morsel = SimpleCookie(line).get(self.cookie)
            except CookieError:
                continue
            if morsel is not None and hmac.compare_digest(morsel.value.encode(), self._secret.encode()):
                return True
        return False

    def _opened(self) -> Response:
        answer = RedirectResponse("/", status_code=303)
        answer.set_cookie(self.cookie, self._secret, httponly=True, samesite="strict", path="/")
        return answer


def _locked(scope: Scope) -> Response:
    said = "Open the address that 'fleeting serve' printed: it carries the key to this workbench."
    if scope["type"] == "http" and not scope["path"].startswith("/api/"):
        return PlainTextResponse(said, 403)
    return _error(403, said)


def _error(status: int, said: str) -> Response:
    return JSONResponse({"error": said}, status)


def _with_headers(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers: Any = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
            headers.setdefault("Content-Security-Policy", POLICY)
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return sent
