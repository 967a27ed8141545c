"""What Whisper does on a GPU, checked with models made here: ``python -m tests.engines.gpu_check [--shapes]``.

Needs ctranslate2, faster-whisper and numpy, and no pytest, so that it runs on a machine that has only a GPU. Says a line
for each check; ends with 0, with 1 if one failed, or with 77 and the reason where there is no GPU. ``--shapes`` also
measures what a reading costs with models of the true shapes (random weights: times are true, texts are not).
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import ctranslate2
import numpy as np

from tests.engines.gpu import NO_GPU, SLACK, SkippedError, expect, run, settled, used
from tests.engines.models_whisper import SHAPES, make_whisper, make_whisper_shape
from tests.laws import laws
from vivavoce.contracts.errors import EngineFailed
from vivavoce.contracts.speech import Transcript, TranscriptionOptions
from vivavoce.engines.whisper import Whisper
from vivavoce.flow.clock import SystemClock
from vivavoce.workers.options import EngineOptions, WorkerOptions
from vivavoce.workers.pool import WorkerPool

RATE = 16_000
OPTIONS = TranscriptionOptions()
COMPUTE_TYPES = ("float32", "float16", "int8_float16", "int8")
LOW, HIGH = "low tide today", "high tide today"
CACHED = 400
"""MiB that CTranslate2's allocator may keep for the next model (the default of its caching allocator)."""


@dataclass(frozen=True)
class Models:
    """Where the generated models lie."""

    tiny: Path
    many: Path
    big: Path


def tone(seconds: float, frequency: float) -> bytes:
    wave = np.sin(2 * np.pi * frequency * np.arange(round(seconds * RATE)) / RATE)
    return (8_000 * wave).astype("<i2").tobytes()


def silence(seconds: float) -> bytes:
    return bytes(2 * round(seconds * RATE))


SOUNDS = {
    "low": (tone(2.0, 300), LOW),
    "high": (tone(2.0, 3_000), HIGH),
    "long": (tone(23.0, 300) + silence(1.0) + tone(23.0, 3_000) + silence(1.0) + tone(5.0, 300), f"{LOW} {HIGH} {LOW}"),
    "silence": (silence(2.0), ""),
}


def read(engine: Whisper, pcm: bytes) -> Transcript:
    utterance = engine.open(OPTIONS)
    utterance.send(pcm)
    utterance.end()
    while utterance.pending:
        engine.advance([utterance])
    try:
        return utterance.finish()
    finally:
        utterance.close()


# --- in this process


def same_text_as_on_the_cpu(models: Models) -> str:
    cpu = Whisper({"model": str(models.tiny), "device": "cpu", "threads": 2})
    told = []
    for kind in COMPUTE_TYPES:
        gpu = Whisper({"model": str(models.tiny), "device": "cuda", "compute_type": kind})
        for name, (pcm, text) in SOUNDS.items():
            here, there = read(cpu, pcm), read(gpu, pcm)
            expect(here.text == text, f"CPU read {here.text!r}, not {text!r}")
            expect(there.text == text, f"{kind} read {there.text!r} of {name}, not {text!r}")
            apart = [abs(a.start - b.start) for a, b in zip(here.words, there.words, strict=True)]
            expect(max(apart, default=0.0) <= 0.1, f"{kind}: words of {name} are {max(apart, default=0.0):.2f} s apart")
        told.append(f"{kind} {1_000 * gpu.cost:.1f} ms")
        gpu.close()
    return f"a reading of the tiny model: {', '.join(told)}; CPU {1_000 * cpu.cost:.1f} ms"


def auto_is_cuda(models: Models) -> str:
    engine = Whisper({"model": str(models.many)})
    expect(engine.device == "cuda", f"auto chose {engine.device}")
    heard = read(engine, SOUNDS["low"][0])
    expect(heard.text.startswith("low") and heard.language in ("en", "de", "fr"), f"read {heard}")
    engine.close()
    return f"and finds out a language ({heard.language})"


