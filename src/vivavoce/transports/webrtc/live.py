"""One live call: media on one side, a conversation on the other, and a protocol that says what is told of it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from vivavoce.contracts.audio import AudioFormat, ReplyAudio, Stamp
from vivavoce.contracts.errors import InternalError, VivavoceError
from vivavoce.contracts.events import SessionEvent, SessionFailed
from vivavoce.contracts.ports import Clock, EventListener
from vivavoce.flow.tasks import Gate
from vivavoce.media.calls import Call, Json, MediaCalls
from vivavoce.media.frames import RATE
from vivavoce.sessions.conversation import OVER, Conversation
from vivavoce.sessions.options import ConversationOptions
from vivavoce.sessions.registry import Sessions
from vivavoce.transports.options import SocketLimits
from vivavoce.transports.webrtc.controls import Controls

TRANSPORT = "webrtc"
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What calls share."""

    media: MediaCalls
    sessions: Sessions
    limits: SocketLimits
    clock: Clock
    observer: EventListener | None = None


class Spoken(Protocol):
    """What a call speaks on its control channels. Sans I/O: texts in, texts to ``Line.put``."""

    label: str
    """The data channel it is spoken on."""

    @property
    def busy(self) -> bool:
        """Whether a reply is under way."""

    def options(self) -> ConversationOptions:
        """The rules to open the conversation with."""

    def begin(self, conversation: Conversation) -> None:
        """The conversation is open: greet the client."""

    def heard(self, pcm: bytes) -> None:
        """Microphone audio. Raises errors of the tree."""

    def said(self, text: str) -> None:
        """A message of the client."""

    def told(self, event: SessionEvent) -> None:
        """Something happened in the session."""

    def sounded(self, audio: ReplyAudio) -> None:
        """Audio of a reply is on its way to the client."""

    def candidate(self, candidate: Json | None) -> None:
        """A candidate of the server's, behind the answer."""

    def failed(self, error: VivavoceError) -> None:
        """The call is over by an error, or one thing could not be done."""

    def farewell(self, reason: str) -> None:
        """The call is over, in good order."""

    def close(self) -> None:
        """No timer is left. Idempotent."""


class Line(Protocol):
    """What the protocol may ask of its call."""

    def put(self, text: str) -> None:
        """Tell the client."""

    def greet(self, *first: str) -> None:
        """From now on the client is told; ``first`` before everything else."""

    def end(self, reason: str) -> None:
        """Hang up."""


