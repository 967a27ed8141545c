"""Folds the events of a session into finished turns."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from vivavoce.audio.ring import SampleRing
from vivavoce.contracts.audio import HEARING, SAMPLE_WIDTH, AudioChunk, AudioFormat, ReplyAudio
from vivavoce.contracts.events import (
    ReplyInterrupted,
    ReplyPaused,
    ReplyResumed,
    ReplyStarted,
    ReplyText,
    ResponseCompleted,
    SessionEvent,
    SessionFailed,
    SpeechStarted,
    SpeechStopped,
    ToolUsed,
    TranscriptUpdated,
    TurnContinued,
    TurnDiscarded,
)
from vivavoce.contracts.ports import Clock
from vivavoce.observe.latency import LatencyLog
from vivavoce.observe.turns import FinishedTurn, Recording, Step, TurnStore

MAX_OPEN = 8
"""Turns of one session that are followed at once; the oldest is given up."""
MAX_STEPS = 120
"""Steps kept of a turn; interim transcripts give up their places first."""
MAX_INTERIM = 60
MAX_CHARACTERS = 20_000
"""Of what was said, of a reply and of a tool's result, each."""
MAX_TOOLS = 20
BEFORE, AFTER = 0.3, 0.3
"""Seconds of microphone around the user's words that are recorded with them."""


@dataclass(slots=True)
class _Open:
    """A turn while it goes on. Times are the clock's, samples those of the session."""

    number: int
    wall: float
    clock: float
    said: str = ""
    final: bool = False
    reply: str = ""
    heard: str = ""
    interrupted: str = ""
    speech_start: int | None = None
    speech_stop: int = 0
    tools: list[str] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    interim: int = 0
    user: bytes = b""
    user_start: int = 0
    generation: int = 0
    spoken: bytearray = field(default_factory=bytearray)


@dataclass(frozen=True, slots=True)
class Keepers:
    """Who is told what came of the sessions."""

    store: TurnStore
    latency: LatencyLog
    clock: Clock


class Witnesses:
    """Keeps the Protocol ``Witness``: follows every session into one store and one log."""

    def __init__(self, store: TurnStore, latency: LatencyLog, clock: Clock) -> None:
        self._store = store
        self._latency = latency
        self._clock = clock

    def watch(self, session: str, transport: str, rate: int) -> Following:
        """See ``Witness``."""
        return Following(Keepers(self._store, self._latency, self._clock), session, transport, rate)


