"""The decoder against ffmpeg: every container it knows, cut anyhow, cut short, damaged, and what is no audio at all."""

from __future__ import annotations

import gc
import io
import random
import struct
import tempfile
from functools import cache
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.audio.players import best_shift, ffmpeg, likeness, samples
from vivavoce.audio.codecs import wav
from vivavoce.audio.codecs.decoder import PIECE, Decoder, DecoderLimits, decode
from vivavoce.audio.codecs.encoder import open_encoder
from vivavoce.audio.resample import resample
from vivavoce.contracts.audio import AudioFormat
from vivavoce.contracts.errors import InternalError, InvalidAudio
from vivavoce.testing.speech import silence, speech_like

RATE = 24_000
SAID = speech_like(1.3, RATE, seed=9)

OURS = ("wav", "mp3", "opus", "webm", "aac", "flac")
MUXED: dict[str, tuple[str, list[str]]] = {
    "ogg-vorbis": ("ogg", ["-c:a", "libvorbis"]),
    "ogg-flac": ("ogg", ["-c:a", "flac"]),
    "ogg-opus-stereo": ("ogg", ["-c:a", "libopus", "-ac", "2"]),
    "ogg-opus-60ms": ("opus", ["-c:a", "libopus", "-frame_duration", "60"]),
    "ogg-speex": ("ogg", ["-c:a", "libspeex", "-ar", "16000"]),
    "webm-opus": ("webm", ["-c:a", "libopus"]),
    "webm-vorbis": ("webm", ["-c:a", "libvorbis", "-ac", "2"]),
    "mkv-aac": ("matroska", ["-c:a", "aac"]),
    "mkv-flac": ("matroska", ["-c:a", "flac"]),
    "mkv-mp3": ("matroska", ["-c:a", "libmp3lame"]),
    "mkv-pcm": ("matroska", ["-c:a", "pcm_s16le"]),
    "mp3-tagged": ("mp3", ["-c:a", "libmp3lame", "-metadata", "title=Söng"]),
    "mp3-vbr": ("mp3", ["-c:a", "libmp3lame", "-q:a", "4", "-ac", "2", "-ar", "44100"]),
    "m4a": ("ipod", ["-c:a", "aac"]),
    "m4a-moov-first": ("ipod", ["-c:a", "aac", "-movflags", "+faststart"]),
    "mp4-fragmented": ("mp4", ["-c:a", "aac", "-movflags", "+frag_keyframe+empty_moov"]),
    "mp4-opus": ("mp4", ["-c:a", "libopus"]),
    "m4a-alac": ("ipod", ["-c:a", "alac"]),
    "mov-pcm": ("mov", ["-c:a", "pcm_s16be"]),
    "adts-stereo": ("adts", ["-c:a", "aac", "-ac", "2", "-ar", "48000"]),
    "flac-24": ("flac", ["-c:a", "flac", "-sample_fmt", "s32"]),
    "aiff": ("aiff", []),
    "wav-mulaw": ("wav", ["-c:a", "pcm_mulaw"]),
    "wav-adpcm": ("wav", ["-c:a", "adpcm_ima_wav"]),
    "wav-s24-stereo": ("wav", ["-c:a", "pcm_s24le", "-ac", "2"]),
    "wav-f32": ("wav", ["-c:a", "pcm_f32le"]),
    "wav-rf64": ("wav", ["-rf64", "always"]),
}
EVERY = [*OURS, *MUXED, "amr-nb"]
INCREMENTAL = [
    *("wav", "mp3", "opus", "webm", "aac", "ogg-vorbis", "ogg-flac", "webm-opus", "webm-vorbis", "mkv-aac", "mkv-flac"),
    *("mkv-mp3", "mp3-tagged", "mp3-vbr", "adts-stereo", "wav-s24-stereo", "wav-f32"),
]


@cache
def made(name: str) -> bytes:
    """A recording of SAID. A muxer that goes back needs a file."""
    if name in OURS:
        encoder = open_encoder(name, AudioFormat(RATE))
        return encoder.encode(SAID) + encoder.finish()
    if name == "amr-nb":
        return amr()
    container, options = MUXED[name]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "said"
        source = ["-f", "s16le", "-ar", str(RATE), "-ac", "1", "-i", "pipe:0"]
        ffmpeg([*source, *options, "-f", container, str(path)], SAID)
        return path.read_bytes()


