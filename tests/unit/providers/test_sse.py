"""Server-sent events: however they are cut and ended, the same events."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.contracts.errors import ProviderFailed
from vivavoce.providers.openai_compatible.sse import SseParser

LINE = st.text(st.characters(exclude_characters="\r\n", exclude_categories=("Cs",)), max_size=20)
EVENTS = st.lists(st.lists(LINE, min_size=1, max_size=3), max_size=6)


def parse(pieces: list[bytes]) -> list[str]:
    parser = SseParser()
    events = [event for piece in pieces for event in parser.feed(piece)]
    return events + parser.finish()


def cut(data: bytes, places: list[int]) -> list[bytes]:
    bounds = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[a:b] for a, b in itertools.pairwise(bounds)]


@given(
    EVENTS, st.sampled_from(["\n", "\r\n", "\r"]), st.lists(st.integers(0, 1000), max_size=8), st.booleans(), st.booleans()
)
def test_any_cut_any_line_end(events: list[list[str]], end: str, places: list[int], remarks: bool, blank: bool) -> None:
    text = ""
    for lines in events:
        text += f": remark{end}event: message{end}id: 1{end}{end}" if remarks else ""
        text += "".join(f"data: {line}{end}" for line in lines) + end
    if events and not blank:
        text = text.removesuffix(end)  # the last event lacks its blank line
    data = text.encode()
    assert parse(cut(data, places)) == ["\n".join(lines) for lines in events]
    assert parse([bytes([byte]) for byte in data]) == ["\n".join(lines) for lines in events]


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_anything_at_all_is_survived(pieces: list[bytes]) -> None:
    assert parse(pieces) == parse([b"".join(pieces)])


@pytest.mark.parametrize(
    ("data", "events"),
    [
        (b"data:no space\n\n", ["no space"]),
        (b"data:  two spaces\n\n", [" two spaces"]),
        (b"data\n\n", [""]),
        (b"\xef\xbb\xbfdata: mark\n\n", ["mark"]),
        (b"data: a\ndata: b\n\n", ["a\nb"]),
        (b"data: unfinished", ["unfinished"]),
        (b": only a remark\n\n\n\n", []),
        (b"retry: 5\nid: 3\nevent: ping\n\n", []),
        (b"data: \xff\n\n", ["\ufffd"]),
        (b"data: [DONE]\r\n\r\n", ["[DONE]"]),
    ],
)
def test_single_cases(data: bytes, events: list[str]) -> None:
    assert parse([data]) == events


@pytest.mark.parametrize("piece", [b"data: " + b"x" * 50, b"x" * 101, b"data:\n" * 101])
def test_an_event_without_an_end_is_refused(piece: bytes) -> None:
    parser = SseParser(max_event=100)
    with pytest.raises(ProviderFailed, match="more than 100 bytes"):
        for _ in range(3):
            parser.feed(piece)
