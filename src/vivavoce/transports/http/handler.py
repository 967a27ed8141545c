"""The HTTP door: health, status, configuration, metrics, the page and its documentation."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from fastapi import APIRouter, FastAPI, Request, Response
from starlette.middleware.cors import CORSMiddleware

from vivavoce import __version__
from vivavoce.contracts.errors import NotAllowed
from vivavoce.sessions.registry import Sessions
from vivavoce.transports.access import TOKEN_SECONDS, Credentials
from vivavoce.transports.bodies import ErrorBody
from vivavoce.transports.entrance import Entrance, EntranceMiddleware
from vivavoce.transports.errors import RETRY_AFTER
from vivavoce.transports.guard import Guard
from vivavoce.transports.http import problems
from vivavoce.transports.http.dashboard import Dashboard, dashboard_router
from vivavoce.transports.http.described import Described
from vivavoce.transports.http.models import ModelLibrary, models_router
from vivavoce.transports.http.page import Page
from vivavoce.transports.http.schemas import (
    ClientConfig,
    ClientLimits,
    Formats,
    Health,
    MetricsReport,
    OneTimeToken,
    ProviderList,
    ProviderNames,
    ProviderStatus,
    SessionStatus,
    State,
    Status,
    WorkerStatus,
)
from vivavoce.transports.http.sessions import sessions_router
from vivavoce.transports.offer import offer_of
from vivavoce.transports.options import MAX_AUDIO_MESSAGE, MAX_TEXT, PROTOCOL_VERSION, WEBSOCKET_PATH, ServerOptions

_Answers = dict[int | str, dict[str, Any]]
_ERRORS: _Answers = {403: {"model": ErrorBody, "description": "A foreign Host or Origin."}}
_NOT_READY: _Answers = {503: {"model": Health, "description": "Starting or stopping."}, **_ERRORS}


class StatusProvider(Protocol):
    """What the door cannot know: how the server as a whole is doing."""

    @property
    def state(self) -> State:
        """``draining`` is also told by the sessions themselves."""

    @property
    def uptime(self) -> float:
        """Seconds since the start."""

    def workers(self) -> Sequence[WorkerStatus]: ...

    def providers(self) -> Sequence[ProviderStatus]: ...


class MetricsProvider(Protocol):
    """Numbers about everything: ``counts``, ``latencies`` (each with count, p50, p95, p99, max) and ``gauges``."""

    def snapshot(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Behind:
    """What stands behind the door."""

    sessions: Sessions
    status: StatusProvider
    metrics: MetricsProvider
    options: ServerOptions
    page: Page
    entrance: Entrance
    models: ModelLibrary | None = None
    """Without it there is nothing below `/api/models`."""
    dashboard: Dashboard | None = None
    """Without it there are no past turns, no system, no settings and no keys."""
    certificate_ends: Callable[[], float | None] = lambda: None
    """When the listener's certificate ends, in seconds since the epoch; None without TLS."""


def install(app: FastAPI, behind: Behind) -> None:
    """Open the door in an application made by ``application``."""
    problems.install(app)
    app.include_router(_machine(behind))
    app.include_router(_providers(behind.status))
    app.include_router(sessions_router(behind.sessions))
    app.include_router(_tokens(behind.entrance))
    if behind.models is not None:
        app.include_router(models_router(behind.models))
    if behind.dashboard is not None:
        app.include_router(dashboard_router(behind.dashboard))
    app.include_router(_page(behind.page))
    app.add_middleware(EntranceMiddleware, entrance=behind.entrance)
    if behind.options.allowed_origins:  # outside the entrance: a page is to read why it was refused
        app.add_middleware(
            CORSMiddleware,
            allow_origins=behind.options.allowed_origins,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["Location"],
        )
    app.add_middleware(problems.GuardMiddleware, guard=Guard(behind.options))
    app.add_middleware(problems.RequestIdMiddleware)


def application(**arguments: Any) -> FastAPI:
    """An application that describes itself without foreign hosts: ``/docs`` is ours, not FastAPI's."""
    return Described(
        title="Vivavoce",
        version=__version__,
        description="A local-first voice server. The conversation itself is spoken over the WebSocket `/ws/audio`.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        redirect_slashes=False,
        **arguments,
    )