def amr() -> bytes:
    """Debian's ffmpeg has no encoder of AMR."""
    target = io.BytesIO()
    with av.open(target, "w", format="amr") as container:
        stream = container.add_stream("libopencore_amrnb", rate=8_000)
        stream.codec_context.bit_rate, stream.codec_context.layout = 12_200, "mono"
        pcm = np.frombuffer(resample(SAID, RATE, 8_000), "<i2")
        for start in range(0, len(pcm), 160):
            frame = av.AudioFrame.from_ndarray(pcm[None, start : start + 160], format="s16", layout="mono")
            frame.sample_rate, frame.pts = 8_000, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return target.getvalue()


def theirs(data: bytes, codec: str = "") -> bytes:
    """Decoded by the ffmpeg command, which may seek in a file but not in a pipe.

    Opus by the reference decoder: FFmpeg's own is two samples early where Opus speaks SILK.
    """
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        choice = ["-c:a", codec] if codec else []
        return ffmpeg([*choice, "-i", file.name, "-f", "s16le", "-ac", "1", "-ar", "16000", "pipe:1"], b"")


def in_pieces(data: bytes, cuts: list[int]) -> tuple[bytes, bool, str]:
    decoder, out, at = Decoder(), [], 0
    for cut in [*cuts, len(data)]:
        decoder.feed(data[at : at + cut])
        at += cut
        while piece := decoder.read():
            assert len(piece) <= PIECE
            out.append(piece)
    decoder.finish()
    while piece := decoder.read():
        out.append(piece)
    assert decoder.read() == b""
    found = (b"".join(out), decoder.truncated, decoder.container)
    decoder.close()
    decoder.close()
    assert decoder.read() == b""
    return found


def outcome(data: bytes, cuts: list[int]) -> object:
    """What comes of it, the refusal too."""
    try:
        return in_pieces(data, cuts)
    except InvalidAudio as error:
        return error.message


@pytest.mark.parametrize("name", EVERY)
def test_it_hears_what_ffmpeg_hears(name: str) -> None:
    data = made(name)
    heard = decode(data)
    assert heard.rate == 16_000
    assert not heard.truncated
    expected = samples(theirs(data, "libopus" if name in ("opus", "webm", "webm-opus") else ""))
    found = samples(heard.pcm)
    # ADTS says nothing of its delay and some versions of ffmpeg cut it; a raw MP3 is cut by nobody.
    slack = 1_100 if name in ("aac", "adts-stereo", "amr-nb", "mkv-mp3", "mkv-aac", "ogg-speex") else 2
    assert abs(len(found) - len(expected)) <= slack
    shift = best_shift(found, expected, slack) if slack > 2 else 0
    count = min(len(found) - shift, len(expected)) - 1_000
    assert likeness(found[shift : shift + count], expected[:count]) > 0.998
    assert abs(heard.seconds - 1.3) < 0.15


@pytest.mark.parametrize(
    "name", ["wav", "opus", "webm", "flac", "ogg-vorbis", "ogg-flac", "ogg-opus-60ms", "m4a-alac", "webm-opus"]
)
def test_durations_are_exact_where_the_container_says_them(name: str) -> None:
    assert len(decode(made(name)).pcm) // 2 == 20_800


