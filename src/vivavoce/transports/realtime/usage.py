"""What a response or a transcript is said to have cost, in tokens. Pure.

Audio is counted by its duration, at the rates OpenAI publishes for its realtime models: a token for 100 ms of a user, one
for 50 ms of a reply. Text is estimated at four characters a token, as its guides do for English: local engines have tokens
of their own, or none.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

USER_AUDIO, REPLY_AUDIO = 10.0, 20.0
"""Tokens of a second of audio."""
CHARACTERS = 4
"""Of a token of text."""
_COUNTED = ("name", "arguments", "output")


@dataclass(frozen=True, slots=True)
class Spent:
    """One side of it: tokens of text, and of audio."""

    text: int = 0
    audio: int = 0


NOTHING = Spent()


def text_tokens(characters: int) -> int:
    """An estimate."""
    return math.ceil(characters / CHARACTERS)


def audio_tokens(seconds: float, rate: float) -> int:
    """By duration."""
    return round(max(0.0, seconds) * rate)


def asked_of(instructions: str, tools: Any, items: Iterable[Json], heard: float) -> Spent:
    """What a response is made from: instructions, tools, the text of the items, and ``heard`` seconds of the user."""
    characters = len(instructions) + sum(written(item) for item in items)
    if tools:
        characters += len(json.dumps(tools))
    return Spent(text_tokens(characters), audio_tokens(heard, USER_AUDIO))


def written(item: Json) -> int:
    """Characters of text in an item."""
    content = item.get("content")
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    texts = [part.get("text") or part.get("transcript") or "" for part in parts]
    return sum(len(text) for text in (*texts, *(item.get(name, "") for name in _COUNTED)) if isinstance(text, str))


def of_response(asked: Spent, said: Spent) -> Json:
    """``usage`` of ``response.done``."""
    return {
        "total_tokens": asked.text + asked.audio + said.text + said.audio,
        "input_tokens": asked.text + asked.audio,
        "output_tokens": said.text + said.audio,
        "input_token_details": {
            "text_tokens": asked.text,
            "audio_tokens": asked.audio,
            "image_tokens": 0,
            "cached_tokens": 0,
        },
        "output_token_details": {"text_tokens": said.text, "audio_tokens": said.audio},
    }


def of_transcript(seconds: float, text: str, model: str) -> Json:
    """``usage`` of a transcript: tokens where a model was asked for that is paid by tokens, seconds for any other."""
    if not model.startswith("gpt-"):
        return {"type": "duration", "seconds": round(max(0.0, seconds), 3)}
    heard, read = audio_tokens(seconds, USER_AUDIO), text_tokens(len(text))
    return {
        "type": "tokens",
        "total_tokens": heard + read,
        "input_tokens": heard,
        "input_token_details": {"text_tokens": 0, "audio_tokens": heard},
        "output_tokens": read,
    }
