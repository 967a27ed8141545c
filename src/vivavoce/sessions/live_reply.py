"""One generation of a reply while it lives: its making, and once released its playback."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from vivavoce.contracts.audio import Stamp
from vivavoce.contracts.errors import VivavoceError
from vivavoce.contracts.ports import AudioSink, Clock, TextToSpeech
from vivavoce.contracts.speech import SynthesisOptions
from vivavoce.flow.tasks import Gate, TaskScope
from vivavoce.sessions.options import ConversationOptions
from vivavoce.sessions.playback import Playback
from vivavoce.sessions.speaking import Speaking
from vivavoce.sessions.waterfalls import News, WaterfallTimes
from vivavoce.sessions.writing import Writing

RECENT = 400
"""Characters of the reply compared with what is heard over it."""


class LiveReplyOwner(Protocol):
    """Who is told how a reply comes along. ``generation`` tells a stale one apart."""

    def reply_wrote(self, stamp: Stamp, text: str) -> None:
        """Text of a reply that may be heard."""

    def reply_news(self, generation: int, news: News) -> None:
        """Something happened for the first time."""

    def reply_finished(self, generation: int, samples: int) -> None:
        """All audio is there."""

    def reply_failed(self, generation: int, error: Exception) -> None:
        """Nothing (more) will come."""

    def reply_played(self, generation: int, samples: int) -> None:
        """The ear has heard so much, by the clock's estimate."""

    def trouble(self, error: VivavoceError) -> None:
        """Something went wrong that the client should know of."""


class LiveReply:
    """One generation: its making, and once released its playback."""

    def __init__(
        self,
        owner: LiveReplyOwner,
        stamp: Stamp,
        sink: AudioSink,
        clock: Clock,
        options: ConversationOptions,
        times: WaterfallTimes,
    ) -> None:
        self.stamp = stamp
        self.committed = Gate()
        self.playback: Playback | None = None
        self._owner = owner
        self._sink = sink
        self._clock = clock
        self._options = options
        self._unsaid: list[str] = []
        self._began = self._sounded = self._sent = self._released = self._held = False
        self._making: Speaking | Writing | None = None
        self.times = times
        self._volume = 1.0

    def start(
        self, scope: TaskScope, text: AsyncIterator[str], voices: Sequence[TextToSpeech], synthesis: SynthesisOptions | None
    ) -> None:
        """Begin writing and speaking, unheard; without ``synthesis`` it is only written."""
        if synthesis is None:
            self._making = Writing(self._options.reply.max_characters, self)
        else:
            patience = self._options.watchdogs.first_audio
            self._making = Speaking(voices, synthesis, self._options.reply, patience, self._clock, self)
        self._making.start(scope, text, f"reply {self.stamp.generation}")

    def release(self) -> None:
        """It may be heard."""
        assert self._making is not None
        self.committed.open()
        self._released = True
        self._making.allow_hearing()
        if isinstance(self._making, Speaking):
            report = None if self._options.acknowledged else self._estimated
            self.playback = Playback(self.stamp, self._making, self._sink, self._clock, self._options.reply, report)
            self.playback.volume = self._volume
            if self._held:
                self.playback.hold()
        if self._unsaid:
            self._owner.reply_wrote(self.stamp, "".join(self._unsaid))
            self._unsaid.clear()
        self._pump()

    def set_volume(self, volume: float) -> None:
        """From the next frame on."""
        self._volume = volume
        if self.playback is not None:
            self.playback.volume = volume

    def cancel(self) -> None:
        """Nothing more of it is made or heard. Idempotent."""
        if self._making is not None:
            self._making.cancel()
        if self.playback is not None:
            self.playback.cut()

    def set_away(self, away: bool, samples: int = 0) -> None:
        """While the client is away the reply is made, but not sent. When it is back it holds ``samples`` of this."""
        self._held = away
        if self.playback is not None and away:
            self.playback.hold()
        elif self.playback is not None:
            self.playback.go_on(samples)
            self._pump()

    def _estimated(self, samples: int) -> None:
        self._owner.reply_played(self.stamp.generation, samples)

    def _pump(self) -> None:
        if self.playback is not None:
            self.playback.pump()
            if not self._sent and self.playback.sent:
                self._sent = True
                self._owner.reply_news(self.stamp.generation, "first_sent")
                if not self._options.acknowledged:  # reckoned by the clock: what is sent is heard
                    self._owner.reply_news(self.stamp.generation, "first_played")
        elif self._released and isinstance(self._making, Writing):
            self._owner.reply_played(self.stamp.generation, len(self.written))

    @property
    def written(self) -> str:
        """All text so far."""
        return self._making.written if self._making else ""

    def heard(self, samples: int) -> str:
        """The words in the first ``samples`` samples."""
        return self._making.heard(samples) if self._making else ""

    @property
    def spoken_samples(self) -> int:
        """Of all that was synthesised so far; 0 for what is written only."""
        return self._making.plan.samples if isinstance(self._making, Speaking) else 0

    def recently_spoken(self) -> str:
        """The last words that were sent to the ear."""
        return self.heard(self.playback.sent)[-RECENT:] if self.playback and self.playback.sent else ""

    # --- SpeakingListener ---------------------------------------------------------------------------------------------

    def wrote(self, text: str) -> None:
        """See SpeakingListener."""
        if not self._began:
            self._began = True
            self._owner.reply_news(self.stamp.generation, "first_token")
        if self._released:
            self._owner.reply_wrote(self.stamp, text)
        else:
            self._unsaid.append(text)

    def sentence_ready(self) -> None:
        """See SpeakingListener."""
        self._owner.reply_news(self.stamp.generation, "first_sentence")

    def audio_ready(self) -> None:
        """See SpeakingListener."""
        if not self._sounded:
            self._sounded = True
            self._owner.reply_news(self.stamp.generation, "first_audio")
        self._pump()

    def all_ready(self, samples: int) -> None:
        """See SpeakingListener."""
        self._pump()
        self._owner.reply_finished(self.stamp.generation, samples)

    def failed(self, error: Exception) -> None:
        """See SpeakingListener."""
        self._owner.reply_failed(self.stamp.generation, error)

    def trouble(self, error: VivavoceError) -> None:
        """See SpeakingListener."""
        self._owner.trouble(error)
