"""What the dashboard asks for, gathered from those who know it: turns, latencies, machine, configuration, keys."""

from __future__ import annotations

import asyncio
import logging
import os
import platform
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vivavoce import __version__
from vivavoce.audio.codecs import wav
from vivavoce.config import show
from vivavoce.config.load import Loaded
from vivavoce.config.nodes import DEFAULT
from vivavoce.contracts.errors import InvalidRequest, UnknownName
from vivavoce.contracts.ports import Clock
from vivavoce.flow.tasks import TaskScope
from vivavoce.observe import latency, timeline
from vivavoce.observe.latency import LatencyLog
from vivavoce.observe.metrics import Metrics
from vivavoce.observe.timeline import Sample, Timeline
from vivavoce.observe.turns import MEGABYTE, FinishedTurn, TurnStore
from vivavoce.services import keys
from vivavoce.services.keys import KeyFile
from vivavoce.services.recommendation import this_machine
from vivavoce.transports.http import dashboard as told
from vivavoce.transports.http.schemas import Percentiles, State, WorkerStatus

_logger = logging.getLogger("vivavoce")


@dataclass(frozen=True, slots=True)
class Sources:
    """Who knows what the dashboard shows."""

    clock: Clock
    turns: TurnStore
    latency: LatencyLog
    timeline: Timeline
    metrics: Metrics
    state: Callable[[], State]
    uptime: Callable[[], float]
    workers: Callable[[], list[WorkerStatus]]
    sessions: Callable[[], int]
    loaded: Loaded
    keys: KeyFile


class DashboardDesk:
    """Keeps the Protocol ``Dashboard`` of the HTTP door, and looks at the server every few seconds."""

    def __init__(self, sources: Sources) -> None:
        self._from = sources
        self._scope = TaskScope(self._broke, limit=1)
        self._memory = 0.0

    def start(self) -> None:
        """Begin to look."""
        self._scope.start(self._look(), name="dashboard timeline")

    async def close(self) -> None:
        """Look no more."""
        await self._scope.close()

    async def _look(self) -> None:
        while True:
            self._memory = await asyncio.to_thread(resident_mb)
            workers = self._from.workers()
            self._from.timeline.add(
                Sample(
                    wall=self._from.clock.wall(),
                    lag=self._from.timeline.take_lag(),
                    memory=self._memory,
                    sessions=self._from.sessions(),
                    jobs=sum(worker.jobs for worker in workers),
                    waiting=sum({worker.group: worker.waiting for worker in workers}.values()),
                )
            )
            await self._from.clock.sleep(timeline.EVERY)

    def _broke(self, error: Exception) -> None:
        _logger.error("the dashboard's timeline broke", exc_info=error)

    # --- turns

    def turns(self, limit: int, session: str) -> told.TurnList:
        """The last turns, newest first."""
        options = self._from.turns.options
        found = [told.TurnSummary.model_validate(_turn(turn)) for turn in self._from.turns.latest(limit, session)]
        return told.TurnList(turns=found, keep=options.keep, texts=options.texts, recording=options.audio)

    def turn(self, id: str) -> told.TurnDetail:
        """One turn."""
        turn = self._turn(id)
        steps = [asdict(step) for step in turn.steps]
        return told.TurnDetail.model_validate({**_turn(turn), "steps": steps, "speech_end": turn.speech_end})

    async def turn_audio(self, id: str, voice: told.Voice) -> bytes:
        """One of its voices."""
        turn = self._turn(id)
        recording = turn.user if voice == "user" else turn.spoken
        if recording is None:
            why = "recording is off (turns.audio)" if not self._from.turns.options.audio else "nothing was kept of it"
            raise UnknownName(f"there is no recording of this voice: {why}", code="not_found")
        return await asyncio.to_thread(wav.write, recording.pcm, recording.format)

    def forget_turns(self) -> int:
        """All of them."""
        return self._from.turns.clear()

    def _turn(self, id: str) -> FinishedTurn:
        turn = self._from.turns.find(id)
        if turn is None:
            raise UnknownName("there is no such turn; the server keeps the last ones only", code="not_found")
        return turn

    # --- numbers

    async def latency(self, window: float) -> told.LatencyReport:
        """Computed in a thread: thousands of turns are sorted."""
        seen, now = self._from.latency.snapshot()
        return await asyncio.to_thread(_latency, seen, now, window)

    async def system(self) -> told.SystemReport:
        """The server and the machine under it."""
        machine = await asyncio.to_thread(this_machine)
        memory = await asyncio.to_thread(resident_mb)
        snapshot = self._from.metrics.snapshot()
        return told.SystemReport(
            status=self._from.state(),
            version=__version__,
            python=platform.python_version(),
            platform=f"{platform.system()} {platform.release()} ({platform.machine()})",
            uptime=self._from.uptime(),
            cores=machine.cores,
            machine_memory_mb=machine.memory,
            memory_mb=memory,
            threads=threading.active_count(),
            loop_lag=Percentiles.model_validate(snapshot["latencies"].get("loop_lag", {"count": 0})),
            workers=self._from.workers(),
            queues=snapshot["gauges"],
            sound_mb=round(self._from.turns.sound_bytes / MEGABYTE, 2),
            every=timeline.EVERY,
            samples=[_sample(sample) for sample in self._from.timeline.samples],
        )

    # --- configuration and keys

    async def settings(self) -> told.SettingsReport:
        """Every value with its origin."""
        return await asyncio.to_thread(_settings, self._from.loaded)

    async def keys(self) -> told.KeyList:
        """Keys, without the keys."""
        kept = await asyncio.to_thread(keys.load, self._file)
        return told.KeyList(in_force=self._from.keys.configured, keys=[_key(one) for one in kept])

    async def create_key(self, wanted: told.KeyRequest) -> told.NewKey:
        """Make one; it counts at once."""
        if not self._from.keys.configured:
            raise InvalidRequest(
                "no keys are in force, and the first one would lock this page out; make it on the command line: "
                "vivavoce key create NAME --scope admin",
                code="keys_not_in_force",
            )
        now = self._from.clock.wall()
        stored, key = await asyncio.to_thread(keys.create, self._file, wanted.name, wanted.scopes, now)
        await asyncio.to_thread(self._from.keys.refresh)
        return told.NewKey.model_validate({**_key(stored).model_dump(), "key": key})

    async def revoke_key(self, id: str) -> told.KeyInfo:
        """Forget one, by its id; not the last that may do so."""
        kept = await asyncio.to_thread(keys.load, self._file)
        found = next((one for one in kept if one.id == id), None)
        if found is None:
            raise UnknownName(f"there is no key {id!r}", code="not_found")
        if not any("admin" in one.scopes for one in kept if one.id != id):
            raise InvalidRequest(
                "this is the last key with the scope admin; without it nobody could manage keys here. Revoke it on the "
                f"command line: vivavoce key revoke {id}",
                code="last_admin_key",
            )
        await asyncio.to_thread(keys.revoke, self._file, id)
        await asyncio.to_thread(self._from.keys.refresh)
        return _key(found)

    @property
    def _file(self) -> Path:
        return self._from.loaded.keys_file


