"""Whole models from a hub of our own: everything or nothing, one puller at a time, what was there stays."""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import signal
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.services.hub import Hub, cut, git_blob, other, running_hub, stall, status
from vivavoce.contracts.errors import Cancelled, ConfigurationError, InvalidRequest, NotAllowed, Unavailable
from vivavoce.services import locks, models, records
from vivavoce.services.cancellation import Cancellation
from vivavoce.services.fetching import Received, Terms, Watch
from vivavoce.services.model_catalogue import CATALOGUE
from vivavoce.services.model_entries import HubSource, ModelEntry, ModelFile, UrlSource
from vivavoce.services.options import ModelOptions

BIG = random.Random(1).randbytes(400_000)
SMALL = b'{"a": 1}'
REVISION = "0123456789" * 4
PREFIX = f"/some/repo/resolve/{REVISION}/"
ROUTE = {"model.bin": f"{PREFIX}model.bin", "config.json": f"{PREFIX}config.json"}


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def made(*files: ModelFile, **changes: object) -> ModelEntry:
    return ModelEntry("toy", "whisper", files, "MIT", "A toy.", **changes)  # type: ignore[arg-type]


def on_hub(name: str, content: bytes, checksum: str | None) -> ModelFile:
    return ModelFile(name, checksum, len(content), HubSource("some/repo", REVISION, name))


KNOWN = made(on_hub("model.bin", BIG, sha256(BIG)), on_hub("config.json", SMALL, sha256(SMALL)))
UNKNOWN = made(on_hub("model.bin", BIG, None), on_hub("config.json", SMALL, None))


@pytest.fixture
def hub() -> Iterator[Hub]:
    with running_hub() as running:
        running.add(ROUTE["model.bin"], BIG, linked=True)
        running.add(ROUTE["config.json"], SMALL)
        yield running


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "models"


def terms(hub: Hub, **changes: object) -> Terms:
    options = ModelOptions(mirror=hub.url, attempts=2, back_off=0.001, read_timeout=5)
    return Terms(options=options, **changes)  # type: ignore[arg-type]


def left(store: Path) -> set[str]:
    return {str(path.relative_to(store)) for path in store.rglob("*") if path.is_file()}


WHOLE = {"toy/model.bin", "toy/config.json", "toy/.vivavoce.json"}


@pytest.mark.parametrize("entry", [KNOWN, UNKNOWN], ids=["by the catalogue", "by the hub"])
def test_a_model_comes_whole_with_a_record(entry: ModelEntry, hub: Hub, store: Path) -> None:
    lines: list[str] = []
    came: list[Received] = []
    path = models.pull(entry, store, terms(hub), Watch(lines.append, came.append))
    assert path == store / "toy" / "model.bin" == models.locate(entry, store)
    assert left(store) == WHOLE
    assert (path.read_bytes(), (store / "toy" / "config.json").read_bytes()) == (BIG, SMALL)
    record = records.read(store / "toy")
    assert record is not None
    by = "hub" if entry is UNKNOWN else "catalogue"
    assert {name: (known.sha256, known.checked) for name, known in record.files.items()} == {
        "model.bin": (sha256(BIG), by),
        "config.json": (sha256(SMALL), by),
    }
    assert (came[-1].so_far, came[-1].size) == (entry.size, entry.size)
    told = [line for line in lines if "the hub's own checksum" in line]
    assert len(told) == (2 if entry is UNKNOWN else 0)


def test_later_checks_compare_with_the_record(hub: Hub, store: Path) -> None:
    path = models.pull(UNKNOWN, store, terms(hub))
    assert models.damaged(UNKNOWN, store) == []
    asked = len(hub.asked)
    models.pull(UNKNOWN, store, terms(hub))
    assert len(hub.asked) == asked, "what is whole is not fetched again"
    path.write_bytes(bytes(len(BIG)))
    assert models.locate(UNKNOWN, store) == path, "only its size is looked at"
    assert models.damaged(UNKNOWN, store) == ["model.bin"]
    models.pull(UNKNOWN, store, terms(hub))
    assert path.read_bytes() == BIG
    assert len(hub.asked) == asked + 1, "only the damaged file"


def test_one_file_that_fails_leaves_the_model_absent(hub: Hub, store: Path) -> None:
    hub.trouble(ROUTE["config.json"], status(404))
    with pytest.raises(Unavailable, match="does not have it"):
        models.pull(KNOWN, store, terms(hub))
    assert models.locate(KNOWN, store) is None
    assert left(store) <= {"toy/.model.bin.partial", "toy/.model.bin.partial.json"}
    models.pull(KNOWN, store, terms(hub))
    assert left(store) == WHOLE
    assert len(hub.ranges_of(ROUTE["model.bin"])) == 1, "the whole part is not fetched again"


