"""Speak a text while it is still being written, as a language model writes one: words from standard input, sound to a file.

    pip install websockets
    some-model | python speak_while_writing.py reply.mp3 [ws://127.0.0.1:8765/v1/speech/sessions/ws]

The first sound is there before the last word.
"""

import asyncio
import json
import sys

import websockets


async def write(socket: websockets.ClientConnection) -> None:
    """Lines as they come, then the end."""
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        await socket.send(json.dumps({"type": "text", "text": line}))
    await socket.send(json.dumps({"type": "end"}))


async def main(out: str, url: str) -> None:
    async with websockets.connect(url) as socket:
        await socket.send(json.dumps({"type": "start", "format": out.rpartition(".")[2]}))
        writing = asyncio.create_task(write(socket))
        with open(out, "wb") as file:
            async for message in socket:
                if isinstance(message, bytes):
                    file.write(message)
                    continue
                event = json.loads(message)
                if event["type"] == "error":
                    print("error:", event["error"]["message"], file=sys.stderr)
                elif event["type"] == "done":
                    print(f"wrote {out}: {event['characters']} characters, {event['seconds']:.1f} s, {event['reason']}")
        await writing


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    asyncio.run(main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "ws://127.0.0.1:8765/v1/speech/sessions/ws"))
