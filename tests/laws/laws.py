"""The laws of the ports: what every implementation, fake or real, keeps.

Each law is a coroutine function that takes a port and raises AssertionError. Run all of a kind with::

    @pytest.mark.parametrize("law", laws.SPEECH_TO_TEXT, ids=laws.name)
    async def test_laws(law): await law(port)

They hold on virtual time and on the real clock alike.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import struct
from collections.abc import Awaitable, Callable
from typing import Any

from vivavoce.contracts.audio import HEARING, AudioChunk
from vivavoce.contracts.ports import (
    LanguageModel,
    SpeechToText,
    TextToSpeech,
    Transcription,
    TurnDetector,
    VoiceActivityDetector,
)
from vivavoce.contracts.speech import (
    Delta,
    LanguageOptions,
    Message,
    SpeechProbability,
    SpokenAudio,
    SynthesisOptions,
    Transcript,
    TranscriptionOptions,
)

PATIENCE = 20.0
"""Seconds after which a law calls a port stuck."""
TEXT = ("Hello there. ", "This is the second piece, ", "and this is the last one.")
QUESTION = (Message("user", "What is twelve times twelve?"),)


def name(law: Any) -> str:
    """Name of a law, for test ids."""
    return str(law.__name__)


def tone(seconds: float, frequency: float = 220.0, level: float = 0.3) -> bytes:
    """A sine as HEARING PCM."""
    count = HEARING.samples(seconds)
    step = 2 * math.pi * frequency / HEARING.rate
    return struct.pack(f"<{count}h", *(round(level * 32767 * math.sin(step * i)) for i in range(count)))


def silence(seconds: float) -> bytes:
    """Digital silence as HEARING PCM."""
    return bytes(HEARING.samples(seconds) * 2)


def chunks(pcm: bytes, samples: int, start: int = 0) -> list[AudioChunk]:
    """``pcm`` as chunks of ``samples`` samples."""
    step = samples * 2
    return [AudioChunk(pcm[i : i + step], HEARING, start + i // 2) for i in range(0, len(pcm), step)]


async def settled() -> None:
    """Let everything that is under way come to rest."""
    for _ in range(20):
        await asyncio.sleep(0.01)


async def quiet(results: list[Any]) -> None:
    """Wait until the first result is there and no more come."""
    async with asyncio.timeout(PATIENCE):
        seen = -1
        while not results or len(results) != seen:
            seen = len(results)
            await settled()


async def read(utterance: Transcription) -> list[Transcript]:
    """All transcripts of an utterance until its iteration ends."""
    async with asyncio.timeout(PATIENCE):
        return [transcript async for transcript in utterance]


async def transcribe(port: SpeechToText, pieces: list[AudioChunk], options: TranscriptionOptions) -> list[Transcript]:
    """Read ``pieces`` through ``port`` as one utterance."""
    utterance = port.open(options)
    reading = asyncio.get_running_loop().create_task(read(utterance))
    try:
        for piece in pieces:
            utterance.send(piece)
            await utterance.drain()
        utterance.finish()
        return await reading
    finally:
        utterance.cancel()
        reading.cancel()
        await asyncio.wait([reading])


async def no_task_left(before: set[asyncio.Task[Any]]) -> None:
    """Assert that no task is alive which was not in ``before``."""
    await settled()
    left = {task for task in asyncio.all_tasks() if not task.done()} - before
    assert not left, f"tasks left behind: {left}"


# --- speech to text


async def hearing_finish_yields_exactly_one_final(port: SpeechToText) -> None:
    """Any number of partials, then one final, then the end."""
    heard = await transcribe(port, chunks(tone(1.0), 320), TranscriptionOptions())
    assert [transcript.final for transcript in heard].count(True) == 1
    assert heard[-1].final


async def hearing_does_not_depend_on_chunks(port: SpeechToText) -> None:
    """Single samples and whole seconds give the same final reading."""
    pcm = tone(0.25) + silence(0.25)
    options = TranscriptionOptions(session="chunks")
    small = await transcribe(port, chunks(pcm, 1), options)
    large = await transcribe(port, chunks(pcm, 16_000), options)
    assert small[-1].text == large[-1].text


async def hearing_silence_yields_an_empty_final(port: SpeechToText) -> None:
    """Nothing said, nothing read; no audio at all is silence, too."""
    quiet = await transcribe(port, chunks(silence(1.0), 320), TranscriptionOptions())
    nothing = await transcribe(port, [], TranscriptionOptions())
    assert [transcript.text for transcript in quiet if transcript.final] == [""]
    assert [transcript.text for transcript in nothing] == [""]


async def hearing_stability_keeps_its_word(port: SpeechToText) -> None:
    """Later readings begin with what an earlier one called stable."""
    heard = await transcribe(port, chunks(tone(2.0), 320), TranscriptionOptions())
    for earlier, later in itertools.pairwise(heard):
        assert 0 <= earlier.stable <= len(earlier.text)
        assert later.text.startswith(earlier.text[: earlier.stable])


async def hearing_without_partials_yields_the_final_only(port: SpeechToText) -> None:
    """``partials=False`` is kept."""
    heard = await transcribe(port, chunks(tone(1.0), 320), TranscriptionOptions(partials=False))
    assert [transcript.final for transcript in heard] == [True]


async def hearing_cancel_twice_is_harmless(port: SpeechToText) -> None:
    """After ``cancel`` nothing is yielded and nothing raised, however late and often anything is called."""
    utterance = port.open(TranscriptionOptions())
    utterance.send(chunks(tone(0.1), 1600)[0])
    utterance.cancel()
    utterance.cancel()
    assert not [transcript for transcript in await read(utterance) if transcript.final]
    utterance.finish()
    utterance.cancel()


async def hearing_cancel_ends_a_waiting_reader(port: SpeechToText) -> None:
    """Who waits for a transcript is let go, without an error and without a task left."""
    before = {task for task in asyncio.all_tasks() if not task.done()}
    utterance = port.open(TranscriptionOptions())
    reading = asyncio.get_running_loop().create_task(read(utterance))
    utterance.send(chunks(tone(0.1), 1600)[0])
    await settled()
    utterance.cancel()
    assert not [transcript for transcript in await reading if transcript.final]
    await no_task_left(before)


async def hearing_utterances_do_not_mix(port: SpeechToText) -> None:
    """Interleaved utterances read as they read alone."""
    pieces = chunks(tone(0.5), 320)
    alone = (await transcribe(port, pieces, TranscriptionOptions()))[-1].text
    together = await asyncio.gather(*(transcribe(port, pieces, TranscriptionOptions()) for _ in range(4)))
    assert {heard[-1].text for heard in together} == {alone}


# --- text to speech


async def speak(port: TextToSpeech, pieces: tuple[str, ...], options: SynthesisOptions) -> list[SpokenAudio]:
    """All audio of ``pieces`` spoken as one utterance."""
    utterance = port.open(options)
    try:
        for piece in pieces:
            utterance.send(piece)
        utterance.flush()
        utterance.finish()
        async with asyncio.timeout(PATIENCE):
            return [audio async for audio in utterance]
    finally:
        utterance.cancel()


async def speaking_keeps_the_wanted_rate(port: TextToSpeech) -> None:
    """Audio has the rate of the options, mono, whole samples; its duration does not depend on the rate."""
    durations = []
    for rate in (8_000, 16_000, 24_000, 48_000):
        spoken = await speak(port, TEXT[:1], SynthesisOptions(rate=rate))
        assert spoken, "nothing was said"
        assert {(audio.chunk.format.rate, audio.chunk.format.channels) for audio in spoken} == {(rate, 1)}
        assert all(len(audio.chunk.pcm) % 2 == 0 and audio.chunk.pcm for audio in spoken)
        durations.append(sum(audio.chunk.samples for audio in spoken) / rate)
    assert max(durations) - min(durations) < 0.05, durations


async def speaking_is_one_unbroken_stream(port: TextToSpeech) -> None:
    """Offsets continue from chunk to chunk, over all pieces."""
    expected = 0
    for audio in await speak(port, TEXT, SynthesisOptions()):
        assert audio.chunk.offset == expected
        expected = audio.chunk.end


async def speaking_spans_are_monotone_and_complete(port: TextToSpeech) -> None:
    """Spans never go back, stay within the text and reach its last word."""
    said = "".join(TEXT)
    last = 0
    spoken = await speak(port, TEXT, SynthesisOptions())
    for audio in spoken:
        assert last <= audio.text_start <= audio.text_end <= len(said), (last, audio.text_start, audio.text_end)
        last = audio.text_start
    assert said[spoken[-1].text_end :].strip(" .") == ""


async def speaking_nothing_ends(port: TextToSpeech) -> None:
    """Finish without text ends the iteration without audio."""
    assert await speak(port, (), SynthesisOptions()) == []


async def speaking_starts_before_the_text_is_complete(port: TextToSpeech) -> None:
    """The first piece is heard without ``finish``."""
    utterance = port.open(SynthesisOptions())
    utterance.send(TEXT[0])
    utterance.flush()
    async with asyncio.timeout(PATIENCE):
        first = await anext(aiter(utterance))
    assert first.chunk.pcm
    utterance.cancel()


async def speaking_cancel_ends_at_once(port: TextToSpeech) -> None:
    """After ``cancel`` no audio follows, not even what lay ready; twice is harmless; no task is left."""
    before = {task for task in asyncio.all_tasks() if not task.done()}
    utterance = port.open(SynthesisOptions())
    for piece in TEXT:
        utterance.send(piece)
    utterance.finish()
    async with asyncio.timeout(PATIENCE):
        await anext(aiter(utterance))
    utterance.cancel()
    utterance.cancel()
    async with asyncio.timeout(PATIENCE):
        assert [audio async for audio in utterance] == []
    utterance.finish()
    utterance.flush()
    await no_task_left(before)


# --- language model


async def answering_yields_text_or_tool_calls(port: LanguageModel) -> None:
    """An answer ends by itself and is not empty."""
    async with asyncio.timeout(PATIENCE):
        answer = [delta async for delta in port.stream(QUESTION, (), LanguageOptions())]
    assert answer
    assert all(isinstance(delta, Delta) and (delta.text or delta.tool_call) for delta in answer)


async def answering_closed_early_leaves_nothing(port: LanguageModel) -> None:
    """``aclose`` withdraws the request, before and behind the first delta; twice is harmless."""
    before = {task for task in asyncio.all_tasks() if not task.done()}
    untouched: Any = port.stream(QUESTION, (), LanguageOptions())
    await untouched.aclose()
    begun: Any = port.stream(QUESTION, (), LanguageOptions())
    async with asyncio.timeout(PATIENCE):
        await anext(begun)
    await begun.aclose()
    await begun.aclose()
    assert [delta async for delta in begun] == []
    await no_task_left(before)


# --- voice activity


async def watch(port: VoiceActivityDetector, pieces: list[AudioChunk]) -> list[SpeechProbability]:
    """All judgements of ``pieces``."""
    results: list[SpeechProbability] = []
    errors: list[Exception] = []
    stream = port.open(results.append, errors.append)
    for piece in pieces:
        stream.send(piece)
    await quiet(results)
    stream.close()
    stream.close()
    assert not errors
    return results


async def watching_reports_in_order(port: VoiceActivityDetector) -> None:
    """Judgements come in order, at even distances, within the audio, with sane values."""
    pcm = silence(0.5) + tone(0.5)
    results = await watch(port, chunks(pcm, 320))
    ends = [result.end for result in results]
    assert ends == sorted(ends)
    assert len(ends) >= 10
    assert len({later - earlier for earlier, later in itertools.pairwise(ends)}) == 1
    assert ends[-1] <= len(pcm) // 2
    assert all(0.0 <= result.probability <= 1.0 and result.level <= 0.1 for result in results)


async def watching_does_not_depend_on_chunks(port: VoiceActivityDetector) -> None:
    """Single samples and whole seconds are judged alike."""
    pcm = silence(0.2) + tone(0.3)
    small, large = await watch(port, chunks(pcm, 1)), await watch(port, chunks(pcm, 16_000))
    assert [result.end for result in small] == [result.end for result in large]
    for one, other in zip(small, large, strict=True):
        assert abs(one.probability - other.probability) < 0.02


async def watching_counts_from_the_offset(port: VoiceActivityDetector) -> None:
    """``end`` counts in the samples of the session, not of the stream."""
    plain = await watch(port, chunks(tone(0.2), 320))
    shifted = await watch(port, chunks(tone(0.2), 320, start=160_000))
    assert [result.end + 160_000 for result in plain] == [result.end for result in shifted]


async def watching_ends_with_close(port: VoiceActivityDetector) -> None:
    """No callback follows ``close``, whatever is still sent."""
    results: list[SpeechProbability] = []
    errors: list[Exception] = []
    stream = port.open(results.append, errors.append)
    stream.send(chunks(tone(0.5), 8_000)[0])
    stream.close()
    seen = len(results)
    stream.send(chunks(tone(0.5), 8_000, start=8_000)[0])
    stream.reset()
    await settled()
    assert len(results) == seen
    assert not errors


async def watching_goes_on_after_reset(port: VoiceActivityDetector) -> None:
    """``reset`` forgets, and judgements go on in the samples of the session."""
    results: list[SpeechProbability] = []
    errors: list[Exception] = []
    stream = port.open(results.append, errors.append)
    for piece in chunks(tone(0.32), 320):
        stream.send(piece)
    stream.reset()
    for piece in chunks(tone(0.32), 320, start=5_120):
        stream.send(piece)
    await quiet(results)
    stream.close()
    ends = [result.end for result in results]
    assert not errors
    assert ends == sorted(ends)
    assert ends[-1] > 5_120


# --- turn detection


async def scoring_gives_probabilities(port: TurnDetector) -> None:
    """Any length up to 8 s is scored, several at once, each 0–1."""
    async with asyncio.timeout(PATIENCE):
        scores = await asyncio.gather(*(port.score(tone(seconds)) for seconds in (0.2, 1.0, 8.0)))
    assert all(0.0 <= score.probability <= 1.0 for score in scores)


async def scoring_can_be_abandoned(port: TurnDetector) -> None:
    """A cancelled caller leaves nothing behind and does not disturb the next."""
    before = {task for task in asyncio.all_tasks() if not task.done()}

    async def ask() -> None:
        await port.score(tone(1.0))

    task = asyncio.get_running_loop().create_task(ask())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    async with asyncio.timeout(PATIENCE):
        await port.score(tone(0.5))
    await no_task_left(before)


Law = Callable[[Any], Awaitable[None]]
SPEECH_TO_TEXT: tuple[Law, ...] = (
    hearing_finish_yields_exactly_one_final,
    hearing_does_not_depend_on_chunks,
    hearing_silence_yields_an_empty_final,
    hearing_stability_keeps_its_word,
    hearing_without_partials_yields_the_final_only,
    hearing_cancel_twice_is_harmless,
    hearing_cancel_ends_a_waiting_reader,
    hearing_utterances_do_not_mix,
)
TEXT_TO_SPEECH: tuple[Law, ...] = (
    speaking_keeps_the_wanted_rate,
    speaking_is_one_unbroken_stream,
    speaking_spans_are_monotone_and_complete,
    speaking_nothing_ends,
    speaking_starts_before_the_text_is_complete,
    speaking_cancel_ends_at_once,
)
LANGUAGE_MODEL: tuple[Law, ...] = (answering_yields_text_or_tool_calls, answering_closed_early_leaves_nothing)
VOICE_ACTIVITY: tuple[Law, ...] = (
    watching_reports_in_order,
    watching_does_not_depend_on_chunks,
    watching_counts_from_the_offset,
    watching_ends_with_close,
    watching_goes_on_after_reset,
)
TURN_DETECTOR: tuple[Law, ...] = (scoring_gives_probabilities, scoring_can_be_abandoned)
