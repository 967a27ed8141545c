"""The core of the Realtime door with a conversation that writes down what it is told; names are counted, time is virtual."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Sequence
from typing import Any

from tests.wire.stage import ports
from vivavoce.contracts import events
from vivavoce.contracts.audio import AudioChunk, AudioFormat, ReplyAudio, Stamp
from vivavoce.contracts.events import SessionEvent, Waterfall
from vivavoce.contracts.speech import Message, Tool, ToolCall
from vivavoce.flow.clock import SystemClock
from vivavoce.sessions.asked import ReplyRequest
from vivavoce.sessions.conversation import Conversation
from vivavoce.sessions.options import ConversationOptions
from vivavoce.transports.realtime.configuration import new_session
from vivavoce.transports.realtime.core import Core

Line = dict[str, Any]


class RecordedDirection:
    """Writes down what a client directs. Truncation hears the first word."""

    def __init__(self, calls: list[list[Any]]) -> None:
        self._calls = calls
        self._keys = 0

    def adapt(self, options: ConversationOptions) -> None:
        self._calls.append(["adapt", options.mode, options.answering, options.barge_in.enabled, options.spoken])

    def offer(self, tools: tuple[Tool, ...]) -> None:
        self._calls.append(["offer", [tool.name for tool in tools]])

    def limit(self, tokens: int | None) -> None:
        self._calls.append(["limit", tokens])

    def respond(self, request: ReplyRequest) -> None:
        texts = None if request.messages is None else [[message.role, message.text] for message in request.messages]
        wish = [wish for wish in (request.voice, request.remark) if wish]
        self._calls.append(["respond", request.instructions, texts, request.spoken, request.recorded, *wish])

    def clear(self) -> None:
        self._calls.append(["clear"])

    def keep_listening(self) -> None:
        self._calls.append(["keep_listening"])

    def truncate(self, generation: int, samples: int) -> str | None:
        self._calls.append(["truncate", generation, samples])
        return "Heard."

    def insert(self, message: Message, behind: Sequence[int] | None = None) -> int:
        self._keys -= 1
        self._calls.append(["insert", message.role, message.text, behind if behind is None else list(behind)])
        return self._keys

    def remove(self, key: int, role: str) -> None:
        self._calls.append(["remove", key, role])


class RecordedConversation(Conversation):
    """Does nothing but remember."""

    def __init__(self) -> None:
        self.calls: list[list[Any]] = []
        self.direct = RecordedDirection(self.calls)  # type: ignore[assignment]

    def hear(self, pcm: bytes) -> None:
        self.calls.append(["hear", len(pcm)])

    def commit(self) -> None:
        self.calls.append(["commit"])

    def interrupt(self) -> None:
        self.calls.append(["interrupt"])

    def set_language(self, language: str) -> None:
        self.calls.append(["set_language", language])

    def set_voice(self, voice: str) -> None:
        self.calls.append(["set_voice", voice])

    def set_provider(self, kind: str, name: str) -> None:  # type: ignore[override]
        self.calls.append(["set_provider", kind, name])


class Names:
    """``item_1``, ``item_2``, …"""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def __call__(self, prefix: str) -> str:
        self._counts[prefix] += 1
        return f"{prefix}_{self._counts[prefix]}"


class Desk:
    """A core and everything it said, event ids apart."""

    def __init__(self, *, transcription: bool = False) -> None:
        self.told: list[Line] = []
        self.conversation = RecordedConversation()
        session = new_session("sess_1", "gpt-realtime", 2_000_000_000, transcription=transcription)
        self.core = Core(self, SystemClock(), session, ConversationOptions(), ports(), Names())
        self.core.begin(self.conversation)

    def tell(self, event: Line) -> None:
        assert event["event_id"].startswith("event_")
        self.told.append({key: value for key, value in event.items() if key != "event_id"})

    def play(self, generation: int, event: Line) -> None:
        self.tell(event)

    def client(self, event: Line) -> None:
        """``audio`` of an append is given as a number of samples of silence."""
        if event.get("type") == "input_audio_buffer.append" and isinstance(event.get("audio"), int):
            event = {**event, "audio": base64.b64encode(bytes(2 * event["audio"])).decode()}
        self.core.take(event)

    def session(self, line: Line) -> None:
        if "audio" in line:
            spec = line["audio"]
            chunk = AudioChunk(bytes(2 * spec["samples"]), AudioFormat(24_000), spec["offset"])
            self.core.sounded(ReplyAudio(Stamp(*spec["stamp"]), chunk))
        else:
            self.core.told(event_of(line))


def event_of(line: Line) -> SessionEvent:
    values = {key: value for key, value in line.items() if key not in ("from", "event")}
    if "stamp" in values:
        values["stamp"] = Stamp(*values["stamp"])
    if line["event"] == "ResponseCompleted":
        values["waterfall"] = Waterfall()
        values["requested"] = tuple(ToolCall(*call) for call in values.get("requested", ()))
    event: SessionEvent = getattr(events, line["event"])(**values)
    return event
