"""The session object of the protocol: its defaults, its partial updates, and what it means for a conversation. Pure.

What a client sends is clamped and cleaned rather than refused: several clients take any error event for the end.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from vivavoce.contracts.speech import Tool
from vivavoce.sessions.options import ActivityOptions, BargeInOptions, ConversationOptions, EndpointingOptions, Mode
from vivavoce.transports.realtime.sleeping import OWN, own_part

Json = dict[str, Any]

PCM: Json = {"type": "audio/pcm", "rate": 24_000}
FORMATS: dict[str, Json] = {
    "audio/pcm": PCM,
    "audio/pcmu": {"type": "audio/pcmu"},
    "audio/pcma": {"type": "audio/pcma"},
}
SERVER_VAD: Json = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 500,
    "idle_timeout_ms": None,
    "create_response": True,
    "interrupt_response": True,
}
"""500 ms of silence as OpenAI's guide says; its examples say 200."""
SEMANTIC_VAD: Json = {"type": "semantic_vad", "eagerness": "auto", "create_response": True, "interrupt_response": True}
EAGERNESS = {"low": 0.0, "medium": 0.5, "auto": 0.5, "high": 1.0}
PATIENT = 2.0
"""How much longer than usual the longest wait is where a client asks for little eagerness."""

FRAME = 0.1
"""Seconds of audio in one delta; clients with small frame limits stand 0.2 s."""
MAX_INSTRUCTIONS = 100_000
MAX_TOOLS = 128
MAX_SILENCE, MAX_PREFIX = 10_000, 5_000
MIN_IDLE, MAX_IDLE = 5_000, 30_000
MIN_SPEED, MAX_SPEED = 0.25, 1.5
MAX_TOKENS = 4_096

_ECHOED = ("tracing", "truncation", "prompt", "include", "reasoning", "parallel_tool_calls")
"""Settings that are kept and shown, and change nothing here."""


def new_session(id: str, model: str, expires_at: int, *, instructions: str = "", transcription: bool = False) -> Json:
    """A session as it is before any update."""
    return {
        "type": "transcription" if transcription else "realtime",
        "id": id,
        "model": model,
        "output_modalities": ["audio"],
        "instructions": instructions,
        "tools": [],
        "tool_choice": "auto",
        "max_output_tokens": "inf",
        "tracing": None,
        "truncation": "auto",
        "prompt": None,
        "expires_at": expires_at,
        "include": None,
        "audio": {
            "input": {
                "format": dict(PCM),
                "transcription": None,
                "noise_reduction": None,
                "turn_detection": dict(SERVER_VAD),
            },
            "output": {"format": dict(PCM), "voice": "marin", "speed": 1.0},
        },
    }


def shown(session: Json) -> Json:
    """The session as the client sees it."""
    if session["type"] == "transcription":
        listening = copy.deepcopy(session["audio"]["input"])
        return {
            "type": "transcription",
            "object": "realtime.transcription_session",
            "id": session["id"],
            "expires_at": session["expires_at"],
            "include": session["include"],
            "audio": {"input": listening},
            **({OWN: dict(session[OWN])} if session.get(OWN) else {}),
        }
    return {"object": "realtime.session", **copy.deepcopy(session)}


def merged(session: Json, update: Json) -> Json:
    """``session`` with what is present in ``update``; the rest stays as it was."""
    result = copy.deepcopy(session)
    if update.get("type") in ("realtime", "transcription"):
        result["type"] = update["type"]
    if isinstance(update.get("model"), str) and update["model"]:
        result["model"] = update["model"]
    for name, clean in _CLEAN.items():
        if name in update:
            result[name] = clean(update[name], result[name])
    for name in _ECHOED:
        if name in update:
            result[name] = copy.deepcopy(update[name])
    if OWN in update and (own := own_part(update[OWN], result.get(OWN))) is not None:
        result[OWN] = own
    audio = update.get("audio")
    if isinstance(audio, dict):
        _merge_input(result["audio"]["input"], _dict(audio.get("input")))
        _merge_output(result["audio"]["output"], _dict(audio.get("output")))
    return result


