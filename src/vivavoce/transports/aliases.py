"""Names OpenAI's clients ask for, and what they get here. Data, shown to everybody in ``GET /v1/models``.

Clients keep these names long after they are retired upstream, so they are kept here for good. An alias means "the default
of its kind"; a voice name means one of the installed voices, always the same one.
"""

from __future__ import annotations

from collections.abc import Sequence

from vivavoce.contracts.speech import Voice

SPEECH_MODELS = ("tts-1", "tts-1-hd", "gpt-4o-mini-tts", "gpt-4o-mini-tts-2025-12-15")
TRANSCRIPTION_MODELS = (
    "whisper-1",
    "gpt-4o-transcribe",
    "gpt-4o-transcribe-diarize",
    "gpt-4o-mini-transcribe",
    "gpt-transcribe",
    "gpt-live-transcribe",
    "gpt-realtime-whisper",
)
REALTIME_MODELS = ("gpt-realtime", "gpt-realtime-mini", "gpt-realtime-2.1", "gpt-realtime-2.1-mini")

VOICES: dict[str, str] = {
    "alloy": "female",
    "ash": "male",
    "ballad": "male",
    "cedar": "male",
    "coral": "female",
    "echo": "male",
    "fable": "male",
    "marin": "female",
    "nova": "female",
    "onyx": "male",
    "sage": "female",
    "shimmer": "female",
    "verse": "male",
}
"""OpenAI's voices, with the kind of voice that stands in for each."""


def stand_in(name: str, voices: Sequence[Voice]) -> Voice:
    """The voice that speaks for one of OpenAI's: of the same gender where there is one, spread over those there are."""
    same = [voice for voice in voices if voice.gender == VOICES[name]] or list(voices)
    rank = sorted(other for other, gender in VOICES.items() if gender == VOICES[name]).index(name)
    return same[rank % len(same)]