def mixed_utterances_and_cancellation(models: Models) -> str:
    """Eight side by side, half of them dropped in the middle of a word; the others do not notice."""
    engine = Whisper({"model": str(models.tiny), "device": "cuda", "partials": True})
    utterances = [engine.open(OPTIONS) for _ in range(8)]
    for start in range(0, 64_000, 3_200):
        for number, utterance in enumerate(utterances):
            if utterance.closed:
                continue
            utterance.send(SOUNDS["low" if number % 2 else "high"][0][start : start + 3_200])
            if number >= 4 and start > 32_000:
                utterance.close()
        pending = [utterance for utterance in utterances if utterance.pending]
        for utterance in pending:
            engine.advance([utterance])
    texts = []
    for utterance in utterances[:4]:
        utterance.end()
        while utterance.pending:
            engine.advance([utterance])
        texts.append(utterance.finish().text)
        utterance.close()
    expect(texts == [HIGH, LOW] * 2, f"read {texts}")
    engine.close()
    return "four of eight cancelled"


def closing_gives_memory_back(models: Models) -> str:
    warm = Whisper({"model": str(models.tiny), "device": "cuda"})  # the context of CUDA stays as long as the process
    before = used()
    engine = Whisper({"model": str(models.big), "device": "cuda", "compute_type": "float32"})
    loaded = used()
    expect(loaded - before > 2 * CACHED, f"the model takes no memory? {before} MiB before, {loaded} with it")
    engine.close()
    after = settled(before + SLACK)
    warm.close()
    expect(after <= before + SLACK + CACHED, f"{before} MiB before, {loaded} with the model, {after} behind it")
    return f"{before} MiB before, {loaded} with the model, {after} behind it"


def full_gpu_is_an_error(models: Models) -> str:
    try:
        import torch
    except ImportError as error:
        raise SkippedError("no torch to fill the GPU with") from error
    free, _total = torch.cuda.mem_get_info()
    ballast = torch.empty(free - (150 << 20), dtype=torch.uint8, device="cuda")
    try:
        Whisper({"model": str(models.big), "device": "cuda", "compute_type": "float32"})
    except EngineFailed as error:
        expect(error.code == "out_of_memory", f"{error.code}: {error.message}")
        return error.message
    finally:
        del ballast
        torch.cuda.empty_cache()
    raise AssertionError("a model fitted into no memory")


# --- in worker processes


def _group(models: Models, **options: object) -> WorkerOptions:
    settings = {"model": str(models.tiny), "device": "cuda", "compute_type": "float16"}
    return WorkerOptions(**{"name": "gpu", "engines": (EngineOptions("stt", "whisper", settings),), **options})  # type: ignore[arg-type]


async def _laws(models: Models) -> str:
    for law in laws.SPEECH_TO_TEXT:
        pool = WorkerPool([_group(models)], SystemClock())
        try:
            await pool.start()
            await law(pool.speech_to_text("whisper"))
        finally:
            await pool.close()
    return f"{len(laws.SPEECH_TO_TEXT)} laws of speech to text"


async def _sessions(models: Models) -> str:
    """Eight at once, four more cancelled on the way; then idle: the process ends and the GPU is as it was."""
    before = used()
    pool = WorkerPool([_group(models, prewarm=False, idle_unload=0.5)], SystemClock())
    try:
        await pool.start()
        port = pool.speech_to_text("whisper")
        names = ["low" if number % 2 else "high" for number in range(8)]
        dropped = [port.open(OPTIONS) for _ in range(4)]
        for utterance in dropped:
            for piece in laws.chunks(SOUNDS["low"][0], 1_600):
                utterance.send(piece)
            utterance.cancel()
        pieces = [laws.chunks(SOUNDS[name][0], 1_600) for name in names]
        heard = await asyncio.gather(*(laws.transcribe(port, sound, OPTIONS) for sound in pieces))
        texts = [transcripts[-1].text for transcripts in heard]
        expect(texts == [SOUNDS[name][1] for name in names], f"read {texts}")
        loaded = used()
        expect(loaded > before + 100, f"no memory taken? {before} MiB before, {loaded} with the worker")
        async with asyncio.timeout(30):
            while any(line.pid is not None for line in pool.status()):  # noqa: ASYNC110 - a check looks from outside
                await asyncio.sleep(0.05)
        after = settled(before + SLACK)
        expect(after <= before + SLACK, f"{before} MiB before, {loaded} with the worker, {after} behind it")
        again = await laws.transcribe(port, pieces[1], OPTIONS)
        expect(again[-1].text == LOW, f"read {again[-1].text!r} after loading again")
    finally:
        await pool.close()
    return f"{before} MiB before, {loaded} with the worker, {after} after it was unloaded"


