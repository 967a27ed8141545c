"""What the tests of the speaking engines have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vivavoce.audio.spoken import SpokenPiece

SILENT_TEXTS = ["", " ", "\n\t", "...", "\0", "你好", "😀", "😀" * 600, "?!" * 500]
ODD_TEXTS = [
    "Hello there, my dear friend. How are you?",
    "Größe über Öl 😀 schön, 25 Äpfel.",
    "  leading and trailing   ",
    "Ends in silence ... …",
    "你好 only this is read",
    "It’s “quoted” – with dashes — and more; see: yes!",
    "nothing\0stops\x01it",
    "[[ h@loU ]] <speak> {x}",
]


class CountingSession:
    """A session of onnxruntime that counts its calls."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self.calls: list[dict[str, Any]] = []

    def run(self, outputs: Any, feeds: dict[str, Any]) -> Any:
        self.calls.append(feeds)
        return self._session.run(outputs, feeds)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


def samples(pieces: Sequence[SpokenPiece]) -> NDArray[np.float64]:
    return np.frombuffer(b"".join(piece.pcm for piece in pieces), "<i2").astype(np.float64)


def assert_tiles(pieces: Sequence[SpokenPiece], text: str) -> None:
    at = 0
    for piece in pieces:
        assert piece.text_start == at
        assert piece.text_end >= at
        assert piece.pcm
        assert len(piece.pcm) % 2 == 0
        at = piece.text_end
    assert at == len(text)
