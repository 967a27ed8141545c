"""What can be configured about a session. Durations are seconds unless the name says otherwise."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Mode = Literal["auto", "push_to_talk", "manual"]
"""How turns end.

``auto``: by graded endpointing. ``push_to_talk`` and ``manual``: only by ``commit``; in ``push_to_talk`` audio counts as
speech while it is sent, in ``manual`` voice activity is still reported but never ends a turn.
"""

Hint = Literal["none", "digits", "spelling"]
"""What the speaker is expected to say; digits and spelling wait longer."""

Speculation = Literal["always", "local", "off"]
"""Prepare replies before the turn is judged over: always, only where nothing is metered, or never."""

MODES: tuple[Mode, ...] = ("auto", "push_to_talk", "manual")


@dataclass(frozen=True, slots=True)
class EndpointingOptions:
    """The graded wait behind the last speech sample. See ``sessions.endpointing``."""

    min_wait: float = 0.0
    """Wait when everything says that the speaker is done."""
    max_wait: float = 1.2
    """Wait when everything says that the speaker goes on."""
    fixed_silence: float | None = None
    """Plain silence in place of the graded wait (server VAD with a fixed silence)."""
    eagerness: float = field(default=0.5, metadata={"min": 0, "max": 1})
    """0 is patient, 1 is eager; 0.5 leaves the wait as it is."""
    learn_pauses: bool = True
    """Learn how long this speaker pauses within a turn, and wait longer in long turns."""


@dataclass(frozen=True, slots=True)
class ActivityOptions:
    """From speech probabilities to speech started and stopped."""

    onset: float = field(default=0.5, metadata={"min": 0, "max": 1})
    """Probability at which speech starts."""
    release: float = field(default=0.35, metadata={"min": 0, "max": 1})
    """Probability under which a frame counts as silence while speaking."""
    release_frames: int = field(default=2, metadata={"min": 1})
    """Silent frames (32 ms each) after which speech has stopped, plausibly."""
    min_speech: float = 0.1
    """Voiced seconds under which a burst is noise unless a word was recognised in it."""
    prefix: float = 0.3
    """Audio before the onset that belongs to the utterance."""


@dataclass(frozen=True, slots=True)
class BargeInOptions:
    """Speech over a reply: pause at once, then decide."""

    enabled: bool = True
    """Whether speech may interrupt a reply at all."""
    listen_on: bool = False
    """Whether speech over a reply it may not interrupt is a turn nevertheless; else it is ignored."""
    decide_after: float = 0.5
    """Latest decision after the onset, and the earliest to go on: another word may follow the first."""
    brief: float = 0.1
    """Voiced seconds under which a burst is noise, and the reply goes on behind it at once."""
    min_voiced: float = 0.2
    """Voiced seconds needed for any cut."""
    cut_voiced: float = 0.45
    """Voiced seconds with which a single word cuts."""
    cut_wordless: float = 1.2
    """Voiced seconds that cut without any word: longer than a hum, a cough or a laugh."""
    min_words: int = 2
    """Words beyond backchannel and echo that cut at once."""
    reopen: bool = True
    """Whether a turn that was judged over too soon is taken back when the speaker goes on."""
    reopen_within: float = 0.5
    """Seconds of a reply that may have been heard when the turn it answers is still continued by more speech: whoever speaks
    so soon has planned it before."""
    echo_similarity: float = field(default=0.6, metadata={"min": 0, "max": 1})
    """Similarity with the reply's own recent words above which speech counts as its echo."""

    @property
    def deaf(self) -> bool:
        """Whether speech over a reply is ignored."""
        return not self.enabled and not self.listen_on

    @property
    def beside(self) -> bool:
        """Whether speech over a reply leaves the reply alone and is a turn all the same."""
        return not self.enabled and self.listen_on