def _machine(behind: Behind) -> APIRouter:
    routes = APIRouter(tags=["server"])
    sessions = behind.sessions

    def state() -> State:
        return "draining" if sessions.draining else behind.status.state

    def health() -> Health:
        now = state()
        return Health(status=now, ready=now == "ok", version=__version__)

    @routes.get("/health", responses=_NOT_READY)
    async def ready(response: Response) -> Health:
        """Readiness: 200 when the server takes work, 503 while it starts or stops."""
        answer = health()
        if not answer.ready:
            response.status_code, response.headers["retry-after"] = 503, str(round(RETRY_AFTER))
        return answer

    @routes.get("/health/live", responses=_ERRORS)
    async def live() -> Health:
        """Liveness: 200 as long as the server answers."""
        return health()

    @routes.get("/api/status", responses=_ERRORS)
    async def status() -> Status:
        """Workers, and sessions with their microphone statistics."""
        return Status(
            status=state(),
            version=__version__,
            uptime=behind.status.uptime,
            sessions=_shown(sessions),
            sessions_max=sessions.options.max_sessions,
            sessions_opened=sessions.opened,
            workers=list(behind.status.workers()),
            providers=list(behind.status.providers()),
            certificate_ends=behind.certificate_ends(),
        )

    @routes.get("/api/config", responses=_ERRORS)
    async def config() -> ClientConfig:
        """What a client needs to connect."""
        return client_config(sessions, behind.options)

    @routes.get("/api/metrics", responses=_ERRORS)
    async def metrics() -> MetricsReport:
        """Counts, latency percentiles per stage, queue depths, event-loop lag and audio age."""
        return MetricsReport.model_validate({"uptime": behind.status.uptime, **behind.metrics.snapshot()})

    return routes


def _shown(sessions: Sessions) -> list[SessionStatus]:
    return [SessionStatus(id=s.id, transport=s.transport, age=s.age, audio=s.conversation.statistics) for s in sessions]


def _providers(status: StatusProvider) -> APIRouter:
    routes = APIRouter(tags=["server"])

    @routes.get("/api/providers", responses=_ERRORS)
    async def providers() -> ProviderList:
        """Engines and remote services: their places in the chains, breakers, last errors, times to the first output."""
        return ProviderList(providers=list(status.providers()))

    return routes


def _tokens(entrance: Entrance) -> APIRouter:
    routes = APIRouter(tags=["server"])

    @routes.post("/api/token", responses={401: {"model": ErrorBody, "description": "No key, or a wrong one."}, **_ERRORS})
    async def one_time_token(request: Request) -> OneTimeToken:
        """A token for one WebSocket connection within five minutes, given in its address as `?token=…`."""
        principal = await entrance.recognise(request.scope)
        if await entrance.access.bound_session(Credentials.of(request.scope).key) is not None:
            raise NotAllowed("an ephemeral key makes no tokens, which would be bound to nothing", code="forbidden")
        token = await entrance.access.one_time_token(principal)
        return OneTimeToken(token=token, expires_in=int(TOKEN_SECONDS), scopes=sorted(principal.scopes))

    return routes


def client_config(sessions: Sessions, options: ServerOptions) -> ClientConfig:
    """What a client can choose and must respect."""
    offer, defaults, limits = offer_of(sessions.ports), sessions.options.conversation, options.sockets
    return ClientConfig(
        websocket=WEBSOCKET_PATH,
        version=PROTOCOL_VERSION,
        formats=Formats(),
        language=defaults.language,
        languages=list(offer.languages),
        voice=defaults.voice,
        voices={name: list(voices) for name, voices in offer.voices.items()},
        providers=ProviderNames(stt=list(offer.stt), llm=list(offer.llm), tts=list(offer.tts)),
        mode=defaults.mode,
        modes=list(offer.modes),
        limits=ClientLimits(
            audio_message_bytes=(2, MAX_AUDIO_MESSAGE),
            text_characters=(1, MAX_TEXT),
            control_messages_per_minute=limits.control_per_minute,
            played_per_second=limits.played_per_second,
            audio_speed=limits.audio_speed,
            audio_burst_seconds=limits.audio_burst,
        ),
    )


def _page(page: Page) -> APIRouter:
    routes = APIRouter(include_in_schema=False)

    @routes.get("/")
    async def index(request: Request) -> Response:
        return page.answer("index.html", request)

    @routes.get("/docs")
    async def docs(request: Request) -> Response:
        return page.answer("docs/index.html", request)

    for path in page.paths:  # one each: a route for any path would answer for what only other methods may ask
        routes.add_api_route(f"/{path}", functools.partial(_file, page, path))
    return routes


async def _file(page: Page, path: str, request: Request) -> Response:
    return page.answer(path, request)
