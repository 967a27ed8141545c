"""One simulated person on the line: speaks recordings at the pace of a microphone, plays replies, takes notes."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.line import BINARY, TEXT, Socket, connect, frame
from bench.playhead import Dry, Playhead
from bench.speech import RATE, Utterance, ambient, frames

TICK = 0.02
FRAME = 320
DETECTOR_FRAME = 512
RELEASE_FRAMES = 2
HEADER = 16
OUTPUT_RATE = 24_000
MAX_LEAD = 0.6
"""Seconds the server sends ahead of the ear by default; the first so many of a reply come at once."""
ACKNOWLEDGE_EVERY = 8
"""Ticks between two acknowledgements: 160 ms."""
SETTLED = 1.0
"""Seconds behind speech over a reply that was resumed, after which no turn is expected of it any more."""
GIVE_UP = 8.0
"""Seconds after speech in which a reply must be over (or a barge-in decided) before the caller goes on."""


@dataclass(frozen=True, slots=True)
class Move:
    """What to do with a reply: hear it out (``listen`` None), or stop it after so many seconds of it, by the ``interrupt``
    message or by speaking the next utterance over it (``barge``)."""

    listen: float | None = None
    barge: bool = False


@dataclass(slots=True)
class Turn:
    """Notes on one utterance and what became of it. Clock times in seconds (monotonic, shared by processes)."""

    name: str
    onset: float
    end: float
    over_reply: bool = False
    detected_end: float | None = None
    stops: int = 0
    final: float | None = None
    text: str = ""
    reply_started: float | None = None
    first_audio: float | None = None
    generation: int = 0
    premature: bool = False
    paused: float | None = None
    resumed: float | None = None
    interrupted: float | None = None
    over: float | None = None
    waterfall: dict[str, Any] | None = None
    discarded: str = ""


@dataclass(slots=True)
class Notes:
    """Everything one caller noted."""

    turns: list[Turn] = field(default_factory=list)
    event_lag: list[float] = field(default_factory=list)
    """From the capture of the frame that completes a detector's decision to the event at the client, seconds."""
    ahead: int = 0
    """Events about samples not captured yet: the session's sample clock runs ahead of the microphone."""
    round_trips: list[float] = field(default_factory=list)
    leads: list[float] = field(default_factory=list)
    """How far ahead of the ear each frame behind the first 0.6 s of a reply came, seconds; 0 is a gap."""
    gaps: list[Dry] = field(default_factory=list)
    replies: int = 0
    reply_seconds: float = 0.0
    speech_ticks: int = 0
    ticks: int = 0
    errors: list[str] = field(default_factory=list)
    unanswered: int = 0
    misplaced: int = 0
    closed: str = ""


class Microphone:
    """Frames of recordings, built once for all callers."""

    def __init__(self, utterances: Sequence[Utterance]) -> None:
        noise = ambient(2.0)
        self.silence = [frame(BINARY, piece) for piece in frames(noise)]
        self.spoken = {u.name: [frame(BINARY, piece) for piece in frames(_with_noise(u, noise))] for u in utterances}


def _with_noise(utterance: Utterance, noise: Any) -> Any:
    import numpy as np

    samples = np.frombuffer(utterance.pcm, "<i2").astype(np.int32)
    return np.clip(samples + np.resize(noise, len(samples)), -32_768, 32_767).astype(np.int16)