@pytest.mark.parametrize("name", EVERY)
def test_byte_by_byte_is_the_same(name: str) -> None:
    data = made(name)
    whole = in_pieces(data, [])
    assert in_pieces(data[:6_000] + data[6_000:], [1] * 6_000) == whole
    assert in_pieces(data, [len(data) // 2]) == whole
    assert whole[0] == decode(data).pcm


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(EVERY), st.lists(st.integers(0, 9_000), max_size=12), st.integers(0, 4_000))
def test_cuts_do_not_matter_even_for_what_is_cut_short(name: str, cuts: list[int], lost: int) -> None:
    data = made(name)
    data = data[: len(data) - lost]
    assert outcome(data, cuts) == outcome(data, [])


@pytest.mark.parametrize("name", INCREMENTAL)
def test_sound_comes_while_bytes_do(name: str) -> None:
    data = made(name)
    decoder, heard = Decoder(), 0
    half = len(data) * 6 // 10
    for start in range(0, half, 500):
        decoder.feed(data[start : min(start + 500, half)])
        while piece := decoder.read():
            heard += len(piece) // 2
    decoder.close()
    # A page of Ogg or a cluster of WebM made for files may hold the whole second.
    least = 0 if name in ("ogg-vorbis", "ogg-flac") else 5_000
    assert heard >= least


def test_chained_ogg_is_one_recording() -> None:
    assert decode(made("opus") + made("ogg-vorbis") + made("ogg-opus-stereo")).seconds == pytest.approx(3.9, abs=0.01)


def test_mp3s_one_behind_the_other_lose_nothing() -> None:
    found = decode(made("mp3-vbr") + made("mp3-vbr"))
    assert 2.6 <= found.seconds < 2.8


def test_what_is_around_mp3_frames_is_passed_over() -> None:
    plain = decode(made("mp3"))
    assert decode(made("mp3") + b"TAG" + bytes(125)) == plain
    art = b"ID3\x04\0\0" + bytes([0, 1, 0, 0]) + b"\xff\xfb\x90\x64" * (1 << 12)
    assert decode(art + made("mp3")) == plain
    assert decode(bytes(300) + made("mp3")).pcm == plain.pcm


def test_a_change_of_rate_is_followed() -> None:
    def adts(rate: int) -> bytes:
        encoder = open_encoder("aac", AudioFormat(rate))
        return encoder.encode(speech_like(1.0, rate)) + encoder.finish()

    assert decode(adts(24_000) + adts(48_000)).seconds == pytest.approx(2.1, abs=0.15)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"{}", "no audio"),
        (b"<!doctype html><html>" * 500, "no audio"),
        (b"\x89PNG\r\n\x1a\n" + bytes(9_000), "no audio"),
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n" * 300, "no audio"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n" * 300, "no audio"),
        (b"ID3\x04\0\0\x7f\x7f\x7f\x7f", "tag in front"),
        (b"ID3\x04\0\0\0\0\x7f\x7f", "cut short"),
        (b"RIFF\x24\0\0\0WAVE", "ends in its header"),
        (wav.header(AudioFormat(16_000), 0), "no sound"),
        (b"\0\0\0\x18ftypM4A " + bytes(12), "no index"),
        (b"fLaC", "cannot be read"),
        (b"OggS", "no sound"),
    ],
)
def test_what_is_no_sound_is_refused_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(InvalidAudio, match=reason):
        decode(data)
    with pytest.raises(InvalidAudio, match=reason):
        in_pieces(data, [1] * min(40, len(data)))


