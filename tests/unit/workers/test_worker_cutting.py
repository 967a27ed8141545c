from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vivavoce.workers.cutting import Cutter

pieces = st.lists(st.tuples(st.integers(0, 3_000), st.integers(0, 12)), min_size=1, max_size=12)


@given(pieces, st.sampled_from([0.5, 1.0, 24_000 / 22_050, 3.0]), st.data())
def test_nothing_is_lost_and_spans_only_advance(said: list[tuple[int, int]], ratio: float, data: st.DataObject) -> None:
    cutter, text, samples, out = Cutter(ratio, 960), 0, 0, []
    for count, letters in said:
        cutter.note(count, text, text + letters, exact=True)
        samples, text = samples + count, text + letters
        # A resampler gives out less than it took, and the rest at the end.
        out.append(data.draw(st.integers(0, max(0, round(samples * ratio) - sum(out)))))
    out.append(round(samples * ratio) - sum(out))
    chunks = [chunk for count in out for chunk in cutter.cut(bytes(2 * count))]
    assert sum(len(chunk.pcm) for chunk in chunks) == 2 * round(samples * ratio)
    assert all(0 < len(chunk.pcm) <= 1_920 for chunk in chunks)
    last = 0
    for chunk in chunks:
        assert last <= chunk.text_start <= chunk.text_end <= text
        last = chunk.text_end
    if chunks and said[-1][0] * ratio >= 1:
        assert last == text


def test_a_word_is_found_where_it_sounds() -> None:
    cutter = Cutter(1.0, 100)
    cutter.note(100, 0, 5, exact=True)
    cutter.note(200, 6, 11, exact=False)
    first, second, third = cutter.cut(bytes(600))
    assert (first.text_start, first.text_end, first.exact) == (0, 5, True)
    assert (second.text_start, second.exact) == (6, False)
    assert 6 < second.text_end < 11
    assert third.text_end == 11


def test_audio_nobody_announced_says_nothing_new() -> None:
    assert Cutter(1.0, 100).cut(bytes(20))[0][1:] == (0, 0, False)
