"""The driver of a conversation: it executes what the turn machine commands."""

from __future__ import annotations

from dataclasses import dataclass

from vivavoce.contracts.ports import AudioSink, Clock, EventListener
from vivavoce.contracts.speech import Message
from vivavoce.sessions.options import ConversationOptions, Mode
from vivavoce.sessions.ports import ProviderKind, SessionPorts


@dataclass(frozen=True, slots=True)
class AudioStatistics:
    """What came in over a session's microphone. Levels are dBFS, times are seconds."""

    frames: int = 0
    bytes: int = 0
    seconds: float = 0.0
    level: float = -96.0
    peak: float = -96.0
    clipped: int = 0
    gaps: int = 0
    gap_seconds: float = 0.0
    jitter: float = 0.0
    dropped: int = 0


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

    async def start(self) -> None:
        """Open voice activity detection; greet if configured."""
        raise NotImplementedError

    async def close(self) -> None:
        """End everything this session owns. Idempotent."""
        raise NotImplementedError

    def hear(self, pcm: bytes) -> None:
        """Take microphone audio (HEARING PCM, any even length)."""
        raise NotImplementedError

    def commit(self) -> None:
        """The user's turn is over, now."""
        raise NotImplementedError

    def interrupt(self) -> None:
        """Cut the reply, if there is one."""
        raise NotImplementedError

    def type(self, text: str) -> None:
        """A typed turn of the user. Raises InvalidText."""
        raise NotImplementedError

    def played(self, generation: int, samples: int) -> None:
        """The ear has heard the first ``samples`` samples of ``generation``. Stale or absurd reports are clamped."""
        raise NotImplementedError

    def set_language(self, language: str) -> None:
        """Raises UnknownName."""
        raise NotImplementedError

    def set_voice(self, voice: str) -> None:
        """Raises UnknownName."""
        raise NotImplementedError

    def set_mode(self, mode: Mode) -> None:
        """How turns end from now on."""
        raise NotImplementedError

    def set_provider(self, kind: ProviderKind, name: str) -> None:
        """Use another port from the next utterance on. Raises UnknownName."""
        raise NotImplementedError

    def reset(self) -> None:
        """Forget the conversation: cut the reply, discard the turn, clear history."""
        raise NotImplementedError

    @property
    def statistics(self) -> AudioStatistics:
        """Microphone statistics so far."""
        raise NotImplementedError

    @property
    def history(self) -> tuple[Message, ...]:
        """What was said and heard."""
        raise NotImplementedError
