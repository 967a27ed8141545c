"""Load the sentences of a language."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from vivavoce.contracts.errors import UnknownName
from vivavoce.text.commands.numbers import NumberWords

_FOLDER = Path(__file__).parent
_SPACED = re.compile(r"(?<=\d)(?=[a-z])|(?<=[a-z])(?=\d)|(?<=[a-z])-(?=[a-z])")
_SYMBOLS = re.compile(r"(\*\*|[-+*/×÷^()=√])")
_DROPPED = re.compile(r"[^\w\s.'+*/×÷^()=√-]|(?<!\d)\.(?!\d)|(?<=\d)\.(?!\d)|_")


@dataclass(frozen=True, slots=True)
class Intent:
    """One thing that can be asked for: templates spoken and typed, templates only typed, and sentences to show."""

    name: str
    spoken: tuple[str, ...]
    typed: tuple[str, ...]
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CommandSource:
    """All sentences of one language. ``lists``, ``ranges`` and ``rules`` are what the templates refer to."""

    language: str
    intents: tuple[Intent, ...]
    lists: Mapping[str, Any]
    ranges: Mapping[str, tuple[int, int]]
    rules: Mapping[str, str]
    skip: tuple[str, ...]
    operators: Mapping[str, tuple[str, ...]]
    lead: tuple[str, ...]
    trail: tuple[str, ...]
    replies: Mapping[str, str]
    numbers: NumberWords
    rewrite: tuple[tuple[re.Pattern[str], str], ...]

    def normalise(self, text: str) -> str:
        """Lower case, without punctuation, symbols apart, set phrases rewritten: as the templates expect it."""
        text = text.lower().replace("’", "'").replace("–", "-").replace("−", "-")
        text = re.sub(r"(?<=\d),(?=\d{3}\b)", "", text)
        for pattern, replacement in self.rewrite:
            text = pattern.sub(replacement, text)
        text = _SYMBOLS.sub(r" \1 ", _SPACED.sub(" ", _DROPPED.sub(" ", text)))
        return " ".join(text.split())


def languages() -> tuple[str, ...]:
    """Languages that have sentences, as BCP 47 tags."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.yaml")))


@lru_cache(maxsize=8)
def load(language: str = "en") -> CommandSource:
    """The sentences of ``language`` (``en-GB`` finds ``en``). Raises UnknownName for a language without."""
    known = languages()
    name = language if language in known else language.split("-")[0].lower()
    if name not in known:
        raise UnknownName(f"the built-in commands know no {language!r}; they know {', '.join(known)}")
    data = yaml.safe_load((_FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    return CommandSource(
        language=data["language"],
        intents=tuple(_intent(name, fields) for name, fields in data["intents"].items()),
        lists=data["lists"],
        ranges={name: (low, high) for name, (low, high) in data["ranges"].items()},
        rules=data["rules"],
        skip=tuple(data["skip"]),
        operators={symbol: tuple(map(str, words)) for symbol, words in data["operators"].items()},
        lead=tuple(data["lead"]),
        trail=tuple(data["trail"]),
        replies=data["replies"],
        numbers=NumberWords.from_data(data["numbers"]),
        rewrite=tuple((re.compile(pattern), replacement) for pattern, replacement in data["rewrite"]),
    )


def _intent(name: str, fields: Mapping[str, Any]) -> Intent:
    spoken, typed, shown = (tuple(fields.get(key, "").splitlines()) for key in ("sentences", "typed", "examples"))
    return Intent(name, spoken, typed, shown)
