"""What Kokoro and Piper do on a GPU, checked with voices made here: ``python -m tests.engines.gpu_voices [--shapes]``.

Needs onnxruntime-gpu, kokoro-onnx, piper-tts, onnx, numpy and soxr, and no pytest. Says a line for each check; ends with 0,
with 1 if one failed, or with 77 and the reason where there is no GPU. ``--shapes`` also measures a model that computes
about as much as Kokoro does (random weights: times are true, the sound is noise).
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from tests.engines.gpu import NO_GPU, SLACK, SkippedError, expect, run, settled, used
from tests.engines.models_decoder import make_decoder
from tests.engines.models_kokoro import VOICES, make_kokoro
from tests.engines.models_piper import make_piper
from tests.laws import laws
from vivavoce.audio.spoken import SpokenPiece
from vivavoce.contracts.errors import EngineFailed
from vivavoce.contracts.ports import TextToSpeech
from vivavoce.contracts.speech import SynthesisOptions
from vivavoce.engines.kokoro import Kokoro
from vivavoce.engines.piper import Piper
from vivavoce.flow.clock import SystemClock
from vivavoce.workers.options import EngineOptions, WorkerOptions
from vivavoce.workers.pool import WorkerPool

CUDA = "CUDAExecutionProvider"
TEXTS = (
    "The quick brown fox jumps over the lazy dog.",
    "One extraordinarily long word, then two; and a question? Yes!",
    "Größe über Öl, 25 Äpfel – and more … of everything.",
)
LONG = "One thing follows upon another, and there is always something more to say about it. " * 12
SEARCHES = ("EXHAUSTIVE", "HEURISTIC", "DEFAULT")
ROOM = 24
"""Of 4 MiB each, left to a process whose GPU is full: enough for the libraries, not for the large model."""
CONTEXT = 1_024
"""MiB that CUDA's context and the libraries' kernels may take in a process, whatever the model."""


@dataclass(frozen=True)
class Voices:
    """Where the generated voices lie."""

    kokoro: Path
    piper: Path
    large: Path
    """Of Kokoro's true size."""

    def engines(self, device: str) -> dict[str, Kokoro | Piper]:
        kokoro = Kokoro({"model": str(self.kokoro), "device": device, "threads": 2})
        return {"kokoro": kokoro, "piper": Piper({"model": str(self.piper), "device": device, "threads": 2})}

    def settings(self, name: str) -> dict[str, str | int | float | bool]:
        return {"model": str(self.kokoro if name == "kokoro" else self.piper), "device": "cuda"}


def say(engine: Kokoro | Piper, text: str, **options: Any) -> list[SpokenPiece]:
    return list(engine.open(SynthesisOptions(**options)).speak(text))


def samples(pieces: Sequence[SpokenPiece]) -> NDArray[np.float64]:
    return np.frombuffer(b"".join(piece.pcm for piece in pieces), "<i2").astype(np.float64)


def session(engine: Kokoro | Piper) -> Any:
    """The session of onnxruntime of an engine that has spoken."""
    return engine.model.session if isinstance(engine, Kokoro) else next(iter(engine._models.values()))._session


# --- in this process


def the_gpu_computes(voices: Voices) -> str:
    told = []
    for name, engine in voices.engines("cuda").items():
        say(engine, "Hello.")
        providers = session(engine).get_providers()
        expect(providers[0] == CUDA, f"{name} runs on {providers}")
        told.append(f"{name} on {providers[0]}")
        engine.close()
    return f"{', '.join(told)}; {_assigned(voices.kokoro)}"


