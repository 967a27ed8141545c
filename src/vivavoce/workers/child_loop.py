"""The loop of a worker process: frames in, one bounded step of work, frames out. Runs in the child."""

from __future__ import annotations

import math
import resource
import select
import socket
import sys
import traceback
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vivavoce.contracts.errors import EngineFailed, EngineMissing, ProtocolViolation, UnknownName, VivavoceError
from vivavoce.flow.clock import now_ns
from vivavoce.workers.child_batch import BatchBoard, BatchJob, Now, earliest
from vivavoce.workers.child_jobs import (
    ChildJob,
    LanguageJob,
    MakeResampler,
    SynthesisJob,
    TranscriptionJob,
    TurnJob,
    describe,
    ending,
)
from vivavoce.workers.child_voice import VoiceBoard
from vivavoce.workers.child_wake import WakeJob
from vivavoce.workers.messages import Json, error_to_json
from vivavoce.workers.wire import VERSION, Decoder, Frame, Kind, pack_json, read_json

RECEIVE = 1 << 18
MAX_UNSENT = 1 << 20
"""Bytes waiting for the parent to read, above which nothing more is computed."""

LoadEngine = Callable[[str, str, Json], Any]


class ChildLoop:
    """Runs until the parent says STOP or is gone. The socket is looked at between any two steps."""

    def __init__(
        self, connection: socket.socket, load: LoadEngine, resampler: MakeResampler, pid: int, now: Now = now_ns
    ) -> None:
        connection.setblocking(False)
        self._connection = connection
        self._load = load
        self._resampler = resampler
        self._pid = pid
        self._now = now
        self._decoder = Decoder()
        self._unsent = bytearray()
        self._poll = select.poll()
        self._engines: dict[tuple[str, str], Any] = {}
        self._jobs: OrderedDict[int, ChildJob] = OrderedDict()
        self._voice: VoiceBoard | None = None
        self._boards: dict[tuple[str, str], BatchBoard] = {}
        self._greeted = False
        self._running = True

    def run(self) -> None:
        """Work until the end. Raises ProtocolViolation if the parent speaks another language."""
        while self._running:
            busy = self._step()
            self._transmit()
            for frame in self._receive(wait=not busy):
                self._handle(frame)
        for job in self._jobs.values():
            job.close()
        for engine in self._engines.values():
            engine.close()

    # --- the socket

    def _receive(self, wait: bool) -> list[Frame]:
        if wait:
            self._poll.register(self._connection, select.POLLIN | (select.POLLOUT if self._unsent else 0))
            self._poll.poll(self._patience())
        try:
            data = self._connection.recv(RECEIVE)
        except (BlockingIOError, InterruptedError):
            return []
        except ConnectionError:
            data = b""
        if not data:
            self._running = False  # the parent is gone
        return self._decoder.feed(data)

    def _patience(self) -> int | None:
        """Milliseconds until a board has waited long enough for company; None is until a frame comes."""
        if len(self._unsent) > MAX_UNSENT:
            return None
        rest = earliest([board.rest for board in self._boards.values()])
        return None if rest is None else math.ceil(rest * 1_000)

    def _send(self, frame: bytes) -> None:
        self._unsent += frame

    def _transmit(self) -> None:
        if not self._unsent:
            return
        try:
            sent = self._connection.send(self._unsent)
        except (BlockingIOError, InterruptedError):
            return
        except ConnectionError:
            self._running = False
            return
        del self._unsent[:sent]

    # --- work

    def _step(self) -> bool:
        """One batch of voice activity, one of each board and one step of one job; whether there was something to do."""
        if len(self._unsent) > MAX_UNSENT:
            return False
        busy = False
        if self._voice is not None and self._voice.pending:
            self._unsent += self._voice.step()
            busy = True
        for number, job in list(self._jobs.items()):
            if isinstance(job, BatchJob) and job.runnable:  # first, so that all who can be of a batch are
                self._work(number, job)
                busy = True
        for board in self._boards.values():
            if board.rest == 0:
                board.step()
                busy = True
        for number, job in self._jobs.items():
            if job.runnable and not isinstance(job, BatchJob):
                self._jobs.move_to_end(number)  # round-robin
                self._work(number, job)
                return True
        return busy

    def _work(self, number: int, job: ChildJob) -> None:
        try:
            done = job.step()
        except Exception as error:  # noqa: BLE001 - the border of engine code: it fails this job only
            self._fail(number, error)
        else:
            if done:
                self._end(number)

    def _fail(self, number: int, error: Exception) -> None:
        self._end(number, error_to_json(in_the_tree(error)))

    def _end(self, number: int, error: Json | None = None) -> None:
        job = self._jobs.pop(number, None)
        if job is not None:
            try:
                job.close()
            except Exception as failure:  # noqa: BLE001 - the border of engine code
                error = error or error_to_json(in_the_tree(failure))
        self._send(ending(number, error))

    # --- frames

    def _handle(self, frame: Frame) -> None:
        kind, number, payload = frame
        if not self._greeted:
            if kind != Kind.HELLO:
                raise ProtocolViolation("the parent did not greet")
            self._greet(read_json(payload))
        elif kind == Kind.VOICE and self._voice is not None:
            self._voice.receive(payload)
        elif kind == Kind.RESET and self._voice is not None and number in self._voice:
            self._voice.reset(number)
        elif number:
            self._handle_job(frame)
        elif kind == Kind.PING:
            self._send(pack_json(Kind.PONG, 0, {"memory": resident_bytes(), "jobs": len(self._jobs)}))
        elif kind == Kind.STOP:
            self._running = False

    def _handle_job(self, frame: Frame) -> None:
        kind, number, payload = frame
        if kind == Kind.OPEN:
            self._open(number, read_json(payload))
        elif kind == Kind.CANCEL:
            self._cancel(number)
        elif number in self._jobs:  # else it is stale
            self._input(number, kind, payload)

    def _greet(self, hello: Json) -> None:
        if hello.get("version") != VERSION:
            raise ProtocolViolation(f"the parent speaks version {hello.get('version')}, this worker {VERSION}")
        self._greeted = True
        limit_address_space(int(hello.get("max_address_space", 0)))
        self._send(pack_json(Kind.HELLO, 0, {"version": VERSION, "pid": self._pid}))
        for wanted in hello["engines"]:
            kind, name = wanted["kind"], wanted["name"]
            loaded: Json = {"kind": kind, "name": name}
            try:
                engine = self._load(kind, name, wanted["settings"])
                loaded["capabilities"] = describe(engine.capabilities)
            except Exception as error:  # noqa: BLE001 - the border of engine code: the other engines load all the same
                loaded["error"] = error_to_json(_not_loaded(error, f"{kind} engine {name}"))
            else:
                self._engines[kind, name] = engine
                if kind == "vad":
                    loaded["frame_samples"] = engine.FRAME_SAMPLES
                    self._voice = VoiceBoard(engine, self._fail)
                elif hasattr(engine, "BATCH"):
                    self._boards[kind, name] = BatchBoard(engine, self._fail, self._now)
            self._send(pack_json(Kind.LOADED, 0, loaded))
        self._send(pack_json(Kind.READY, 0, {"memory": resident_bytes()}))

    def _open(self, number: int, opening: Json) -> None:
        try:
            if opening.get("kind") == "vad":
                if self._voice is None:
                    raise UnknownName("this worker detects no voice activity")
                self._voice.open(number)
            else:
                self._jobs[number] = self._job(number, opening)
        except Exception as error:  # noqa: BLE001 - the border of engine code
            self._fail(number, error)

    def _job(self, number: int, opening: Json) -> ChildJob:
        kind = opening.get("kind", "")
        engine = self._engines.get((kind, opening.get("name", "")))
        if engine is None:
            raise UnknownName(f"this worker has no {kind} engine {opening.get('name')!r}")
        match kind:
            case "stt" if (kind, opening["name"]) in self._boards:
                return BatchJob(number, self._boards[kind, opening["name"]], opening, self._send)
            case "stt":
                return TranscriptionJob(number, engine, opening, self._send)
            case "tts":
                return SynthesisJob(number, engine, opening, self._send, self._resampler)
            case "llm":
                return LanguageJob(number, engine, opening, self._send)
            case "wake":
                return WakeJob(number, engine, opening, self._send)
        return TurnJob(number, engine, self._send)

    def _cancel(self, number: int) -> None:
        if self._voice is not None and number in self._voice:
            self._voice.close(number)
        elif number in self._jobs:
            self._end(number)

    def _input(self, number: int, kind: int, payload: bytes) -> None:
        try:
            self._jobs[number].receive(kind, payload)
        except (VivavoceError, UnicodeDecodeError) as error:
            self._fail(number, error)


