"""Reasoning that a model writes into its answer is not for the ear."""

from __future__ import annotations

import re

_OPEN = re.compile(r"<(think|thinking|reasoning)>", re.IGNORECASE)
_CLOSE = re.compile(r"</(think|thinking|reasoning)>", re.IGNORECASE)
_TAGS = tuple(f"<{slash}{word}>" for slash in ("", "/") for word in ("think", "thinking", "reasoning"))
_LONGEST = max(map(len, _TAGS))


class ReasoningFilter:
    """Text in, text without ``<think>…</think>`` out, however it is cut into pieces. Reasoning without an end is dropped.

    A closing tag without an opening one (templates may have opened it for the model) is taken out, too; what stood before
    it has been given out by then. White space behind reasoning, and at the beginning, is dropped.
    """

    def __init__(self) -> None:
        self._held = ""
        self._inside = False
        self._strip = True

    def feed(self, text: str) -> str:
        """What of all text so far is newly known to be for the ear."""
        self._held += text
        out: list[str] = []
        while found := (_CLOSE if self._inside else _EITHER).search(self._held):
            if not self._inside:
                out.append(self._kept(self._held[: found.start()]))
            self._inside = not found[0].startswith("</")
            self._held = self._held[found.end() :]
            self._strip = True
        keep = _partial_tag(self._held)
        ready, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
        if not self._inside:
            out.append(self._kept(ready))
        return "".join(out)

    def finish(self) -> str:
        """What was held back as the possible beginning of a tag."""
        rest, self._held = self._held, ""
        return "" if self._inside else self._kept(rest)

    def _kept(self, text: str) -> str:
        if self._strip:
            text = text.lstrip()
            self._strip = not text
        return text


_EITHER = re.compile(f"{_OPEN.pattern}|{_CLOSE.pattern}", re.IGNORECASE)


def _partial_tag(text: str) -> int:
    """How many characters at the end may be the beginning of a tag."""
    at = text.rfind("<", max(0, len(text) - _LONGEST + 1))
    tail = text[at:].lower() if at >= 0 else ""
    return len(tail) if tail and any(tag.startswith(tail) for tag in _TAGS) else 0
