"""The server: sessions and doors put around the parts, started and stopped in order."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import importlib.resources
import logging
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from vivavoce.app.dashboard_desk import DashboardDesk, Sources
from vivavoce.app.graph import Parts
from vivavoce.app.model_desk import ModelDesk
from vivavoce.app.trust import entrance_of, signing_keys_of
from vivavoce.app.watching import CertificateWatch, key_watch
from vivavoce.config.load import Loaded
from vivavoce.flow.threads import BACKGROUND
from vivavoce.media.calls import MediaCalls
from vivavoce.observe.following import Witnesses
from vivavoce.observe.latency import LatencyLog
from vivavoce.observe.loop_lag import LoopLag
from vivavoce.observe.metrics import Metrics
from vivavoce.observe.timeline import Timeline
from vivavoce.observe.turns import TurnStore
from vivavoce.services.keys import KeyFile
from vivavoce.sessions.registry import Sessions
from vivavoce.transports.http import handler as http
from vivavoce.transports.http.page import Page
from vivavoce.transports.http.schemas import ProviderStatus, State, WorkerStatus
from vivavoce.transports.openai import handler as openai
from vivavoce.transports.openai import spoken_door
from vivavoce.transports.realtime import handler as realtime
from vivavoce.transports.tls import Tls
from vivavoce.transports.webrtc import handler as webrtc
from vivavoce.transports.webrtc.routes import routes_of as webrtc_routes
from vivavoce.transports.ws import handler as ws
from vivavoce.workers.pool import WorkerStatus as Worker

_logger = logging.getLogger("vivavoce")


class Running:
    """What the HTTP door asks about the server as a whole."""

    def __init__(self, parts: Parts, media: Callable[[], Sequence[Worker]] = tuple) -> None:
        self._parts = parts
        self._media = media
        self._started: float | None = None
        self.state: State = "starting"

    def started(self) -> None:
        """Everything is loaded."""
        self._started = self._parts.clock.now()
        self.state = "ok"

    @property
    def uptime(self) -> float:
        """Seconds since the start."""
        return 0.0 if self._started is None else self._parts.clock.now() - self._started

    def workers(self) -> Sequence[WorkerStatus]:
        """How the processes are."""
        return [
            WorkerStatus(
                group=worker.group,
                engines=list(worker.engines),
                pid=worker.pid,
                state=worker.state,
                jobs=worker.jobs,
                waiting=worker.waiting,
                restarts=worker.restarts,
                memory_mb=worker.memory,
            )
            for worker in (*self._parts.workers(), *self._media())
        ]

    def providers(self) -> Sequence[ProviderStatus]:
        """How engines and remote services fare."""
        return [ProviderStatus(**asdict(line)) for line in self._parts.providers.lines()]


class Application:
    """The object graph of one server."""

    def __init__(self, loaded: Loaded, keys: KeyFile, parts: Parts, tls: Tls | None = None) -> None:
        self._settings = settings = loaded.settings
        self.parts = parts
        self._tls = tls
        self._watches = [key_watch(keys, self.parts.clock)] + (
            [] if tls is None else [CertificateWatch(tls, self.parts.clock)]
        )
        self._signing = signing_keys_of(settings, self.parts.clock)
        self.entrance = entrance_of(settings.server, keys, self.parts.clock, self._signing)
        self._latency = LatencyLog(self.parts.clock)
        self._turns = TurnStore(settings.turns, self.parts.clock)
        self._timeline = Timeline()
        witness = Witnesses(self._turns, self._latency, self.parts.clock)
        self.sessions = Sessions(self.parts.ports, settings.sessions, self.parts.clock, witness)
        self.metrics = Metrics()
        self._running = Running(self.parts, self.media_status)
        self.models = ModelDesk(settings, self.parts.groups)
        self._dashboard = self._desk(loaded, keys)
        self._lag = LoopLag(self.parts.clock, self._late)
        self.door = ws.WebSocketDoor(
            self.sessions, settings.server, self.parts.clock, self.entrance, self.metrics, settings.websocket
        )
        self.realtime = realtime.RealtimeDoor(self.sessions, settings.server, self.parts.clock, self.entrance, self.metrics)
        self.media = MediaCalls(settings.webrtc, self.parts.clock)
        self.webrtc = webrtc.WebRtcDoor(
            self.sessions, settings.server, self.parts.clock, self.entrance, self.media, self.metrics
        )
        self.openai = openai.OpenAIDoor(self.sessions, settings.openai, self.parts.clock, self.entrance.rates)
        speech = settings.openai.sessions
        self.speech = spoken_door.SpokenDoor(
            self.openai.incremental, speech, settings.server, self.parts.clock, self.entrance
        )
        self.metrics.gauge("speech_sessions", lambda: len(self.openai.speech_sessions))
        self.metrics.gauge("codec_work", lambda: self.openai.off_loop.pending)
        self.metrics.gauge("sessions", lambda: len(self.sessions))
        self.metrics.gauge("connections", lambda: sum(one.connections for one in self._sockets))
        for name in self.realtime.snapshot():
            self.metrics.gauge(f"realtime.{name}", functools.partial(self._realtime_count, name))
        for name in self.door.snapshot():
            self.metrics.gauge(f"socket.{name}", functools.partial(self._socket_count, name))
        self.metrics.gauge("webrtc.calls", lambda: len(self.webrtc))
        self.metrics.gauge("audio_age_max", self._audio_age)
        self.metrics.gauge("strained", lambda: float(self.sessions.strain.strained))
        self.metrics.gauge("tasks", lambda: len(asyncio.all_tasks()))
        self.metrics.gauge("threads", threading.active_count)
        self.metrics.gauge("threads_max", self._most_threads)
        self.metrics.gauge("workers.jobs", lambda: sum(worker.jobs for worker in self.parts.workers()))
        self.metrics.gauge("workers.waiting", self._waiting)
        self.asgi = self._doors()

    def _desk(self, loaded: Loaded, keys: KeyFile) -> DashboardDesk:
        running = self._running
        return DashboardDesk(
            Sources(
                clock=self.parts.clock,
                turns=self._turns,
                latency=self._latency,
                timeline=self._timeline,
                metrics=self.metrics,
                state=lambda: "draining" if self.sessions.draining else running.state,
                uptime=lambda: running.uptime,
                workers=lambda: list(running.workers()),
                sessions=lambda: len(self.sessions),
                loaded=loaded,
                keys=keys,
            )
        )

    def _late(self, seconds: float) -> None:
        self.metrics.observe("loop_lag", seconds)
        self._timeline.late(seconds)
        self.sessions.strain.report(seconds)

    @property
    def _sockets(self) -> tuple[ws.WebSocketDoor, realtime.RealtimeDoor, spoken_door.SpokenDoor]:
        return self.door, self.realtime, self.speech

    def media_status(self) -> Sequence[Worker]:
        """How the media processes are."""
        return self.media.status()

    def _socket_count(self, name: str) -> float:
        return self.door.snapshot()[name]

    def _realtime_count(self, name: str) -> float:
        return self.realtime.snapshot()[name]

    def _audio_age(self) -> float:
        return max((session.conversation.statistics.age for session in self.sessions), default=0.0)

    def _most_threads(self) -> float:
        """That of the loop, those of its pool, and those of the pools beside it."""
        pools = [one.off_loop for one in (self.openai, self.realtime, *self._watches, self._signing) if one is not None]
        return 1 + BACKGROUND + sum(pool.threads for pool in pools)

    def _waiting(self) -> float:
        return sum({worker.group: worker.waiting for worker in self.parts.workers()}.values())

    def _doors(self) -> FastAPI:
        app = http.application(lifespan=self._lifespan)
        openai.install(app, self.openai)
        spoken_door.install(app, self.speech)
        app.include_router(webrtc_routes(self.webrtc, self.realtime.new_session))
        web = Path(str(importlib.resources.files("vivavoce") / "web"))
        behind = http.Behind(
            self.sessions,
            self._running,
            self.metrics,
            self._settings.server,
            Page(web),
            self.entrance,
            self.models,
            self._dashboard,
            lambda: None if self._tls is None else self._tls.ends,
        )
        http.install(app, behind)
        ws.install(app, self.door)
        realtime.install(app, self.realtime)
        webrtc.install(app, self.webrtc)
        return app

    @contextlib.asynccontextmanager
    async def _lifespan(self, _app: Any) -> AsyncIterator[None]:
        try:
            await asyncio.gather(self.parts.start(), self.media.start())
            self._lag.start()
            for watch in self._watches:
                watch.start()
            if self._signing is not None:
                self._signing.start()
            self.models.start()
            self._dashboard.start()
            gc.collect()
            gc.freeze()  # what lives as long as the server need not be looked through again and again
            self._running.started()
            _logger.info("ready")
            yield
        finally:
            self._lag.stop()
            self.openai.close()
            self.realtime.close()
            await self.webrtc.close()
            for watch in self._watches:
                await watch.close()
            await self._dashboard.close()
            if self._signing is not None:
                await self._signing.close()
            await self.models.close()
            await self.parts.close()

    async def drain(self) -> None:
        """Let replies in progress end, say goodbye."""
        seconds = self._settings.sessions.drain
        await asyncio.gather(*(one.drain(seconds) for one in (*self._sockets, self.webrtc)))