def in_the_tree(error: Exception) -> VivavoceError:
    """``error``, wrapped in EngineFailed if it is none of ours; the traceback goes to the log of the child."""
    if isinstance(error, VivavoceError):
        return error
    traceback.print_exception(error, file=sys.stderr)
    if isinstance(error, MemoryError):
        return EngineFailed(
            "the engine found no more memory: choose a smaller model, or raise max_address_space of its worker group "
            "if that is set",
            code="out_of_memory",
            cause=error,
        )
    return EngineFailed(f"the engine failed: {type(error).__name__}: {error}", cause=error)


def _not_loaded(error: Exception, what: str) -> VivavoceError:
    if isinstance(error, ImportError):
        return EngineMissing(f"{what} needs a package that is not installed ({error}); run `vivavoce doctor`", cause=error)
    return in_the_tree(error)


def limit_address_space(megabytes: int) -> None:
    """Let allocations fail above ``megabytes``; 0 is no limit. Where a hard limit is lower, that one holds."""
    if megabytes:
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        wanted = megabytes << 20
        resource.setrlimit(resource.RLIMIT_AS, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


_PAGE = resource.getpagesize()
_STATM = Path("/proc/self/statm")


def resident_bytes() -> int:
    """Resident memory of this process; its peak where the system does not tell the present."""
    try:
        return int(_STATM.read_text().split()[1]) * _PAGE
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
