"""Getting to know a service before it is configured: what is there, which models it has, and whether it answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeVar

from vivavoce.app.loop import new_event_loop
from vivavoce.config.settings import Settings
from vivavoce.contracts.audio import HEARING, AudioChunk
from vivavoce.contracts.errors import ProviderFailed
from vivavoce.contracts.ports import LanguageModel, SpeechToText, TextToSpeech
from vivavoce.contracts.speech import LanguageOptions, Message, SynthesisOptions, TranscriptionOptions
from vivavoce.flow.clock import MonotonicClock
from vivavoce.providers.discovery import Found, discover
from vivavoce.providers.openai_compatible.catalogue import chats, models
from vivavoce.providers.openai_compatible.provider import Kind, Provider, provider
from vivavoce.providers.options import ProviderOptions

T = TypeVar("T")

QUESTION = "Say hello in one short sentence."
SENTENCE = "Hello, this is a short test."
MAX_SHOWN = 400
"""Characters of the test's answer that are read; then the request is withdrawn."""


@dataclass(frozen=True, slots=True)
class Trial:
    """How a test went: seconds to the first of the answer, and what came."""

    first: float
    outcome: str


def found_here(settings: Settings) -> tuple[Found, ...]:
    """Services on this machine that have a model."""
    options = settings.discovery
    return tuple(one for one in _run(discover(options.services, options.timeout)) if one.models)


def listed_models(options: ProviderOptions, key: str, kind: Kind) -> list[str]:
    """Models a service lists; for answers those that look as if they could chat. Raises errors of the tree."""

    async def work(one: Provider) -> list[str]:
        names = await models(one.service)
        return [name for name in names if chats(name)] if kind == "llm" else names

    return _with_provider(options, key, work)


def try_out(options: ProviderOptions, key: str, kind: Kind, told: Callable[[str], None]) -> Trial:
    """Ask for something short; ``told`` gets text as it comes. Raises errors of the tree."""

    async def work(one: Provider) -> Trial:
        port: Any = one.ports[kind]
        match kind:
            case "llm":
                return await _try_llm(port, told)
            case "tts":
                return await _try_tts(port)
            case "stt":
                return await _try_stt(port)

    return _with_provider(options, key, work)


async def _try_llm(port: LanguageModel, told: Callable[[str], None]) -> Trial:
    clock = MonotonicClock()
    began, first, text = clock.now(), None, ""
    stream: Any = port.stream((Message("user", QUESTION),), (), LanguageOptions())
    async with aclosing(stream):
        async for delta in stream:
            first = clock.now() - began if first is None else first
            text += delta.text
            told(delta.text)
            if len(text) > MAX_SHOWN:
                break
    if first is None or not text.strip():
        raise ProviderFailed("the service answered without a word; is this a model that chats?", retryable=False)
    return Trial(first, text.strip())


async def _try_tts(port: TextToSpeech) -> Trial:
    clock = MonotonicClock()
    began, first, seconds = clock.now(), None, 0.0
    synthesis = port.open(SynthesisOptions())
    try:
        synthesis.send(SENTENCE)
        synthesis.finish()
        async for audio in synthesis:
            first = clock.now() - began if first is None else first
            seconds += audio.chunk.format.seconds(audio.chunk.samples)
    finally:
        synthesis.cancel()
    if first is None:
        raise ProviderFailed("the service gave no sound")
    return Trial(first, f"{seconds:.1f} s of speech")


async def _try_stt(port: SpeechToText) -> Trial:
    """A hum says whether uploads are taken; what is read into it does not matter."""
    clock = MonotonicClock()
    transcription = port.open(TranscriptionOptions(partials=False))
    hum = b"".join((3_000 if i // 80 % 2 else -3_000).to_bytes(2, "little", signed=True) for i in range(HEARING.rate))
    try:
        transcription.send(AudioChunk(hum, HEARING, 0))
        transcription.finish()
        began = clock.now()
        async for transcript in transcription:
            if transcript.final:
                return Trial(clock.now() - began, f"a second of humming was read as {transcript.text[:60]!r}")
    finally:
        transcription.cancel()
    raise ProviderFailed("the service gave no transcript")


def _with_provider(options: ProviderOptions, key: str, work: Callable[[Provider], Coroutine[Any, Any, T]]) -> T:
    async def run() -> T:
        try:
            return await work(one)
        finally:
            await one.service.close()

    one = provider(options, key)
    return _run(run())


def _run(work: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(work)
