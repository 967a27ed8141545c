"""Models for the HTTP door: looked up and fetched in threads, one download at a time."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterable
from typing import Any

from vivavoce.config.settings import Settings
from vivavoce.contracts.errors import Cancelled, InvalidRequest, VivavoceError
from vivavoce.flow.queue import BoundedQueue, WhenFull
from vivavoce.flow.tasks import Gate, TaskScope
from vivavoce.services import models
from vivavoce.services.cancellation import Cancellation
from vivavoce.services.fetching import Received, Terms, Watch, offline_error
from vivavoce.services.model_entries import ModelEntry
from vivavoce.services.overview import ModelView, overview
from vivavoce.services.recommendation import this_machine
from vivavoce.transports.errors import body_of
from vivavoce.transports.http.models import MachineInfo, ModelInfo, ModelList, Pull
from vivavoce.transports.http.schemas import ErrorDetail
from vivavoce.workers.options import WorkerOptions

QUEUE = 8
"""Downloads waiting; beyond it Overloaded."""

_logger = logging.getLogger(__name__)


class _Download:
    """One download, asked for or past. Its thread writes ``state``, everybody else reads it: it is replaced as a whole."""

    def __init__(self, entry: ModelEntry, terms: Terms) -> None:
        self.entry = entry
        self.terms = terms
        self.cancellation = Cancellation()
        self.state = Pull(state="queued", bytes=entry.size)

    @property
    def open(self) -> bool:
        """Whether it waits or runs."""
        return self.state.state in ("queued", "running")

    def became(self, **changes: Any) -> None:
        self.state = self.state.model_copy(update=changes)

    def received(self, so_far: Received) -> None:
        self.became(file=so_far.file, received=so_far.so_far)

    def line(self, text: str) -> None:
        self.became(message=text)


class ModelDesk:
    """Keeps the Protocol ``ModelLibrary`` of the HTTP door."""

    def __init__(self, settings: Settings, groups: Iterable[WorkerOptions]) -> None:
        self._settings = settings
        self._directory = models.directory(settings.models_dir)
        self._given = {path for group in groups for engine in group.engines for path in _paths(engine.settings)}
        self._downloads: dict[str, _Download] = {}
        self._queue: BoundedQueue[_Download] = BoundedQueue(QUEUE, WhenFull.REJECT)
        self._scope = TaskScope(self._broke, limit=1)
        self._ended = Gate()

    def start(self) -> None:
        """Begin to take downloads."""
        self._scope.start(self._work(), name="model downloads")

    async def close(self) -> None:
        """Stop what runs, forget what waits. What has come of it is kept on disk."""
        for download in self._downloads.values():
            if download.open:
                self._stop(download)
        self._queue.close()
        if len(self._scope):
            await self._ended.wait()
        await self._scope.close()

    # --- ModelLibrary

    async def overview(self) -> ModelList:
        """Every model."""
        machine = await asyncio.to_thread(this_machine)
        views = await self._views()
        return ModelList(
            directory=str(self._directory),
            machine=MachineInfo(cores=machine.cores, memory_mb=machine.memory),
            offline=self._settings.offline,
            models=[self._info(view) for view in views],
        )

    async def describe(self, name: str) -> ModelInfo:
        """One model. Raises UnknownName."""
        entry = await asyncio.to_thread(models.entry, name, self._directory)
        return next(self._info(view) for view in await self._views() if view.entry.name == entry.name)

    async def pull(self, name: str, *, accept_licence: bool) -> ModelInfo:
        """Queue a download; one that waits or runs already is left alone."""
        entry = await asyncio.to_thread(models.entry, name, self._directory)
        here = await asyncio.to_thread(models.locate, entry, self._directory)
        known = self._downloads.get(name)
        if known is None or not known.open:
            terms = Terms(self._settings.offline, accept_licence, self._settings.models)
            if here is None:
                models.check_licence(entry, terms)
                if self._settings.offline:
                    raise offline_error(name)
            download = _Download(entry, terms)
            self._queue.offer(download)
            self._downloads[name] = download
        return await self.describe(name)

    async def cancel(self, name: str) -> ModelInfo:
        """Stop a download, if there is one."""
        await asyncio.to_thread(models.entry, name, self._directory)
        download = self._downloads.get(name)
        if download is not None and download.open:
            self._stop(download)
        return await self.describe(name)

    async def remove(self, name: str) -> ModelInfo:
        """Delete its files. Raises InvalidRequest while an engine has them, Unavailable while they come."""
        info = await self.describe(name)
        if info.in_use:
            raise InvalidRequest(
                f"{name} is in use by an engine of this server; choose another engine, restart, and remove it then",
                code="model_in_use",
            )
        entry = await asyncio.to_thread(models.entry, name, self._directory)
        await asyncio.to_thread(models.remove, entry, self._directory)
        self._downloads.pop(name, None)
        return info.model_copy(update={"installed": False, "path": None, "pull": None})

    # --- the one that downloads

    async def _work(self) -> None:
        try:
            await self._work_off()
        finally:
            self._ended.open()

    async def _work_off(self) -> None:
        async for download in self._queue:
            if download.state.state != "queued":
                continue  # stopped while it waited
            download.became(state="running")
            watch = Watch(download.line, download.received, download.cancellation)
            try:
                await asyncio.to_thread(models.pull, download.entry, self._directory, download.terms, watch)
                download.became(state="done", received=download.entry.size, file="")
            except Cancelled as error:
                download.became(state="cancelled", message=error.message)
            except VivavoceError as error:
                _logger.warning("%s was not fetched: %s", download.entry.name, error.message)
                told = ErrorDetail.model_validate(body_of(error)["error"])
                download.became(state="failed", error=told)

    @staticmethod
    def _stop(download: _Download) -> None:
        if download.state.state == "queued":
            download.became(state="cancelled")
        download.cancellation.cancel()

    def _broke(self, error: Exception) -> None:
        """Nothing but a bug of ours gets here; downloads end with it, the server does not."""
        _logger.error("the downloads broke", exc_info=error)

    # --- showing

    async def _views(self) -> tuple[ModelView, ...]:
        language = self._settings.sessions.conversation.language
        return await asyncio.to_thread(lambda: overview(self._directory, this_machine(), language))

    def _info(self, view: ModelView) -> ModelInfo:
        download = self._downloads.get(view.entry.name)
        return ModelInfo.model_validate(
            {
                **view.plain(),
                "in_use": view.path is not None and str(view.path) in self._given,
                "pull": None if download is None else download.state.model_dump(),
            }
        )


def _paths(settings: Any) -> list[str]:
    """Model files among an engine's settings."""
    given = [settings[key] for key in ("model", "models") if key in settings]
    return [path for text in given for path in str(text).split(os.pathsep)]
