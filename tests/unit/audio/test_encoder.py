"""Streaming encoders, heard with ffmpeg: length, content, early bytes, cuts that do not matter, playable at any moment."""

from __future__ import annotations

import gc
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import require
from tests.unit.audio.players import CONTAINERS, best_shift, likeness, play, samples
from vivavoce.audio.codecs import ogg, wav
from vivavoce.audio.codecs.encoder import FORMATS, EncoderOptions, open_encoder
from vivavoce.audio.resample import resample
from vivavoce.contracts.audio import AudioFormat
from vivavoce.contracts.errors import InternalError, InvalidAudio, InvalidRequest, UnknownName
from vivavoce.testing.speech import speech_like

RATES = (8_000, 16_000, 22_050, 24_000, 44_100, 48_000)
EXACT = ("pcm", "wav", "pcmu", "pcma", "opus", "webm", "flac")
DELAY = {"mp3": 1_105, "aac": 1_024}
"""Samples of silence a player puts in front, because the stream cannot tell it not to."""
PADDING = {"mp3": 2_050, "aac": 2_047}
LIKE = {"pcm": 0.9999, "wav": 0.9999, "flac": 0.9999, "mp3": 0.995, "aac": 0.98, "pcmu": 0.998, "pcma": 0.998}
FIRST = {"opus": 0.040, "mp3": 0.080, "aac": 0.100, "flac": 0.120, "webm": 0.120, "wav": 0.004, "pcm": 0.004}
"""Seconds of sound that must go in at most before the first decodable sound comes out."""
LAG = {"opus": 0.025, "mp3": 0.095, "aac": 0.100, "flac": 0.110, "webm": 0.085, "wav": 0.004, "pcm": 0.004}
"""Seconds of sound that at most are in and cannot yet be played."""


def encode(name: str, pcm: bytes, rate: int, cuts: list[int] | None = None, options: EncoderOptions | None = None) -> bytes:
    encoder = open_encoder(name, AudioFormat(rate), options)
    out, at = [], 0
    for cut in cuts or []:
        out.append(encoder.encode(pcm[at : at + cut]))
        at += cut
    out += [encoder.encode(pcm[at:]), encoder.finish()]
    assert encoder.finish() == b""
    encoder.close()
    encoder.close()
    assert encoder.finish() == b""
    return b"".join(out)


def stream_rate(name: str, rate: int) -> int:
    encoder = open_encoder(name, AudioFormat(rate))
    encoder.close()
    return encoder.rate


def length(count: int, rate: int, target: int) -> int:
    return (2 * count * target + rate) // (2 * rate)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("name", FORMATS)
def test_what_is_heard_is_what_was_said(name: str, rate: int) -> None:
    pcm = speech_like(1.0, rate, seed=rate)
    target = stream_rate(name, rate)
    heard = play(name, encode(name, pcm, rate), target)
    expected = samples(resample(pcm, rate, target))
    if name in EXACT:
        assert len(heard) == len(expected)
    else:
        assert DELAY[name] <= len(heard) - len(expected) <= PADDING[name]
    shift = DELAY.get(name, 0)
    # Opus keeps what is heard, not the wave: its likeness is measured in bands below.
    if name in LIKE:
        assert likeness(heard[shift:], expected) > LIKE[name]
    assert best_shift(heard, expected, shift + 40) == pytest.approx(shift, abs=1)