class Caller:
    """``tick(due)`` every 20 ms sends the frame whose last sample was captured at ``due``."""

    def __init__(
        self,
        number: int,
        microphone: Microphone,
        utterances: Sequence[Utterance],
        moves: Sequence[Move],
        gap: tuple[float, float],
        ping_every: float | None = None,
    ) -> None:
        self._random = random.Random(number)
        self._microphone = microphone
        self._utterances = utterances
        self._moves = moves
        self._gap = gap
        self._next = number
        self._ping_ticks = round(ping_every / TICK) if ping_every else 0
        self._socket: Socket | None = None
        self._head = Playhead(OUTPUT_RATE)
        self._acked = (0, 0)
        self._speaking: list[bytes] = []
        self._at = 0
        self._turn: Turn | None = None
        self._origin: float | None = None
        self._speak_at = 0.0
        self._deadline = 0.0
        self._asked_to_stop = False
        self._pings: dict[int, float] = {}
        self._handlers: dict[str, Callable[[dict[str, Any], float], None]] = {
            "ready": self._ready,
            "speech_started": self._speech_started,
            "speech_stopped": self._speech_stopped,
            "transcription": self._transcription,
            "reply_started": self._reply_started,
            "paused": self._paused,
            "resumed": self._resumed,
            "interrupted": self._interrupted,
            "response_complete": self._complete,
            "turn_discarded": self._discarded,
            "pong": self._pong,
            "error": self._error,
        }
        self.ready = False
        self.stopped = False
        self.notes = Notes()

    # --- the line

    async def call(self, port: int, hello: Mapping[str, Any]) -> None:
        """Connect and say hello; ``ready`` comes later."""
        self._socket = await connect(port, self._message)
        self._socket.send(frame(TEXT, json.dumps({"type": "hello", "acknowledge": True, **hello}).encode()))

    def hang_up(self) -> None:
        """End the call."""
        if self._socket is not None:
            self.notes.closed = self._socket.close_reason if self._socket.closed else ""
            self._socket.close()
        self.notes.misplaced = self._head.misplaced
        self.notes.gaps = self._head.dry

    @property
    def talking(self) -> bool:
        """Whether the microphone is open."""
        return self._origin is not None

    @property
    def idle(self) -> bool:
        """Whether nothing is being said or awaited."""
        return self._turn is None

    def begin(self, first: float, delay: float) -> None:
        """The microphone opens at ``first``, the first utterance comes ``delay`` seconds later."""
        self._origin = first
        self._speak_at = first + delay

    # --- the microphone

    def tick(self, due: float) -> None:
        """20 ms have passed."""
        assert self._socket is not None
        notes = self.notes
        notes.ticks += 1
        if self._at < len(self._speaking):
            framed = self._speaking[self._at]
            self._at += 1
            notes.speech_ticks += 1
        else:
            framed = self._microphone.silence[notes.ticks % len(self._microphone.silence)]
        self._socket.send(framed)
        now = time.monotonic()
        self._acknowledge(now)
        if self._ping_ticks and notes.ticks % self._ping_ticks == 0:
            self._pings[notes.ticks] = now
            self._socket.send(frame(TEXT, b'{"type":"ping","id":%d}' % notes.ticks))
        if self._at >= len(self._speaking):
            self._decide(due)

    def _acknowledge(self, now: float, *, at_once: bool = False) -> None:
        head = self._head
        if not head.generation:
            return
        state = head.generation, head.played(now)
        if state != self._acked and (at_once or self.notes.ticks % ACKNOWLEDGE_EVERY == 0 or state[1] == head.received):
            self._acked = state
            assert self._socket is not None
            self._socket.send(frame(TEXT, b'{"type":"played","generation":%d,"samples":%d}' % state))

    def _decide(self, now: float) -> None:
        """Nothing is being spoken: wait for the reply, stop it, or speak."""
        turn = self._turn
        if turn is not None:
            self._follow(turn, now)
        elif now >= self._speak_at and not self.stopped:
            self._speak(now)

    def _follow(self, turn: Turn, now: float) -> None:
        move = self._moves[(self._next - 1) % len(self._moves)]
        settled = turn.resumed is not None and turn.interrupted is None and now > turn.end + SETTLED
        if turn.over is not None or settled:
            self._close(now, now + self._random.uniform(*self._gap))
        elif move.listen is not None and turn.first_audio is not None and now - turn.first_audio >= move.listen:
            if move.barge and self._sounding(now) and not self.stopped:
                self._close(now, now)
                self._speak(now)
            elif not self._asked_to_stop:
                self._asked_to_stop = True
                assert self._socket is not None
                self._socket.send(frame(TEXT, b'{"type":"interrupt"}'))
        elif now > self._deadline and not self._sounding(now):
            self.notes.unanswered += turn.first_audio is None
            self._close(now, now + self._random.uniform(*self._gap))

    def _sounding(self, now: float) -> bool:
        return self._head.played(now) < self._head.received

    def _close(self, now: float, speak_at: float) -> None:
        self._turn = None
        self._speak_at = speak_at

    def _speak(self, now: float) -> None:
        utterance = self._utterances[self._next % len(self._utterances)]
        self._next += 1
        self._speaking, self._at = self._microphone.spoken[utterance.name], 0
        self._asked_to_stop = False
        turn = Turn(utterance.name, now + utterance.onset / RATE, now + utterance.end / RATE, self._sounding(now))
        self._turn = turn
        self._deadline = turn.end + GIVE_UP
        self.notes.turns.append(turn)

    # --- what the server says

    def _message(self, kind: int, payload: bytes) -> None:
        now = time.monotonic()
        if kind == BINARY:
            self._audio(payload, now)
            return
        said = json.loads(payload)
        handler = self._handlers.get(said["type"])
        if handler is not None:
            handler(said, now)

    def _audio(self, payload: bytes, now: float) -> None:
        generation = int.from_bytes(payload[8:12], "little")
        offset = int.from_bytes(payload[12:16], "little")
        samples = (len(payload) - HEADER) // 2
        head = self._head
        if generation < head.generation:
            return
        before = head.received - head.played(now) if generation == head.generation else 0
        first = head.receive(generation, offset, samples, now)
        self.notes.reply_seconds += samples / OUTPUT_RATE
        turn = self._turn
        if first:
            self.notes.replies += 1
            if turn is not None:
                turn.premature = turn.premature or now < turn.end
                if now >= turn.end and turn.first_audio is None:
                    turn.first_audio, turn.generation = now, generation
        elif offset >= MAX_LEAD * OUTPUT_RATE:
            self.notes.leads.append(before / OUTPUT_RATE)

    def _lag(self, sample: int, now: float) -> None:
        """``sample`` is the one behind the last that was needed; its frame was complete at the next whole tick."""
        if self._origin is not None:
            ticks = -(-sample // FRAME)
            lag = now - (self._origin + ticks * TICK)
            if lag < -0.002:
                self.notes.ahead += 1
            else:
                self.notes.event_lag.append(lag)

    def _speech_started(self, said: dict[str, Any], now: float) -> None:
        self._lag(said["at"] + DETECTOR_FRAME, now)

    def _speech_stopped(self, said: dict[str, Any], now: float) -> None:
        self._lag(said["at"] + RELEASE_FRAMES * DETECTOR_FRAME, now)
        if self._turn is not None and self._origin is not None:
            self._turn.detected_end = self._origin + said["at"] / RATE
            self._turn.stops += 1

    def _transcription(self, said: dict[str, Any], now: float) -> None:
        if said["final"] and self._turn is not None:
            self._turn.final, self._turn.text = now, said["text"]

    def _reply_started(self, said: dict[str, Any], now: float) -> None:
        if self._turn is not None:
            self._turn.reply_started = now

    def _paused(self, said: dict[str, Any], now: float) -> None:
        self._head.pause(now)
        self._acknowledge(now, at_once=True)
        if self._turn is not None and self._turn.paused is None:
            self._turn.paused = now

    def _resumed(self, said: dict[str, Any], now: float) -> None:
        self._head.resume(now)
        if self._turn is not None:
            self._turn.resumed = now

    def _interrupted(self, said: dict[str, Any], now: float) -> None:
        self._head.drop(said["generation"], now)
        if self._turn is not None and self._turn.interrupted is None:
            self._turn.interrupted = now

    def _complete(self, said: dict[str, Any], now: float) -> None:
        turn = self._turn
        mine = [t for t in self.notes.turns[-2:] if t.generation == said["generation"] and t.generation]
        for one in mine:
            one.waterfall = said["waterfall"]
        if turn is not None and turn.generation == said["generation"]:
            turn.over = now

    def _discarded(self, said: dict[str, Any], now: float) -> None:
        turn = self._turn
        if turn is not None and self._at >= len(self._speaking):
            turn.discarded = said["reason"]
            turn.over = now

    def _pong(self, said: dict[str, Any], now: float) -> None:
        sent = self._pings.pop(said["id"], None)
        if sent is not None:
            self.notes.round_trips.append(now - sent)

    def _ready(self, said: dict[str, Any], now: float) -> None:
        self.ready = True

    def _error(self, said: dict[str, Any], now: float) -> None:
        self.notes.errors.append(f"{said['code']}: {said['message']}")
