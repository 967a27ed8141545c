"""What is known of the services that speak this API, one row each."""

from __future__ import annotations

from dataclasses import dataclass

from vivavoce.providers.options import ProfileName


@dataclass(frozen=True, slots=True)
class Profile:
    """Habits of a service.

    ``max_tokens`` names the field that limits an answer. ``stream_transcripts`` asks for a transcript as it is made,
    ``word_times`` for the time of each word. ``raw_speech`` says that ``response_format: pcm`` is understood, else WAV is
    asked for. ``preload`` says that the service loads a model with the first request, so that one is made ahead.
    """

    title: str
    url: str = ""
    metered: bool = False
    needs_key: bool = False
    voice: str = ""
    max_tokens: str = "max_tokens"
    stream_transcripts: bool = False
    word_times: bool = False
    raw_speech: bool = True
    preload: bool = False


PROFILES: dict[ProfileName, Profile] = {
    "openai": Profile(
        "OpenAI",
        "https://api.openai.com/v1",
        metered=True,
        needs_key=True,
        voice="alloy",
        max_tokens="max_completion_tokens",
        stream_transcripts=True,
    ),
    "groq": Profile(
        "Groq", "https://api.groq.com/openai/v1", metered=True, needs_key=True, word_times=True, raw_speech=False
    ),
    "gemini": Profile(
        "Gemini",
        "https://generativelanguage.googleapis.com/v1beta/openai",
        metered=True,
        needs_key=True,
    ),
    "ollama": Profile("Ollama", "http://127.0.0.1:11434/v1", preload=True),
    "llamacpp": Profile("llama.cpp server", "http://127.0.0.1:8080/v1"),
    "lmstudio": Profile("LM Studio", "http://127.0.0.1:1234/v1", preload=True),
    "vllm": Profile("vLLM", "http://127.0.0.1:8000/v1"),
    "vivavoce": Profile("another Vivavoce", "http://127.0.0.1:8080/v1", raw_speech=True),
    "custom": Profile("a service of your own"),
}
"""Defaults; everything but the habits can be set in the provider's own options. ``metered`` of a service of one's own is
free until it is said otherwise."""