def test_what_was_there_stays_until_the_new_one_is_whole(hub: Hub, store: Path) -> None:
    models.pull(KNOWN, store, terms(hub))
    newer = random.Random(2).randbytes(300_000)
    hub.add(ROUTE["model.bin"], newer, linked=True)
    entry = made(on_hub("model.bin", newer, sha256(newer)), on_hub("config.json", b"{}", sha256(b"{}")))
    hub.trouble(ROUTE["config.json"], other(b"[]"))
    hub.files[ROUTE["config.json"]] = b"{}"
    with pytest.raises(Unavailable, match="checksum"):
        models.pull(entry, store, terms(hub))
    assert (store / "toy" / "model.bin").read_bytes() == BIG
    assert (store / "toy" / "config.json").read_bytes() == SMALL
    assert models.damaged(KNOWN, store) == []
    models.pull(entry, store, terms(hub))
    assert (store / "toy" / "model.bin").read_bytes() == newer
    assert left(store) == WHOLE


def test_one_at_a_time(hub: Hub, store: Path) -> None:
    hub.trouble(ROUTE["model.bin"], stall(100_000))
    failed: list[BaseException] = []
    cancellation = Cancellation()

    def work() -> None:
        try:
            models.pull(KNOWN, store, terms(hub), Watch(cancellation=cancellation))
        except Cancelled as error:
            failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert hub.sent.wait(30)
    for call in (lambda: models.pull(KNOWN, store, terms(hub)), lambda: models.remove(KNOWN, store)):
        with pytest.raises(Unavailable, match="somebody else") as caught:
            call()
        assert caught.value.retryable
    cancellation.cancel()
    thread.join(30)
    hub.released.set()
    assert len(failed) == 1
    assert left(store) == {"toy/.model.bin.partial", "toy/.model.bin.partial.json"}
    models.pull(KNOWN, store, terms(hub))
    assert left(store) == WHOLE


def test_many_at_once_and_one_of_them_does_it(hub: Hub, store: Path) -> None:
    refused: list[Unavailable] = []
    begin = threading.Barrier(6)

    def work() -> None:
        begin.wait(30)
        try:
            models.pull(KNOWN, store, terms(hub))
        except Unavailable as error:
            refused.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(refused) < 6 and all("somebody else" in error.message for error in refused)
    assert left(store) == WHOLE
    assert len(hub.ranges_of(ROUTE["model.bin"])) == 1


def test_a_lock_whose_holder_died_is_free(store: Path) -> None:
    store.mkdir()
    path = store / ".toy.lock"
    code = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom vivavoce.services import locks\n"
        "with locks.held(Path(sys.argv[1]), 'toy'):\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL and path.exists()
    with locks.held(path, "toy"), pytest.raises(Unavailable), locks.held(path, "toy"):
        raise AssertionError("held twice")
    assert not path.exists()


def test_a_restricting_licence_is_accepted_first(hub: Hub, store: Path) -> None:
    entry = made(*KNOWN.files, restricted="Only on Sundays.")
    with pytest.raises(NotAllowed, match=r"Only on Sundays\..*--accept-licence") as caught:
        models.pull(entry, store, terms(hub))
    assert caught.value.code == "licence_not_accepted"
    assert hub.asked == [] and not store.exists()
    models.pull(entry, store, terms(hub, accept_licence=True))
    models.pull(entry, store, terms(hub))  # what is here was accepted


def test_offline_asks_nobody(hub: Hub, store: Path) -> None:
    with pytest.raises(Unavailable, match="offline") as caught:
        models.pull(KNOWN, store, terms(hub, offline=True))
    assert (caught.value.code, caught.value.retryable) == ("offline", False)
    assert hub.asked == [] and left(store) == set()
    models.pull(KNOWN, store, terms(hub))
    models.pull(KNOWN, store, terms(hub, offline=True))  # nothing is lacking


def test_a_mirror_that_is_no_address(store: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"models\.mirror"):
        models.pull(KNOWN, store, Terms(options=ModelOptions(mirror="mirror.example")))
    assert left(store) == set()


def test_no_room(hub: Hub, store: Path) -> None:
    huge = made(ModelFile("model.bin", "0" * 64, 1 << 60, HubSource("some/repo", REVISION, "model.bin")))
    with pytest.raises(Unavailable, match="make room"):
        models.pull(huge, store, terms(hub))
    assert hub.asked == [] and left(store) == set()


