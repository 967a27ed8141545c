"""A provider is added to a file that people wrote, and nothing else changes."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.config import edit, secrets
from vivavoce.config.load import Surroundings, load
from vivavoce.config.show import as_data, as_yaml
from vivavoce.contracts.errors import ConfigurationError

NEW = {"name": "box", "url": "http://127.0.0.1:1/v1", "llm": "m"}

FILES = [
    "",
    "# only a remark\n",
    "server:\n  port: 9000 # mine\n",
    "server:\n  port: 9000\nproviders:\n  # the first\n  - name: a\n    url: http://a/v1 # here\n    llm: x\n"
    "\n# behind\nlogging:\n  level: info\n",
    "providers:\n- name: a\n  url: http://a/v1\n  llm: x\nlogging: {level: info}\n",
    "providers:\n  - name: box # old\n    url: http://old/v1\n    stt: y\n  - name: b\n    url: http://b/v1\n    llm: z\n",
    "providers: []\nserver:\n  port: 1\n",
    "providers:\nserver:\n  port: 1\n",
    "providers: [{name: a, url: 'http://a/v1', llm: x}]\n# end\n",
    "providers:\n  - {name: a, url: 'http://a/v1', llm: x}\n",
    "providers:\n  - name: a\n    url: >-\n      http://a/v1\n    llm: |\n      x\n\nserver:\n  port: 1",
]


@pytest.mark.parametrize("text", FILES)
def test_other_lines_stay(text: str) -> None:
    edited = edit.with_provider(text, NEW)
    before, after = yaml.safe_load(text) or {}, yaml.safe_load(edited)
    assert after["providers"][[p["name"] for p in after["providers"]].index("box")] == NEW
    others = [p for p in before.get("providers") or [] if p["name"] != "box"]
    assert [p for p in after["providers"] if p["name"] != "box"] == others
    assert {k: v for k, v in after.items() if k != "providers"} == {k: v for k, v in before.items() if k != "providers"}
    for remark in ("# only a remark", "# mine", "# the first", "# here", "# behind", "# end"):
        assert (remark in text) == (remark in edited)
    assert edit.with_provider(edited, NEW) == edited, "twice is once"


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["url", "llm", "voice", "x"]), st.text("ab:#'\"- \n{", min_size=1, max_size=12), min_size=1
        ),
        max_size=4,
    ),
    st.sampled_from([None, False]),
    st.booleans(),
)
def test_any_list_of_providers(items: list[dict[str, Any]], style: bool | None, behind: bool) -> None:
    named = [{"name": f"p{i}", **item} for i, item in enumerate(items)]
    text = yaml.safe_dump(
        {"a": 1, "providers": named, **({"z": [1]} if behind else {})}, default_flow_style=style, sort_keys=False
    )
    edited = edit.with_provider(text, {**NEW, "name": "p1"})
    expected = [{**NEW, "name": "p1"} if item["name"] == "p1" else item for item in named]
    assert yaml.safe_load(edited)["providers"] == (expected if len(named) > 1 else [*named, {**NEW, "name": "p1"}])


@pytest.mark.parametrize("text", ["[1]", "providers: 3\n", "a: [", "providers: {a: 1}\n"])
def test_what_cannot_be_edited_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        edit.with_provider(text, NEW)


def test_anchors_are_not_broken() -> None:
    text = "x: &a {name: a, url: 'http://a/v1', llm: x}\nproviders: [*a]\n"
    assert len(yaml.safe_load(edit.with_provider(text, NEW))["providers"]) == 2


def test_saving_leaves_a_copy(tmp_path: Path) -> None:
    path = tmp_path / "new" / "config.yaml"
    assert edit.save(path, "a: 1\n") is None
    path.chmod(0o600)
    backup = edit.save(path, "a: 2\n")
    assert backup is not None and backup.read_text() == "a: 1\n" and path.read_text() == "a: 2\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(p.name for p in path.parent.iterdir()) == ["config.yaml", "config.yaml.bak"]


def around(tmp_path: Path, **environ: str) -> Surroundings:
    return Surroundings(environ, tmp_path / "work", tmp_path / "home", tmp_path / "etc")


def test_keys_come_from_the_secrets_and_the_environment(tmp_path: Path) -> None:
    world = around(tmp_path)
    path = secrets.write_key(world.user, "box", "sk-one")
    secrets.write_key(world.user, "other", "sk-two")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    loaded = load(surroundings=world)
    assert loaded.settings.keys == {"box": "sk-one", "other": "sk-two"}
    stronger = load(surroundings=around(tmp_path, VIVAVOCE_KEYS__BOX="sk-three", VIVAVOCE_KEYS__NUMBER="98765"))
    assert stronger.settings.keys == {"box": "sk-three", "other": "sk-two", "number": "98765"}
    for shown in (as_yaml(stronger, origin=True), str(as_data(stronger))):
        assert "sk-" not in shown and "98765" not in shown and "***" in shown


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_secrets_that_others_can_read_are_refused(tmp_path: Path, mode: int) -> None:
    world = around(tmp_path)
    path = secrets.write_key(world.user, "box", "sk-one")
    path.chmod(mode)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        load(surroundings=world)


@pytest.mark.parametrize(
    "text", ["server: {port: 1}\n", "keys: [sk-one]\n", "keys: {a: [sk-one]}\n", "keys: {a: {b: sk-one}}\n"]
)
def test_secrets_hold_keys_only_and_messages_hold_none(tmp_path: Path, text: str) -> None:
    world = around(tmp_path)
    secrets.write_private(world.user / secrets.NAME, text)
    with pytest.raises(ConfigurationError) as caught:
        load(surroundings=world)
    assert "sk-one" not in caught.value.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- {name: Box, url: 'http://a/v1', llm: m}", "small letters"),
        ("- {name: box, llm: m}", "needs url"),
        ("- {name: box, url: 'ftp://a', llm: m}", "http://"),
        ("- {name: box, url: 'http://u:p@a/v1', llm: m}", "no user or password"),
        ("- {name: box, url: 'http://a/v1?key=1', llm: m}", "no \\?"),
        ("- {name: box, url: 'http://a/v1'}", "name of a model"),
        ("- {name: box, url: 'http://a:99999/v1', llm: m}", "cannot be read"),
        ("- {name: box, profile: opnai, llm: m}", "did you mean 'openai'"),
        ("- {name: box, url: 'http://a/v1', llm: m, key: 'a\\u00e9'}", "characters no key has"),
    ],
)
def test_options_that_cannot_be(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("providers:\n" + text.replace("\\u00e9", "é") + "\n")
    with pytest.raises(ConfigurationError, match=message):
        load(file=path, surroundings=around(tmp_path))