class Following:
    """Keeps the Protocol ``SessionWatch`` for one session."""

    def __init__(self, keepers: Keepers, session: str, transport: str, rate: int) -> None:
        self._store = keepers.store
        self._latency = keepers.latency
        self._options = keepers.store.options
        self._clock = keepers.clock
        self._session, self._transport = session, transport
        self._format = AudioFormat(rate)
        self._open: OrderedDict[int, _Open] = OrderedDict()
        self._withdrawn: deque[int] = deque(maxlen=MAX_OPEN)
        self._microphone = SampleRing(self._options.audio_seconds, HEARING.rate) if self.listens else None
        self._fold: dict[type, Callable[[_Open, Any], None]] = {
            SpeechStarted: self._speech_started,
            SpeechStopped: self._speech_stopped,
            TranscriptUpdated: self._transcript,
            ReplyStarted: self._reply_started,
            ReplyText: self._reply_text,
            ReplyPaused: lambda turn, _: self._step(turn, "paused"),
            ReplyResumed: lambda turn, event: self._step(turn, "resumed", event.reason),
            ReplyInterrupted: self._interrupted,
            ToolUsed: self._tool,
            SessionFailed: lambda turn, event: self._step(turn, "failed", f"{event.code}: {event.message}"),
            ResponseCompleted: self._completed,
        }

    @property
    def listens(self) -> bool:
        """Where recording is configured."""
        return self._options.audio and self._options.keep > 0

    def told(self, event: SessionEvent) -> None:
        """Fold an event."""
        if isinstance(event, ResponseCompleted):
            self._latency.add(event.waterfall)
        if isinstance(event, TurnDiscarded):
            self._discard(event)
        elif isinstance(event, TurnContinued):
            self._continue(event)
        elif (fold := self._fold.get(type(event))) is not None:
            turn = self._turn(event)
            if turn is not None:
                fold(turn, event)

    def heard(self, chunk: AudioChunk) -> None:
        """Keep the last seconds of the microphone."""
        if self._microphone is None:
            return
        if chunk.offset != self._microphone.end:
            self._microphone.clear(chunk.offset)
        self._microphone.append(chunk.pcm)

    def spoken(self, audio: ReplyAudio) -> None:
        """Keep the newest reply of its turn."""
        turn = self._open.get(audio.stamp.turn)
        if turn is None or audio.stamp.generation < turn.generation:
            return
        if audio.stamp.generation > turn.generation:
            turn.generation, turn.spoken = audio.stamp.generation, bytearray()
        room = self._format.samples(self._options.audio_seconds) * SAMPLE_WIDTH - len(turn.spoken)
        # What is sent a second time, after a reconnection, is there already.
        known = max(0, len(turn.spoken) - audio.chunk.offset * SAMPLE_WIDTH)
        turn.spoken += audio.chunk.pcm[known : known + max(0, room)]

    # --- which turn ---------------------------------------------------------------------------------------------------

    def _turn(self, event: Any) -> _Open | None:
        number = event.stamp.turn
        found = self._open.get(number)
        if found is not None:
            return found
        # What is told of a turn that is over, or of no turn at all, begins none.
        begins = isinstance(event, SpeechStarted | TranscriptUpdated | ReplyStarted)
        if not begins or number in self._withdrawn or self._options.keep == 0:
            return None
        while len(self._open) >= MAX_OPEN:
            self._open.popitem(last=False)
        self._open[number] = _Open(number, self._clock.wall(), self._clock.now())
        return self._open[number]

    def _discard(self, event: TurnDiscarded) -> None:
        """It was no turn; unless a reply is under way, over which something was heard that did not count."""
        turn = self._open.get(event.stamp.turn)
        if turn is None:
            return
        if turn.final or turn.reply or event.reason == "reset":
            self._step(turn, "discarded", event.reason)
        else:
            del self._open[event.stamp.turn]

    def _continue(self, event: TurnContinued) -> None:
        """The earlier turn becomes the beginning of this one."""
        earlier = self._open.pop(event.continues, None)
        self._store.drop(self._id(event.continues))
        self._withdrawn.append(event.continues)
        turn = self._open.get(event.stamp.turn)
        if turn is None:
            turn = self._open[event.stamp.turn] = _Open(event.stamp.turn, self._clock.wall(), self._clock.now())
        if earlier is not None:
            later = turn.clock - earlier.clock
            turn.steps = [*earlier.steps, *(Step(step.at + later, step.kind, step.text) for step in turn.steps)][:MAX_STEPS]
            turn.wall, turn.clock = earlier.wall, earlier.clock
            turn.speech_start = earlier.speech_start if earlier.speech_start is not None else turn.speech_start
        self._step(turn, "continued")

    # --- folding ------------------------------------------------------------------------------------------------------

    def _speech_started(self, turn: _Open, event: SpeechStarted) -> None:
        if turn.speech_start is None:
            turn.speech_start = event.at
        self._step(turn, "speech_started")

    def _speech_stopped(self, turn: _Open, event: SpeechStopped) -> None:
        if not turn.final:
            turn.speech_stop = event.at
        self._step(turn, "speech_stopped")

    def _transcript(self, turn: _Open, event: TranscriptUpdated) -> None:
        text = self._kept(event.text)
        turn.said = text
        if event.final:
            turn.final = True
            self._record_user(turn)
            self._step(turn, "transcript", text)
        elif turn.interim < MAX_INTERIM:
            turn.interim += 1
            self._step(turn, "interim", text)

    def _reply_started(self, turn: _Open, event: ReplyStarted) -> None:
        turn.reply = turn.heard = turn.interrupted = ""
        if event.stamp.generation > turn.generation:
            turn.generation, turn.spoken = event.stamp.generation, bytearray()
        self._step(turn, "reply_started")

    def _reply_text(self, turn: _Open, event: ReplyText) -> None:
        if not turn.reply:
            self._step(turn, "first_text", self._kept(event.text))
        turn.reply = (turn.reply + self._kept(event.text))[:MAX_CHARACTERS]

    def _interrupted(self, turn: _Open, event: ReplyInterrupted) -> None:
        turn.heard, turn.interrupted = self._kept(event.heard), event.reason
        if event.stamp.generation == turn.generation:
            del turn.spoken[event.at * SAMPLE_WIDTH :]
        self._step(turn, "interrupted", event.reason)

    def _tool(self, turn: _Open, event: ToolUsed) -> None:
        if len(turn.tools) < MAX_TOOLS:
            turn.tools.append(event.name)
        self._step(turn, "tool", f"{event.name}: {self._kept(event.result)}")

    def _completed(self, turn: _Open, event: ResponseCompleted) -> None:
        del self._open[turn.number]
        self._step(turn, "completed")
        start = turn.speech_start if turn.speech_start is not None else turn.user_start
        speech_end = HEARING.seconds(max(turn.speech_stop, start) - turn.user_start) if turn.user else 0.0
        self._store.add(
            FinishedTurn(
                id=self._id(turn.number),
                session=self._session,
                transport=self._transport,
                turn=turn.number,
                began=turn.wall,
                ended=self._clock.wall(),
                said=turn.said,
                reply=turn.reply,
                heard=self._kept(event.text),
                interrupted=(turn.interrupted or "speech") if event.interrupted else "",
                tools=tuple(turn.tools),
                steps=tuple(turn.steps),
                waterfall=event.waterfall,
                user=Recording(turn.user, HEARING) if turn.user else None,
                spoken=Recording(bytes(turn.spoken), self._format) if turn.spoken else None,
                speech_end=max(0.0, speech_end),
            )
        )

    def _record_user(self, turn: _Open) -> None:
        if self._microphone is None or turn.speech_start is None:
            return
        start = max(turn.speech_start - HEARING.samples(BEFORE), self._microphone.start)
        stop = max(turn.speech_stop, turn.speech_start) + HEARING.samples(AFTER)
        if turn.speech_stop <= turn.speech_start:  # a turn that was committed in mid-word
            stop = turn.speech_stop = self._microphone.end
        turn.user, turn.user_start = self._microphone.read(start, stop), start

    # --- the little things --------------------------------------------------------------------------------------------

    def _id(self, number: int) -> str:
        return f"{self._session}.{number}"

    def _kept(self, text: str) -> str:
        return text[:MAX_CHARACTERS] if self._options.texts else ""

    def _step(self, turn: _Open, kind: str, text: str = "") -> None:
        if len(turn.steps) < MAX_STEPS:
            turn.steps.append(Step(max(0.0, self._clock.now() - turn.clock), kind, text))
