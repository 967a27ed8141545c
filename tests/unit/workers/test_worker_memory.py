"""A limit on the address space of a group: what wants too much fails by itself, with a reason, and the rest goes on."""

from __future__ import annotations

import pytest

from tests.laws.laws import chunks, tone
from tests.unit.workers import pools
from tests.unit.workers.pools import group, hear, only, pid_of, running
from vivavoce.contracts.errors import EngineFailed
from vivavoce.contracts.speech import TranscriptionOptions
from vivavoce.workers.options import EngineOptions

pytestmark = [pytest.mark.process, pytest.mark.real_time]

GREEDY = EngineOptions("stt", "test/batch", {"hoard": 2_000})
LIMIT = 900
SPEECH = chunks(tone(0.3), 1_600)


async def test_an_engine_that_wants_too_much_fails_alone() -> None:
    async with running(group(GREEDY, EngineOptions("stt", "test/echo"), max_address_space=LIMIT)) as pool:
        with pytest.raises(EngineFailed, match="max_address_space") as caught:
            await pool.describe("stt", "test/batch")
        assert caught.value.code == "out_of_memory"
        assert (await hear(pool, SPEECH))[-1].final
        assert only(pool).restarts == 0


async def test_without_a_limit_it_loads() -> None:
    async with running(group(GREEDY)) as pool:
        assert (await pool.describe("stt", "test/batch")).name == "test/batch"


async def test_a_job_that_wants_too_much_fails_alone() -> None:
    """``leak`` takes 64 MB a slice."""
    async with running(group(EngineOptions("stt", "test/echo"), max_address_space=LIMIT)) as pool:
        pid = pid_of(pool)
        with pytest.raises(EngineFailed, match="no more memory") as caught:
            await hear(pool, chunks(tone(4.0), 1_600), "leak")
        assert caught.value.code == "out_of_memory"
        assert (await hear(pool, SPEECH))[-1].final
        assert pid_of(pool) == pid, "the process lives"


async def test_sessions_share_steps_in_a_real_worker() -> None:
    """Eight at once: all are right, and were in batches; the final's confidence tells the largest."""
    async with running(group(EngineOptions("stt", "test/batch", {"step_seconds": 0.005}))) as pool:
        utterances = [
            pool.speech_to_text("test/batch").open(TranscriptionOptions(vocabulary=("sizes",), partials=False))
            for _ in range(8)
        ]
        pcm = [chunks(tone(0.1, level=0.1 * (i + 1)) * 10, 1_600) for i in range(8)]
        for at in range(10):
            for utterance, pieces in zip(utterances, pcm, strict=True):
                utterance.send(pieces[at])
        finals = []
        for utterance in utterances:
            utterance.finish()
        for utterance in utterances:
            finals.extend([transcript async for transcript in utterance])
        assert [final.text for final in finals] == [letter * 10 for letter in "cfhknpsu"]
        assert max(final.confidence or 0 for final in finals) > 1
        await pools.until(lambda: only(pool).jobs == 0)