def _assigned(model: Path) -> str:
    """How many nodes of the graph each provider has, where the runtime tells."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    one = onnxruntime.InferenceSession(str(model), options, providers=[CUDA, "CPUExecutionProvider"], enable_fallback=0)
    if not hasattr(one, "get_provider_graph_assignment_info"):
        return "nodes are not told"
    counts: dict[str, int] = {}
    for part in one.get_provider_graph_assignment_info():
        counts[part.ep_name] = counts.get(part.ep_name, 0) + len(part.get_nodes())
    expect(counts.get(CUDA, 0) > 0, f"no node is on the GPU: {counts}")
    return f"nodes of a generated Kokoro: {counts}"


def sound_is_that_of_the_cpu(voices: Voices) -> str:
    worst, level = 1.0, 1.0
    count = 0
    cpu, gpu = voices.engines("cpu"), voices.engines("cuda")
    for name in cpu:
        for text in TEXTS:
            for options in ({}, {"speed": 1.4}, *({"voice": voice} for voice in VOICES[1:3] if name == "kokoro")):
                here, there = say(cpu[name], text, **options), say(gpu[name], text, **options)
                spans = [[(len(p.pcm), p.text_start, p.text_end, p.exact) for p in pieces] for pieces in (here, there)]
                expect(spans[0] == spans[1], f"{name} {options}: pieces differ for {text!r}: {spans}")
                one, other = samples(here), samples(there)
                worst = min(worst, float(np.corrcoef(one, other)[0, 1]))
                level = max(level, float(np.std(other) / np.std(one)), float(np.std(one) / np.std(other)))
                count += 1
    expect(worst > 0.999, f"correlation {worst:.6f}")
    expect(level < 1.01, f"levels differ by {level:.4f}")
    for engine in (*cpu.values(), *gpu.values()):
        engine.close()
    return f"{count} texts: lengths and spans equal, correlation ≥ {worst:.6f}, level within {100 * (level - 1):.3f} %"


def first_sound(voices: Voices) -> str:
    told = []
    for device in ("cpu", "cuda"):
        for name, engine in voices.engines(device).items():
            told.append(f"{name} on {device}: {_first(engine)}")
            engine.close()
    return "\n   ".join(["", *told])


def _first(engine: Kokoro | Piper) -> str:
    times = []
    for _ in range(9):
        began = time.perf_counter()
        next(iter(engine.open(SynthesisOptions()).speak(TEXTS[0])))
        times.append(1_000 * (time.perf_counter() - began))
    began = time.perf_counter()
    seconds = samples(say(engine, LONG)).size / engine.capabilities.sample_rate
    factor = (time.perf_counter() - began) / seconds
    return f"first sound {times[0]:.0f} ms with loading, then {np.median(times[1:]):.1f} ms; {factor:.4f} s per s of speech"


def cancelled_between_clauses(voices: Voices) -> str:
    """Abandoned behind its first sound, a long text costs one clause; what runs beside it does not notice."""
    for name, engine in voices.engines("cuda").items():
        alone = samples(say(engine, TEXTS[1]))
        abandoned = engine.open(SynthesisOptions())
        steps = iter(abandoned.speak(LONG))
        other = iter(engine.open(SynthesisOptions()).speak(TEXTS[1]))
        heard = [next(other)]
        next(steps)
        abandoned.close()
        del steps
        heard += list(other)
        together = samples(heard)
        expect(together.size == alone.size, f"{name}: {together.size} samples beside another, {alone.size} alone")
        expect(np.abs(together - alone).max() <= 64, f"{name}: sounds otherwise beside another")
        engine.close()
    return "nothing of the abandoned one is heard"


def full_gpu_is_an_error(voices: Voices) -> str:
    try:
        import torch
    except ImportError as error:
        raise SkippedError("no torch to fill the GPU with") from error
    warm = voices.engines("cuda")["kokoro"]
    say(warm, "Hi.")
    ballast = _fill(torch)
    del ballast[-ROOM:]
    torch.cuda.empty_cache()
    engine = Kokoro({"model": str(voices.large), "device": "cuda"})
    try:
        say(engine, "Hi.")
    except EngineFailed as error:
        expect(error.code == "out_of_memory" and error.retryable, f"{error.code}: {error.message}")
        told = error.message
    else:
        raise AssertionError("a model fitted into no memory")
    finally:
        ballast.clear()
        torch.cuda.empty_cache()
    expect(samples(say(engine, "Hi.")).any(), "it is silent afterwards")
    expect(samples(say(warm, "Hi.")).any(), "another voice is silent afterwards")
    engine.close()
    warm.close()
    return f"{told}; afterwards it speaks"


def _fill(torch: Any) -> list[Any]:
    """Tensors of 4 MiB at the end of the list that leave hardly any of the GPU's memory to others."""
    ballast = []
    for size in (1 << 30, 4 << 20):
        try:
            while True:
                ballast.append(torch.empty(size, dtype=torch.uint8, device="cuda"))
        except torch.OutOfMemoryError:
            continue
    return ballast


# --- in worker processes


def _group(voices: Voices, name: str, **options: Any) -> WorkerOptions:
    return WorkerOptions(name, (EngineOptions("tts", name, voices.settings(name)),), **options)


