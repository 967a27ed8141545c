"""Who may do what: API keys, signed tokens, and tokens that are good for one connection."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import parse_qs

from vivavoce.contracts.access import SCOPES, KeyRing, Principal, Scope
from vivavoce.contracts.errors import NotAllowed
from vivavoce.contracts.ports import SharedState

TOKEN_SECONDS = 300.0
_TOKEN = "once_"
_EPHEMERAL = "ek_"
_SUBPROTOCOL = "openai-insecure-api-key."
MAX_CREDENTIAL = 8_192

RawHeaders = Iterable[tuple[bytes, bytes]]


class TokenVerifier(Protocol):
    """Reads signed tokens (JWT)."""

    async def verify(self, token: str) -> Principal:
        """Raises NotAllowed, saying why; Unavailable where nobody can say."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request brought along to be recognised by."""

    key: str = ""
    token: str = ""

    @classmethod
    def of(cls, scope: Mapping[str, Any]) -> Credentials:
        """From an ASGI scope: ``Authorization: Bearer``, ``api-key``, OpenAI's subprotocol; ``token`` in the query.

        A key is not taken from the query: queries end up in logs. Raises NotAllowed for one that is absurdly long.
        """
        key = token = ""
        for name, value in scope["headers"]:
            match name.lower():
                case b"authorization":
                    kind, _, rest = value.decode("latin-1").partition(" ")
                    key = rest.strip() if kind.lower() == "bearer" else key
                case b"api-key" | b"x-api-key":
                    key = key or value.decode("latin-1").strip()
                case b"sec-websocket-protocol":
                    key = key or _from_subprotocols(value.decode("latin-1"))
        if scope["type"] == "websocket":
            token = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [""])[0]
        if max(len(key), len(token)) > MAX_CREDENTIAL:
            raise NotAllowed("this credential is too long to be one", code="invalid_api_key")
        return cls(key, token)


def _from_subprotocols(offered: str) -> str:
    for name in offered.split(","):
        if name.strip().startswith(_SUBPROTOCOL):
            return name.strip()[len(_SUBPROTOCOL) :]
    return ""


class NoKeys:
    """A key ring without keys."""

    configured = False

    def find(self, key: str) -> Principal | None:
        """Nobody's."""
        return None


class Access:
    """Recognises people. Where neither keys nor signed tokens are configured, everybody may do everything."""

    def __init__(self, ring: KeyRing, state: SharedState, verifier: TokenVerifier | None = None) -> None:
        self._ring = ring
        self._state = state
        self._verifier = verifier

    @property
    def required(self) -> bool:
        """Whether somebody must be recognised at all."""
        return self._verifier is not None or self._ring.configured

    async def recognise(self, credentials: Credentials) -> Principal:
        """Raises NotAllowed."""
        if credentials.token:
            found = await self._redeem(credentials.token)
        elif not credentials.key:
            raise NotAllowed(
                "this server needs an API key: send Authorization: Bearer KEY (vivavoce key create makes one)",
                code="invalid_api_key",
            )
        elif credentials.key.startswith(_EPHEMERAL):
            found = await self._ephemeral(credentials.key)
        else:
            found = self._ring.find(credentials.key)
            if found is None and self._verifier is not None and credentials.key.count(".") == 2:
                return await self._verifier.verify(credentials.key)
        if found is None:
            raise NotAllowed("this key or token is not known here, was revoked or used up", code="invalid_api_key")
        return found

    async def one_time_token(self, principal: Principal) -> str:
        """A token that stands for ``principal`` once, within five minutes: for browsers, whose sockets carry no headers."""
        token = _TOKEN + secrets.token_urlsafe(32)
        scopes = sorted(principal.scopes)
        await self._state.put(token, json.dumps([principal.id, scopes]).encode(), TOKEN_SECONDS)
        return token

    async def ephemeral_key(self, principal: Principal, session: dict[str, Any], seconds: int) -> str:
        """A key bound to the configuration of a session, good for any number of them for so long."""
        key = _EPHEMERAL + secrets.token_urlsafe(32)
        scopes = [scope for scope in sorted(principal.scopes) if scope == "converse"]
        await self._state.put(key, json.dumps([principal.id, scopes, session]).encode(), seconds)
        return key

    async def bound_session(self, key: str) -> dict[str, Any] | None:
        """The configuration an ephemeral key is bound to; None for any other key."""
        value = await self._state.get(key) if key.startswith(_EPHEMERAL) else None
        bound: dict[str, Any] | None = None if value is None else json.loads(value)[2]
        return bound

    async def _ephemeral(self, key: str) -> Principal | None:
        value = await self._state.get(key)
        if value is None:
            return None
        id, scopes, _ = json.loads(value)
        return Principal(id, frozenset(scope for scope in SCOPES if scope in scopes))

    async def _redeem(self, token: str) -> Principal | None:
        value = await self._state.take(token) if token.startswith(_TOKEN) else None
        if value is None:
            return None
        id, scopes = json.loads(value)
        return Principal(id, frozenset(scope for scope in SCOPES if scope in scopes))


def check(principal: Principal, wanted: Scope) -> None:
    """Raises NotAllowed (``insufficient_scope``) where ``principal`` may not do that."""
    if not principal.may(wanted):
        raise NotAllowed(
            f"this key may not do that; it needs the scope {wanted!r} (vivavoce key create)", code="insufficient_scope"
        )


OPEN = ("/health", "/docs", "/openapi.json", "/v1/audio/models", "/v1/audio/voices", "/api/config", "/api/token")
"""Discovery, readable without a key: clients ask for it before they have one; and the route that recognises for itself.
The page's own files are open, too."""

_SCOPED: tuple[tuple[str, Scope], ...] = (
    ("/v1/audio/speech", "speak"),
    ("/v1/speech", "speak"),
    ("/v1/audio/transcriptions", "listen"),
    ("/v1/audio/translations", "listen"),
    ("/v1/", "converse"),
    ("/ws/", "converse"),
    ("/webrtc/", "converse"),
    ("/api/", "admin"),
)
"""First match wins."""


def scope_of(method: str, path: str) -> Scope | None:
    """What a request needs; None for what is open to everybody."""
    if path.startswith(OPEN) or (method in ("GET", "HEAD") and path.startswith("/v1/models")) or method == "OPTIONS":
        return None
    return next((scope for prefix, scope in _SCOPED if path.startswith(prefix)), None)
