"""What happens when workers are killed, hang, talk nonsense, are poisoned, or cannot load."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.laws.laws import chunks, tone
from tests.unit.workers import pools
from tests.unit.workers.pools import group, hear, only, pid_of, running, say, until
from vivavoce.contracts.errors import (
    DeadlineExceeded,
    DeviceLost,
    EngineFailed,
    EngineMissing,
    Unavailable,
    UnknownName,
    VivavoceError,
    WorkerLost,
)
from vivavoce.contracts.speech import SpeechProbability, SynthesisOptions, TranscriptionOptions
from vivavoce.workers.options import EngineOptions

pytestmark = [pytest.mark.process, pytest.mark.real_time]


async def test_killed_in_mid_utterance_and_mid_reply() -> None:
    """Both jobs fail with a retryable error, the other process's job goes on, and the next job runs on a new process."""
    async with running(group(processes=2)) as pool:
        hearing = pool.speech_to_text("test/echo").open(TranscriptionOptions())
        hearing.send(chunks(tone(0.2), 3_200)[0])
        await anext(aiter(hearing))
        other = pool.speech_to_text("test/echo").open(TranscriptionOptions())  # least outstanding work: the second process
        other.send(chunks(tone(0.2), 3_200)[0])
        await anext(aiter(other))
        assert [line.jobs for line in pool.status()] == [1, 1]
        speaking = pool.text_to_speech("test/tone").open(SynthesisOptions())
        speaking.send("long long")
        await anext(aiter(speaking))
        victim = next(line.pid for line in pool.status() if line.jobs == 2)
        assert victim is not None
        pools.signal(victim, signal.SIGKILL)
        for stream in (hearing, speaking):
            with pytest.raises(WorkerLost) as caught:
                async for _ in stream:  # type: ignore[attr-defined]
                    pass
            assert caught.value.retryable
        hearing.send(chunks(tone(0.2), 3_200)[0])  # late audio is ignored
        await hearing.drain()
        other.send(chunks(tone(0.2), 3_200, start=3_200)[0])
        other.finish()
        assert [reading async for reading in other][-1].final
        await until(lambda: [line.state for line in pool.status()] == ["ready", "ready"])
        assert {line.restarts for line in pool.status()} == {1}
        assert await say(pool, "hello")


async def test_a_killed_detector_tells_each_stream_once_and_the_next_one_works() -> None:
    async with running() as pool:
        errors: list[Exception] = []
        results: list[SpeechProbability] = []
        detector = pool.voice_activity("test/energy")
        first, second = detector.open(results.append, errors.append), detector.open(results.append, errors.append)
        first.send(chunks(tone(0.1), 1_600)[0])
        await until(lambda: results)
        pools.signal(pid_of(pool), signal.SIGKILL)
        await until(lambda: len(errors) == 2)
        assert all(isinstance(error, WorkerLost) for error in errors)
        first.send(chunks(tone(0.1), 1_600)[0])
        seen = len(results)
        third = detector.open(results.append, errors.append)  # waits for the new process; its audio is kept
        third.send(chunks(tone(0.1), 1_600)[0])
        await until(lambda: len(results) > seen)
        for stream in (first, second, third):
            stream.close()
        assert len(errors) == 2


async def test_an_engine_error_fails_only_its_job() -> None:
    async with running() as pool:
        good = asyncio.gather(*(say(pool, "one two three") for _ in range(3)))
        with pytest.raises(EngineFailed, match="asked to fail"):
            await say(pool, "one fail")
        with pytest.raises(UnknownName, match="no voice"):
            utterance = pool.text_to_speech("test/tone").open(SynthesisOptions(voice="nobody"))
            utterance.send("x")
            await anext(aiter(utterance))
        assert all(await good)
        assert only(pool).restarts == 0


