"""The error tree.

Every error that leaves a room is one of these. ``code`` is stable and machine readable, ``message`` is for people and says
what to do, ``retryable`` says whether the same request may succeed later, ``cause`` keeps the original exception. Each
transport maps the tree to its own language; third-party exceptions are mapped once, by the room that owns the dependency.

::

    VivavoceError
    ├── InvalidRequest            the caller's input is wrong
    │   ├── InvalidAudio
    │   ├── InvalidText
    │   ├── UnknownName           a language, provider, voice or model nobody here has
    │   └── ProtocolViolation     a message out of place or out of shape
    ├── NotAllowed                authentication or authorisation failed
    ├── LimitExceeded             a limit or budget of the caller is used up
    ├── Overloaded                the server is full: try later
    ├── Cancelled                 the work was withdrawn by number
    ├── DeadlineExceeded          the work took longer than it was given
    ├── Unavailable               a part is missing or down
    │   ├── EngineMissing         package, library or model file absent; the message names the mending command
    │   ├── WorkerLost            the process that ran the job died
    │   └── ProviderFailed        a remote service answered with an error
    ├── EngineFailed              the engine itself raised on this input
    │   └── DeviceLost            the GPU failed under it: the process is of no use any more and is replaced
    ├── ConfigurationError        a configuration value is wrong
    └── InternalError             a bug of ours
"""

from __future__ import annotations


class VivavoceError(Exception):
    """Root of the tree. ``code`` and ``retryable`` are class defaults an instance may override."""

    code: str = "internal_error"
    retryable: bool = False

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        retryable: bool | None = None,
        cause: BaseException | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code
        if retryable is not None:
            self.retryable = retryable
        self.cause = cause
        self.retry_after = retry_after
        """Seconds after which a retry makes sense, where that is known."""


class InvalidRequest(VivavoceError):
    """The caller's input is wrong; the same input will fail again."""

    code = "invalid_request"


class InvalidAudio(InvalidRequest):
    """Audio of a wrong size, format or length."""

    code = "invalid_audio"


class InvalidText(InvalidRequest):
    """Text that is empty, too long or not text."""

    code = "invalid_text"


class UnknownName(InvalidRequest):
    """A language, provider, voice, model or message type nobody here has."""

    code = "unknown_name"


class ProtocolViolation(InvalidRequest):
    """A message that is malformed or out of place."""

    code = "protocol_violation"


class NotAllowed(VivavoceError):
    """Authentication or authorisation failed."""

    code = "not_allowed"


class LimitExceeded(VivavoceError):
    """A limit or budget of this caller is used up."""

    code = "limit_exceeded"
    retryable = True


class Overloaded(VivavoceError):
    """The server is full; refused with a reason rather than served late."""

    code = "overloaded"
    retryable = True


class Cancelled(VivavoceError):
    """The work was withdrawn; nobody waits for its result any more."""

    code = "cancelled"


class DeadlineExceeded(VivavoceError):
    """The work took longer than it was given."""

    code = "deadline_exceeded"
    retryable = True


class Unavailable(VivavoceError):
    """A part this request needs is missing or down."""

    code = "unavailable"
    retryable = True


class EngineMissing(Unavailable):
    """A package, library or model file is absent. The message names the command that mends it."""

    code = "engine_missing"
    retryable = False


class WorkerLost(Unavailable):
    """The process that ran the job died; it is being restarted."""

    code = "worker_lost"


class ProviderFailed(Unavailable):
    """A remote service answered with an error."""

    code = "provider_failed"


class EngineFailed(VivavoceError):
    """The engine raised on this input."""

    code = "engine_failed"


class DeviceLost(EngineFailed):
    """The GPU failed and stays failed for this process, which is replaced: the same request may succeed in the next one."""

    code = "gpu_failed"
    retryable = True


class ConfigurationError(VivavoceError):
    """A configuration value is wrong."""

    code = "configuration_error"


class InternalError(VivavoceError):
    """A bug of ours: the message names the place, the cause holds the exception."""

    code = "internal_error"


def error_types() -> dict[str, type[VivavoceError]]:
    """Every concrete class of the tree by its code, for wires that carry errors by code."""
    found: dict[str, type[VivavoceError]] = {}
    pending: list[type[VivavoceError]] = [VivavoceError]
    while pending:
        kind = pending.pop()
        pending.extend(kind.__subclasses__())
        if kind is not VivavoceError:
            found.setdefault(kind.code, kind)
    return found
