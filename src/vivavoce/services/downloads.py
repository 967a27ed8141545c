"""Downloads of single files: resumed, bounded, checked while they come. Blocking.

A file comes as ``.NAME.partial``; beside it ``.NAME.partial.json`` keeps what is needed to go on after a break. Only a whole
and checked file is handed to the caller, who gives it its name.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx

from vivavoce.contracts.errors import Unavailable
from vivavoce.services.cancellation import Cancellation
from vivavoce.services.hubs import Declared, declared
from vivavoce.services.options import ModelOptions

GROWTH = 1 << 20
"""Bytes a try must bring to count as progress: a server that drops every connection after a few is given up."""
MAX_REDIRECTS = 8
MAX_WAIT = 60.0
"""Longest wait between two tries, whatever the server asks for."""
TRANSIENT = frozenset((408, 425, 429, 500, 502, 503, 504))
"""Statuses that may be gone at the next try."""
SLACK = 2
"""How many times its inexact size a file may have."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One file to fetch. ``hub`` says whether the host's answers declare checksums as a hub's do."""

    url: str
    target: Path
    size: int | None
    exact: bool = True
    sha256: str | None = None
    hub: bool = False

    @property
    def partial(self) -> Path:
        """Where it lies until it is whole."""
        return partial_of(self.target)

    @property
    def limit(self) -> int:
        """Most bytes that are accepted."""
        if self.size is None:
            return 1 << 34
        return self.size if self.exact else SLACK * self.size + GROWTH


@dataclass(frozen=True, slots=True)
class Fetched:
    """A whole file under its unfinished name; ``by_hub`` says whose checksum it has."""

    partial: Path
    size: int
    sha256: str
    by_hub: bool


def partial_of(target: Path) -> Path:
    """The unfinished name of a file."""
    return target.with_name(f".{target.name}.partial")


def discard(target: Path) -> None:
    """Remove what an unfinished download left."""
    partial_of(target).unlink(missing_ok=True)
    _state_path(partial_of(target)).unlink(missing_ok=True)


class _Again(Exception):  # noqa: N818 - never leaves this file; a reason to try once more
    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


