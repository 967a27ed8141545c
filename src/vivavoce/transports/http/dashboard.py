"""What the dashboard asks for: past turns, latencies over time, the machine, the configuration, keys.

Who knows all that, is the application; here are the shapes and the routes.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Protocol

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from vivavoce.contracts.access import Scope
from vivavoce.transports.http.schemas import ErrorBody, Percentiles, State, WorkerStatus

Voice = Literal["user", "reply"]

_Answers = dict[int | str, dict[str, Any]]
_FOREIGN: _Answers = {403: {"model": ErrorBody, "description": "A key without the scope `admin`, a foreign Host or Origin."}}
_UNKNOWN: _Answers = {404: {"model": ErrorBody, "description": "There is none, or it is forgotten already."}, **_FOREIGN}
_AUDIO: _Answers = {
    200: {"content": {"audio/wav": {}}, "description": "WAV, mono."},
    404: {"model": ErrorBody, "description": "No such turn, or recording is off, or nothing was heard."},
    **_FOREIGN,
}
_KEYS: _Answers = {
    400: {"model": ErrorBody, "description": "`keys_not_in_force`: make the first key on the command line."},
    **_FOREIGN,
}


class TurnWaterfall(BaseModel):
    """When each thing of a turn happened: seconds behind the end of the user's speech; null where it did not."""

    speech_stopped: float | None
    turn_scored: float | None
    transcript: float | None
    decision: float | None
    first_token: float | None
    first_sentence: float | None
    first_audio: float | None
    first_sent: float | None
    first_played: float | None
    finished: float | None
    wait: float = Field(description="The part of `decision` that was decided on.")
    speculated: bool = Field(description="Whether the reply was prepared before the decision.")
    revisions: int
    total: float | None = Field(description="To the first audio played, or sent where nobody acknowledges.")


class TurnStep(BaseModel):
    """One thing that happened."""

    at: float = Field(description="Seconds after the turn began.")
    kind: str = Field(description="A stable word, for instance `speech_started`, `transcript`, `paused`, `tool`.")
    text: str


class TurnSummary(BaseModel):
    """A turn that is over."""

    id: str
    session: str
    transport: str
    turn: int
    began: float = Field(description="Seconds since the epoch.")
    ended: float
    said: str = Field(description="What was understood of the user.")
    reply: str = Field(description="The reply as it was written.")
    heard: str = Field(description="The part of it that reached the ear.")
    interrupted: str = Field(description="Why it was cut; empty where it was not.")
    tools: list[str]
    waterfall: TurnWaterfall
    recorded: list[Voice] = Field(description="Voices there is a recording of.")


class TurnDetail(TurnSummary):
    """A turn, step by step."""

    steps: list[TurnStep]
    speech_end: float = Field(description="Seconds into the user's recording at which the last word ends.")


class TurnList(BaseModel):
    """The last turns, newest first."""

    turns: list[TurnSummary]
    keep: int = Field(description="How many are remembered.")
    texts: bool = Field(description="Whether what was said is kept.")
    recording: bool = Field(description="Whether both voices are recorded.")


class Forgotten(BaseModel):
    """What was forgotten."""

    turns: int


class StagePercentiles(BaseModel):
    """Seconds; ``p99`` only over the whole window."""

    p50: float
    p95: float
    p99: float | None = None


class LatencyBucket(BaseModel):
    """A stretch of time."""

    start: float = Field(description="Seconds since the epoch.")
    count: int = Field(description="Turns that ended in it.")
    stages: dict[str, StagePercentiles]


class LatencyReport(BaseModel):
    """Latencies of the turns that ended within a window."""

    window: float
    width: float = Field(description="Seconds of each stretch.")
    count: int
    overall: dict[str, StagePercentiles] = Field(
        description="By stage: `decision`, `transcript`, `first_token`, `first_audio`, `total` behind the end of speech; "
        "`stt`, `llm`, `tts` are the time each part took."
    )
    buckets: list[LatencyBucket]


class SystemSample(BaseModel):
    """One look at the server."""

    at: float = Field(description="Seconds since the epoch.")
    lag: float = Field(description="Worst lag of the event loop since the look before, in seconds.")
    memory_mb: float
    sessions: int
    jobs: int
    waiting: int


class SystemReport(BaseModel):
    """The server and the machine under it."""

    status: State
    version: str
    python: str
    platform: str
    uptime: float
    cores: int
    machine_memory_mb: int
    memory_mb: float = Field(description="Of the server process; workers have their own.")
    threads: int
    loop_lag: Percentiles
    workers: list[WorkerStatus]
    queues: dict[str, float] = Field(description="Depths and counts now, as in `/api/metrics`.")
    sound_mb: float = Field(description="Recordings of turns in memory.")
    every: float = Field(description="Seconds between two of the samples.")
    samples: list[SystemSample] = Field(description="The last hour, oldest first.")


class SettingOrigin(BaseModel):
    """Where a value was set."""

    layer: str = Field(description="`default`, `system`, `user`, `project`, `file`, `environment` or `flag`.")
    source: str
    line: int | None


