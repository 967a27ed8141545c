"""The log of a whole run at its most talkative: no key, no token, no password, nothing that was said, typed or heard."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
import subprocess
import sys
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
import websockets

from tests.live.server import STARTS_WITHIN, free_port, spoken
from vivavoce.testing.openai_server import OpenAiServer, Trouble

pytestmark = [pytest.mark.engine, pytest.mark.process, pytest.mark.real_time]

# Words no line of a log has of itself; each is planted in a place of its own.
JWT_SECRET = "canary-jwt-secret-0123456789-0123456789"
PROVIDER_KEY = "sk-canary-provider-key"
TYPED = "zanzibarcanary"
SPEECH = "quetzalcanary"
CHAT = "xylophonecanary"
INSTRUCTIONS = "obsidiancanary"
WRONG_KEY = "sk-canary-wrong-key"
WRONG_TOKEN = "once_canary-wrong-token"
UPLOAD = b"RIFFcanaryupload"
SPOKEN = "what is twelve times twelve"


CONFIGURATION = """
logging: {{level: debug}}
engines: {{llm: "canary, commands"}}
providers:
  - {{name: canary, url: "{provider}", llm: test-model}}
server:
  keys_file: "{keys}"
  jwt: {{secret: "{jwt}"}}
"""


@dataclass
class Run:
    """A server and its log; ``secrets`` is whatever must not be in it."""

    port: int
    key: str
    log: Path
    secrets: dict[str, str] = field(default_factory=dict)

    @property
    def auth(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.key}"}

    def lines(self) -> str:
        return self.log.read_text(errors="replace")

    def leaked(self) -> dict[str, list[str]]:
        """Lines with a secret in them, by what it is."""
        lines = self.lines().splitlines()
        found = {
            name: [line[:300] for line in lines if value.lower() in line.lower()] for name, value in self.secrets.items()
        }
        return {name: hits for name, hits in found.items() if hits}


def _made_key(keys: Path) -> str:
    command = [sys.executable, "-m", "vivavoce", "key", "create", "canary", "--json", "--set", f"server.keys_file={keys}"]
    made = subprocess.run(command, capture_output=True, text=True, check=True)
    return str(json.loads(made.stdout)["key"])


@asynccontextmanager
async def talkative(tmp_path: Path, provider: str) -> AsyncIterator[Run]:
    keys = tmp_path / "keys.json"
    run = Run(free_port(), await asyncio.to_thread(_made_key, keys), tmp_path / "server.log")
    configuration = tmp_path / "vivavoce.yaml"
    await asyncio.to_thread(configuration.write_text, CONFIGURATION.format(provider=provider, keys=keys, jwt=JWT_SECRET))
    with run.log.open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "vivavoce", "serve", "--port", str(run.port), "--config", str(configuration),
            stdout=log, stderr=log, cwd=tmp_path,
            env={**os.environ, "VIVAVOCE_KEYS__CANARY": PROVIDER_KEY},
        )  # fmt: skip
        try:
            await _ready(run, process)
            yield run
        finally:
            process.terminate()
            await asyncio.wait_for(process.wait(), 60)


async def _ready(run: Run, process: asyncio.subprocess.Process) -> None:
    async with httpx.AsyncClient() as client:
        for _ in range(round(STARTS_WITHIN / 0.1)):
            assert process.returncode is None, run.lines()
            try:
                if (await client.get(f"http://127.0.0.1:{run.port}/health")).status_code == 200:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.1)
    raise AssertionError("the server did not start")


async def _rest(run: Run, client: httpx.AsyncClient, sound: bytes) -> None:
    """Requests that are answered, and requests that are not."""
    speech = {"model": "tts-1", "input": f"hello {SPEECH}", "voice": "alloy", "response_format": "pcm"}
    chat = {"model": "canary", "messages": [{"role": "user", "content": f"tell me of {CHAT}"}]}
    assert (await client.post("/v1/audio/speech", json=speech)).status_code == 200
    assert (await client.post("/v1/audio/speech", json={**speech, "voice": SPEECH})).status_code == 400
    assert (await client.post("/v1/audio/speech", content=f'{{"input": "{SPEECH}"'.encode())).status_code == 400
    async with client.stream("POST", "/v1/audio/speech", json={**speech, "input": speech["input"] * 400}) as answer:
        await anext(answer.aiter_bytes())
    heard = await client.post("/v1/audio/transcriptions", files={"file": ("a.wav", sound)}, data={"model": "whisper-1"})
    assert heard.json()["text"] == SPOKEN
    for data in (UPLOAD, sound[:30], b""):
        files, form = {"file": ("a.wav", data)}, {"model": "whisper-1", "prompt": CHAT}
        assert (await client.post("/v1/audio/transcriptions", files=files, data=form)).status_code == 400
    assert (await client.post("/v1/chat/completions", json=chat)).status_code == 200
    assert (await client.get(f"/v1/models/{SPEECH}")).status_code == 404
    assert (await client.get(f"/nowhere?token={WRONG_TOKEN}")).status_code == 404
    session = (await client.post("/v1/speech/sessions", json={})).json()["id"]
    assert (await client.post(f"/v1/speech/sessions/{session}/text", json={"text": SPEECH})).status_code == 202
    assert (await client.delete(f"/v1/speech/sessions/{session}")).status_code == 204


async def _refused(service: OpenAiServer, client: httpx.AsyncClient) -> None:
    """A service that refuses, and says what it was sent."""
    chat = {"model": "canary", "messages": [{"role": "user", "content": f"tell me of {CHAT}"}]}
    for status, message in (
        (401, f"Incorrect API key provided: {PROVIDER_KEY}"),
        (400, f"no answer to {CHAT}"),
        (500, CHAT),
    ):
        service.troubles = [Trouble("status", status, message=message)] * 3
        for stream in (False, True):
            await client.post("/v1/chat/completions", json={**chat, "stream": stream})
    service.troubles = [Trouble("error_event", message=CHAT)]
    await client.post("/v1/chat/completions", json={**chat, "stream": True})
    service.troubles = []


async def _recognised(run: Run, client: httpx.AsyncClient) -> None:
    """Every kind of key, right and wrong."""
    nobody = {"authorization": f"Bearer {WRONG_KEY}"}
    assert (await client.get("/api/status", headers=nobody)).status_code == 401
    signed = jwt.encode({"sub": "anna", "exp": 4_000_000_000, "scope": "converse"}, JWT_SECRET, "HS256")
    spoilt = signed[:-4] + "xxxx"
    run.secrets |= {"JWT": signed, "wrong JWT": spoilt}
    assert (await client.post("/api/token", headers={"authorization": f"Bearer {spoilt}"})).status_code == 401
    token = (await client.post("/api/token", headers={"authorization": f"Bearer {signed}"})).json()["token"]
    secret = (await client.post("/v1/realtime/client_secrets", json={"session": {"instructions": INSTRUCTIONS}})).json()[
        "value"
    ]
    run.secrets |= {"one-time token": token, "ephemeral key": secret}


async def _sockets(run: Run, pcm: bytes) -> None:
    address = f"ws://127.0.0.1:{run.port}"
    token = run.secrets["one-time token"]
    async with websockets.connect(f"{address}/ws/audio?token={token}") as socket:
        await socket.send(json.dumps({"type": "hello", "instructions": INSTRUCTIONS, "provider": {"llm": "commands"}}))
        await socket.send(json.dumps({"type": "text", "text": TYPED}))
        await _told(socket, "response_complete")
        await socket.send(f'{{"type": "text", "text": "{TYPED}"')
        await socket.send(json.dumps({"type": TYPED}))
        await _told(socket, "error")
        for start in range(0, len(pcm), 640):
            await socket.send(pcm[start : start + 640])
            await asyncio.sleep(0.01)
        assert SPOKEN in json.dumps(await _told(socket, "transcription", final=True))
    for refused in (f"/ws/audio?token={token}", f"/v1/realtime?token={WRONG_TOKEN}"):
        with pytest.raises(websockets.InvalidStatus):
            await websockets.connect(address + refused)
    key = {"Authorization": f"Bearer {run.secrets['ephemeral key']}"}
    async with websockets.connect(f"{address}/v1/realtime?model={TYPED}", additional_headers=key) as socket:
        await _told(socket, "session.created")
        content = [{"type": "input_text", "text": TYPED}]
        item = {"type": "message", "role": "user", "content": content}
        await socket.send(json.dumps({"type": "conversation.item.create", "item": item}))
        await socket.send(json.dumps({"type": "response.create", "response": {"instructions": INSTRUCTIONS}}))
        await _told(socket, "response.done")
        await socket.send(json.dumps({"type": TYPED, "event_id": TYPED}))
        await socket.send(
            json.dumps({"type": "input_audio_buffer.append", "audio": base64.b64encode(UPLOAD).decode() + "!"})
        )
        await socket.send(f"[{TYPED}")
        await _told(socket, "error")
    with pytest.raises(websockets.InvalidStatus):
        protocols: Any = ["realtime", f"openai-insecure-api-key.{WRONG_KEY}"]
        await websockets.connect(f"{address}/v1/realtime", subprotocols=protocols)


async def _told(socket: Any, kind: str, **fields: Any) -> Any:
    async with asyncio.timeout(60):
        while True:
            message = await socket.recv()
            if isinstance(message, str):
                event = json.loads(message)
                if event["type"] == kind and all(event[name] == value for name, value in fields.items()):
                    return event


async def test_a_whole_run_tells_no_secret_and_no_word(tmp_path: Path) -> None:
    pcm = bytes(9_600) + await asyncio.to_thread(spoken, tmp_path, SPOKEN) + bytes(48_000)
    async with asyncio.timeout(180), OpenAiServer() as service:
        service.reply = lambda _body: f"A reply about {CHAT}."
        async with talkative(tmp_path, service.url) as run:
            run.secrets |= {
                "API key": run.key, "wrong key": WRONG_KEY, "wrong token": WRONG_TOKEN, "provider's key": PROVIDER_KEY,
                "JWT secret": JWT_SECRET, "typed": TYPED, "to be spoken": SPEECH, "chat": CHAT, "instructions": INSTRUCTIONS,
                "upload": UPLOAD.decode()[4:], "heard": SPOKEN,
            }  # fmt: skip
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{run.port}", headers=run.auth, timeout=60) as client:
                await _rest(run, client, _recording(pcm))
                await _refused(service, client)
                await _recognised(run, client)
            await _sockets(run, pcm)
        chats = service.asked("/chat/completions")
        assert all(any(word in chat.body.decode() for chat in chats) for word in (CHAT, TYPED, INSTRUCTIONS))
        assert all(PROVIDER_KEY in chat.headers["authorization"] for chat in chats)
    assert run.leaked() == {}
    _would_be_found(run)


def _recording(pcm: bytes) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(pcm)
    return out.getvalue()


def _would_be_found(run: Run) -> None:
    """Control: the log is that of a whole run, and each secret in it would be seen."""
    log = run.lines()
    for sign in ('"WebSocket /ws/audio" [accepted]', '"WebSocket /v1/realtime" [accepted]', '/ws/audio" 401', "ready"):
        assert sign in log, (sign, log)
    assert "Traceback" not in log, "no bug came up"
    assert " ERROR " not in log, "what clients do wrong is no error of the server"
    with run.log.open("a") as file:
        file.writelines(f"2026-01-01 DEBUG x: what the client said: {value!r}\n" for value in run.secrets.values())
    assert set(run.leaked()) == set(run.secrets)
