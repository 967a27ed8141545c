"""Typing, bounds and suggestions of the builder, on options made for the purpose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivavoce.config.build import Builder
from vivavoce.config.files import parse_yaml
from vivavoce.config.nodes import Node, Origin, nest
from vivavoce.contracts.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Item:
    name: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class Inner:
    ratio: float = field(default=0.5, metadata={"min": 0, "max": 1})
    wait: float | None = None
    """Seconds to wait."""
    mode: Literal["auto", "manual"] = "auto"
    api_key: str = ""


@dataclass(frozen=True, slots=True)
class Options:
    flag: bool = False
    port: int = field(default=80, metadata={"min": 1, "max": 65_535})
    level: float = field(default=-40.0, metadata={"min": -96, "max": 0})
    text: str = ""
    names: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()
    items: tuple[Item, ...] = ()
    extra: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    inner: Inner = field(default_factory=Inner)

    def __post_init__(self) -> None:
        if self.text == "impossible":
            raise ConfigurationError("text must be possible")


def from_yaml(text: str) -> Options:
    built: Options = Builder(Options).build(parse_yaml(text, "file", "f.yaml"))
    return built


def from_text(path: str, text: str) -> Options:
    leaf = Node(text, Origin("environment", "VARIABLE"), text=True)
    built: Options = Builder(Options).build(nest(tuple(path.split(".")), leaf))
    return built


def problem(text: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        from_yaml(text)
    return caught.value.message


def test_nothing_gives_the_defaults() -> None:
    assert from_yaml("") == Options()
    assert from_yaml("inner:\n") == Options()


def test_every_kind_of_value_from_yaml() -> None:
    built = from_yaml(
        """
        flag: true
        port: 8080
        level: -3
        text: "yes"
        names: [a, b]
        numbers: [1, 2]
        items: [{name: one}, {name: two, count: 3}]
        extra: {a: 1, b: 0.5, c: word, d: true}
        inner: {ratio: 1, wait: 0.2, mode: manual}
        """
    )
    assert built == Options(
        flag=True,
        port=8080,
        level=-3.0,
        text="yes",
        names=("a", "b"),
        numbers=(1, 2),
        items=(Item("one"), Item("two", 3)),
        extra={"a": 1, "b": 0.5, "c": "word", "d": True},
        inner=Inner(ratio=1.0, wait=0.2, mode="manual"),
    )
    assert type(built.inner.ratio) is float


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("flag", "YES", True),
        ("flag", "0", False),
        ("port", " 9000 ", 9000),
        ("level", "-12.5", -12.5),
        ("text", "5", "5"),
        ("text", "true", "true"),
        ("text", "", ""),
        ("names", "a, b,", ("a", "b")),
        ("names", '["a,b", c]', ("a,b", "c")),
        ("names", "", ()),
        ("numbers", "1,2", (1, 2)),
        ("inner.mode", "manual", "manual"),
        ("inner.wait", "none", None),
        ("inner.wait", "1", 1.0),
        ("items", "[{name: x}]", (Item("x"),)),
        ("extra", "{threads: 2}", {"threads": 2}),
    ],
)
def test_every_kind_of_value_from_text(path: str, text: str, expected: Any) -> None:
    value: Any = from_text(path, text)
    for name in path.split("."):
        value = getattr(value, name)
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prot: 1", "f.yaml:1: unknown key 'prot'; did you mean 'port'?"),
        ("\nratio: 1", "f.yaml:2: unknown key 'ratio'; did you mean inner.ratio?"),
        (
            "inner:\n  nothing_like_it: 1",
            "f.yaml:2: unknown key 'nothing_like_it' in 'inner'; there is ratio, wait, mode, api_key",
        ),
        ("port: 0", "f.yaml:1: port must be 1 to 65535, not 0"),
        ("port: 1.0", "f.yaml:1: port must be a whole number (1 to 65535), not 1.0"),
        ("port: true", "f.yaml:1: port must be a whole number (1 to 65535), not True"),
        ("port: '80'", "f.yaml:1: port must be a whole number (1 to 65535), not '80'"),
        ("port:", "f.yaml:1: port must be a whole number (1 to 65535), not nothing"),
        ("flag: 1", "f.yaml:1: flag must be true or false, not 1"),
        ("text: 5", "f.yaml:1: text must be text, not 5; put it in quotes"),
        ("level: .nan", "f.yaml:1: level must be -96 to 0, not nan"),
        ("inner: {wait: -1}", "f.yaml:1: inner.wait must be at least 0, not -1"),
        ("inner: {wait: .inf}", "f.yaml:1: inner.wait must be at least 0, not inf"),
        ("inner: {mode: manul}", "f.yaml:1: inner.mode must be one of auto, manual, not 'manul'; did you mean 'manual'?"),
        ("inner: {api_key: [s3cret]}", "f.yaml:1: inner.api_key must be text, not a list"),
        ("inner: {api_key: 1234}", "f.yaml:1: inner.api_key must be text, not '***'; put it in quotes"),
        ("inner: 3", "f.yaml:1: inner is a section, not 3; write its settings below it"),
        ("names: a", "f.yaml:1: names must be a list of text, not 'a'"),
        ("items:\n- {name: a}\n- {count: 2}", "f.yaml:3: items[1] needs name"),
        ("items:\n- {name: a, cuont: 2}", "f.yaml:2: unknown key 'cuont' in 'items[0]'; did you mean 'count'?"),
        ("extra: [1]", "f.yaml:1: extra must be a mapping, not a list"),
        ("text: impossible", "f.yaml:1: the configuration text must be possible"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, message: str) -> None:
    assert problem(text) == message


def test_all_problems_are_named_at_once() -> None:
    assert problem("port: 0\nflag: 7\nnaems: []").count("\n") == 2


@pytest.mark.parametrize(
    ("path", "text"),
    [("port", "eighty"), ("flag", "maybe"), ("items", "{"), ("extra", "[1]"), ("inner.wait", "-1"), ("inner", "{}x")],
)
def test_wrong_text_names_the_variable(path: str, text: str) -> None:
    with pytest.raises(ConfigurationError, match=f"VARIABLE: {path} "):
        from_text(path, text)


def test_a_secret_is_never_in_a_message() -> None:
    with pytest.raises(ConfigurationError) as caught:
        from_text("inner.api_key.deeper", "s3cret")
    assert "s3cret" not in caught.value.message


def test_origins_are_kept_for_what_was_set() -> None:
    builder = Builder(Options)
    builder.build(parse_yaml("port: 1\ninner:\n  ratio: 0.1\n", "user", "f.yaml"))
    assert {path: str(origin) for path, origin in builder.origins.items()} == {"port": "f.yaml:1", "inner.ratio": "f.yaml:3"}


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)
_names = st.sampled_from(["flag", "port", "level", "text", "names", "numbers", "items", "extra", "inner", "inner.wait", "x"])


def _node(value: Any, text: bool) -> Node:
    if isinstance(value, dict):
        return Node({name: _node(child, text) for name, child in value.items()}, Origin("file", "f"))
    if isinstance(value, list):
        return Node([_node(child, text) for child in value], Origin("file", "f"))
    return Node(value, Origin("file", "f"), text=text and isinstance(value, str))


@settings(deadline=None, max_examples=400)
@given(st.dictionaries(_names, _values, max_size=4), st.booleans())
def test_whatever_comes_is_built_to_type_or_refused(tree: dict[str, Any], text: bool) -> None:
    nested = _node({name: value for name, value in tree.items() if "." not in name}, text)
    try:
        built = Builder(Options).build(nested)
    except ConfigurationError as error:
        assert error.message
        return
    assert type(built.flag) is bool
    assert type(built.port) is int and 1 <= built.port <= 65_535
    assert type(built.level) is float and -96 <= built.level <= 0
    assert type(built.text) is str
    assert all(type(number) is int and number >= 0 for number in built.numbers)
    assert all(type(item) is Item for item in built.items)