class SettingValue(BaseModel):
    """One setting."""

    key: str
    type: str
    range: str
    value: Any = Field(description="Secrets are `***`.")
    default: Any
    origin: SettingOrigin
    environment: str = Field(description="The variable that sets it.")
    help: str


class SettingsReport(BaseModel):
    """The configuration in force. It is changed in the files, and counts from the next start."""

    settings: list[SettingValue]
    files: list[str] = Field(description="Files that were read, the weakest first.")


class KeyInfo(BaseModel):
    """An API key, without the key itself."""

    id: str
    name: str
    scopes: list[Scope]
    created: float = Field(description="Seconds since the epoch.")


class KeyList(BaseModel):
    """The keys there are."""

    in_force: bool = Field(description="Whether requests need a key. Keys are made here only where they do.")
    keys: list[KeyInfo]


class KeyRequest(BaseModel):
    """A key to be made."""

    name: str = Field(min_length=1, max_length=100)
    scopes: list[Scope] = Field(default=["converse"], min_length=1)


class NewKey(KeyInfo):
    """A key that was made."""

    key: str = Field(description="Told once: only its hash is kept.")


class Dashboard(Protocol):
    """What stands behind. Errors of the tree; UnknownName (``not_found``) for what is not there."""

    def turns(self, limit: int, session: str) -> TurnList: ...

    def turn(self, id: str) -> TurnDetail: ...

    async def turn_audio(self, id: str, voice: Voice) -> bytes:
        """A WAV file."""

    def forget_turns(self) -> int: ...

    async def latency(self, window: float) -> LatencyReport: ...

    async def system(self) -> SystemReport: ...

    async def settings(self) -> SettingsReport: ...

    async def keys(self) -> KeyList: ...

    async def create_key(self, wanted: KeyRequest) -> NewKey:
        """Raises InvalidRequest where no keys are in force: the first one would lock everybody out."""

    async def revoke_key(self, id: str) -> KeyInfo: ...


def dashboard_router(behind: Dashboard) -> APIRouter:
    """All its routes; the scope `admin` is asked for by the entrance."""
    routes = APIRouter(prefix="/api", tags=["dashboard"])
    _turns(routes, behind)
    _machine(routes, behind)
    _keys(routes, behind)
    return routes


def _turns(routes: APIRouter, behind: Dashboard) -> None:
    @routes.get("/turns", responses=_FOREIGN)
    async def turns(
        limit: Annotated[int, Query(ge=1, le=1_000)] = 50,
        session: Annotated[str, Query(description="Only turns of this session.")] = "",
    ) -> TurnList:
        """The last finished turns, newest first."""
        return behind.turns(limit, session)

    @routes.delete("/turns", responses=_FOREIGN)
    async def forget() -> Forgotten:
        """Forget all finished turns, their recordings included."""
        return Forgotten(turns=behind.forget_turns())

    @routes.get("/turns/{id}", responses=_UNKNOWN)
    async def turn(id: str) -> TurnDetail:
        """One turn, step by step."""
        return behind.turn(id)

    @routes.get("/turns/{id}/audio", responses=_AUDIO, response_class=Response)
    async def audio(id: str, voice: Annotated[Voice, Query(description="Whose.")] = "user") -> Response:
        """One voice of a turn, where turns are recorded (`turns.audio`)."""
        return Response(await behind.turn_audio(id, voice), media_type="audio/wav", headers={"cache-control": "no-store"})

    @routes.get("/latency", responses=_FOREIGN)
    async def latency(
        window: Annotated[float, Query(ge=60, le=604_800, description="Seconds back from now.")] = 3_600,
    ) -> LatencyReport:
        """Percentiles of the stages of turns over time."""
        return await behind.latency(window)


def _machine(routes: APIRouter, behind: Dashboard) -> None:
    @routes.get("/system", responses=_FOREIGN)
    async def system() -> SystemReport:
        """Workers, queues, memory, lag of the event loop: now, and over the last hour."""
        return await behind.system()

    @routes.get("/settings", responses=_FOREIGN)
    async def settings() -> SettingsReport:
        """The configuration in force, each value with its origin; secrets are masked."""
        return await behind.settings()


def _keys(routes: APIRouter, behind: Dashboard) -> None:
    @routes.get("/keys", responses=_FOREIGN)
    async def keys() -> KeyList:
        """The API keys there are; never the keys themselves."""
        return await behind.keys()

    @routes.post("/keys", status_code=201, responses=_KEYS)
    async def create(wanted: KeyRequest) -> NewKey:
        """Make a key. It is told once."""
        return await behind.create_key(wanted)

    @routes.delete("/keys/{id}", responses={**_UNKNOWN, 400: {"model": ErrorBody, "description": "`last_admin_key`."}})
    async def revoke(id: str) -> KeyInfo:
        """Forget a key. Connections that are open stay open."""
        return await behind.revoke_key(id)