async def _laws(voices: Voices) -> str:
    for name in ("kokoro", "piper"):
        for law in laws.TEXT_TO_SPEECH:
            pool = WorkerPool([_group(voices, name)], SystemClock())
            try:
                await pool.start()
                await law(pool.text_to_speech(name))
            finally:
                await pool.close()
    return f"{len(laws.TEXT_TO_SPEECH)} laws of text to speech, twice"


async def _unloading(voices: Voices) -> str:
    """Six at once, three more cancelled on the way; then idle: the process ends and the GPU is as it was."""
    told = []
    for name in ("kokoro", "piper"):
        before = used()
        pool = WorkerPool([_group(voices, name, prewarm=False, idle_unload=0.5)], SystemClock())
        try:
            await pool.start()
            loaded = await _speak_together(pool.text_to_speech(name))
            expect(before < loaded < before + 2 * CONTEXT, f"{before} MiB before, {loaded} with {name}")
            async with asyncio.timeout(30):
                while any(line.pid is not None for line in pool.status()):  # noqa: ASYNC110 - a check looks from outside
                    await asyncio.sleep(0.05)
            after = settled(before + SLACK)
            expect(after <= before + SLACK, f"{before} MiB before, {loaded} with {name}, {after} behind it")
            again = await laws.speak(pool.text_to_speech(name), (TEXTS[0],), SynthesisOptions())
            expect(any(any(audio.chunk.pcm) for audio in again), "silent after loading again")
        finally:
            await pool.close()
        told.append(f"{name} {before} MiB before, {loaded} with it, {after} after it was unloaded")
    return "; ".join(told)


async def _speak_together(port: TextToSpeech) -> int:
    dropped = [port.open(SynthesisOptions()) for _ in range(3)]
    for synthesis in dropped:
        synthesis.send(LONG)
        synthesis.flush()
        async for _ in synthesis:
            break
        synthesis.cancel()
    said = await asyncio.gather(*(laws.speak(port, (TEXTS[0],), SynthesisOptions()) for _ in range(6)))
    lengths = {sum(len(audio.chunk.pcm) for audio in spoken) for spoken in said}
    expect(len(lengths) == 1 and lengths.pop() > 24_000, "six equal texts do not sound equally long")
    return used()


def laws_in_a_worker(voices: Voices) -> str:
    return asyncio.run(_laws(voices))


def sessions_and_unloading(voices: Voices) -> str:
    return asyncio.run(_unloading(voices))


# --- in processes of their own

SPEAK = """
import os
import sys
from vivavoce.contracts.errors import VivavoceError
from vivavoce.contracts.speech import SynthesisOptions
from vivavoce.engines.kokoro import Kokoro
from vivavoce.engines.piper import Piper
for kind, model in ((Kokoro, sys.argv[1]), (Piper, sys.argv[2])):
    try:
        engine = kind({"model": model, "device": "cuda"})
        print("spoke", len(list(engine.open(SynthesisOptions()).speak("Hello."))))
        if len(sys.argv) > 3:
            import torch
            try:
                torch.zeros(4, device="cuda")[torch.tensor([10**9], device="cuda")].sum().item()
            except RuntimeError as error:
                print("broke:", str(error).splitlines()[0])
            print("spoke", len(list(engine.open(SynthesisOptions()).speak("Hello again."))))
    except VivavoceError as error:
        print(type(error).__name__, error.code, error.retryable, error.message)
    if len(sys.argv) > 3:
        sys.stdout.flush()
        os._exit(0)  # onnxruntime throws while it cleans up behind a dead context, and ends the process
"""


def _speak(voices: Voices, *arguments: str, environment: dict[str, str] | None = None) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", SPEAK, str(voices.kokoro), str(voices.piper), *arguments],
        env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    expect(done.returncode == 0, f"died with {done.returncode}: {done.stdout[-300:]} {done.stderr[-500:]}")
    return done.stdout.strip().splitlines()


def missing_libraries_are_named(voices: Voices) -> str:
    """NVIDIA's wheels are out of sight, and the loader is told nothing: what is not installed system-wide is missing."""
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "onnxruntime").symlink_to(Path(onnxruntime.__file__).parent)
        environment = {key: value for key, value in os.environ.items() if key not in ("LD_LIBRARY_PATH", "LD_PRELOAD")}
        environment["PYTHONPATH"] = os.pathsep.join([name, *filter(None, [os.environ.get("PYTHONPATH")])])
        told = _speak(voices, environment=environment)
    if all(line.startswith("spoke") for line in told):
        raise SkippedError("the libraries are found without NVIDIA's wheels, too")
    for line in told:
        expect(line.startswith("EngineMissing cuda_libraries_missing False"), line)
        expect("onnxruntime-gpu[cuda,cudnn]" in line and "device to cpu" in line and ".so" in line, line)
    return told[0]