def _merge_input(held: Json, update: Json) -> None:
    if "format" in update:
        held["format"] = format_of(update["format"], held["format"])
    if "transcription" in update:
        held["transcription"] = _transcription(update["transcription"], held["transcription"])
    if "noise_reduction" in update:
        wish = update["noise_reduction"]
        known = isinstance(wish, dict) and wish.get("type") in ("near_field", "far_field")
        held["noise_reduction"] = dict(wish) if known else None
    if "turn_detection" in update:
        held["turn_detection"] = _detection(update["turn_detection"], held["turn_detection"])


def _merge_output(held: Json, update: Json) -> None:
    if "format" in update:
        held["format"] = format_of(update["format"], held["format"])
    if "voice" in update:
        held["voice"] = voice_of(update["voice"]) or held["voice"]
    if "speed" in update:
        held["speed"] = _number(update["speed"], held["speed"], MIN_SPEED, MAX_SPEED)


def format_of(wish: Any, held: Json) -> Json:
    """An audio format by its type; the rate of PCM is always 24 kHz."""
    return dict(FORMATS.get(str(_dict(wish).get("type")), held))


def voice_of(wish: Any) -> str:
    """A voice's name, given plainly or as an object; empty where there is none."""
    name = _dict(wish).get("id") if isinstance(wish, dict) else wish
    return name[:200] if isinstance(name, str) else ""


def modalities_of(wish: Any, held: list[str]) -> list[str]:
    """Audio (with its transcript) or text, never both."""
    if not isinstance(wish, list) or not wish:
        return held
    return ["audio"] if "audio" in wish else ["text"] if "text" in wish else held


def _transcription(wish: Any, held: Json | None) -> Json | None:
    if not isinstance(wish, dict):
        return None
    result = dict(held or {})
    for name in ("model", "language", "prompt", "delay"):
        if isinstance(wish.get(name), str):
            result[name] = wish[name]
    for name in ("languages", "keywords"):
        if isinstance(wish.get(name), list):
            result[name] = [str(entry) for entry in wish[name][:100]]
    return result


def _detection(wish: Any, held: Json | None) -> Json | None:
    if not isinstance(wish, dict):
        return None
    kind = wish.get("type", (held or SERVER_VAD)["type"])
    base = SEMANTIC_VAD if kind == "semantic_vad" else SERVER_VAD
    result = dict(held if held is not None and held["type"] == base["type"] else base)
    for name in ("create_response", "interrupt_response"):
        if isinstance(wish.get(name), bool):
            result[name] = wish[name]
    if base is SEMANTIC_VAD:
        if wish.get("eagerness") in tuple(EAGERNESS):
            result["eagerness"] = wish["eagerness"]
        return result
    result["threshold"] = _number(wish.get("threshold"), result["threshold"], 0.0, 1.0)
    result["prefix_padding_ms"] = round(_number(wish.get("prefix_padding_ms"), result["prefix_padding_ms"], 0, MAX_PREFIX))
    silence = _number(wish.get("silence_duration_ms"), result["silence_duration_ms"], 0, MAX_SILENCE)
    result["silence_duration_ms"] = round(silence)
    if "idle_timeout_ms" in wish:
        idle = _number(wish["idle_timeout_ms"], None, MIN_IDLE, MAX_IDLE)
        result["idle_timeout_ms"] = None if idle is None else round(idle)
    return result


def _tools(wish: Any, held: list[Json]) -> list[Json]:
    if wish is None:
        return []
    return [dict(tool) for tool in wish[:MAX_TOOLS] if isinstance(tool, dict)] if isinstance(wish, list) else held


def _choice(wish: Any, held: Any) -> Any:
    if wish is None:
        return "auto"
    return wish if wish in ("none", "auto", "required") or isinstance(wish, dict) else held


