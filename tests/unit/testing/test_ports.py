"""What the scripts promise beyond the laws: latencies, proportions, injected failures, books."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.flow.virtual import run, settle
from vivavoce.contracts.audio import HEARING, AudioChunk, AudioFormat
from vivavoce.contracts.errors import (
    ConfigurationError,
    InvalidAudio,
    Overloaded,
    ProtocolViolation,
    ProviderFailed,
    UnknownName,
    WorkerLost,
)
from vivavoce.contracts.ports import Transcription
from vivavoce.contracts.speech import (
    Delta,
    LanguageOptions,
    Message,
    SpeechProbability,
    SynthesisOptions,
    ToolCall,
    Transcript,
    TranscriptionOptions,
)
from vivavoce.flow.clock import SystemClock
from vivavoce.testing.ports import (
    EnergyVoiceActivityDetector,
    ScriptedLanguageModel,
    ScriptedSpeechToText,
    ScriptedTextToSpeech,
    ScriptedTurnDetector,
    open_port,
    tone_pcm,
)
from vivavoce.testing.speech import silence, speech_like, tone

CLOCK = SystemClock()
USER = Message("user", "Hello.")


def hear(utterance: Transcription, pcm: bytes, samples: int = 320) -> None:
    for start in range(0, len(pcm), 2 * samples):
        utterance.send(AudioChunk(pcm[start : start + 2 * samples], HEARING, start // 2))


async def collect(stream: AsyncIterator[Any]) -> list[tuple[float, Any]]:
    begin = CLOCK.now()
    return [(round(CLOCK.now() - begin, 6), item) async for item in stream]


async def transcripts(port: ScriptedSpeechToText, pcm: bytes) -> list[Transcript]:
    utterance = port.open(TranscriptionOptions())
    hear(utterance, pcm)
    utterance.finish()
    return [transcript async for transcript in utterance]


async def test_words_appear_with_voice_and_never_with_silence() -> None:
    port = ScriptedSpeechToText("one two three four")
    spoken = await transcripts(port, tone(0.7) + silence(5))
    assert [transcript.text for transcript in spoken] == ["one", "one two", "one two three four"]
    padded = await transcripts(port, silence(2) + tone(0.35) + silence(3) + tone(0.35))
    assert [transcript.text for transcript in padded] == [transcript.text for transcript in spoken]


async def test_texts_follow_each_other_and_start_over() -> None:
    port = ScriptedSpeechToText(["one", "two"])
    assert [(await transcripts(port, tone(0.1)))[-1].text for _ in range(3)] == ["one", "two", "one"]
    assert (await transcripts(ScriptedSpeechToText(lambda pcm: f"{len(pcm)}"), tone(0.1)))[-1].text == "3200"


async def test_the_final_comes_after_its_latency_and_not_before_finish() -> None:
    utterance = ScriptedSpeechToText("yes", final_latency=0.3).open(TranscriptionOptions(partials=False))
    hear(utterance, tone(0.5))
    reading = asyncio.get_running_loop().create_task(collect(aiter(utterance)))
    await CLOCK.sleep(5)
    assert not reading.done()
    utterance.finish()
    assert [(at, transcript.text) for at, transcript in await reading] == [(5.3, "yes")]


@pytest.mark.parametrize("where", ["open", "audio", "final"])
async def test_hearing_fails_where_it_is_told_and_recovers(where: Any) -> None:
    port = ScriptedSpeechToText("yes", fail=WorkerLost("gone"))
    port.fail_at = where
    with pytest.raises(WorkerLost):
        await transcripts(port, tone(0.2))
    port.fail = None
    assert (await transcripts(port, tone(0.2)))[-1].text == "yes"
    assert port.tally.live == 0
    assert port.tally.failed == (where != "open")


async def test_hearing_refuses_what_a_real_port_would() -> None:
    port = ScriptedSpeechToText()
    port.max_utterance = 1.0
    utterance = port.open(TranscriptionOptions())
    with pytest.raises(InvalidAudio):
        utterance.send(AudioChunk(b"\0\0", AudioFormat(8_000), 0))
    with pytest.raises(InvalidAudio):
        utterance.send(AudioChunk(b"\0", HEARING, 0))
    with pytest.raises(Overloaded):
        hear(utterance, tone(1.5))
    utterance.finish()
    with pytest.raises(ProtocolViolation):
        utterance.send(AudioChunk(b"\0\0", HEARING, 0))
    utterance.cancel()
    utterance.send(AudioChunk(b"\0\0", HEARING, 0))


TEXT = st.text(st.sampled_from("ab c.d \n"), max_size=40)


@settings(max_examples=150, deadline=None)
@given(st.lists(TEXT, max_size=5), st.sampled_from([8_000, 16_000, 22_050, 24_000]), st.booleans(), st.floats(0.25, 4))
def test_audio_is_in_proportion_to_text_and_checkable(pieces: list[str], rate: int, exact: bool, speed: float) -> None:
    async def play() -> None:
        port = ScriptedTextToSpeech()
        port.exact = exact
        utterance = port.open(SynthesisOptions(rate=rate, speed=speed))
        for piece in pieces:
            utterance.send(piece)
        utterance.finish()
        spoken = [audio async for audio in utterance]
        pcm = b"".join(audio.chunk.pcm for audio in spoken)
        said = sum(len(piece.rstrip()) for piece in pieces)
        assert abs(len(pcm) / 2 / rate - said * 0.06 / speed) <= len(pieces) / rate
        assert pcm == tone_pcm(rate, 0, len(pcm) // 2)
        whole = "".join(pieces)
        for audio in spoken:
            assert 0 < audio.chunk.samples <= round(0.04 * rate)
            assert audio.exact is exact
            if exact:
                assert len(whole[audio.text_start : audio.text_end].split()) == 1
        assert port.texts == [whole]
        assert port.tally.finished == 1

    run(play())


async def test_speech_is_ready_when_it_was_promised() -> None:
    port = ScriptedTextToSpeech(first_latency=0.1, rtf=0.5)
    utterance = port.open(SynthesisOptions(rate=16_000))
    utterance.send("ab")
    utterance.finish()
    assert [at for at, _ in await collect(aiter(utterance))] == [0.1, 0.12, 0.14]
    utterance = port.open(SynthesisOptions(rate=16_000))
    utterance.send("ab")
    utterance.send("a")
    utterance.finish()
    assert [at for at, _ in await collect(aiter(utterance))] == [0.1, 0.12, 0.14, 0.16, 0.18], (
        "one mouth, one piece at a time"
    )


async def test_speaking_fails_stalls_and_keeps_silent_as_told() -> None:
    port = ScriptedTextToSpeech()

    async def speak() -> float:
        utterance, seconds = port.open(SynthesisOptions()), 0.0
        utterance.send("a sentence of some length")
        utterance.finish()
        try:
            async with asyncio.timeout(60):
                async for audio in utterance:
                    seconds = audio.chunk.end / audio.chunk.format.rate
        finally:
            utterance.cancel()
            failed.append(seconds)
        return seconds

    failed: list[float] = []
    whole = await speak()
    port.silent = True
    assert await speak() == 0.0
    port.silent, port.stall = False, 0.4
    with pytest.raises(TimeoutError):
        await speak()
    assert 0.4 <= failed[-1] < 0.44
    port.stall, port.fail, port.fail_after = None, ProviderFailed("down"), 0.5
    with pytest.raises(ProviderFailed):
        await speak()
    assert 0.5 <= failed[-1] < 0.54
    port.fail = None
    assert await speak() == whole
    assert (port.tally.finished, port.tally.cancelled, port.tally.failed) == (3, 1, 1)


async def test_speaking_refuses_unknown_voices_late_text_and_floods() -> None:
    port = ScriptedTextToSpeech()
    with pytest.raises(UnknownName):
        port.open(SynthesisOptions(voice="nobody"))
    utterance = port.open(SynthesisOptions(voice="low"))
    with pytest.raises(Overloaded):
        for _ in range(1_000):
            utterance.send("a")
    utterance.finish()
    with pytest.raises(ProtocolViolation):
        utterance.send("late")
    utterance.cancel()
    utterance.send("too late to matter")


async def test_tokens_come_at_their_pace_and_make_up_the_reply() -> None:
    port = ScriptedLanguageModel("  Well, hello there! ", first_token_latency=0.2, tokens_per_second=10)
    answer = await collect(port.stream([USER], (), LanguageOptions()))
    assert [at for at, _ in answer] == [0.2, 0.3, 0.4, 0.5]
    assert "".join(delta.text for _, delta in answer) == "  Well, hello there! "
    assert port.requests == [(USER,)]
    short = await collect(port.stream([USER], (), LanguageOptions(max_tokens=2)))
    assert len(short) == 2


async def test_tool_calls_are_streamed_as_scripted() -> None:
    call = Delta(tool_call=ToolCall("1", "clock", {"zone": "UTC"}))
    port = ScriptedLanguageModel(lambda messages: [call] if messages[-1].role == "user" else "It is noon.")
    assert [delta async for delta in port.stream([USER], (), LanguageOptions())] == [call]
    after = port.stream([USER, Message("tool", "12:00")], (), LanguageOptions())
    assert "".join([delta.text async for delta in after]) == "It is noon."


async def test_a_model_fails_and_stalls_as_told_and_can_be_closed_while_it_is_waited_for() -> None:
    port = ScriptedLanguageModel("one two three", fail=ProviderFailed("down"))
    port.fail_after = 2
    seen: list[Delta] = []
    with pytest.raises(ProviderFailed):
        async for delta in port.stream([USER], (), LanguageOptions()):
            seen.append(delta)
    assert len(seen) == 2
    port.fail, port.stall_after = None, 1
    stream: Any = port.stream([USER], (), LanguageOptions())
    reading = asyncio.get_running_loop().create_task(collect(stream))
    await CLOCK.sleep(100)
    assert not reading.done()
    await stream.aclose()
    assert len(await reading) == 1
    assert (port.tally.failed, port.tally.cancelled, port.tally.live) == (1, 1, 0)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 1_500), max_size=12), st.integers(0, 10**9))
def test_voice_activity_frames_are_whole_and_in_place(sizes: list[int], start: int) -> None:
    async def play() -> None:
        results: list[SpeechProbability] = []
        stream = EnergyVoiceActivityDetector().open(results.append, lambda error: None)
        offset = start
        for size in sizes:
            stream.send(AudioChunk(tone(size / 16_000), HEARING, offset))
            offset += size
        assert [result.end for result in results] == [start + 512 * (i + 1) for i in range(sum(sizes) // 512)]
        stream.close()

    run(play())


async def test_voice_activity_tells_speech_from_silence_and_starts_anew_behind_a_gap() -> None:
    results: list[SpeechProbability] = []
    stream = EnergyVoiceActivityDetector().open(results.append, lambda error: None)
    stream.send(AudioChunk(speech_like(0.512) + silence(0.512), HEARING, 0))
    assert [result.probability > 0.5 for result in results] == [True] * 16 + [False] * 16
    stream.send(AudioChunk(tone(0.03), HEARING, 16_384))
    stream.send(AudioChunk(silence(0.04), HEARING, 90_000))
    assert [(result.end, result.probability > 0.5) for result in results[32:]] == [(90_512, False)]
    stream.close()


async def test_a_lost_detector_says_so_once() -> None:
    errors: list[Exception] = []
    port = EnergyVoiceActivityDetector(fail=WorkerLost("gone"), fail_after=3)
    stream = port.open(lambda result: None, errors.append)
    stream.send(AudioChunk(silence(1), HEARING, 0))
    stream.send(AudioChunk(silence(1), HEARING, 16_000))
    stream.close()
    assert [type(error) for error in errors] == [WorkerLost]
    assert (port.frames, port.tally.failed, port.tally.live) == (3, 1, 0)


async def test_turns_are_scored_within_their_bounds() -> None:
    port = ScriptedTurnDetector(lambda pcm: len(pcm) / 1_000, latency=0.5)
    begin = CLOCK.now()
    assert (await port.score(bytes(500))).probability == 0.5
    assert CLOCK.now() - begin == 0.5
    for wrong in (bytes(3), silence(8.1)):
        with pytest.raises(InvalidAudio):
            await port.score(wrong)
    port.fail = WorkerLost("gone")
    with pytest.raises(WorkerLost):
        await port.score(b"")
    await settle()
    assert port.tally.live == 0


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        ("stt", {"final_latency": -1}),
        ("stt", {"final_latency": True}),
        ("stt", {"texts": []}),
        ("stt", {"texts": [1]}),
        ("stt", {"fail": "no_such_code"}),
        ("stt", {"clock": 1}),
        ("llm", {"tokens_per_second": 0}),
        ("tts", {"tone": "yes"}),
        ("vad", {"threshold_dbfs": "loud"}),
        ("turn", {"score": 1.5}),
    ],
)
def test_wrong_settings_are_refused(kind: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        open_port(kind, "fake", wrong)


async def test_settings_reach_the_port() -> None:
    port: Any = open_port("stt", "mine", {"texts": "only this", "final_latency": 2, "fail": "worker_lost"})
    assert (port.capabilities.name, port.final_latency, type(port.fail)) == ("mine", 2.0, WorkerLost)
    score: Any = open_port("turn", settings={"score": 0.25})
    assert (await score.score(b"")).probability == 0.25
    with pytest.raises(UnknownName):
        open_port("nose")
