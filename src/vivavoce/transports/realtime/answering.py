"""Which response is under way, what was asked of it, and what waits behind it. Sans I/O."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, replace
from typing import Protocol

from vivavoce.contracts.audio import ReplyAudio
from vivavoce.contracts.errors import InvalidRequest, ProtocolViolation
from vivavoce.contracts.events import ReplyInterrupted, ReplyStarted, ReplyText, ResponseCompleted
from vivavoce.sessions.conversation import Conversation
from vivavoce.transports.realtime.asking import Asked, asked
from vivavoce.transports.realtime.intake import Intake
from vivavoce.transports.realtime.items import Items
from vivavoce.transports.realtime.listening import Hearing
from vivavoce.transports.realtime.replying import Response
from vivavoce.transports.realtime.usage import Spent, asked_of
from vivavoce.transports.realtime.wire import Json, Teller

MAX_ASKED = 8
"""Out-of-band responses that wait for their turn."""
_UNKNOWN: Json = {"type": "server_error", "code": "reply_failed", "message": "the reply came to nothing"}


class Answered(Protocol):
    """What responses belong to: a session of the protocol."""

    session: Json
    items: Items
    teller: Teller
    hearing: Hearing
    intake: Intake

    @property
    def conversation(self) -> Conversation:
        """The conversation behind it."""

    def voice_named(self, name: str) -> str:
        """The voice that speaks where a client names this one; empty for the default."""


class Responses:
    """At most one at a time. One of the conversation is refused while another lasts, one beside it waits."""

    def __init__(self, session: Answered, conversation: str) -> None:
        self._session = session
        self._conversation = conversation
        self._present: Response | None = None
        self._expected: Asked | None = None
        self._waiting: deque[Asked] = deque()

    @property
    def busy(self) -> bool:
        """Whether one is under way."""
        return self._present is not None

    # --- the client ---------------------------------------------------------------------------------------------------

    def create(self, event: Json) -> None:
        """``response.create``. Raises InvalidRequest."""
        session = self._session
        if session.session["type"] == "transcription":
            raise ProtocolViolation("a transcription session gives no responses; open one of type realtime")
        self._begin(asked(event.get("response"), session.session, session.items))

    def remark(self, text: str) -> None:
        """Begin one that answers ``text`` where there are no words of the user; nothing while another is under way."""
        if self._present is None and not self._waiting:
            wanted = asked(None, self._session.session, self._session.items)
            self._begin(replace(wanted, request=replace(wanted.request, remark=text)))

    def _begin(self, wanted: Asked) -> None:
        if self._present is None and not self._waiting:
            self._ask(wanted)
        elif wanted.wish.conversation:
            raise InvalidRequest(
                "Conversation already has an active response in progress; wait until it is done",
                code="conversation_already_has_active_response",
            )
        elif len(self._waiting) >= MAX_ASKED:
            raise InvalidRequest(f"{MAX_ASKED} responses wait already; wait until one is done", code="too_many_responses")
        else:
            self._waiting.append(wanted)

    def cancel(self, event: Json) -> None:
        """``response.cancel``. Raises InvalidRequest."""
        response = self._present
        if response is None or event.get("response_id") not in (None, response.id):
            raise InvalidRequest("Cancellation failed: no active response found", code="response_cancel_not_active")
        response.cancelled = True
        self._session.conversation.interrupt()

    def ask_next(self) -> None:
        """Begin what waits, if nothing else is under way."""
        if self._present is None and self._waiting:
            self._ask(self._waiting.popleft())

    def _ask(self, wanted: Asked) -> None:
        self._expected = wanted
        request = wanted.request
        if request.voice is not None:  # a name nobody here knows means the voice of the session
            request = replace(request, voice=self._session.voice_named(request.voice) or None)
        self._session.conversation.direct.respond(request)

    # --- the session --------------------------------------------------------------------------------------------------

    def started(self, event: ReplyStarted) -> None:
        """A reply may be heard, for the first time or at a second attempt."""
        if self._present is not None:
            self._present.restart(event.stamp)
            return
        session = self._session
        wanted, self._expected = self._expected or asked(None, session.session, session.items), None
        wanted.wish.asked = self._asked_of(wanted)
        self._present = Response(session.teller, session.items, wanted.wish, self._conversation, event.stamp)

    def _asked_of(self, wanted: Asked) -> Spent:
        """What goes into it, as far as it is known here: a session without instructions has the server's."""
        session, request = self._session, wanted.request
        instructions = session.session["instructions"] if request.instructions is None else request.instructions
        tools = session.session["tools"] if request.tools is None else [asdict(tool) for tool in request.tools]
        if request.messages is None:
            seconds = session.hearing.take_seconds() if request.recorded else 0.0
            return asked_of(instructions + request.remark, tools, (item.wire for item in session.items), seconds)
        texts = ({"content": [{"text": message.text}]} for message in request.messages)
        return asked_of(instructions, tools, texts, 0.0)

    def wrote(self, event: ReplyText) -> None:
        """Its text."""
        if self._present is not None:
            self._present.wrote(event.text)

    def sounded(self, audio: ReplyAudio) -> None:
        """Its audio."""
        if self._present is not None:
            self._present.sounded(audio)

    def interrupted(self, event: ReplyInterrupted) -> None:
        """It ended before its time."""
        response, self._present = self._present, None
        hearing = self._session.hearing
        if response is None:
            return
        if event.reason == "replaced":
            hearing.replaced()
        hearing.let_go()
        if event.reason == "failed":
            response.ended("failed", {"error": hearing.failure or _UNKNOWN}, event.heard)
        else:
            reason = "client_cancelled" if response.cancelled else "turn_detected"
            response.ended("cancelled", {"reason": reason}, event.heard)
        self._go_on()

    def completed(self, event: ResponseCompleted) -> None:
        """It is over; an interruption has said so already."""
        response = self._present
        if response is None or event.interrupted:
            return
        self._present = None
        response.completed(event.requested)
        self._session.hearing.let_go()
        self._go_on()

    def _go_on(self) -> None:
        if self._waiting:
            self._session.intake.go_on_soon()
