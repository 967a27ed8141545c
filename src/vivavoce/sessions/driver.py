"""Executes what the turn machine commands and tells it what comes of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from vivavoce.contracts.errors import InternalError, VivavoceError
from vivavoce.contracts.events import (
    SessionEvent,
    SessionFailed,
    SettingsChanged,
    Slept,
    SpeechStarted,
    SpeechStopped,
    Woke,
)
from vivavoce.contracts.ports import AudioSink, Clock, EventListener
from vivavoce.contracts.speech import Message, TranscriptionOptions, WakeWord
from vivavoce.flow.tasks import TaskScope
from vivavoce.sessions import turn_messages as m
from vivavoce.sessions.history import History
from vivavoce.sessions.listening import Listening
from vivavoce.sessions.options import ConversationOptions, Mode
from vivavoce.sessions.ports import SessionPorts
from vivavoce.sessions.replies import REPLY_COMMANDS, Replies, SessionParts
from vivavoce.sessions.settings import Settings
from vivavoce.sessions.timers import SessionTimers
from vivavoce.sessions.tools import SessionTools
from vivavoce.sessions.turns import TurnMachine
from vivavoce.sessions.waking import Waking
from vivavoce.sessions.waterfalls import WaterfallTimes

MAX_TASKS = 32
"""Tasks of one session: transcriptions, scores, and two for a reply."""


class TurnDriver:
    """The imperative shell around one turn machine: events in order, timers, tasks."""

    def __init__(
        self,
        session: str,
        ports: SessionPorts,
        options: ConversationOptions,
        sink: AudioSink,
        listener: EventListener,
        clock: Clock,
    ) -> None:
        self._session = session
        self._ports = ports
        self._listener = listener
        self._clock = clock
        self._scope = TaskScope(self._task_failed, limit=MAX_TASKS)
        self._machine = TurnMachine(options, scoring=ports.turn is not None, rate=sink.format.rate)
        self._events: deque[m.Event] = deque()
        self._telling = False
        self._closed = False
        self.settings = Settings(
            options.language, options.voice, options.speed, instructions=options.instructions, spoken=options.spoken
        )
        self.history = History(options.max_history)
        self._tools = SessionTools(self.settings, self._announce, self._changed, clock)
        self.listening = Listening(self, ports.vad, ports.turn, options.activity, clock, self._scope)
        self._timers = SessionTimers(self.listening.microphone, clock, self._timer_fired)
        self.waking = Waking(self, ports.wake, options.wake_words, options.wake_timeout, clock)
        parts = SessionParts(ports, options, self.settings, self.history, self._tools, sink, clock, self._scope)
        self.replies = Replies(self, parts)
        self._execute: dict[type, Callable[[Any], None]] = {
            m.OpenSegment: self._open_segment,
            m.FinishSegment: lambda c: self.listening.finish_segment(c.segment),
            m.CancelSegment: lambda c: self.listening.cancel_segment(c.segment),
            m.ScoreTurn: lambda c: self.listening.score(c.turn, c.revision),
            **dict.fromkeys(REPLY_COMMANDS, self.replies.execute),
            m.RecordUser: self._record_user,
            m.SetTimer: self._timers.set,
            m.Notify: lambda c: self._notify(c.event),
        }

    def tell(self, event: m.Event) -> None:
        """Hand an event to the machine and execute its commands, in order even where one leads to another."""
        if self._closed:
            return
        self._events.append(event)
        if self._telling:
            return
        self._telling = True
        try:
            while self._events:
                upcoming = self._events.popleft()
                self._note(upcoming)
                for command in self._machine.handle(upcoming):
                    self._execute[type(command)](command)
        finally:
            self._telling = False
        self.waking.settled(self._machine.idle and not self.listening.voiced)

    @property
    def now(self) -> int:
        """Session time in samples."""
        return self.listening.microphone.now

    @property
    def busy(self) -> bool:
        """Whether somebody speaks or something is awaited."""
        return not self._machine.idle

    @property
    def activity(self) -> m.Activity:
        """What goes on."""
        return self._machine.mouth.activity or ("idle" if self._machine.ear.turn is None else "listening")

    @property
    def mode(self) -> Mode:
        """How turns end."""
        return self._machine.mode

    def emit(self, event: SessionEvent) -> None:
        """Tell the client."""
        self._listener(event)

    def trouble(self, error: VivavoceError) -> None:
        """Something went wrong; the session lives on."""
        self.emit(SessionFailed(self.replies.stamp, error.code, error.message, error.retryable))

    def woke(self, word: WakeWord) -> None:
        """Somebody called: what was said behind the word is heard, and nothing before it."""
        self.emit(Woke(word.word, word.at))
        self.listening.wake(word.at)
        self.waking.settled(self._machine.idle and not self.listening.voiced)

    def slept(self) -> None:
        """It was quiet for long enough."""
        self.listening.sleep(self.waking.hear)
        self.emit(Slept(self.listening.microphone.position))

    def recently_spoken(self) -> str:
        """What the reply has said in the last seconds, empty when there is none."""
        return self.replies.recently_spoken()

    def stand_still(self) -> None:
        """Nobody is there: time stands still, and no reply is sent. What is being read or made goes on."""
        self._timers.suspend()
        self.listening.microphone.freeze()
        self.replies.set_away(True)

    def go_on(self) -> None:
        """Time goes on."""
        self.listening.microphone.thaw()
        self._timers.resume()

    async def close(self) -> None:
        """End everything. Idempotent."""
        self._closed = True
        self._timers.close()
        self._tools.close()
        self.waking.close()
        self.replies.drop()
        self.listening.close()
        await self._scope.close()

    # --- commands -----------------------------------------------------------------------------------------------------

    def _open_segment(self, command: m.OpenSegment) -> None:
        grammar = self._ports.llm.held(self.settings.llm).capabilities.grammar
        options = TranscriptionOptions(self.settings.language, self._session, grammar=grammar)
        stt = self._ports.stt.held(self.settings.stt)
        self.listening.open_segment(command.segment, command.start, stt, options)

    def _record_user(self, command: m.RecordUser) -> None:
        message = Message("user", command.text)
        if command.replaces is None:
            self.history.add(command.stamp.turn, message)
        else:
            self.history.replace(command.replaces, command.stamp.turn, message)

    def _timer_fired(self, event: m.TimerFired) -> None:
        if event.name != "idle" or self.waking.awake:  # who sleeps does not ask whether anybody is there
            self.tell(event)

    def _notify(self, event: SessionEvent) -> None:
        if isinstance(event, SpeechStarted):
            self.replies.times = WaterfallTimes()
        elif isinstance(event, SpeechStopped):
            self.replies.times.pause(self.listening.microphone.time_of(event.at), self._clock.now())
        self.emit(event)

    def _note(self, event: m.Event) -> None:
        """Times of what is not told to anybody else."""
        if isinstance(event, m.Read):
            self.replies.times.transcript = self._clock.now()
        elif isinstance(event, m.Scored):
            self.replies.times.turn_scored = self._clock.now()

    # --- what the session does of its own accord ----------------------------------------------------------------------

    def _announce(self, text: str) -> None:
        self.tell(m.Announced(self.now, text))

    def _changed(self, name: str, value: str) -> None:
        self.replies.settings_changed()
        self.emit(SettingsChanged(name, value))

    def _task_failed(self, error: Exception) -> None:
        self.trouble(
            error
            if isinstance(error, VivavoceError)
            else InternalError(f"a task of the session failed: {error!r}", cause=error)
        )
