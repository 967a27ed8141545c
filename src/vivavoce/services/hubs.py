"""The model hub: where its files lie, and what its answers declare about them. The only place that names it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from vivavoce.contracts.errors import ConfigurationError
from vivavoce.services.model_entries import HubSource, UrlSource

HUB = "https://huggingface.co"

_SHA256 = re.compile(r"[0-9a-f]{64}")
_GIT_BLOB = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class Declared:
    """What a hub says of a file: bytes, and its SHA-256 (large files) or the name of its git blob (small ones)."""

    size: int | None = None
    sha256: str = ""
    git_blob: str = ""

    @property
    def checkable(self) -> bool:
        """Whether there is a checksum."""
        return bool(self.sha256 or self.git_blob)


def address(source: HubSource | UrlSource, mirror: str) -> str:
    """Where to fetch a file. Raises ConfigurationError for a mirror that is no web address."""
    if isinstance(source, UrlSource):
        return source.url
    base = (mirror or HUB).rstrip("/")
    if urlsplit(base).scheme not in ("http", "https"):
        raise ConfigurationError(f"models.mirror must begin with http:// or https://, not {mirror!r}")
    return f"{base}/{source.repository}/resolve/{source.revision}/{quote(source.path)}"


def declared(headers: Mapping[str, str]) -> Declared:
    """What an answer of the hub, or of a mirror in its layout, declares; a redirection declares it too.

    A large file is known by ``X-Linked-Etag`` (SHA-256) and ``X-Linked-Size``, a small one by an ETag that is the name
    of its git blob.
    """
    tag = (headers.get("x-linked-etag") or headers.get("etag") or "").removeprefix("W/").strip('"').lower()
    size = headers.get("x-linked-size", "")
    return Declared(
        size=int(size) if size.isascii() and size.isdigit() else None,
        sha256=tag if _SHA256.fullmatch(tag) else "",
        git_blob=tag if _GIT_BLOB.fullmatch(tag) else "",
    )
