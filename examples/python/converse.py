"""Hold a conversation with a server over /ws/audio: a recording goes up at the pace of a microphone, the reply comes back.

    pip install websockets
    python converse.py ../what-time-is-it.wav reply.wav [ws://127.0.0.1:8765/ws/audio]

The recording: mono, 16 bit. Prints what was understood and answered, and how soon; writes what was heard.
"""

import asyncio
import json
import struct
import sys
import wave

import websockets

HEADER = struct.Struct("<BBHIII")  # version, flags, revision, turn, generation, offset
FRAME = 0.02


class Reply:
    """What came of the newest reply."""

    def __init__(self) -> None:
        self.generation, self.pcm, self.text = 0, bytearray(), ""

    def sounded(self, message: bytes) -> None:
        *_, generation, offset = HEADER.unpack_from(message)
        if generation > self.generation:  # the one before is over
            self.generation, self.pcm = generation, bytearray()
        if generation == self.generation and 2 * offset == len(self.pcm):
            self.pcm += message[HEADER.size :]

    def told(self, event: dict) -> bool:
        """Whether the turn is over."""
        match event["type"]:
            case "transcription" if event["final"]:
                print("understood:", event["text"])
            case "reply_started":
                self.text = ""
            case "text":
                self.text += event["content"]
            case "interrupted" if event["generation"] == self.generation:
                del self.pcm[2 * event["at"] :]  # nothing behind it was heard
            case "error":
                print("error:", event["message"], file=sys.stderr)
            case "response_complete":
                print("answered:", self.text.strip())
                print("first sound:", round(1000 * event["waterfall"]["total"]), "ms behind the end of speech")
                return True
        return False


async def speak(socket: websockets.ClientConnection, recording: bytes, rate: int) -> None:
    """The recording, then silence, as a microphone that stays open sends it."""
    size = 2 * round(rate * FRAME)
    due = asyncio.get_running_loop().time()
    at = 0
    while True:
        await socket.send(recording[at : at + size].ljust(size, b"\0"))
        at += size
        due += FRAME
        await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))


async def converse(path: str, out: str, url: str) -> None:
    with wave.open(path) as file:
        rate, recording = file.getframerate(), file.readframes(file.getnframes())
    reply = Reply()
    async with websockets.connect(url) as socket:
        await socket.send(json.dumps({"type": "hello", "audio": {"input_rate": rate}}))
        ready = json.loads(await socket.recv())
        if ready["type"] != "ready":
            sys.exit(ready["message"])
        speaking = asyncio.create_task(speak(socket, recording, rate))
        async for message in socket:
            if isinstance(message, bytes):
                reply.sounded(message)
            elif reply.told(json.loads(message)):
                break
        speaking.cancel()
        await socket.send(json.dumps({"type": "goodbye"}))
    with wave.open(out, "wb") as file:
        file.setparams((1, 2, ready["audio"]["output"]["rate"], 0, "NONE", ""))
        file.writeframes(reply.pcm)
    print("wrote", out)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    asyncio.run(converse(sys.argv[1], sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else "ws://127.0.0.1:8765/ws/audio"))
