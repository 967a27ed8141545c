"""Finding and running a player."""

from __future__ import annotations

from pathlib import Path

import pytest

from vivavoce.cli import playback
from vivavoce.contracts.errors import EngineMissing, Unavailable


def test_a_sound_server_is_preferred() -> None:
    there = {"aplay": "/usr/bin/aplay", "paplay": "/usr/bin/paplay"}
    assert playback.find_player(there.get) == ("paplay",)
    assert playback.find_player({}.get) is None


def test_without_a_player_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(playback, "PLAYERS", ())
    with pytest.raises(EngineMissing, match=r"-o reply\.wav"):
        playback.require_player()


def test_a_player_that_fails_is_told_with_its_reason(tmp_path: Path) -> None:
    playback.play(("true",), tmp_path / "a.wav")
    with pytest.raises(Unavailable, match="sh could not play: no card"):
        playback.play(("sh", "-c", "echo no card >&2; exit 1"), tmp_path / "a.wav")
    with pytest.raises(Unavailable, match="status 3"):
        playback.play(("sh", "-c", "exit 3"), tmp_path / "a.wav")
