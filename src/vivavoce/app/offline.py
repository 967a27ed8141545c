"""The same parts without a server: a conversation from recordings, a text spoken, a recording read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from vivavoce.app.graph import Parts, parts_of
from vivavoce.app.loop import new_event_loop
from vivavoce.app.recorder import Recorder
from vivavoce.audio.codecs import wav
from vivavoce.audio.stages import NoiseSuppressor
from vivavoce.config.settings import Settings
from vivavoce.contracts.audio import HEARING, AudioFormat
from vivavoce.contracts.errors import DeadlineExceeded, InvalidAudio, InvalidText
from vivavoce.contracts.events import ResponseCompleted, SessionEvent, TurnDiscarded
from vivavoce.contracts.speech import SynthesisOptions, Transcript, TranscriptionOptions
from vivavoce.sessions.conversation import Conversation
from vivavoce.sessions.speech import Speech, SpeechLimits
from vivavoce.sessions.transcription import transcribe as read_recording

T = TypeVar("T")

FRAME = 0.02
LEAD_IN = 0.3
"""Seconds of silence before a recording, as a microphone has."""
ANSWER_WITHIN = 60.0
"""Seconds after a recording in which its exchange must be over."""
RATE = 24_000
MAX_SAY = 100_000
"""Characters spoken at once."""


@dataclass(frozen=True, slots=True)
class TalkRequest:
    """Recordings, one a turn, and where the replies go."""

    files: tuple[Path, ...]
    output: Path | None = None
    denoise: bool = False
    """Suppress steady noise in the recordings first."""


@dataclass(frozen=True, slots=True)
class SayRequest:
    """A text and how to say it; an empty voice is the engine's own."""

    text: str
    voice: str = ""
    speed: float = 1.0
    language: str = "en"


@dataclass(frozen=True, slots=True)
class Spoken:
    """What ``say`` made."""

    seconds: float
    engine: str


def talk(settings: Settings, request: TalkRequest, listener: Callable[[SessionEvent], None]) -> None:
    """Hold a conversation from recordings at the pace of speech. Raises errors of the tree."""
    recordings = [_read(path, request.denoise) for path in request.files]
    _run(_with_parts(settings, lambda parts: _talk(parts, settings, recordings, request.output, listener)))


def say(settings: Settings, request: SayRequest, path: Path) -> Spoken:
    """Speak into a WAV file. Raises errors of the tree; then no file is left half-written."""
    if not request.text.strip() or len(request.text) > MAX_SAY:
        raise InvalidText(f"a text has 1 to {MAX_SAY} characters, this one has {len(request.text.strip())}")
    pcm, engine = _run(_with_parts(settings, lambda parts: _say(parts, request), ("tts",)))
    _write(path, pcm)
    return Spoken(len(pcm) / (2 * RATE), engine)


def transcribe(settings: Settings, path: Path, language: str = "en", denoise: bool = False) -> Transcript:
    """Read a WAV file, its steady noise suppressed if wanted. Raises errors of the tree."""
    pcm = _read(path, denoise)

    async def work(parts: Parts) -> Transcript:
        options = TranscriptionOptions(language=language, session="file")
        return await read_recording(pcm, parts.ports.stt.get(), parts.ports.vad, options)

    return _run(_with_parts(settings, work, ("stt", "vad")))


def _run(work: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(work)


async def _with_parts(
    settings: Settings, work: Callable[[Parts], Coroutine[Any, Any, T]], kinds: tuple[Any, ...] | None = None
) -> T:
    parts = parts_of(settings, kinds)
    try:
        await parts.start()
        return await work(parts)
    finally:
        await parts.close()


def _read(path: Path, denoise: bool = False) -> bytes:
    """A recording as HEARING PCM. Runs before there is a loop. Raises InvalidAudio, EngineMissing."""
    pcm = _read_file(path)
    if not denoise:
        return pcm
    suppressor = NoiseSuppressor()
    return suppressor.process(pcm) + suppressor.flush()


def _read_file(path: Path) -> bytes:
    try:
        return wav.read(path.read_bytes()).hearing()
    except InvalidAudio as error:
        raise InvalidAudio(f"{path}: {error.message}", cause=error) from error
    except OSError as error:
        raise InvalidAudio(f"{path}: {error.strerror}", cause=error) from error


def _write(path: Path, pcm: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".part")
    unfinished.write_bytes(wav.write(pcm, AudioFormat(RATE)))
    unfinished.replace(path)


async def _talk(
    parts: Parts,
    settings: Settings,
    recordings: list[bytes],
    output: Path | None,
    listener: Callable[[SessionEvent], None],
) -> None:
    recorder = Recorder(RATE)
    answered: set[int] = set()

    def take(event: SessionEvent) -> None:
        recorder.take(event)
        if isinstance(event, ResponseCompleted | TurnDiscarded):
            answered.add(event.stamp.turn)
        listener(event)

    options = replace(settings.sessions.conversation, acknowledged=False)
    conversation = Conversation("talk", parts.ports, options, recorder, take, parts.clock)
    await conversation.start()
    try:
        microphone = _Microphone(conversation, parts)
        for pcm in recordings:
            before = len(answered)
            await microphone.play(bytes(2 * HEARING.samples(LEAD_IN)) + pcm)
            for _ in range(round(ANSWER_WITHIN / 0.1)):
                if len(answered) > before and not conversation.busy:
                    break
                await microphone.play(bytes(2 * HEARING.samples(0.1)))
            else:
                raise DeadlineExceeded(f"no answer within {ANSWER_WITHIN:.0f} s of a recording")
    finally:
        await conversation.close()
    if output is not None:
        await asyncio.to_thread(_write, output, recorder.pcm)


class _Microphone:
    """Hands recordings over at the pace of speech."""

    def __init__(self, conversation: Conversation, parts: Parts) -> None:
        self._conversation = conversation
        self._clock = parts.clock
        self._due = parts.clock.now()

    async def play(self, pcm: bytes) -> None:
        step = 2 * HEARING.samples(FRAME)
        for start in range(0, len(pcm), step):
            self._due += FRAME
            await self._clock.sleep(max(0.0, self._due - self._clock.now()))
            self._conversation.hear(pcm[start : start + step])


async def _say(parts: Parts, request: SayRequest) -> tuple[bytes, str]:
    voice = parts.ports.tts.get()
    options = SynthesisOptions(request.voice, request.language, RATE, request.speed)
    speech = Speech(voice, options, SpeechLimits(max_text=MAX_SAY))
    try:
        speech.append(request.text)
        speech.end()
        return b"".join([audio.chunk.pcm async for audio in speech]), voice.capabilities.name
    finally:
        speech.cancel()
