"""What all ports over worker groups share."""

from __future__ import annotations

from typing import Any

from vivavoce.contracts.errors import VivavoceError
from vivavoce.contracts.ports import Clock
from vivavoce.contracts.speech import Capabilities
from vivavoce.flow.queue import BoundedQueue
from vivavoce.workers.group import WorkerGroup
from vivavoce.workers.jobs import Consumer, EngineKey, Job
from vivavoce.workers.messages import Json


class EngineAccess:
    """One engine of one group: what all ports of this room share."""

    def __init__(self, group: WorkerGroup, engine: EngineKey, clock: Clock) -> None:
        self.group = group
        self.engine = engine
        self._clock = clock

    @property
    def capabilities(self) -> Capabilities:
        """As the engine told when it was last loaded. Before the first load all that is known is its name."""
        return self.group.capabilities(self.engine) or Capabilities(self.engine[1])

    def open(self, consumer: Consumer, opening: Json, deadline: float | None = None) -> Job:
        """A new job for this engine, not yet submitted; ``deadline`` in place of the group's.

        Raises ProtocolViolation if the opening is too large.
        """
        seconds = self.group.options.job_deadline if deadline is None else deadline
        return Job(self.engine, opening, consumer, self._clock, seconds)


def end_queue(queue: BoundedQueue[Any], error: VivavoceError | None) -> None:
    """The job behind ``queue`` is over: readers get what is there, then the error if there is one."""
    if error is None:
        queue.close()
    else:
        queue.fail(error)
