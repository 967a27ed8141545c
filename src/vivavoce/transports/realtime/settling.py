"""Names a session wishes for (models, voices, languages), and what they get here: the nearest there is, never a refusal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vivavoce.contracts.errors import UnknownName
from vivavoce.contracts.speech import Voice
from vivavoce.sessions.conversation import Conversation
from vivavoce.sessions.ports import SessionPorts
from vivavoce.transports.aliases import VOICES, stand_in
from vivavoce.transports.offer import Offer, choose_language, offer_of, voices_for
from vivavoce.transports.realtime.configuration import tools_of
from vivavoce.transports.realtime.wire import Json


def settle(conversation: Conversation, ports: SessionPorts, session: Json) -> None:
    """Have the conversation follow the session's names and tools."""
    transcription = session["audio"]["input"]["transcription"] or {}
    offer = offer_of(ports)
    language = _language(offer, transcription.get("language", ""))
    if language:
        conversation.set_language(language)
    _attempt(lambda name: conversation.set_provider("llm", name), session["model"])
    _attempt(lambda name: conversation.set_provider("stt", name), transcription.get("model"))
    _attempt(conversation.set_voice, voice_in(session, ports, session["audio"]["output"]["voice"]))
    limit = session["max_output_tokens"]
    conversation.direct.limit(limit if isinstance(limit, int) else None)
    conversation.direct.offer(tools_of(session["tools"], session["tool_choice"]))


def voice_in(session: Json, ports: SessionPorts, wanted: str) -> str:
    """What ``wanted`` means in the language of the session; empty: the default."""
    offer = offer_of(ports)
    if any(voice.id == wanted for voice in offer.voices.get(ports.tts.default, ())):
        return wanted
    language = _language(offer, (session["audio"]["input"]["transcription"] or {}).get("language", ""))
    return voice_for(wanted, voices_for(offer, ports.tts.default, language or ports.languages[0]))


def voice_for(wanted: str, voices: Sequence[Voice]) -> str:
    """The voice itself, the one that stands in for one of OpenAI's, or empty: the default."""
    if any(voice.id == wanted for voice in voices):
        return wanted
    return stand_in(wanted.lower(), voices).id if wanted.lower() in VOICES and voices else ""


def _language(offer: Offer, wanted: str) -> str:
    try:
        return choose_language(offer, wanted)
    except UnknownName:
        return ""


def _attempt(choose: Any, name: Any) -> None:
    """Names of OpenAI's models are not known here, and mean the default."""
    if isinstance(name, str):
        try:
            choose(name)
        except UnknownName:
            return
