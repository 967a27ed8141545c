"""Speech over real sockets: pieces in order, the next one ahead, samples whole."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.laws import laws
from tests.unit.providers.services import serving, text_to_speech
from vivavoce.audio.codecs import wav
from vivavoce.contracts.audio import AudioFormat
from vivavoce.contracts.errors import InvalidAudio, InvalidText, Overloaded, ProtocolViolation, ProviderFailed
from vivavoce.contracts.speech import SynthesisOptions
from vivavoce.providers.openai_compatible.speech_bytes import SpeechBytes
from vivavoce.testing.openai_server import Trouble
from vivavoce.testing.speaking import tone_pcm

pytestmark = pytest.mark.real_time


@pytest.mark.parametrize("speech_format", ["pcm", "wav"])
@pytest.mark.parametrize("law", laws.TEXT_TO_SPEECH, ids=laws.name)
async def test_laws(law: Any, speech_format: Any) -> None:
    async with serving() as (server, service):
        server.speech_format = speech_format
        await law(text_to_speech(service))


async def test_what_is_heard_is_what_was_sent_whatever_the_cut() -> None:
    async with serving() as (server, service):
        for piece in (1, 2, 3, 999, 100_000):
            server.piece = piece
            server.seconds_per_character = 0.001 if piece < 10 else 0.03
            spoken = await laws.speak(text_to_speech(service), ("Hello there.",), SynthesisOptions())
            heard = b"".join(audio.chunk.pcm for audio in spoken)
            assert heard == tone_pcm(24_000, 0, round(12 * server.seconds_per_character * 24_000))


async def test_requests_are_in_order_and_one_ahead() -> None:
    async with serving() as (server, service):
        utterance = text_to_speech(service).open(SynthesisOptions(voice="bert", speed=1.5))
        texts = [f"Piece number {number}. " for number in range(5)]
        for text in texts:
            utterance.send(text)
        utterance.finish()
        reached = []
        async for audio in utterance:
            reached.append(audio.text_end)
            heard = sum(end <= audio.text_start for end in range(16, 16 * 6, 16))
            assert len(server.seen) <= heard + 3, "not more than the next piece is asked for ahead"
        assert [seen.json["input"] for seen in server.seen] == texts
        assert {(seen.json["voice"], seen.json["speed"], seen.json["response_format"]) for seen in server.seen} == {
            ("bert", 1.5, "pcm")
        }
        assert reached[-1] == sum(map(len, texts)) and reached == sorted(reached)


async def test_the_next_piece_is_asked_for_while_the_first_still_comes() -> None:
    async with serving(Trouble("hang_later", after=5), first=30, between=30) as (server, service):
        utterance = text_to_speech(service).open(SynthesisOptions())
        utterance.send("One. ")
        utterance.send("Two. ")
        utterance.send("Three. ")
        await anext(aiter(utterance))
        async with asyncio.timeout(10):
            assert (await server.until_asked(2)).json["input"] == "Two. "
        await laws.settled()
        assert len(server.seen) == 2
        utterance.cancel()
        async with asyncio.timeout(10):
            await server.seen[0].left.wait()


async def test_another_rate_of_the_service() -> None:
    async with serving() as (server, service):
        server.rate = 16_000
        spoken = await laws.speak(text_to_speech(service, rate=16_000), ("Hello there.",), SynthesisOptions(rate=48_000))
        assert sum(audio.chunk.samples for audio in spoken) == round(12 * 0.03 * 48_000)


@pytest.mark.parametrize("kind", ["hang", "status", "reset", "drop", "hang_later", "truncated", "reset_later", "wrong_type"])
async def test_trouble_with_the_second_piece(kind: Any) -> None:
    async with serving(None, Trouble(kind, after=1), first=0.2, between=0.2) as (server, service):
        server.troubles.append(Trouble(kind, after=1) if kind in ("reset", "drop") else None)  # these are tried once more
        utterance = text_to_speech(service).open(SynthesisOptions())
        utterance.send("Hello there. ")
        utterance.send("And more.")
        utterance.finish()
        reached = 0
        with pytest.raises(ProviderFailed):
            async for audio in utterance:
                reached = audio.text_end
        assert reached >= 13, "the first piece was heard whole"
        utterance.cancel()


async def test_bounds() -> None:
    async with serving(Trouble("hang"), Trouble("hang"), first=30) as (_, service):
        port = text_to_speech(service)
        with pytest.raises(InvalidAudio):
            port.open(SynthesisOptions(rate=1))
        utterance = port.open(SynthesisOptions())
        with pytest.raises(InvalidText):
            utterance.send("\ud800")
        utterance.send("a" * 99_999)
        with pytest.raises(Overloaded):
            utterance.send("aa")
        utterance.finish()
        with pytest.raises(ProtocolViolation):
            utterance.send("a")
        utterance.cancel()
        utterance.send("a")


PCM = tone_pcm(16_000, 0, 200)


@given(st.lists(st.integers(0, 500), max_size=8), st.booleans())
def test_bytes_cut_anywhere(places: list[int], as_wav: bool) -> None:
    data = wav.write(PCM, AudioFormat(16_000)) if as_wav else PCM
    bounds = sorted({0, len(data), *(min(place, len(data)) for place in places)})
    reader = SpeechBytes("test", 16_000, 16_000)
    heard = b"".join(reader.feed(data[a:b]) for a, b in itertools.pairwise(bounds)) + reader.finish()
    assert heard == PCM


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"ID3\x04" + bytes(50), "compressed"),
        (b'{"error": "x"}', "compressed"),
        (b"RIFF" + bytes(8) + b"LIST\xff\xff\xff\x00" + bytes(70_000), "without samples"),
        (b"RIFF" + bytes(8) + b"data" + bytes(4), "without a format"),
        (wav.header(AudioFormat(24_000, 2)) + bytes(8), "2 channels"),
    ],
)
def test_what_is_no_speech(data: bytes, text: str) -> None:
    with pytest.raises(ProviderFailed, match=text):
        SpeechBytes("test", 24_000, 24_000).feed(data)
