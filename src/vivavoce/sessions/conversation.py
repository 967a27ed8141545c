"""One spoken conversation, as the doors see it."""

from __future__ import annotations

from collections.abc import Callable

from vivavoce.contracts.audio import SAMPLE_WIDTH
from vivavoce.contracts.errors import InvalidAudio, InvalidText, LimitExceeded, UnknownName
from vivavoce.contracts.events import SettingsChanged
from vivavoce.contracts.ports import AudioSink, Clock, EventListener
from vivavoce.contracts.speech import Message
from vivavoce.sessions import turn_messages as m
from vivavoce.sessions.absence import Absence
from vivavoce.sessions.directing import Directing
from vivavoce.sessions.driver import TurnDriver
from vivavoce.sessions.ear import FINISH_AFTER
from vivavoce.sessions.inspection import ENDED, Inspection
from vivavoce.sessions.microphone import AudioStatistics
from vivavoce.sessions.options import MODES, ConversationOptions, Mode
from vivavoce.sessions.ports import PROVIDER_KINDS, ProviderKind, SessionPorts

__all__ = ["EXPIRED", "OVER", "AudioStatistics", "Conversation"]

EXPIRED = "session_expired"
"""Code of the failure a session ends with when it has lasted for as long as it may; the door closes then."""
OVER = (EXPIRED, ENDED)
"""Codes of failures a session ends with; the door closes then."""
MAX_TEXT = 5_000
"""Characters of a typed turn."""
SLOW_FINAL = 3.0
"""Seconds a transcription is finished earlier per second its final reading takes."""


