"""`vivavoce connect` against a service on a local socket."""

from __future__ import annotations

import asyncio
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from vivavoce.cli.root import app
from vivavoce.testing.openai_server import OpenAiServer, Trouble

KEY = "sk-marker-4711"


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("VIVAVOCE_DISCOVERY__SERVICES", "[]")
    return tmp_path / "xdg" / "vivavoce" / "config.yaml"


class Elsewhere:
    """A server on a thread and loop of its own, as a command that runs its own loop needs it."""

    def __init__(self, **knobs: Any) -> None:
        self.server = OpenAiServer(knobs.pop("personality", "openai"))
        for name, value in knobs.items():
            setattr(self.server, name, value)
        self._up, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    async def _run(self) -> None:
        async with self.server:
            self._up.set()
            await asyncio.to_thread(self._stop.wait)

    def __enter__(self) -> OpenAiServer:
        self._thread.start()
        assert self._up.wait(10)
        return self.server

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)


@pytest.fixture
def service() -> Iterator[OpenAiServer]:
    with Elsewhere() as server:
        yield server


def run(*arguments: str, status: int = 0, typed: str = "") -> str:
    result = CliRunner().invoke(app, ["connect", *arguments], input=typed)
    assert result.exit_code == status, (result.output, result.exception)
    assert KEY not in result.output
    return result.output


def test_flags_alone(service: OpenAiServer, config: Path, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY + "\n")
    said = run("--url", service.url, "--name", "box", "--key-from", str(tmp_path / "key"), "--yes")
    assert "It is late. Go to bed." in said and "first answer after" in said
    assert yaml.safe_load(config.read_text()) == {"providers": [{"name": "box", "url": service.url, "llm": "test-model"}]}
    secrets = config.with_name("secrets.yaml")
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o600 and yaml.safe_load(secrets.read_text())["keys"] == {"box": KEY}
    assert {seen.headers["authorization"] for seen in service.seen} == {f"Bearer {KEY}"}
    run("--url", service.url, "--name", "box", "--kind", "tts", "--model", "mouth", "--voice", "anna", "--yes")
    run("--url", service.url, "--name", "box", "--kind", "stt", "--model", "ear", "--yes")
    [entry] = yaml.safe_load(config.read_text())["providers"]
    assert (entry["llm"], entry["tts"], entry["stt"], entry["voice"]) == ("test-model", "mouth", "ear", "anna")
    assert service.seen[-1].headers["authorization"] == f"Bearer {KEY}", "the key that was kept is used"
    assert config.with_name("config.yaml.bak").exists()


def test_questions_and_answers(service: OpenAiServer, config: Path) -> None:
    config.parent.mkdir(parents=True)
    config.write_text("# mine\nserver:\n  port: 9000 # and this\n")
    shown = run(typed=f"9\n{service.url}\n{KEY}\n1\ny\n")
    assert "another address" in shown and "test-model" in shown
    text = config.read_text()
    assert "# mine" in text and "port: 9000 # and this" in text
    assert yaml.safe_load(text)["providers"][0]["name"] == "127-0-0-1"


def test_a_found_service_is_offered_first(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Elsewhere(personality="ollama") as server:
        monkeypatch.setenv("VIVAVOCE_DISCOVERY__SERVICES", server.root)
        shown = run(typed="1\n1\ny\n")
        assert "1  Ollama on this machine (test-model)" in shown
        assert yaml.safe_load(config.read_text())["providers"][0]["profile"] == "ollama"
        config.unlink()
        run("--yes")
        assert config.exists()


def test_what_does_not_answer_is_not_saved(config: Path) -> None:
    with Elsewhere(troubles=[Trouble("status", 401, message=f"bad {KEY}")]) as server:
        assert "refused the key" in run("--url", server.url, "--model", "m", "--key-from", "-", "--yes", typed=KEY, status=5)
    with Elsewhere(reply=lambda _: "<think>hm</think>") as server:
        assert "without a word" in run("--url", server.url, "--model", "m", "--yes", status=5)
    assert "is it running" in run("--url", "http://127.0.0.1:9/v1", "--yes", status=5)
    assert not config.exists() and not config.with_name("secrets.yaml").exists()


def test_saying_no_saves_nothing(service: OpenAiServer, config: Path) -> None:
    run("--url", service.url, "--model", "test-model", typed="\nn\n", status=1)
    assert not config.exists()


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (("--profile", "nonsense"), 2, "no profile 'nonsense'"),
        (("--yes",), 2, "no service was found"),
        (("--profile", "openai", "--yes"), 2, "wants a key"),
        (("--url", "ftp://x", "--yes"), 2, "http://"),
        (("--url", "http://127.0.0.1:9/v1", "--key-from", "-", "--yes"), 2, "single word"),
    ],
)
def test_wrong_use(arguments: tuple[str, ...], status: int, text: str) -> None:
    assert text in run(*arguments, status=status, typed="two words")


def test_rules_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIVAVOCE_LOCAL_ONLY", "true")
    assert "forbids" in run("--profile", "openai", "--yes", status=3)


def test_the_built_in_agent_names_this_command() -> None:
    text = (Path(__file__).parents[3] / "src/vivavoce/text/commands/en.yaml").read_text()
    assert "vivavoce connect" in text and "connect" in {command.name for command in app.registered_commands}
