"""One session of the protocol: client events become calls of the conversation, session events become server events.

Sans I/O: events go to an outlet, time comes from a clock; nothing here awaits.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from vivavoce.contracts.audio import HEARING, SAMPLE_WIDTH, ReplyAudio
from vivavoce.contracts.errors import InvalidRequest, ProtocolViolation, VivavoceError
from vivavoce.contracts.events import (
    ReplyInterrupted,
    ReplyStarted,
    ReplyText,
    ResponseCompleted,
    SessionEvent,
    SessionFailed,
    Slept,
    SpeechStarted,
    SpeechStopped,
    TranscriptUpdated,
    TurnDiscarded,
    Woke,
)
from vivavoce.contracts.ports import Clock
from vivavoce.sessions.conversation import Conversation
from vivavoce.sessions.options import ConversationOptions
from vivavoce.sessions.ports import SessionPorts
from vivavoce.transports.realtime import editing
from vivavoce.transports.realtime.answering import Responses
from vivavoce.transports.realtime.configuration import merged, options_of, shown
from vivavoce.transports.realtime.idling import SILENT, Idling
from vivavoce.transports.realtime.intake import Intake
from vivavoce.transports.realtime.items import Items
from vivavoce.transports.realtime.listening import Hearing
from vivavoce.transports.realtime.settling import settle, voice_in
from vivavoce.transports.realtime.sleeping import Sleeping
from vivavoce.transports.realtime.sound import Microphone
from vivavoce.transports.realtime.wire import Json, Names, Outlet, Teller

MIN_COMMIT = HEARING.samples(0.1) * SAMPLE_WIDTH
"""Bytes of audio a commit needs."""

_logger = logging.getLogger(__name__)


class Core:
    """``begin`` first; then ``take`` what the client sends, ``told`` what the session tells, ``sounded`` its audio."""

    def __init__(
        self,
        outlet: Outlet,
        clock: Clock,
        session: Json,
        defaults: ConversationOptions,
        ports: SessionPorts,
        names: Names,
    ) -> None:
        self.session = session
        self.items = Items()
        self.teller = Teller(outlet, names)
        self.hearing = Hearing(self.teller, self.items)
        self.intake = Intake(clock, self._obey, self._hear)
        self.intake.stalled = lambda: self.hearing.awaited
        self.responses = Responses(self, names("conv"))
        self.intake.first = self.responses.ask_next
        self._idling = Idling(clock, self._silent)
        self._sleeping = Sleeping(self.teller)
        self._ports = ports
        self._defaults = defaults
        self._microphone = Microphone(session["audio"]["input"]["format"]["type"])
        self._conversation: Conversation | None = None
        self._uncommitted = self._heard = 0
        self._told: dict[type, Callable[[Any], None]] = {
            SpeechStarted: self._started,
            SpeechStopped: self.hearing.stopped,
            TurnDiscarded: self._discarded,
            TranscriptUpdated: self._read,
            ReplyStarted: self._answering,
            ReplyText: self.responses.wrote,
            ReplyInterrupted: self.responses.interrupted,
            ResponseCompleted: self._completed,
            SessionFailed: self._failed,
            Woke: self._sleeping.woke,
            Slept: self._slept,
        }
        self._orders: dict[str, Callable[[Json], None]] = {
            "session.update": self._update,
            "input_audio_buffer.append": self._append,
            "input_audio_buffer.commit": self._commit,
            "input_audio_buffer.clear": self._clear,
            "conversation.item.create": lambda e: editing.create(self, e),
            "conversation.item.retrieve": lambda e: editing.retrieve(self, e),
            "conversation.item.delete": lambda e: editing.delete(self, e),
            "conversation.item.truncate": lambda e: editing.truncate(self, e),
            "response.create": self.responses.create,
            "response.cancel": self.responses.cancel,
            "output_audio_buffer.clear": lambda e: None,  # there is no such buffer on a WebSocket
        }

    @property
    def conversation(self) -> Conversation:
        """What this is about; there from ``begin`` on."""
        assert self._conversation is not None
        return self._conversation

    @property
    def busy(self) -> bool:
        """Whether a response is under way."""
        return self.responses.busy

    @property
    def _interrupts(self) -> bool:
        detection = self.session["audio"]["input"]["turn_detection"]
        return detection is not None and bool(detection["interrupt_response"])

    def options(self) -> ConversationOptions:
        """The rules the conversation is to be opened with."""
        return options_of(self.session, self._defaults)

    def begin(self, conversation: Conversation) -> None:
        """The conversation is open."""
        self._conversation = conversation
        settle(conversation, self._ports, self.session)
        self._settle_hearing()
        self.teller.tell("session.created", session=shown(self.session))
        self._settle_sleeping()

    def close(self) -> None:
        """No timer is left. Idempotent."""
        self.intake.close()
        self._idling.stop()

    # --- the client ---------------------------------------------------------------------------------------------------

    def take(self, event: Any) -> None:
        """A client event, as JSON gave it."""
        kind = event.get("type") if isinstance(event, dict) else None
        if not isinstance(kind, str) or kind not in self._orders:
            known = ", ".join(self._orders)
            wrong = "an event is a JSON object with a `type`" if kind is None else f"no event {str(kind)[:60]!r}"
            self.teller.error("unknown_event", f"{wrong}; there is {known}", cause=_cause(event))
            return
        self.intake.put(event)

    def _obey(self, event: Json) -> None:
        try:
            self._orders[event["type"]](event)
        except InvalidRequest as error:
            self.teller.error(error.code, error.message, cause=_cause(event))
        except VivavoceError as error:
            _logger.warning("%s failed: %s", event["type"], error.message)
            self.teller.error(error.code, error.message, cause=_cause(event))

    def _update(self, event: Json) -> None:
        update = event.get("session")
        if not isinstance(update, dict):
            raise ProtocolViolation("`session` must be an object")
        before = self.session
        self.session = merged(before, update)
        was, now = before["audio"]["input"], self.session["audio"]["input"]
        if (was["turn_detection"] is None) != (now["turn_detection"] is None):
            self._forget()
        if was["format"] != now["format"]:
            self._microphone = Microphone(now["format"]["type"])
        self.conversation.direct.adapt(self.options())
        settle(self.conversation, self._ports, self.session)
        self._settle_hearing()
        self.teller.tell("session.updated", session=shown(self.session))
        self._settle_sleeping()

    def _settle_sleeping(self) -> None:
        self._sleeping.settle(self.session, lambda: self.conversation.inspect.asleep, self._heard)

    def _settle_hearing(self) -> None:
        listening = self.session["audio"]["input"]
        self.hearing.silent = listening["turn_detection"] is None
        self.hearing.transcribes = listening["transcription"] is not None or self.session["type"] == "transcription"
        self.hearing.model = (listening["transcription"] or {}).get("model", "")
        self._idling.settle((listening["turn_detection"] or {}).get("idle_timeout_ms"), self._heard)

    def _append(self, event: Json) -> None:
        self.intake.put_audio(self._microphone.decode(event.get("audio")), self._microphone.rate)

    def heard(self, pcm: bytes) -> None:
        """Audio of a call (HEARING), which comes beside the events. It is live: it is heard at once."""
        self._take_in(pcm)

    def _hear(self, pcm: bytes) -> None:
        self._take_in(self._microphone.hearing(pcm))

    def _take_in(self, pcm: bytes) -> None:
        self._uncommitted += len(pcm)
        self._heard += len(pcm) // SAMPLE_WIDTH
        if pcm:
            self.conversation.hear(pcm)

    def _commit(self, event: Json) -> None:
        if self._uncommitted < MIN_COMMIT:
            raise InvalidRequest(
                "Error committing input audio buffer: buffer too small, it holds less than 100 ms of audio",
                code="input_audio_buffer_commit_empty",
            )
        since, self._uncommitted = self._heard - self._uncommitted // SAMPLE_WIDTH, 0
        self._idling.stop()
        self.hearing.commit(self._heard, since)
        self.conversation.commit()

    def _clear(self, event: Json) -> None:
        self._forget()
        self.teller.tell("input_audio_buffer.cleared")

    def _forget(self) -> None:
        self._uncommitted = 0
        self.hearing.clear()
        self.conversation.direct.clear()

    # --- the session --------------------------------------------------------------------------------------------------

    def told(self, event: SessionEvent) -> None:
        """Something happened in the session."""
        awaited = self.hearing.awaited
        action = self._told.get(type(event))
        if action is not None:
            action(event)
        if awaited and not self.hearing.awaited:
            self.intake.go_on_soon()

    def sounded(self, audio: ReplyAudio) -> None:
        """Audio of the response."""
        self.responses.sounded(audio)

    def voice_named(self, name: str) -> str:
        """See Answered."""
        return voice_in(self.session, self._ports, name)

    def _started(self, event: SpeechStarted) -> None:
        self._idling.hold()
        self.hearing.started(event, held=self.busy and self._interrupts)

    def _slept(self, event: Slept) -> None:
        """Who sleeps does not ask whether anybody is there."""
        self._idling.stop()
        self._sleeping.slept(event)

    def _answering(self, event: ReplyStarted) -> None:
        self._idling.stop()
        self.responses.started(event)

    def _completed(self, event: ResponseCompleted) -> None:
        self.responses.completed(event)
        if not event.interrupted and not self.busy and self.hearing.quiet:
            self._idling.begin(self._heard)

    def _silent(self, since: int) -> None:
        if self.busy or not self.hearing.quiet or self.session["type"] == "transcription":
            return
        self.hearing.timed_out(since, self._heard)
        self.responses.remark(SILENT.format(seconds=self._idling.seconds))

    def _read(self, event: TranscriptUpdated) -> None:
        if not event.final:
            self.hearing.partial(event.stamp.turn, event.text[: event.stable])
            return
        self._idling.stop()
        if self._too_long:
            self.conversation.direct.keep_listening()
        else:
            self._uncommitted = 0
        self.hearing.read(event.stamp.turn, event.text, self._heard)

    def _discarded(self, event: TurnDiscarded) -> None:
        if event.reason == "empty" and self._too_long:
            self.conversation.direct.keep_listening()
        self.hearing.discarded(self._heard)
        self._idling.go_on(self._heard)

    @property
    def _too_long(self) -> bool:
        """Whether a turn that ends now does so by its length: without turn detection, only a commit ends one else."""
        return self.hearing.silent and not self.hearing.awaited

    def _failed(self, event: SessionFailed) -> None:
        """Several clients end at any error event, and the session lives on: it is told with what became of it."""
        _logger.warning("%s: %s", event.code, event.message)
        self.hearing.failure = {"type": "server_error", "code": event.code, "message": event.message, "param": None}


def _cause(event: Any) -> Any:
    return event.get("event_id") if isinstance(event, dict) else None
