"""What a voice should say of a written text, and which part of the text that is.

Markdown, HTML, emoji and control characters go (``markup``), addresses are spoken; in English numbers, dates, money,
units, signs and abbreviations are spelled out (``spoken_english``). Other languages keep their digits: engines read
them. Every pattern is bounded or tried at the start of a token only, so the time is linear in the length of the text.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise

from vivavoce.text.markup import without_markup
from vivavoce.text.matching import primary_language
from vivavoce.text.spoken_english import spelled_out
from vivavoce.text.traced import Traced


@dataclass(frozen=True, slots=True)
class Span:
    """Characters ``[start, end)`` of the spoken text say ``[source_start, source_end)`` of the source."""

    start: int
    end: int
    source_start: int
    source_end: int


@dataclass(frozen=True, slots=True)
class Speakable:
    """A text to be spoken and its words' places in the source, in order.

    The last span reaches to the end of the source; an empty text has one empty span that covers it.
    """

    text: str
    spans: tuple[Span, ...]

    def source_end(self, spoken: int) -> int:
        """The end of the source heard when ``spoken`` characters of the text were, in whole words; never decreasing.

        0 before the first whole word; the whole source at ``len(text)``, which counts trailing markup as heard.
        """
        if spoken >= len(self.text):
            return self.spans[-1].source_end
        heard = bisect_right(self.spans, spoken, key=_end)
        return self.spans[heard - 1].source_end if heard else 0


def speakable(source: str, language: str = "en") -> Speakable:
    """``source`` (plain text, Markdown or a little HTML) as it should be spoken. Never raises."""
    code = primary_language(language)
    traced = without_markup(Traced.of(source), code)
    if code == "en":
        traced = spelled_out(traced)
    traced = traced.substituted(_UNTIDY, _tidied)
    if _CONTENT.search(traced.text) is None:
        return Speakable("", (Span(0, 0, 0, len(source)),))
    return Speakable(traced.text, tuple(_spans(traced, source)))


_CONTENT = re.compile(r"[^\W_]")
_MARKS = ",.;:!?…"
_UNTIDY = re.compile(rf"^[\s,;:.]+|\s{{2,}}|[^\S ]| (?=[{_MARKS}])|[,;:](?=\s*[{_MARKS}])|\s\Z")
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]|[^\s\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]+")
_EDGE = "".join(chr(code) for code in range(33, 127) if not chr(code).isalnum()) + "…“”‘’«»„‚–—。，、！？；：「」『』（）"


def _end(span: Span) -> int:
    return span.end


def _tidied(match: re.Match[str]) -> tuple[str, int]:
    found = match.group()
    text = match.string
    if match.start() == 0 or not found.isspace():
        return "", match.end()
    end = match.end()
    return ("" if end == len(text) or text[end] in _MARKS else " "), end


def _spans(traced: Traced, source: str) -> list[Span]:
    found: list[list[int]] = []
    for match in _WORD.finditer(traced.text):
        word = match.group().rstrip(_EDGE)
        if not word or not word.strip(_EDGE):
            continue
        start, end = match.start(), match.start() + len(word)
        begin, stop = traced.source(start, end)
        if found and begin < found[-1][3]:  # several words say one piece of the source
            found[-1][1] = end
            found[-1][3] = max(found[-1][3], stop)
        else:
            found.append([start, end, begin, stop])
    _attach(found, source)
    return [Span(*span) for span in found]


def _attach(found: list[list[int]], source: str) -> None:
    """Let every word take the punctuation and markup that clings to its end."""
    for span, following in pairwise(found):
        gap = source[span[3] : following[2]]
        if gap and not gap[0].isspace():
            span[3] += len(gap.split(maxsplit=1)[0])
    found[-1][3] = len(source)
