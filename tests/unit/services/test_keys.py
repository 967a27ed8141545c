"""API keys on disk."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from vivavoce.contracts.errors import ConfigurationError, InvalidRequest, UnknownName
from vivavoce.services import keys
from vivavoce.services.keys import KeyFile


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "keys.json"


def test_a_key_is_found_and_only_its_hash_is_kept(file: Path) -> None:
    stored, key = keys.create(file, "kitchen", ["speak", "listen"], 1_000.0)
    ring = KeyFile(file)
    principal = ring.find(key)
    assert principal is not None
    assert (principal.id, principal.scopes) == (f"key:{stored.id}", {"speak", "listen"})
    assert key.rpartition("_")[2] not in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "change", [str.lower, lambda key: key[:-1], lambda key: key + "x", lambda key: "", lambda key: "vv_"]
)
def test_anything_but_the_key_is_not(file: Path, change: object) -> None:
    _, key = keys.create(file, "kitchen", ["speak"], 0.0)
    wrong = change(key)  # type: ignore[operator]
    assert wrong == key or KeyFile(file).find(wrong) is None


def test_a_revoked_key_is_forgotten_by_a_running_ring(file: Path) -> None:
    stored, key = keys.create(file, "kitchen", ["speak"], 0.0)
    keys.create(file, "hall", ["speak"], 0.0)
    ring = KeyFile(file)
    assert not ring.refresh()
    assert keys.revoke(file, "kitchen") == stored
    assert ring.find(key) is not None
    assert ring.refresh()
    assert ring.find(key) is None
    keys.revoke(file, "hall")
    assert ring.refresh()
    assert ring.configured  # nobody is let in now, rather than everybody
    file.unlink()
    assert ring.refresh()
    assert ring.configured


def test_names_that_are_not_unique_are_revoked_by_id(file: Path) -> None:
    first, _ = keys.create(file, "twin", ["speak"], 0.0)
    keys.create(file, "twin", ["speak"], 0.0)
    with pytest.raises(InvalidRequest, match=first.id):
        keys.revoke(file, "twin")
    keys.revoke(file, first.id)
    with pytest.raises(UnknownName):
        keys.revoke(file, first.id)


def test_unknown_scopes_and_names_are_refused(file: Path) -> None:
    for name, scopes in (("x", ["fly"]), ("x", []), ("", ["speak"]), ("a\nb", ["speak"])):
        with pytest.raises(InvalidRequest):
            keys.create(file, name, scopes, 0.0)
    assert not file.exists()


def test_no_file_is_no_key(file: Path) -> None:
    ring = KeyFile(file)
    assert not ring.configured
    _, key = keys.create(file, "first", ["admin"], 0.0)
    assert ring.refresh()
    assert ring.find(key) is not None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"keys": 3}', '{"keys": [{"id": 1}]}'])
def test_a_broken_file_is_refused_and_a_running_ring_keeps_its_keys(file: Path, content: str) -> None:
    _, key = keys.create(file, "kitchen", ["speak"], 0.0)
    ring = KeyFile(file)
    os.utime(file, ns=(1, 1))
    file.write_text(content)
    with pytest.raises(ConfigurationError):
        ring.refresh()
    assert ring.find(key) is not None
    with pytest.raises(ConfigurationError):
        KeyFile(file)


def test_a_file_that_others_can_read_is_refused(file: Path) -> None:
    keys.create(file, "kitchen", ["speak"], 0.0)
    file.chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        KeyFile(file)


def test_the_file_is_plain_json(file: Path) -> None:
    keys.create(file, "kitchen", ["speak"], 5.0)
    [row] = json.loads(file.read_text())["keys"]
    assert set(row) == {"id", "name", "scopes", "sha256", "created"}
