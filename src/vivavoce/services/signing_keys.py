"""Public keys of whoever signs tokens, fetched from an address (a JSON Web Key Set), kept for a while, and then forgotten.

Without keys nobody is let in: when they are too old and cannot be had anew, tokens are refused with a reason and a log line.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from vivavoce.contracts.errors import ConfigurationError, ProviderFailed, Unavailable, VivavoceError
from vivavoce.contracts.ports import Clock
from vivavoce.flow.tasks import Gate, TaskScope
from vivavoce.flow.threads import OffLoop
from vivavoce.providers.options import check_url, is_loopback

PATIENCE = 5.0
"""Seconds a whole fetch may take."""
MAX_BYTES = 256 * 1024
MAX_KEYS = 100
AT_MOST_EVERY = 60.0
"""Seconds between two fetches while there are keys: unknown names in tokens cannot make us ask more often."""
AGAIN = 5.0
"""Seconds between two fetches while there are none."""

Parse = Callable[[bytes], Mapping[str, Any]]
"""Keys by name from a document. Raises ValueError."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the keys are, how long (seconds) they count, and how long a fetch may take."""

    url: str
    lifetime: float = 3_600.0
    patience: float = PATIENCE


def check_place(url: str, *, rule: str | None = None) -> None:
    """``rule`` is the setting that forbids other machines, if one does. Raises ConfigurationError."""
    try:
        check_url(url)
    except ValueError as error:
        raise ConfigurationError(f"server.jwt.jwks_url: {error}", cause=error) from error
    if is_loopback(url):
        return
    if rule is not None:
        raise ConfigurationError(
            f"server.jwt.jwks_url is {url}, which `{rule}: true` forbids; take a jwks_file, or remove one of them"
        )
    if not url.startswith("https://"):
        raise ConfigurationError(
            f"server.jwt.jwks_url is {url}: keys from another machine must come over https, or anybody between could "
            "replace them"
        )


class SigningKeys:
    """The keys at one address. Make it before the loop runs: it reads the certificates of the system."""

    def __init__(self, place: Place, clock: Clock, parse: Parse) -> None:
        self._place = place
        self._clock = clock
        self._parse = parse
        self._keys: Mapping[str, Any] = {}
        self._fetched: float | None = None
        self._tried: float | None = None
        self._failure: VivavoceError | None = None
        self._under_way: Gate | None = None
        self.off_loop = OffLoop(1, 1)
        self._scope = TaskScope(self._broke, limit=4)
        # No proxy from the environment stands between us and those we trust, and nobody sends us elsewhere.
        self._client = httpx.AsyncClient(
            verify=place.url.startswith("https:"), trust_env=False, follow_redirects=False, timeout=place.patience
        )

    def start(self) -> None:
        """Fetch them for the first time; whoever comes meanwhile waits for that."""
        self._begin()

    async def close(self) -> None:
        """Fetch no more. Idempotent."""
        await self._scope.close()
        await self._client.aclose()
        self.off_loop.close()

    async def find(self, name: str) -> Any | None:
        """The key called ``name``; None where there is none. Waits for a fetch that is under way.

        Raises Unavailable where the keys cannot be had.
        """
        if self._age() < self._place.lifetime and name in self._keys:
            if self._age() > self._place.lifetime / 2 and self._may_try():
                self._begin()  # for whoever comes later
            return self._keys[name]
        if self._under_way is None and self._may_try():
            self._begin()
        if self._under_way is not None:
            await self._under_way.wait()
        if self._age() >= self._place.lifetime:
            self._forget()
            raise self._unavailable()
        if name not in self._keys and self._failure is not None:
            raise self._unavailable()  # it may be a new key: nobody can say
        return self._keys.get(name)

    def _age(self) -> float:
        return float("inf") if self._fetched is None else self._clock.now() - self._fetched

    def _may_try(self) -> bool:
        if self._under_way is not None:
            return False
        pause = AT_MOST_EVERY if self._keys and self._age() < self._place.lifetime else AGAIN
        return self._tried is None or self._clock.now() - self._tried >= pause

    def _begin(self) -> None:
        self._tried = self._clock.now()
        gate = self._under_way = Gate()
        self._scope.start(self._fetch(gate), name="signing keys")

    async def _fetch(self, gate: Gate) -> None:
        try:
            async with asyncio.timeout(self._place.patience):
                raw = await self._read()
            keys = await self.off_loop.run(self._parsed, raw)
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, TimeoutError, ValueError) as error:
            self._failed(ProviderFailed(_reason(error, self._place.patience), cause=error))
        except VivavoceError as error:
            self._failed(error)
        else:
            if self._failure is not None or set(keys) != set(self._keys):
                _logger.info("%d signing keys from %s", len(keys), self._place.url)
            self._keys, self._failure, self._fetched = keys, None, self._clock.now()
        finally:
            self._under_way, self._tried = None, self._clock.now()
            gate.open()

    async def _read(self) -> bytes:
        pieces = bytearray()
        async with self._client.stream("GET", self._place.url, headers={"accept": "application/json"}) as answer:
            if answer.status_code != 200:
                raise ProviderFailed(f"the answer has status {answer.status_code}, not 200")
            async for piece in answer.aiter_bytes():
                pieces += piece
                if len(pieces) > MAX_BYTES:
                    raise ProviderFailed(f"the answer has more than {MAX_BYTES} bytes")
        return bytes(pieces)

    def _parsed(self, raw: bytes) -> Mapping[str, Any]:
        keys = self._parse(raw)
        if len(keys) > MAX_KEYS:
            raise ValueError(f"there are {len(keys)} keys, at most {MAX_KEYS} are taken")
        return keys

    def _failed(self, error: VivavoceError) -> None:
        self._failure = error
        left = max(0.0, self._place.lifetime - self._age())
        until = f"those there are count for {left:.0f} s more" if left else "signed tokens are refused"
        _logger.error("signing keys cannot be had from %s: %s; %s", self._place.url, error.message, until)

    def _forget(self) -> None:
        if self._keys:
            self._keys = {}
            _logger.error("signing keys from %s are too old: signed tokens are refused", self._place.url)

    def _unavailable(self) -> Unavailable:
        return Unavailable(
            "signed tokens cannot be checked now: the keys of whoever signs them cannot be had; the log says why",
            code="signing_keys_unavailable",
            retry_after=AGAIN,
            cause=self._failure,
        )

    def _broke(self, error: Exception) -> None:
        _logger.error("fetching signing keys broke", exc_info=error)
        self._failure = ProviderFailed("fetching signing keys broke", cause=error)


def _reason(error: Exception, patience: float) -> str:
    match error:
        case TimeoutError() | httpx.TimeoutException():
            return f"no whole answer within {patience:g} s"
        case httpx.ConnectError():
            return "nobody answers there"
        case httpx.HTTPError() | httpx.StreamError() | httpx.InvalidURL():
            return f"the connection broke: {error}"
        case _:
            return f"the answer is no JSON Web Key Set: {str(error)[:200]}"
