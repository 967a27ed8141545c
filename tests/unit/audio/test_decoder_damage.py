"""What is cut short, damaged, random or made to mislead: read as far as it goes, or refused with the reason."""

from __future__ import annotations

import random
import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.audio.players import likeness, samples
from tests.unit.audio.test_decoder import EVERY, INCREMENTAL, RATE, SAID, in_pieces, made, outcome
from vivavoce.audio.codecs import ogg
from vivavoce.audio.codecs.decoder import Decoder, DecoderLimits, decode
from vivavoce.audio.codecs.encoder import EncoderOptions, open_encoder
from vivavoce.contracts.audio import AudioFormat
from vivavoce.contracts.errors import InvalidAudio
from vivavoce.testing.speech import speech_like

SELF_EVIDENT = [
    "wav-s24-stereo",
    "opus",
    "ogg-vorbis",
    "ogg-flac",
    "flac",
    "m4a-moov-first",
    "mp3-vbr",
    "wav-f32",
    "aiff",
    "webm-opus",
]
"""Containers that say how long they are, or where they end."""


@pytest.mark.parametrize("name", EVERY)
def test_what_is_cut_short_is_read_as_far_as_it_goes(name: str) -> None:
    data = made(name)
    whole = samples(decode(data).pcm)
    chance = random.Random(name)
    read = 0
    for _ in range(12):
        short = data[: chance.randrange(len(data))]
        try:
            found = decode(short)
        except InvalidAudio as error:
            assert error.message
            continue
        read += 1
        heard = samples(found.pcm)
        assert 0 < len(heard) <= len(whole) + 1_200
        if len(heard) > 6_000:
            assert likeness(heard[:4_500], whole[:4_500]) > 0.99
        # FFmpeg's figures for whole files are believed to 0.1 s only.
        if name in SELF_EVIDENT and (name in INCREMENTAL or len(heard) < len(whole) - 1_700):
            assert found.truncated
    if name in INCREMENTAL and not name.startswith("ogg"):
        assert read >= 5


def test_a_recorder_that_was_stopped_is_not_cut_short() -> None:
    """A live WebM stream has no stated end: whole clusters are a whole recording."""
    encoder = open_encoder("webm", AudioFormat(RATE))
    data = encoder.encode(SAID)
    encoder.close()
    found = decode(data)
    assert not found.truncated
    assert decode(data[:-5]).truncated


HEADS = [
    *(b"", b"RIFF\x24\0\0\0WAVEfmt ", b"OggS\0\x02", b"\x1a\x45\xdf\xa3", b"\xff\xfb\x90\x64", b"\xff\xf1\x50\x80"),
    *(b"fLaC\0\0\0\x22", b"ID3\x04\0\0\0\0\0\x0a", b"\0\0\0\x20ftypM4A ", b"#!AMR\n", b"FORM\0\0\0\x40AIFF"),
    b"RF64\xff\xff\xff\xffWAVEds64",
]


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400), st.sampled_from(HEADS))
def test_random_bytes_are_refused_or_read(tail: bytes, head: bytes) -> None:
    first = outcome(head + tail, [])
    assert first
    assert outcome(head + tail, [3, 11, 50]) == first


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(EVERY), st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=9)), min_size=1, max_size=6)
)
def test_any_damage_is_read_or_refused(name: str, damages: list[tuple[float, bytes]]) -> None:
    data = bytearray(made(name))
    for where, damage in damages:
        at = int(where**3 * (len(data) - 10))  # more often in the headers
        data[at : at + len(damage)] = damage
    try:
        found = decode(bytes(data), DecoderLimits(max_seconds=30))
    except InvalidAudio as error:
        assert error.message
    else:
        assert found.pcm


def test_damage_in_the_middle_costs_only_the_middle() -> None:
    for name in ("opus", "mp3", "aac", "webm"):
        data = bytearray(made(name))
        middle = len(data) // 2
        data[middle : middle + 400] = random.Random(1).randbytes(400)
        found = decode(bytes(data))
        assert found.truncated, name
        assert 0.7 < found.seconds < 1.4, name


