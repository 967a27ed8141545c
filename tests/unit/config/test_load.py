"""The layers: who wins, where each value came from, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vivavoce.config.load import Surroundings, check, load, parse_flag, variable
from vivavoce.config.schema import describe, walk
from vivavoce.config.settings import Settings
from vivavoce.config.show import as_data, as_yaml, explain, find, reference
from vivavoce.contracts.errors import ConfigurationError


@pytest.fixture
def world(tmp_path: Path) -> Surroundings:
    """An empty machine."""
    for name in ("etc", "home/.config/vivavoce", "work"):
        (tmp_path / name).mkdir(parents=True)
    return Surroundings({}, tmp_path / "work", tmp_path / "home", tmp_path / "etc")


def with_environment(world: Surroundings, **environ: str) -> Surroundings:
    return Surroundings(environ, world.directory, world.home, world.system)


def test_nothing_anywhere_gives_the_defaults(world: Surroundings) -> None:
    loaded = load(surroundings=world)
    assert loaded.settings == Settings()
    assert loaded.files == ()
    assert str(loaded.origin("server.port")) == "default"


def test_each_layer_wins_over_the_one_before(world: Surroundings, tmp_path: Path) -> None:
    user = world.home / ".config" / "vivavoce" / "config.toml"
    extra = tmp_path / "extra.yaml"
    steps = [
        (world.system / "config.yaml", "server:\n  port: 1001\n  host: system\n", 1001),
        (user, "[server]\nport = 1002\n", 1002),
        (world.directory / ".vivavoce.yaml", "server: {port: 1003}\n", 1003),
    ]
    for path, text, port in steps:
        path.write_text(text)
        assert load(surroundings=world).settings.server.port == port
    extra.write_text("server: {port: 1004}")
    assert load(surroundings=world, file=extra).settings.server.port == 1004
    around = with_environment(world, VIVAVOCE_SERVER__PORT="1005")
    assert load(surroundings=around, file=extra).settings.server.port == 1005
    flags = [("server.port", "1006", "--port"), parse_flag("server.port=1007")]
    loaded = load(surroundings=around, file=extra, flags=flags)
    assert loaded.settings.server.port == 1007
    assert loaded.settings.server.host == "system"
    assert str(loaded.origin("server.port")) == "--set server.port"
    assert str(loaded.origin("server.host")) == f"{world.system}/config.yaml:3"
    assert [place.layer for place in loaded.files] == ["system", "user", "project", "file"]


def test_the_user_directory_follows_xdg(world: Surroundings, tmp_path: Path) -> None:
    (tmp_path / "xdg" / "vivavoce").mkdir(parents=True)
    (tmp_path / "xdg" / "vivavoce" / "config.yml").write_text("dev: true")
    assert load(surroundings=with_environment(world, XDG_CONFIG_HOME=str(tmp_path / "xdg"))).settings.dev
    relative = with_environment(world, XDG_CONFIG_HOME="xdg")  # the specification: a relative path is ignored
    assert not load(surroundings=relative).settings.dev


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"VIVAVOCE_SERVER__PROT": "1"}, "VIVAVOCE_SERVER__PROT: no setting .* did you mean VIVAVOCE_SERVER__PORT?"),
        ({"VIVAVOCE_SERVER": "1"}, "VIVAVOCE_SERVER: no setting"),
        (
            {"VIVAVOCE_SERVER__PORT": "http"},
            "VIVAVOCE_SERVER__PORT: server.port must be a whole number \\(1 to 65535\\), not 'http'",
        ),
        ({"VIVAVOCE_LOGGING__LEVEL": "loud"}, "must be one of debug, info, warning, error"),
    ],
)
def test_wrong_variables_are_refused(world: Surroundings, environ: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        load(surroundings=with_environment(world, **environ))


def test_other_variables_are_nobodys_business(world: Surroundings) -> None:
    assert load(surroundings=with_environment(world, HOME="/x", VIVA="1", vivavoce_port="3")).settings == Settings()


def test_a_list_from_the_environment(world: Surroundings) -> None:
    around = with_environment(world, VIVAVOCE_SERVER__ALLOWED_ORIGINS="https://a.example, https://b.example")
    assert load(surroundings=around).settings.server.allowed_origins == ("https://a.example", "https://b.example")


def test_two_files_of_one_layer_are_refused(world: Surroundings) -> None:
    (world.directory / "vivavoce.yaml").write_text("")
    (world.directory / ".vivavoce.toml").write_text("")
    with pytest.raises(ConfigurationError, match="both exist; keep one"):
        load(surroundings=world)


def test_a_named_file_must_exist(world: Surroundings) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        load(surroundings=world, file=world.directory / "absent.yaml")


def test_a_list_is_no_configuration(world: Surroundings) -> None:
    (world.directory / "vivavoce.yaml").write_text("- a\n")
    with pytest.raises(ConfigurationError, match="a configuration is a mapping"):
        load(surroundings=world)


@pytest.mark.parametrize("text", ["server.port", "=3", ""])
def test_an_assignment_needs_key_and_value(text: str) -> None:
    with pytest.raises(ConfigurationError, match="KEY=VALUE"):
        parse_flag(text)


def test_the_line_of_each_problem_is_said(world: Surroundings) -> None:
    path = world.directory / "vivavoce.yaml"
    path.write_text("server:\n  port: 0\n  hots: x\n")
    with pytest.raises(ConfigurationError) as caught:
        load(surroundings=world)
    assert f"{path}:2: server.port must be 1 to 65535" in caught.value.message
    assert f"{path}:3: unknown key 'hots' in 'server'; did you mean 'host'?" in caught.value.message


def test_what_is_shown_can_be_read_back(world: Surroundings) -> None:
    path = world.directory / "shown.yaml"
    workers = "workers=[{name: a, engines: [{kind: stt, name: x, settings: {threads: 2}}]}]"
    greeting = "sessions.conversation.greeting='Hello: # \"you\" – π'"
    loaded = load(surroundings=world, flags=[parse_flag(workers), parse_flag(greeting)])
    path.write_text(as_yaml(loaded, origin=True))
    assert check(path) == loaded.settings


def test_secrets_are_hidden(world: Surroundings) -> None:
    workers = "workers=[{name: a, engines: [{kind: stt, name: x, settings: {api_key: s3cret, auth_token: s3cret}}]}]"
    loaded = load(surroundings=world, flags=[parse_flag(workers)])
    assert "s3cret" in repr(loaded.settings)
    assert "s3cret" not in as_yaml(loaded, origin=True)
    assert "s3cret" not in json.dumps(as_data(loaded))
    assert "s3cret" not in json.dumps([explain(setting, loaded) for setting in find("") if not setting.section])


def test_every_setting_has_a_meaning_a_type_and_its_own_variable() -> None:
    settings = [setting for setting in walk(Settings) if not setting.section]
    names = [variable(setting.path) for setting in settings]
    assert len(set(names)) == len(names) > 50
    for setting in settings:
        assert describe(setting.annotation), setting.path
        assert setting.path in reference()


def test_find_takes_a_setting_or_a_section() -> None:
    assert [setting.path for setting in find("server.port")] == ["server.port"]
    assert {setting.path for setting in find("logging")} == {"logging", "logging.level", "logging.format"}
    assert find("serv") == ()


def test_keys_lie_beside_the_user_s_configuration(world: Surroundings, tmp_path: Path) -> None:
    elsewhere = with_environment(world, XDG_CONFIG_HOME=str(tmp_path / "xdg"))
    assert load(surroundings=elsewhere).keys_file == tmp_path / "xdg" / "vivavoce" / "keys.json"
    assert load(surroundings=world).keys_file == world.home / ".config" / "vivavoce" / "keys.json"
    named = load(surroundings=world, flags=[("server.keys_file", str(tmp_path / "mine.json"), "--set")])
    assert named.keys_file == tmp_path / "mine.json"
