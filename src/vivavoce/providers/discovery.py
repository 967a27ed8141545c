"""Language models that run on this machine, found by what they answer and not by their port alone."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vivavoce.contracts.errors import InvalidRequest, ProviderFailed
from vivavoce.contracts.ports import Clock
from vivavoce.providers._http import Address, Service
from vivavoce.providers.openai_compatible.catalogue import chats, models
from vivavoce.providers.options import DiscoveryOptions, ProfileName

KEPT = 30.0
"""Seconds a finding is kept."""
_EMBEDDING = ("bert", "nomic-bert")
"""Model families of Ollama that do not chat."""


@dataclass(frozen=True, slots=True)
class Found:
    """A service on this machine: whose it is, its base address, and the models that can chat, one to use first.

    ``ready`` says that the first of them can answer at once or is loaded by the first request.
    """

    profile: ProfileName
    url: str
    models: tuple[str, ...] = ()
    ready: bool = False


class Discovery:
    """Asks all addresses at one time, for a bounded time, and keeps what it found for a while."""

    def __init__(self, options: DiscoveryOptions, clock: Clock) -> None:
        self._options = options
        self._clock = clock
        self._found: tuple[Found, ...] = ()
        self._until: float | None = None

    async def find(self) -> tuple[Found, ...]:
        """The services, in the order of their addresses. Never raises for one that is not there."""
        if self._until is None or self._clock.now() >= self._until:
            await self.look_again()
        return self._found

    async def look_again(self) -> tuple[Found, ...]:
        """The same, asked now."""
        self._found = await discover(self._options.services, self._options.timeout)
        self._until = self._clock.now() + KEPT
        return self._found


class Presence:
    """What is to be offered of what is found, time after time, so that a service that wavers does not come and go.

    Pure. A service is offered with its first sighting; it is dropped when it was missed ``MISSES`` times in a row, and one
    that was dropped comes back with ``SIGHTINGS`` in a row. Its model stays the same as long as the service has it.
    """

    MISSES = 3
    SIGHTINGS = 2

    def __init__(self) -> None:
        self._known: dict[str, _Sight] = {}
        self.offered: tuple[Found, ...] = ()

    def saw(self, found: Sequence[Found]) -> bool:
        """What was found just now; tell whether that changes what is offered."""
        present = {one.url: one for one in found if one.ready}
        for url, one in present.items():
            self._known.setdefault(url, _Sight(one)).seen(one, self.SIGHTINGS)
        for url, sight in self._known.items():
            if url not in present:
                sight.missed(self.MISSES)
        before, self.offered = self.offered, tuple(s.found for s in self._known.values() if s.offered)
        return self.offered != before


@dataclass(slots=True)
class _Sight:
    """How often a service was seen or missed in a row."""

    found: Found
    offered: bool = False
    lost: bool = False
    seen_in_a_row: int = 0
    missed_in_a_row: int = 0

    def seen(self, found: Found, enough: int) -> None:
        self.missed_in_a_row = 0
        self.seen_in_a_row += 1
        if not self.offered or self.found.models[0] not in found.models:
            self.found = found
        if not self.lost or self.seen_in_a_row >= enough:
            self.offered, self.lost = True, False

    def missed(self, enough: int) -> None:
        self.seen_in_a_row = 0
        self.missed_in_a_row += 1
        if self.offered and self.missed_in_a_row >= enough:
            self.offered, self.lost = False, True


async def discover(addresses: Sequence[str], timeout: float) -> tuple[Found, ...]:
    """What is found at ``addresses`` within ``timeout`` seconds, in their order."""
    found = await asyncio.gather(*(_probe(address, timeout) for address in addresses))
    return tuple(one for one in found if one is not None)


async def _probe(root: str, timeout: float) -> Found | None:
    service = Service(Address("a local service", root, connect=timeout, first=timeout, between=timeout))
    try:
        async with asyncio.timeout(timeout):
            return await _identify(service, root.rstrip("/"))
    except (ProviderFailed, InvalidRequest, TimeoutError):  # nobody there, or a stranger
        return None
    finally:
        await service.close()


async def _identify(service: Service, root: str) -> Found | None:
    """Each of them has a route that only it has."""
    if (await _fetch(service, "/")).startswith(b"Ollama is running"):
        return await _ollama(service, root)
    listed = await _json(service, "/api/v0/models")
    rows = _rows(listed, "data")
    if rows and all("state" in row for row in rows):
        return _lm_studio(rows, root)
    props = await _json(service, "/props")
    if isinstance(props, dict) and "default_generation_settings" in props:
        return await _llama_cpp(root, service)
    return None


async def _ollama(service: Service, root: str) -> Found:
    """It loads a model with the first request; one that is loaded is taken before the others."""
    tags = _rows(await _json(service, "/api/tags"), "models")
    loaded = {str(row.get("name")) for row in _rows(await _json(service, "/api/ps"), "models")}
    names = [str(row.get("name") or "") for row in tags if _family(row) not in _EMBEDDING]
    names = [name for name in names if name and chats(name)]
    names.sort(key=lambda name: name not in loaded)
    return Found("ollama", f"{root}/v1", tuple(names), ready=bool(names))


def _lm_studio(rows: Sequence[dict[str, Any]], root: str) -> Found:
    usable = [row for row in rows if row.get("type") in ("llm", "vlm")]
    usable.sort(key=lambda row: row.get("state") != "loaded")
    names = tuple(str(row.get("id") or "") for row in usable)
    return Found("lmstudio", f"{root}/v1", names, ready=bool(usable) and usable[0].get("state") == "loaded")


async def _llama_cpp(root: str, service: Service) -> Found:
    base = Service(Address(service.name, f"{root}/v1", connect=service.address.connect, first=service.address.first))
    try:
        names = tuple(name for name in await models(base) if chats(name))
    finally:
        await base.close()
    return Found("llamacpp", f"{root}/v1", names, ready=bool(names))


async def _json(service: Service, path: str) -> Any:
    """What a route answers, None where there is no such route or it is for people."""
    text = await _fetch(service, path)
    try:
        return service.parse(text) if text else None
    except ProviderFailed:
        return None


async def _fetch(service: Service, path: str) -> bytes:
    """What a route answers, nothing where there is no such route."""
    try:
        return await service.fetch("GET", path)
    except InvalidRequest:
        return b""
    except ProviderFailed as error:
        if error.code == "provider_model_unknown":
            return b""
        raise


def _rows(answer: Any, name: str) -> list[dict[str, Any]]:
    rows = answer.get(name) if isinstance(answer, dict) else None
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _family(row: dict[str, Any]) -> str:
    details = row.get("details")
    return str(details.get("family", "")) if isinstance(details, dict) else ""
