"""Responses: from what a session tells of a reply to the events of the protocol, in their order. Sans I/O."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from vivavoce.contracts.audio import SAMPLE_WIDTH, ReplyAudio, Stamp
from vivavoce.contracts.speech import ToolCall
from vivavoce.transports.realtime.items import Item, Items, assistant_message, function_call
from vivavoce.transports.realtime.sound import RATE, Loudspeaker
from vivavoce.transports.realtime.usage import NOTHING, REPLY_AUDIO, Spent, audio_tokens, of_response, text_tokens, written
from vivavoce.transports.realtime.wire import Json, Teller


@dataclass(slots=True)
class Wish:
    """What was asked of a response; an automatic one has none of its own."""

    modalities: list[str]
    format: Json
    voice: str
    max_tokens: int | str = "inf"
    metadata: Any = None
    conversation: bool = True
    """Whether it belongs to the conversation."""
    asked: Spent = NOTHING
    """What it is made from."""


@dataclass(slots=True)
class Saying:
    """The message a response is saying."""

    item: Item
    index: int
    text: list[str] = field(default_factory=list)


class Response:
    """One response from ``response.created`` to ``response.done``."""

    def __init__(self, teller: Teller, items: Items, wish: Wish, conversation: str, stamp: Stamp) -> None:
        self.id = teller.fresh("resp")
        self.wish = wish
        self.stamp = stamp
        self.cancelled = False
        """By the client's word."""
        self._teller = teller
        self._items = items
        self._conversation = conversation if wish.conversation else None
        self._spoken = wish.modalities == ["audio"]
        self._loudspeaker = Loudspeaker(wish.format["type"])
        self._output: list[Json] = []
        self._samples = 0
        self._characters = 0
        self._saying: Saying | None = None
        teller.tell("response.created", response=self._shown("in_progress"))

    def restart(self, stamp: Stamp) -> None:
        """The reply begins anew (a second attempt); what was told of the first stays incomplete."""
        self._close("incomplete")
        self.stamp = stamp

    # --- a message ----------------------------------------------------------------------------------------------------

    def wrote(self, text: str) -> None:
        """A piece of its text."""
        saying = self._saying or self._open()
        saying.text.append(text)
        self._characters += len(text)
        kind = "response.output_audio_transcript.delta" if self._spoken else "response.output_text.delta"
        self._teller.tell(kind, **self._place(saying), delta=text)

    def sounded(self, audio: ReplyAudio) -> None:
        """A piece of its audio."""
        saying = self._saying or self._open()
        self._samples += len(audio.chunk.pcm) // SAMPLE_WIDTH
        saying.item.samples = max(saying.item.samples, audio.chunk.offset + len(audio.chunk.pcm) // SAMPLE_WIDTH)
        self._play(saying, self._loudspeaker.encode(audio.chunk.pcm))

    def _play(self, saying: Saying, delta: str) -> None:
        if delta:
            self._teller.play(self.stamp.generation, "response.output_audio.delta", **self._place(saying), delta=delta)

    def _open(self) -> Saying:
        wire = assistant_message(self._teller.fresh("item"), "in_progress", None, spoken=self._spoken)
        item = Item(wire, self.stamp.turn, "assistant", self.stamp.generation)
        saying = self._saying = Saying(item, len(self._output))
        self._output.append(wire)
        self._added(item, saying.index)
        part: Json = {"type": "audio", "transcript": ""} if self._spoken else {"type": "text", "text": ""}
        self._teller.tell("response.content_part.added", **self._place(saying), part=part)
        return saying

    def _close(self, status: str) -> None:
        saying, self._saying = self._saying, None
        if saying is None:
            return
        text, place = "".join(saying.text).strip(), self._place(saying)
        if self._spoken:
            if status == "completed":
                self._play(saying, self._loudspeaker.flush())
            self._teller.tell("response.output_audio.done", **place)
            self._teller.tell("response.output_audio_transcript.done", **place, transcript=text)
            part: Json = {"type": "audio", "transcript": text}
        else:
            self._teller.tell("response.output_text.done", **place, text=text)
            part = {"type": "text", "text": text}
        self._teller.tell("response.content_part.done", **place, part=part)
        wire = assistant_message(saying.item.id, status, text, spoken=self._spoken)
        self._done(saying.item, saying.index, wire)

    # --- calls --------------------------------------------------------------------------------------------------------

    def _call(self, call: ToolCall) -> None:
        arguments = json.dumps(call.arguments)
        item = Item(function_call(self._teller.fresh("item"), "in_progress", call, ""), self.stamp.turn, "assistant")
        index = len(self._output)
        self._output.append(item.wire)
        self._added(item, index)
        place = {"response_id": self.id, "item_id": item.id, "output_index": index, "call_id": call.id}
        self._teller.tell("response.function_call_arguments.delta", **place, delta=arguments)
        self._teller.tell("response.function_call_arguments.done", **place, name=call.name, arguments=arguments)
        self._done(item, index, function_call(item.id, "completed", call, arguments))

    # --- the end ------------------------------------------------------------------------------------------------------

    def completed(self, calls: tuple[ToolCall, ...]) -> None:
        """It was said to its end."""
        self._close("completed")
        for call in calls:
            self._call(call)
        self._teller.tell("response.done", response=self._shown("completed"))

    def ended(self, status: str, details: Json, heard: str | None = None) -> None:
        """It was cancelled or failed; ``heard`` is what reached the ear of what it was saying."""
        saying = self._saying
        self._close("incomplete")
        if saying is not None and heard is not None and self._spoken:
            saying.item.wire = assistant_message(saying.item.id, "incomplete", heard, spoken=True)
        self._teller.tell("response.done", response=self._shown(status, {"type": status, **details}))

    def _added(self, item: Item, index: int) -> None:
        self._teller.tell("response.output_item.added", response_id=self.id, output_index=index, item=dict(item.wire))
        if self.wish.conversation:
            before = self._items.add(item)
            self._teller.tell("conversation.item.added", previous_item_id=before, item=dict(item.wire))

    def _done(self, item: Item, index: int, wire: Json) -> None:
        item.wire = self._output[index] = wire
        self._teller.tell("response.output_item.done", response_id=self.id, output_index=index, item=wire)
        if self.wish.conversation:
            self._teller.tell("conversation.item.done", previous_item_id=self._items.before(item), item=wire)

    def _place(self, saying: Saying) -> Json:
        return {"response_id": self.id, "item_id": saying.item.id, "output_index": saying.index, "content_index": 0}

    def _said(self) -> Spent:
        """What was sent of it, heard or not."""
        characters = self._characters + sum(written(wire) for wire in self._output if wire["type"] == "function_call")
        return Spent(text_tokens(characters), audio_tokens(self._samples / RATE, REPLY_AUDIO))

    def _shown(self, status: str, details: Json | None = None) -> Json:
        wish = self.wish
        return {
            "id": self.id,
            "object": "realtime.response",
            "status": status,
            "status_details": details,
            "output": list(self._output) if status != "in_progress" else [],
            "conversation_id": self._conversation,
            "output_modalities": wish.modalities,
            "max_output_tokens": wish.max_tokens,
            "audio": {"output": {"format": wish.format, "voice": wish.voice}},
            "metadata": wish.metadata,
            "usage": None if status == "in_progress" else of_response(wish.asked, self._said()),
        }
