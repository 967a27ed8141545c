"""Flow control, fairness, cancelling, loading on demand, unloading and recycling."""

from __future__ import annotations

import asyncio
import signal

import pytest

from tests.laws.laws import chunks, settled, silence, tone
from tests.unit.workers import pools
from tests.unit.workers.pools import group, hear, only, pid_of, running, say, until
from vivavoce.contracts.audio import AudioChunk, AudioFormat
from vivavoce.contracts.errors import (
    ConfigurationError,
    InvalidAudio,
    InvalidText,
    Overloaded,
    ProtocolViolation,
)
from vivavoce.contracts.speech import (
    LanguageOptions,
    Message,
    SpeechProbability,
    SynthesisOptions,
    TranscriptionOptions,
)
from vivavoce.flow.clock import SystemClock
from vivavoce.workers.options import EngineOptions
from vivavoce.workers.pool import WorkerPool

pytestmark = [pytest.mark.process, pytest.mark.real_time]


async def test_eight_jobs_interleave_on_one_process() -> None:
    """While all eight are under way each has yielded something: nobody waits for another's end."""
    async with running() as pool:
        utterances = [pool.text_to_speech("test/tone").open(SynthesisOptions()) for _ in range(8)]
        for utterance in utterances:
            utterance.send("long")
            utterance.finish()
        async with asyncio.timeout(20):
            await asyncio.gather(*(anext(aiter(utterance)) for utterance in utterances))
        assert only(pool).jobs == 8
        for utterance in utterances:
            utterance.cancel()


async def test_a_long_job_does_not_hold_up_a_short_one() -> None:
    async with running() as pool:
        long = pool.language_model("test/agent").stream([Message("user", "endless")], (), LanguageOptions())
        await anext(long)
        heard = await hear(pool, chunks(tone(1.0), 320))
        assert heard[-1].text == "h" * 10
        await long.aclose()  # type: ignore[attr-defined]


async def test_cancel_frees_the_engine_within_a_step() -> None:
    """The one place is free again although most of the text was not spoken."""
    async with running(group(max_jobs=1)) as pool:
        first = pool.text_to_speech("test/tone").open(SynthesisOptions())
        first.send("hello " + "slow " * 400)  # twenty seconds of work
        await anext(aiter(first))
        first.cancel()
        async with asyncio.timeout(5):
            assert await say(pool, "hello")
        assert only(pool).jobs == 0


async def test_a_slow_reader_holds_the_engine_back() -> None:
    """Nothing beyond the window leaves the worker, and nothing is lost."""
    async with running() as pool:
        utterance = pool.text_to_speech("test/tone").open(SynthesisOptions(rate=22_050))
        utterance.send("long long long")  # half a minute of audio
        utterance.finish()
        await settled()
        await until(lambda: len(utterance._audio) > 20)  # type: ignore[attr-defined]
        await settled()
        assert sum(len(item.chunk.pcm) for item in utterance._audio._items) <= 2 * 22_050  # type: ignore[attr-defined]
        samples = 0
        async for audio in utterance:
            samples += audio.chunk.samples
        assert samples == 22_050 * 30


async def test_unread_deltas_are_bounded() -> None:
    async with running() as pool:
        answer = pool.language_model("test/agent").stream([Message("user", "endless")], (), LanguageOptions())
        await until(lambda: len(answer._deltas) == 64)  # type: ignore[attr-defined]
        await settled()
        assert len(answer._deltas) == 64  # type: ignore[attr-defined]
        for _ in range(200):
            await anext(answer)
        await answer.aclose()  # type: ignore[attr-defined]


async def test_audio_nobody_reads_is_bounded_and_drain_waits() -> None:
    async with running() as pool:
        utterance = pool.speech_to_text("test/echo").open(TranscriptionOptions(vocabulary=("slow",)))
        second = silence(1.0)
        with pytest.raises(Overloaded, match="behind"):
            for number in range(100):
                utterance.send(AudioChunk(second, AudioFormat(16_000), number * 16_000))
        draining = asyncio.gather(utterance.drain())
        await settled()
        assert not draining.done()
        utterance.cancel()
        await draining