def laws_in_a_worker(models: Models) -> str:
    return asyncio.run(_laws(models))


def sessions_and_unloading(models: Models) -> str:
    return asyncio.run(_sessions(models))


WITHOUT = """
import sys, warnings
from vivavoce.contracts.errors import VivavoceError
from vivavoce.engines.whisper import Whisper
warnings.simplefilter("ignore")
for device in ("cuda", "auto"):
    try:
        print(device, "on", Whisper({"model": sys.argv[1], "device": device}).device)
    except VivavoceError as error:
        print(device, error.code, error.message)
"""


def missing_libraries_are_named(models: Models) -> str:
    """The loader is told nothing, so that what is not installed system-wide is missing."""
    environment = {name: value for name, value in os.environ.items() if name not in ("LD_LIBRARY_PATH", "LD_PRELOAD")}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, str(models.tiny)],
        env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    expect(done.returncode == 0, f"died: {done.stderr[-500:]}")
    cuda, auto = done.stdout.strip().splitlines()
    if cuda == "cuda on cuda":
        raise SkippedError("the libraries are found without LD_LIBRARY_PATH, too")
    expect(cuda.startswith("cuda cuda_libraries_missing"), cuda)
    expect("nvidia-cublas-cu12" in cuda and "device to cpu" in cuda, cuda)
    expect(auto == "auto on cpu", auto)
    return cuda


# --- figures


def cost_of_true_shapes(folder: Path) -> str:
    told = []
    for name, shape in SHAPES.items():
        model = make_whisper_shape(folder / name, shape)
        before = used()
        for kind in ("float16", "int8_float16"):
            engine = Whisper({"model": str(model), "device": "cuda", "compute_type": kind})
            told.append(f"{name} {kind}: {_timed(engine)}, {used() - before} MiB")
            engine.close()
    return "\n   ".join(["", *told])


def _timed(engine: Whisper) -> str:
    """Medians of encoding 30 s and of encoding and decoding 15 tokens, and what the engine takes a reading for."""
    whisper = engine._model.model
    features = np.zeros((1, whisper.n_mels, 3_000), np.float32)
    view = ctranslate2.StorageView.from_array(features)
    number = engine._model.hf_tokenizer.token_to_id
    end = number("<|endoftext|>")
    encodings, readings = [], []
    for _ in range(7):
        began = time.perf_counter()
        encoded = whisper.encode(view, to_cpu=False)
        encodings.append(time.perf_counter() - began)
        whisper.generate(encoded, [[number("<|startoftranscript|>")]], beam_size=1, max_length=16, suppress_tokens=[end])
        readings.append(time.perf_counter() - began)
    encoding, reading = (1_000 * float(np.median(values)) for values in (encodings, readings))
    taken = 1_000 * engine.cost
    expect(0.5 * reading < taken < 2 * reading, f"a reading takes {reading:.1f} ms, the engine thinks {taken:.1f}")
    return f"encoding {encoding:.1f} ms, with 15 tokens {reading:.1f} ms, the engine takes it for {taken:.1f} ms"


CHECKS: tuple[Callable[[Models], str], ...] = (
    same_text_as_on_the_cpu,
    auto_is_cuda,
    mixed_utterances_and_cancellation,
    closing_gives_memory_back,
    laws_in_a_worker,
    sessions_and_unloading,
    missing_libraries_are_named,
    full_gpu_is_an_error,
)


def main(arguments: list[str]) -> int:
    """Run the checks."""
    if ctranslate2.get_cuda_device_count() == 0:
        print("skipped: CTranslate2 sees no CUDA device here")
        return NO_GPU
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        big = make_whisper_shape(folder / "big", SHAPES["small"])
        models = Models(make_whisper(folder / "tiny"), make_whisper(folder / "many", multilingual=True), big)
        checks: dict[str, Callable[[], str]] = {check.__name__: partial(check, models) for check in CHECKS}
        if "--shapes" in arguments:
            checks["cost_of_true_shapes"] = partial(cost_of_true_shapes, folder)
        return run(checks)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