class LiveCall:
    """``open``, then ``run`` until it is over. Also the listener of its media."""

    def __init__(self, id: str, owner: str, around: Surroundings, speak: Callable[[Line], Spoken]) -> None:
        self.id = id
        self.owner = owner
        """Whose key it was opened with."""
        self.controls = Controls()
        self._around = around
        self._spoken = speak(self)
        self._call: Call | None = None
        self._conversation: Conversation | None = None
        self._over = Gate()
        self._leaving: str | None = None
        self._detach: Callable[[], None] = lambda: None

    # --- life

    async def open(self, sdp: str) -> str:
        """Take the offer; the answer to it. Raises errors of the tree, and leaves nothing behind."""
        self._call = call = self._around.media.call(sdp, self)
        sink = Sink(call, self._spoken)
        try:
            answer = await call.answer()
            conversation = await self._around.sessions.open(TRANSPORT, self._spoken.options(), sink, self._told)
        except BaseException:
            call.hang_up()
            self._spoken.close()
            raise
        self._conversation = conversation
        self._spoken.begin(conversation)
        return answer

    async def run(self) -> None:
        """Until it is over; then nothing of it is left."""
        try:
            await self._over.wait()
        finally:
            self._spoken.close()
            if self._call is not None:
                self._call.hang_up()
            if self._conversation is not None:
                await self._around.sessions.close(self._conversation)

    def leave(self, reason: str, *, now: bool) -> None:
        """End it: ``now``, or when the reply in progress is over."""
        self._leaving = reason
        if now or not self._spoken.busy:
            self.end(reason)

    # --- Line

    def put(self, text: str) -> None:
        """See Line."""
        self.controls.put(text)

    def greet(self, *first: str) -> None:
        """See Line."""
        self.controls.open(*first)

    def end(self, reason: str) -> None:
        """See Line. Idempotent."""
        if not self._over.is_open:
            self._spoken.farewell(reason)
            self._finish()

    def _finish(self) -> None:
        self.controls.close()
        self._over.open()

    # --- the client

    def add_candidate(self, candidate: Json | None) -> None:
        """A candidate of the client's."""
        if self._call is not None:
            self._call.add_candidate(candidate)

    def message(self, text: str) -> None:
        """A message on a control channel."""
        if self._conversation is not None and not self._over.is_open:
            self._spoken.said(text)

    # --- CallListener: nothing may be raised into the media process's frames

    def _safely(self, work: Callable[..., None], *arguments: Any) -> None:
        """A failure is this call's alone."""
        try:
            work(*arguments)
        except VivavoceError as error:
            self._spoken.failed(error)
        except Exception as error:  # noqa: BLE001 - the border of a callback
            self._crashed(error)

    def heard(self, pcm: bytes) -> None:
        """Fifty times a second."""
        if self._conversation is not None and not self._over.is_open:
            self._safely(self._spoken.heard, pcm)

    def opened(self, label: str) -> None:
        """A data channel: if it is the protocol's, messages go there, too."""
        if label == self._spoken.label and self._call is not None:
            self._detach()
            self._safely(self._attach, self._call, label)

    def _attach(self, call: Call, label: str) -> None:
        self._detach = self.controls.attach(lambda text: self._send(call, label, text))

    def _send(self, call: Call, label: str, text: str) -> None:
        try:
            call.send(label, text)
        except VivavoceError as error:
            _logger.warning("a message is too long for a data channel: %s", error.message)

    def said(self, label: str, text: str) -> None:
        """A message on a data channel; others than the protocol's are nobody's."""
        if label == self._spoken.label:
            self._safely(self.message, text)

    def candidate(self, candidate: Json | None) -> None:
        """See CallListener."""
        self._safely(self._spoken.candidate, candidate)

    def connected(self) -> None:
        """Nothing depends on it: audio that comes is heard, and replies wait until they are taken."""

    def played(self, generation: int, samples: int) -> None:
        """See CallListener."""
        if self._conversation is not None:
            self._safely(self._conversation.played, generation, samples)

    def ended(self, error: VivavoceError | None) -> None:
        """The media are over, and with them the call."""
        if error is None:
            self.end("the client hung up")
        elif not self._over.is_open:
            self._spoken.failed(error)
            self._finish()

    # --- the session

    def _told(self, event: SessionEvent) -> None:
        self._spoken.told(event)
        if self._around.observer is not None:
            self._around.observer(event)
        if isinstance(event, SessionFailed) and event.code in OVER:
            self.end(event.message)
        elif self._leaving is not None and not self._spoken.busy:
            self.end(self._leaving)

    def _crashed(self, error: Exception) -> None:
        _logger.error("a call failed", exc_info=error)
        self._spoken.failed(InternalError("something broke on the server; the log says what", cause=error))
        self._finish()


class Sink:
    """See AudioSink: what a conversation says goes to the media process, and the protocol hears of it."""

    def __init__(self, call: Call, spoken: Spoken) -> None:
        self._call = call
        self._spoken = spoken
        self.format = AudioFormat(RATE)

    def write(self, audio: ReplyAudio) -> None:
        """See AudioSink."""
        self._call.write(audio)
        self._spoken.sounded(audio)

    def pause(self, stamp: Stamp) -> None:
        """See AudioSink."""
        self._call.pause(stamp)

    def resume(self, stamp: Stamp) -> None:
        """See AudioSink."""
        self._call.resume(stamp)

    def clear(self, stamp: Stamp) -> None:
        """See AudioSink."""
        self._call.clear(stamp)


def ice_servers(options: Any) -> list[Json]:
    """STUN and TURN servers as browsers want them told."""
    return [
        {
            "urls": list(server.urls),
            **({"username": server.username, "credential": server.credential} if server.username else {}),
        }
        for server in options.ice_servers
    ]
