"""The processes of a group: started when wanted, replaced when they die or grow, let go when idle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vivavoce.contracts.errors import DeadlineExceeded, InternalError, VivavoceError, WorkerLost
from vivavoce.contracts.ports import Clock
from vivavoce.contracts.speech import Capabilities
from vivavoce.flow.tasks import Signal, TaskScope
from vivavoce.workers.crashes import Crashes
from vivavoce.workers.jobs import EngineKey
from vivavoce.workers.options import WorkerOptions
from vivavoce.workers.process import WorkerProcess

GROWN = 1.25
"""How much larger than freshly loaded a process must be to be recycled."""


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """One place of a group. ``waiting``, ``restarts`` and ``last_error`` are the group's."""

    group: str
    engines: tuple[str, ...]
    pid: int | None
    state: str
    """``empty`` (starts with the next job), ``starting``, ``ready``, ``retiring``, ``waiting`` (for the back-off) or
    ``failed``."""
    jobs: int
    streams: int
    waiting: int
    restarts: int
    memory: float
    """Resident MB."""
    load_seconds: float
    last_error: str


class _Place:
    """Where one of the processes stands."""

    __slots__ = ("process", "starting", "timer")

    def __init__(self) -> None:
        self.process: WorkerProcess | None = None
        self.starting: WorkerProcess | None = None
        self.timer: Callable[[], None] | None = None

    @property
    def vacant(self) -> bool:
        """Neither a process nor one on its way."""
        return self.process is None and self.starting is None


