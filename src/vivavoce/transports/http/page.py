"""Static files: read once, served from memory, under a policy that lets nothing foreign in."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from vivavoce.contracts.errors import ConfigurationError, UnknownName

MAX_BYTES = 16 * 1024 * 1024
"""All files together."""

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".webmanifest": "application/manifest+json",
    ".wasm": "application/wasm",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
    ".wav": "audio/wav",
}
"""By suffix; a file of another kind is not served."""

POLICY = "; ".join((
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:", "font-src 'self'",
    "media-src 'self' blob:", "connect-src 'self'", "worker-src 'self'", "manifest-src 'self'", "base-uri 'self'",
    "form-action 'none'", "frame-ancestors 'none'",
))  # fmt: skip

HEADERS = {
    "content-security-policy": POLICY,
    "permissions-policy": "microphone=(self), camera=(), geolocation=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-cache",
}
"""``no-cache`` means: keep it, but ask whether it changed; the answer is an empty 304."""


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    type: str
    tag: str


class Page:
    """The files below a directory, by their relative path. A path that is no file there cannot be asked for.

    Reads them when it is made: make it before the loop runs.
    """

    def __init__(self, directory: Path) -> None:
        self._files: dict[str, _File] = {}
        total = 0
        for path in sorted(directory.rglob("*")) if directory.is_dir() else ():
            kind = TYPES.get(path.suffix)
            if kind is None or not path.is_file():
                continue
            content = path.read_bytes()
            total += len(content)
            if total > MAX_BYTES:
                raise ConfigurationError(f"{directory} holds more than {MAX_BYTES} bytes: it is not the folder of the page")
            tag = f'"{hashlib.sha256(content).hexdigest()[:24]}"'
            self._files[path.relative_to(directory).as_posix()] = _File(content, kind, tag)

    def __contains__(self, path: str) -> bool:
        return path in self._files

    @property
    def paths(self) -> tuple[str, ...]:
        """What there is."""
        return tuple(self._files)

    def answer(self, path: str, request: Request) -> Response:
        """The file, or 304 where the browser has it. Raises UnknownName."""
        file = self._files.get(path)
        if file is None:
            raise UnknownName(f"there is no {path!r} here", code="not_found")
        headers = {**HEADERS, "etag": file.tag}
        if request.headers.get("if-none-match") == file.tag:
            return Response(status_code=304, headers=headers)
        return Response(file.content, media_type=file.type, headers=headers)
