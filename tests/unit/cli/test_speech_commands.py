"""`say`, `transcribe` and `talk` between their flags and the app, with an app of our own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from vivavoce.app import offline
from vivavoce.cli import playback
from vivavoce.cli.root import app as command
from vivavoce.contracts.audio import Stamp
from vivavoce.contracts.errors import InvalidAudio
from vivavoce.contracts.events import ResponseCompleted, SessionFailed, TranscriptUpdated, Waterfall
from vivavoce.contracts.speech import Transcript, Word


@pytest.fixture(autouse=True)
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """An app that notes what it is asked, in an empty folder with one recording."""
    asked: list[Any] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "a.wav").write_bytes(b"RIFF")

    def say(settings: Any, request: Any, out: Path) -> Any:
        asked.append((settings.engines.tts, request, out))
        out.write_bytes(b"RIFF" + request.text.encode())
        return SimpleNamespace(seconds=1.0, engine="test")

    def transcribe(settings: Any, file: Path, language: str, denoise: bool) -> Transcript:
        asked.append((settings.engines.stt, file, language) + ("denoised",) * denoise)
        return Transcript("hello there", True, words=(Word("hello", 0.0, 0.4), Word("there", 0.4, 0.8)))

    def talk(settings: Any, request: Any, listener: Callable[[Any], None]) -> None:
        asked.append((settings.engines, request))
        listener(TranscriptUpdated(Stamp(1, 1, 1), "what time is it", True))
        listener(ResponseCompleted(Stamp(1, 1, 1), "It is ten.", False, Waterfall(decision=0.1)))

    for name, fake in (("say", say), ("transcribe", transcribe), ("talk", talk)):
        monkeypatch.setattr(offline, name, fake, raising=False)
    return asked


def run(*arguments: str, status: int = 0, given: str | None = None) -> str:
    result = CliRunner().invoke(command, arguments, input=given)
    assert result.exit_code == status, (result.stdout, result.stderr, result.exception)
    return result.stdout


def test_say_writes_a_file(stage: list[Any]) -> None:
    run("say", "good morning", "-o", "out.wav", "--voice", "slt", "--speed", "1.5", "--tts", "flite")
    engine, request, out = stage[0]
    assert (engine, out) == ("flite", Path("out.wav"))
    assert (request.text, request.voice, request.speed, request.language) == ("good morning", "slt", 1.5, "en")


def test_say_reads_standard_input(stage: list[Any]) -> None:
    run("say", "-", "-o", "out.wav", given="from a pipe\n")
    assert stage[0][1].text == "from a pipe\n"


def test_say_plays_and_leaves_nothing_behind(stage: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard = tmp_path / "heard"
    monkeypatch.setattr(playback, "PLAYERS", (("sh", "-c", f'cp "$0" {heard}'),))
    run("say", "aloud")
    assert heard.read_bytes() == b"RIFFaloud"
    assert not stage[0][2].exists()


def test_say_without_a_speaker_is_4_before_any_work(stage: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(playback, "PLAYERS", ())
    run("say", "aloud", status=4)
    assert stage == []


def test_transcribe_in_three_forms(stage: list[Any]) -> None:
    assert run("transcribe", "a.wav", "--stt", "test") == "hello there\n"
    assert stage[0] == ("test", Path("a.wav"), "en")
    assert json.loads(run("transcribe", "a.wav", "--json"))["words"][1]["start"] == 0.4
    assert run("transcribe", "a.wav", "--srt") == "1\n00:00:00,000 --> 00:00:00,800\nhello there\n"
    run("transcribe", "a.wav", "--srt", "--json", status=2)
    run("transcribe", "absent.wav", status=2)


def test_an_error_of_the_app_becomes_a_line_and_a_status(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any) -> Transcript:
        raise InvalidAudio("a.wav is no WAV file; convert it first")

    monkeypatch.setattr(offline, "transcribe", refuse, raising=False)
    result = CliRunner().invoke(command, ["transcribe", "a.wav"])
    assert (result.exit_code, result.stderr) == (2, "error: a.wav is no WAV file; convert it first\n")


def test_talk_prints_the_conversation(stage: list[Any]) -> None:
    printed = run("talk", "a.wav", "a.wav", "-o", "reply.wav", "--llm", "commands")
    assert printed.startswith("you   what time is it\nvoice It is ten.\n")
    engines, request = stage[0]
    assert engines.llm == "commands"
    assert (request.files, request.output) == ((Path("a.wav"), Path("a.wav")), Path("reply.wav"))
    assert json.loads(run("talk", "a.wav", "--json"))[0]["reply"] == "It is ten."


def test_talk_fails_where_nothing_was_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(settings: Any, request: Any, listener: Callable[[Any], None]) -> None:
        listener(SessionFailed(Stamp(1, 1, 1), "worker_lost", "the worker died", True))

    monkeypatch.setattr(offline, "talk", silent, raising=False)
    run("talk", "a.wav", status=1)


def test_recordings_are_denoised_when_asked(stage: list[Any]) -> None:
    assert CliRunner().invoke(command, ["transcribe", "a.wav", "--denoise"]).exit_code == 0
    assert CliRunner().invoke(command, ["talk", "a.wav", "--denoise"]).exit_code == 0
    assert stage[0][-1] == "denoised"
    assert stage[1][1].denoise
