"""Moonshine: the licence, its files and its lines. What it reads is in ``test_moonshine_reading``."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from moonshine_voice.transcriber import TranscriptLine, WordTiming
from moonshine_voice.utils import get_assets_path

from vivavoce.contracts.errors import ConfigurationError, EngineMissing, NotAllowed, UnknownName
from vivavoce.engines.moonshine import LANGUAGES, LICENCE, Moonshine, transcript
from vivavoce.workers.child import load_engine

pytestmark = pytest.mark.engine
STREAMING = (
    *("streaming_config.json", "encoder.ort", "adapter.ort", "cross_kv.ort", "decoder_kv.ort"),
    *("frontend.model.ort", "frontend.weights.ort"),
)
WHOLE = ("encoder_model.ort", "decoder_model_merged.ort")


def model(folder: Path, names: tuple[str, ...], content: bytes = b"junk") -> str:
    """A folder as it should be, but for what is in the files."""
    folder.mkdir()
    for name in names:
        (folder / name).write_bytes(b"{}" if name.endswith(".json") else content * 100)
    shutil.copy(Path(get_assets_path()) / "tiny-en" / "tokenizer.bin", folder)
    return str(folder / names[0])


@pytest.mark.parametrize("language", LANGUAGES)
def test_other_languages_need_a_person_who_accepts_the_licence(tmp_path: Path, language: str) -> None:
    path = model(tmp_path / "tiny", WHOLE)
    for asked in (language, f"{language}-XX", language.upper()):
        for accepted in ({}, {"accept_licence": ""}, {"accept_licence": True}, {"accept_licence": "yes"}):
            with pytest.raises(NotAllowed, match=rf"non-?commercial|commercial use.*accept_licence: {LICENCE}"):
                Moonshine({"model": path, "language": asked} | accepted)
    with pytest.raises(EngineMissing, match="damaged"):  # past the gate, the files decide
        Moonshine({"model": path, "language": language, "accept_licence": LICENCE})


@pytest.mark.parametrize("name", ["base-ja", "small-streaming-de", "tiny_ko", "BASE-ZH"])
def test_a_folder_that_names_a_language_is_not_believed_to_be_english(tmp_path: Path, name: str) -> None:
    path = model(tmp_path / name, WHOLE)
    with pytest.raises(NotAllowed):
        Moonshine({"model": path})
    with pytest.raises(NotAllowed):
        Moonshine({"model": path, "language": "en"})


def test_a_language_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(UnknownName):
        Moonshine({"model": model(tmp_path / "tiny", WHOLE), "language": "tlh"})


@pytest.mark.parametrize("names", [STREAMING, WHOLE])
def test_a_missing_file_is_named_with_the_command_that_mends_it(tmp_path: Path, names: tuple[str, ...]) -> None:
    for absent in (*names, "tokenizer.bin"):
        folder = tmp_path / absent / "tiny-en"
        folder.parent.mkdir()
        path = model(folder, names)
        (folder / absent).unlink()
        with pytest.raises(EngineMissing, match=r"lacks .*vivavoce models pull tiny-en"):
            Moonshine({"model": path, "arch": "tiny-streaming" if names is STREAMING else "tiny"})


def test_no_folder_at_all(tmp_path: Path) -> None:
    for path in ("", str(tmp_path / "none" / "encoder.ort")):
        with pytest.raises(EngineMissing, match="vivavoce models pull"):
            Moonshine({"model": path})


@pytest.mark.parametrize("names", [STREAMING, WHOLE])
@pytest.mark.parametrize("content", [b"", b"junk", b"\x08\x00\x00\x00ORTM"])
def test_damaged_files_are_a_clear_error(tmp_path: Path, names: tuple[str, ...], content: bytes) -> None:
    with pytest.raises(EngineMissing, match=r"damaged.*vivavoce models pull tiny-en"):
        load_engine("stt", "moonshine", {"model": model(tmp_path / "tiny-en", names, content)})


def test_a_damaged_configuration_is_a_clear_error(tmp_path: Path) -> None:
    path = model(tmp_path / "tiny-en", STREAMING)
    Path(path).write_text("{")
    with pytest.raises(EngineMissing, match="damaged"):
        Moonshine({"model": path})


def test_an_architecture_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="tiny-streaming"):
        Moonshine({"model": model(tmp_path / "tiny-en", WHOLE), "arch": "enormous"})


def test_it_opens_no_socket(tmp_path: Path) -> None:
    path = model(tmp_path / "tiny-en", WHOLE)
    code = f"""
import sys
from vivavoce.contracts.errors import EngineMissing
from vivavoce.workers.child import load_engine
seen = []
sys.addaudithook(lambda event, _: seen.append(event) if event.startswith("socket.") else None)
try:
    load_engine("stt", "moonshine", {{"model": {path!r}}})
except EngineMissing:
    print("MISSING", [event for event in seen if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto")])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "MISSING []"


def line(text: str, complete: bool, words: list[WordTiming] | None = None) -> TranscriptLine:
    return TranscriptLine(text=text, start_time=0.0, duration=1.0, line_id=1, is_complete=complete, words=words)


def test_complete_lines_are_stable_and_the_last_is_not() -> None:
    lines = [line(" Hello there.", True), line("", True), line("How are", False)]
    partial = transcript(lines, "en", final=False)
    assert (partial.text, partial.stable, partial.final) == ("Hello there. How are", len("Hello there."), False)
    assert transcript([], "en", final=True) == transcript([line("  ", True)], "en", final=True)


@pytest.mark.parametrize("second", [("ev", 0.4, 0.9), ("evening", 0.4, 0.2), ("evening", 0.3, 0.9)])
def test_words_that_cannot_be_right_have_no_times(second: tuple[str, float, float]) -> None:
    words = [
        WordTiming(word=text, start=start, end=end, confidence=0.5) for text, start, end in (("good", 0.1, 0.4), second)
    ]
    read = transcript([line("good evening", True, words)], "en", final=True)
    assert (read.text, read.words) == ("good evening", ())


def test_words_keep_their_times() -> None:
    words = [WordTiming(word=" Hello", start=0.25, end=0.5, confidence=1.2)]
    (word,) = transcript([line("Hello", True, words)], "en", final=True).words
    assert (word.text, word.start, word.end, word.confidence) == ("Hello", 0.25, 0.5, 1.0)
