"""A transcript as subtitles: SubRip and WebVTT."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from vivavoce.contracts.errors import Unavailable
from vivavoce.contracts.speech import Transcript, Word

LONGEST = 6.0
"""Seconds a caption may stand."""
WIDEST = 84
"""Characters of a caption: two lines of 42, the usual bound for subtitles."""
PAUSE = 0.8
"""Seconds of silence that end a caption."""


@dataclass(frozen=True, slots=True)
class Caption:
    """What stands on the screen from ``start`` to ``end`` seconds."""

    start: float
    end: float
    text: str


def captions(words: Iterable[Word]) -> list[Caption]:
    """Words put together, cut at pauses, length and width."""
    return [Caption(group[0].start, max(group[-1].end, group[0].start), _text(group)) for group in _groups(words)]


def captions_of(transcript: Transcript) -> list[Caption]:
    """Captions of a transcript. Raises Unavailable where an engine gives text without word times."""
    if transcript.text and not transcript.words:
        raise Unavailable("this engine gives no word times, so no subtitles; use another one with --stt")
    return captions(transcript.words)


def subrip(shown: Sequence[Caption]) -> str:
    """SubRip (.srt)."""
    blocks = [
        f"{number}\n{_time(caption.start, ',')} --> {_time(caption.end, ',')}\n{caption.text}\n"
        for number, caption in enumerate(shown, start=1)
    ]
    return "\n".join(blocks)


def webvtt(shown: Sequence[Caption]) -> str:
    """WebVTT (.vtt), W3C: https://www.w3.org/TR/webvtt1/ ; ``-->`` may not stand in a text, markup is escaped."""
    blocks = [f"{_time(caption.start, '.')} --> {_time(caption.end, '.')}\n{_escaped(caption.text)}\n" for caption in shown]
    return "\n".join(["WEBVTT\n", *blocks])


def _groups(words: Iterable[Word]) -> Iterator[list[Word]]:
    group: list[Word] = []
    for word in words:
        if group and _full(group, word):
            yield group
            group = []
        group.append(word)
    if group:
        yield group


def _full(group: list[Word], word: Word) -> bool:
    return word.start - group[-1].end > PAUSE or word.end - group[0].start > LONGEST or len(_text([*group, word])) > WIDEST


def _text(words: list[Word]) -> str:
    return " ".join(word.text for word in words)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _time(seconds: float, mark: str) -> str:
    """``HH:MM:SS,mmm``."""
    milliseconds = round(max(0.0, seconds) * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02}{mark}{rest % 1000:03}"
