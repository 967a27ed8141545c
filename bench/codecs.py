"""Encoders and decoders: what a second of sound costs, and how far what can be played is behind what was said.

Mono at 24 kHz, synthetic speech, 20 ms a call, one thread. *Lag* is the sound that is in minus the sound a player can have
heard from the bytes that are out, the codec's delay taken off; it is counted in samples, so a busy machine does not change
it. *First sound* is how much must go in before anything can be played. CPU is process time.
"""

from __future__ import annotations

import time

from bench.result import Options, Result
from bench.stats import Bar, Figure, figure, single
from vivavoce.audio.codecs.decoder import decode
from vivavoce.audio.codecs.encoder import FORMATS, Encoder, open_encoder
from vivavoce.audio.codecs.libav import missing
from vivavoce.contracts.audio import HEARING, SAMPLE_WIDTH, AudioFormat
from vivavoce.contracts.errors import InvalidAudio
from vivavoce.testing.speech import speech_like

FORM = AudioFormat(24_000)
CHUNK = FORM.samples(0.02) * SAMPLE_WIDTH
DELAY = {"mp3": 1_105 / 24_000, "aac": 1_024 / 24_000}
"""Seconds of silence a player puts in front."""
FIRST = {"opus": 40.0, "mp3": 80.0, "aac": 100.0, "flac": 120.0, "webm": 120.0}
RAW = ("pcm", "pcmu", "pcma")
"""Without a container: every byte can be played."""


def run(options: Options) -> Result:
    """Every format."""
    result = Result("codecs", "Codecs")
    if missing is not None:
        result.skipped = "the packages of the extra codecs are not installed"
        return result
    seconds, times = (4.0, 2) if options.quick else (20.0, 5)
    pcm = speech_like(seconds, FORM.rate)
    for name in FORMATS:
        data = _encoded(name, pcm)
        result.figures.append(single(f"{name}: encode", "µs CPU/s", [_encode_cost(name, pcm) for _ in range(times)]))
        if name in RAW:
            continue
        result.figures.append(single(f"{name}: decode", "µs CPU/s", [_decode_cost(data, seconds) for _ in range(times)]))
        first, lags = _lag(name, pcm[: 100 * CHUNK])
        bars = (Bar("value", FIRST[name]),) if name in FIRST else ()
        result.figures.append(Figure(f"{name}: first sound", "ms", value=first, bars=bars))
        result.figures.append(figure(f"{name}: lag", "ms", [lags]))
        result.figures.append(Figure(f"{name}: bit rate", "kbit/s", value=8 * len(data) / seconds / 1_000))
    return result


def _encoded(name: str, pcm: bytes) -> bytes:
    encoder = open_encoder(name, FORM)
    out = [encoder.encode(pcm[start : start + CHUNK]) for start in range(0, len(pcm), CHUNK)]
    out.append(encoder.finish())
    encoder.close()
    return b"".join(out)


def _encode_cost(name: str, pcm: bytes) -> float:
    began = time.process_time()
    _encoded(name, pcm)
    return 1e6 * (time.process_time() - began) / (len(pcm) / SAMPLE_WIDTH / FORM.rate)


def _decode_cost(data: bytes, seconds: float) -> float:
    began = time.process_time()
    decode(data)
    return 1e6 * (time.process_time() - began) / seconds


def _lag(name: str, pcm: bytes) -> tuple[float, list[float]]:
    """Milliseconds that go in before the first sound, to 5 ms; and of lag after each chunk from the first half second on."""
    first, out, encoder = 0.0, b"", open_encoder(name, FORM)
    quarter = CHUNK // 4
    while not _heard(out):
        out += encoder.encode(pcm[len(pcm) - quarter :])
        first += 5.0
    encoder.close()
    return first, _lags(name, pcm, open_encoder(name, FORM))


def _lags(name: str, pcm: bytes, encoder: Encoder) -> list[float]:
    out, lags = b"", []
    for start in range(0, len(pcm), CHUNK):
        out += encoder.encode(pcm[start : start + CHUNK])
        said = (start + CHUNK) / SAMPLE_WIDTH / FORM.rate
        if said > 0.5:
            lags.append(1_000 * (said + DELAY.get(name, 0.0) - _heard(out)))
    encoder.close()
    return lags


def _heard(data: bytes) -> float:
    """Seconds a player can play of these bytes."""
    try:
        return len(decode(data).pcm) / SAMPLE_WIDTH / HEARING.rate
    except InvalidAudio:
        return 0.0
