"""The command line as a user meets it: output, errors and exit statuses."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.conftest import require
from tests.unit.transports.certificates import certificate
from vivavoce import __version__
from vivavoce.app import engines
from vivavoce.cli import checks, output
from vivavoce.cli.root import app
from vivavoce.contracts import errors
from vivavoce.contracts.errors import UnknownName, VivavoceError
from vivavoce.workers import child

HEAVY = {"fastapi", "starlette", "uvicorn", "numpy", "rich", "pydantic", "yaml", "onnxruntime", "websockets", "vivavoce.app"}


@pytest.fixture(autouse=True)
def empty_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No configuration of this machine reaches the tests."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    return tmp_path


def run(*arguments: str, status: int = 0) -> tuple[str, str]:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == status, (result.stdout, result.stderr, result.exception)
    return result.stdout, result.stderr


def test_help_imports_nothing_heavy() -> None:
    code = "import sys; from vivavoce.cli.root import app; print(*sys.modules)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not HEAVY & set(printed.split())


@pytest.mark.parametrize("command", ["serve", "talk", "say", "transcribe", "doctor", "config", "models", "version"])
def test_every_command_has_help(command: str) -> None:
    assert command in run("--help")[0]
    assert "Usage:" in run(command, "--help")[0]


def test_version() -> None:
    assert run("version")[0] == run("--version")[0] == f"vivavoce {__version__}\n"


def test_the_module_is_the_command() -> None:
    printed = subprocess.run([sys.executable, "-m", "vivavoce", "version"], capture_output=True, text=True, check=True)
    assert printed.stdout == f"vivavoce {__version__}\n"


@pytest.mark.parametrize("arguments", [("nonsense",), ("serve", "--prot", "1"), ("say",), ("say", "x", "--speed", "9")])
def test_wrong_usage_is_2(arguments: tuple[str, ...]) -> None:
    assert run(*arguments, status=2)[1]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.UnknownName, 2),
        (errors.InvalidAudio, 2),
        (errors.ConfigurationError, 3),
        (errors.EngineMissing, 4),
        (errors.WorkerLost, 5),
        (errors.Overloaded, 5),
        (errors.DeadlineExceeded, 5),
        (errors.EngineFailed, 1),
        (errors.InternalError, 1),
    ],
)
def test_exit_status_of_errors(error: type[errors.VivavoceError], status: int) -> None:
    assert output.exit_code(error("x")) == status


def test_every_error_has_an_exit_status() -> None:
    for error in errors.error_types().values():
        assert 1 <= output.exit_code(error("x")) <= 5


def test_a_wrong_configuration_is_3_with_its_line(empty_machine: Path) -> None:
    (empty_machine / "vivavoce.yaml").write_text("dev: true\nserver:\n  prot: 1\n")
    printed, said = run("config", "show", status=3)
    assert printed == ""
    assert said == f"error: {empty_machine}/vivavoce.yaml:3: unknown key 'prot' in 'server'; did you mean 'port'?\n"


def test_debug_shows_where(empty_machine: Path) -> None:
    assert "Traceback" not in run("config", "show", "--set", "x", status=3)[1]
    assert "Traceback" in run("--debug", "config", "show", "--set", "x", status=3)[1]


def test_show_with_origin_and_json(empty_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIVAVOCE_SERVER__PORT", "9001")
    lines = run("config", "show", "--origin", "--set", "dev=true")[0].splitlines()
    assert any(line.split() == ["port:", "9001", "#", "VIVAVOCE_SERVER__PORT"] for line in lines)
    assert any(line.split() == ["dev:", "true", "#", "--set", "dev"] for line in lines)
    shown = json.loads(run("config", "show", "--json")[0])
    assert shown["settings"]["server"]["port"] == 9001
    assert shown["origins"]["server.port"] == {"layer": "environment", "source": "VIVAVOCE_SERVER__PORT", "line": None}


def test_path_says_which_files_are_read(empty_machine: Path) -> None:
    (empty_machine / ".vivavoce.toml").write_text("")
    found = {place["path"]: place["exists"] for place in json.loads(run("config", "path", "--json")[0])}
    assert found[str(empty_machine / ".vivavoce.toml")] is True
    assert found[str(empty_machine / "vivavoce.yaml")] is False
    assert f"project  read  {empty_machine / '.vivavoce.toml'}" in run("config", "path")[0]


def test_check_a_file(empty_machine: Path) -> None:
    (empty_machine / "good.yaml").write_text("server: {port: 1}")
    (empty_machine / "bad.toml").write_text("[server]\nport = 0\n")
    assert run("config", "check", "good.yaml")[0] == "good.yaml: ok\n"
    assert "bad.toml:2: server.port must be 1 to 65535, not 0" in run("config", "check", "bad.toml", status=3)[1]
    assert "No such file" in run("config", "check", "absent.yaml", status=3)[1]


def test_explain() -> None:
    printed = run("config", "explain", "sessions.conversation.speed")[0]
    assert "0.25 to 4" in printed
    assert "VIVAVOCE_SESSIONS__CONVERSATION__SPEED" in printed
    assert "did you mean server.port" in run("config", "explain", "server.prot", status=2)[1]
    assert {row["key"] for row in json.loads(run("config", "explain", "logging", "--json")[0])} == {
        "logging.level",
        "logging.format",
    }


def test_models_are_listed_with_licence_and_absence(empty_machine: Path) -> None:
    listed = json.loads(run("models", "list", "--json", "--set", "models_dir=here")[0])
    assert listed["directory"] == str(empty_machine / "here")
    assert all(row["licence"] for row in listed["models"])
    assert "there are" in run("models", "pull", "nonsense", status=2)[1]
    assert "was not there" in run("models", "remove", "smart-turn", "--set", "models_dir=here")[0]


def test_doctor_tells_what_is_wrong_and_how_to_mend_it(empty_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without = engines.EngineEntry("absent", "stt", "MIT", ("no_such_package",), mend="install absent")
    monkeypatch.setattr(engines, "CATALOGUE", (without,))
    found = json.loads(run("doctor", "--json", "--set", "models_dir=m", status=1)[0])
    by_name = {check["name"]: check for check in found["checks"]}
    assert found["ok"] is False
    assert by_name["absent"] == {
        "name": "absent",
        "status": "warn",
        "detail": "speech to text: the package no_such_package is missing",
        "mend": "install absent",
    }
    assert {name for name, check in by_name.items() if check["status"] == "fail"} == {
        "speech to text",
        "text to speech",
        "answers",
        "voice activity",
    }
    printed = run("doctor", status=1)[0]
    assert "mend: install absent" in printed
    assert "\x1b[" not in printed


def test_doctor_reports_a_wrong_configuration(empty_machine: Path) -> None:
    (empty_machine / "vivavoce.yaml").write_text("prot: 1")
    found = json.loads(run("doctor", "--json", status=1)[0])
    broken = next(check for check in found["checks"] if check["name"] == "configuration")
    assert broken["status"] == "fail"
    assert "vivavoce.yaml:1" in broken["detail"]


def test_doctor_sees_a_taken_port() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = CliRunner().invoke(app, ["doctor", "--json", "--set", f"server.port={port}"])
    check = next(check for check in json.loads(result.stdout)["checks"] if check["name"] == "port")
    assert check["status"] == "warn"
    assert "in use" in check["detail"]


def test_doctor_asks_for_a_model_that_is_absent() -> None:
    found = json.loads(CliRunner().invoke(app, ["doctor", "--json", "--set", "models_dir=nowhere"]).stdout)
    turn = next(check for check in found["checks"] if check["name"] == "smart_turn")
    if turn["status"] == "ok":  # the package that carries it is installed here
        return
    assert turn["mend"] == "vivavoce models pull smart-turn"


@pytest.mark.parametrize("engine", engines.CATALOGUE, ids=lambda engine: engine.name)
def test_doctor_knows_only_engines_that_a_worker_can_load(engine: engines.EngineEntry) -> None:
    """Without its package an engine says so; it is never unknown."""
    try:
        child.load_engine(engine.kind, engine.name, {})
    except UnknownName as error:
        assert error.code != "unknown_engine"
    except VivavoceError:
        pass


def test_doctor_says_what_is_lost_without_the_codecs() -> None:
    assert checks.codecs(lambda package: object()).status == "ok"
    without = checks.codecs(lambda package: None)
    assert (without.status, without.mend) == ("warn", "pip install 'vivavoce[codecs]'")
    assert "no MP3" in without.detail
    assert "only WAV can be read" in without.detail
    assert checks.codecs(lambda package: None if package == "lameenc" else object()).detail.startswith("lameenc missing")
    found = json.loads(CliRunner().invoke(app, ["doctor", "--json"]).stdout)
    assert "codecs" in {check["name"] for check in found["checks"]}


def test_doctor_says_which_library_ends_calls() -> None:
    def told(wanted: str, *there: str) -> tuple[str, str, str]:
        check = checks.calls(wanted, lambda package: object() if package in there else None)
        return check.status, check.detail, check.mend

    both = "wrtc is installed and aiortc is installed"
    assert told("auto", "webrtc", "aiortc") == ("ok", f"over WebRTC by wrtc; {both}", "")
    assert told("aiortc", "webrtc", "aiortc") == ("ok", f"over WebRTC by aiortc; {both}", "")
    assert told("auto", "aiortc")[1] == "over WebRTC by aiortc; wrtc is not installed and aiortc is installed"
    assert (told("auto")[0], told("auto")[2]) == ("note", "pip install 'vivavoce[webrtc-native]'")
    assert (told("aiortc")[0], told("aiortc")[2]) == ("warn", "pip install 'vivavoce[webrtc]'")
    assert told("wrtc", "aiortc")[2] == "pip install 'vivavoce[webrtc-native]', or set webrtc.backend to aiortc"
    found = json.loads(CliRunner().invoke(app, ["doctor", "--json", "--set", "webrtc.backend=aiortc"]).stdout)
    [calls] = [check for check in found["checks"] if check["name"] == "calls"]
    assert calls["status"] == ("warn" if find_spec("aiortc") is None else "ok")


@pytest.mark.process
@pytest.mark.parametrize("name", checks.CALLS)
def test_doctor_and_the_media_process_agree_on_what_a_back_end_needs(name: str) -> None:
    """What doctor finds can be loaded; what it misses is missed with the same command. Loading changes a whole process."""
    load = (
        "from dataclasses import asdict; from vivavoce.contracts.errors import EngineMissing\n"
        "from vivavoce.media.child import load_backend; from vivavoce.media.options import WebRtcOptions\n"
        f"try: print(load_backend({name!r}, asdict(WebRtcOptions())).name)\n"
        "except EngineMissing as error: print(error.message)"
    )
    printed = subprocess.run([sys.executable, "-c", load], capture_output=True, text=True, check=True).stdout.strip()
    check = checks.calls(name)
    assert printed == name if check.status == "ok" else check.mend.split(", or")[0] in printed


def test_doctor_looks_at_the_certificate(tmp_path: Path) -> None:
    made = certificate(tmp_path)

    def said(key: Path) -> dict[str, str]:
        files = [f"server.tls.certificate_file={made.certificate}", f"server.tls.key_file={key}"]
        result = CliRunner().invoke(app, ["doctor", "--json", "--set", files[0], "--set", files[1]])
        return next(check for check in json.loads(result.stdout)["checks"] if check["name"] == "certificate")

    good = said(made.key)
    assert (good["status"], " ends on 20" in good["detail"]) == ("warn", True), "it was made for two days"
    assert "renew it" in good["mend"]
    made = certificate(tmp_path, "for-long", days=90)
    assert said(made.key)["status"] == "ok"
    broken = said(tmp_path / "nowhere.key")
    assert (broken["status"], "nowhere.key cannot be read" in broken["detail"]) == ("fail", True)


def test_doctor_looks_at_the_place_of_signing_keys() -> None:
    def said(url: str) -> dict[str, str]:
        result = CliRunner().invoke(app, ["doctor", "--json", "--set", f"server.jwt.jwks_url={url}"])
        return next(check for check in json.loads(result.stdout)["checks"] if check["name"] == "signing keys")

    assert "must come over https" in said("http://keys.example/jwks.json")["detail"]
    require(find_spec("cryptography"), "cryptography is not installed (pip install 'vivavoce[jwt]')")
    assert said("https://keys.example/jwks.json")["status"] == "ok"
