"""WAV: what is written can be read, here and by the standard library; what is broken is refused with its reason."""

from __future__ import annotations

import io
import struct
import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import require
from vivavoce.audio.codecs import wav
from vivavoce.audio.convert import Encoding, to_mono16
from vivavoce.contracts.audio import AudioFormat
from vivavoce.contracts.errors import InvalidAudio
from vivavoce.testing.speech import tone

PCM = st.binary(min_size=1, max_size=400).map(lambda data: data + data)


def container(
    body: bytes, *, kind: int = 1, channels: int = 1, rate: int = 16_000, bits: int = 16, extra: bytes = b""
) -> bytes:
    block = channels * bits // 8
    form = struct.pack("<HHIIHH", kind, channels, rate, rate * block, block, bits) + extra
    chunks = b"fmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WAVE" + chunks


@given(PCM, st.sampled_from([8_000, 16_000, 22_050, 24_000, 48_000]))
def test_round_trip(pcm: bytes, rate: int) -> None:
    data = wav.write(pcm, AudioFormat(rate))
    assert wav.read(data) == wav.Recording(pcm, rate)
    with wave.open(io.BytesIO(data)) as other:
        assert (other.getframerate(), other.getnchannels(), other.getsampwidth()) == (rate, 1, 2)
        assert other.readframes(10**6) == pcm


@given(PCM)
def test_a_stream_of_unknown_length_is_read_to_its_end(pcm: bytes) -> None:
    streamed = wav.header(AudioFormat(24_000)) + pcm
    assert len(wav.header(AudioFormat(24_000))) == wav.HEADER_SIZE
    assert wav.read(streamed) == wav.Recording(pcm, 24_000)
    zero = bytearray(streamed)
    zero[4:8] = zero[40:44] = bytes(4)
    assert wav.read(bytes(zero)) == wav.Recording(pcm, 24_000)


def test_a_file_cut_short_is_read_and_says_so() -> None:
    data = wav.write(tone(0.1), AudioFormat(16_000))
    cut = wav.read(data[:-1_001])
    assert cut.truncated
    assert cut.pcm == tone(0.1)[:-1_002]


ENCODINGS: list[tuple[Encoding, int, int]] = [
    ("u8", 1, 8),
    ("s16", 1, 16),
    ("s24", 1, 24),
    ("s32", 1, 32),
    ("f32", 3, 32),
    ("f64", 3, 64),
]


def encode(values: np.ndarray, encoding: Encoding) -> bytes:
    """Values of 16 bits in another encoding."""
    if encoding == "u8":
        return (values // 256 + 128).astype(np.uint8).tobytes()
    if encoding == "s24":
        return b"".join(int(value * 256).to_bytes(3, "little", signed=True) for value in values)
    if encoding == "s32":
        return (values.astype(np.int64) * 65_536).astype("<i4").tobytes()
    if encoding in ("f32", "f64"):
        return (values / 32_768).astype("<f4" if encoding == "f32" else "<f8").tobytes()
    return values.astype("<i2").tobytes()


@pytest.mark.parametrize(("encoding", "kind", "bits"), ENCODINGS)
@pytest.mark.parametrize("channels", [1, 2, 5])
@pytest.mark.parametrize("extensible", [False, True])
def test_every_encoding_becomes_mono_of_16_bits(
    encoding: Encoding, kind: int, bits: int, channels: int, extensible: bool
) -> None:
    values = np.random.default_rng(bits).integers(-32_768, 32_768, (300, channels))
    extra = struct.pack("<HHIH", 22, bits, 0, kind) + wav._GUID_REST if extensible else b""
    data = container(
        encode(values.reshape(-1), encoding), kind=0xFFFE if extensible else kind, channels=channels, bits=bits, extra=extra
    )
    found = np.frombuffer(wav.read(data).pcm, "<i2").astype(float)
    np.testing.assert_allclose(found, values.mean(axis=1), atol=256 if encoding == "u8" else 0.51)


def test_floats_beyond_the_range_or_no_numbers_are_tamed() -> None:
    wild = np.array([np.nan, np.inf, -np.inf, 7.0, -7.0, 1.0], "<f4").tobytes()
    assert np.frombuffer(to_mono16(wild, "f32"), "<i2").tolist() == [0, 32_767, -32_768, 32_767, -32_768, 32_767]


def test_other_chunks_are_passed_over() -> None:
    plain = wav.write(b"abcd", AudioFormat(16_000))
    listed = plain[:12] + b"LIST" + struct.pack("<I", 3) + b"odd\0" + plain[12:] + b"cue \0\0\0\0"
    assert wav.read(listed).pcm == b"abcd"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "no WAV"),
        (b"RIFF\0\0\0\0WAVX", "no WAV"),
        (b"ID3" + bytes(100), "no WAV"),
        (container(b""), "empty"),
        (container(b"\0", bits=16), "empty"),
        (container(b"ab")[:20], "format chunk"),
        (container(b"ab")[:36], "no data chunk"),
        (container(b"ab", kind=6, bits=8), "not supported"),
        (container(b"ab", bits=12), "not supported"),
        (container(b"ab", channels=0), "channels"),
        (container(bytes(200), channels=100), "channels"),
        (container(b"ab", rate=0), "sample rate"),
        (container(b"ab", rate=4_000_000), "sample rate"),
        (container(b"ab", kind=0xFFFE), "extensible"),
        (b"RIFF\0\0\0\0WAVEdata\2\0\0\0ab", "without a format chunk"),
    ],
)
def test_broken_files_are_refused_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(InvalidAudio, match=reason):
        wav.read(data)


def test_size_and_duration_are_bounded() -> None:
    data = wav.write(tone(1.0), AudioFormat(16_000))
    with pytest.raises(InvalidAudio, match="bytes") as large:
        wav.read(data, max_bytes=1_000)
    with pytest.raises(InvalidAudio, match=r"1\.0 s") as long:
        wav.read(data, max_seconds=0.9)
    assert (large.value.code, long.value.code) == ("audio_too_large", "audio_too_long")
    with pytest.raises(InvalidAudio, match="4 GiB"):
        wav.header(AudioFormat(16_000), 2**32)


@settings(max_examples=500)
@given(st.binary(max_size=120), st.integers(0, 60), st.binary(max_size=8))
def test_any_damage_is_either_read_or_refused(tail: bytes, at: int, damage: bytes) -> None:
    data = bytearray(container(b"abcdefgh") + tail)
    data[at : at + len(damage)] = damage
    try:
        recording = wav.read(bytes(data))
    except InvalidAudio as error:
        assert error.message
    else:
        assert recording.pcm
        assert len(recording.pcm) % 2 == 0
        assert 4_000 <= recording.rate <= 192_000


def test_recorded_damage_is_refused(speech: Path) -> None:
    files = sorted((speech / "negative").glob("*.wav"))
    require(files, "no broken recordings")
    for path in files:
        with pytest.raises(InvalidAudio):
            wav.read(path.read_bytes())


def test_hearing_is_16_khz() -> None:
    recording = wav.read(wav.write(tone(1.0, 22_050), AudioFormat(22_050)))
    assert recording.seconds == 1.0
    assert len(recording.hearing()) == 32_000
