"""Uploads over real sockets."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.laws import laws
from tests.unit.providers.services import serving, speech_to_text
from vivavoce.audio.codecs import wav
from vivavoce.contracts.audio import AudioChunk, AudioFormat
from vivavoce.contracts.errors import InvalidAudio, Overloaded, ProtocolViolation, ProviderFailed
from vivavoce.contracts.speech import TranscriptionOptions, Word
from vivavoce.providers.openai_compatible.speech_to_text import MAX_UTTERANCE
from vivavoce.testing.openai_server import Trouble

pytestmark = pytest.mark.real_time


@pytest.mark.parametrize("profile", ["custom", "openai", "groq"])
@pytest.mark.parametrize("law", laws.SPEECH_TO_TEXT, ids=laws.name)
async def test_laws(law: Any, profile: str) -> None:
    async with serving() as (server, service):
        server.transcript = lambda pcm: f"{len(pcm) // 4000} eighths"
        await law(speech_to_text(service, profile))


async def test_an_utterance_is_uploaded_whole_as_wav() -> None:
    async with serving() as (server, service):
        pcm = laws.tone(0.7)
        options = TranscriptionOptions(language="en-GB", vocabulary=("Vivavoce", "Ada"))
        [final] = await laws.transcribe(speech_to_text(service), laws.chunks(pcm, 333), options)
        assert final.text == "what time is it" and final.language == "en-GB"
        [seen] = server.seen
        assert wav.read(seen.field("file")).hearing() == pcm
        assert (seen.field("language"), seen.field("prompt")) == (b"en", b"Vivavoce, Ada")
        assert (seen.field("model"), seen.field("stream")) == (b"ear", b"")


async def test_silence_is_not_uploaded() -> None:
    async with serving() as (server, service):
        for pcm in (b"", laws.silence(2.0), laws.tone(0.5, level=0.0005)):
            [final] = await laws.transcribe(speech_to_text(service), laws.chunks(pcm, 320), TranscriptionOptions())
            assert final.text == ""
        assert not server.seen
        quiet = laws.silence(1.0) + laws.tone(0.05)
        await laws.transcribe(speech_to_text(service), laws.chunks(quiet, 320), TranscriptionOptions())
        assert len(server.seen) == 1


async def test_words_with_times_where_offered() -> None:
    async with serving() as (_, service):
        [final] = await laws.transcribe(
            speech_to_text(service, "groq"), laws.chunks(laws.tone(1.0), 320), TranscriptionOptions()
        )
        assert final.words[1] == Word("time", 0.3, 0.55)


async def test_a_transcript_that_is_streamed() -> None:
    async with serving() as (_, service):
        heard = await laws.transcribe(
            speech_to_text(service, "openai"), laws.chunks(laws.tone(1.0), 320), TranscriptionOptions()
        )
        assert [t.text for t in heard] == ["what ", "what time ", "what time is ", "what time is it", "what time is it"]


@pytest.mark.parametrize("profile", ["custom", "openai"])
@pytest.mark.parametrize("kind", ["hang", "status", "reset", "drop", "hang_later", "truncated", "reset_later", "wrong_type"])
async def test_trouble(kind: Any, profile: str) -> None:
    async with serving(Trouble(kind), first=0.2, between=0.2) as (_, service):
        port, pieces = speech_to_text(service, profile), laws.chunks(laws.tone(0.5), 320)
        with pytest.raises(ProviderFailed):
            await laws.transcribe(port, pieces, TranscriptionOptions())
        assert (await laws.transcribe(port, pieces, TranscriptionOptions()))[-1].text == "what time is it"


async def test_cancelling_drops_the_upload() -> None:
    async with serving(Trouble("hang"), first=30) as (server, service):
        utterance = speech_to_text(service).open(TranscriptionOptions())
        utterance.send(laws.chunks(laws.tone(0.5), 8000)[0])
        utterance.finish()
        seen = await server.until_asked()
        utterance.cancel()
        async with asyncio.timeout(10):
            await seen.left.wait()
            assert [t async for t in utterance] == []


async def test_bounds() -> None:
    async with serving() as (server, service):
        utterance = speech_to_text(service).open(TranscriptionOptions())
        for _ in range(round(MAX_UTTERANCE)):
            utterance.send(laws.chunks(laws.silence(1.0), 16_000)[0])
        with pytest.raises(Overloaded, match="300 s at most"):
            utterance.send(laws.chunks(laws.tone(0.02), 320)[0])
        with pytest.raises(InvalidAudio):
            utterance.send(AudioChunk(b"\0\0", AudioFormat(8_000), 0))
        utterance.cancel()
        late = speech_to_text(service).open(TranscriptionOptions())
        late.send(laws.chunks(laws.tone(0.2), 3200)[0])
        late.finish()
        with pytest.raises(ProtocolViolation):
            late.send(laws.chunks(laws.tone(0.2), 3200)[0])
        assert [t.text async for t in late] == ["what time is it"]
        assert len(server.seen) == 1
