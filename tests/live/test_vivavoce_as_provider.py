"""One Vivavoce borrows the ear, the mind and the voice of another: its providers against a real server's own REST API."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.live.server import live_server, spoken
from vivavoce.contracts.audio import HEARING, AudioChunk
from vivavoce.contracts.errors import ProviderFailed, UnknownName, VivavoceError
from vivavoce.contracts.speech import LanguageOptions, Message, SynthesisOptions, TranscriptionOptions
from vivavoce.providers.openai_compatible.provider import Provider, provider
from vivavoce.providers.options import ProviderOptions

pytestmark = [pytest.mark.engine, pytest.mark.process, pytest.mark.real_time]


def neighbour(url: str, **changes: str) -> Provider:
    names = {"llm": "commands", "stt": "whisper-1", "tts": "tts-1", "voice": "alloy", **changes}
    return provider(ProviderOptions("neighbour", "vivavoce", f"{url}/v1", **names), "")  # type: ignore[arg-type]


async def test_ear_mind_and_voice_of_another(tmp_path: Path) -> None:
    question = spoken(tmp_path, "what is twelve times twelve")
    async with live_server() as server:
        other = neighbour(server.url)
        try:
            stt, llm, tts = (other.ports[kind] for kind in ("stt", "llm", "tts"))
            transcription = stt.open(TranscriptionOptions())
            transcription.send(AudioChunk(question, HEARING, 0))
            transcription.finish()
            heard = [transcript async for transcript in transcription][-1]
            assert heard.final
            assert heard.text == "what is twelve times twelve"

            answer = [delta.text async for delta in llm.stream((Message("user", heard.text),), (), LanguageOptions())]
            assert "".join(answer) == "That is 144."

            synthesis = tts.open(SynthesisOptions(rate=16_000))
            synthesis.send("set a timer for ten minutes")
            synthesis.finish()
            said = [audio async for audio in synthesis]
            assert 1.0 < sum(audio.chunk.samples for audio in said) / 16_000 < 5.0
            assert said[-1].text_end == len("set a timer for ten minutes")
        finally:
            await other.service.close()


async def test_what_the_other_has_not_is_an_error_that_says_so(tmp_path: Path) -> None:
    async with live_server() as server:
        other = neighbour(server.url, llm="nobody", voice="nobody")
        try:
            with pytest.raises((ProviderFailed, UnknownName), match="nobody"):
                await anext(aiter(other.ports["llm"].stream((Message("user", "hi"),), (), LanguageOptions())))
            synthesis = other.ports["tts"].open(SynthesisOptions())
            synthesis.send("hello")
            synthesis.finish()
            with pytest.raises(VivavoceError, match="nobody"):
                await anext(aiter(synthesis))
        finally:
            await other.service.close()
