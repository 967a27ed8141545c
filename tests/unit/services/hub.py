"""A model hub on this machine: real sockets, and every kind of trouble on request."""

from __future__ import annotations

import hashlib
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Trouble = Callable[["Request"], bool]
"""Answers a request itself and returns True, or returns False to have it answered as usual."""


def git_blob(content: bytes) -> str:
    return hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()


@dataclass
class Hub:
    """Files by path. ``linked`` ones are told by SHA-256 on a redirection, as large files are; others by git blob."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    linked: set[str] = field(default_factory=set)
    troubles: dict[str, deque[Trouble]] = field(default_factory=lambda: defaultdict(deque))
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Path and Range header of each request for content."""
    etags: dict[str, str] = field(default_factory=dict)
    ranges: bool = True
    declares: bool = True
    sent: threading.Event = field(default_factory=threading.Event)
    """Set when a stalling answer has sent its part."""
    released: threading.Event = field(default_factory=threading.Event)
    """Lets stalling answers end."""

    def add(self, path: str, content: bytes, *, linked: bool = False) -> str:
        self.files[path] = content
        if linked:
            self.linked.add(path)
        return self.url + path

    def trouble(self, path: str, *troubles: Trouble) -> None:
        self.troubles[path].extend(troubles)

    def ranges_of(self, path: str) -> list[str]:
        return [header for asked, header in self.asked if asked == path]


class Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        hub = self.server.hub
        path = self.path
        if path.startswith("/cdn"):
            path = path.removeprefix("/cdn")
        elif path in hub.linked:
            content = hub.files[path]
            linked = {"x-linked-etag": f'"{hashlib.sha256(content).hexdigest()}"', "x-linked-size": str(len(content))}
            self.answer(302, b"", location=f"/cdn{path}", **(linked if hub.declares else {}))
            return
        hub.asked.append((path, self.headers.get("range", "")))
        if hub.troubles[path] and hub.troubles[path].popleft()(self):
            return
        content = hub.files.get(path)
        if content is None:
            self.answer(404, b"not here")
            return
        self.content(content, hub.etags.get(path) or self.tag(path, content))

    def tag(self, path: str, content: bytes) -> str:
        """A small file of a hub has its git blob for an ETag; behind a redirection the tag means nothing."""
        if path in self.server.hub.linked or not self.server.hub.declares:
            return f'"cdn-{hashlib.md5(content).hexdigest()}"'
        return f'"{git_blob(content)}"'

    def content(self, content: bytes, tag: str, cut: int | None = None) -> None:
        begin = self.headers.get("range", "").removeprefix("bytes=").removesuffix("-")
        if begin and self.server.hub.ranges and self.headers.get("if-range", tag) == tag:
            start = int(begin)
            if start >= len(content):
                self.answer(416, b"")
                return
            part = content[start:]
            self.answer(
                206, part[:cut], len(part), etag=tag, content_range=f"bytes {start}-{len(content) - 1}/{len(content)}"
            )
        else:
            self.answer(200, content[:cut], len(content), etag=tag)

    def answer(self, status: int, body: bytes, length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("content-length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)
        if length is not None and length > len(body):
            self.close_connection = True

    def log_message(self, *args: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    hub: Hub

    def handle_error(self, request: object, client_address: object) -> None:
        """The other end hangs up: that is what many of these tests are about."""


@contextmanager
def running_hub() -> Iterator[Hub]:
    hub = Hub()
    server = _Server(("127.0.0.1", 0), Request)
    server.daemon_threads = False
    server.hub = hub
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hub
    finally:
        hub.released.set()
        server.shutdown()
        server.server_close()
        thread.join()


# --- troubles


def status(code: int, **headers: str) -> Trouble:
    def trouble(request: Request) -> bool:
        request.answer(code, b"trouble", **headers)
        return True

    return trouble


def redirect(location: str) -> Trouble:
    return status(302, location=location)


def cut(after: int) -> Trouble:
    """The connection ends in the middle."""

    def trouble(request: Request) -> bool:
        path = request.path.removeprefix("/cdn")
        content = request.server.hub.files[path]
        request.content(content, request.server.hub.etags.get(path) or request.tag(path, content), after)
        return True

    return trouble


def stall(after: int) -> Trouble:
    """Sends a part, then nothing until the hub releases it."""

    def trouble(request: Request) -> bool:
        cut(after)(request)
        request.wfile.flush()
        hub = request.server.hub
        hub.sent.set()
        hub.released.wait(60)
        return True

    return trouble


def other(content: bytes, tag: str = "") -> Trouble:
    """Other bytes than are there, or another tag."""

    def trouble(request: Request) -> bool:
        request.content(content, tag or f'"{git_blob(content)}"')
        return True

    return trouble


def then(change: Callable[[], None]) -> Trouble:
    """Something happens on the hub, then the request is answered as usual."""

    def trouble(request: Request) -> bool:
        change()
        return False

    return trouble