class Downloader:
    """Fetches one file after the other over one set of connections; used as a context manager.

    ``received`` is told the bytes of the current file so far, which may fall when a download begins again.
    """

    def __init__(
        self,
        options: ModelOptions,
        cancellation: Cancellation | None = None,
        received: Callable[[int], None] = lambda so_far: None,
    ) -> None:
        self._options = options
        self._cancellation = cancellation or Cancellation()
        self._received = received
        timeout = httpx.Timeout(options.read_timeout, connect=options.connect_timeout)
        headers = {"accept-encoding": "identity", "user-agent": "vivavoce"}
        self._client = httpx.Client(timeout=timeout, headers=headers, follow_redirects=False)

    def __enter__(self) -> Downloader:
        return self

    def __exit__(self, *exc: object) -> None:
        self._client.close()

    def fetch(self, asked: Asked) -> Fetched:
        """Fetch, resuming what an earlier try left.

        Raises Unavailable for a host that cannot be reached, does not have the file, or has another one; Cancelled; and
        OSError where it cannot be written.
        """
        failures = 0
        while True:
            before = _size(asked.partial)
            try:
                return self._attempt(asked)
            except _Again as again:
                reason, wait = str(again), again.wait
            except httpx.TransportError as error:
                reason, wait = str(error) or type(error).__name__, 0.0
            except httpx.InvalidURL as error:
                raise Unavailable(f"{asked.url} is no web address: {error}", retryable=False, cause=error) from error
            self._cancellation.check()
            failures = 1 if _size(asked.partial) >= before + GROWTH else failures + 1
            if failures >= self._options.attempts:
                tries = f"after {failures} tries" if failures > 1 else "at the only try"
                raise Unavailable(f"cannot fetch {asked.url} ({reason}, {tries}); try again: what has come is kept")
            self._cancellation.wait(min(MAX_WAIT, max(wait, self._options.back_off * 2 ** (failures - 1))))

    def _attempt(self, asked: Asked) -> Fetched:
        state = _State.read(asked)
        if state is not None and state.size is not None and _size(asked.partial) == state.size:
            found = _Digest(state)
            found.add_file(asked.partial)
            if found.right(state):  # the last try was stopped between the last byte and the name
                return Fetched(asked.partial, state.size, found.sha256, state.by_hub)
            discard(asked.target)
            state = None
        start = _size(asked.partial) if state is not None and state.etag else 0
        headers = {"range": f"bytes={start}-", "if-range": state.etag} if state is not None and start else {}
        with self._open(asked, headers) as (response, told):
            return self._take(asked, response, _State.of(asked, response, told), start if response.status_code == 206 else 0)

    @contextlib.contextmanager
    def _open(self, asked: Asked, headers: dict[str, str]) -> Iterator[tuple[httpx.Response, Declared]]:
        """Follow redirections; the body is not read yet. What any of the answers declares counts."""
        url, told = asked.url, Declared()
        for _ in range(MAX_REDIRECTS + 1):
            self._cancellation.check()
            response = self._client.send(self._client.build_request("GET", url, headers=headers), stream=True)
            try:
                if asked.hub and not told.checkable:
                    told = declared(response.headers)
                if not response.has_redirect_location:
                    _check_status(asked, response)
                    yield response, told
                    return
                url = _redirected(url, response.headers["location"])
            finally:
                response.close()
        raise Unavailable(f"{asked.url} redirects more than {MAX_REDIRECTS} times", retryable=False)

    def _take(self, asked: Asked, response: httpx.Response, state: _State, start: int) -> Fetched:
        """Read the body behind the ``start`` bytes that are here. The file is whole when this returns."""
        digest = _Digest(state)
        if start:
            digest.add_file(asked.partial)
        else:
            state.write(asked.partial)
        limit = state.size if state.size is not None else asked.limit
        with asked.partial.open("r+b" if start else "wb") as stream, self._cancellation.bound(_socket(response)):
            stream.seek(start)
            stream.truncate()
            so_far = start
            for chunk in response.iter_raw():
                self._cancellation.check()
                so_far += len(chunk)
                if so_far > limit:
                    discard(asked.target)
                    raise Unavailable(f"{asked.url} sends more than the {limit} bytes it has", retryable=False)
                stream.write(chunk)
                digest.add(chunk)
                self._received(so_far)
            self._cancellation.check()
            stream.flush()
            os.fsync(stream.fileno())
        if state.size is not None and so_far < state.size:
            raise _Again(f"it ended after {so_far} of {state.size} bytes")
        return self._checked(asked, state, digest, so_far, resumed=bool(start))

    @staticmethod
    def _checked(asked: Asked, state: _State, digest: _Digest, size: int, *, resumed: bool) -> Fetched:
        if digest.right(state):
            return Fetched(asked.partial, size, digest.sha256, state.by_hub)
        discard(asked.target)
        if resumed:
            raise _Again("the part that was here does not go with the rest")
        raise Unavailable(
            f"{asked.url} is not the file expected (checksum): it was changed there or on the way; nothing was kept",
            retryable=False,
        )