@pytest.mark.parametrize("name", ["opus", "webm", "aac", "mp3"])
def test_lossy_formats_keep_the_loudness_of_every_band_at_every_moment(name: str) -> None:
    pcm = speech_like(2.0, 24_000, seed=5)
    target = stream_rate(name, 24_000)
    heard = play(name, encode(name, pcm, 24_000), target)[DELAY.get(name, 0) :]
    loud = []
    for sound in (heard, samples(resample(pcm, 24_000, target))):
        frames = sound[: target * 2 // 2_048 * 2_048].reshape(-1, 2_048) * np.hanning(2_048)
        power = np.abs(np.fft.rfft(frames, axis=1)) ** 2
        edges = np.array([200, 400, 800, 1_600, 3_200]) * 2_048 // target
        loud.append(10 * np.log10(np.add.reduceat(power, edges, axis=1)[:, :-1] + 1))
    difference = np.abs(loud[0] - loud[1])[loud[1] > loud[1].max() - 30]
    assert np.median(difference) < 1.5
    assert np.percentile(difference, 95) < 4


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("count", [1, 2, 647, 648, 959, 960, 961, 2_304, 2_305, 24_001])
def test_lengths_are_exact_to_the_sample(name: str, count: int) -> None:
    pcm = speech_like(2.0, 24_000)[: 2 * count]
    target = stream_rate(name, 24_000)
    due = length(count, 24_000, target)
    heard = len(play(name, encode(name, pcm, 24_000), target))
    if name == "webm" and due < 648:  # one packet carries both trims: players keep the look-ahead
        assert due <= heard <= due + 312
    else:
        assert heard == due


@pytest.mark.parametrize("rate", [4_000, 11_025, 12_347, 96_000, 192_000])
@pytest.mark.parametrize("name", FORMATS)
def test_every_rate_is_taken(name: str, rate: int) -> None:
    target = stream_rate(name, rate)
    heard = len(play(name, encode(name, speech_like(0.25, rate), rate), target))
    assert 0 <= heard - length(round(0.25 * rate), rate, target) <= PADDING.get(name, 0)
    asked = encode(name, speech_like(0.25, rate), rate, options=EncoderOptions(rate=16_000))
    assert asked


@pytest.mark.parametrize("name", FORMATS)
def test_an_empty_stream_is_finished_without_a_sound(name: str) -> None:
    data = encode(name, b"", 24_000)
    if name in ("pcm", "pcmu", "pcma", "mp3", "aac"):
        assert data == b""
    else:
        assert len(data) < 700
        assert len(play(name, data, 48_000, check=False)) == 0


@pytest.mark.parametrize("name", ["mp3", "aac"])
def test_one_sample_makes_a_stream(name: str) -> None:
    assert 1 <= len(play(name, encode(name, b"\x10\x20", 24_000), 24_000)) <= PADDING[name] + 1


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(FORMATS), st.sampled_from(RATES), st.integers(0, 9_000), st.data())
def test_cuts_do_not_matter(name: str, rate: int, size: int, data: st.DataObject) -> None:
    pcm = np.random.default_rng(size).integers(-9_000, 9_000, size // 2 + 1).astype("<i2").tobytes()[:size]
    cuts = data.draw(st.lists(st.integers(0, 3_001), max_size=9))
    assert encode(name, pcm, rate, cuts) == encode(name, pcm, rate)


@pytest.mark.parametrize("name", FORMATS)
def test_byte_by_byte_is_the_same(name: str) -> None:
    pcm = speech_like(0.05, 16_000)
    assert encode(name, pcm, 16_000, [1] * len(pcm)) == encode(name, pcm, 16_000)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("name", FIRST)
def test_the_first_sound_comes_early(name: str, rate: int) -> None:
    encoder = open_encoder(name, AudioFormat(rate))
    fed = encoder.encode(speech_like(0.2, rate)[: 2 * int(FIRST[name] * rate)])
    encoder.close()
    assert len(play(name, fed, encoder.rate, check=False)) > 0


@pytest.mark.parametrize("name", LAG)
def test_what_has_come_out_can_be_played_at_any_moment(name: str) -> None:
    rate = 24_000
    pcm = speech_like(1.0, rate, seed=3)
    target = stream_rate(name, rate)
    whole = play(name, encode(name, pcm, rate), target)
    encoder = open_encoder(name, AudioFormat(rate))
    out, fed = b"", 0
    for step in (0.13, 0.0213, 0.2, 0.07, 0.111, 0.3):
        count = int(step * rate)
        out += encoder.encode(pcm[2 * fed : 2 * (fed + count)])
        fed += count
        heard = play(name, out, target, check=False)
        due = length(fed, rate, target)
        assert due - len(heard) <= LAG[name] * target
        agreed = min(len(heard), due) - 700  # a decoder that sees the stream end here may end it differently
        assert likeness(heard[:agreed], whole[:agreed]) > 0.999
    encoder.close()


def test_known_length_makes_an_exact_wav_header() -> None:
    pcm = speech_like(0.5, 16_000)
    options = EncoderOptions(rate=24_000, samples=len(pcm) // 2)
    data = encode("wav", pcm, 16_000, [777], options)
    assert struct.unpack_from("<I", data, 40)[0] == len(data) - wav.HEADER_SIZE == 2 * 12_000
    assert struct.unpack_from("<I", data, 4)[0] == len(data) - 8
    streamed = encode("wav", pcm, 16_000, [777], EncoderOptions(rate=24_000))
    assert struct.unpack_from("<I", streamed, 40)[0] == struct.unpack_from("<I", streamed, 4)[0] == 0xFFFF_FFFF
    assert streamed[44:] == data[44:]


def test_a_broken_promise_of_length_is_told() -> None:
    short = open_encoder("wav", AudioFormat(16_000), EncoderOptions(samples=10))
    short.encode(bytes(18))
    with pytest.raises(InvalidAudio, match="9 samples"):
        short.finish()
    long = open_encoder("wav", AudioFormat(16_000), EncoderOptions(samples=10))
    with pytest.raises(InvalidAudio, match="more than the 10"):
        long.encode(bytes(22))


def test_half_a_sample_at_the_end_is_left_out() -> None:
    assert encode("pcm", b"abc", 16_000) == b"ab"


def test_mp3_has_no_xing_frame_and_whole_frames() -> None:
    data = encode("mp3", speech_like(1.0, 24_000), 24_000)
    assert b"Xing" not in data
    assert b"Info" not in data
    assert data[:2] == b"\xff\xf3"
    assert len(data) % 192 == 0


def test_bit_rates_are_used() -> None:
    pcm = speech_like(2.0, 24_000)
    for name in ("mp3", "opus", "aac", "webm"):
        small, large = (len(encode(name, pcm, 24_000, options=EncoderOptions(bit_rate=r))) for r in (24_000, 96_000))
        assert small < 0.6 * large, name


def pages(data: bytes) -> list[tuple[int, int, int, bytes]]:
    """Flags, granule position, sequence number and body of each page; checksums are checked by the rule as it is written."""
    found, at = [], 0
    while at < len(data):
        magic, version, flags, granule, _, sequence, checksum, count = struct.unpack_from("<4sBBqIIIB", data, at)
        assert (magic, version) == (b"OggS", 0)
        size = 27 + count + sum(data[at + 27 : at + 27 + count])
        page = data[at : at + 22] + bytes(4) + data[at + 26 : at + size]
        value = 0
        for byte in page:
            value ^= byte << 24
            for _ in range(8):
                value = (value << 1 ^ (0x04C1_1DB7 if value & 0x8000_0000 else 0)) & 0xFFFF_FFFF
        assert value == checksum
        found.append((flags, granule, sequence, page[27 + count :]))
        at += size
    return found


@pytest.mark.parametrize("count", [0, 1, 648, 960, 30_000])
def test_ogg_pages_carry_the_right_flags_and_positions(count: int) -> None:
    found = pages(encode("opus", speech_like(1.0, 48_000)[: 2 * count], 48_000))
    assert [page[2] for page in found] == list(range(len(found)))
    assert found[0][3].startswith(b"OpusHead\x01\x01")
    assert found[1][3].startswith(b"OpusTags")
    assert [page[0] for page in found] == [ogg.BEGIN, *[0] * (len(found) - 2), ogg.END]
    skip = struct.unpack_from("<H", found[0][3], 10)[0]
    assert [page[1] for page in found[2:-1]] == [960 * (n + 1) for n in range(len(found) - 3)]
    assert found[-1][1] == skip + count
    assert 960 * (len(found) - 2) >= found[-1][1] > 960 * (len(found) - 3)


def test_opusinfo_has_no_complaint(tmp_path: Path) -> None:
    require(shutil.which("opusinfo"), "opusinfo is not installed: apt-get install opus-tools")
    (tmp_path / "said.opus").write_bytes(encode("opus", speech_like(1.5, 24_000), 24_000))
    told = subprocess.run(["opusinfo", str(tmp_path / "said.opus")], capture_output=True, text=True, check=True)
    assert "WARNING" not in (told.stdout + told.stderr).upper()
    assert "Playback length: 0m:01.500s" in told.stdout
    assert "Original sample rate: 24000 Hz" in told.stdout


def test_use_after_the_end_is_refused() -> None:
    for name in FORMATS:
        finished, closed = (open_encoder(name, AudioFormat(24_000)) for _ in range(2))
        finished.finish()
        closed.encode(bytes(4_000))
        closed.close()
        for encoder in (finished, closed):
            with pytest.raises(InternalError):
                encoder.encode(b"ab")
            encoder.close()


def test_nonsense_is_refused() -> None:
    with pytest.raises(UnknownName, match="mp3") as unknown:
        open_encoder("wma", AudioFormat(16_000))
    assert unknown.value.code == "unknown_format"
    with pytest.raises(InvalidAudio, match="mono"):
        open_encoder("wav", AudioFormat(16_000, 2))
    for rate in (0, 3_999, 10**6):
        with pytest.raises(InvalidAudio, match="out of range"):
            open_encoder("mp3", AudioFormat(rate))
    with pytest.raises(InvalidRequest, match="bit rate"):
        open_encoder("mp3", AudioFormat(16_000), EncoderOptions(bit_rate=1))
    with pytest.raises(InvalidRequest):
        open_encoder("wav", AudioFormat(16_000), EncoderOptions(samples=-1))


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4_096


@pytest.mark.parametrize("name", CONTAINERS)
def test_closing_in_the_middle_leaks_nothing(name: str) -> None:
    pcm = speech_like(0.11, 24_000)

    def some(count: int) -> int:
        for _ in range(count):
            encoder = open_encoder(name, AudioFormat(24_000))
            encoder.encode(pcm)
            encoder.close()
        gc.collect()
        return resident()

    # The allocator keeps one or two encoders' memory (a FLAC encoder has 7 MB) when it likes; 300 of them would show.
    before = min(some(10) for _ in range(4))
    assert min(some(75) for _ in range(4)) - before < 16_000_000
