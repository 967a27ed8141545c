"""A recording becomes text: cut at silences, read stretch by stretch, put together with times."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

from vivavoce.contracts.audio import HEARING, AudioChunk
from vivavoce.contracts.errors import InternalError
from vivavoce.contracts.ports import SpeechToText, VoiceActivityDetector
from vivavoce.contracts.speech import SpeechProbability, Transcript, TranscriptionOptions
from vivavoce.flow.tasks import Gate, Signal
from vivavoce.sessions.activity import VoiceGate
from vivavoce.sessions.options import ActivityOptions
from vivavoce.sessions.turn_messages import VoiceBegan, VoiceEnded
from vivavoce.text.matching import join_segments

CUT_AT = 16
"""Silent frames (32 ms) at which a recording is cut: half a second."""
MAX_STRETCH = 30.0
"""Seconds read in one piece; speech without a pause is cut there."""
PADDING = 0.3
"""Seconds of sound kept before and behind speech."""
AHEAD = 10.0
"""Seconds sent to voice activity detection ahead of its results."""
FEED = 0.1
"""Seconds handed over at once."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of speech of a recording: ``start`` and ``end`` in seconds, and its reading with times of the recording."""

    start: float
    end: float
    transcript: Transcript


async def transcribe(pcm: bytes, stt: SpeechToText, vad: VoiceActivityDetector, options: TranscriptionOptions) -> Transcript:
    """Read HEARING ``pcm``. Silence gives an empty text. Raises what the ports raise."""
    return joined([stretch async for stretch in stretches(pcm, stt, vad, options)], options.language)


async def stretches(
    pcm: bytes, stt: SpeechToText, vad: VoiceActivityDetector, options: TranscriptionOptions
) -> AsyncIterator[Stretch]:
    """Read HEARING ``pcm`` stretch by stretch, each as soon as it is read. Raises what the ports raise."""
    for start, end in await _find(pcm, vad):
        transcript = await _read(pcm, start, end, stt, options)
        shift = HEARING.seconds(start)
        words = tuple(replace(word, start=word.start + shift, end=word.end + shift) for word in transcript.words)
        if transcript.text:
            yield Stretch(shift, HEARING.seconds(end), replace(transcript, words=words))


def joined(read: Sequence[Stretch], language: str) -> Transcript:
    """All stretches as one transcript."""
    transcripts = [stretch.transcript for stretch in read]
    words = tuple(word for transcript in transcripts for word in transcript.words)
    heard = next((transcript.language for transcript in transcripts if transcript.language), language)
    return Transcript(join_segments([t.text for t in transcripts]), final=True, words=words, language=heard)


async def _find(pcm: bytes, vad: VoiceActivityDetector) -> list[tuple[int, int]]:
    """Where there is speech, in samples, in pieces of bounded length."""
    total = len(pcm) // 2
    gate = VoiceGate(ActivityOptions(release_frames=CUT_AT))
    found: list[tuple[int, int]] = []
    done, progress = Gate(), Signal()
    lost: list[Exception] = []
    began = reached = 0

    def judged(frame: SpeechProbability) -> None:
        nonlocal began, reached
        reached = frame.end
        progress.notify()
        match gate.feed(frame):
            case VoiceBegan(_, start):
                began = start
            case VoiceEnded(_, end):
                found.append((began, end))
        if frame.end >= total:
            done.open()

    def failed(error: Exception) -> None:
        lost.append(error)
        done.open()
        progress.notify()

    stream = vad.open(judged, failed)
    try:
        padded = pcm + bytes(2 * HEARING.samples(0.2))  # so that the last frame is whole
        step = 2 * HEARING.samples(FEED)
        for start in range(0, len(padded), step):
            while start // 2 - reached > HEARING.samples(AHEAD) and not lost:
                await progress.wait()
            stream.send(AudioChunk(padded[start : start + step], HEARING, start // 2))
        await done.wait()
    finally:
        stream.close()
    if lost:
        raise lost[0]
    if gate.open:
        found.append((began, total))
    return [piece for start, end in found for piece in _bounded(start, end, total)]


def _bounded(start: int, end: int, total: int) -> list[tuple[int, int]]:
    padding, longest = HEARING.samples(PADDING), HEARING.samples(MAX_STRETCH)
    start, end = max(0, start - padding), min(total, end + padding)
    return [(at, min(at + longest, end)) for at in range(start, end, longest)]


async def _read(pcm: bytes, start: int, end: int, stt: SpeechToText, options: TranscriptionOptions) -> Transcript:
    transcription = stt.open(replace(options, partials=False))
    try:
        step = HEARING.samples(FEED)
        for at in range(start, end, step):
            transcription.send(AudioChunk(pcm[2 * at : 2 * min(at + step, end)], HEARING, at - start))
            await transcription.drain()
        transcription.finish()
        async for transcript in transcription:
            if transcript.final:
                return transcript
    finally:
        transcription.cancel()
    raise InternalError("a transcription ended without a final reading")
