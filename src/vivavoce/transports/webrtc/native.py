"""A call that speaks the messages of `/ws/audio`: the same schema both ways, without audio, and candidates besides."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from vivavoce.contracts.audio import ReplyAudio
from vivavoce.contracts.errors import InvalidRequest, LimitExceeded, ProtocolViolation, VivavoceError
from vivavoce.contracts.events import ReplyStarted, ResponseCompleted, SessionEvent, TranscriptUpdated, TurnDiscarded
from vivavoce.media.calls import Json
from vivavoce.sessions.conversation import Conversation
from vivavoce.sessions.options import ConversationOptions
from vivavoce.transports.limits import Budgets
from vivavoce.transports.offer import choose_language, offer_of
from vivavoce.transports.webrtc.live import Line, Surroundings
from vivavoce.transports.ws import messages
from vivavoce.transports.ws.events import Farewell, Pong
from vivavoce.transports.ws.negotiation import Agreement, agree, ready
from vivavoce.transports.ws.protocol import NOWHERE, encode, encode_error, encode_event, numbered, parse_text

LABEL = "vivavoce"
MAX_HELLO = 64 * 1024

_ACTIONS: dict[type, Callable[[Conversation, Any], None]] = {
    messages.Commit: lambda conversation, _: conversation.commit(),
    messages.Interrupt: lambda conversation, _: conversation.interrupt(),
    messages.TypedText: lambda conversation, message: conversation.type(message.text),
    messages.SetProvider: lambda conversation, message: conversation.set_provider(message.kind, message.chosen),
    messages.SetVoice: lambda conversation, message: conversation.set_voice(message.voice),
    messages.SetMode: lambda conversation, message: conversation.set_mode(message.mode),
    messages.Reset: lambda conversation, _: conversation.reset(),
    messages.Played: lambda conversation, _: None,  # the media process knows what it played
}


def agreement_of(hello: Any, around: Surroundings) -> Agreement:
    """What an offer's ``hello`` asks for. Raises ProtocolViolation, UnknownName."""
    wish = {} if hello is None else hello
    if not isinstance(wish, dict) or "audio" in wish:
        raise ProtocolViolation("`hello` is an object as on /ws/audio, without `audio`: WebRTC settles formats by itself")
    message = parse_text(json.dumps({**wish, "type": "hello", "acknowledge": True})[: MAX_HELLO + 1])
    if not isinstance(message, messages.Hello):
        raise ProtocolViolation("`hello` is no hello")
    return agree(message, around.sessions.options.conversation, around.sessions.ports)


class NativeSpeech:
    """See live.Spoken."""

    label = LABEL

    def __init__(self, line: Line, agreement: Agreement, around: Surroundings) -> None:
        self._line = line
        self._agreement = agreement
        self._around = around
        self._budgets = Budgets(around.limits)
        self._stamp = NOWHERE
        self._conversation: Conversation | None = None
        self._seq = 0
        self.busy = False

    def options(self) -> ConversationOptions:
        """See Spoken."""
        return replace(self._agreement.options, acknowledged=True)

    def begin(self, conversation: Conversation) -> None:
        """See Spoken."""
        self._conversation = conversation
        self._line.greet(self._number(encode(ready(conversation.session, self._agreement, self._around.limits, None))))
        for kind in self._agreement.wished:
            conversation.set_provider(kind, self._agreement.providers[kind])

    def heard(self, pcm: bytes) -> None:
        """See Spoken."""
        if self._conversation is not None:
            self._conversation.hear(pcm)

    def said(self, text: str) -> None:
        """See Spoken."""
        now = self._around.clock.now()
        if self._budgets.refuses(now):
            return
        try:
            message = parse_text(text)
            if isinstance(message, messages.Played):
                self._budgets.played(now)
            else:
                self._budgets.control(now)
            self._obey(message)
        except InvalidRequest as error:
            self._bad(error, now)
        except VivavoceError as error:
            self.failed(error)

    def _bad(self, error: InvalidRequest, now: float) -> None:
        self.failed(error)
        try:
            self._budgets.bad(now)
        except LimitExceeded as limit:
            self.failed(limit)

    def _obey(self, message: messages.ClientMessage) -> None:
        conversation = self._conversation
        if conversation is None:
            return
        if isinstance(message, messages.Ping):
            self._line.put(self._number(encode(Pong(id=message.id))))
        elif isinstance(message, messages.Goodbye):
            self._line.end("the client said goodbye")
        elif isinstance(message, messages.SetLanguage):
            conversation.set_language(choose_language(offer_of(self._around.sessions.ports), message.language))
        elif type(message) in _ACTIONS:
            _ACTIONS[type(message)](conversation, message)
        else:
            raise ProtocolViolation(f"`{message.type}` has no place in a call; the offer opened its session")

    def told(self, event: SessionEvent) -> None:
        """See Spoken."""
        self._stamp = getattr(event, "stamp", self._stamp)
        self._line.put(self._number(encode_event(event, self._stamp)))
        if isinstance(event, ReplyStarted) or (isinstance(event, TranscriptUpdated) and event.final):
            self.busy = True
        elif isinstance(event, ResponseCompleted | TurnDiscarded):
            self.busy = False

    def sounded(self, audio: ReplyAudio) -> None:
        """Audio goes its own way."""

    def candidate(self, candidate: Json | None) -> None:
        """See Spoken."""
        self._line.put(json.dumps({"type": "candidate", "candidate": candidate}))

    def failed(self, error: VivavoceError) -> None:
        """See Spoken."""
        self._line.put(self._number(encode_error(error, self._stamp)))

    def farewell(self, reason: str) -> None:
        """See Spoken."""
        self._line.put(self._number(encode(Farewell(reason=reason))))

    def _number(self, message: str) -> str:
        self._seq += 1
        return numbered(message, self._seq)

    def close(self) -> None:
        """There are no timers."""
