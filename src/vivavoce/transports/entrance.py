"""What every request passes: who asks, whether they may, and whether they have not asked too much already."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from vivavoce.contracts.access import EVERYBODY, Principal
from vivavoce.contracts.access import Scope as Permission
from vivavoce.contracts.errors import NotAllowed, VivavoceError
from vivavoce.transports.access import Access, Credentials, check, scope_of
from vivavoce.transports.errors import answer
from vivavoce.transports.rates import Rates, Rest


class Entrance:
    """One for all doors of a server."""

    def __init__(self, access: Access, rates: Rates, rest: Rest) -> None:
        self.access = access
        self.rates = rates
        self._rest = rest

    async def admit(self, scope: Mapping[str, Any], wanted: Permission | None) -> Principal | None:
        """Who asks; None for what is open to everybody. Raises NotAllowed, LimitExceeded."""
        principal: Principal | None = None
        if wanted is not None:
            principal = await self.recognise(scope)
            check(principal, wanted)
        await self.rates.spend("requests", caller_of(scope, principal))
        return principal

    async def recognise(self, scope: Mapping[str, Any]) -> Principal:
        """Who asks, whatever they may do. Raises NotAllowed, LimitExceeded."""
        self._rest.check(peer_of(scope))
        if not self.access.required:
            return EVERYBODY
        try:
            return await self.access.recognise(Credentials.of(scope))
        except NotAllowed:
            if Credentials.of(scope) != Credentials():
                self._rest.wrong(peer_of(scope))
            raise


def peer_of(scope: Mapping[str, Any]) -> str:
    """The address a request comes from."""
    client = scope.get("client")
    return str(client[0]) if client else "unknown"


def caller_of(scope: Mapping[str, Any], principal: Principal | None) -> str:
    """Whose budget a request is on: a key's, or an address's where there are no keys."""
    if principal is None or principal.id == "anonymous":
        return peer_of(scope)
    return principal.id


class EntranceMiddleware:
    """Looks at every HTTP request before anything else does. WebSocket doors ask for themselves, before the upgrade."""

    def __init__(self, app: ASGIApp, entrance: Entrance) -> None:
        self._app = app
        self._entrance = entrance

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            try:
                principal = await self._entrance.admit(scope, scope_of(scope["method"], scope["path"]))
            except VivavoceError as error:
                await answer(error)(scope, receive, send)
                return
            scope.setdefault("state", {})["caller"] = caller_of(scope, principal)
        await self._app(scope, receive, send)