async def test_a_process_whose_gpu_failed_is_replaced() -> None:
    """Who met the failure is told so, who was beside it is told once that it may try again; who waits does not notice."""
    async with running(group(max_jobs=2)) as pool:
        before = pid_of(pool)
        beside = pool.speech_to_text("test/echo").open(TranscriptionOptions())
        beside.send(chunks(tone(0.2), 3_200)[0])
        await anext(aiter(beside))
        met = pool.text_to_speech("test/tone").open(SynthesisOptions())
        waiting = asyncio.gather(say(pool, "hello"))
        await until(lambda: only(pool).waiting == 1)
        met.send("one gpu two")
        with pytest.raises(DeviceLost) as told:
            async for _ in met:
                pass
        with pytest.raises(WorkerLost, match="lost its device") as caught:
            async for _ in beside:
                pass
        assert told.value.retryable
        assert caught.value.retryable
        assert (await waiting)[0]
        assert pid_of(pool) != before
        assert only(pool).restarts == 1
        assert "the scripted GPU failed" in only(pool).last_error
        assert not pools.alive(before)


async def test_a_gpu_that_fails_again_and_again_is_left_alone_for_longer() -> None:
    async with running(group(poison_limit=2, restart_delay=0.2, prewarm=False)) as pool:
        for _ in range(2):
            with pytest.raises(DeviceLost):
                await say(pool, "gpu")
        with pytest.raises(Unavailable, match="2 times in a row") as refused:
            await say(pool, "hello")
        assert refused.value.retryable
        assert (refused.value.retry_after or 0) > 0.2, "the delay has doubled"
        assert only(pool).restarts == 2


async def test_a_detector_whose_gpu_failed_is_replaced() -> None:
    async with running() as pool:
        before = pid_of(pool)
        errors: list[Exception] = []
        results: list[SpeechProbability] = []
        detector = pool.voice_activity("test/energy")
        first, second = (detector.open(results.append, errors.append) for _ in range(2))
        second.send(chunks(tone(0.064), 1_024)[0])
        await until(lambda: len(results) == 2)
        first.send(chunks((31_339).to_bytes(2, "little") * 1_024, 1_024)[0])
        await until(lambda: len(errors) == 2)
        assert {type(error) for error in errors} == {DeviceLost, WorkerLost}
        await until(lambda: only(pool).state == "ready" and pid_of(pool) != before)
        for stream in (first, second):
            stream.close()
        assert await say(pool, "hello")


async def test_a_bad_voice_frame_fails_only_its_stream() -> None:
    async with running() as pool:
        errors: list[Exception] = []
        results: list[list[SpeechProbability]] = [[], [], []]
        detector = pool.voice_activity("test/energy")
        streams = [detector.open(found.append, errors.append) for found in results]
        bad = (31_338).to_bytes(2, "little") * 1_024
        for stream, pcm in zip(streams, (tone(0.064), bad, tone(0.064)), strict=True):
            stream.send(chunks(pcm, 1_024)[0])
        await until(lambda: errors and len(results[0]) == len(results[2]) == 2)
        assert [type(error) for error in errors] == [EngineFailed]
        assert not results[1]
        for stream in streams:
            stream.close()


async def test_a_listener_that_raises_loses_only_its_own_stream() -> None:
    async with running() as pool:
        errors: list[Exception] = []
        results: list[SpeechProbability] = []

        def stumble(result: SpeechProbability) -> None:
            raise RuntimeError("a bug of a session")

        detector = pool.voice_activity("test/energy")
        streams = [detector.open(stumble, errors.append), detector.open(results.append, errors.append)]
        for stream in streams:
            stream.send(chunks(tone(0.1), 1_600)[0])
        await until(lambda: errors and len(results) == 3)
        assert [error.code for error in errors if isinstance(error, VivavoceError)] == ["internal_error"]
        for stream in streams:
            stream.close()


async def test_a_hanging_engine_is_noticed_by_its_heartbeat() -> None:
    async with running(group(heartbeat=0.1)) as pool:
        before = pid_of(pool)
        with pytest.raises(WorkerLost, match="heartbeats"):
            await say(pool, "hang")
        assert await say(pool, "hello")
        assert pid_of(pool) != before


