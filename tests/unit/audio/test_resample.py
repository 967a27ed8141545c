"""Resampling: exact length, the same samples however the stream is cut, low lag, tones kept and mirror images gone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivavoce.audio.level import measure
from vivavoce.audio.resample import Lag, Resampler, resample
from vivavoce.contracts.errors import InvalidAudio
from vivavoce.testing.speech import tone

RATES = [8_000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000]
LAGS: list[Lag] = ["low", "any"]


def run(resampler: Resampler, pcm: bytes, cuts: list[int]) -> bytes:
    out, at = [], 0
    for cut in cuts:
        out.append(resampler.process(pcm[at : at + 2 * cut]))
        at += 2 * cut
    return b"".join([*out, resampler.process(pcm[at:]), resampler.flush()])


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(RATES), st.sampled_from(RATES), st.sampled_from(LAGS), st.integers(0, 9_000), st.data())
def test_length_is_exact_and_cuts_do_not_matter(source: int, target: int, lag: Lag, count: int, data: st.DataObject) -> None:
    pcm = np.random.default_rng(count).integers(-20_000, 20_000, count).astype("<i2").tobytes()
    cuts = data.draw(st.lists(st.integers(0, 1_500), max_size=8))
    whole = run(Resampler(source, target, lag=lag), pcm, [])
    assert len(whole) // 2 == (2 * count * target + source) // (2 * source)
    cut = run(Resampler(source, target, lag=lag), pcm, cuts)
    assert len(cut) == len(whole)
    if lag == "low":
        assert cut == whole


@pytest.mark.parametrize("lag", LAGS)
def test_flush_begins_a_new_stream(lag: Lag) -> None:
    resampler, pcm = Resampler(24_000, 16_000, lag=lag), tone(0.3, 24_000)
    first, second = (np.frombuffer(run(resampler, pcm, [500]), "<i2").astype(int) for _ in range(2))
    assert len(first) == len(second)
    assert abs(first - second).max() <= (2 if lag == "any" else 0), "soxr dithers, but no more than that"
    assert resampler.flush() == b""


def test_equal_rates_pass_through() -> None:
    resampler, pcm = Resampler(16_000, 16_000), tone(0.1)
    assert resampler.process(pcm) is pcm
    assert resampler.flush() == b""


@pytest.mark.parametrize(("source", "limit"), [(8_000, 0.0033), (24_000, 0.0016), (44_100, 0.0016), (48_000, 0.0016)])
def test_a_live_stream_is_hardly_held_back(source: int, limit: float) -> None:
    resampler, taken, given = Resampler(source, 16_000), 0, 0
    for _ in range(50):
        taken += source // 50
        given += len(resampler.process(bytes(2 * (source // 50)))) // 2
        assert taken / source - given / 16_000 <= limit


@pytest.mark.parametrize("lag", LAGS)
@pytest.mark.parametrize("source", RATES)
@pytest.mark.parametrize("target", RATES)
def test_speech_band_is_kept_without_delay_and_what_would_fold_back_is_gone(source: int, target: int, lag: Lag) -> None:
    nyquist = min(source, target) / 2
    kept = 0.8 * nyquist
    out = run(Resampler(source, target, lag=lag), tone(0.5, source, -10, kept), [])
    count = len(out) // 2
    middle = slice(count // 4, 3 * count // 4)
    expected = np.frombuffer(tone(count / target, target, -10, kept), "<i2")[middle].astype(float)
    found = np.frombuffer(out, "<i2")[middle].astype(float)
    assert np.sqrt(np.mean((found - expected) ** 2)) < 0.01 * np.sqrt(np.mean(expected**2))
    if source > target:
        folded = tone(0.5, source, -10, min(nyquist * 1.2, 0.97 * source / 2))
        middle_out = run(Resampler(source, target, lag=lag), folded, [])[count // 4 * 2 : count // 4 * 6]
        assert measure(middle_out).rms < -10 - 58


def test_loud_peaks_are_limited_not_wrapped() -> None:
    square = np.tile(np.repeat(np.array([32_767, -32_768], "<i2"), 24), 100).tobytes()
    out = np.frombuffer(run(Resampler(48_000, 16_000), square, []), "<i2")[96:-96].reshape(-1, 8)[:, 2:6]
    assert (abs(out.astype(int)) > 25_000).all()


def test_nonsense_is_refused() -> None:
    for wrong in (0, -16_000, 3_999, 10**6):
        with pytest.raises(InvalidAudio):
            Resampler(wrong, 16_000)
        with pytest.raises(InvalidAudio):
            resample(b"", 16_000, wrong)
    with pytest.raises(InvalidAudio):
        Resampler(8_000, 16_000).process(b"\0")
    with pytest.raises(InvalidAudio):
        Resampler(8_000, 8_000).process(b"\0")