@dataclass(frozen=True, slots=True)
class ReplyOptions:
    """How replies are prepared, paced and bounded."""

    speculation: Speculation = "local"
    """Prepare replies before the turn is judged over: always, only where nothing is metered, or never."""
    max_discarded: int = 4
    """Discarded revisions a turn; then no more speculation in it."""
    max_prepared: float = 10.0
    """Seconds of audio synthesised before the decision."""
    max_lead: float = 0.6
    """Seconds of audio sent ahead of the ear."""
    frame: float = field(default=0.02, metadata={"min": 0.005, "max": 0.2})
    """Seconds of audio per frame sent."""
    max_length: float = 120.0
    """Seconds of audio in one reply."""
    max_characters: int = 8_000
    """Characters in one reply."""


@dataclass(frozen=True, slots=True)
class WatchdogOptions:
    """No silence without reason."""

    transcript: float = 5.0
    """Final transcript after the end of speech."""
    first_token: float = 12.0
    """First text of the reply after it was asked for; then the fallback is spoken."""
    first_audio: float = 5.0
    """First audio after the first sentence."""
    stalled: float = 15.0
    """Audio sent but never acknowledged as played; on `/ws/audio` at least `websocket.resume_window`."""
    idle: float | None = None
    """Prompt an idle user after this long."""
    idle_prompt: str = "Are you still there?"
    """What an idle user is asked."""
    max_turn: float = 60.0
    """Longest turn of the user; then it is committed."""
    fallback: str = "Sorry, I could not answer that just now."
    """What is said in place of a reply that did not come."""
    max_session: float = 4 * 3600.0
    """Longest conversation; then it is ended."""


@dataclass(frozen=True, slots=True)
class ConversationOptions:
    """One conversation."""

    language: str = "en"
    """What is spoken, as a BCP 47 tag; clients may choose another."""
    mode: Mode = "auto"
    """How turns end: by graded endpointing, or only by ``commit``."""
    hint: Hint = "none"
    """What the speaker is expected to say; digits and spelling wait longer."""
    instructions: str = ""
    """System prompt for the language model."""
    voice: str = ""
    """Voice of the replies; empty is the default of the engine."""
    speed: float = field(default=1.0, metadata={"min": 0.25, "max": 4})
    """Pace of the replies; 1 is the voice's own."""
    greeting: str = ""
    """Said when a conversation starts; empty is silence."""
    answering: bool = True
    """Whether every turn of the user is answered; else replies are only made when a client asks for them."""
    spoken: bool = True
    """Whether replies are spoken; else they are text only."""
    acknowledged: bool = False
    """Whether the client reports what it has played; else it is reckoned by the clock."""
    wake_words: tuple[str, ...] = ()
    """Words that have to be said before anything is listened to, for example `okay_nabu`; none: it always listens. Clients
    may choose others."""
    wake_timeout: float = field(default=8.0, metadata={"min": 0.5, "max": 3600})
    """Seconds of quiet behind the last turn after which the wake word is needed again."""
    max_history: int = 100
    """Messages kept for the language model."""
    endpointing: EndpointingOptions = field(default_factory=EndpointingOptions)
    activity: ActivityOptions = field(default_factory=ActivityOptions)
    barge_in: BargeInOptions = field(default_factory=BargeInOptions)
    reply: ReplyOptions = field(default_factory=ReplyOptions)
    watchdogs: WatchdogOptions = field(default_factory=WatchdogOptions)


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """All sessions of a server."""

    max_sessions: int = field(default=200, metadata={"min": 1})
    """Conversations at one time; beyond it a new one is refused with a reason."""
    max_lateness: float = field(default=0.1, metadata={"min": 0})
    """Seconds by which the event loop may be late, in the median of 3 s, before new conversations are refused; 0 never
    refuses on that account. What goes on is kept rather than spoilt for one more."""
    drain: float = 5.0
    """Seconds given to replies in progress when the server stops."""
    conversation: ConversationOptions = field(default_factory=ConversationOptions)
