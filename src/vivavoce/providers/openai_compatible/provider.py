"""From the options of a provider to its ports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from vivavoce.contracts.ports import LanguageModel, SpeechToText, TextToSpeech
from vivavoce.contracts.speech import Capabilities
from vivavoce.providers._http import Address, Service
from vivavoce.providers.openai_compatible.language_model import OpenAiLanguageModel
from vivavoce.providers.openai_compatible.profiles import PROFILES, Profile
from vivavoce.providers.openai_compatible.speech_to_text import OpenAiSpeechToText, TranscriptionModel
from vivavoce.providers.openai_compatible.text_to_speech import OpenAiTextToSpeech, SpeechModel
from vivavoce.providers.options import ProviderOptions, is_loopback

Port = LanguageModel | SpeechToText | TextToSpeech
Kind = Literal["stt", "llm", "tts"]
FINAL_LATENCY = 0.5
"""Seconds from the end of an utterance to its transcript; a rough figure, because nobody knows the service and the line."""


def base_url(options: ProviderOptions) -> str:
    """Where it is: its own address or that of the profile."""
    return options.url or PROFILES[options.profile].url


@dataclass(frozen=True, slots=True)
class Provider:
    """A service and the ports it has, by kind."""

    options: ProviderOptions
    service: Service
    ports: Mapping[Kind, Port]

    @property
    def language_model(self) -> OpenAiLanguageModel | None:
        """To be warmed."""
        port = self.ports.get("llm")
        return port if isinstance(port, OpenAiLanguageModel) else None


def provider(options: ProviderOptions, key: str = "") -> Provider:
    """Build, but do not connect. ``key`` is used where the options have none."""
    profile = PROFILES[options.profile]
    address = Address(
        options.name,
        base_url(options),
        options.key or key,
        options.connect_timeout,
        options.first_timeout,
        options.between_timeout,
    )
    service = Service(address)
    return Provider(options, service, _ports(options, profile, service))


def _ports(options: ProviderOptions, profile: Profile, service: Service) -> dict[Kind, Port]:
    capabilities = Capabilities(
        options.name,
        languages=options.languages,
        local=is_loopback(service.address.url),
        metered=profile.metered if options.metered is None else options.metered,
        concurrency=64,
    )
    ports: dict[Kind, Port] = {}
    if options.llm:
        ports["llm"] = OpenAiLanguageModel(service, options.llm, profile, capabilities, options.extra)
    if options.stt:
        hears = replace(capabilities, streaming=False, word_times=profile.word_times, final_latency=FINAL_LATENCY)
        ports["stt"] = OpenAiSpeechToText(TranscriptionModel(service, options.stt, profile), hears)
    if options.tts:
        voice, rate = options.voice or profile.voice, options.tts_rate
        speaks = replace(capabilities, sample_rate=rate)
        ports["tts"] = OpenAiTextToSpeech(SpeechModel(service, options.tts, voice, rate, profile.raw_speech), speaks)
    return ports
