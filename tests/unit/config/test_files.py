"""Reading YAML and TOML with line numbers, and refusing what is no configuration."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivavoce.config import files
from vivavoce.config.nodes import Node, leaves, merge
from vivavoce.contracts.errors import ConfigurationError


def places(node: Node) -> dict[str, tuple[object, int | None]]:
    return {path: (leaf.content, leaf.origin.line) for path, leaf in leaves(node)}


def test_yaml_keeps_lines(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("# remark\nserver:\n  port: 1\n\n  host: a\nstarted: 2026-11-20\n")
    assert places(files.read(path, "user")) == {"server.port": (1, 3), "server.host": ("a", 5), "started": ("2026-11-20", 6)}


def test_toml_keeps_lines_as_well_as_it_can(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text('dev = true\n[server]\n# remark\nport = 1\nsockets.refusal = 2.5\n["logging"]\nlevel = "info"\n')
    found = places(files.read(path, "user"))
    assert found["dev"] == (True, 1)
    assert found["server.port"] == (1, 4)
    assert found["server.sockets.refusal"] == (2.5, 5)
    assert found["logging.level"][0] == "info"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("c.json", b"{}", "a configuration file ends in .yaml"),
        ("c.yaml", b"a: [1", "c.yaml:1: is not valid YAML"),
        ("c.yaml", b"\na: 1\na: 2", "c.yaml:3: 'a' is set twice, first in line 2"),
        ("c.yaml", b"a: \xff", "c.yaml:1: is not UTF-8"),
        ("c.yaml", b"a: \x00", "is not valid YAML"),
        ("c.yaml", b"[1]: 2", "c.yaml:1: a key must be a word"),
        ("c.yaml", b"a: !!python/object/apply:os.system [x]\nb: !!python/name:os.system x", "is not valid YAML"),
        ("c.yaml", b"a: " + b"[" * 30 + b"]" * 30, "nested too deeply"),
        ("c.yaml", b"a: " + b"[" * 3000, "is not valid YAML"),
        ("c.yaml", b"a: &a [*a]", "nested too deeply"),
        ("c.yaml", b"#" * 1_000_001, "is larger than"),
        ("c.toml", b"a = 1\nb = ", "c.toml:2: is not valid TOML"),
    ],
)
def test_what_is_no_configuration_is_refused(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        files.read(path, "file")
    assert message in caught.value.message
    assert str(path) in caught.value.message


def test_aliases_cannot_multiply_without_end() -> None:
    bomb = "a: &a [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
        f"{name}: &{name} [{','.join([f'*{before}'] * 10)}]\n" for before, name in zip("abcdef", "bcdefg", strict=True)
    )
    with pytest.raises(ConfigurationError, match="too large"):
        files.parse_yaml(bomb, "file", "f.yaml")


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").mkdir()
    with pytest.raises(ConfigurationError, match="cannot be read"):
        files.read(tmp_path / "c.yaml", "file")


@settings(deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        files.parse_yaml(text, "file", "f.yaml")
    except ConfigurationError as error:
        assert error.message.startswith("f.yaml")


_trees = st.dictionaries(
    st.sampled_from("abc"),
    st.recursive(st.integers(), lambda inner: st.dictionaries(st.sampled_from("abc"), inner, min_size=1, max_size=3)),
    min_size=1,
)


@settings(deadline=None)
@given(_trees, _trees)
def test_merging_keeps_all_of_the_stronger_and_what_it_leaves_alone(one: object, two: object) -> None:
    weak, strong = (files.parse_yaml(str(tree), "file", "f") for tree in (one, two))
    merged = dict(leaves(merge(weak, strong)))
    above = dict(leaves(strong))
    assert all(merged[path] is leaf for path, leaf in above.items())
    for path, leaf in leaves(weak):
        shadowed = any(other == path or _below(other, path) or _below(path, other) for other in above)
        assert merged.get(path) is (above.get(path) if shadowed else leaf)


def _below(path: str, above: str) -> bool:
    return path.startswith(f"{above}.") or above == ""


@settings(deadline=None)
@given(_trees)
def test_merging_with_itself_changes_nothing(tree: object) -> None:
    node = files.parse_yaml(str(tree), "file", "f")
    assert dict(leaves(merge(node, node))) == dict(leaves(node))
