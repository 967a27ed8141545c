"""A text becomes speech, on virtual time."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivavoce.contracts.errors import EngineFailed, InvalidText, Overloaded, ProtocolViolation
from vivavoce.contracts.speech import SpokenAudio, SynthesisOptions
from vivavoce.sessions.speech import AHEAD, Speech, SpeechLimits
from vivavoce.testing.speaking import ScriptedTextToSpeech
from vivavoce.testing.virtual_time import VirtualTimeLoop

SENTENCE = "The ferry leaves at half past seven and comes back at noon. "
LONG = SENTENCE * 400


def open_speech(voice: ScriptedTextToSpeech, **limits: int) -> Speech:
    return Speech(voice, SynthesisOptions(), SpeechLimits(**limits))


async def said(speech: Speech) -> list[SpokenAudio]:
    async with asyncio.timeout(36_000):
        return [audio async for audio in speech]


def seconds(spoken: list[SpokenAudio]) -> float:
    return sum(audio.chunk.samples for audio in spoken) / 24_000


async def test_the_whole_text_is_said_in_order() -> None:
    speech = open_speech(ScriptedTextToSpeech(seconds_per_character=0.01))
    speech.append(SENTENCE * 3)
    speech.end()
    spoken = await said(speech)
    assert seconds(spoken) == pytest.approx(len(SENTENCE) * 3 * 0.01, rel=0.05)
    offset = 0
    for audio in spoken:
        assert audio.chunk.offset == offset
        offset = audio.chunk.end


async def test_the_first_audio_does_not_wait_for_the_length_of_the_text() -> None:
    first = []
    for text in (SENTENCE, LONG):
        speech = open_speech(ScriptedTextToSpeech())
        began = asyncio.get_running_loop().time()
        speech.append(text)
        speech.end()
        await anext(aiter(speech))
        first.append(asyncio.get_running_loop().time() - began)
        speech.cancel()
    assert first[0] == pytest.approx(first[1])


async def test_the_voice_is_given_a_bounded_lead() -> None:
    """A listener who walks away has not made the voice read the whole book."""
    voice = ScriptedTextToSpeech()
    speech = open_speech(voice)
    speech.append(LONG)
    speech.end()
    await anext(aiter(speech))
    assert speech.waiting > len(LONG) - AHEAD - 2_000
    speech.cancel()


async def test_text_that_is_still_being_written_is_said_meanwhile() -> None:
    speech = open_speech(ScriptedTextToSpeech())
    speech.append("First this sentence. And then ")
    reading = aiter(speech)
    async with asyncio.timeout(5):
        await anext(reading)
    speech.append("this one.")
    speech.end()
    rest = [audio async for audio in reading]
    assert rest
    assert not speech.waiting


async def test_flush_says_half_a_sentence() -> None:
    speech = open_speech(ScriptedTextToSpeech(seconds_per_character=0.01))
    speech.append("Well")
    speech.flush()
    async with asyncio.timeout(5):
        await anext(aiter(speech))
    speech.cancel()


async def test_ahead_of_the_voice_the_writer_is_told_and_can_wait() -> None:
    speech = open_speech(ScriptedTextToSpeech(seconds_per_character=0.01), max_waiting=2_000)
    speech.append(SENTENCE * 40)
    with pytest.raises(Overloaded) as told:
        speech.append(SENTENCE * 20)
    assert told.value.retry_after
    reading = asyncio.get_running_loop().create_task(said(speech))
    async with asyncio.timeout(600):
        await speech.room()
    speech.append(SENTENCE)
    speech.end()
    assert seconds(await reading) == pytest.approx(41 * len(SENTENCE) * 0.01, rel=0.05)


async def test_a_text_has_a_longest_length_however_it_comes() -> None:
    speech = open_speech(ScriptedTextToSpeech(), max_text=100)
    speech.append("a" * 90)
    with pytest.raises(InvalidText):
        speech.append("b" * 11)
    speech.append("c" * 10)
    speech.cancel()


async def test_what_has_no_sound_ends_without_audio() -> None:
    for text in ("", "   \n ", "🙂🙂 *** —"):
        speech = open_speech(ScriptedTextToSpeech())
        speech.append(text)
        speech.end()
        assert await said(speech) == []
        assert not speech.speakable


async def test_after_the_end_nothing_is_taken() -> None:
    speech = open_speech(ScriptedTextToSpeech())
    speech.append("Done.")
    speech.end()
    speech.end()
    with pytest.raises(ProtocolViolation):
        speech.append("More.")
    speech.cancel()


async def test_cancel_ends_a_waiting_reader_and_writer() -> None:
    speech = open_speech(ScriptedTextToSpeech(), max_waiting=100)
    speech.append(LONG)
    reading = asyncio.get_running_loop().create_task(said(speech))
    writing = asyncio.get_running_loop().create_task(speech.room())
    await asyncio.sleep(0.5)
    speech.cancel()
    speech.cancel()
    await asyncio.wait([reading, writing], timeout=5)
    assert reading.done()
    assert writing.done()
    speech.append("ignored")
    speech.end()


async def test_a_failure_of_the_voice_reaches_the_reader() -> None:
    voice = ScriptedTextToSpeech()
    voice.fail_after = 0.2
    voice.fail = EngineFailed("broken")
    speech = open_speech(voice)
    speech.append(LONG)
    speech.end()
    with pytest.raises(EngineFailed):
        await said(speech)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(alphabet="ab .,\n🙂é!", max_size=40), max_size=20))
def test_any_way_of_appending_says_the_same(pieces: list[str]) -> None:
    async def length(texts: list[str]) -> float:
        speech = open_speech(ScriptedTextToSpeech(seconds_per_character=0.01))
        for text in texts:
            speech.append(text)
        speech.end()
        return seconds(await said(speech))

    loop = VirtualTimeLoop()
    try:
        assert loop.run_until_complete(length(pieces)) == loop.run_until_complete(length(["".join(pieces)]))
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
