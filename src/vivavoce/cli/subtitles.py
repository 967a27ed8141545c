"""A transcript with word times as SubRip subtitles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from vivavoce.contracts.errors import Unavailable
from vivavoce.contracts.speech import Transcript, Word

LONGEST = 6.0
"""Seconds a caption may stand."""
WIDEST = 84
"""Characters of a caption: two lines of 42, the usual bound for subtitles."""
PAUSE = 0.8
"""Seconds of silence that end a caption."""


def subrip(transcript: Transcript) -> str:
    """Captions cut at pauses, length and width. Raises Unavailable where an engine gives text without word times."""
    if transcript.text and not transcript.words:
        raise Unavailable("this engine gives no word times, so no subtitles; use another one with --stt")
    blocks = [
        f"{number}\n{_time(words[0].start)} --> {_time(max(words[-1].end, words[0].start))}\n{_text(words)}\n"
        for number, words in enumerate(_captions(transcript.words), start=1)
    ]
    return "\n".join(blocks)


def _captions(words: Iterable[Word]) -> Iterator[list[Word]]:
    caption: list[Word] = []
    for word in words:
        if caption and _full(caption, word):
            yield caption
            caption = []
        caption.append(word)
    if caption:
        yield caption


def _full(caption: list[Word], word: Word) -> bool:
    return (
        word.start - caption[-1].end > PAUSE
        or word.end - caption[0].start > LONGEST
        or len(_text([*caption, word])) > WIDEST
    )


def _text(words: list[Word]) -> str:
    return " ".join(word.text for word in words)


def _time(seconds: float) -> str:
    """``HH:MM:SS,mmm``."""
    milliseconds = round(max(0.0, seconds) * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02},{rest % 1000:03}"
