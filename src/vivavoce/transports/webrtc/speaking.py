"""A call that speaks OpenAI's Realtime protocol on its data channel. Audio is not told there: it is heard."""

from __future__ import annotations

import json
import logging
from dataclasses import replace

from vivavoce.contracts.audio import ReplyAudio
from vivavoce.contracts.errors import VivavoceError
from vivavoce.contracts.events import ReplyInterrupted, ResponseCompleted, SessionEvent
from vivavoce.media.calls import Json
from vivavoce.sessions.conversation import Conversation
from vivavoce.sessions.options import ConversationOptions
from vivavoce.transports.ids import fresh
from vivavoce.transports.limits import Bucket, SlidingWindow
from vivavoce.transports.realtime.connection import EVENTS_AT_ONCE, EVENTS_PER_SECOND, MAX_EVENT
from vivavoce.transports.realtime.core import Core
from vivavoce.transports.realtime.parsing import parsed
from vivavoce.transports.realtime.sound import RATE
from vivavoce.transports.webrtc.live import Line, Surroundings

LABEL = "oai-events"
CLEAR = "output_audio_buffer.clear"
_logger = logging.getLogger(__name__)


class RealtimeSpeech:
    """See live.Spoken. The core is the one of ``WS /v1/realtime``; this is its outlet."""

    label = LABEL

    def __init__(self, line: Line, session: Json, around: Surroundings) -> None:
        self._line = line
        self._clock = around.clock
        sessions = around.sessions
        self._core = Core(self, around.clock, session, sessions.options.conversation, sessions.ports, fresh)
        self._rate = Bucket(EVENTS_PER_SECOND, EVENTS_AT_ONCE)
        self._bad = SlidingWindow(around.limits.bad_messages, around.limits.bad_window)
        self._conversation: Conversation | None = None
        self._response = ""
        self._sounding = 0

    @property
    def busy(self) -> bool:
        """See Spoken."""
        return self._core.busy

    def options(self) -> ConversationOptions:
        """See Spoken. What was played is known to the sample, so nothing is reckoned by the clock."""
        return replace(self._core.options(), acknowledged=True)

    def begin(self, conversation: Conversation) -> None:
        """See Spoken."""
        self._conversation = conversation
        self._core.begin(conversation)
        self._line.greet()

    def heard(self, pcm: bytes) -> None:
        """See Spoken."""
        self._core.heard(pcm)

    def said(self, text: str) -> None:
        """See Spoken."""
        if not self._rate.admit(self._clock.now(), 1):
            self._line.end(f"more than {EVENTS_PER_SECOND:g} events a second")
            return
        event = parsed(text) if len(text) <= MAX_EVENT else None
        if event is None:
            self._complain()
        elif event.get("type") == CLEAR:
            if self._conversation is not None:
                self._conversation.interrupt()
        else:
            self._core.take(event)

    def _complain(self) -> None:
        self._core.teller.error("invalid_json", f"a message is one JSON object of at most {MAX_EVENT} characters")
        if not self._bad.admit(self._clock.now()):
            self._line.end("too many messages that are none")

    # --- Outlet

    def tell(self, event: Json) -> None:
        """See Outlet."""
        if event["type"] == "response.created":
            self._response = event["response"]["id"]
        self._line.put(json.dumps(event))

    def play(self, generation: int, event: Json) -> None:
        """Audio goes its own way."""

    # --- the session

    def told(self, event: SessionEvent) -> None:
        """See Spoken."""
        self._core.told(event)
        if self._sounding and isinstance(event, ReplyInterrupted | ResponseCompleted):
            self._sounding = 0
            self._buffer("cleared" if isinstance(event, ReplyInterrupted) else "stopped")
            if isinstance(event, ReplyInterrupted):
                self._truncated(event)

    def sounded(self, audio: ReplyAudio) -> None:
        """See Spoken."""
        self._core.sounded(audio)
        if self._sounding != audio.stamp.generation:
            self._sounding = audio.stamp.generation
            self._buffer("started")

    def _truncated(self, event: ReplyInterrupted) -> None:
        """Clients truncate what they did not play; on a call the server knows it, and says where it has done so."""
        item = next((item for item in self._core.items if item.generation == event.stamp.generation), None)
        if item is not None and event.at < item.samples:
            end = event.at * 1000 // RATE
            self._core.teller.tell("conversation.item.truncated", item_id=item.id, content_index=0, audio_end_ms=end)

    def _buffer(self, what: str) -> None:
        self._core.teller.tell(f"output_audio_buffer.{what}", response_id=self._response)

    def candidate(self, candidate: Json | None) -> None:
        """The protocol has no word for it: the answer holds them all."""

    def failed(self, error: VivavoceError) -> None:
        """See Spoken."""
        _logger.warning("a call: %s", error.message)
        self._core.teller.error(error.code, error.message)

    def farewell(self, reason: str) -> None:
        """The protocol has no word for it: the connection ends."""

    def close(self) -> None:
        """See Spoken."""
        self._core.close()
