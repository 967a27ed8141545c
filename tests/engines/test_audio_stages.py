"""Noise suppression and echo cancellation of recorded speech, in a simulated room."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.conftest import require
from vivavoce.audio.stages import RATES, EchoCanceller, NoiseSuppressor, processing
from vivavoce.contracts.audio import HEARING, AudioFormat
from vivavoce.contracts.errors import EngineMissing, InvalidAudio

pytestmark = pytest.mark.engine
Read = Callable[[str], bytes]
Floats = NDArray[np.float64]


@pytest.fixture(autouse=True)
def library() -> None:
    require(processing.rtc, "livekit is not installed: pip install 'vivavoce[audio]'")


def floats(pcm: bytes) -> Floats:
    return np.frombuffer(pcm, "<i2").astype(np.float64)


def pcm_of(samples: Floats) -> bytes:
    return np.clip(samples, -32_768, 32_767).astype("<i2").tobytes()


def decibels(samples: Floats) -> float:
    return float(10 * np.log10((samples**2).mean() + 1e-3))


def convolve(samples: Floats, response: Floats) -> Floats:
    """The first ``samples.size`` samples of the convolution."""
    size = samples.size + response.size
    return np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(response, size), size)[: samples.size]


def alike(out: Floats, source: Floats) -> tuple[int, float]:
    """The lag (up to 25 ms) at which ``out`` is most like ``source``, and their correlation there."""
    size = min(source.size, out.size - 400)
    lags = [float(np.corrcoef(out[lag : lag + size], source[:size])[0, 1]) for lag in range(400)]
    best = int(np.argmax(lags))
    return best, lags[best]


def run(stage: NoiseSuppressor | EchoCanceller, near: bytes, far: bytes = b"", step: int = 320) -> bytes:
    """Both ends in pieces of ``step`` samples, the far end first."""
    out = b""
    for at in range(0, len(near), 2 * step):
        if isinstance(stage, EchoCanceller):
            stage.reference(far[at : at + 2 * step])
        out += stage.process(near[at : at + 2 * step])
    return out + stage.flush()


@pytest.fixture
def room(recording: Read) -> tuple[bytes, Floats]:
    """20 s of a far end, and its echo through the impulse response of a room, 6 dB softer."""
    far = floats(recording("en/two_cities_16k.wav"))[: 20 * 16_000]
    response = floats(recording("rir_sim_1ch.wav"))
    response /= np.sqrt((response**2).sum())
    return pcm_of(far), 0.5 * convolve(far, response)


def test_the_echo_of_a_room_is_taken_out(room: tuple[bytes, Floats]) -> None:
    far, echo = room
    cleaned = floats(run(EchoCanceller(), pcm_of(echo), far))
    settled = slice(4 * 16_000, None)
    erle = decibels(echo[settled]) - decibels(cleaned[settled])
    print(f"ERLE {erle:.1f} dB")
    assert erle >= 20.0


@pytest.mark.parametrize("late", [0.02, 0.1])
def test_the_echo_may_come_later(room: tuple[bytes, Floats], late: float) -> None:
    far, echo = room
    shift = round(late * 16_000)
    delayed = np.concatenate([np.zeros(shift), echo])[: echo.size]
    for told in (late, 0.0):
        cleaned = floats(run(EchoCanceller(delay=told), pcm_of(delayed), far))
        erle = decibels(delayed[64_000:]) - decibels(cleaned[64_000:])
        print(f"echo {late * 1000:.0f} ms late, told {told * 1000:.0f} ms: ERLE {erle:.1f} dB")
        assert erle >= 15.0


def test_near_speech_is_kept_in_double_talk(room: tuple[bytes, Floats], recording: Read) -> None:
    far, echo = room
    near = np.zeros(echo.size)
    speech = floats(recording("en/jfk.wav"))[: 8 * 16_000]
    speech *= np.sqrt((echo**2).mean() / (speech**2).mean())  # no louder than the echo
    begin = 8 * 16_000
    near[begin : begin + speech.size] = speech
    cleaned = floats(run(EchoCanceller(), pcm_of(near + echo), far))
    kept = cleaned[begin:]
    loud = decibels(kept[: speech.size]) - decibels(speech)
    lag, likeness = alike(kept, speech)
    _, before = alike((near + echo)[begin:], speech)
    print(f"near speech: level {loud:+.1f} dB, {lag} samples late, correlation {likeness:.2f} (with the echo {before:.2f})")
    assert -4.0 <= loud <= 2.0
    assert likeness >= 0.75
    assert likeness > before


def test_without_a_far_end_speech_passes(recording: Read) -> None:
    pcm = recording("en/jfk.wav")
    cleaned = run(EchoCanceller(), pcm)
    assert len(cleaned) == len(pcm)
    assert abs(decibels(floats(cleaned)) - decibels(floats(pcm))) < 1.5


def test_noise_is_suppressed_and_speech_is_kept(recording: Read) -> None:
    speech = floats(recording("en/jfk.wav"))
    noise = np.random.default_rng(3).normal(0, 300, 2 * 16_000 + speech.size)
    clean = np.concatenate([np.zeros(2 * 16_000), speech])
    out = floats(run(NoiseSuppressor(), pcm_of(clean + noise)))
    only_noise = slice(16_000, 2 * 16_000)
    reduction = decibels(noise[only_noise]) - decibels(out[only_noise])
    kept = decibels(out[2 * 16_000 :]) - decibels(speech)
    print(f"noise reduced by {reduction:.1f} dB, speech level {kept:+.1f} dB")
    assert reduction >= 8.0
    assert -3.0 <= kept <= 1.5


@given(st.lists(st.integers(0, 700), min_size=1, max_size=20), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=25)
def test_chunks_do_not_matter_and_no_sample_is_lost(sizes: list[int], seed: int) -> None:
    generator = np.random.default_rng(seed)
    near, far = (generator.normal(0, 3_000, sum(sizes)).astype("<i2").tobytes() for _ in range(2))
    for make in (NoiseSuppressor, EchoCanceller):
        whole = make()
        if isinstance(whole, EchoCanceller):
            whole.reference(far)
        expected = whole.process(near) + whole.flush()
        stage, got, at = make(), b"", 0
        for size in sizes:
            if isinstance(stage, EchoCanceller):
                stage.reference(far[at : at + 2 * size])
            got += stage.process(near[at : at + 2 * size])
            at += 2 * size
            assert 0 <= at - len(got) < 2 * 160
        got += stage.flush()
        assert len(got) == len(near)
        assert got == expected
        assert stage.flush() == b""


@pytest.mark.parametrize("rate", RATES)
def test_every_rate(rate: int) -> None:
    tone = 8_000 * np.sin(2 * np.pi * 440 / rate * np.arange(rate))
    for stage in (NoiseSuppressor(AudioFormat(rate)), EchoCanceller(AudioFormat(rate))):
        assert stage.format.rate == rate
        out = floats(run(stage, pcm_of(tone), pcm_of(np.zeros(rate)), step=rate // 33))
        assert out.size == rate
        assert decibels(out[: rate // 10]) > 0


def test_silence_stays_silent_and_clipped_speech_does_not_wrap(recording: Read) -> None:
    clipped = pcm_of(30 * floats(recording("en/jfk.wav"))[: 4 * 16_000])
    assert np.abs(floats(clipped)).max() >= 32_767
    for make in (NoiseSuppressor, EchoCanceller):
        assert not any(run(make(), bytes(2 * 16_000)))
        _, likeness = alike(floats(run(make(), clipped)), floats(clipped))
        print(f"clipped speech: correlation {likeness:.2f}")
        assert likeness > 0.65


def test_the_far_end_may_be_far_ahead_and_memory_is_bounded(room: tuple[bytes, Floats]) -> None:
    far, _ = room
    canceller = EchoCanceller()
    canceller.reference(far)
    assert len(canceller._frames._far) <= processing.MAX_AHEAD * 32_000


def test_misuse() -> None:
    for make in (NoiseSuppressor, EchoCanceller):
        for wrong in (AudioFormat(22_050), AudioFormat(16_000, 2)):
            with pytest.raises(InvalidAudio, match="mono"):
                make(wrong)
        with pytest.raises(InvalidAudio):
            make(HEARING).process(bytes(3))
    with pytest.raises(InvalidAudio):
        EchoCanceller().reference(bytes(1))
    for delay in (-0.1, 0.6):
        with pytest.raises(InvalidAudio, match="delay"):
            EchoCanceller(delay=delay)


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processing, "rtc", None)
    for make in (NoiseSuppressor, EchoCanceller):
        with pytest.raises(EngineMissing, match=r"pip install 'vivavoce\[audio\]'"):
            make()
