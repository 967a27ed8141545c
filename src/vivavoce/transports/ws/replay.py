"""What a client may have missed when its connection was lost: numbered messages and reply audio, bounded. Sans I/O."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from vivavoce.contracts.audio import ReplyAudio
from vivavoce.contracts.errors import InvalidRequest
from vivavoce.transports.options import ResumeOptions
from vivavoce.transports.ws.protocol import numbered, without_start

Position = tuple[int, int]
"""A generation, and samples of it."""
NOTHING: Position = (-1, 0)


@dataclass(frozen=True, slots=True)
class Missed:
    """What has to be sent again: messages, then audio (each with its generation)."""

    messages: tuple[str, ...]
    audio: tuple[tuple[int, bytes], ...]


class Replay:
    """Numbers messages and keeps the newest of them; keeps audio until it was played or its reply is over.

    Messages leave in the order of their numbers, and audio in the order of (generation, offset), so that what a client has
    is told by one number and one position.
    """

    def __init__(self, options: ResumeOptions) -> None:
        self._keeps = options.on
        self._max_items = options.resume_messages
        self._max_message_bytes = options.resume_message_bytes
        self._max_audio_bytes = options.resume_audio_bytes
        self._messages: deque[str] = deque()
        self._message_bytes = 0
        self._audio: deque[tuple[Position, int, bytes]] = deque()  # position of its start, sample of its end, frame
        self._audio_bytes = 0
        self._sent = self._lost = self._heard = NOTHING
        self.stale = 0
        """Generations up to this one are over."""
        self.seq = 0
        """Number of the last message."""

    @property
    def kept(self) -> tuple[int, int]:
        """Bytes of messages and of audio."""
        return self._message_bytes, self._audio_bytes

    def number(self, text: str) -> str:
        """The next message, with its number."""
        self.seq += 1
        text = numbered(text, self.seq)
        if self._keeps:
            self._messages.append(text)
            self._message_bytes += len(text)
            while len(self._messages) > self._max_items or self._message_bytes > self._max_message_bytes:
                self._message_bytes -= len(self._messages.popleft())
        return text

    def keep(self, audio: ReplyAudio, frame: bytes) -> None:
        """Audio is sent as ``frame``. Called for every frame of every session."""
        generation, chunk = audio.stamp.generation, audio.chunk
        if not self._keeps or generation <= self.stale:
            return
        self._audio.append(((generation, chunk.offset), chunk.end, frame))
        self._audio_bytes += len(frame)
        self._sent = (generation, chunk.end)
        while len(self._audio) > self._max_items or self._audio_bytes > self._max_audio_bytes:
            (lost, _), end, _ = self._drop()
            self._lost = (lost, end)

    def played(self, generation: int, samples: int) -> None:
        """The client has it, and older replies are over for it."""
        position = min((generation, samples), self._sent)
        self._heard = max(self._heard, position)
        while self._audio and (self._audio[0][0][0], self._audio[0][1]) <= position:
            self._drop()

    def over(self, generation: int) -> None:
        """Nothing more is to be heard of this reply and older ones."""
        self.stale = max(self.stale, generation)
        while self._audio and self._audio[0][0][0] <= self.stale:
            self._drop()
        if self._lost[0] <= self.stale:
            self._lost = NOTHING

    def missed(self, seq: int, generation: int | None, samples: int) -> Missed:
        """What follows message ``seq`` and sample ``samples`` of ``generation``. Raises InvalidRequest (``resume_gap``)."""
        first = self.seq - len(self._messages)
        if not first <= seq <= self.seq:
            raise _gap(f"messages are kept from number {first + 1} to {self.seq}; message {seq + 1} cannot be sent again")
        position = NOTHING if generation is None else (generation, samples)
        return Missed(tuple(list(self._messages)[seq - first :]), tuple(self._audio_behind(position)))

    def _audio_behind(self, position: Position) -> list[tuple[int, bytes]]:
        if position[0] > self.stale and position > max(self._sent, (self._sent[0], 0)):
            raise _gap(f"no audio was sent up to sample {position[1]} of reply {position[0]}")
        if position[0] == self._heard[0] > self.stale and position < self._heard:
            raise _gap(f"reply {position[0]} was played up to sample {self._heard[1]}; what comes before is not kept")
        if self._lost > position and (position != NOTHING or any(start[0] == self._lost[0] for start, _, _ in self._audio)):
            raise _gap(f"the audio of reply {self._lost[0]} up to sample {self._lost[1]} is not kept any more")
        found: list[tuple[int, bytes]] = []
        reached = position
        for start, end, frame in self._audio:
            generation, offset = start
            if (generation, end) <= position:
                continue
            have = reached[1] if reached[0] == generation else 0
            if offset > have:
                raise _gap(f"the audio of reply {generation} is kept from sample {offset} on, not from {have}")
            found.append((generation, without_start(frame, have - offset) if have > offset else frame))
            reached = (generation, end)
        return found

    def _drop(self) -> tuple[Position, int, bytes]:
        dropped = self._audio.popleft()
        self._audio_bytes -= len(dropped[2])
        return dropped


def _gap(message: str) -> InvalidRequest:
    return InvalidRequest(f"{message}; open another session with `hello`", code="resume_gap")