class Fleet:
    """``on_room`` is called when a process is ready for (more) work, ``on_loss`` when the group may have to refuse."""

    def __init__(
        self, options: WorkerOptions, clock: Clock, on_room: Callable[[], None], on_loss: Callable[[], bool]
    ) -> None:
        self._options = options
        self._clock = clock
        self._on_room = on_room
        self._on_loss = on_loss
        self._places = [_Place() for _ in range(options.processes)]
        self._leaving: set[WorkerProcess] = set()
        self._burying: set[WorkerProcess] = set()
        self._scope = TaskScope(self._bug, limit=8 + 8 * options.processes)
        self._closed = False
        self.crashes = Crashes(options)
        self.changed = Signal()
        """Notified when a start succeeded or failed."""
        self.known: dict[EngineKey, Capabilities] = {}
        """What each engine told when it was last loaded."""
        self.failed: dict[EngineKey, VivavoceError] = {}
        """Why an engine could not be loaded the last time, if it could not."""

    def ready(self) -> list[WorkerProcess]:
        """Processes that take work."""
        return [place.process for place in self._places if place.process and place.process.state == "ready"]

    @property
    def busy(self) -> bool:
        """Whether a job is in progress anywhere."""
        return any(process.jobs for process in (*self.ready(), *self._leaving))

    # --- life

    async def start(self) -> None:
        """Bring up every place; return when each is loaded or has failed. Raises nothing: ``status`` tells."""
        for place in self._places:
            self._bring_up(place)
        while any(place.starting for place in self._places):
            await self.changed.wait()

    async def close(self) -> None:
        """End every process and wait until it is gone."""
        self._closed = True
        for place in self._places:
            if place.timer is not None:
                place.timer()
                place.timer = None
            if place.starting is not None:
                place.starting.kill("was stopped while it loaded")
            if place.process is not None:
                self._retire(place.process)
                place.process = None
        for process in list(self._leaving):
            self._bury(process)
        while len(self._scope):
            await self._clock.sleep(0.002)
        await self._scope.close()

    def want(self) -> None:
        """One process more would help, if there is a place for it and none is on its way."""
        if any(place.starting for place in self._places):
            return
        for place in self._places:
            if place.vacant:
                self._bring_up(place)
                return

    def unload(self) -> None:
        """Let idle processes go."""
        for place in self._places:
            if place.process is not None and place.process.idle:
                self._retire(place.process)
                place.process = None

    # --- processes come

    def _bring_up(self, place: _Place) -> None:
        """Start a process at this place as soon as the back-off allows."""
        if self._closed or place.starting is not None or place.timer is not None:
            return
        wait = self.crashes.wait(self._clock.now())
        if wait > 0:
            place.timer = self._clock.call_later(wait, lambda: self._bring_up_now(place))
        else:
            self._bring_up_now(place)

    def _bring_up_now(self, place: _Place) -> None:
        place.timer = None
        place.starting = WorkerProcess(self._options, self._clock, self)
        self._scope.start(self._start(place, place.starting), name=f"start {self._options.name}")

    async def _start(self, place: _Place, process: WorkerProcess) -> None:
        error: VivavoceError | None = None
        try:
            await process.start()
        except VivavoceError as failure:
            error = failure
        finally:
            if process.state == "ended":
                await process.bury()
            place.starting = None
        self._note_engines(process)
        if error is not None:
            self._not_started(error)
        elif process.state == "ready":
            self._started(place, process)
        self.changed.notify()

    def _note_engines(self, process: WorkerProcess) -> None:
        for engine, state in process.engines.items():
            if isinstance(state, Capabilities):
                self.known[engine] = state
                self.failed.pop(engine, None)
            else:
                self.failed[engine] = state

    def _started(self, place: _Place, process: WorkerProcess) -> None:
        self.crashes.loaded()
        if place.process is not None:
            self._retire(place.process)
        place.process = process
        self._on_room()

    def _not_started(self, error: VivavoceError) -> None:
        if self._closed:
            return
        if isinstance(error, WorkerLost | DeadlineExceeded):
            self.crashes.crashed(error, self._clock.now())
        else:
            self.crashes.load_failed(error, self._clock.now())
        self._restart()

    # --- processes go

    def job_ended(self, process: WorkerProcess) -> None:
        """It can finish work, and has room for the next."""
        self.crashes.finished()
        if process.retiring and process.idle:
            self._bury(process)
        self._on_room()

    def memory_reported(self, process: WorkerProcess) -> None:
        """Recycle a process that grew too large: a fresh one first, then this one ends when its work is done.

        One that was nearly as large when it was loaded stays: another would be no smaller.
        """
        limit = self._options.max_memory << 20
        if limit and process.memory > max(limit, GROWN * process.loaded_memory):
            for place in self._places:
                if place.process is process:
                    self._bring_up(place)

    def process_ended(self, process: WorkerProcess, error: VivavoceError) -> None:
        """Its jobs have failed already; others do not notice."""
        for place in self._places:
            if place.process is process:
                place.process = None
        self._bury(process)
        if not self._closed:
            self.crashes.crashed(error, self._clock.now())
            self._restart()

    def _restart(self) -> None:
        wanted = self._on_loss() or self._options.prewarm
        if wanted and self.crashes.starts_by_itself():
            for place in self._places:
                if place.vacant:
                    self._bring_up(place)

    def _retire(self, process: WorkerProcess) -> None:
        process.retiring = True
        self._leaving.add(process)
        if process.idle:
            self._bury(process)

    def _bury(self, process: WorkerProcess) -> None:
        if process not in self._burying:
            self._burying.add(process)
            self._scope.start(self._let_go(process), name=f"stop {self._options.name}")

    async def _let_go(self, process: WorkerProcess) -> None:
        try:
            await process.stop()
        finally:
            self._leaving.discard(process)
            self._burying.discard(process)

    def _bug(self, error: Exception) -> None:
        """Nothing but a bug of ours gets here; it is shown, and the place is tried again like behind a crash."""
        self.crashes.crashed(InternalError(f"{type(error).__name__}: {error}", cause=error), self._clock.now())
        self.changed.notify()

    # --- what it looks like

    def status(self, waiting: int) -> list[WorkerStatus]:
        """One line per place, and one per process that is on its way out."""
        lines = [self._line(place.process or place.starting, self._state(place), waiting) for place in self._places]
        leaving = [process for process in self._leaving if process.state != "ended"]
        return lines + [self._line(process, "retiring", waiting) for process in leaving]

    def _state(self, place: _Place) -> str:
        if place.process is not None:
            return place.process.state
        if place.starting is not None:
            return "starting"
        if place.timer is not None:
            return "waiting"
        return "empty" if self.crashes.starts_by_itself() else "failed"

    def _line(self, process: WorkerProcess | None, state: str, waiting: int) -> WorkerStatus:
        errors = [*self.failed.values()] or [error for error in (self.crashes.last_error,) if error]
        return WorkerStatus(
            group=self._options.name,
            engines=tuple(f"{engine.kind}/{engine.name}" for engine in self._options.engines),
            pid=process.pid if process else None,
            state=state,
            jobs=len(process.jobs) if process else 0,
            streams=len(process.streams) if process else 0,
            waiting=waiting,
            restarts=self.crashes.total,
            memory=round(process.memory / (1 << 20), 1) if process else 0.0,
            load_seconds=process.load_seconds if process else 0.0,
            last_error="; ".join(error.message for error in errors),
        )