async def test_a_job_nobody_feeds_is_withdrawn_at_its_deadline() -> None:
    async with running(group(job_deadline=0.2)) as pool:
        waiting = pool.speech_to_text("test/echo").open(TranscriptionOptions())
        with pytest.raises(DeadlineExceeded):
            await anext(aiter(waiting))
        await until(lambda: only(pool).jobs == 0)
        assert only(pool).restarts == 0


async def test_input_and_reading_put_the_deadline_off() -> None:
    async with running(group(job_deadline=0.5)) as pool:
        hearing = pool.speech_to_text("test/echo").open(TranscriptionOptions())
        speaking = pool.text_to_speech("test/tone").open(SynthesisOptions())
        speaking.send("long")
        for number in range(8):
            hearing.send(chunks(tone(0.1), 1_600, start=1_600 * number)[0])
            await anext(aiter(speaking))
            await asyncio.sleep(0.1)
        hearing.finish()
        assert [reading async for reading in hearing][-1].final
        speaking.cancel()


async def test_a_process_that_does_not_yield_at_the_deadline_is_ended() -> None:
    async with running(group(heartbeat=1.0, job_deadline=0.5)) as pool:
        hanging = pool.text_to_speech("test/tone").open(SynthesisOptions())
        hanging.send("hang")
        with pytest.raises(DeadlineExceeded):
            await anext(aiter(hanging))
        await until(lambda: only(pool).restarts == 1)
        assert "deadline" in only(pool).last_error
        await until(lambda: only(pool).state == "ready")


async def test_garbage_on_the_socket_replaces_the_process() -> None:
    async with running() as pool:
        with pytest.raises(WorkerLost, match="no frame"):
            await say(pool, "garbage hello hello")
        assert await say(pool, "hello")
        assert only(pool).restarts == 1


async def test_what_an_engine_prints_goes_to_the_log(capfd: pytest.CaptureFixture[str]) -> None:
    async with running() as pool:
        assert await say(pool, "print hello")
    out, err = capfd.readouterr()
    assert "printed by an engine" in err
    assert out == ""


async def test_a_poisoned_job_does_not_loop_and_the_group_recovers() -> None:
    async with running(group(poison_limit=2, restart_delay=0.2, prewarm=False)) as pool:
        for _ in range(2):
            with pytest.raises(WorkerLost):
                await say(pool, "crash")
        with pytest.raises(Unavailable, match="2 times in a row") as caught:
            await say(pool, "hello")
        assert caught.value.retryable
        assert caught.value.retry_after
        assert only(pool).state == "failed"
        assert only(pool).pid is None, "nothing is restarted for nobody"
        await asyncio.sleep(caught.value.retry_after + 0.05)
        with pytest.raises(WorkerLost):
            await say(pool, "crash")  # the probe fails: refused again, for longer
        with pytest.raises(Unavailable) as again:
            await say(pool, "hello")
        assert (again.value.retry_after or 0) > caught.value.retry_after
        await asyncio.sleep((again.value.retry_after or 0) + 0.05)
        assert all(await asyncio.gather(say(pool, "hello"), say(pool, "hello")))
        assert only(pool).restarts == 3


async def test_jobs_that_wait_survive_the_crash_of_the_one_before() -> None:
    async with running(group(max_jobs=1)) as pool:
        first, second = await asyncio.gather(say(pool, "crash"), say(pool, "hello"), return_exceptions=True)
        assert isinstance(first, WorkerLost)
        assert isinstance(second, list)
        assert second