class Conversation:
    """One spoken conversation. All methods are called on the loop; none of the plain ones waits.

    Audio goes in through ``hear`` (HEARING PCM), replies go to the sink, everything else to the listener.
    """

    def __init__(
        self,
        session: str,
        ports: SessionPorts,
        options: ConversationOptions,
        sink: AudioSink,
        listener: EventListener,
        clock: Clock,
    ) -> None:
        self.session = session
        self._ports = ports
        self._options = options
        self._clock = clock
        self._expiry: Callable[[], None] = lambda: None
        self._driver = TurnDriver(session, ports, options, sink, listener, clock)
        self.direct = Directing(self._driver)
        self.inspect = Inspection(self._driver, ports)
        self.absence = Absence(self._driver, clock)

    async def start(self) -> None:
        """Open voice activity detection or wait for a wake word; greet if configured.

        Raises UnknownName, Unavailable, Overloaded.
        """
        if self._options.language not in self._ports.languages:
            raise _unknown("language", self._options.language, self._ports.languages)
        await self._driver.waking.start()
        self._driver.listening.start()
        if not self._driver.waking.awake:
            self._driver.listening.sleep(self._driver.waking.hear)
        self._driver.listening.push_to_talk = self._options.mode == "push_to_talk"
        self._follow_providers()
        self._expiry = self._clock.call_later(self._options.watchdogs.max_session, self._expire)
        if self._options.greeting:
            self._driver.tell(m.Announced(self._driver.now, self._options.greeting))

    async def close(self) -> None:
        """End everything this session owns. Idempotent."""
        self._expiry()
        self.absence.close()
        await self._driver.close()

    def _expire(self) -> None:
        limit = self._options.watchdogs.max_session
        self._driver.trouble(LimitExceeded(f"a session lasts {limit / 3600:g} h at most; open another", code=EXPIRED))

    def hear(self, pcm: bytes) -> None:
        """Take microphone audio (HEARING PCM, any even length)."""
        if not pcm or len(pcm) % SAMPLE_WIDTH:
            raise InvalidAudio(f"audio of {len(pcm)} bytes: send a positive even number of bytes, 16 bits a sample")
        (self.absence if self.absence.returning else self._driver.listening).hear(pcm)

    def commit(self) -> None:
        """The user's turn is over, now."""
        self.absence.flush()
        self._driver.listening.end_voice()
        self._driver.tell(m.CommitAsked(self._driver.now))

    def interrupt(self) -> None:
        """Cut the reply, if there is one."""
        self._driver.tell(m.InterruptAsked(self._driver.now))

    def type(self, text: str) -> None:
        """A typed turn of the user. Raises InvalidText."""
        text = text.strip()
        if not 1 <= len(text) <= MAX_TEXT:
            raise InvalidText(f"a text has 1 to {MAX_TEXT} characters, this one has {len(text)}")
        self._driver.tell(m.Typed(self._driver.now, text))

    def played(self, generation: int, samples: int) -> None:
        """The ear has heard the first ``samples`` samples of ``generation``. Stale or absurd reports are clamped."""
        self._driver.replies.played(generation, samples)

    def set_language(self, language: str) -> None:
        """Raises UnknownName."""
        if language not in self._ports.languages:
            raise _unknown("language", language, self._ports.languages)
        self._driver.settings.language = language
        self._driver.tell(m.Changed(self._driver.now, language=language))
        self._driver.emit(SettingsChanged("language", language))

    def set_voice(self, voice: str) -> None:
        """Raises UnknownName."""
        voices = [v.id for v in self._ports.tts.held(self._driver.settings.tts).capabilities.voices]
        if voice and voices and voice not in voices:
            raise _unknown("voice", voice, voices)
        self._driver.settings.voice = voice
        self._driver.emit(SettingsChanged("voice", voice))

    def set_mode(self, mode: Mode) -> None:
        """How turns end from now on. Raises UnknownName."""
        if mode not in MODES:
            raise _unknown("mode", mode, MODES)
        self._driver.listening.push_to_talk = mode == "push_to_talk"
        self._driver.listening.end_voice()
        self._driver.tell(m.Changed(self._driver.now, mode=mode))
        self._driver.emit(SettingsChanged("mode", mode))

    def set_provider(self, kind: ProviderKind, name: str) -> None:
        """Use another port from the next utterance on. Raises UnknownName."""
        if kind not in PROVIDER_KINDS:
            raise _unknown("kind of provider", kind, PROVIDER_KINDS)
        self._ports.choice(kind).get(name)
        setattr(self._driver.settings, kind, name)
        if kind == "tts":
            self._driver.settings.voice = ""
        self._follow_providers()
        self._driver.emit(SettingsChanged(kind, name))

    def reset(self) -> None:
        """Forget the conversation: cut the reply, discard the turn, clear history."""
        self.absence.flush()
        self._driver.listening.end_voice()
        self._driver.tell(m.ResetAsked(self._driver.now))
        self._driver.history.clear()

    @property
    def busy(self) -> bool:
        """Whether somebody speaks or a reply is under way."""
        return self._driver.busy

    @property
    def statistics(self) -> AudioStatistics:
        """Microphone statistics so far."""
        return self._driver.listening.statistics

    @property
    def history(self) -> tuple[Message, ...]:
        """What was said and heard."""
        return self._driver.history.messages

    def _follow_providers(self) -> None:
        """What the chosen ports can do decides how the turn machine goes about it.

        Replies are prepared ahead of the decision only where the policy allows discarding work. A transcription whose final
        reading takes long is finished early, so that it is there in time; a quick one is kept open for more of the same.
        """
        policy = self._options.reply.speculation
        settings = self._driver.settings
        llm, tts = self._ports.llm.held(settings.llm), self._ports.tts.held(settings.tts)
        metered = llm.capabilities.metered or tts.capabilities.metered
        allowed = policy == "always" or (policy == "local" and not metered)
        latency = self._ports.stt.held(settings.stt).capabilities.final_latency
        finish_after = max(0.0, FINISH_AFTER - SLOW_FINAL * latency)
        self._driver.tell(m.Changed(self._driver.now, speculate=allowed, finish_after=finish_after))


def _unknown(what: str, name: object, known: object) -> UnknownName:
    names = ", ".join(str(item) for item in known) if isinstance(known, tuple | list) else str(known)
    return UnknownName(f"no {what} {name!r} here; there is {names or 'none'}", code=f"unknown_{what.split()[-1]}")
