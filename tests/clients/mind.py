"""A language model whose answers are known, behind OpenAI's chat API: a stand-in for what a user would connect.

Run as a process; it prints its base address. The built-in agent calls no tools of clients and never talks at length.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from vivavoce.testing.openai_server import OpenAiServer

LONG = " ".join(["The ferry crosses the bay in forty minutes, and it returns before the sun is high."] * 12)
"""About a minute of speech."""


def reply(body: dict[str, Any]) -> str | Sequence[dict[str, Any]]:
    """The tool `weather` is called where a client offers it, for the weather and for sums; its answer is passed on.

    The server's own tools are offered, too, and left alone.
    """
    messages = [message for message in body["messages"] if message["role"] != "system"]
    if not messages:
        return "Hello."
    last = messages[-1]
    if last["role"] == "tool":
        return f"The tool says {last['content']}."
    question = _text(last).splitlines()[-1]  # what was said without an answer in between comes as one message
    asked = question.lower()
    offered = [tool["function"]["name"] for tool in body.get("tools", ())]
    if "weather" in offered and ("weather" in asked or "twelve" in asked):
        return _call("weather", {"city": "Oslo"})
    if "story" in asked:
        return LONG
    return f"You asked {question}"


def _text(message: dict[str, Any]) -> str:
    content = message.get("content") or ""
    return content if isinstance(content, str) else " ".join(part.get("text", "") for part in content)


def _call(name: str, arguments: dict[str, str]) -> list[dict[str, Any]]:
    """In two pieces, as services send it."""
    text = json.dumps(arguments)
    head = {"index": 0, "id": "call_weather", "type": "function", "function": {"name": name, "arguments": text[:5]}}
    return [{"tool_calls": [head]}, {"tool_calls": [{"index": 0, "function": {"arguments": text[5:]}}]}]


async def main() -> None:
    async with OpenAiServer() as server:
        server.reply = reply
        print(server.url, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
