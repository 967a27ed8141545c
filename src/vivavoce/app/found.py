"""The services found on this machine, as ports of the choice of language models."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vivavoce.providers.discovery import Found
from vivavoce.providers.openai_compatible.provider import Provider, provider
from vivavoce.providers.options import ProviderOptions

_logger = logging.getLogger("vivavoce.providers")


@dataclass(frozen=True, slots=True)
class Taken:
    """Addresses and names that are configured: what is found there is known already."""

    urls: frozenset[str]
    names: frozenset[str]


class Offer:
    """Keeps a choice's ports as they are found, in place, between two steps of the loop.

    ``ports`` and ``retired`` are those of the choice. A port that is no longer there is kept for those who have chosen it,
    until another of its name takes its place: there are never more than there are names of services.
    """

    def __init__(
        self,
        ports: dict[str, Any],
        retired: dict[str, Any],
        join: Callable[[Mapping[str, Any]], Mapping[str, Any]],
        taken: Taken,
        keys: Mapping[str, str],
    ) -> None:
        self._ports = ports
        self._retired = retired
        self._join = join
        self._taken = taken
        self._keys = keys
        self._made: dict[str, Provider] = {}
        """Of each name the latest."""
        self._offered: list[str] = []

    @property
    def found(self) -> list[Provider]:
        """Those offered now."""
        return [self._made[name] for name in self._offered]

    async def update(self, found: Sequence[Found]) -> None:
        """Offer these, of one name the first."""
        wanted: dict[str, ProviderOptions] = {}
        for one in found:
            if one.url not in self._taken.urls and one.profile not in self._taken.names:
                wanted.setdefault(one.profile, ProviderOptions(one.profile, one.profile, one.url, llm=one.models[0]))
        replaced: list[Provider] = []
        for name, options in wanted.items():
            known = self._made.get(name)
            if known is None or known.options != options:
                self._made[name] = provider(options, self._keys.get(name, ""))
                replaced += [known] if known is not None else []
                _logger.info("found %s with the language model %s", name, options.llm)
        for name in self._offered:
            if name not in wanted:
                _logger.info("%s is gone", name)
        self._offered = list(wanted)
        before = dict(self._ports)
        after = dict(self._join({one.options.name: one.ports["llm"] for one in self.found}))
        self._ports.clear()
        self._ports.update(after)
        self._retired.update({name: port for name, port in before.items() if name not in after})
        for old in replaced:
            await old.service.close()

    async def close(self) -> None:
        """Close all connections."""
        for one in self._made.values():
            await one.service.close()