@pytest.mark.parametrize(("container", "codec"), [("mp4", "mpeg4"), ("webm", "libvpx"), ("ogg", "libtheora")])
def test_video_without_sound_is_told(container: str, codec: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "seen"
        picture = ["-f", "rawvideo", "-s", "64x64", "-pix_fmt", "gray", "-i", "pipe:0", "-pix_fmt", "yuv420p"]
        ffmpeg([*picture, "-c:v", codec, "-f", container, str(path)], bytes(64 * 64 * 10))
        data = path.read_bytes()
    with pytest.raises(InvalidAudio, match="video but no sound"):
        decode(data)


@pytest.mark.parametrize(("container", "codecs"), [("mp4", ["mpeg4", "aac"]), ("webm", ["libvpx", "libopus"])])
def test_the_sound_of_a_video_is_heard(container: str, codecs: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, sound = Path(folder) / "seen", Path(folder) / "sound.wav"
        sound.write_bytes(made("wav"))
        picture = ["-f", "rawvideo", "-s", "64x64", "-r", "10", "-pix_fmt", "gray", "-i", "pipe:0"]
        options = ["-pix_fmt", "yuv420p", "-c:v", codecs[0], "-c:a", codecs[1], "-f", container, str(path)]
        ffmpeg([*picture, "-i", str(sound), *options], random.Random(1).randbytes(64 * 64 * 13))
        data = path.read_bytes()
    assert decode(data).seconds == pytest.approx(1.3, abs=0.05)
    assert in_pieces(data, [777] * (len(data) // 777))[0] == decode(data).pcm


def test_encrypted_files_are_told() -> None:
    key = ["-encryption_scheme", "cenc-aes-ctr", "-encryption_key", "0" * 31 + "1", "-encryption_kid", "0" * 31 + "2"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "locked"
        ffmpeg(
            ["-f", "s16le", "-ar", str(RATE), "-ac", "1", "-i", "pipe:0", "-c:a", "aac", *key, "-f", "mp4", str(path)], SAID
        )
        data = path.read_bytes()
    with pytest.raises(InvalidAudio, match="encrypted") as refused:
        decode(data)
    assert refused.value.code == "unsupported_audio"


def test_bytes_and_duration_are_bounded() -> None:
    decoder = Decoder(DecoderLimits(max_bytes=1_000))
    decoder.feed(bytes(1_000))
    with pytest.raises(InvalidAudio) as large:
        decoder.feed(b"a")
    assert large.value.code == "audio_too_large"
    for name in EVERY:
        with pytest.raises(InvalidAudio, match="longer than 1 s") as long:
            decode(made(name), DecoderLimits(max_seconds=1.0))
        assert long.value.code == "audio_too_long"


def test_use_after_the_end_is_refused() -> None:
    decoder = Decoder()
    decoder.finish()
    with pytest.raises(InternalError):
        decoder.feed(b"a")


def test_recordings(speech: Path) -> None:
    for name in (
        "vad/silero_test.opus",
        "vad/silero_test.mp3",
        "en/jfk_44k1.flac",
        "en/common_voice_en_651325.mp3",
        "en/jfk.wav",
    ):
        data = (speech / name).read_bytes()
        heard = decode(data)
        expected = samples(theirs(data, "libopus" if name.endswith(".opus") else ""))
        assert not heard.truncated, name
        assert abs(len(heard.pcm) // 2 - len(expected)) <= 1, name
        assert likeness(samples(heard.pcm), expected) > 0.995, name  # filters end a little differently
        assert in_pieces(data, [4_001] * (len(data) // 4_001))[0] == heard.pcm, name


def test_broken_recordings_are_refused(speech: Path) -> None:
    for path in sorted((speech / "negative").glob("*.wav")):
        with pytest.raises(InvalidAudio):
            decode(path.read_bytes())


def test_mono_is_the_mean_of_the_channels() -> None:
    left, right = np.full(16_000, 8_000, "<i2"), np.full(16_000, -4_000, "<i2")
    both = np.stack([left, right], axis=1).tobytes()
    body = struct.pack("<HHIIHH", 1, 2, 16_000, 64_000, 4, 16)
    chunks = b"WAVEfmt " + struct.pack("<I", 16) + body + b"data" + struct.pack("<I", len(both)) + both
    assert set(samples(decode(b"RIFF" + struct.pack("<I", len(chunks)) + chunks).pcm)) == {2_000}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "both.flac"
        ffmpeg(["-f", "s16le", "-ar", "16000", "-ac", "2", "-i", "pipe:0", str(path)], both)
        assert set(samples(decode(path.read_bytes()).pcm)) == {2_000}


def test_silence_is_sound() -> None:
    encoder = open_encoder("opus", AudioFormat(16_000))
    data = encoder.encode(silence(0.5)) + encoder.finish()
    assert len(decode(data).pcm) == 16_000


@pytest.mark.parametrize("name", ["wav", "mp3", "opus", "webm", "flac", "m4a"])
def test_closing_in_the_middle_leaks_nothing(name: str) -> None:
    data = made(name)

    def some(count: int) -> int:
        for n in range(count):
            decoder = Decoder()
            decoder.feed(data)
            if n % 2:
                decoder.finish()
            decoder.read()
            decoder.close()
        gc.collect()
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4_096

    # The allocator keeps some memory when it likes; what 300 decoders leave behind would show.
    before = min(some(10) for _ in range(4))
    assert min(some(75) for _ in range(4)) - before < 8_000_000
