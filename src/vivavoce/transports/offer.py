"""What a client can choose, as both doors tell it."""

from __future__ import annotations

from dataclasses import dataclass

from vivavoce.contracts.errors import UnknownName
from vivavoce.contracts.speech import Voice
from vivavoce.sessions.options import MODES, Mode
from vivavoce.sessions.ports import SessionPorts


@dataclass(frozen=True, slots=True)
class Offer:
    """Names a session can be opened with. The first provider of a kind is its default; ``voices`` is by TTS provider."""

    languages: tuple[str, ...]
    stt: tuple[str, ...]
    llm: tuple[str, ...]
    tts: tuple[str, ...]
    voices: dict[str, tuple[Voice, ...]]
    modes: tuple[Mode, ...] = MODES


def offer_of(ports: SessionPorts) -> Offer:
    """What ``ports`` can do now."""
    return Offer(
        languages=ports.languages,
        stt=tuple(ports.stt.ports),
        llm=tuple(ports.llm.ports),
        tts=tuple(ports.tts.ports),
        voices={name: port.capabilities.voices for name, port in ports.tts.ports.items()},
    )


def voices_for(offer: Offer, tts: str, language: str) -> tuple[Voice, ...]:
    """Voices of ``tts`` that speak ``language``; all of them where none says so."""
    voices = offer.voices.get(tts, ())
    primary = language.partition("-")[0].lower()
    return tuple(voice for voice in voices if voice.language.partition("-")[0].lower() == primary) or voices


def choose_language(offer: Offer, wanted: str) -> str:
    """The offered language for a BCP 47 tag: itself, else its primary language. Raises UnknownName."""
    by_tag = {language.lower(): language for language in offer.languages}
    tag = wanted.lower()
    found = by_tag.get(tag) or by_tag.get(tag.partition("-")[0])
    if found is None:
        raise UnknownName(f"no language {wanted!r}; there is {', '.join(offer.languages)}", code="unknown_language")
    return found


def check_voice(offer: Offer, tts: str, voice: str) -> None:
    """Raises UnknownName unless ``voice`` is empty (the default), known, or the engine does not list its voices."""
    known = [offered.id for offered in offer.voices.get(tts, ())]
    if voice and known and voice not in known:
        listed = ", ".join(known[:20]) + (", …" if len(known) > 20 else "")
        raise UnknownName(f"{tts} has no voice {voice!r}; there is {listed}", code="unknown_voice")
