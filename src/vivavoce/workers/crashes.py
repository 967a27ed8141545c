"""When to start again after a crash, and when to stop trying. No clock, no process."""

from __future__ import annotations

from vivavoce.contracts.errors import Unavailable, VivavoceError
from vivavoce.workers.options import WorkerOptions

FORGIVEN_AFTER = 60.0
"""Seconds without a crash after which all is as if there had been none."""


class Crashes:
    """The crashes of one group. Times are seconds of the caller's clock.

    A crash delays the next start, twice as long each time. After ``poison_limit`` of them without one finished job
    between, jobs are refused until the delay has passed; then one is let through as a probe, and only its success opens
    the group again. A group whose engines cannot be loaded refuses with their error, and tries again with the first job
    behind ``restart_delay_max``.
    """

    def __init__(self, options: WorkerOptions) -> None:
        self._options = options
        self._delay = 0.0
        self._last = float("-inf")
        self._in_a_row = 0
        self._not_before = float("-inf")
        self._load_error: VivavoceError | None = None
        self.total = 0
        self.last_error: VivavoceError | None = None

    @property
    def poisoned(self) -> bool:
        """Jobs are let through one by one."""
        return self._in_a_row >= self._options.poison_limit

    @property
    def load_failing(self) -> bool:
        """No engine could be loaded the last time."""
        return self._load_error is not None

    def crashed(self, error: VivavoceError, now: float) -> None:
        """A process died, hung, or did not come up."""
        self._forgive(now)
        options = self._options
        self._delay = min(options.restart_delay_max, self._delay * 2 or options.restart_delay)
        self._last = now
        self._in_a_row += 1
        self._not_before = now + self._delay
        self.total += 1
        self.last_error = error

    def load_failed(self, error: VivavoceError, now: float) -> None:
        """No engine of a process could be loaded; that will not mend itself soon."""
        self._load_error = self.last_error = error
        self._not_before = now + self._options.restart_delay_max

    def loaded(self) -> None:
        """A process came up with an engine at least."""
        self._load_error = None

    def finished(self) -> None:
        """A job was finished."""
        self._in_a_row = 0

    def wait(self, now: float) -> float:
        """Seconds until a process may be started."""
        self._forgive(now)
        return max(0.0, self._not_before - now)

    def refusal(self, now: float) -> VivavoceError | None:
        """Why no job is taken at this time, if none is."""
        wait = self.wait(now)
        if wait <= 0:
            return None
        if self._load_error is not None:
            return again(self._load_error)
        if self.poisoned:
            return Unavailable(
                f"the {self._options.name} worker died {self._in_a_row} times in a row"
                f" ({self.last_error}); it is tried again in {wait:.1f} s",
                retry_after=wait,
            )
        return None

    def starts_by_itself(self) -> bool:
        """Whether a process is worth starting without a job that asks for it."""
        return self._load_error is None and not self.poisoned

    def _forgive(self, now: float) -> None:
        if now - self._last > FORGIVEN_AFTER:
            self._delay = 0.0
            self._in_a_row = 0


def again(error: VivavoceError) -> VivavoceError:
    """The same error, fresh: an exception raised twice would carry both tracebacks."""
    return type(error)(error.message, code=error.code, retryable=error.retryable, cause=error, retry_after=error.retry_after)
