"""Archives strangers made: nothing leaves the folder, nothing grows without bound, nothing is left of a bad one."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.contracts.errors import InvalidRequest
from vivavoce.services.archives import Limits, checked, is_archive, unpack

GOOD = {"m/model.onnx": b"model" * 1000, "m/tokens.txt": b"a b c", "m/deep/er/x.txt": b"x"}


def tarred(path: Path, members: dict[str, bytes], *more: tarfile.TarInfo) -> Path:
    mode = {"bz2": "w:bz2", "gz": "w:gz", "xz": "w:xz"}.get(path.suffix[1:], "w")
    with tarfile.open(path, mode) as packed:
        for name, content in members.items():
            item = tarfile.TarInfo(name)
            item.size = len(content)
            packed.addfile(item, io.BytesIO(content))
        for item in more:
            packed.addfile(item)
    return path


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in members.items():
            packed.writestr(name, content)
    return path


def into(folder: Path) -> Callable[[str], Path | None]:
    folder.mkdir(parents=True, exist_ok=True)
    return lambda member: folder / member


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["a.tar.bz2", "a.tar.gz", "a.tar.xz", "a.tar", "a.zip", ".a.zip.partial"])
def test_every_kind(name: str, tmp_path: Path) -> None:
    make = zipped if ".zip" in name else tarred
    unpack(make(tmp_path / name, GOOD), into(tmp_path / "out"))
    assert files(tmp_path / "out") == GOOD


def test_only_what_has_a_place_is_taken(tmp_path: Path) -> None:
    place = {"m/tokens.txt": tmp_path / "tokens"}
    assert unpack(tarred(tmp_path / "a.tar", GOOD), place.get) == [tmp_path / "tokens"]
    assert (tmp_path / "tokens").read_bytes() == b"a b c"


EVIL = ["../evil", "m/../../evil", "/etc/evil", "..", "m\\..\\evil", "C:/evil", "C:evil"]


@pytest.mark.parametrize("evil", EVIL)
@pytest.mark.parametrize("make", [tarred, zipped])
def test_a_path_that_leaves(evil: str, make: Callable[..., Path], tmp_path: Path) -> None:
    path = make(tmp_path / ("a.zip" if make is zipped else "a.tar"), {**GOOD, evil: b"evil"})
    with pytest.raises(InvalidRequest, match="leaves its folder"):
        unpack(path, into(tmp_path / "out" / "in"))
    assert files(tmp_path / "out") == {}
    assert not list(tmp_path.rglob("*evil*"))


def link(name: str, kind: bytes, target: str = "/etc/passwd") -> tarfile.TarInfo:
    item = tarfile.TarInfo(name)
    item.type = kind
    item.linkname = target
    return item


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices(kind: bytes, tmp_path: Path) -> None:
    path = tarred(tmp_path / "a.tar", GOOD, link("m/passwd", kind))
    with pytest.raises(InvalidRequest, match=r"as a (link|device)"):
        unpack(path, into(tmp_path / "out"))
    assert files(tmp_path / "out") == {}


def test_a_file_through_a_linked_folder(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    item = tarfile.TarInfo("m/x")
    item.size = 1
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as packed:
        packed.addfile(link("m", tarfile.SYMTYPE, str(tmp_path / "elsewhere")))
        packed.addfile(item, io.BytesIO(b"x"))
    with pytest.raises(InvalidRequest, match="link"):
        unpack(path, into(tmp_path / "out"))
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_link_in_a_zip(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as packed:
        item = zipfile.ZipInfo("m/passwd")
        item.external_attr = (stat.S_IFLNK | 0o777) << 16
        packed.writestr(item, "/etc/passwd")
    with pytest.raises(InvalidRequest, match="as a link"):
        unpack(path, into(tmp_path / "out"))


def test_bounds(tmp_path: Path) -> None:
    bomb = tarred(tmp_path / "bomb.tar.bz2", {"zeros": bytes(50_000_000)})
    assert bomb.stat().st_size < 10_000
    with pytest.raises(InvalidRequest, match="more than it may"):
        unpack(bomb, into(tmp_path / "out"), Limits(bytes=1_000_000))
    many = zipped(tmp_path / "many.zip", {f"f{number}": b"" for number in range(20)})
    with pytest.raises(InvalidRequest, match="more than 10 files"):
        unpack(many, into(tmp_path / "out"), Limits(members=10))
    assert files(tmp_path / "out") == {}


def test_twice_the_same_path(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as packed:
        for content in (b"one", b"two"):
            item = tarfile.TarInfo("m/x")
            item.size = 3
            packed.addfile(item, io.BytesIO(content))
    with pytest.raises(InvalidRequest, match="twice"):
        unpack(path, into(tmp_path / "out"))


@pytest.mark.parametrize("name", ["a.tar.bz2", "a.tar.gz", "a.tar.xz", "a.tar", "a.zip"])
def test_damage_at_every_place(name: str, tmp_path: Path) -> None:
    whole = (zipped if name.endswith("zip") else tarred)(tmp_path / name, GOOD).read_bytes()
    step = max(1, len(whole) // 40)
    for number, length in enumerate(range(0, len(whole) - 1, step)):
        (tmp_path / name).write_bytes(whole[:length])
        out = tmp_path / f"cut{number}"
        try:
            unpack(tmp_path / name, into(out))
        except InvalidRequest:
            assert files(out) == {}, f"{length} bytes"
        else:
            assert files(out).items() <= GOOD.items(), "an archive without its end may still be whole in what it holds"


@given(st.text(max_size=40))
def test_a_checked_path_never_leaves(path: str) -> None:
    try:
        found = checked(path, "x")
    except InvalidRequest:
        return
    root = Path("/root/of/it")
    assert (root / found).resolve().is_relative_to(root)
    assert not found.startswith("/")


def test_names_of_archives() -> None:
    assert all(is_archive(name) for name in ("a.tar.bz2", "a.TGZ", "a.zip", Path("x/a.tar.xz")))
    assert not any(is_archive(name) for name in ("a.onnx", "tar.bz2x", "a.bin"))
