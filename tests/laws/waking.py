"""The laws of wake word detectors. Each takes a port, a word it knows and a recording (HEARING PCM) of that word alone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.laws.laws import PATIENCE, chunks, settled, silence
from vivavoce.contracts.audio import AudioChunk
from vivavoce.contracts.errors import UnknownName
from vivavoce.contracts.ports import WakeWordDetector
from vivavoce.contracts.speech import WakeWord

REST = 1.5
"""Seconds of silence behind a word, over which every detector has made up its mind and is ready for the next."""


FRAME = 800
"""Samples: a detector that looks at whole frames finds a word that much earlier or later when it began elsewhere."""


async def listen(port: WakeWordDetector, word: str, pieces: list[AudioChunk], wanted: int = 1) -> list[WakeWord]:
    """Words recognised in ``pieces``: waits for ``wanted`` of them, then a little for more."""
    heard: list[WakeWord] = []
    errors: list[Exception] = []
    stream = port.open([word], heard.append, errors.append)
    for number, piece in enumerate(pieces):
        stream.send(piece)
        if number % 2_000 == 1_999:
            await asyncio.sleep(0)
    async with asyncio.timeout(PATIENCE):
        while len(heard) < wanted and not errors:  # noqa: ASYNC110 - a law looks from outside
            await asyncio.sleep(0.01)
    await settled()
    stream.close()
    stream.close()
    assert not errors
    return heard


async def waking_tells_a_word_once(port: WakeWordDetector, word: str, call: bytes) -> None:
    """One word spoken is one word told, within the audio; spoken twice it is told twice."""
    pcm = silence(0.5) + call + silence(REST)
    (heard,) = await listen(port, word, chunks(pcm, 320))
    assert heard.word == word
    assert 8_000 < heard.at <= len(pcm) // 2
    first, second = await listen(port, word, chunks(pcm + pcm, 320), wanted=2)
    assert first == heard
    assert len(pcm) // 2 < second.at <= len(pcm)


async def waking_does_not_depend_on_chunks(port: WakeWordDetector, word: str, call: bytes) -> None:
    """Single samples, odd sizes, 20 ms, whole seconds and everything at once are heard alike."""
    pcm = silence(0.2) + call + silence(0.7)
    alike = [await listen(port, word, chunks(pcm, samples)) for samples in (1, 77, 320, 16_000, len(pcm) // 2)]
    assert all(heard == alike[0] for heard in alike), alike


async def waking_counts_from_the_offset(port: WakeWordDetector, word: str, call: bytes) -> None:
    """``at`` counts in the samples of the session, also behind a gap, over which no word goes on."""
    pcm = call + silence(0.7)
    (plain,) = await listen(port, word, chunks(pcm, 320))
    (shifted,) = await listen(port, word, chunks(pcm, 320, start=160_000))
    assert shifted.at == plain.at + 160_000
    (behind,) = await listen(port, word, chunks(silence(0.5), 320) + chunks(pcm, 320, start=5_000_000_000))
    assert behind.at == plain.at + 5_000_000_000


async def waking_hears_nothing_in_silence(port: WakeWordDetector, word: str, call: bytes) -> None:
    """Nothing said, nothing told."""
    assert await listen(port, word, chunks(silence(3.0), 320), wanted=0) == []


async def waking_ends_with_close(port: WakeWordDetector, word: str, call: bytes) -> None:
    """No callback follows ``close``, whatever is still sent."""
    heard: list[WakeWord] = []
    errors: list[Exception] = []
    stream = port.open([word], heard.append, errors.append)
    stream.send(chunks(silence(0.1), 1_600)[0])
    stream.close()
    for piece in chunks(call + silence(REST), 320, start=1_600):
        stream.send(piece)
    stream.reset()
    await settled()
    assert heard == []
    assert not errors


async def waking_forgets_with_reset(port: WakeWordDetector, word: str, call: bytes) -> None:
    """Most of a word before ``reset`` and the rest behind it are none; the next whole one is heard where it is."""
    pcm = call + silence(REST)
    (plain,) = await listen(port, word, chunks(pcm, 320))
    cut = plain.at * 4 // 5
    heard: list[WakeWord] = []
    errors: list[Exception] = []
    stream = port.open([word], heard.append, errors.append)
    for piece in chunks(pcm[: 2 * cut], 320):
        stream.send(piece)
    stream.reset()
    for piece in chunks(pcm[2 * cut :] + pcm, 320, start=cut):
        stream.send(piece)
    async with asyncio.timeout(PATIENCE):
        while not heard and not errors:  # noqa: ASYNC110 - a law looks from outside
            await asyncio.sleep(0.01)
    await settled()
    stream.close()
    assert not errors
    (again,) = heard
    assert again.word == word
    assert abs(again.at - (len(pcm) // 2 + plain.at)) <= FRAME


async def waking_streams_do_not_mix(port: WakeWordDetector, word: str, call: bytes) -> None:
    """Of several streams that are fed in turn only the one in which the word is spoken tells it."""
    told: list[list[WakeWord]] = [[], [], []]
    errors: list[Exception] = []
    streams = [port.open([word], heard.append, errors.append) for heard in told]
    spoken = chunks(call + silence(REST), 320)
    quiet = chunks(silence(REST) + bytes(len(call)), 320)
    for piece, nothing in zip(spoken, quiet, strict=True):
        streams[0].send(nothing)
        streams[1].send(piece)
        streams[2].send(nothing)
    async with asyncio.timeout(PATIENCE):
        while not told[1] and not errors:  # noqa: ASYNC110 - a law looks from outside
            await asyncio.sleep(0.01)
    await settled()
    for stream in streams:
        stream.close()
    assert not errors
    assert [len(heard) for heard in told] == [0, 1, 0]


async def waking_refuses_a_word_nobody_knows(port: WakeWordDetector, word: str, call: bytes) -> None:
    """At once or through ``on_error``, and the next stream is none the worse."""
    errors: list[Exception] = []
    try:
        stream = port.open(["no_such_word"], lambda _: pytest.fail("it heard something"), errors.append)
    except UnknownName as error:
        errors.append(error)
    else:
        async with asyncio.timeout(PATIENCE):
            while not errors:  # noqa: ASYNC110 - a law looks from outside
                await asyncio.sleep(0.01)
        stream.close()
    assert [type(error) for error in errors] == [UnknownName]
    assert len(await listen(port, word, chunks(call + silence(REST), 320))) == 1


Law = Callable[[WakeWordDetector, str, bytes], Awaitable[None]]
WAKE_WORDS: tuple[Law, ...] = (
    waking_tells_a_word_once,
    waking_does_not_depend_on_chunks,
    waking_counts_from_the_offset,
    waking_hears_nothing_in_silence,
    waking_ends_with_close,
    waking_forgets_with_reset,
    waking_streams_do_not_mix,
    waking_refuses_a_word_nobody_knows,
)
