"""What the sentences become: templates for the matcher, a grammar for the recogniser, examples for people."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from vivavoce.text.commands.numbers import MAX_NUMBERS, NumberWords
from vivavoce.text.commands.source import CommandSource

_REFERENCE = re.compile(r"\{(\w+)(?::\w+)?\}|<(\w+)>")


def intent_templates(source: CommandSource) -> dict[str, Any]:
    """The dictionary hassil's ``Intents.from_dict`` takes. Numbers are expected folded to their indices."""
    index = {"range": {"from": 0, "to": MAX_NUMBERS - 1, "words": False}}
    return {
        "language": source.language,
        "intents": {intent.name: {"data": [{"sentences": [*intent.spoken, *intent.typed]}]} for intent in source.intents},
        "lists": {**dict.fromkeys(source.ranges, index), **{n: _list(v) for n, v in source.lists.items()}},
        "expansion_rules": dict(source.rules),
        "skip_words": list(source.skip),
    }


def _list(values: Any) -> dict[str, Any]:
    if isinstance(values, Mapping):
        return {"wildcard": True}
    return {"values": [{"in": _either(value), "out": value["out"]} for value in values]}


def _either(value: Mapping[str, Any]) -> str:
    forms = [value[key] for key in ("in", "typed") if key in value]
    return f"({'|'.join(forms)})"


def speech_grammar(source: CommandSource) -> str:
    """A JSGF grammar of the spoken sentences, each a whole sentence; no rule loops.

    JSGF (W3C note, 2000) shares ``(a|b)``, ``[a]`` and ``<rule>`` with the templates; lists and ranges become rules.
    """
    rules: dict[str, str] = {}
    sentences = [_refer(sentence, source, rules) for intent in source.intents for sentence in intent.spoken]
    body = "".join(f"<{name}> = {text};\n" for name, text in rules.items())
    return f"#JSGF V1.0 UTF-8 {source.language};\ngrammar commands;\npublic <command> = {' | '.join(sentences)};\n{body}"


def _refer(template: str, source: CommandSource, rules: dict[str, str]) -> str:
    """Collect the rules a template refers to, and write the template with their JSGF names."""

    def replace(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        key = f"{'list' if found[1] else 'rule'}_{name}"
        if key not in rules:
            rules[key] = ""  # its place: a rule stands behind those it is first used in
            rules[key] = _spoken_list(name, source) if found[1] else _refer(source.rules[name], source, rules)
        return f"<{key}>"

    return _REFERENCE.sub(replace, template)


def _spoken_list(name: str, source: CommandSource) -> str:
    if name in source.ranges:
        return _spoken_range(source.numbers, *source.ranges[name])
    values = source.lists[name]
    if isinstance(values, Mapping):
        return f"({'|'.join(values['spoken'])})"
    return f"({'|'.join(str(value['in']) for value in values if 'in' in value)})"


def _spoken_range(words: NumberWords, low: int, high: int) -> str:
    """Alternatives for the integers of a range; above twenty rounded outwards to 99 and 999."""
    if high <= 20:
        return f"({'|'.join(words.words(number) for number in range(low, high + 1))})"
    digits = "|".join(words.words(number) for number in range(1, 10))
    teens = "|".join(words.words(number) for number in range(10, 20))
    below_hundred = f"{digits}|{teens}|({'|'.join(words.tens)}) [{digits}]"
    choices = [*([words.words(0)] if low == 0 else []), below_hundred]
    if high > 99:
        article = words.articles[0]
        choices.append(f"({article}|{digits}) {words.hundred} [[{words.join}] ({below_hundred})]")
    return f"({'|'.join(choices)})"


def examples(source: CommandSource) -> tuple[tuple[str, str], ...]:
    """Sentences to show or to test with, each with the name of its intent."""
    return tuple((sentence, intent.name) for intent in source.intents for sentence in intent.examples)
