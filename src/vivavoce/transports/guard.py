"""Who may knock: Host and Origin, against DNS rebinding and foreign web pages.

A browser lets any page open a WebSocket to this machine and tells only in ``Origin`` who asks; a page whose name was
re-bound to 127.0.0.1 is known by its ``Host``. Programs send no Origin and are not hindered.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from vivavoce.contracts.errors import NotAllowed
from vivavoce.transports.options import ServerOptions, is_loopback

RawHeaders = Iterable[tuple[bytes, bytes]]


class Guard:
    """Checks raw ASGI headers of a request."""

    def __init__(self, options: ServerOptions) -> None:
        self._any_host = "*" in options.allowed_hosts
        self._hosts = {host.lower() for host in (*options.allowed_hosts, options.host)}
        self._origins = {origin.lower().rstrip("/") for origin in options.allowed_origins}

    def check(self, headers: RawHeaders) -> None:
        """Raises NotAllowed for a foreign Host or Origin, and for a doubled one."""
        host = _single(headers, b"host")
        if host is None or not self._knows_host(host):
            raise NotAllowed(
                f"this server is not known as {_shown(host)}; add the name to allowed_hosts", code="host_not_allowed"
            )
        origin = _single(headers, b"origin")
        if origin is not None and not self._knows_origin(origin, host):
            raise NotAllowed(
                f"pages of {_shown(origin)} may not use this server; add the origin to allowed_origins",
                code="origin_not_allowed",
            )

    def _knows_host(self, host: str) -> bool:
        name = _name(host)
        return name is not None and (self._any_host or is_loopback(name) or name in self._hosts)

    def _knows_origin(self, origin: str, host: str) -> bool:
        origin = origin.lower()
        if origin in self._origins or "*" in self._origins:
            return True
        scheme, separator, rest = origin.partition("://")
        if not separator or scheme not in ("http", "https"):
            return False
        name = _name(rest)
        return name is not None and (rest == host.lower() or is_loopback(name))


def _single(headers: RawHeaders, name: bytes) -> str | None:
    values = [value for key, value in headers if key.lower() == name]
    if len(values) > 1:
        raise NotAllowed(f"more than one {name.decode()} header", code="host_not_allowed")
    return values[0].decode("latin-1").strip() if values else None


def _name(authority: str) -> str | None:
    """The host of ``host[:port]``, lower case and without brackets; None where it is malformed."""
    try:
        parts = urlsplit("//" + authority)
        _ = parts.port  # raises on a port that is none
    except ValueError:
        return None
    if parts.netloc != authority or "@" in authority or not parts.hostname:
        return None
    return parts.hostname.lower()


def _shown(value: str | None) -> str:
    return "nothing" if value is None else repr(value[:100])
