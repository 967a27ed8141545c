"""OpenAI's Python library, of any major version: ``openai_sdk.py PLAN``, where PLAN is JSON made by ``test_openai.py``."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import time
from pathlib import Path
from typing import Any

import openai
from acting import act, act_async, idle, jobs, tell, told
from openai import AsyncOpenAI, OpenAI

PLAN = json.loads(sys.argv[1])
URL, FOLDER = PLAN["url"], Path(PLAN["folder"])
client = OpenAI(base_url=f"{URL}/v1", api_key="unused", max_retries=0)


def speech(form: str) -> dict[str, Any]:
    answer = client.audio.speech.create(model="tts-1", voice="rms", input=PLAN["text"], response_format=form)
    answer.write_to_file(FOLDER / f"speech.{form}")
    return {"type": answer.response.headers["content-type"]}


def speech_in_two_voices() -> bool:
    made = [
        client.audio.speech.create(model="tts-1", voice=voice, input=PLAN["text"], response_format="pcm").content
        for voice in ("kal", {"id": "kal"}, {"id": "kal16"})
    ]
    return made[0] == made[1] != made[2]


def streaming() -> dict[str, Any]:
    """The first piece is here while the voice has not nearly finished; who stops listening stops the voice."""
    wanted = {"model": "tts-1", "voice": "rms", "input": PLAN["long"], "response_format": "pcm"}
    with client.audio.speech.with_streaming_response.create(**wanted) as answer:
        pieces = answer.iter_bytes(65_536)
        first = next(pieces)
        # The voice rests between two sentences, and while nobody reads: so more is read between two looks.
        at_work = max(jobs(URL) for _, _ in zip(range(50), pieces, strict=False))
    return {"bytes": len(first), "at work": at_work, "idle behind": idle(URL)}


def events() -> dict[str, Any]:
    wanted = {"model": "gpt-4o-mini-tts", "voice": "kal", "input": PLAN["text"], "response_format": "pcm"}
    body = client.audio.speech.create(**wanted, stream_format="sse").content.decode()
    sent = [json.loads(line[5:]) for line in body.splitlines() if line.startswith("data:")]
    audio = b"".join(base64.b64decode(event.get("audio", "")) for event in sent)
    whole = client.audio.speech.create(**wanted).content
    return {"types": [event["type"] for event in sent], "usage": sent[-1].get("usage"), "same": audio == whole}


def transcription(form: str, **more: Any) -> Any:
    with Path(PLAN["recording"]).open("rb") as file:
        answer = client.audio.transcriptions.create(model="whisper-1", file=file, response_format=form, **more)
    return answer if isinstance(answer, str) else answer.model_dump()


def transcription_events() -> list[Any]:
    with Path(PLAN["recording"]).open("rb") as file:
        stream = client.audio.transcriptions.create(model="gpt-4o-transcribe", file=file, stream=True)
        return [event.model_dump() for event in stream]


def translation() -> Any:
    with Path(PLAN["recording"]).open("rb") as file:
        return client.audio.translations.create(model="whisper-1", file=file).text


def models() -> dict[str, Any]:
    listed = client.models.list()
    one = client.models.retrieve("tts-1")
    return {"ids": [model.id for model in listed], "one": one.model_dump(), "request": one._request_id}


def chat() -> dict[str, Any]:
    answer = client.chat.completions.create(model="default", messages=[{"role": "user", "content": PLAN["question"]}])
    return {**answer.model_dump(), "request": answer._request_id}


def chat_stream() -> dict[str, Any]:
    stream = client.chat.completions.create(
        model="default",
        messages=[{"role": "user", "content": PLAN["question"]}],
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    return {
        "text": text,
        "finish": [choice.finish_reason for chunk in chunks for choice in chunk.choices][-1],
        "usage": chunks[-1].usage and chunks[-1].usage.model_dump(),
        "chunks": len(chunks),
    }


TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather in a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def tool() -> dict[str, Any]:
    """A call, its result, and what comes of it; whole and streamed."""
    thinking = OpenAI(base_url=f"{PLAN['thinking']}/v1", api_key="unused", max_retries=0)
    messages: list[Any] = [{"role": "user", "content": "What is the weather like?"}]
    wanted: dict[str, Any] = {"model": "default", "messages": messages, "tools": [TOOL]}
    whole = thinking.chat.completions.create(**wanted).choices[0]
    chunks = list(thinking.chat.completions.create(**wanted, stream=True))
    pieces = [call for chunk in chunks for choice in chunk.choices for call in choice.delta.tool_calls or ()]
    messages += [
        whole.message.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": whole.message.tool_calls[0].id, "content": "it rains"},
    ]
    text = "".join(
        choice.delta.content or ""
        for chunk in thinking.chat.completions.create(**wanted, stream=True)
        for choice in chunk.choices
    )
    return {
        "reasons": [whole.finish_reason, chunks[-1].choices[0].finish_reason],
        "whole": whole.message.tool_calls[0].function.model_dump(),
        "streamed": {
            "name": pieces[0].function.name,
            "arguments": "".join(piece.function.arguments or "" for piece in pieces),
        },
        "ids": [bool(whole.message.tool_calls[0].id), bool(pieces[0].id)],
        "said": text,
    }


def round_trip() -> list[str]:
    texts = []
    for sentence in PLAN["sentences"]:
        wav = client.audio.speech.create(model="tts-1", voice="rms", input=sentence, response_format="wav").content
        texts.append(client.audio.transcriptions.create(model="whisper-1", file=("said.wav", wav), language="en").text)
    return texts


def say(with_key: str, text: str = "Hello.", **changes: Any) -> int:
    """To the server that wants keys."""
    guarded = OpenAI(base_url=f"{PLAN['guarded']}/v1", api_key=with_key, max_retries=changes.pop("max_retries", 0))
    return len(guarded.audio.speech.create(model="tts-1", voice="rms", input=text, response_format="pcm").content)


def over_the_limit() -> dict[str, Any]:
    """First the answer as it is, then as the library takes it: it waits as long as it is told, and asks again."""
    say(PLAN["key"], "x " * 100)
    try:
        say(PLAN["key"], "x " * 450)
    except openai.RateLimitError as error:
        surfaced = {**told(error), "retry-after": error.response.headers["retry-after"]}
    waits: list[float] = []
    really, time.sleep = time.sleep, waits.append
    try:
        say(PLAN["key"], "x " * 450, max_retries=1)
    except openai.RateLimitError as error:
        again = error.response.headers["retry-after"]
    finally:
        time.sleep = really
    return {"surfaced": surfaced, "waits": waits, "again": again}


def with_defaults(**changes: Any) -> int:
    wanted = {"model": "tts-1", "voice": "rms", "input": "Hello.", "response_format": "pcm", **changes}
    return len(client.audio.speech.create(**wanted).content)


async def asynchronous() -> dict[str, Any]:
    """The same library, the other way; many at a time."""
    async with AsyncOpenAI(base_url=f"{URL}/v1", api_key="unused", max_retries=0) as other:

        async def once() -> int:
            wanted = {"model": "tts-1", "voice": "kal", "input": PLAN["text"], "response_format": "pcm"}
            async with other.audio.speech.with_streaming_response.create(**wanted) as answer:
                return sum([len(piece) async for piece in answer.iter_bytes()])

        sizes = await asyncio.gather(*(once() for _ in range(8)))
        heard = await other.audio.transcriptions.create(model="whisper-1", file=Path(PLAN["recording"]))
    return {"sizes": sizes, "text": heard.text}


seen = {
    "version": openai.__version__,
    "streaming": act(streaming),
    **{form: act(lambda form=form: speech(form)) for form in ("mp3", "opus", "aac", "flac", "wav", "pcm")},
    "voices": act(speech_in_two_voices),
    "events": act(events),
    **{f"heard as {form}": act(lambda form=form: transcription(form)) for form in PLAN["forms"]},
    "heard words": act(lambda: transcription("verbose_json", timestamp_granularities=["word", "segment"])),
    "heard in pieces": act(transcription_events),
    "translation": act(translation),
    "models": act(models),
    "unknown model": act(lambda: client.models.retrieve("nobody/of-that-name").id),
    "chat": act(chat),
    "chat stream": act(chat_stream),
    "tool": act(tool),
    "round trip": act(round_trip),
    "bad voice": act(lambda: with_defaults(voice="nobody")),
    "bad model": act(lambda: with_defaults(model="nobody")),
    "bad speed": act(lambda: with_defaults(speed=9)),
    "no recording": act(lambda: client.audio.transcriptions.create(model="whisper-1", file=("a.wav", b"not audio")).text),
    "wrong key": act(lambda: say("vv_wrong")),
    "right key": act(lambda: say(PLAN["key"])),
    "narrow key": act(lambda: say(PLAN["narrow"])),
    "limit": act(over_the_limit),
    "asynchronous": asyncio.run(act_async(asynchronous)),
}
tell(seen)
