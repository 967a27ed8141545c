"""`vivavoce models` as a user meets it, with a hub of our own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.unit.services.hub import Hub, running_hub
from vivavoce.cli.root import app
from vivavoce.services.model_catalogue import CATALOGUE
from vivavoce.services.model_entries import HubSource

PAOLA = CATALOGUE["piper-it_IT-paola"]
CONTENT = b"voice" * 20_000


@pytest.fixture(autouse=True)
def empty_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No configuration of this machine reaches the tests."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("VIVAVOCE_MODELS_DIR", str(tmp_path / "models"))
    return tmp_path


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with running_hub() as running:
        for file, content in zip(PAOLA.files, (CONTENT, b"{}"), strict=True):
            assert isinstance(file.source, HubSource)
            path = f"/{file.source.repository}/resolve/{file.source.revision}/{file.source.path}"
            running.add(path, content, linked=content is CONTENT)
        monkeypatch.setenv("VIVAVOCE_MODELS__MIRROR", running.url)
        yield running


def run(*arguments: str, status: int = 0) -> tuple[str, str]:
    result = CliRunner().invoke(app, ["models", *arguments])
    assert result.exit_code == status, (result.stdout, result.stderr, result.exception)
    return result.stdout, result.stderr


def names(*arguments: str) -> list[str]:
    return [model["name"] for model in json.loads(run("list", "--json", *arguments)[0])["models"]]


def test_list_and_its_filters() -> None:
    assert names() == list(CATALOGUE)
    assert set(names("--engine", "whisper")) == {name for name in CATALOGUE if name.startswith("whisper-")}
    german = names("--language", "de")
    assert {"whisper-base", "sherpa-de", "piper-de_DE-thorsten"} <= set(german)
    assert not {"whisper-base.en", "piper-en_US-amy"} & set(german)
    assert "piper-en_US-amy" not in names("--installed")
    assert names("--engine", "nobody") == []


def test_list_for_people() -> None:
    printed = run("list", "--language", "en")[0]
    assert "recommended for this machine" in printed.splitlines()[-1]
    row = next(line for line in printed.splitlines() if "piper-en_US-lessac" in line)
    assert "63.2 MB" in row and "restricts use" in row and "en-US" in row
    assert "\x1b[" not in printed


def test_info() -> None:
    printed = run("info", "sherpa-en")[0]
    for words in ("Apache-2.0", "csukuangfj/", "72.7 MB", "real-time factor", "vivavoce models pull sherpa-en"):
        assert words in printed
    told = json.loads(run("info", "whisper-tiny.en", "--json")[0])
    sums = {file["name"]: file["sha256"] for file in told["files"]}
    assert len(sums["model.bin"]) == 64 and sums["config.json"] is None
    assert "sha256 as the hub declares" in run("info", "whisper-tiny.en")[0]
    assert "no model is called" in run("info", "nobody", status=2)[1]


def test_pull_verify_and_remove(hub: Hub, empty_machine: Path) -> None:
    said = run("pull", PAOLA.name)[0]
    assert "fetching it_IT-paola-medium.onnx" in said and "the hub's own checksum" in said and "is ready" in said
    assert names("--installed", "--engine", "piper") == [PAOLA.name]
    assert "checksums        right" in run("info", PAOLA.name, "--verify")[0]
    assert "already here" in run("pull", PAOLA.name)[0]
    path = empty_machine / "models" / PAOLA.name / PAOLA.files[0].name
    path.write_bytes(bytes(len(CONTENT)))
    assert "damaged: it_IT-paola-medium.onnx" in run("info", PAOLA.name, "--verify", status=1)[0]
    run("pull", PAOLA.name)
    assert path.read_bytes() == CONTENT
    assert "removed" in run("remove", PAOLA.name)[0]
    assert names("--installed", "--engine", "piper") == []


def test_a_licence_that_restricts_is_not_accepted_in_silence(hub: Hub) -> None:
    refused = run("pull", "piper-en_US-lessac", status=1)[1]
    assert "Blizzard" in refused and "--accept-licence" in refused
    assert hub.asked == []
    assert "does not have it" in run("pull", "piper-en_US-lessac", "--accept-licence", status=5)[1]


def test_offline(hub: Hub) -> None:
    assert "offline" in run("pull", PAOLA.name, "--set", "offline=true", status=5)[1]
    assert hub.asked == []


def test_a_wrong_name_is_told_before_anything_is_fetched(hub: Hub) -> None:
    assert "no model is called 'nobody'" in run("pull", PAOLA.name, "nobody", status=2)[1]
    assert hub.asked == []


def test_import(empty_machine: Path) -> None:
    source = empty_machine / "v"
    source.mkdir()
    (source / "en_GB-me-medium.onnx").write_bytes(b"x")
    (source / "en_GB-me-medium.onnx.json").write_bytes(b"{}")
    said = run("import", str(source), "--name", "me")[0]
    assert "me is ready for piper" in said
    assert names("--installed", "--engine", "piper") == ["me"]
    assert "here already" in run("import", str(source), "--name", "me", status=2)[1]
    assert "removed" in run("remove", "me")[0]