def a_dead_context_is_told(voices: Voices) -> str:
    """Somebody else in the process kills its CUDA context, as an illegal access of the model's own would."""
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise SkippedError("no torch to break the context with") from error
    told = _speak(voices, "break")
    expect(len(told) == 3 and told[1].startswith("broke:"), f"the context was not broken: {told}")
    expect(told[2].startswith("DeviceLost gpu_failed True"), told[2])
    return f"{told[1]} -> {told[2]}"


# --- figures


def cost_of_true_shapes(voices: Voices) -> str:
    """Kokoro's runtime, with a decoder that computes about 40 GFLOP for a second of speech."""
    told = []
    for device in ("cpu", "cuda"):
        before = used()
        engine = Kokoro({"model": str(voices.large), "device": device, "threads": 2})
        cold = time.perf_counter()
        next(iter(engine.open(SynthesisOptions()).speak(TEXTS[0])))
        cold = time.perf_counter() - cold
        told.append(f"{device}: loading and first sound {1_000 * cold:.0f} ms; {_costs(engine)}; {used() - before} MiB")
        engine.close()
    told += [f"cuda, algorithms by {search}: {_searched(voices.large, search)}" for search in SEARCHES]
    return "\n   ".join(["", *told])


def _searched(model: Path, search: str) -> str:
    """Milliseconds of calls of the model for lengths that are new, then met before."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    providers = [(CUDA, {"cudnn_conv_algo_search": search}), "CPUExecutionProvider"]
    one = onnxruntime.InferenceSession(str(model), options, providers=providers, enable_fallback=0)
    style = {"style": np.zeros((1, 256), np.float32), "speed": np.ones(1, np.float32)}
    told = []
    for length in (30, 40, 52, 30, 40, 52, 130, 130):
        tokens = np.arange(length, dtype=np.int64)[None] % 100
        began = time.perf_counter()
        one.run(None, {"tokens": tokens, **style})
        told.append(f"{length}: {1_000 * (time.perf_counter() - began):.1f}")
    return ", ".join(told)


def _costs(engine: Kokoro) -> str:
    firsts, new = [], []
    for index, text in enumerate(
        (TEXTS[0], TEXTS[0], TEXTS[0], "Hello there.", "A sentence of another length.", "Yes, five.")
    ):
        began = time.perf_counter()
        next(iter(engine.open(SynthesisOptions()).speak(text)))
        (firsts if index < 3 else new).append(1_000 * (time.perf_counter() - began))
    began = time.perf_counter()
    text = " ".join(TEXTS[:2])
    seconds = samples(say(engine, text)).size / 24_000
    factor = (time.perf_counter() - began) / seconds
    shown = ", ".join(f"{value:.0f}" for value in new)
    return f"first sound {np.median(firsts):.1f} ms, of lengths not met before {shown} ms; {factor:.4f} s per s of speech"


CHECKS: tuple[Callable[[Voices], str], ...] = (
    the_gpu_computes,
    sound_is_that_of_the_cpu,
    first_sound,
    cancelled_between_clauses,
    laws_in_a_worker,
    sessions_and_unloading,
    missing_libraries_are_named,
    a_dead_context_is_told,
    full_gpu_is_an_error,
)


def here() -> str:
    """Why nothing can be checked; empty where it can."""
    try:
        used()
    except (OSError, subprocess.CalledProcessError) as error:
        return f"no GPU here ({error})"
    if CUDA not in onnxruntime.get_available_providers():
        return "this onnxruntime is built for the CPU only"
    return ""


def main(arguments: list[str]) -> int:
    """Run the checks."""
    if lacking := here():
        print(f"skipped: {lacking}")
        return NO_GPU
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        voices = Voices(make_kokoro(folder / "kokoro"), make_piper(folder / "piper"), make_decoder(folder / "large"))
        checks: dict[str, Callable[[], str]] = {check.__name__: partial(check, voices) for check in CHECKS}
        if "--shapes" in arguments:
            checks["cost_of_true_shapes"] = partial(cost_of_true_shapes, voices)
        return run(checks)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
