"""One worker process: load, feed, watch, end. A process that ended is not started again; the group makes another."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable
from typing import Literal, Protocol

from vivavoce.contracts.errors import DeadlineExceeded, DeviceLost, ProtocolViolation, VivavoceError, WorkerLost
from vivavoce.contracts.ports import Clock
from vivavoce.contracts.speech import Capabilities
from vivavoce.workers.jobs import EngineKey, Job
from vivavoce.workers.launch import MEDIA, WORKER, bury, launch
from vivavoce.workers.link import Link, Pump
from vivavoce.workers.messages import capabilities_from_json, error_from_json
from vivavoce.workers.options import WorkerOptions
from vivavoce.workers.wire import (
    VERSION,
    VOICE_RECORD,
    Frame,
    Kind,
    pack,
    pack_json,
    read_json,
    read_judgements,
)

ProcessState = Literal["starting", "ready", "ended"]
MISSED_HEARTBEATS = 3
CROWD = 8
GATHER = 0.008
"""Seconds voice activity frames wait for each other once there are ``CROWD`` streams: a batch of 12 costs the detector
half as much per frame as single ones, a write each would cost the parent twice as much as all the rest."""


class Listener(Protocol):
    """The group, as a process sees it."""

    def job_ended(self, process: WorkerProcess) -> None:
        """It showed that it can finish work, and has room for more."""

    def memory_reported(self, process: WorkerProcess) -> None:
        """With each heartbeat."""

    def process_ended(self, process: WorkerProcess, error: VivavoceError) -> None:
        """It died without being told to, behind a successful ``start``. It must still be buried."""


class Stream(Protocol):
    """A voice activity stream, as a process sees it."""

    def attached(self, process: WorkerProcess, link: Link, number: int, frame_samples: int) -> None: ...

    def judged(self, end: int, probability: float, level: float) -> None: ...

    def lost(self, error: VivavoceError) -> None: ...


class WorkerProcess:
    """Loads its engines in ``start``, then takes jobs and streams until it ends."""

    def __init__(self, options: WorkerOptions, clock: Clock, listener: Listener) -> None:
        self._options = options
        self._clock = clock
        self._listener = listener
        self._process: subprocess.Popen[bytes] | None = None
        self._link: Link | None = None
        self._loaded: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._numbers = 0
        self._missed = 0
        self._heartbeat: Callable[[], None] | None = None
        self._frame_samples = 0
        self._proved = False
        self.state: ProcessState = "starting"
        self.retiring = False
        self.engines: dict[EngineKey, Capabilities | VivavoceError] = {}
        self.jobs: dict[int, Job] = {}
        self.streams: dict[int, Stream] = {}
        self.memory = 0
        """Resident bytes, as last reported."""
        self.loaded_memory = 0
        """Resident bytes when it was ready."""
        self.load_seconds = 0.0

    @property
    def pid(self) -> int | None:
        """Process id."""
        return self._process.pid if self._process else None

    @property
    def idle(self) -> bool:
        """Nothing to do."""
        return not self.jobs and not self.streams

    # --- life

    async def start(self) -> None:
        """Start and load. Raises WorkerLost, DeadlineExceeded or, if no engine loaded, the first one's error."""
        began = self._clock.now()
        try:
            self._process, connection = await launch(_program(self._options))
            loop = asyncio.get_running_loop()
            _, self._link = await loop.create_unix_connection(lambda: Link(self._frame, self._lost), sock=connection)
            self._link.write(_hello(self._options))
            await asyncio.wait_for(self._loaded, self._options.load_deadline)
        except TimeoutError:
            self._end(None)
            raise DeadlineExceeded(f"{self._name} did not load within {self._options.load_deadline:g} s") from None
        except BaseException:
            self._end(None)
            if self._loaded.done() and not self._loaded.cancelled():
                self._loaded.exception()  # told already, by whoever ended it
            raise
        self.load_seconds = self._clock.now() - began
        errors = [state for state in self.engines.values() if isinstance(state, VivavoceError)]
        if errors and len(errors) == len(self.engines):
            self._end(None)
            raise errors[0]
        self.state = "ready"
        self._beat()

    @property
    def _name(self) -> str:
        return f"worker {self._options.name} (process {self.pid})"

    def kill(self, reason: str) -> None:
        """End it at once; its jobs are lost."""
        self._lost(WorkerLost(f"{self._name} {reason}; it was ended and is being restarted"))

    async def stop(self, patience: float = 1.0) -> None:
        """Ask it to end, and see to it. Jobs that are left are lost."""
        if self._link is not None and self.state == "ready":
            self._link.write(pack(Kind.STOP))
            self._link.flush()
        else:
            patience = 0.0
        self._end(WorkerLost(f"{self._name} was stopped"), keep_link=True)
        await self.bury(patience)

    async def bury(self, patience: float = 0.0) -> None:
        """Wait until the process is gone, with force behind ``patience`` seconds."""
        if self._process is not None:
            await bury(self._process, self._clock, patience)
        if self._link is not None:
            self._link.abort()

    def _lost(self, cause: Exception | None) -> None:
        """The link is gone, or must go."""
        if self.state == "ended":
            return
        error = cause if isinstance(cause, WorkerLost) else WorkerLost(_reason(self._name, cause), cause=cause)
        was_ready = self.state == "ready"
        self._end(error)
        if not self._loaded.done():
            self._loaded.set_exception(error)
        if was_ready:
            self._listener.process_ended(self, error)

    def _end(self, error: VivavoceError | None, keep_link: bool = False) -> None:
        self.state = "ended"
        if self._heartbeat is not None:
            self._heartbeat()
        if self._link is not None and not keep_link:
            self._link.abort()
        if self._process is not None and not keep_link:
            self._process.kill()
        jobs, self.jobs = self.jobs, {}
        streams, self.streams = self.streams, {}
        for job in jobs.values():
            job.end(error)
        for stream in streams.values():
            stream.lost(error or WorkerLost(f"{self._name} is gone"))

    # --- work

    def admit(self, job: Job) -> None:
        """Run a job here."""
        self._numbers += 1
        self.jobs[self._numbers] = job
        job.admit(self, self._numbers)

    def attach(self, stream: Stream, engine: EngineKey) -> None:
        """Watch a stream here."""
        assert self._link is not None
        self._numbers += 1
        self.streams[self._numbers] = stream
        self._link.write(pack_json(Kind.OPEN, self._numbers, {"kind": engine[0], "name": engine[1]}))
        self._set_gather()
        stream.attached(self, self._link, self._numbers, self._frame_samples)

    def detach(self, number: int) -> None:
        """Forget a stream. Idempotent."""
        if self.streams.pop(number, None) is not None:
            self.write(pack(Kind.CANCEL, number))
            self._set_gather()
            self._listener.job_ended(self)

    def _set_gather(self) -> None:
        if self._link is not None:
            self._link.gather = GATHER if len(self.streams) >= CROWD else 0.0

    def write(self, frame: bytes) -> None:
        """Send a frame with this tick's."""
        if self._link is not None:
            self._link.write(frame)

    def pump_later(self, source: Pump) -> None:
        """Ask ``source`` for its frames when this tick's go out."""
        if self._link is not None:
            self._link.pump(source)

    def abandon(self, job: Job) -> None:
        """Tell the child; its END gives the place free. A job behind its deadline must be gone within a heartbeat."""
        self.write(pack(Kind.CANCEL, job.number))
        if job.overdue:
            self._clock.call_later(self._options.heartbeat, lambda: self._check_gone(job.number))

    def _check_gone(self, number: int) -> None:
        if number in self.jobs:
            self.kill("did not give up a job behind its deadline")

    # --- heartbeats

    def _beat(self) -> None:
        if self._missed >= MISSED_HEARTBEATS:
            self.kill(f"did not answer {MISSED_HEARTBEATS} heartbeats")
            return
        self._missed += 1
        self.write(pack(Kind.PING))
        self._heartbeat = self._clock.call_later(self._options.heartbeat, self._beat)

    # --- frames

    def _frame(self, frame: Frame) -> None:
        kind, number, payload = frame
        if kind == Kind.VOICE:
            if not self._proved:
                self._proved = True
                self._listener.job_ended(self)
            streams = self.streams
            for stream_number, end, probability, level in read_judgements(payload):
                stream = streams.get(stream_number)
                if stream is not None:
                    stream.judged(end, probability, level)
        elif number:
            self._job_frame(kind, number, payload)
        else:
            self._process_frame(kind, payload)

    def _job_frame(self, kind: int, number: int, payload: bytes) -> None:
        if kind == Kind.END:
            error = error_from_json(read_json(payload)) if payload else None
            if number in self.streams:
                self.streams.pop(number).lost(error or WorkerLost("the detector closed the stream"))
            elif number in self.jobs:
                self.jobs.pop(number).end(error)
            if isinstance(error, DeviceLost):
                self.kill(f"lost its device ({error.message})")
            else:
                self._listener.job_ended(self)
        elif number in self.jobs:
            self.jobs[number].receive(kind, payload)

    def _process_frame(self, kind: int, payload: bytes) -> None:
        value = read_json(payload)
        match kind:
            case Kind.HELLO:
                if value.get("version") != VERSION:
                    raise ProtocolViolation(f"the worker speaks version {value.get('version')}, not {VERSION}")
            case Kind.LOADED:
                state = value.get("capabilities")
                self.engines[value["kind"], value["name"]] = (
                    error_from_json(value["error"]) if state is None else capabilities_from_json(state)
                )
                self._frame_samples = value.get("frame_samples", self._frame_samples)
            case Kind.READY:
                self._ready(int(value["memory"]))
            case Kind.PONG:
                self._missed = 0
                self.memory = int(value["memory"])
                self._listener.memory_reported(self)
            case _:
                raise ProtocolViolation(f"a worker does not send frames of kind {kind}")

    def _ready(self, memory: int) -> None:
        self.memory = self.loaded_memory = memory
        if self._link is not None:
            self._link.voice_record = VOICE_RECORD + 2 * self._frame_samples
        if not self._loaded.done():
            self._loaded.set_result(None)


def _program(options: WorkerOptions) -> str:
    """Calls need another program than engines: it waits on sockets where they compute."""
    return MEDIA if any(engine.kind == "rtc" for engine in options.engines) else WORKER


def _hello(options: WorkerOptions) -> bytes:
    wanted = [{"kind": engine.kind, "name": engine.name, "settings": dict(engine.settings)} for engine in options.engines]
    limit = options.max_address_space
    return pack_json(Kind.HELLO, 0, {"version": VERSION, "engines": wanted, "max_address_space": limit})


def _reason(name: str, cause: Exception | None) -> str:
    what = f"broke off ({cause})" if cause else "died"
    return f"{name} {what}; it is being restarted, try again"