@dataclass(frozen=True, slots=True)
class _State:
    """What a partial file is the beginning of."""

    url: str
    etag: str
    size: int | None
    sha256: str
    git_blob: str
    by_hub: bool

    @classmethod
    def of(cls, asked: Asked, response: httpx.Response, told: Declared) -> _State:
        """From the answer whose body comes now. Raises Unavailable where it cannot be the file that was asked for."""
        total = _total(response)
        for size in (total, told.size):
            wrong = size is not None and asked.size is not None and asked.exact and size != asked.size
            if wrong or (size is not None and size > asked.limit):
                discard(asked.target)
                raise Unavailable(f"{asked.url} has {size} bytes and not {asked.size}: it is another file", retryable=False)
        by_hub = asked.sha256 is None
        if by_hub and not (told.sha256 or (told.git_blob and (told.size or total) is not None)):
            raise Unavailable(
                f"no checksum of {asked.url} is known, and the host declares none; fetch it yourself and use "
                "`vivavoce models import`",
                retryable=False,
            )
        sha256, blob = (told.sha256, told.git_blob) if by_hub else (asked.sha256 or "", "")
        size = asked.size if asked.exact and asked.size is not None else told.size if told.size is not None else total
        state = cls(asked.url, _strong_tag(response), size, sha256, blob, by_hub)
        before = cls.read(asked)
        if response.status_code == 206 and (before is None or before.identity != state.identity):
            discard(asked.target)
            raise _Again("the file has changed")
        return state

    @property
    def identity(self) -> tuple[str, str, str, int | None]:
        """Which file it is, whatever address its bytes came from."""
        return self.url, self.sha256, self.git_blob, self.size

    @classmethod
    def read(cls, asked: Asked) -> _State | None:
        """As an earlier try left it; None where there is nothing to go on from."""
        try:
            state = cls(**json.loads(_state_path(asked.partial).read_text()))
        except (OSError, ValueError, TypeError):  # absent, or torn by a crash: begin again
            return None
        same = state.url == asked.url and (asked.sha256 is None or asked.sha256 == state.sha256)
        return state if same and asked.partial.is_file() else None

    def write(self, partial: Path) -> None:
        """Keep it beside the partial file."""
        _state_path(partial).write_text(json.dumps(asdict(self)))


class _Digest:
    """The checksums of a file while it comes."""

    def __init__(self, state: _State) -> None:
        self._sha256 = hashlib.sha256()
        self._blob = hashlib.sha1(f"blob {state.size}\0".encode(), usedforsecurity=False) if state.git_blob else None

    def add(self, data: bytes) -> None:
        self._sha256.update(data)
        if self._blob is not None:
            self._blob.update(data)

    def add_file(self, path: Path) -> None:
        with path.open("rb") as stream:
            while block := stream.read(1 << 20):
                self.add(block)

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()

    def right(self, state: _State) -> bool:
        if self._blob is not None:
            return self._blob.hexdigest() == state.git_blob
        return self.sha256 == state.sha256


def _check_status(asked: Asked, response: httpx.Response) -> None:
    status = response.status_code
    if status == 206:
        begins = response.headers.get("content-range", "").lower().partition("bytes ")[2].partition("-")[0]
        if begins != str(_size(asked.partial)):
            discard(asked.target)
            raise _Again("the server answered with another part than was asked for")
        return
    if status == 200:
        return
    if status == 416:
        discard(asked.target)
        raise _Again("the part that was here is longer than the file")
    if status in TRANSIENT:
        after = response.headers.get("retry-after", "")
        raise _Again(f"the server answers {status}", float(after) if after.isascii() and after.isdigit() else 0.0)
    meaning = {401: "wants to know who asks", 403: "refuses it", 404: "does not have it", 410: "has it no more"}
    said = meaning.get(status, "does not give it")
    raise Unavailable(f"{urlsplit(asked.url).netloc} {said} (status {status}): {asked.url}", retryable=False)


def _redirected(url: str, location: str) -> str:
    try:
        target = urljoin(url, location)
        before, after = urlsplit(url).scheme, urlsplit(target).scheme
    except ValueError as error:
        raise Unavailable(f"{url} redirects to {location[:100]!r}, which is no address", retryable=False) from error
    if after not in ("http", "https") or (before == "https" and after == "http"):
        raise Unavailable(f"{url} redirects from {before} to {after or 'nowhere'}, which is not followed", retryable=False)
    return target


def _total(response: httpx.Response) -> int | None:
    """Bytes of the whole file, as this answer has it."""
    if response.status_code == 206:
        text = response.headers.get("content-range", "").rpartition("/")[2]
    else:
        text = response.headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() else None


def _strong_tag(response: httpx.Response) -> str:
    """The ETag a range may be bound to, or empty."""
    tag = response.headers.get("etag", "")
    return tag if tag.startswith('"') else ""


def _socket(response: httpx.Response) -> socket.socket | None:
    stream: Any = response.extensions.get("network_stream")
    return stream.get_extra_info("socket") if stream is not None else None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # not there yet
        return 0


def _state_path(partial: Path) -> Path:
    return partial.with_name(f"{partial.name}.json")
