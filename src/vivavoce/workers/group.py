"""The work of a group of equal processes: who gets the next job, who waits, who is refused."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from vivavoce.contracts.errors import EngineMissing, Overloaded, Unavailable, UnknownName, VivavoceError
from vivavoce.contracts.ports import Clock
from vivavoce.contracts.speech import Capabilities
from vivavoce.workers.crashes import again
from vivavoce.workers.fleet import Fleet, WorkerStatus
from vivavoce.workers.jobs import EngineKey, Job
from vivavoce.workers.options import WorkerOptions
from vivavoce.workers.process import Stream, WorkerProcess


class WorkerGroup:
    """Jobs wait first in, first out; each goes to the process with the least outstanding work.

    Jobs that wait survive the crash of a process; a job that was on one fails and is never run again by itself.
    """

    def __init__(self, options: WorkerOptions, clock: Clock) -> None:
        self.options = options
        self._clock = clock
        self._fleet = Fleet(options, clock, self._dispatch, self._after_loss)
        self._waiting: deque[Job] = deque()
        self._waiting_streams: deque[tuple[Stream, EngineKey]] = deque()
        self._idle_timer: Callable[[], None] | None = None
        self._closed = False

    async def start(self) -> None:
        """Bring up every process; return when each is loaded or has failed. Raises nothing: ``status`` tells."""
        await self._fleet.start()
        self._watch_idleness()

    async def close(self, grace: float) -> None:
        """Take no more jobs, give those in progress ``grace`` seconds, end everything. Idempotent."""
        self._closed = True
        self._refuse_waiting(Unavailable("the workers are being stopped", retryable=False))
        deadline = self._clock.now() + grace
        while self._fleet.busy and self._clock.now() < deadline:
            await self._clock.sleep(0.01)
        self._disarm()
        await self._fleet.close()

    def status(self) -> list[WorkerStatus]:
        """One line per place."""
        return self._fleet.status(len(self._waiting) + len(self._waiting_streams))

    # --- what it can do

    def capabilities(self, engine: EngineKey) -> Capabilities | None:
        """As the engine told when it was last loaded; None if it never was."""
        return self._fleet.known.get(engine)

    async def describe(self, engine: EngineKey) -> Capabilities:
        """The same, loading the engine if need be. Raises what keeps it from loading."""
        while engine not in self._fleet.known:
            self._check(engine)
            self._fleet.want()
            await self._fleet.changed.wait()
        self._watch_idleness()
        return self._fleet.known[engine]

    # --- work

    def submit(self, job: Job) -> None:
        """Run the job as soon as there is room. Raises Overloaded, Unavailable, or the error the engine has."""
        self._check(job.engine)
        if len(self._waiting) >= self.options.max_waiting and self._choose() is None:
            raise Overloaded(f"{len(self._waiting)} jobs wait for the {self.options.name} worker; try again later")
        job.wait(self._withdraw)
        self._waiting.append(job)
        self._dispatch()

    def watch(self, stream: Stream, engine: EngineKey) -> Callable[[], None]:
        """Attach a voice activity stream, now or when a process is up; the result takes a waiting one back."""
        self._check(engine)
        limit = self.options.max_streams * self.options.processes
        if len(self._waiting_streams) + sum(len(process.streams) for process in self._fleet.ready()) >= limit:
            raise Overloaded(f"the {self.options.name} worker watches {limit} streams already; try again later")
        entry = (stream, engine)
        self._waiting_streams.append(entry)
        self._dispatch()
        return lambda: self._unwatch(entry)

    def _unwatch(self, entry: tuple[Stream, EngineKey]) -> None:
        if entry in self._waiting_streams:
            self._waiting_streams.remove(entry)

    def _withdraw(self, job: Job) -> None:
        if job in self._waiting:
            self._waiting.remove(job)

    def _check(self, engine: EngineKey) -> None:
        if self._closed:
            raise Unavailable("the workers are stopped", retryable=False)
        refusal = self._fleet.crashes.refusal(self._clock.now())
        if refusal is not None:
            own = self._fleet.failed.get(engine)
            raise again(own) if own and self._fleet.crashes.load_failing else refusal
        for process in self._fleet.ready():
            state = process.engines.get(engine)
            if isinstance(state, VivavoceError):
                raise again(state)
            if state is None:
                raise UnknownName(f"the {self.options.name} worker has no engine {engine[1]!r}")

    def _choose(self) -> WorkerProcess | None:
        """The process with the least outstanding work that has room."""
        limit = 1 if self._fleet.crashes.poisoned else self.options.max_jobs
        return min((p for p in self._fleet.ready() if len(p.jobs) < limit), key=_work, default=None)

    def _dispatch(self) -> None:
        """Give what waits to processes; want one more if that helps."""
        if self._closed:
            return
        self._attach_streams()
        while self._waiting:
            process = self._choose()
            if process is None:
                break
            self._admit(process, self._waiting.popleft())
        ready = self._fleet.ready()
        if self._waiting or self._waiting_streams or (ready and all(process.jobs for process in ready)):
            self._fleet.want()
        self._watch_idleness()

    def _attach_streams(self) -> None:
        probing = self._fleet.crashes.poisoned
        while self._waiting_streams:
            ready = self._fleet.ready()
            if not ready or (probing and any(process.streams for process in ready)):
                return
            stream, engine = self._waiting_streams.popleft()
            process = min(ready, key=_work)
            state = process.engines.get(engine)
            if isinstance(state, Capabilities):
                process.attach(stream, engine)
            else:
                stream.lost(_absent(engine, state))

    @staticmethod
    def _admit(process: WorkerProcess, job: Job) -> None:
        state = process.engines.get(job.engine)
        if isinstance(state, Capabilities):
            process.admit(job)
        else:
            job.end(_absent(job.engine, state))

    def _after_loss(self) -> bool:
        """A process died or did not come up; whether somebody waits for another."""
        refusal = self._fleet.crashes.refusal(self._clock.now())
        if refusal is not None:
            self._refuse_waiting(refusal)
        return bool(self._waiting or self._waiting_streams)

    def _refuse_waiting(self, error: VivavoceError) -> None:
        jobs, self._waiting = self._waiting, deque()
        streams, self._waiting_streams = self._waiting_streams, deque()
        for job in jobs:
            job.end(again(self._fleet.failed.get(job.engine, error)))
        for stream, engine in streams:
            stream.lost(again(self._fleet.failed.get(engine, error)))

    # --- idleness

    def _watch_idleness(self) -> None:
        self._disarm()
        delay = self.options.idle_unload
        ready = self._fleet.ready()
        if delay is not None and not self._closed and ready and all(process.idle for process in ready):
            self._idle_timer = self._clock.call_later(delay, self._fleet.unload)

    def _disarm(self) -> None:
        if self._idle_timer is not None:
            self._idle_timer()
            self._idle_timer = None


def _work(process: WorkerProcess) -> tuple[int, int]:
    return len(process.jobs), len(process.streams)


def _absent(engine: EngineKey, state: VivavoceError | None) -> VivavoceError:
    return again(state) if state else EngineMissing(f"no engine {engine[1]!r} was loaded; `vivavoce doctor` says why")
