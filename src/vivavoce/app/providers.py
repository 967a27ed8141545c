"""The remote services of a configuration beside its engines: named ports, and the chain that is the default of a kind."""

from __future__ import annotations

import logging
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from vivavoce.app.found import Offer, Taken
from vivavoce.app.provider_board import Board, ProviderLine
from vivavoce.config.settings import Settings
from vivavoce.contracts.errors import ConfigurationError, VivavoceError
from vivavoce.contracts.ports import Clock
from vivavoce.flow.tasks import TaskScope
from vivavoce.providers.discovery import Discovery, Presence
from vivavoce.providers.failover.chain import Chain, Member, Place
from vivavoce.providers.failover.language_model import FailoverLanguageModel
from vivavoce.providers.failover.named import NamedLanguageModel, NamedSpeechToText, NamedTextToSpeech
from vivavoce.providers.failover.speech_to_text import FailoverSpeechToText
from vivavoce.providers.failover.text_to_speech import FailoverTextToSpeech
from vivavoce.providers.openai_compatible.provider import Kind, Provider, base_url, provider
from vivavoce.providers.options import ProviderOptions, is_loopback
from vivavoce.sessions.ports import PROVIDER_KINDS, Choice
from vivavoce.workers.options import EngineKind

T = TypeVar("T")

AUTO = "auto"
MAX_PROVIDERS = 50
JITTER = 0.2
_KINDS: dict[Kind, tuple[str, Any, Any]] = {
    "stt": ("speech to text", FailoverSpeechToText, NamedSpeechToText),
    "llm": ("language model", FailoverLanguageModel, NamedLanguageModel),
    "tts": ("text to speech", FailoverTextToSpeech, NamedTextToSpeech),
}
_logger = logging.getLogger("vivavoce.providers")


