"""Recordings as clients send them: a form, or JSON with base64; bounded before anything is decoded."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.types import Message

from vivavoce.contracts.errors import InvalidRequest
from vivavoce.transports.openai.errors import Parameter

MAX_FIELDS = 64
MAX_FIELD = 256 * 1024
"""Bytes of one field that is no file."""


@dataclass(frozen=True, slots=True)
class Upload:
    """The recording and the other fields; a field sent several times is a list, names are without brackets."""

    audio: bytes
    fields: Mapping[str, str | list[str]]

    def text(self, name: str, default: str = "") -> str:
        """A field's last value."""
        value = self.fields.get(name, default)
        return value[-1] if isinstance(value, list) else value

    def many(self, name: str) -> list[str]:
        """A field that may come several times, or once with commas."""
        value = self.fields.get(name, [])
        values = value if isinstance(value, list) else value.split(",")
        return [item.strip() for item in values if item.strip()]


async def read(request: Request, max_bytes: int) -> Upload:
    """The upload of a request. Raises Parameter for a body that is none, with code ``too_large`` over ``max_bytes``."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    bounded = _bounded(request, max_bytes * 4 // 3 + (1 << 20) if kind == "application/json" else max_bytes + (1 << 20))
    if kind == "application/json":
        upload = _from_json(await bounded.body())
    elif kind == "multipart/form-data":
        upload = await _from_form(bounded)
    else:
        raise Parameter("file", "send multipart/form-data with the recording in `file`, or JSON with `input_audio`")
    if len(upload.audio) > max_bytes:
        raise _too_large(max_bytes)
    if not upload.audio:
        raise Parameter("file", "the recording is empty")
    return upload


def _bounded(request: Request, limit: int) -> Request:
    """The same request, which refuses to read on over ``limit`` bytes."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    taken = 0

    async def receive() -> Message:
        nonlocal taken
        message = await request.receive()
        taken += len(message.get("body", b""))
        if taken > limit:
            raise _too_large(limit)
        return message

    return Request(request.scope, receive)


def _too_large(limit: int) -> InvalidRequest:
    return Parameter("file", f"a recording has at most {limit / 1e6:.0f} MB", code="too_large")


async def _from_form(request: Request) -> Upload:
    try:
        form = await request.form(max_files=4, max_fields=MAX_FIELDS, max_part_size=MAX_FIELD)
    except MultiPartException as error:
        raise Parameter("file", f"the form is broken: {error.message}") from error
    try:
        audio: bytes | None = None
        fields: dict[str, str | list[str]] = {}
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                if name == "file":
                    audio = await value.read()
            else:
                _add(fields, name, value)
    finally:
        await form.close()
    if audio is None:
        raise Parameter("file", "the form has no file called `file`")
    return Upload(audio, fields)


def _add(fields: dict[str, str | list[str]], name: str, value: str) -> None:
    plain = name.removesuffix("[]")
    there = fields.get(plain)
    if name != plain or there is not None:
        fields[plain] = [*(there if isinstance(there, list) else [there] if there is not None else []), value]
    else:
        fields[plain] = value


def _from_json(body: bytes) -> Upload:
    try:
        content = json.loads(body)
    except ValueError as error:
        raise Parameter("body", f"the body is no JSON: {error}") from error
    if not isinstance(content, dict):
        raise Parameter("body", "the body must be a JSON object")
    sound: Any = content.pop("input_audio", None)
    data = sound.get("data") if isinstance(sound, dict) else None
    if not isinstance(data, str):
        raise Parameter("input_audio", 'send the recording as "input_audio": {"data": base64, "format": "wav"}')
    try:
        audio = base64.b64decode(data, validate=True)
    except ValueError as error:  # also what is no ASCII at all
        raise Parameter("input_audio.data", f"this is no base64: {error}") from error
    fields: dict[str, str | list[str]] = {}
    for name, value in content.items():
        if isinstance(value, list):
            fields[name] = [str(item) for item in value]
        elif isinstance(value, bool):
            fields[name] = str(value).lower()
        elif value is not None:
            fields[name] = str(value)
    return Upload(audio, fields)
