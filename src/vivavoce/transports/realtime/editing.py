"""Client events about the items of a conversation."""

from __future__ import annotations

from typing import Any, Protocol

from vivavoce.contracts.errors import InvalidRequest
from vivavoce.sessions.conversation import Conversation
from vivavoce.transports.realtime.items import Item, Items, parsed
from vivavoce.transports.realtime.sound import RATE
from vivavoce.transports.realtime.wire import Json, Teller


class Edited(Protocol):
    """What is edited: a session of the protocol."""

    items: Items
    teller: Teller

    @property
    def conversation(self) -> Conversation:
        """The conversation behind it."""


def create(session: Edited, event: Json) -> None:
    """``conversation.item.create``. Raises InvalidRequest."""
    wire, message = parsed(event.get("item"), session.teller.fresh("item"))
    if session.items.find(wire["id"]) is not None:
        raise InvalidRequest(f"there is an item {wire['id']!r} already", code="item_create_duplicate_item_id")
    behind = event.get("previous_item_id")
    key: int | None = None
    if message is not None:
        key = session.conversation.direct.insert(message, _place(session.items, behind))
    item = Item(wire, key, message.role if message is not None else "")
    before = session.items.add(item, behind if isinstance(behind, str) else None)
    for stage in ("added", "done"):
        session.teller.tell(f"conversation.item.{stage}", previous_item_id=before, item=dict(wire))


def _place(items: Items, behind: Any) -> list[int] | None:
    """The entries of history behind which an item goes, the nearest first; None for the end."""
    if behind == "root":
        return []
    item = items.find(behind)
    return None if item is None else items.keys_up_to(item)


def retrieve(session: Edited, event: Json) -> None:
    """``conversation.item.retrieve``. Audio is not kept. Raises InvalidRequest."""
    item = _find(session, event, "item_retrieve_invalid_item_id")
    session.teller.tell("conversation.item.retrieved", item=dict(item.wire))


def delete(session: Edited, event: Json) -> None:
    """``conversation.item.delete``. Raises InvalidRequest."""
    item = _find(session, event, "item_delete_invalid_item_id")
    session.items.remove(item)
    if item.key is not None:
        session.conversation.direct.remove(item.key, item.role)
    session.teller.tell("conversation.item.deleted", item_id=item.id)


def truncate(session: Edited, event: Json) -> None:
    """``conversation.item.truncate``, clamped to the audio there was. Raises InvalidRequest."""
    item = _find(session, event, "item_truncate_invalid_item_id")
    wished = event.get("audio_end_ms")
    most = item.samples * 1000 // RATE
    end = int(min(most, max(0, wished))) if isinstance(wished, int | float) and wished == wished else most
    if item.generation and end < most:
        heard = session.conversation.direct.truncate(item.generation, end * RATE // 1000)
        if heard is not None:
            item.wire = {**item.wire, "content": [{"type": "output_audio", "transcript": heard}]}
    session.teller.tell("conversation.item.truncated", item_id=item.id, content_index=0, audio_end_ms=end)


def _find(session: Edited, event: Json, code: str) -> Item:
    item = session.items.find(event.get("item_id"))
    if item is None:
        raise InvalidRequest(f"there is no item {str(event.get('item_id'))[:60]!r}", code=code)
    return item