class Providers:
    """Built before the engines and joined with their ports; services on this machine are looked for by ``start``.

    A port that a session chooses by name is that port and no other: who chose one on this machine must not find the
    conversation with another company because of a failure. The default, called ``auto``, is the chain.
    """

    def __init__(self, settings: Settings, clock: Clock, wanted: Sequence[EngineKind] = PROVIDER_KINDS) -> None:
        self._wanted = wanted
        self._settings = settings
        self._clock = clock
        self._providers = [] if settings.dev else _configured(settings)
        self._names = {one.options.name for one in self._providers}
        self._discovery = Discovery(_elsewhere(settings), clock)
        self._scope = TaskScope(self._warming_broke, limit=2 * MAX_PROVIDERS)
        self._presence = Presence()
        self._offer: Offer | None = None
        """What is found, where it is looked for."""
        self._chains: dict[Kind, Chain[Any]] = {}
        self._failovers: dict[Kind, Any] = {}
        self._ports: dict[Kind, Mapping[str, Any]] = {}
        self._places: dict[Kind, dict[str, Place[Any]]] = {kind: {} for kind in PROVIDER_KINDS}
        """How each fares by name, in the chain or asked by name."""
        self._named: dict[tuple[Kind, str], tuple[Member[Any], Any]] = {}
        self._boards = {kind: Board(clock) for kind in PROVIDER_KINDS}

    def needs_engine(self, kind: EngineKind) -> bool:
        """Whether any engine is wanted; not where only providers are named."""
        return kind not in PROVIDER_KINDS or _local(self._settings, kind) is not None

    def join(self, choice: Choice[T], kind: Kind) -> Choice[T]:
        """The ports of a kind with those of the providers. Raises ConfigurationError for a name nobody has."""
        self._ports[kind] = choice.ports
        if kind not in self._wanted or self._settings.dev:
            return choice
        ports: dict[str, Any] = dict(choice.ports)
        clashing = self._names & set(ports)
        if clashing:
            raise ConfigurationError(f"providers: {min(clashing)!r} is the name of an engine; call the provider otherwise")
        ports = {**{p.options.name: p.ports[kind] for p in self._providers if kind in p.ports}, **ports}
        order = self._order(kind, choice)
        for name in order:
            if name not in ports:
                known = ", ".join([AUTO, *ports])
                raise ConfigurationError(f"engines.{kind}: there is no {name!r} here; choose among {known}")
        joined = self._with_chain(kind, ports, order)
        retired: dict[str, Any] = {}
        if kind == "llm" and self._looks_around:
            urls = [base_url(one.options) for one in self._providers]
            taken = Taken(frozenset(url.rstrip("/") for url in urls), frozenset(self._names | set(ports)))
            self._offer = Offer(joined, retired, partial(self._offered, ports, order), taken, self._settings.keys)
        self._ports[kind] = joined
        return replace(choice, ports=joined, retired=retired)

    def _offered(self, ports: Mapping[str, Any], order: Sequence[str], found: Mapping[str, Any]) -> dict[str, Any]:
        """Language models with those found, which stand behind the configured ones and before the engines."""
        own = [name for name in order if name in self._names]
        names = [*own, *found, *(name for name in order if name not in self._names)]
        return self._with_chain("llm", {**found, **ports}, names)

    def languages(self, known: tuple[str, ...]) -> tuple[str, ...]:
        """Languages sessions may choose, with those that recognisers of providers are said to read."""
        read = [tag for one in self._providers if "stt" in one.ports for tag in one.options.languages]
        own = self._settings.sessions.conversation.language.split("-")[0]
        return tuple(dict.fromkeys((*known, *((own,) if self._providers else ()), *read)))

    async def start(self) -> None:
        """Look for services on this machine, and open connections ahead. Never raises for one that is not there."""
        if self._offer is not None:
            self._presence.saw(await self._discovery.find())
            await self._offer.update(self._presence.offered)
            if self._settings.discovery.interval > 0:
                self._scope.start(self._look_around(self._offer), name="looking for services")
        for one in [*self._providers, *(self._offer.found if self._offer is not None else ())]:
            if "llm" in self._wanted and one.language_model is not None:
                self._scope.start(self._warm(one), name=f"warming {one.options.name}")

    async def close(self) -> None:
        """Close all connections. Idempotent."""
        await self._scope.close()
        for one in self._providers:
            await one.service.close()
        if self._offer is not None:
            await self._offer.close()

    def lines(self) -> list[ProviderLine]:
        """How each provider and engine fares."""
        found = {one.options.name for one in self._offer.found} if self._offer is not None else set()
        lines = []
        for kind, ports in self._ports.items():
            chain = self._chains.get(kind)
            asked = list(chain.states()) if chain is not None else list(ports)[:1]
            now = self._clock.now()
            states = {name: known.breaker.state(now) for name, known in self._places[kind].items()}
            for name, port in ports.items():
                if name != AUTO:
                    place = asked.index(name) if name in asked else None
                    local = bool(port.capabilities.local)
                    line = ProviderLine(kind, name, place, name in found, local, states.get(name, "closed"))
                    lines.append(self._boards[kind].line(line))
        return lines

    # --- chains -------------------------------------------------------------------------------------------------------

    def _order(self, kind: Kind, choice: Choice[Any]) -> list[str]:
        """Names of the chain: as configured, or providers and then the preferred engine."""
        chosen = _chosen(self._settings, kind)
        if not chosen:
            own = [one.options.name for one in self._providers if kind in one.ports]
            return [*own, choice.default] if choice.default else own
        aliases = getattr(choice, "aliases", {})
        order = [aliases.get(name, name) for name in chosen]
        if len(order) == 1 and order[0] not in self._names and choice.default:
            return [choice.default]  # a single engine: whoever built the choice knows what its name means
        return order

    def _with_chain(self, kind: Kind, ports: Mapping[str, Any], order: Sequence[str]) -> dict[str, Any]:
        """The default first: the chain, or the only one there is. A kind has one chain as long as the server runs."""
        groups = {one.options.name: one.options.group for one in self._providers}
        title, failover, _ = _KINDS[kind]
        members = [Member(name, ports[name], groups.get(name, "")) for name in order]
        if members and kind in self._chains:
            self._chains[kind].replace(members)
        named = {name: self._by_name(kind, Member(name, port, groups.get(name, ""))) for name, port in ports.items()}
        if len(order) < 2:
            return {**{name: named[name] for name in order}, **named}
        if kind not in self._chains:
            shared = self._places[kind]
            self._chains[kind] = Chain(title, members, self._clock, observer=self._boards[kind], places=shared)
            self._failovers[kind] = failover(self._chains[kind])
        return {AUTO: self._failovers[kind], **named}

    def _by_name(self, kind: Kind, member: Member[Any]) -> Any:
        """The port as it is asked by name; the same one as long as the member is the same."""
        known = self._named.get((kind, member.name))
        if known is not None and known[0] == member:
            return known[1]
        title, _, named = _KINDS[kind]
        alone = Chain(title, [member], self._clock, observer=self._boards[kind], places=self._places[kind])
        self._named[kind, member.name] = member, named(alone)
        return self._named[kind, member.name][1]

    # --- services on this machine ------------------------------------------------------------------------------------

    @property
    def _looks_around(self) -> bool:
        return not _chosen(self._settings, "llm") and bool(self._settings.discovery.services)

    async def _look_around(self, offer: Offer) -> None:
        """As long as the server runs. Several servers of one machine do not ask all at once."""
        while True:
            await self._clock.sleep(self._settings.discovery.interval * random.uniform(1 - JITTER, 1 + JITTER))
            if self._presence.saw(await self._discovery.look_again()):
                await offer.update(self._presence.offered)

    async def _warm(self, one: Provider) -> None:
        """A service that is not there yet is asked again with the first question; until then its state is in the log."""
        model = one.language_model
        try:
            if model is not None:
                await model.warm()
        except VivavoceError as error:
            _logger.warning("%s", error.message)

    def _warming_broke(self, error: Exception) -> None:
        _logger.error("opening a connection ahead broke: %r", error)


