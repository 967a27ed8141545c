"""What a client may do that directs the conversation itself: asks for replies, edits what was said, changes the rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from vivavoce.contracts.audio import AudioChunk
from vivavoce.contracts.speech import Message, Tool
from vivavoce.sessions import turn_messages as m
from vivavoce.sessions.asked import ReplyRequest
from vivavoce.sessions.driver import TurnDriver
from vivavoce.sessions.options import ConversationOptions

MAX_TOOLS = 128
"""Tools of a client."""


class Directing:
    """The director's chair of one conversation. All methods are called on the loop; none of them waits."""

    def __init__(self, driver: TurnDriver) -> None:
        self._driver = driver
        self._keys = 0

    def adapt(self, options: ConversationOptions) -> None:
        """Other rules from now on: mode, endpointing, activity, interruption, answering, instructions, speed, spoken or not.

        Without wake words the session no longer sleeps. Which words there are, the watchdogs, the pacing of replies and the
        length of history stay as they were.
        """
        driver = self._driver
        settings = driver.settings
        settings.instructions, settings.speed, settings.spoken = options.instructions, options.speed, options.spoken
        driver.listening.adapt(options.activity, push_to_talk=options.mode == "push_to_talk")
        if driver.waking.adapt(options.wake_words):
            driver.listening.wake(driver.listening.microphone.position)
        driver.tell(m.Changed(driver.now, mode=options.mode, options=options))

    def tap(self, take: Callable[[AudioChunk], None]) -> None:
        """Give microphone audio to ``take``, too, placed in session time; it must not block and must not raise."""
        self._driver.listening.microphone.tap = take

    def offer(self, tools: Sequence[Tool]) -> None:
        """Tools the client runs: a reply that calls one ends, and ``ResponseCompleted`` says which."""
        self._driver.settings.tools = tuple(tools[:MAX_TOOLS])

    def limit(self, tokens: int | None) -> None:
        """The longest reply, in tokens of the language model."""
        self._driver.settings.max_tokens = tokens

    def respond(self, request: ReplyRequest) -> None:
        """Reply to what there is, at once. A reply under way ends."""
        self._driver.tell(m.ReplyAsked(self._driver.now, request))

    def clear(self) -> None:
        """What was heard and not committed was never said."""
        self._driver.listening.end_voice()
        self._driver.tell(m.ClearAsked(self._driver.now))

    def keep_listening(self) -> None:
        """In push-to-talk a turn ended by its length: the user speaks on, and nothing is to be missed."""
        self._driver.listening.keep_listening()

    def truncate(self, generation: int, samples: int) -> str | None:
        """The ear heard only ``samples`` of a reply; give the text it heard, None where that changes nothing."""
        self._driver.replies.played(generation, samples)
        return self._driver.replies.truncate(generation, samples)

    def insert(self, message: Message, behind: Sequence[int] | None = None) -> int:
        """Put a message into history: at the end, or behind the first entry of ``behind`` there is. Return its key."""
        self._keys -= 1
        self._driver.history.insert(self._keys, message, behind)
        return self._keys

    def remove(self, key: int, role: str) -> None:
        """Take out of history what ``role`` said in a turn, or under the key of an inserted message."""
        self._driver.history.remove(key, role)
