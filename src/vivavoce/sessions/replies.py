"""The speaking half of a conversation: what the turn machine commands of replies is done here."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from vivavoce.contracts.audio import Stamp
from vivavoce.contracts.errors import VivavoceError
from vivavoce.contracts.events import (
    ReplyInterrupted,
    ReplyPaused,
    ReplyResumed,
    ReplyStarted,
    ReplyText,
    ResponseCompleted,
    SessionEvent,
    ToolUsed,
)
from vivavoce.contracts.ports import AudioSink, Clock, TextToSpeech
from vivavoce.contracts.speech import LanguageOptions, Message, SynthesisOptions, ToolCall
from vivavoce.flow.tasks import TaskScope
from vivavoce.sessions import turn_messages as m
from vivavoce.sessions.asked import ReplyRequest
from vivavoce.sessions.history import History
from vivavoce.sessions.live_reply import LiveReply
from vivavoce.sessions.options import ConversationOptions
from vivavoce.sessions.ports import SessionPorts
from vivavoce.sessions.settings import Settings
from vivavoce.sessions.thinking import ToolRunner, think
from vivavoce.sessions.tools import ReplyTools
from vivavoce.sessions.waterfalls import News, WaterfallTimes
from vivavoce.text.prompts import default_instructions

ReplyCommand = m.Prepare | m.Speak | m.Release | m.Discard | m.Pause | m.Resume | m.Cut | m.Complete
REMEMBERED = 8
"""Replies that are over and may still be shortened by a client that knows better what was heard."""
REPLY_COMMANDS = (m.Prepare, m.Speak, m.Release, m.Discard, m.Pause, m.Resume, m.Cut, m.Complete)


class RepliesOwner(Protocol):
    """Who the events are for."""

    @property
    def now(self) -> int:
        """Session time in samples."""

    def tell(self, event: m.Event) -> None:
        """An event for the turn machine."""

    def emit(self, event: SessionEvent) -> None:
        """An event for the client."""

    def trouble(self, error: VivavoceError) -> None:
        """Something went wrong that the client should know of."""


@dataclass(frozen=True, slots=True)
class SessionParts:
    """What a session is made of."""

    ports: SessionPorts
    options: ConversationOptions
    settings: Settings
    history: History
    tools: ToolRunner
    sink: AudioSink
    clock: Clock
    scope: TaskScope


class Replies:
    """At most one reply at a time: made, held, heard, recorded. ``times`` are those of the turn that is going on."""

    def __init__(self, owner: RepliesOwner, parts: SessionParts) -> None:
        self._owner = owner
        self._parts = parts
        self._reply: LiveReply | None = None
        self._dropped: LiveReply | None = None
        self._past: deque[LiveReply] = deque(maxlen=REMEMBERED)
        self._request = ReplyRequest()
        self._tools = ReplyTools(parts.tools, ())
        self._away, self._sent = False, 0
        self.times = WaterfallTimes()

    @property
    def stamp(self) -> Stamp:
        """Of the reply there is, or zeros."""
        return self._reply.stamp if self._reply else Stamp(0, 0, 0)

    def recently_spoken(self) -> str:
        """What the reply has said in the last seconds, empty when there is none."""
        return self._reply.recently_spoken() if self._reply else ""

    def settings_changed(self) -> None:
        """The volume holds for the reply that is being heard, too."""
        if self._reply is not None:
            self._reply.set_volume(self._parts.settings.volume)

    @property
    def sent(self) -> int:
        """Samples sent in this session."""
        playback = self._reply.playback if self._reply is not None else None
        return self._sent + (playback.sent if playback is not None else 0)

    def set_away(self, away: bool, generation: int | None = None, samples: int = 0) -> None:
        """While the client is away no reply is sent, this one or another. When it is back it holds so much of one."""
        self._away = away
        if self._reply is not None:
            self._reply.set_away(away, samples if self._reply.stamp.generation == generation else 0)

    def played(self, generation: int, samples: int) -> None:
        """The client says how much it has played."""
        reply = self._reply
        if reply is not None and reply.playback is not None and reply.stamp.generation == generation:
            self.reply_played(generation, reply.playback.acknowledged(max(0, samples)))

    def truncate(self, generation: int, samples: int) -> str | None:
        """Only ``samples`` of a reply that is over were heard: history says so from now on. None where nothing changed."""
        reply = next((past for past in self._past if past.stamp.generation == generation), None)
        if reply is None or samples >= reply.spoken_samples:
            return None
        heard = reply.heard(max(0, samples))
        self._parts.history.shorten(reply.stamp.turn, heard)
        return heard

    def execute(self, command: ReplyCommand) -> None:
        """Do what is commanded of the reply."""
        match command:
            case m.Prepare():
                self._prepare(command)
            case m.Speak():
                request = self._request
                self._request = ReplyRequest(spoken=request.spoken, voice=request.voice, recorded=request.recorded)
                self._tools.requested = []
                self._start(self._begin(command.stamp), _these_words(command.text))
            case m.Release():
                self._release(command)
            case m.Discard():
                self.drop()
            case m.Pause():
                self._pause(command)
            case m.Resume():
                self._resume(command)
            case m.Cut():
                self._cut(command)
            case m.Complete():
                self._complete(command)

    def _prepare(self, command: m.Prepare) -> None:
        reply = self._begin(command.stamp)
        reply.times.speculated = command.speculative
        request = self._request = command.request or ReplyRequest()
        settings = self._parts.settings
        self._tools = ReplyTools(self._parts.tools, settings.tools if request.tools is None else request.tools)
        model = self._parts.ports.llm.held(settings.llm)
        language = LanguageOptions(settings.language, request.max_tokens or settings.max_tokens)

        def record(call: ToolCall, result: str, request: Message, answer: Message) -> None:
            self._tool_used(command.stamp, call, result, request, answer)

        text = think(model, self._messages(command), language, self._tools, reply.committed, record)
        self._start(reply, text)

    def _messages(self, command: m.Prepare) -> list[Message]:
        request, settings = self._request, self._parts.settings
        instructions = (
            (settings.instructions or default_instructions(settings.language))
            if request.instructions is None
            else request.instructions
        )
        if command.request is None:
            past = self._parts.history.before(command.stamp.turn if command.replaces is None else command.replaces)
            return History.for_model(instructions, past, command.text)
        said = self._parts.history.messages if request.messages is None else request.messages
        remark = [Message("user", request.remark)] if request.remark else []
        return [*([Message("system", instructions)] if instructions else []), *said, *remark]

    def _begin(self, stamp: Stamp) -> LiveReply:
        times = self._times_of(stamp)
        times.prepare()
        reply = LiveReply(self, stamp, self._parts.sink, self._parts.clock, self._parts.options, times)
        reply.set_volume(self._parts.settings.volume)
        if self._away:
            reply.set_away(True)
        self._reply = reply
        return reply

    def _start(self, reply: LiveReply, text: AsyncIterator[str]) -> None:
        if not (self._parts.settings.spoken if self._request.spoken is None else self._request.spoken):
            reply.start(self._parts.scope, text, (), None)
            return
        synthesis = SynthesisOptions(
            self._parts.settings.voice if self._request.voice is None else self._request.voice,
            self._parts.settings.language,
            self._parts.sink.format.rate,
            self._parts.settings.speed,
        )
        reply.start(self._parts.scope, text, _voices(self._parts), synthesis)

    def _release(self, command: m.Release) -> None:
        reply = self._reply
        if reply is None:
            return
        now = self._parts.clock.now()
        if reply.times.decision is None:
            reply.times.decision, reply.times.wait = now, command.wait
        self.times = WaterfallTimes()
        self._owner.emit(ReplyStarted(command.stamp))
        reply.release()

    def drop(self) -> None:
        """Nothing more of the reply is made or heard."""
        if self._reply is not None:
            self._reply.cancel()
            self._sent = self.sent
            self._dropped, self._reply = self._reply, None

    def _times_of(self, stamp: Stamp) -> WaterfallTimes:
        """A second attempt at a reply that was released already counts from where the first one did."""
        dropped = self._dropped
        if dropped is not None and dropped.stamp.turn == stamp.turn and dropped.times.decision is not None:
            return dropped.times
        return self.times

    def _pause(self, command: m.Pause) -> None:
        if self._reply is not None and self._reply.playback is not None:
            self._reply.playback.pause()
        self._owner.emit(ReplyPaused(command.stamp))

    def _resume(self, command: m.Resume) -> None:
        self._owner.emit(ReplyResumed(command.stamp, command.played, command.reason))
        if self._reply is not None and self._reply.playback is not None:
            self._reply.playback.resume()

    def _cut(self, command: m.Cut) -> None:
        if self._reply is not None:
            self._past.append(self._reply)
        heard = self._reply.heard(command.played) if self._reply else ""
        times = self._reply.times if self._reply else self.times
        self.drop()
        self._owner.emit(ReplyInterrupted(command.stamp, command.played, heard, command.reason))
        if command.recorded:
            self._record_reply(command.stamp, heard, times, interrupted=True)

    def _complete(self, command: m.Complete) -> None:
        reply = self._reply
        if reply is None:
            return
        self._sent = self.sent
        self._reply = None
        self._past.append(reply)
        if reply.playback is not None:
            reply.playback.stop()
        self._record_reply(command.stamp, reply.written.strip(), reply.times, interrupted=False)

    def _record_reply(self, stamp: Stamp, heard: str, times: WaterfallTimes, *, interrupted: bool) -> None:
        times.finished = self._parts.clock.now()
        if heard and self._request.recorded:
            self._parts.history.add(stamp.turn, Message("assistant", heard, interrupted=interrupted))
        requested = () if interrupted else tuple(self._tools.requested)
        if self._request.recorded:
            for call in requested:
                self._parts.history.add(stamp.turn, Message("assistant", "", tool_calls=(call,)))
        self._request = ReplyRequest()
        self._owner.emit(ResponseCompleted(stamp, heard, interrupted, times.finish(), requested))

    def _tool_used(self, stamp: Stamp, call: ToolCall, result: str, request: Message, answer: Message) -> None:
        if self._request.recorded:
            self._parts.history.add(stamp.turn, request)
            self._parts.history.add(stamp.turn, answer)
        if any(tool.name == call.name and tool.side_effects for tool in self._parts.tools.offered):
            self._owner.tell(m.ReplyActed(self._owner.now, stamp.generation))
        self._owner.emit(ToolUsed(stamp, call.name, call.arguments, result))

    # --- LiveReplyOwner -----------------------------------------------------------------------------------------------

    def trouble(self, error: VivavoceError) -> None:
        """See LiveReplyOwner."""
        self._owner.trouble(error)

    def reply_wrote(self, stamp: Stamp, text: str) -> None:
        """See LiveReplyOwner."""
        self._owner.emit(ReplyText(stamp, text))

    def reply_news(self, generation: int, news: News) -> None:
        """See LiveReplyOwner."""
        reply = self._reply
        if reply is None or reply.stamp.generation != generation:
            return
        reply.times.note(news, self._parts.clock.now())
        if news == "first_token":
            self._owner.tell(m.ReplyBegan(self._owner.now, generation))
        elif news == "first_audio":
            self._owner.tell(m.ReplySounded(self._owner.now, generation))

    def reply_finished(self, generation: int, samples: int) -> None:
        """See LiveReplyOwner."""
        self._owner.tell(m.ReplyFinished(self._owner.now, generation, samples))

    def reply_failed(self, generation: int, error: Exception) -> None:
        """See LiveReplyOwner."""
        self._owner.tell(m.ReplyFailed(self._owner.now, generation))

    def reply_played(self, generation: int, samples: int) -> None:
        """See LiveReplyOwner."""
        reply = self._reply
        if reply is not None and samples > 0:
            reply.times.note("first_played", self._parts.clock.now())
        self._owner.tell(m.Played(self._owner.now, generation, samples))


def _voices(parts: SessionParts) -> list[TextToSpeech]:
    """The chosen voice, then the others that speak the language; a voice that does not speak it comes last.

    What a voice on this machine was chosen to say is not sent to another machine when it fails.
    """
    language = parts.settings.language.split("-")[0]
    chosen = parts.ports.tts.held(parts.settings.tts)
    voices = [chosen, *(voice for voice in parts.ports.tts.ports.values() if voice is not chosen)]
    return sorted(
        (voice for voice in voices if voice is chosen or _stands_in(voice, chosen, language)),
        key=lambda voice: not _speaks(voice.capabilities.languages, language),
    )


async def _these_words(text: str) -> AsyncIterator[str]:
    yield text


def _stands_in(voice: TextToSpeech, chosen: TextToSpeech, language: str) -> bool:
    near = voice.capabilities.local or not chosen.capabilities.local
    return near and _speaks(voice.capabilities.languages, language)


def _speaks(languages: tuple[str, ...], language: str) -> bool:
    return not languages or any(tag.split("-")[0] == language for tag in languages)
