"""Models from this machine: recognised by their files, copied whole or not at all."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.services.test_archives import tarred
from vivavoce.contracts.errors import InvalidRequest, Unavailable, UnknownName
from vivavoce.services import disk, importing, models
from vivavoce.services.importing import import_model
from vivavoce.services.model_catalogue import CATALOGUE, ModelEntry, ModelFile, PackageSource
from vivavoce.services.recognition import ENGINES, recognise

VOICE = {"en_US-mine-medium.onnx": b"voice" * 100, "en_US-mine-medium.onnx.json": b"{}"}
SHERPA = {
    "encoder-epoch-99.onnx": b"e" * 50,
    "encoder-epoch-99.int8.onnx": b"e" * 10,
    "decoder-epoch-99.onnx": b"d",
    "joiner-epoch-99.int8.onnx": b"j",
    "tokens.txt": b"a 0",
    "README.md": b"read me",
}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "models"


def folder(path: Path, files: dict[str, bytes]) -> Path:
    path.mkdir(parents=True)
    for name, content in files.items():
        (path / name).write_bytes(content)
    return path


def left(store: Path) -> set[str]:
    return {str(path.relative_to(store)) for path in store.rglob("*")} if store.exists() else set()


@pytest.mark.parametrize(
    ("names", "engine", "main"),
    [
        (VOICE, "piper", "en_US-mine-medium.onnx"),
        (SHERPA, "sherpa", "encoder-epoch-99.int8.onnx"),
        (["model.int8.onnx", "tokens.txt"], "sherpa", "model.int8.onnx"),
        (["base-encoder.onnx", "base-decoder.onnx", "base-tokens.txt"], "sherpa", "base-encoder.onnx"),
        (["model.bin", "config.json", "tokenizer.json", "vocabulary.txt"], "whisper", "model.bin"),
        (["encoder.ort", "adapter.ort", "tokenizer.bin", "streaming_config.json"], "moonshine", "encoder.ort"),
        (["encoder_model.ort", "decoder_model_merged.ort", "tokenizer.bin"], "moonshine", "encoder_model.ort"),
        (["kokoro-v1.0.onnx", "voices-v1.0.bin"], "kokoro", "kokoro-v1.0.onnx"),
        (["vits-ljs.onnx", "tokens.txt", "lexicon.txt"], "sherpa-tts", "vits-ljs.onnx"),
        (["model.onnx", "tokens.txt", "voices.bin"], "sherpa-tts", "model.onnx"),
        (["spelling_cnn_mel.shrunk.onnx", "spelling_cnn_meta.json"], "spelling", "spelling_cnn_mel.shrunk.onnx"),
        (["silero_vad_16k_op15.onnx"], "silero", "silero_vad_16k_op15.onnx"),
        (["smart-turn-v3.2-cpu.onnx"], "smart_turn", "smart-turn-v3.2-cpu.onnx"),
    ],
)
def test_recognised_by_names(names: list[str], engine: str, main: str) -> None:
    found = recognise(names)
    assert found is not None
    assert (found.engine, found.files[0]) == (engine, main)
    assert set(found.files) <= set(names) and len(set(found.files)) == len(found.files)
    assert "README.md" not in found.files


def test_every_model_of_the_catalogue_is_recognised_as_what_it_is() -> None:
    for entry in CATALOGUE.values():
        found = recognise([file.name for file in entry.files])
        assert found is not None, entry.name
        assert found.engine == entry.engine, entry.name
        assert found.files[0] == entry.files[0].name, entry.name
        assert set(found.files) == {file.name for file in entry.files}, entry.name


@given(st.lists(st.text(max_size=20), max_size=6))
def test_anything_may_be_asked(names: list[str]) -> None:
    found = recognise(names)
    assert found is None or set(found.files) <= set(names)


def test_a_folder_a_file_and_an_archive_are_the_same_to_it(tmp_path: Path, store: Path) -> None:
    source = folder(tmp_path / "voice", VOICE)
    packed = tarred(tmp_path / "voice.tar.bz2", {f"some/folder/{name}": content for name, content in VOICE.items()})
    zipped = tmp_path / "voice.zip"
    with zipfile.ZipFile(zipped, "w") as archive:
        for name, content in VOICE.items():
            archive.writestr(name, content)
    for number, path in enumerate((source, source / "en_US-mine-medium.onnx", packed, zipped)):
        entry = import_model(path, store, name=f"mine{number}")
        assert (entry.engine, entry.kind, entry.languages) == ("piper", "tts", ("en-US",))
        found = models.locate(f"mine{number}", store)
        assert found == store / f"mine{number}" / "en_US-mine-medium.onnx"
        assert found.read_bytes() == VOICE[found.name]
        assert models.damaged(entry, store) == []
    assert [entry.name for entry in models.installed(store)] == ["mine0", "mine1", "mine2", "mine3"]
    assert not [name for name in left(store) if Path(name).name.startswith((".import", ".unpack", ".mine"))]


def test_of_several_voices_in_a_folder_the_one_that_is_named(tmp_path: Path, store: Path) -> None:
    source = folder(tmp_path / "voices", {**VOICE, "de_DE-a-medium.onnx": b"other", "de_DE-a-medium.onnx.json": b"{}"})
    entry = import_model(source / "en_US-mine-medium.onnx", store)
    assert [file.name for file in entry.files] == list(VOICE)
    assert entry.name == "piper-en_US-mine-medium"


def test_a_file_brings_what_belongs_to_it(tmp_path: Path, store: Path) -> None:
    source = folder(tmp_path / "s", SHERPA)
    entry = import_model(source / "encoder-epoch-99.int8.onnx", store, name="s")
    assert {file.name for file in entry.files} == set(SHERPA) - {"README.md", "encoder-epoch-99.onnx"}
    with pytest.raises(InvalidRequest, match="not recognised"):
        import_model(source / "README.md", store, name="r")


def test_a_model_of_the_catalogue_is_known_by_its_files(
    tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = tuple(
        ModelFile(name, hashlib.sha256(content).hexdigest(), len(content), PackageSource("p", "1", name))
        for name, content in VOICE.items()
    )
    known = ModelEntry("piper-known", "piper", files, "CC0-1.0", "Known.", "tts", ("en-US",))
    monkeypatch.setitem(CATALOGUE, known.name, known)
    source = folder(tmp_path / "v", VOICE)
    assert import_model(source, store) is known
    assert models.locate(known, store) is not None
    (source / "en_US-mine-medium.onnx").write_bytes(b"other" * 100)
    assert import_model(source, store).name == "piper-v"
    with pytest.raises(InvalidRequest, match="not as in the model piper-known"):
        models.remove(known, store)
        import_model(source, store, name="piper-known")
    assert models.locate(known, store) is None


def test_what_was_pulled_elsewhere_keeps_its_name(tmp_path: Path, store: Path) -> None:
    """Also where the catalogue has no checksum: the names of the files are those of that voice and no other."""
    entry = CATALOGUE["piper-it_IT-paola"]
    source = folder(tmp_path / "stick" / "anything", {file.name: b"x" for file in entry.files})
    assert import_model(source, store) is entry
    assert models.installed(store) == (entry,)
    assert models.damaged(entry, store) == []


def test_a_damaged_model_of_ones_own_cannot_be_fetched_again(tmp_path: Path, store: Path) -> None:
    import_model(folder(tmp_path / "v", VOICE), store, name="mine")
    (store / "mine" / "en_US-mine-medium.onnx").write_bytes(b"?" * 500)
    assert models.damaged("mine", store) == ["en_US-mine-medium.onnx"]
    with pytest.raises(Unavailable, match="import it again"):
        models.pull("mine", store)


def test_a_name_that_is_taken_or_none(tmp_path: Path, store: Path) -> None:
    source = folder(tmp_path / "v", VOICE)
    import_model(source, store, name="mine")
    (source / "en_US-mine-medium.onnx").write_bytes(b"newer")
    before = left(store)
    with pytest.raises(InvalidRequest, match="here already"):
        import_model(source, store, name="mine")
    for name in ("../mine", ".mine", "a/b", "-x", "mine.zip", "x" * 101, "ü"):
        with pytest.raises(InvalidRequest, match="cannot be the name"):
            import_model(source, store, name=name)
    assert left(store) == before
    found = models.locate("mine", store)
    assert found is not None and found.read_bytes() == VOICE[found.name]


def test_what_is_not_recognised_says_what_was_seen(tmp_path: Path, store: Path) -> None:
    source = folder(tmp_path / "v", {"readme.txt": b"", "weights.pt": b""})
    with pytest.raises(InvalidRequest, match=r"not recognised as a model: its files are readme\.txt, weights\.pt"):
        import_model(source, store)
    with pytest.raises(InvalidRequest, match="for whisper"):
        import_model(source, store, engine="whisper")
    with pytest.raises(UnknownName, match="no engine"):
        import_model(source, store, engine="nonsense")
    with pytest.raises(InvalidRequest, match="nothing at"):
        import_model(tmp_path / "absent", store)
    assert left(store) == set()


def test_an_evil_archive_leaves_nothing(tmp_path: Path, store: Path) -> None:
    packed = tarred(tmp_path / "v.tar", {**VOICE, "../../evil": b"x"})
    with pytest.raises(InvalidRequest, match="leaves its folder"):
        import_model(packed, store)
    assert left(store) == set() and not list(tmp_path.rglob("evil"))


def test_a_copy_that_fails_leaves_nothing(tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = folder(tmp_path / "v", VOICE)

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(disk.shutil, "copyfileobj", full)
    with pytest.raises(Unavailable, match="No space left"):
        import_model(source, store, name="mine")
    assert left(store) == set()


def test_a_link_of_the_person_is_followed(tmp_path: Path, store: Path) -> None:
    """The caches of model hubs are folders of links."""
    blobs = folder(tmp_path / "blobs", {"one": VOICE["en_US-mine-medium.onnx"], "two": b"{}"})
    source = folder(tmp_path / "snapshot", {})
    for name, blob in zip(VOICE, ("one", "two"), strict=True):
        (source / name).symlink_to(blobs / blob)
    entry = import_model(source, store, name="mine")
    path = store / "mine" / entry.files[0].name
    assert path.read_bytes() == VOICE[path.name] and not path.is_symlink()


def test_a_record_that_is_torn_or_evil_is_no_model(store: Path) -> None:
    for number, text in enumerate(
        (
            "",
            "{",
            "[]",
            '{"files": {}}',
            '{"engine": "piper", "kind": "tts", "licence": "", "source": "", "languages": [], "description": "", "files": '
            '{"../../etc/passwd": {"size": 1, "sha256": "", "checked": "import"}}}',
        )
    ):
        (store / f"m{number}").mkdir(parents=True)
        (store / f"m{number}" / ".vivavoce.json").write_text(text)
    assert models.installed(store) == ()
    assert set(ENGINES.values()) <= {"stt", "tts", "vad", "turn", "wake"}
    assert importing.NAME.fullmatch("whisper-base.en")