def resident_mb() -> float:
    """Memory of this process; 0 where the system does not tell. Reads a file: call it off the loop."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return round(pages * os.sysconf("SC_PAGE_SIZE") / MEGABYTE, 1)
    except (OSError, ValueError, IndexError):
        return 0.0


def _turn(turn: FinishedTurn) -> dict[str, Any]:
    plain = {
        name: getattr(turn, name)
        for name in ("id", "session", "transport", "turn", "began", "ended", "said", "reply", "heard", "interrupted")
    }
    recorded = [voice for voice, sound in (("user", turn.user), ("reply", turn.spoken)) if sound is not None]
    waterfall = {**asdict(turn.waterfall), "total": turn.waterfall.total}
    return {**plain, "tools": list(turn.tools), "waterfall": waterfall, "recorded": recorded}


def _latency(seen: tuple[latency.Seen, ...], now: float, window: float) -> told.LatencyReport:
    inside = [one for one in seen if one.wall >= now - window]
    return told.LatencyReport(
        window=window,
        width=window / latency.BUCKETS,
        count=len(inside),
        overall={
            stage: told.StagePercentiles(p50=p50, p95=p95, p99=p99)
            for stage, (p50, p95, p99) in latency.overall(inside).items()
        },
        buckets=[
            told.LatencyBucket(
                start=bucket.start,
                count=bucket.count,
                stages={stage: told.StagePercentiles(p50=p50, p95=p95) for stage, (p50, p95) in bucket.stages.items()},
            )
            for bucket in latency.buckets(inside, now, window)
        ],
    )


def _sample(sample: Sample) -> told.SystemSample:
    return told.SystemSample(
        at=sample.wall,
        lag=sample.lag,
        memory_mb=sample.memory,
        sessions=sample.sessions,
        jobs=sample.jobs,
        waiting=sample.waiting,
    )


def _settings(loaded: Loaded) -> told.SettingsReport:
    values = []
    for setting in show.find(""):
        if setting.section:
            continue
        about = show.explain(setting, loaded)
        origin = loaded.origin(setting.path)
        if origin is DEFAULT and about["value"] != about["default"]:
            # A mapping or a list is set entry by entry.
            below = [found for path, found in loaded.origins.items() if path.startswith(setting.path)]
            origin = below[-1] if below else origin
        values.append(told.SettingValue.model_validate({**about, "origin": asdict(origin)}))
    return told.SettingsReport(settings=values, files=[str(place.path) for place in loaded.files])


def _key(stored: keys.StoredKey) -> told.KeyInfo:
    return told.KeyInfo(id=stored.id, name=stored.name, scopes=list(stored.scopes), created=stored.created)
