"""Random sentences of a JSGF grammar: an independent reading of what the recogniser is given."""

from __future__ import annotations

import random
import re

Choices = list[list["Item"]]
Item = tuple[str, "str | Choices"]


class Grammar:
    """Rules of a grammar without weights, tags or repetition."""

    def __init__(self, text: str) -> None:
        rules = re.findall(r"<(\w+)> = (.*?);\n", text.split("\n", 2)[2], re.DOTALL)
        self._rules = {name: _parse(re.findall(r"<\w+>|[a-z']+|[()\[\]|]", body)) for name, body in rules}
        self._start = rules[0][0]

    def sentence(self, chance: random.Random) -> str:
        """A sentence of the first rule."""
        return " ".join(self._words(self._rules[self._start], chance))

    def _words(self, choices: Choices, chance: random.Random) -> list[str]:
        found: list[str] = []
        for kind, item in chance.choice(choices):
            if isinstance(item, str):
                found += self._words(self._rules[item], chance) if kind == "rule" else [item]
            elif kind == "group" or chance.random() < 0.5:
                found += self._words(item, chance)
        return found


def _parse(tokens: list[str]) -> Choices:
    choices, end = _alternatives(tokens, 0)
    assert end == len(tokens), "unbalanced brackets"
    return choices


def _alternatives(tokens: list[str], at: int) -> tuple[Choices, int]:
    choices: Choices = [[]]
    while at < len(tokens) and tokens[at] not in ")]":
        token = tokens[at]
        if token == "|":
            choices.append([])
        elif token in "([":
            inner, at = _alternatives(tokens, at + 1)
            choices[-1].append(("group" if token == "(" else "option", inner))
        else:
            choices[-1].append(("rule", token[1:-1]) if token[0] == "<" else ("word", token))
        at += 1
    return choices, at
