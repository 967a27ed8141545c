"""Files that claim or unfold to more than they are: refused or read, and never with much memory."""

from __future__ import annotations

import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.audio.players import ffmpeg
from tests.unit.audio.test_decoder import made
from vivavoce.audio.codecs import ogg, wav
from vivavoce.audio.codecs.decoder import DecoderLimits, decode
from vivavoce.audio.codecs.encoder import open_encoder
from vivavoce.contracts.audio import AudioFormat
from vivavoce.contracts.errors import InvalidAudio

MUCH = 60_000_000
"""Bytes of memory a small file may need, the decoders' own tables included."""


def box(name: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", len(body) + 8, name) + body


def full(name: bytes, *numbers: int, tail: bytes = b"") -> bytes:
    return box(name, bytes(4), struct.pack(f">{len(numbers)}I", *numbers), tail)


def patched(data: bytes, name: bytes, offset: int, value: int) -> bytes:
    at = data.index(name) + 4 + offset
    return data[:at] + struct.pack(">I", value) + data[at + 4 :]


def mp4_of_many_samples() -> bytes:
    """An index with 150 million entries, 3.6 GB in a demuxer, in as few bytes as any recording."""
    data = patched(made("m4a"), b"stsz", 4, 1)
    data = patched(data, b"stsz", 8, 150_000_000)
    return patched(data, b"stsc", 12, 150_000_000)


def mp4_of_many_edits() -> bytes:
    return patched(made("m4a"), b"elst", 4, 100_000)


def mp4_fragment_of_many_samples() -> bytes:
    return patched(made("mp4-fragmented"), b"trun", 4, 150_000_000)


def mp4_of_many_tracks() -> bytes:
    return box(b"ftyp", b"M4A \0\0\0\0") + box(b"moov", *(box(b"trak", full(b"tkhd", *[0] * 20)) for _ in range(3_000)))


def mp4_of_boxes_in_boxes() -> bytes:
    return box(b"ftyp", b"M4A \0\0\0\0") + box(b"moov", b"\0\0\0\x08free" * 200_000)


def mp4_with_compressed_index() -> bytes:
    return box(b"ftyp", b"qt  \0\0\0\0") + box(
        b"moov", box(b"cmov", box(b"dcom", b"zlib"), box(b"cmvd", b"\xff\xff\xff\xff"))
    )


def flac_of_hours() -> bytes:
    """A header that promises a day, with the sound of a second."""
    data = bytearray(made("flac"))
    at = 8 + 10
    packed = int.from_bytes(data[at : at + 8], "big")
    data[at : at + 8] = (packed & ~((1 << 36) - 1) | 24_000 * 86_400).to_bytes(8, "big")
    return bytes(data)


def wav_of_gigabytes() -> bytes:
    return wav.header(AudioFormat(16_000), 0xFFFF_FF00) + bytes(1_000)


def ogg_of_many_streams() -> bytes:
    """Thousands of streams begin; each has a serial number of its own."""
    page = ogg.PageWriter().page(b"nothing known", 0, ogg.BEGIN)
    out = []
    for serial in range(5_000):
        one = page[:14] + struct.pack("<I", serial) + page[18:22] + bytes(4) + page[26:]
        out.append(one[:22] + struct.pack("<I", ogg.checksum(one)) + one[26:])
    return b"".join(out)


def ogg_chained_without_end() -> bytes:
    encoder = open_encoder("opus", AudioFormat(24_000))
    return (encoder.encode(b"") + encoder.finish()) * 2_000


def ogg_packet_without_end() -> bytes:
    """A packet that goes on over 40 MB of pages."""
    head = made("opus")
    start = head.index(b"OggS", 60)
    out, size = [head[:start]], 255 * 255
    for sequence in range(1, 640):
        page = struct.pack("<4sBBqIIIB", b"OggS", 0, int(sequence > 1), -1, ogg._SERIAL, sequence, 0, 255)
        page += b"\xff" * 255 + bytes(size)
        out.append(page[:22] + struct.pack("<I", ogg.checksum(page)) + page[26:])
    return b"".join(out)


def webm_of_many_tracks() -> bytes:
    track = b"\xae\x84\xd7\x82\x00\x01"
    body = track * 20_000
    return b"\x1a\x45\xdf\xa3\x80" + b"\x18\x53\x80\x67\x01" + b"\xff" * 7 + b"\x16\x54\xae\x6b\x08" + _size(body) + body


def webm_of_a_huge_element() -> bytes:
    return (
        b"\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67\x01"
        + b"\xff" * 7
        + b"\x16\x54\xae\x6b\x01\x00\x00\x00\xff\xff\xff\xff"
        + bytes(99)
    )


def tag_of_megabytes() -> bytes:
    return b"ID3\x04\0\0\x7f\x7f\x7f\x7f" + bytes(1_000)


def _size(body: bytes) -> bytes:
    return len(body).to_bytes(4, "big")


REFUSED: list[tuple[Callable[[], bytes], str]] = [
    (mp4_of_many_samples, "samples"),
    (mp4_of_many_edits, "edit list"),
    (mp4_fragment_of_many_samples, "samples"),
    (mp4_of_many_tracks, "cannot be read|no sound"),
    (mp4_of_boxes_in_boxes, "parts"),
    (mp4_with_compressed_index, "compressed index"),
    (ogg_of_many_streams, "streams"),
    (ogg_chained_without_end, "chained"),
    (ogg_packet_without_end, "packet"),
    (webm_of_many_tracks, "tracks"),
    (webm_of_a_huge_element, "bytes"),
    (tag_of_megabytes, "tag in front"),
]


def peak_of(work: Callable[[], None]) -> int:
    """By how many bytes the resident memory of this process rose at most."""
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    work()
    return _status("VmHWM") - before


def _status(name: str) -> int:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1_024


@pytest.mark.parametrize(("make", "reason"), REFUSED, ids=lambda value: getattr(value, "__name__", ""))
def test_claims_are_refused_with_the_reason_and_cost_no_memory(make: Callable[[], bytes], reason: str) -> None:
    data = make()

    def work() -> None:
        with pytest.raises(InvalidAudio, match=reason):
            decode(data)

    assert peak_of(work) < MUCH + 2 * len(data)


@pytest.mark.parametrize("make", [flac_of_hours, wav_of_gigabytes], ids=lambda make: make.__name__)
def test_a_false_claim_of_length_is_read_for_what_it_is(make: Callable[[], bytes]) -> None:
    data = make()

    def work() -> None:
        found = decode(data)
        assert found.truncated
        assert found.seconds < 2

    assert peak_of(work) < MUCH


def test_silence_that_unfolds_to_hours_stops_at_the_limit() -> None:
    """Much sound in few bytes: decoding stops at the limit, and holds a second of it at a time."""
    encoder = open_encoder("flac", AudioFormat(24_000))
    minute = bytes(2 * 24_000 * 60)
    data = b"".join(encoder.encode(minute) for _ in range(30)) + encoder.finish()
    encoder.close()
    assert len(data) < 300_000

    def work() -> None:
        with pytest.raises(InvalidAudio) as refused:
            decode(data, DecoderLimits(max_seconds=60))
        assert refused.value.code == "audio_too_long"

    assert peak_of(work) < MUCH


@pytest.mark.parametrize("rate", [1, 3_999, 192_001, 655_350])
def test_absurd_rates_are_refused(rate: int) -> None:
    encoded = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", 0, b"WAVE", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16)
    with pytest.raises(InvalidAudio, match="sample rate"):
        decode(encoded + b"data\xff\xff\xff\xff" + bytes(100))


@pytest.mark.parametrize("container", ["flac", "ogg", "matroska"])
@pytest.mark.parametrize("rate", [2_000, 384_000])
def test_absurd_rates_of_compressed_sound_are_refused(container: str, rate: int) -> None:
    sound = ["-f", "s16le", "-ar", str(rate), "-ac", "1", "-i", "pipe:0"]
    data = ffmpeg([*sound, "-c:a", "flac", "-strict", "-2", "-f", container, "pipe:1"], bytes(80_000))
    with pytest.raises(InvalidAudio, match="sample rate"):
        decode(data)


def test_absurd_channels_are_refused() -> None:
    encoded = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", 0, b"WAVE", b"fmt ", 16, 1, 65_535, 16_000, 0, 65_534, 16)
    with pytest.raises(InvalidAudio, match="channels"):
        decode(encoded + b"data\xff\xff\xff\xff" + bytes(200_000))


def test_a_rate_without_a_common_measure_needs_no_table() -> None:
    data = wav.write(bytes(2 * 44_101), AudioFormat(44_101))

    def work() -> None:
        assert decode(data).seconds == 1.0

    assert peak_of(work) < 10_000_000


WITHOUT = """
import sys
sys.modules["av"] = sys.modules["lameenc"] = None
from vivavoce.audio.codecs.decoder import decode
from vivavoce.audio.codecs.encoder import FORMATS, open_encoder
from vivavoce.contracts.audio import AudioFormat
from vivavoce.contracts.errors import EngineMissing
for name in FORMATS:
    try:
        encoder = open_encoder(name, AudioFormat(16_000))
    except EngineMissing as error:
        print(name, "missing", error.message)
    else:
        data = encoder.encode(bytes(640)) + encoder.finish()
        print(name, len(data), len(decode(data).pcm) if name == "wav" else "")
mp3 = b"\\xff\\xfb\\x90\\x64" + bytes(413)
for data in (b"OggS" + bytes(30), b"fLaC" + bytes(60), mp3 + mp3):
    try:
        decode(data)
    except EngineMissing as error:
        print(error.message)
    except Exception as error:
        print(type(error).__name__, error)
"""


def test_without_the_packages_the_rest_works_and_the_errors_say_what_mends_them() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines if "missing" in line] == ["mp3", "opus", "aac", "flac", "webm"]
    assert all("pip install 'vivavoce[codecs]'" in line for line in lines if "missing" in line)
    assert lines[0].split() == ["pcm", "640"]
    assert lines[1].split() == ["wav", "684", "640"]
    assert "InvalidAudio" in lines[-3], "a page that is none"
    assert all("pip install 'vivavoce[codecs]'" in line for line in lines[-2:])
