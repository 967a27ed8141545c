"""sherpa-onnx in real worker processes: laws, eight sessions at once, unloading, and every way a model can be bad."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.engines import models_sherpa as models
from tests.engines.models_sherpa import say, spoken
from tests.laws import laws
from tests.laws.laws import chunks, transcribe
from tests.unit.workers.pools import group, only, running, until
from tests.unit.workers.test_worker_batches import Batches
from vivavoce.contracts.errors import EngineFailed, EngineMissing, VivavoceError
from vivavoce.contracts.speech import TranscriptionOptions
from vivavoce.engines.sherpa import SherpaRecogniser
from vivavoce.workers.options import EngineOptions, WorkerOptions
from vivavoce.workers.wire import Kind, pack

pytestmark = [pytest.mark.process, pytest.mark.real_time, pytest.mark.engine]

Make = Callable[[Path], Path]
OPTIONS = TranscriptionOptions()


def sherpa(path: Path, *others: EngineOptions, **options: Any) -> WorkerOptions:
    """A group that runs the model."""
    return group(EngineOptions("stt", "sherpa", {"model": str(path), "threads": 1}), *others, **options)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Make], Path]:
    folder = tmp_path_factory.mktemp("models")
    found: dict[Make, Path] = {}
    return lambda make: found.setdefault(make, make(folder / str(len(found))))


@pytest.mark.parametrize(
    "make", [models.wenet_ctc, models.zipformer2_transducer, models.nemo_ctc], ids=lambda make: make.__name__
)
@pytest.mark.parametrize("law", laws.SPEECH_TO_TEXT, ids=laws.name)
async def test_laws(made: Callable[[Make], Path], make: Make, law: laws.Law) -> None:
    async with running(sherpa(made(make))) as pool:
        await law(pool.speech_to_text("sherpa"))


async def session(pool: Any, text: str, pause: float) -> tuple[str, int]:
    """Speak a text in pieces of 100 ms; the final and how many partials came before."""
    utterance = pool.speech_to_text("sherpa").open(OPTIONS)
    reading = asyncio.get_running_loop().create_task(laws.read(utterance))
    for piece in chunks(say(text), 1_600):
        utterance.send(piece)
        await asyncio.sleep(pause)
    utterance.finish()
    heard = await reading
    return heard[-1].text, len(heard) - 1


@pytest.mark.parametrize(
    "make",
    [models.wenet_ctc, models.zipformer2_ctc, models.zipformer2_transducer, models.nemo_ctc],
    ids=lambda make: make.__name__,
)
async def test_eight_sessions_at_once_are_all_read_right(made: Callable[[Make], Path], make: Make) -> None:
    texts = ["abcdefgh"[i:] + "abcdefgh"[:i] for i in range(8)]
    async with running(sherpa(made(make))) as pool:
        for pause in (0.0, 0.01):
            heard = await asyncio.gather(*(session(pool, text, pause) for text in texts))
            assert [text for text, _ in heard] == [spoken(text) for text in texts]
            if make is not models.nemo_ctc:
                assert all(partials > 0 for _, partials in heard)
        assert only(pool).restarts == 0


class Recorder(SherpaRecogniser):
    """Remembers how many utterances were in each step."""

    sizes: list[int]

    def advance(self, streams: Sequence[Any]) -> None:
        self.sizes = [*getattr(self, "sizes", []), len(streams)]
        super().advance(streams)


@pytest.mark.parametrize(
    "make", [models.zipformer2_ctc, models.zipformer2_transducer, models.nemo_ctc], ids=lambda make: make.__name__
)
def test_what_eight_sessions_say_is_read_in_batches(made: Callable[[Make], Path], make: Make) -> None:
    """In the loop of a worker, run step by step in this process so that the batches can be seen."""
    settings = {"model": str(made(make)), "threads": 1}
    with contextlib.closing(Batches(lambda *_: Recorder(settings))) as batches:
        numbers = range(1, 9)
        batches.open(*numbers)
        pcm = {number: say("abcdefgh"[number - 1 :] + "abcdefgh"[: number - 1]) for number in numbers}
        for at in range(0, len(pcm[1]), 3_200):
            batches.give(*(pack(Kind.AUDIO, number, pcm[number][at : at + 3_200]) for number in numbers))
            batches.steps(50)
        batches.give(*(pack(Kind.FINISH, number) for number in numbers))
        while batches.loop._jobs:
            batches.later(0.02)
            batches.steps(1)
        finals = batches.texts(final=True)
        assert finals == {n: [spoken("abcdefgh"[n - 1 :] + "abcdefgh"[: n - 1])] for n in numbers}
        engine = batches.loop._engines["stt", "b"]
        assert isinstance(engine, Recorder)
        assert max(engine.sizes) == 8
        assert sum(engine.sizes) / len(engine.sizes) > 4


async def test_a_cancel_in_mid_word_leaves_room_and_disturbs_nobody(made: Callable[[Make], Path]) -> None:
    async with running(sherpa(made(models.zipformer2_transducer), max_jobs=2)) as pool:
        port = pool.speech_to_text("sherpa")
        for _ in range(5):
            gone = port.open(OPTIONS)
            for piece in chunks(say("abcd"), 1_600)[:3]:
                gone.send(piece)
            staying = asyncio.get_running_loop().create_task(session(pool, "hgfe", 0.0))
            await asyncio.sleep(0.01)
            gone.cancel()
            assert (await staying)[0] == "h gf e"
        await until(lambda: only(pool).jobs == 0)


async def test_it_is_unloaded_when_idle_and_loaded_for_the_next_job(made: Callable[[Make], Path]) -> None:
    async with running(sherpa(made(models.zipformer2_ctc), idle_unload=0.2)) as pool:
        first = only(pool).pid
        assert (await session(pool, "abcd", 0.0))[0] == "ab cd"
        await until(lambda: only(pool).pid is None)
        assert (await session(pool, "hgfe", 0.0))[0] == "h gf e"
        assert only(pool).pid not in (None, first)


def cut_off(folder: Path) -> None:
    file = folder / "model.onnx"
    file.write_bytes(file.read_bytes()[:-200])


def scramble(folder: Path) -> None:
    """The outer layer stays whole; inside the graph is nonsense, which only the library can find."""
    file = folder / "model.onnx"
    data = bytearray(file.read_bytes())
    at = data.index(b"MatMul")
    data[at : at + 6] = b"\xff\xff\xff\xff\xff\xff"
    file.write_bytes(data)


def without_metadata(folder: Path) -> None:
    file = folder / "model.onnx"
    data = file.read_bytes()
    file.write_bytes(data.replace(b"decode_chunk_len", b"decode_chunk_nel"))


FAULTS: list[tuple[Callable[[Path], object], type[VivavoceError], str]] = [
    (lambda folder: (folder / "model.onnx").unlink(), EngineMissing, r"model\.onnx is absent.*models pull"),
    (lambda folder: (folder / "tokens.txt").unlink(), EngineMissing, r"tokens\.txt of the model.*absent.*models pull"),
    (lambda folder: (folder / "model.onnx").write_bytes(b""), EngineFailed, r"model\.onnx is damaged"),
    (
        lambda folder: (folder / "model.onnx").write_bytes(b"<!doctype html>" * 99),
        EngineFailed,
        r"model\.onnx is damaged.*pull",
    ),
    (cut_off, EngineFailed, r"model\.onnx is damaged.*cut off"),
    (scramble, EngineFailed, "model"),
    (without_metadata, EngineFailed, "set `family`"),
    (lambda folder: (folder / "tokens.txt").write_bytes(b""), EngineFailed, r"tokens\.txt is damaged"),
    (lambda folder: (folder / "tokens.txt").write_bytes(bytes(range(256)) * 9), EngineFailed, r"tokens\.txt is damaged"),
    (lambda folder: (folder / "tokens.txt").write_text("a 0\nb 1\n"), EngineFailed, "no blank token"),
]


@pytest.mark.parametrize(("fault", "error", "says"), FAULTS, ids=range(len(FAULTS)))
async def test_a_bad_model_is_an_error_that_says_so(
    tmp_path: Path, fault: Callable[[Path], object], error: type[VivavoceError], says: str
) -> None:
    """Never a dead process: the other engine of the group serves, and the library, which would end it, is not reached."""
    path = models.zipformer2_ctc(tmp_path)
    fault(tmp_path)
    async with running(sherpa(path, EngineOptions("stt", "test/echo"))) as pool:
        with pytest.raises(error, match=says):
            await pool.describe("stt", "sherpa")
        with pytest.raises(error, match=says):
            await session(pool, "a", 0.0)
        assert (await transcribe(pool.speech_to_text("test/echo"), chunks(say("a"), 1_600), OPTIONS))[-1].final
        assert only(pool).restarts == 0


async def test_a_model_that_is_too_large_for_its_group_fails_alone(tmp_path: Path) -> None:
    """A real allocation: 80 MB of weights, of which the library needs almost three times as much, and a limit below."""
    path = models.zipformer2_ctc(tmp_path, work=4_500)
    async with running(sherpa(path, EngineOptions("stt", "test/echo"), max_address_space=300)) as pool:
        with pytest.raises(EngineFailed) as caught:
            await pool.describe("stt", "sherpa")
        assert caught.value.code == "out_of_memory", caught.value.message
        assert (await transcribe(pool.speech_to_text("test/echo"), chunks(say("a"), 1_600), OPTIONS))[-1].final
        assert only(pool).restarts == 0
    small = models.zipformer2_ctc(tmp_path / "small")
    for group_options in (sherpa(path), sherpa(small, max_address_space=300)):
        async with running(group_options) as pool:
            assert (await session(pool, "abcd", 0.0))[0] == "ab cd"


def test_half_a_sample_on_the_wire_fails_its_utterance_only(made: Callable[[Make], Path]) -> None:
    settings = {"model": str(made(models.zipformer2_ctc)), "threads": 1}
    with contextlib.closing(Batches(lambda *_: SherpaRecogniser(settings))) as batches:
        batches.open(1, 2)
        batches.give(pack(Kind.AUDIO, 1, struct.pack("<hb", 1, 1)), pack(Kind.AUDIO, 2, say("ab")), pack(Kind.FINISH, 2))
        batches.steps(20)
        frames = batches.got()
        assert b"invalid_audio" in next(frame.payload for frame in frames if frame.job == 1)
        assert any(b"ab" in frame.payload for frame in frames if frame.job == 2)