async def test_a_full_queue_refuses_and_first_come_is_first_served() -> None:
    async with running(group(max_jobs=1, max_waiting=2)) as pool:
        port = pool.speech_to_text("test/echo")
        first, second, third = (port.open(TranscriptionOptions()) for _ in range(3))
        with pytest.raises(Overloaded, match="2 jobs wait"):
            port.open(TranscriptionOptions())
        assert only(pool).waiting == 2
        second.cancel()  # one that waits makes room, too
        fourth = port.open(TranscriptionOptions())
        order: list[str] = []

        async def follow(name: str, utterance: object) -> None:
            async for _ in utterance:  # type: ignore[attr-defined]
                order.append(name)

        following = asyncio.gather(follow("third", third), follow("fourth", fourth), follow("first", first))
        for utterance in (fourth, third, first):
            utterance.finish()
        await following
        assert order == ["first", "third", "fourth"]


async def test_work_goes_to_the_process_with_least_of_it() -> None:
    async with running(group(processes=2)) as pool:
        open_ = [pool.speech_to_text("test/echo").open(TranscriptionOptions()) for _ in range(6)]
        assert [line.jobs for line in pool.status()] == [3, 3]
        for utterance in open_:
            utterance.cancel()


async def test_engines_load_with_the_first_job_and_unload_when_idle() -> None:
    async with running(group(prewarm=False, idle_unload=0.15)) as pool:
        port = pool.text_to_speech("test/tone")
        assert only(pool).state == "empty"
        assert (port.capabilities.name, port.capabilities.voices) == ("test/tone", ())
        assert await say(pool, "hello")
        assert port.capabilities.voices
        before = pid_of(pool)
        await until(lambda: only(pool).state == "empty")
        await until(lambda: not pools.alive(before))
        assert port.capabilities.voices, "what it told last is remembered"
        assert (await pool.describe("stt", "test/echo")).languages == ("en",)
        assert await say(pool, "hello")
        assert only(pool).restarts == 0


async def test_a_stream_keeps_its_process_loaded() -> None:
    async with running(group(idle_unload=0.1)) as pool:
        found: list[SpeechProbability] = []
        stream = pool.voice_activity("test/energy").open(found.append, lambda error: None)
        await asyncio.sleep(0.3)
        assert only(pool).state == "ready"
        stream.close()
        await until(lambda: only(pool).state == "empty")


async def test_a_process_that_grew_is_replaced_behind_its_jobs() -> None:
    async with running(group(heartbeat=0.1, max_memory=80)) as pool:
        before = pid_of(pool)
        utterance = pool.text_to_speech("test/tone").open(SynthesisOptions())
        utterance.send("leak hello")
        await anext(aiter(utterance))
        await until(lambda: len(pool.status()) == 2)
        old = next(line for line in pool.status() if line.state == "retiring")
        assert old.pid == before
        assert old.jobs == 1
        assert await say(pool, "hello"), "new jobs run on the fresh process"
        utterance.send("hello")
        utterance.finish()
        assert [audio async for audio in utterance], "the old one finishes what it has"
        await until(lambda: not pools.alive(before))
        assert only(pool).restarts == 0


async def test_what_makes_no_sense_is_refused_before_it_travels() -> None:
    async with running() as pool:
        hearing = pool.speech_to_text("test/echo").open(TranscriptionOptions())
        with pytest.raises(InvalidAudio):
            hearing.send(AudioChunk(b"\0\0\0", AudioFormat(16_000), 0))
        with pytest.raises(InvalidAudio):
            hearing.send(AudioChunk(bytes(4), AudioFormat(48_000), 0))
        hearing.finish()
        with pytest.raises(ProtocolViolation):
            hearing.send(AudioChunk(bytes(4), AudioFormat(16_000), 0))
        hearing.cancel()
        with pytest.raises(InvalidAudio):
            pool.text_to_speech("test/tone").open(SynthesisOptions(rate=7))
        speaking = pool.text_to_speech("test/tone").open(SynthesisOptions())
        with pytest.raises(InvalidText):
            speaking.send("half a pair \ud800")
        with pytest.raises(Overloaded):
            speaking.send("x" * 100_001)
        speaking.cancel()
        detector = pool.voice_activity("test/energy")
        stream = detector.open(lambda result: None, lambda error: None)
        with pytest.raises(InvalidAudio):
            stream.send(AudioChunk(b"\0", AudioFormat(16_000), 0))
        stream.close()
        with pytest.raises(InvalidAudio):
            await pool.turn_detector("test/turn").score(b"\0")
        with pytest.raises(ProtocolViolation, match="1048576 bytes"):
            pool.language_model("test/agent").stream([Message("user", "x" * (1 << 20))], (), LanguageOptions())
        with pytest.raises(ConfigurationError):
            WorkerPool([group(), group()], SystemClock())
        with pytest.raises(ConfigurationError):
            WorkerPool([group(EngineOptions("vad", "silero"), EngineOptions("vad", "pysilero"))], SystemClock())