def tokens_of(wish: Any, held: int | str) -> int | str:
    """A limit of the reply's length, or ``inf``."""
    if wish is None or wish == "inf":
        return "inf"
    number = _number(wish, None, 1, MAX_TOKENS)
    return held if number is None else round(number)


_CLEAN: dict[str, Callable[[Any, Any], Any]] = {
    "output_modalities": modalities_of,
    "instructions": lambda wish, held: wish[:MAX_INSTRUCTIONS] if isinstance(wish, str) else "" if wish is None else held,
    "tools": _tools,
    "tool_choice": _choice,
    "max_output_tokens": tokens_of,
}


def _dict(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def _number(value: Any, held: Any, low: float, high: float) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return held
    return min(high, max(low, value))


# --- what it means ----------------------------------------------------------------------------------------------------


def tools_of(tools: Any, choice: Any) -> tuple[Tool, ...]:
    """The functions among ``tools``, as far as the language model may call them."""
    functions = [
        Tool(
            tool["name"][:200],
            tool["description"] if isinstance(tool.get("description"), str) else "",
            _dict(tool.get("parameters")),
        )
        for tool in (tools if isinstance(tools, list) else ())
        if isinstance(tool, dict) and tool.get("type", "function") == "function" and isinstance(tool.get("name"), str)
    ]
    if choice == "none":
        return ()
    if isinstance(choice, dict) and isinstance(choice.get("name"), str):
        return tuple(tool for tool in functions if tool.name == choice["name"])
    return tuple(functions)


def options_of(session: Json, defaults: ConversationOptions) -> ConversationOptions:
    """The rules of the conversation. ``defaults`` are the server's."""
    detection = session["audio"]["input"]["turn_detection"]
    return replace(
        defaults,
        mode=_mode(detection),
        instructions=session["instructions"],
        speed=session["audio"]["output"]["speed"],
        greeting="",
        acknowledged=False,
        answering=detection is not None and detection["create_response"] and session["type"] == "realtime",
        spoken=session["output_modalities"] == ["audio"],
        endpointing=_endpointing(detection, defaults.endpointing),
        activity=_activity(detection, defaults.activity),
        barge_in=_barge_in(detection, defaults.barge_in),
        reply=replace(defaults.reply, frame=FRAME),
        # A reply that fails is told as failed: the client has its own words for that, and asks idle users itself.
        wake_words=() if session["type"] == "transcription" else defaults.wake_words,
        watchdogs=replace(defaults.watchdogs, fallback="", idle=None),
    )


def _mode(detection: Json | None) -> Mode:
    """Without turn detection all audio counts as speech until it is committed."""
    return "push_to_talk" if detection is None else "auto"


def _barge_in(detection: Json | None, defaults: BargeInOptions) -> BargeInOptions:
    """Turns are never taken back: the protocol has no word for it, and an item that is committed stays as it is."""
    interrupts = detection is not None and bool(detection["interrupt_response"])
    return replace(defaults, enabled=interrupts, listen_on=not interrupts, reopen=False)


def _endpointing(detection: Json | None, defaults: EndpointingOptions) -> EndpointingOptions:
    if detection is None:
        return defaults
    if detection["type"] == "server_vad":
        return replace(defaults, fixed_silence=detection["silence_duration_ms"] / 1000)
    eagerness = detection["eagerness"]
    longest = defaults.max_wait * PATIENT if eagerness == "low" else defaults.max_wait
    return replace(defaults, fixed_silence=None, eagerness=EAGERNESS[eagerness], max_wait=longest)


def _activity(detection: Json | None, defaults: ActivityOptions) -> ActivityOptions:
    if detection is None or detection["type"] != "server_vad":
        return defaults
    onset = detection["threshold"]
    release = min(defaults.release, onset * defaults.release / defaults.onset) if defaults.onset else defaults.release
    return replace(defaults, onset=onset, release=release, prefix=detection["prefix_padding_ms"] / 1000)