def pages(data: bytes) -> list[bytes]:
    """The pages of an undamaged Ogg file."""
    found, at = [], 0
    while at < len(data):
        size = 27 + data[at + 26] + sum(data[at + 27 : at + 27 + data[at + 26]])
        found.append(data[at : at + size])
        at += size
    return found


def signed(page: bytes) -> bytes:
    """With the right checksum."""
    page = page[:22] + bytes(4) + page[26:]
    return page[:22] + struct.pack("<I", ogg.checksum(page)) + page[26:]


@pytest.mark.parametrize("name", ["opus", "ogg-vorbis", "ogg-flac", "ogg-opus-60ms"])
def test_an_empty_packet_in_ogg_does_not_end_the_sound(name: str) -> None:
    """FFmpeg's codecs take a packet without bytes for the end of the stream."""
    whole = pages(made(name))
    at = min(len(whole) - 1, max(3, len(whole) // 2))
    page = whole[at]
    whole[at] = signed(page[:26] + bytes([page[26] + 1, 0]) + page[27:])
    assert decode(b"".join(whole)) == decode(made(name))


def test_an_empty_block_in_webm_does_not_end_the_sound() -> None:
    encoder = open_encoder("webm", AudioFormat(RATE))
    half = len(SAID) // 4 * 2
    data, rest = encoder.encode(SAID[:half]), encoder.encode(SAID[half:]) + encoder.finish()
    plain = decode(data + rest)
    assert plain.seconds == pytest.approx(1.3, abs=0.001)
    assert decode(data + b"\xa3\x84\x81\0\0\x80" + rest) == plain


def test_a_page_that_claims_more_than_there_is_costs_itself() -> None:
    """Damage in the table of sizes: the pages behind it are here, and are read when no more bytes come."""
    whole = pages(made("opus"))
    at = len(whole) // 2
    whole[at] = whole[at][:26] + b"\xff" + whole[at][27:]
    found = decode(b"".join(whole))
    assert found.truncated
    assert 1.2 < found.seconds <= 1.3
    assert outcome(b"".join(whole), [100] * 40) == outcome(b"".join(whole), [])


@pytest.mark.parametrize("version", [b"\0", b"\xff"])
def test_pages_forged_to_overlap_are_given_up(version: bytes) -> None:
    """Every 27 bytes claim the 58 KB behind them: to check all their sums costs 2 000 times what was sent."""
    forged = (b"OggS" + version + b"\xff" * 22) * 10_000
    with pytest.raises(InvalidAudio, match="wrong checksums"):
        decode(forged)
    begun = b"".join(pages(made("opus"))[:20])
    found = decode(begun + forged)
    assert found.truncated
    assert found.pcm == decode(begun).pcm


def test_honest_damage_of_megabytes_is_not_given_up() -> None:
    encoder = open_encoder("opus", AudioFormat(RATE), EncoderOptions(bit_rate=256_000))
    whole = pages(encoder.encode(speech_like(75.0, RATE)) + encoder.finish())
    damaged = [page if n < 5 or n % 8 == 0 else page[:-1] + bytes([page[-1] ^ 1]) for n, page in enumerate(whole)]
    assert sum(map(len, damaged)) * 7 // 8 > 3 * ogg._MAX_VAIN // 2
    kept = [page for n, page in enumerate(whole) if n < 5 or n % 8 == 0]
    found = decode(b"".join(damaged))
    assert found.truncated
    assert found.pcm == decode(b"".join(kept)).pcm
    assert found.seconds > 8


def test_tags_in_front_of_tags_are_passed_over_or_refused() -> None:
    tag = b"ID3\x04\0\0\0\0\0\x03abc"
    assert decode(tag * 8 + made("mp3")) == decode(made("mp3"))
    assert in_pieces(tag * 3 + made("flac"), [1] * 60)[0] == decode(made("flac")).pcm
    for count in (9, 5_000):
        with pytest.raises(InvalidAudio, match="tag in front"):
            decode(tag * count + made("mp3"))


def test_frames_within_frames_do_not_depend_on_the_cuts() -> None:
    """MP3 frames that hold what looks like AAC frames, which are here, one behind another, before the first MP3 frame is."""
    adts = b"\xff\xf1\x50\x80\x02\x1f\xfc" + bytes(9)
    frame = b"\xff\xfb\x90\x64" + bytes(40) + 3 * adts
    data = (frame + bytes(417 - len(frame))) * 6
    assert in_pieces(data, [])[2] == "mp3"
    for size in (1, 60, 100, 416):
        assert in_pieces(data, [size] * (len(data) // size)) == in_pieces(data, [])


def test_after_damage_webm_goes_on_at_the_next_cluster_however_it_is_cut() -> None:
    """What is in between looks like blocks: where a piece of it ends must not matter."""
    whole = made("webm")
    at = whole.index(b"\x1f\x43\xb6\x75", len(whole) // 2)
    data = whole[:at] + b"\0" + b"\xa3\x84\x81" * 100 + whole[at:]
    expected = in_pieces(data, [])
    assert expected[1]
    assert expected[0] == decode(whole).pcm
    for size in (1, 7, 64, 100, 333):
        assert in_pieces(data, [size] * (len(data) // size)) == expected


def test_a_tag_behind_the_last_frame_is_no_sound_where_a_cut_goes_through_its_name() -> None:
    data = made("mp3")
    frame = b"\xff\xe3\x18\xc4" + bytes(68)
    tagged = data + b"TAG" + bytes(20) + frame + bytes(33)
    expected = in_pieces(tagged, [])
    assert expected == in_pieces(data, [])
    for cut in range(1, 12):
        assert in_pieces(tagged, [len(data), cut]) == expected


STEADY = ["wav", "wav-f32", "opus", "webm", "webm-opus", "flac", "ogg-flac", "mkv-flac"]
"""FFmpeg's MP3, AAC and Vorbis decoders do not make the same of the same damaged packets each time."""


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(STEADY),
    st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=40)), min_size=1, max_size=4),
    st.lists(st.integers(1, 900), max_size=30),
)
def test_cuts_do_not_matter_for_what_is_damaged(name: str, damages: list[tuple[float, bytes]], cuts: list[int]) -> None:
    data = bytearray(made(name))
    for where, damage in damages:
        at = 12 + int(where * (len(data) - 60))  # behind what makes it this container
        data[at : at + len(damage)] = damage
    assert outcome(bytes(data), cuts) == outcome(bytes(data), [])


@pytest.mark.parametrize("value", [b"\x01\0\x80\x7f", b"\x01\0\xc0\xff", b"\0\0\x80\x7f", b"\xff\xff\x7f\x7f"])
def test_floats_that_are_no_numbers_are_sound_without_a_warning(value: bytes) -> None:
    """Signalling and quiet NaN, infinity, the largest."""
    data = made("wav-f32")
    assert len(decode(data[:-400] + 100 * value).pcm) == len(decode(data).pcm)


def test_a_huge_format_chunk_is_refused_before_it_is_here() -> None:
    decoder = Decoder()
    decoder.feed(b"RIFF\xff\xff\xff\xffWAVEfmt " + struct.pack("<I", (1 << 24) - 1) + bytes(5_000))
    with pytest.raises(InvalidAudio, match="format chunk"):
        decoder.read()
    decoder.close()


def encoded_wav(tag: int, bits: int) -> bytes:
    body = b"\x12\x34\x56\x78" * 8_000
    form = struct.pack("<HHIIHH", tag, 1, 16_000, 2_000 * bits, bits // 8, bits)
    return b"RIFF" + struct.pack("<I", 36 + len(body)) + b"WAVEfmt \x10\0\0\0" + form + b"data\0\x7d\0\0" + body


UNKNOWN = {
    "wav-int64": lambda: encoded_wav(1, 64),
    "wav-float16": lambda: encoded_wav(3, 16),
    "wav-9999": lambda: encoded_wav(0x9999, 16),
    "mkv": lambda: made("mkv-aac").replace(b"A_AAC", b"A_XYZ"),
    "ogg": lambda: b"".join(signed(page.replace(b"Speex   ", b"Spoox   ")) for page in pages(made("ogg-speex"))),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_encodings_nobody_knows_are_told(name: str) -> None:
    with pytest.raises(InvalidAudio, match=r"known encoding|not supported") as refused:
        decode(UNKNOWN[name]())
    assert refused.value.code == "unsupported_audio"
