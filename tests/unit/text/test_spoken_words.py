"""Written words and spoken ones."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vivavoce.text.spoken_words import spoken_words, word_ends

READINGS = {"25": "twenti faiv", "of": "ɒv", "the": "ðiː", "a": "eɪ", "men.": "mɛn.", "one": "wˈʌn", "U.S.": "juːˈɛs"}


def alone(word: str) -> list[str]:
    return [READINGS.get(word, word)]


def ends(text: str, spoken: list[str]) -> tuple[list[str], bool]:
    found, exact = word_ends(text, spoken, alone)
    return [text[:end] for end in found], exact


def test_words_between_blanks() -> None:
    assert spoken_words("hɛlˈoʊ,  wˈɜːld . ") == [(0, 7), (9, 15)]
    assert spoken_words("") == spoken_words(" ., ") == []


def test_one_for_one() -> None:
    assert ends("hello big world", ["hello", "bɪg", "world"]) == (["hello", "hello big", "hello big world"], True)


def test_two_written_words_spoken_as_one() -> None:
    assert ends("one of the men.", ["wʌn", "ɒvðə", "mɛn."]) == (["one", "one of the", "one of the men."], True)


def test_one_written_word_spoken_as_two() -> None:
    found, exact = ends("one 25 men.", ["wʌn", "twenti", "faiv", "mɛn."])
    assert exact
    assert (found[0], found[2], found[3]) == ("one", "one 25", "one 25 men.")
    assert len("one") < len(found[1]) < len("one 25")


def test_a_word_that_sounds_quite_different_alone() -> None:
    assert ends("in a house", ["in", "ə", "house"]) == (["in", "in a", "in a house"], True)


def test_readings_that_have_nothing_in_common_are_spread() -> None:
    found, exact = ends("one two", ["qqqq", "zz", "kk"])
    assert not exact
    assert list(map(len, found)) == [3, 5, 7]


@given(
    st.lists(st.sampled_from(["of", "the", "25", "a", "one", "xyz", "men."]), max_size=8),
    st.lists(st.text("abcðʌwˈ", min_size=1), max_size=8),
)
def test_ends_rise_and_stay_in_the_text(written: list[str], spoken: list[str]) -> None:
    text = " ".join(written)
    spoken = [word for word in spoken if word.strip("ˈ")]
    found, _ = word_ends(text, spoken, alone)
    assert len(found) == len(spoken)
    assert all(0 <= end <= len(text) for end in found)
    assert found == sorted(found)