# --- archives


def archive(members: dict[str, bytes], suffix: str = "bz2") -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode=f"w:{suffix}") as packed:
        for name, content in members.items():
            item = tarfile.TarInfo(name)
            item.size = len(content)
            packed.addfile(item, io.BytesIO(content))
    return raw.getvalue()


def in_archive(hub: Hub, packed: bytes, **known: object) -> ModelEntry:
    url = hub.add("/releases/toy.tar.bz2", packed)
    source = {"url": url, "sha256": sha256(packed), "size": len(packed), **known}
    return made(
        ModelFile("model.bin", sha256(BIG), len(BIG), UrlSource(member="toy/model.bin", **source)),  # type: ignore[arg-type]
        ModelFile("config.json", None, 100, UrlSource(member="toy/config.json", **source), exact=False),  # type: ignore[arg-type]
    )


def test_a_model_out_of_an_archive(hub: Hub, store: Path) -> None:
    packed = archive({"toy/model.bin": BIG, "toy/config.json": SMALL, "toy/test.wav": bytes(1_000_000)})
    entry = in_archive(hub, packed)
    hub.trouble("/releases/toy.tar.bz2", cut(50_000))
    models.pull(entry, store, terms(hub))
    assert left(store) == WHOLE
    assert (store / "toy" / "config.json").read_bytes() == SMALL
    assert hub.ranges_of("/releases/toy.tar.bz2") == ["", "bytes=50000-"]


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"toy/model.bin": BIG}, "config.json"),
        ({"toy/model.bin": bytes(len(BIG)), "toy/config.json": SMALL}, "checksum"),
        ({"toy/model.bin": BIG, "toy/config.json": bytes(10_000_000)}, "more than it may"),
        ({"toy/model.bin": BIG, "toy/config.json": SMALL, "../../evil": b"x"}, "leaves its folder"),
    ],
)
def test_an_archive_with_something_wrong_leaves_nothing(
    members: dict[str, bytes], words: str, hub: Hub, store: Path
) -> None:
    entry = in_archive(hub, archive(members))
    with pytest.raises((Unavailable, InvalidRequest), match=words):
        models.pull(entry, store, terms(hub))
    assert models.locate(entry, store) is None
    assert left(store) == set()


# --- the command, killed


PIPER = CATALOGUE["piper-it_IT-paola"]
"""An entry without checksums of its own, so that any content will do."""


def pulling(hub: Hub, store: Path) -> list[str]:
    command = [sys.executable, "-m", "vivavoce", "models", "pull", PIPER.name]
    return [*command, "--set", f"models_dir={store}", "--set", f"models.mirror={hub.url}"]


def test_the_command_killed_in_mid_download_goes_on(hub: Hub, store: Path) -> None:
    voice = random.Random(3).randbytes(3_000_000)
    paths = []
    for file, content in zip(PIPER.files, (voice, b'{"audio": {}}'), strict=True):
        assert isinstance(file.source, HubSource)
        path = f"/{file.source.repository}/resolve/{file.source.revision}/{file.source.path}"
        hub.add(path, content, linked=content is voice)
        paths.append(path)
    hub.trouble(paths[0], stall(2_000_000))
    folder = store / PIPER.name
    partial = folder / f".{PIPER.files[0].name}.partial"
    with subprocess.Popen(pulling(hub, store), stdout=subprocess.DEVNULL, cwd=store.parent) as process:
        assert hub.sent.wait(60)
        while not partial.exists() or partial.stat().st_size < 1_000_000:
            assert process.poll() is None
            threading.Event().wait(0.01)
        os.kill(process.pid, signal.SIGKILL)
    hub.released.set()
    assert {path.name for path in folder.iterdir()} == {partial.name, f"{partial.name}.json"}
    begun = partial.stat().st_size
    done = subprocess.run(pulling(hub, store), capture_output=True, text=True, check=True, cwd=store.parent)
    assert "checked against the hub's own checksum" in done.stdout
    assert hub.ranges_of(paths[0]) == ["", f"bytes={begun}-"]
    assert (folder / PIPER.files[0].name).read_bytes() == voice
    assert {path.name for path in store.rglob("*") if path.is_file()} == {
        *(file.name for file in PIPER.files),
        ".vivavoce.json",
    }
    told = json.loads((folder / ".vivavoce.json").read_text())
    assert told["files"][PIPER.files[1].name]["checked"] == "hub"
    assert git_blob(b'{"audio": {}}') != told["files"][PIPER.files[1].name]["sha256"]
