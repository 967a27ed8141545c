"""Written form that nobody speaks: Markdown, HTML, addresses, emoji, control characters."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

from vivavoce.text.traced import Traced

_CODE = {
    "en": "Here is some code.",
    "de": "Hier steht etwas Code.",
    "es": "Aquí hay un fragmento de código.",
    "fr": "Voici un extrait de code.",
}
_DOT = {"en": "dot", "de": "Punkt", "es": "punto", "fr": "point", "it": "punto", "pt": "ponto", "nl": "punt"}
_AT = {"en": "at", "de": "at", "es": "arroba", "fr": "arobase", "it": "chiocciola", "pt": "arroba", "nl": "apenstaartje"}

_TOP = (
    "com|org|net|io|dev|ai|edu|gov|info|app|co|me|tv|uk|us|de|fr|es|it|nl|eu|ch|at|se|no|fi|pl|jp|cn|in|ca|au|br|ru|nz|ie|"
    "be|dk|pt|gr|cz|xyz|tech|cloud|blog|page|wiki"
)
_LABEL = r"[^\W_](?:[\w-]{0,62})"
_PICTURES = (
    "\U0001f000-\U0001faff\u2300-\u23ff\u2500-\u27bf\u2b00-\u2bff\ufe0e\ufe0f\u20e3\U000e0020-\U000e007f"
    "\u00a9\u00ae\u2122\u3030\u303d\u3297\u3299"
)
_UNPRINTABLE = (
    "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff0-\uffff"
    "\ud800-\udfff\ue000-\uf8ff\U000f0000-\U0010ffff"
)
_LINE = r"(?:^|(?<=\n))"

_LINES = (
    rf"{_LINE}[ \t]{{0,12}}(?:"
    r"(?P<fence>```|~~~)"
    r"|(?P<rule>(?:[-:|=][-:|=\ \t]{2,}|(?:[*_][ \t]*){3,})(?=\n|\Z))"
    r"|(?P<item>\d{1,3}[.)][ \t]+(?=\S))"
    r"|(?P<block>(?:>[> \t]*)?(?:\#{1,6}[ \t]+|[-*+•‣◦][ \t]+(?:\[[ xX]\][ \t]+)?)|>[> \t]*)"
    r")"
)
_INLINE = (
    r"(?P<line_end>\n\s*)"
    r"|(?P<code>`{1,2}(?P<inner>[^`\n]{1,500})`{1,2})"
    r"|(?P<note>\[\^[^\]\s]{1,40}\]:?|\[\d{1,3}(?:,\ ?\d{1,3}){0,8}\](?!\())"
    r"|(?P<address>\](?:\([^()\n]{0,2000}(?:\([^()\n]{0,500}\)[^()\n]{0,500})?\)|\[[^\[\]\n]{0,200}\])|!?\[|\])"
    r"|(?P<escaped>\\[\\`*_{}\[\]()\#+\-.!|>~$])"
    r"|(?P<comment><!--)"
    r"|(?P<tag></?[a-zA-Z][^<>\n]{0,1000}>)"
    r"|(?P<entity>&(?:\#\d{1,7}|\#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});)"
    r"|(?P<mark>\*{1,3}(?=\S)|(?<=\S)\*{1,3}|~~|(?<![^\W_])_{1,3}|_{1,3}(?![^\W_])|`+)"
    r"|(?P<underscore>_)"
    r"|(?P<cell>\|)"
    rf"|(?P<picture>[{_PICTURES}\u200d]+)"
    rf"|(?P<unprintable>[{_UNPRINTABLE}]+)"
)
_ADDRESSES = (
    r"(?P<url>(?:(?<![^\W_])(?:https?|ftp)://|(?<![\w.])www\.)[^\s<>()\[\]\"'`|*。，、！？；：「」]{1,2000})"
    rf"|(?P<mail>(?<![\w.+-])[\w+-](?:[\w.+-]{{0,63}})@{_LABEL}(?:\.{_LABEL}){{1,4}})"
    rf"|(?P<host>(?<![\w.@-])(?:[a-zA-Z0-9][a-zA-Z0-9-]{{0,62}}\.){{1,4}}(?:{_TOP})(?![\w@-])(?!\.\w)"
    r"(?P<path>/[^\s<>()\[\]\"'`|*]{0,2000})?)"
)
_SIGNIFICANT = rf"\n`\[\]!\\<&*~_|{_PICTURES}\u200d{_UNPRINTABLE}"
_PLAIN = re.compile(rf"{_LINES}|(?=[{_SIGNIFICANT}])(?:{_INLINE})")
_WITH_ADDRESSES = re.compile(rf"{_LINES}|(?<![^\W_])(?=[\w+-])(?:{_ADDRESSES})|(?=[{_SIGNIFICANT}])(?:{_INLINE})")
_ANY_ADDRESS = re.compile(r"[^\W_][.@][^\W_]|://|_@")
_ANY_MARKUP = re.compile(rf"[{_SIGNIFICANT}]|\A[ \t]*(?:[->+=:•‣◦#]|\d{{1,3}}[.)][ \t])")


def without_markup(traced: Traced, language: str) -> Traced:
    """``traced`` as plain text in one line. ``language`` is a language code without region."""

    def replace(match: re.Match[str]) -> tuple[str, int] | None:
        return _HANDLERS[str(match.lastgroup)](match, language)

    if _ANY_ADDRESS.search(traced.text):
        return traced.substituted(_WITH_ADDRESSES, replace)
    return traced.substituted(_PLAIN, replace) if _ANY_MARKUP.search(traced.text) else traced


def _gone(match: re.Match[str], language: str) -> tuple[str, int]:
    return "", match.end()


def _blank(match: re.Match[str], language: str) -> tuple[str, int]:
    return " ", match.end()


def _fence(match: re.Match[str], language: str) -> tuple[str, int]:
    text = match.string
    close = text.find(match.group().lstrip(), match.end())
    end = len(text) if close < 0 else close + 3
    phrase = _CODE.get(language, "")
    return (f" {phrase} " if text[match.end() : close if close >= 0 else end].strip() else ""), end


def _line_end(match: re.Match[str], language: str) -> tuple[str, int]:
    """A paragraph or list item ends: a full stop, if the writer left it out. A mere line break is a space."""
    text, end = match.string, match.end()
    before = text[max(0, match.start() - 40) : match.start()].rstrip()[-1:]
    ends_block = match.group().count("\n") > 1 or _BLOCK_START.match(text, end) or _HEADING.match(text, _line(text, match))
    return (". " if ends_block and (before.isalnum() or before in ("*", "_", "`", ")")) else " "), end - _indent(match)


_BLOCK_START = re.compile(r"[-*+•‣◦|][ \t]|#{1,6}[ \t]|\d{1,3}[.)][ \t]|```|~~~|[-=*_]{3}")
_HEADING = re.compile(r"[ \t]{0,12}(?:#{1,6}[ \t]|[-*+•‣◦][ \t]|\d{1,3}[.)][ \t])")


def _line(text: str, match: re.Match[str]) -> int:
    return text.rfind("\n", max(0, match.start() - 300), match.start()) + 1


def _indent(match: re.Match[str]) -> int:
    """Characters behind the last line break: they belong to the next line, whose start must stay recognisable."""
    return len(match.group()) - match.group().rindex("\n") - 1


def _item(match: re.Match[str], language: str) -> tuple[str, int]:
    return match.group().strip().rstrip(".)") + ", ", match.end()


def _inline_code(match: re.Match[str], language: str) -> tuple[str, int]:
    return f" {match.group('inner').translate(_CODE_SIGNS)} ", match.end()


_CODE_SIGNS = str.maketrans(dict.fromkeys("_()[]{}|*<>`", " "))


def _escaped(match: re.Match[str], language: str) -> tuple[str, int]:
    return match.group()[1], match.end()


def _comment(match: re.Match[str], language: str) -> tuple[str, int]:
    close = match.string.find("-->", match.end(), match.end() + 2_000)
    return "", match.end() if close < 0 else close + 3


def _tag(match: re.Match[str], language: str) -> tuple[str, int]:
    inline = match.group().strip("</>").split(maxsplit=1)[0].lower() in _INLINE_TAGS
    return ("" if inline else " "), match.end()


_INLINE_TAGS = frozenset(
    {"b", "i", "em", "strong", "u", "s", "span", "a", "code", "sub", "sup", "mark", "small", "font", "kbd"}
)


def _entity(match: re.Match[str], language: str) -> tuple[str, int]:
    character = html.unescape(match.group())
    printable = character.isprintable() and (len(character) == 1 or character[0] != "&") and character not in "<>"
    return (character if printable else " "), match.end()


def _url(match: re.Match[str], language: str) -> tuple[str, int]:
    address = match.group().rstrip(".,;:!?~_")
    host = address.partition("://")[2] or address
    host = re.split(r"[/?#]", host, maxsplit=1)[0].rpartition("@")[2].partition(":")[0]
    return _dotted(host.removeprefix("www."), language), match.start() + len(address)


def _host(match: re.Match[str], language: str) -> tuple[str, int]:
    name = match.group().removesuffix(match.group("path") or "")
    trailing = len(match.group()) - len(match.group().rstrip(".,;:!?~_"))
    return _dotted(name.removeprefix("www."), language), match.end() - trailing


def _mail(match: re.Match[str], language: str) -> tuple[str, int]:
    name, _, host = match.group().partition("@")
    at = _AT.get(language, "@")
    return f"{_dotted(name, language).replace('_', ' ')} {at} {_dotted(host, language)}", match.end()


def _dotted(name: str, language: str) -> str:
    dot = _DOT.get(language)
    return name if dot is None else f" {dot} ".join(part for part in name.split(".") if part)


def _cell(match: re.Match[str], language: str) -> tuple[str, int]:
    text = match.string
    before = text[max(0, match.start() - 40) : match.start()].rstrip(" \t")
    after = text[match.end() : match.end() + 40].lstrip(" \t")
    between = before and after and before[-1] not in "|\n" and after[0] not in "|\n"
    return (", " if between else " "), match.end()


_HANDLERS: dict[str, Callable[[re.Match[str], str], tuple[str, int] | None]] = {
    "fence": _fence,
    "rule": _gone,
    "block": _gone,
    "item": _item,
    "line_end": _line_end,
    "code": _inline_code,
    "note": _gone,
    "address": _gone,
    "escaped": _escaped,
    "comment": _comment,
    "url": _url,
    "tag": _tag,
    "entity": _entity,
    "mail": _mail,
    "host": _host,
    "mark": _gone,
    "underscore": _blank,
    "cell": _cell,
    "picture": _blank,
    "unprintable": _gone,
}