async def test_voice_activity_finds_its_frames_behind_a_gap() -> None:
    async with running() as pool:
        found: list[SpeechProbability] = []
        stream = pool.voice_activity("test/energy").open(found.append, lambda error: None)
        stream.send(chunks(tone(0.05), 800)[0])  # one frame and a rest, which the gap makes void
        stream.send(chunks(tone(0.064), 1_024, start=5_000)[0])
        await until(lambda: len(found) == 3)
        assert [result.end for result in found] == [512, 5_512, 6_024]
        stream.close()


async def test_a_stream_that_floods_does_not_hold_up_the_others() -> None:
    """A minute at once is judged one frame a batch, in between everybody else's."""
    async with running() as pool:
        order: list[str] = []
        detector = pool.voice_activity("test/energy")
        flood = detector.open(lambda result: order.append("flood"), lambda error: None)
        live = detector.open(lambda result: order.append("live"), lambda error: None)
        flood.send(chunks(silence(30.0), 480_000)[0])
        live.send(chunks(silence(0.064), 1_024)[0])
        await until(lambda: order.count("live") == 2)
        assert order.count("flood") <= 500
        await until(lambda: order.count("flood") == 937)
        flood.close()
        live.close()


async def test_a_stream_too_far_behind_is_given_up() -> None:
    async with running() as pool:
        errors: list[Exception] = []
        stream = pool.voice_activity("test/energy").open(lambda result: None, errors.append)
        pools.signal(pid_of(pool), signal.SIGSTOP)
        for second in range(62):
            stream.send(chunks(silence(1.0), 16_000, start=16_000 * second)[0])
        await until(lambda: errors)
        assert [type(error) for error in errors] == [Overloaded]
        pools.signal(pid_of(pool), signal.SIGCONT)


async def test_too_many_streams_are_refused() -> None:
    async with running(group(max_streams=2)) as pool:
        detector = pool.voice_activity("test/energy")
        streams = [detector.open(lambda result: None, lambda error: None) for _ in range(2)]
        with pytest.raises(Overloaded, match="2 streams"):
            detector.open(lambda result: None, lambda error: None)
        streams.pop().close()
        streams.append(detector.open(lambda result: None, lambda error: None))
        for stream in streams:
            stream.close()


async def test_everything_of_a_tick_goes_out_in_one_write() -> None:
    async with running() as pool:
        found: list[SpeechProbability] = []
        detector = pool.voice_activity("test/energy")
        streams = [detector.open(found.append, lambda error: None) for _ in range(30)]
        utterances = [pool.speech_to_text("test/echo").open(TranscriptionOptions()) for _ in range(10)]
        await until(lambda: only(pool).streams == 30)
        await settled()
        (group_,) = pool._groups
        (process,) = group_._fleet.ready()
        assert process._link is not None
        before = process._link.writes
        for chunk in chunks(tone(0.064), 1):
            for stream in streams[:3]:
                stream.send(chunk)
        for stream in streams:
            stream.send(chunks(tone(0.064), 1_024, start=1_024)[0])
        for utterance in utterances:
            for chunk in chunks(tone(0.064), 16):
                utterance.send(chunk)
        await until(lambda: len(found) == 3 * 2 + 30 * 2)
        assert process._link.writes == before + 1
        for stream in streams:
            stream.close()
        for utterance in utterances:
            utterance.cancel()


async def test_cancelling_start_leaves_nothing_behind() -> None:
    slow = EngineOptions("tts", "test/tone", {"load_seconds": 60})
    pool = WorkerPool([group(slow)], SystemClock())
    starting = asyncio.get_running_loop().create_task(pool.start())
    await asyncio.sleep(0)  # the process is being forked
    starting.cancel()
    await asyncio.wait([starting])
    await pool.close()
    assert only(pool).pid is None
