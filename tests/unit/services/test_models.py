"""Model files: fetched with the real package clients from a folder of wheels, so without a network."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import require
from vivavoce.contracts.errors import EngineMissing, Unavailable, UnknownName
from vivavoce.services import models
from vivavoce.services.fetching import Terms, Watch
from vivavoce.services.model_catalogue import CATALOGUE, HubSource, ModelEntry, ModelFile, PackageSource, UrlSource
from vivavoce.services.recognition import ENGINES

CONTENT = bytes(range(256)) * 400
SECOND = b"a second file"


def model_file(name: str, content: bytes) -> ModelFile:
    source = PackageSource("toymodel", "1.0", f"toymodel/data/{name}")
    return ModelFile(name, hashlib.sha256(content).hexdigest(), len(content), source)


TOY = ModelEntry("toy", "toy", (model_file("toy.onnx", CONTENT),), "MIT", "A toy.")
PAIR = ModelEntry("pair", "toy", (model_file("toy.onnx", CONTENT), model_file("toy.json", SECOND)), "MIT", "Two files.")


def make_wheel(folder: Path) -> None:
    files = {
        "toymodel/__init__.py": b"raise RuntimeError('model packages are never imported')\n",
        "toymodel/data/toy.onnx": CONTENT,
        "toymodel/data/toy.json": SECOND,
        "toymodel-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: toymodel\nVersion: 1.0\nRequires-Dist: nothing\n",
        "toymodel-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    for name, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        record += f"{name},sha256={digest},{len(content)}\n"
    files["toymodel-1.0.dist-info/RECORD"] = (record + "toymodel-1.0.dist-info/RECORD,,\n").encode()
    with zipfile.ZipFile(folder / "toymodel-1.0-py3-none-any.whl", "w") as wheel:
        for name, content in files.items():
            wheel.writestr(name, content)


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "wheels"
    folder.mkdir()
    for client in ("UV", "PIP"):
        monkeypatch.setenv(f"{client}_NO_INDEX", "1")
        monkeypatch.setenv(f"{client}_FIND_LINKS", str(folder))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    make_wheel(folder)
    return folder


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "models"


def all_files(store: Path) -> set[str]:
    """Without the records."""
    found = {str(path.relative_to(store)) for path in store.rglob("*") if path.is_file()}
    return {name for name in found if not name.endswith("/.vivavoce.json")}


def pip_is_here() -> bool:
    base = getattr(sys, "_base_executable", sys.executable)
    return any(
        subprocess.run([python, "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0
        for python in (sys.executable, base)
    )


@pytest.mark.parametrize("client", ["uv", "pip"])
def test_pull_with_a_real_client(client: str, wheels: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")  # uv is a development tool
    if client == "uv":
        require(shutil.which("uv"), "uv is not installed")
    else:
        require(pip_is_here(), "pip is not installed")
        monkeypatch.setattr(shutil, "which", lambda name: None)
    assert models.locate(TOY, store) is None
    lines: list[str] = []
    path = models.pull(TOY, store, watch=Watch(lines.append))
    assert path.read_bytes() == CONTENT
    assert path.is_absolute()
    assert path == models.locate(TOY, store)
    assert all_files(store) == {"toy/toy.onnx"}
    assert client in lines[0]
    assert path.stat().st_mode & 0o777 == 0o644


@pytest.fixture
def uv(wheels: Path) -> None:
    require(shutil.which("uv") or pip_is_here(), "neither uv nor pip is installed")


def test_a_second_pull_does_nothing(uv: None, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = models.pull(TOY, store)
    before = path.stat()

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a client was started")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    assert models.pull(TOY, store) == path
    assert path.stat().st_mtime_ns == before.st_mtime_ns


def test_a_model_of_several_files_is_whole_or_absent(uv: None, store: Path) -> None:
    models.pull(PAIR, store)
    assert all_files(store) == {"pair/toy.onnx", "pair/toy.json"}
    (store / "pair" / "toy.json").unlink()
    assert models.locate(PAIR, store) is None
    models.pull(PAIR, store)
    assert models.locate(PAIR, store) == store / "pair" / "toy.onnx"


def test_damaged_files_are_mended(uv: None, store: Path) -> None:
    path = models.pull(TOY, store)
    path.write_bytes(CONTENT[:-1])
    assert models.locate(TOY, store) is None
    assert models.pull(TOY, store).read_bytes() == CONTENT
    path.write_bytes(bytes(len(CONTENT)))
    assert models.pull(TOY, store).read_bytes() == CONTENT


def test_a_wrong_checksum_leaves_nothing(uv: None, store: Path) -> None:
    wrong = ModelEntry("toy", "toy", (ModelFile("toy.onnx", "0" * 64, len(CONTENT), TOY.files[0].source),), "MIT", "")
    with pytest.raises(Unavailable, match="checksum") as caught:
        models.pull(wrong, store)
    assert not caught.value.retryable
    assert all_files(store) == set()


def test_a_missing_path_in_the_package(uv: None, store: Path) -> None:
    source = PackageSource("toymodel", "1.0", "toymodel/data/other.onnx")
    other = ModelEntry("toy", "toy", (ModelFile("other.onnx", "0" * 64, 10, source),), "MIT", "")
    with pytest.raises(Unavailable, match="has no"):
        models.pull(other, store)
    assert all_files(store) == set()


def test_an_unknown_version_says_what_was_tried(uv: None, store: Path) -> None:
    source = PackageSource("toymodel", "9.9", "toymodel/data/toy.onnx")
    newer = ModelEntry("toy", "toy", (ModelFile("toy.onnx", "0" * 64, 10, source),), "MIT", "")
    with pytest.raises(Unavailable, match=r"toymodel==9\.9.*(uv|pip):"):
        models.pull(newer, store)
    assert all_files(store) == set()


def test_without_a_client(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*args: object, **kwargs: object) -> None:
        raise FileNotFoundError("no such file")

    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(subprocess, "Popen", absent)
    with pytest.raises(EngineMissing, match="install uv, or pip"):
        models.pull(TOY, store)


def test_a_full_disk_is_noticed_first(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 10, 0))
    with pytest.raises(Unavailable, match="make room"):
        models.pull(TOY, store)


def test_a_place_that_is_no_folder(store: Path) -> None:
    store.write_text("a file")
    with pytest.raises(Unavailable, match="models_dir"):
        models.pull(TOY, store)


def test_an_interrupted_copy_leaves_nothing(uv: None, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "copyfileobj", interrupted)
    with pytest.raises(KeyboardInterrupt):
        models.pull(TOY, store)
    assert list(store.iterdir()) == []


def test_what_killed_fetches_left_is_swept(uv: None, store: Path) -> None:
    folder = store / "toy"
    folder.mkdir(parents=True)
    (folder / ".another.onnx.partial").touch()
    (folder / ".another.onnx.partial.json").touch()
    (folder / ".vivavoce.json.new").touch()
    models.pull(TOY, store)
    assert {path.name for path in folder.iterdir()} == {"toy.onnx", ".vivavoce.json"}


def test_offline_takes_from_installed_packages_only(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a client was started")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    with pytest.raises(Unavailable, match="offline") as caught:
        models.pull(TOY, store, Terms(offline=True))
    assert caught.value.code == "offline" and not caught.value.retryable
    assert list(store.iterdir()) == []


def test_a_file_of_an_installed_package_serves(
    wheels: Path, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    with zipfile.ZipFile(wheels / "toymodel-1.0-py3-none-any.whl") as wheel:
        wheel.extractall(site)
    monkeypatch.syspath_prepend(str(site))
    assert models.locate(TOY, store) == site / "toymodel" / "data" / "toy.onnx"
    monkeypatch.setattr(shutil, "which", lambda name: pytest.fail("a client was looked for"))
    assert models.pull(TOY, store) == store / "toy" / "toy.onnx"
    (site / "toymodel" / "data" / "toy.onnx").write_bytes(b"another version")
    models.remove(TOY, store)
    assert models.locate(TOY, store) is None


def test_installed_and_remove(uv: None, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CATALOGUE, "toy", TOY)
    assert models.installed(store) == ()
    models.pull("toy", store)
    assert models.installed(store) == (TOY,)
    assert models.remove("toy", store)
    assert not models.remove("toy", store)
    assert models.installed(store) == ()


def test_unknown_names(store: Path) -> None:
    for call in (models.entry, lambda name: models.locate(name, store), lambda name: models.pull(name, store)):
        for name in ("nobody", "..", "/etc", "a/b", ".lock", ""):
            with pytest.raises(UnknownName, match="silero-vad"):
                call(name)


def test_the_catalogue_is_well_formed() -> None:
    assert {"silero-vad", "smart-turn"} <= set(CATALOGUE)
    for name, known in CATALOGUE.items():
        assert name == known.name
        assert known.licence and known.description
        assert ENGINES[known.engine] == known.kind
        assert len({file.name for file in known.files}) == len(known.files)
        assert known.kind not in ("stt", "tts") or known.languages
        for file in known.files:
            assert file.sha256 is None or re.fullmatch("[0-9a-f]{64}", file.sha256), (name, file.name)
            assert file.size > 0
            assert Path(file.name).name == file.name and not file.name.startswith(".")
            match file.source:
                case PackageSource():
                    assert file.sha256 and not Path(file.source.path).is_absolute()
                case HubSource():
                    pinned = re.fullmatch("[0-9a-f]{40}", file.source.revision)
                    assert pinned or file.sha256, f"{name}: neither the revision nor the content is fixed"
                case UrlSource():
                    assert file.source.url.startswith("https://")
                    assert file.sha256 or file.source.sha256, f"{name}: a plain host declares no checksum"


def test_the_directory() -> None:
    assert models.directory("") == Path.home() / ".local/share/vivavoce/models"
    assert models.directory("~/m") == Path.home() / "m"
    assert models.directory("m").is_absolute()
