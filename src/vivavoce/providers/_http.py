"""HTTP for all vendors: warm connections, patience, bounds, and the one map from httpx to the error tree."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx

from vivavoce.contracts.errors import InvalidRequest, ProviderFailed
from vivavoce.providers.options import is_loopback

MAX_BODY = 4_000_000
"""Bytes of an answer that is read whole."""
MAX_STREAM = 64_000_000
"""Bytes of an answer that is streamed."""
MAX_ERROR = 4_000
"""Bytes read of an answer that is an error."""
MAX_CONNECTIONS = 64
KEEP_ALIVE = 90.0
"""Seconds an idle connection is kept for the next request."""
MAX_RETRY_AFTER = 3_600.0

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Address:
    """Where a service is, who asks, and how long it may take."""

    name: str
    url: str
    key: str = field(default="", repr=False)
    connect: float = 2.0
    first: float = 6.0
    between: float = 6.0


@dataclass(frozen=True, slots=True)
class Body:
    """What a request carries: a JSON object, or a form with one file (name, bytes, type)."""

    json: Json | None = None
    form: Mapping[str, str | list[str]] | None = None
    file: tuple[str, bytes, str] | None = None


class Service:
    """One remote service: a pool of warm connections to one base address."""

    def __init__(self, address: Address) -> None:
        self.address = address
        headers = {"Authorization": f"Bearer {address.key}"} if address.key else {}
        self._client = httpx.AsyncClient(
            headers=headers,
            timeout=httpx.Timeout(None, connect=address.connect, pool=address.connect, write=address.between),
            limits=httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=8, keepalive_expiry=KEEP_ALIVE),
            verify=urlsplit(address.url).scheme == "https",
            trust_env=False,  # a proxy from the environment would carry what is meant for this machine elsewhere
        )
        self._warm = False

    @property
    def name(self) -> str:
        """What the service is called."""
        return self.address.name

    @property
    def local(self) -> bool:
        """Whether it runs on this machine."""
        return is_loopback(self.address.url)

    async def close(self) -> None:
        """Close all connections. Idempotent."""
        await self._client.aclose()

    @contextlib.asynccontextmanager
    async def stream(
        self, method: str, path: str, body: Body | None = None, *, first: float | None = None
    ) -> AsyncIterator[Reply]:
        """Ask; the answer is read while it comes, and dropping out of the context withdraws the request at once.

        ``first`` is another patience (seconds) with the beginning of the answer than that of the address.

        Raises ProviderFailed, or InvalidRequest where the service finds fault with what was asked.
        """
        url = self.address.url.rstrip("/") + path
        deadline = asyncio.get_running_loop().time() + (self.address.first if first is None else first)
        response = await self._send(method, url, body or Body(), deadline)
        reply = Reply(self, response, deadline)
        try:
            if response.status_code != 200:
                raise await self._refused(reply, response)
            yield reply
        finally:
            await reply.close()

    async def fetch(self, method: str, path: str, body: Body | None = None, *, first: float | None = None) -> bytes:
        """The whole answer, bounded. Raises as ``stream``."""
        async with self.stream(method, path, body, first=first) as reply:
            return await reply.read()

    async def fetch_json(self, method: str, path: str, body: Body | None = None) -> Any:
        """The whole answer as JSON. Raises as ``stream``."""
        return self.parse(await self.fetch(method, path, body))

    def parse(self, raw: bytes | str) -> Any:
        """JSON. Raises ProviderFailed."""
        try:
            return json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise ProviderFailed(f"{self.name} answered with something that is not JSON", cause=error) from error

    def failed(self, error: Exception) -> ProviderFailed:
        """An exception of httpx as an error of the tree."""
        name = self.name
        match error:
            case TimeoutError() | httpx.ReadTimeout() | httpx.WriteTimeout():
                return ProviderFailed(f"{name} took too long to answer", cause=error)
            case httpx.ConnectTimeout() | httpx.ConnectError():
                host = urlsplit(self.address.url).netloc
                return ProviderFailed(f"{name} cannot be reached at {host}; is it running?", cause=error)
            case httpx.PoolTimeout():
                return ProviderFailed(f"{name} has {MAX_CONNECTIONS} requests of ours under way already", cause=error)
            case httpx.InvalidURL() | httpx.UnsupportedProtocol():
                return ProviderFailed(f"the address of {name} is wrong; correct its url", retryable=False, cause=error)
            case httpx.DecodingError():
                return ProviderFailed(f"{name} sent an answer that cannot be unpacked", cause=error)
            case _:
                return ProviderFailed(f"the connection to {name} broke", cause=error)

    def clean(self, text: object) -> str:
        """A text of the service for a message: short, one line, without the key."""
        shown = " ".join(str(text).split())
        if self.address.key:
            shown = shown.replace(self.address.key, "***")
        return shown[:300]

    async def _send(self, method: str, url: str, body: Body, deadline: float) -> httpx.Response:
        try:
            async with asyncio.timeout_at(deadline):
                try:
                    response = await self._client.send(self._request(method, url, body), stream=True)
                except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
                    if not self._warm:
                        raise
                    self._warm = False  # the kept connection may have been closed under the request: once more, on a new one
                    response = await self._client.send(self._request(method, url, body), stream=True)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            raise self.failed(error) from error
        self._warm = True
        return response

    def _request(self, method: str, url: str, body: Body) -> httpx.Request:
        if body.json is not None:
            return self._client.build_request(method, url, json=body.json)
        files = {"file": body.file} if body.file is not None else None
        return self._client.build_request(method, url, data=body.form, files=files)

    async def _refused(self, reply: Reply, response: httpx.Response) -> ProviderFailed | InvalidRequest:
        with contextlib.suppress(ProviderFailed):  # the status says enough
            await reply.read(MAX_ERROR)
        said = self.clean(_reason(reply.seen))
        return status_error(self.name, response.status_code, said, _retry_after(response.headers.get("retry-after")))


class Reply:
    """An answer on its way. ``seen`` keeps what ``read`` has read so far."""

    def __init__(self, service: Service, response: httpx.Response, deadline: float) -> None:
        self._service = service
        self._response = response
        self._deadline = deadline
        self._pieces = aiter(response.aiter_bytes())
        self.seen = b""

    @property
    def content_type(self) -> str:
        """Without parameters, in small letters."""
        return str(self._response.headers.get("content-type", "")).partition(";")[0].strip().lower()

    async def chunks(self, limit: int = MAX_STREAM) -> AsyncGenerator[bytes, None]:
        """Pieces as they come. Raises ProviderFailed on a break, on silence, and behind ``limit`` bytes."""
        between, total = self._service.address.between, 0
        loop, deadline = asyncio.get_running_loop(), self._deadline
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    piece = await anext(self._pieces)
            except StopAsyncIteration:
                return
            except (httpx.HTTPError, httpx.StreamError, TimeoutError) as error:
                raise self._service.failed(error) from error
            total += len(piece)
            if total > limit:
                raise ProviderFailed(f"{self._service.name} sent more than {limit} bytes", retryable=False)
            yield piece
            deadline = loop.time() + between

    async def close(self) -> None:
        """Withdraw what has not come. The iterators within httpx are led to their end, or the collector would need tasks."""
        await self._response.aclose()
        with contextlib.suppress(httpx.HTTPError, httpx.StreamError, StopAsyncIteration):
            while True:  # what is buffered, then the closed connection says so
                await anext(self._pieces)

    async def read(self, limit: int = MAX_BODY) -> bytes:
        """All of it. Raises as ``chunks``."""
        async with contextlib.aclosing(self.chunks(limit)) as pieces:
            async for piece in pieces:
                self.seen += piece
        return self.seen


def status_error(name: str, status: int, said: str, retry_after: float | None) -> ProviderFailed | InvalidRequest:
    """An HTTP status as an error of the tree; ``said`` is what the service wrote about it, cleaned."""
    because = f": {said}" if said else ""
    if status in (401, 403):
        text = f"{name} refused the key (status {status}); check it with `vivavoce connect`, or what it allows{because}"
        return ProviderFailed(text, code="provider_not_allowed", retryable=False)
    if status == 402:
        return ProviderFailed(f"{name} wants to be paid{because}", code="provider_not_allowed", retryable=False)
    if status == 404:
        text = f"{name} knows no such model or address (status 404); check the model's name and the url{because}"
        return ProviderFailed(text, code="provider_model_unknown", retryable=False)
    if status == 429:
        return ProviderFailed(f"{name} limits how often it is asked{because}", retry_after=retry_after)
    if 300 <= status < 400:
        text = f"{name} sent us elsewhere (status {status}), which is not followed; correct its url"
        return ProviderFailed(text, retryable=False)
    if status in (408, 425) or status >= 500:
        return ProviderFailed(f"{name} has a problem (status {status}){because}", retry_after=retry_after)
    if status >= 400:
        return InvalidRequest(f"{name} does not take this request (status {status}){because}", code="provider_refused")
    return ProviderFailed(f"{name} answered with status {status}{because}")


def _reason(raw: bytes) -> str:
    """The message in an error body, or the beginning of the body."""
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        return raw.decode(errors="replace")[:300]
    found = body.get("error", body.get("detail", body.get("message", ""))) if isinstance(body, dict) else body
    if isinstance(found, dict):
        found = found.get("message", "")
    return str(found)


def _retry_after(value: str | None) -> float | None:
    """Seconds; a date, which servers of models do not send, counts as unknown."""
    try:
        seconds = float(value or "")
    except ValueError:
        return None
    return min(MAX_RETRY_AFTER, seconds) if seconds >= 0 else None
