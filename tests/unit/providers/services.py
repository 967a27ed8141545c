"""A service of the API on a local socket, and ports that speak to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from vivavoce.contracts.speech import Capabilities
from vivavoce.providers._http import Address, Service
from vivavoce.providers.openai_compatible.language_model import OpenAiLanguageModel
from vivavoce.providers.openai_compatible.profiles import PROFILES
from vivavoce.providers.openai_compatible.speech_to_text import OpenAiSpeechToText, TranscriptionModel
from vivavoce.providers.openai_compatible.text_to_speech import OpenAiTextToSpeech, SpeechModel
from vivavoce.testing.openai_server import OpenAiServer, Trouble

KEY = "sk-marker-4711-never-shown"


def address(server: OpenAiServer, **changes: Any) -> Address:
    return Address(**{"name": "test", "url": server.url, "key": KEY, "first": 2.0, "between": 2.0, **changes})


@asynccontextmanager
async def serving(*troubles: Trouble | None, **changes: Any) -> AsyncIterator[tuple[OpenAiServer, Service]]:
    """A server and a service that asks it. Both are gone at the end."""
    async with OpenAiServer() as server:
        server.troubles = list(troubles)
        service = Service(address(server, **changes))
        try:
            yield server, service
        finally:
            await service.close()


def language_model(
    service: Service, model: str = "test-model", profile: Any = "custom", **extra: Any
) -> OpenAiLanguageModel:
    return OpenAiLanguageModel(service, model, PROFILES[profile], Capabilities("test"), extra)


def speech_to_text(service: Service, profile: Any = "custom") -> OpenAiSpeechToText:
    return OpenAiSpeechToText(TranscriptionModel(service, "ear", PROFILES[profile]), Capabilities("test", streaming=False))


def text_to_speech(service: Service, **changes: Any) -> OpenAiTextToSpeech:
    return OpenAiTextToSpeech(SpeechModel(service, "mouth", "anna", **changes), Capabilities("test"))