def local_engines(settings: Settings) -> Settings:
    """The same, with engines chosen alone: of each chain the first that is no provider. Raises ConfigurationError."""
    wanted: dict[str, Any] = {kind: _local(settings, kind) or AUTO for kind in PROVIDER_KINDS}
    return replace(settings, engines=replace(settings.engines, **wanted))


def _chosen(settings: Settings, kind: str) -> list[str]:
    """``engines.llm: openai, commands`` as names; only ``auto`` is empty."""
    names = [name.strip() for name in str(getattr(settings.engines, kind)).split(",")]
    names = [name for name in names if name]
    if AUTO in names[1:] or len(set(names)) < len(names):
        raise ConfigurationError(f"engines.{kind}: name each once, and `auto` alone")
    return [] if names == [AUTO] else names


def _local(settings: Settings, kind: str) -> str | None:
    chosen, remote = _chosen(settings, kind), {options.name for options in settings.providers}
    return next((name for name in chosen if name not in remote), None) if chosen else AUTO


def _configured(settings: Settings) -> list[Provider]:
    names = [options.name for options in settings.providers]
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise ConfigurationError(f"providers: two are called {repeated!r}")
    if AUTO in names:
        raise ConfigurationError(f"providers: {AUTO!r} is the name of the chain; call the provider otherwise")
    if len(names) > MAX_PROVIDERS:
        raise ConfigurationError(f"providers: there are {len(names)}; {MAX_PROVIDERS} at most")
    for options in settings.providers:
        check_place(options, settings)
    return [provider(options, key_of(options.name, settings.keys)) for options in settings.providers]


def check_place(options: ProviderOptions, settings: Settings) -> None:
    """Raises ConfigurationError where the settings forbid the machine a provider is on."""
    rule = next((name for name in ("local_only", "offline") if getattr(settings, name)), None)
    if rule is not None and not is_loopback(base_url(options)):
        raise ConfigurationError(
            f"providers: {options.name} is at {base_url(options)}, which `{rule}: true` forbids; remove one of them"
        )


def key_of(name: str, keys: Mapping[str, str]) -> str:
    """A provider's key. An environment variable cannot hold ``-`` in its name: ``_`` stands for it."""
    return keys.get(name) or keys.get(name.replace("-", "_"), "")


def _elsewhere(settings: Settings) -> Any:
    """What is looked for, without the server's own port: it does not answer before it has started."""
    own = f":{settings.server.port}"
    services = tuple(url for url in settings.discovery.services if not url.rstrip("/").endswith(own))
    return replace(settings.discovery, services=services)
