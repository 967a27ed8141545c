"""One piece of work as the parent sees it, from its request to its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from vivavoce.contracts.errors import DeadlineExceeded, VivavoceError
from vivavoce.contracts.ports import Clock
from vivavoce.workers.link import Pump
from vivavoce.workers.messages import Json
from vivavoce.workers.options import EngineKind
from vivavoce.workers.wire import Kind, dump_json, pack

EngineKey = tuple[EngineKind, str]


class Consumer(Pump, Protocol):
    """Who asked for the job. All methods are called on the loop, none may wait."""

    def received(self, kind: int, payload: bytes) -> None:
        """A frame of the job. Raises ProtocolViolation if it makes no sense: the worker is then replaced."""

    def ended(self, error: VivavoceError | None) -> None:
        """The job is over; called once, and never behind ``Job.cancel``."""


class Carrier(Protocol):
    """The process a job runs on."""

    def write(self, frame: bytes) -> None: ...

    def pump_later(self, source: Pump) -> None: ...

    def abandon(self, job: Job) -> None:
        """The job is cancelled; with ``overdue`` set the process must show within a heartbeat that it noticed."""


class Job:
    """A job: waiting for a process, open on one, or ended. A job is never run twice."""

    __slots__ = (
        "_carrier",
        "_clock",
        "_consumer",
        "_deadline",
        "_disarm",
        "_opening",
        "_touched",
        "_withdraw",
        "ended",
        "engine",
        "number",
        "overdue",
    )

    def __init__(self, engine: EngineKey, opening: Json, consumer: Consumer, clock: Clock, deadline: float) -> None:
        """Raises ProtocolViolation if the opening is too large."""
        self.engine = engine
        kind, name = engine
        self._opening = dump_json({"kind": kind, "name": name, **opening})
        self.number = 0
        self.ended = False
        self.overdue = False
        self._consumer = consumer
        self._clock = clock
        self._deadline = deadline
        self._carrier: Carrier | None = None
        self._withdraw: Callable[[Job], None] | None = None
        self._touched = 0.0
        self._disarm: Callable[[], None] | None = None

    # --- for the pool

    def wait(self, withdraw: Callable[[Job], None]) -> None:
        """The job is in the queue, ``withdraw`` takes it out again. The deadline counts from now."""
        self._withdraw = withdraw
        self._touched = self._clock.now()
        self._disarm = self._clock.call_later(self._deadline, self._check_deadline)

    def admit(self, carrier: Carrier, number: int) -> None:
        """A process takes the job."""
        self._carrier, self._withdraw, self.number = carrier, None, number
        carrier.write(pack(Kind.OPEN, number, self._opening))
        carrier.pump_later(self._consumer)

    def receive(self, kind: int, payload: bytes) -> None:
        """A frame from the process; stale ones are dropped."""
        if not self.ended:
            self._consumer.received(kind, payload)

    def end(self, error: VivavoceError | None) -> None:
        """The job is over on the process's side. Idempotent."""
        if not self.ended:
            self._close()
            self._consumer.ended(error)

    # --- for its consumer

    @property
    def open(self) -> bool:
        """Whether input can be written."""
        return self._carrier is not None and not self.ended

    def write(self, kind: Kind, payload: bytes = b"") -> None:
        """Send input to the process."""
        if self._carrier is not None and not self.ended:
            self._carrier.write(pack(kind, self.number, payload))

    def pump_later(self) -> None:
        """Have the consumer's ``pump`` called when this tick's frames go out."""
        if self._carrier is not None and not self.ended:
            self._carrier.pump_later(self._consumer)

    def touch(self) -> None:
        """The deadline counts from now."""
        self._touched = self._clock.now()

    def cancel(self) -> None:
        """Withdraw the job. Nothing more is heard of it. Idempotent."""
        if self.ended:
            return
        self._close()
        if self._withdraw is not None:
            self._withdraw(self)
        elif self._carrier is not None:
            self._carrier.abandon(self)

    def _close(self) -> None:
        self.ended = True
        if self._disarm is not None:
            self._disarm()

    def _check_deadline(self) -> None:
        left = self._touched + self._deadline - self._clock.now()
        if left > 0.001:
            self._disarm = self._clock.call_later(left, self._check_deadline)
            return
        self.overdue = True
        consumer = self._consumer
        self.cancel()
        consumer.ended(DeadlineExceeded(f"{self.engine[0]} engine {self.engine[1]} took longer than {self._deadline:g} s"))