async def test_a_missing_engine_fails_its_jobs_only_and_is_not_tried_again_and_again() -> None:
    missing = EngineOptions("stt", "test/missing")
    async with running(group(EngineOptions("tts", "test/tone"), missing), group(missing, name="b", prewarm=False)) as pool:
        with pytest.raises(EngineMissing, match="test model is absent"):
            pool.speech_to_text("test/missing").open(TranscriptionOptions())
        assert "absent" in pool.status()[0].last_error
        assert await say(pool, "hello")
    async with running(group(missing)) as pool:
        assert only(pool).state == "failed"
        for _ in range(2):
            with pytest.raises(EngineMissing, match="test model is absent"):
                pool.speech_to_text("test/missing").open(TranscriptionOptions())
        assert only(pool).pid is None
        assert only(pool).restarts == 0
        with pytest.raises(EngineMissing):
            await pool.describe("stt", "test/missing")


async def test_an_engine_nobody_knows_is_an_error_of_its_own() -> None:
    async with running(group(EngineOptions("stt", "no_such_engine"))) as pool:
        with pytest.raises(UnknownName, match="no_such_engine"):
            pool.speech_to_text("no_such_engine").open(TranscriptionOptions())
        with pytest.raises(UnknownName, match="there is none"):
            pool.text_to_speech("test/tone")


async def test_a_process_that_dies_while_loading_is_tried_a_few_times() -> None:
    broken = EngineOptions("tts", "test/tone", {"crash_on_load": True})
    async with running(group(broken, poison_limit=2)) as pool:
        await until(lambda: only(pool).state == "failed")
        assert only(pool).restarts == 2


async def test_a_load_that_takes_too_long_is_ended() -> None:
    slow = EngineOptions("tts", "test/tone", {"load_seconds": 60})
    async with running(group(slow, load_deadline=0.3, poison_limit=1)) as pool:
        assert "did not load" in only(pool).last_error


async def test_close_while_loading() -> None:
    slow = EngineOptions("tts", "test/tone", {"load_seconds": 60})
    async with running(group(slow, prewarm=False)) as pool:
        speaking = pool.text_to_speech("test/tone").open(SynthesisOptions())
        speaking.send("hello")
        await until(lambda: only(pool).pid)
        pid = pid_of(pool)
        await pool.close(grace=1.0)
        assert not pools.alive(pid)
        with pytest.raises(Unavailable, match="being stopped"):
            await anext(aiter(speaking))
        with pytest.raises(Unavailable, match="stopped"):
            pool.text_to_speech("test/tone").open(SynthesisOptions())
        await pool.close()


async def test_close_gives_jobs_their_grace() -> None:
    async with running() as pool:
        speaking = asyncio.gather(say(pool, "slow slow slow hello"))
        await until(lambda: only(pool).jobs)
        await pool.close(grace=10.0)
        assert (await speaking)[0]
    async with running() as pool:
        hanging = asyncio.gather(hear(pool, chunks(tone(0.1), 1_600), "hang"), return_exceptions=True)
        await until(lambda: only(pool).jobs)
        await pool.close(grace=0.1)
        assert isinstance((await hanging)[0], WorkerLost)


PARENT = """
import asyncio
from vivavoce.flow.clock import SystemClock
from vivavoce.workers.options import EngineOptions, WorkerOptions
from vivavoce.workers.pool import WorkerPool
from vivavoce.contracts.speech import SynthesisOptions

async def main():
    speaker, agent = EngineOptions("tts", "test/tone"), EngineOptions("llm", "test/agent")
    pool = WorkerPool([WorkerOptions("a", (speaker,)), WorkerOptions("b", (agent,))], SystemClock())
    await pool.start()
    job = pool.text_to_speech("test/tone").open(SynthesisOptions())
    job.send("hang")
    await asyncio.sleep(0.3)
    print(*(line.pid for line in pool.status()), flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the kernel ends orphans in mid-step on Linux only")
def test_a_killed_parent_leaves_no_orphan(tmp_path: Path) -> None:
    """One child waits at its socket, the other hangs in an engine: both must go."""
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) == 2
        assert all(pools.alive(pid) for pid in pids)
        parent.kill()
    asyncio.run(until(lambda: not any(pools.alive(pid) for pid in pids)))
