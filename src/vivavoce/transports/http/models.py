"""Models over HTTP: what there is, what is here, and fetching with progress. What a model is, the application knows."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Annotated, Any, Literal, Protocol

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from vivavoce.contracts.errors import UnknownName
from vivavoce.transports.bodies import ErrorBody, ErrorDetail

PullState = Literal["queued", "running", "done", "failed", "cancelled"]

_Answers = dict[int | str, dict[str, Any]]
_FOREIGN: _Answers = {403: {"model": ErrorBody, "description": "A foreign Host or Origin."}}
_UNKNOWN: _Answers = {404: {"model": ErrorBody, "description": "No model is called that."}, **_FOREIGN}
_PULL: _Answers = {
    **_UNKNOWN,
    403: {"model": ErrorBody, "description": "`licence_not_accepted`, or a foreign Host or Origin."},
    503: {"model": ErrorBody, "description": "`offline`: no connection may be made. `overloaded`: too many are waiting."},
}
_REMOVE: _Answers = {
    **_UNKNOWN,
    400: {"model": ErrorBody, "description": "`model_in_use`: an engine of this server has it."},
}


class ModelCost(BaseModel):
    """What it was seen to cost."""

    origin: str = Field(description="Who measured it, on what.")
    rtf: float | None = Field(default=None, description="Seconds of one core per second of audio.")
    delay: float | None = Field(
        default=None, description="Seconds from the end of speech to the text, or from text to first audio."
    )
    memory: int | None = Field(default=None, description="Resident MB.")


class ModelNeeds(BaseModel):
    """The least machine it is recommended for."""

    cores: int
    memory_mb: int


class Pull(BaseModel):
    """How a download is doing, or how it ended."""

    state: PullState
    file: str = Field(default="", description="What comes now.")
    received: int = Field(default=0, description="Bytes of all files so far.")
    bytes: int = Field(description="Bytes of all files.")
    message: str = Field(default="", description="The last thing that was done.")
    error: ErrorDetail | None = None


class ModelInfo(BaseModel):
    """One model."""

    name: str
    kind: str = Field(description="For instance `stt` or `tts`.")
    engine: str
    languages: list[str] = Field(description="Empty is any.")
    licence: str
    restricted: str = Field(description="In what the licence restricts use; empty if in nothing.")
    bytes: int
    description: str
    quality: str
    cost: ModelCost | None
    needs: ModelNeeds
    source: str
    installed: bool
    path: str | None = Field(description="The file its engine is given.")
    recommended: bool = Field(description="For this machine and the language of conversations.")
    in_use: bool = Field(
        default=False, description="Whether an engine of this server was given it; others are from the next start."
    )
    pull: Pull | None = Field(default=None, description="The latest download since the server started.")


class MachineInfo(BaseModel):
    """What recommendations reckon with."""

    cores: int
    memory_mb: int


class ModelList(BaseModel):
    """Every model there is."""

    directory: str
    machine: MachineInfo
    offline: bool = Field(description="Whether fetching is refused.")
    models: list[ModelInfo]


class PullRequest(BaseModel):
    """Terms of a download."""

    accept_licence: bool = Field(
        default=False, description="Accept a licence that restricts use; it is shown in `restricted`."
    )


class ModelLibrary(Protocol):
    """The models of this machine. Errors of the tree; UnknownName for a model nobody knows."""

    async def overview(self) -> ModelList: ...

    async def describe(self, name: str) -> ModelInfo: ...

    async def pull(self, name: str, *, accept_licence: bool) -> ModelInfo:
        """Begin, or wait behind others. Raises NotAllowed, Overloaded, or Unavailable where no connection may be made."""

    async def cancel(self, name: str) -> ModelInfo:
        """Stop a download that waits or runs; what has come is kept."""

    async def remove(self, name: str) -> ModelInfo: ...


def models_router(library: ModelLibrary) -> APIRouter:
    """The routes below ``/api/models``."""
    routes = APIRouter(prefix="/api/models", tags=["models"])

    @routes.get("", responses=_FOREIGN)
    async def overview(
        engine: Annotated[str | None, Query(description="Only models of this engine.")] = None,
        installed: Annotated[bool | None, Query(description="Only those that are here, or only the others.")] = None,
    ) -> ModelList:
        """Every model, with what is here and what is recommended for this machine."""
        found = await library.overview()
        wanted = [
            model
            for model in found.models
            if engine in (None, model.engine) and (installed is None or model.installed is installed)
        ]
        return found.model_copy(update={"models": wanted})

    @routes.get("/{name}", responses=_UNKNOWN)
    async def describe(name: str) -> ModelInfo:
        """One model, with the progress of its download."""
        return await _found(library.describe(name))

    @routes.post("/{name}/pull", status_code=202, responses=_PULL)
    async def pull(name: str, terms: PullRequest | None = None) -> ModelInfo:
        """Fetch a model. One is fetched at a time; ask for the model to see how far it is."""
        return await _found(library.pull(name, accept_licence=terms is not None and terms.accept_licence))

    @routes.delete("/{name}/pull", responses=_UNKNOWN)
    async def cancel(name: str) -> ModelInfo:
        """Stop its download; what has come is kept, and the next one goes on from there."""
        return await _found(library.cancel(name))

    @routes.delete("/{name}", responses=_REMOVE)
    async def remove(name: str) -> ModelInfo:
        """Delete its files from the models directory."""
        return await _found(library.remove(name))

    return routes


async def _found(answer: Awaitable[ModelInfo]) -> ModelInfo:
    """A name in a path is an address: unknown is 404."""
    try:
        return await answer
    except UnknownName as error:
        raise UnknownName(error.message, code="not_found", cause=error) from error
