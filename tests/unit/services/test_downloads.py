"""Downloads against a hub of our own: whole and checked, or refused; nothing half-done gets a name."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.services.hub import Hub, cut, other, redirect, running_hub, stall, status, then
from vivavoce.contracts.errors import Cancelled, Unavailable
from vivavoce.services.cancellation import Cancellation
from vivavoce.services.downloads import MAX_REDIRECTS, Asked, Downloader, Fetched, partial_of
from vivavoce.services.options import ModelOptions

CONTENT = random.Random(7).randbytes(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
QUICK = ModelOptions(attempts=3, back_off=0.001, read_timeout=0.5, connect_timeout=5)
PATH = "/some/model.bin"


@pytest.fixture
def hub() -> Iterator[Hub]:
    with running_hub() as running:
        running.add(PATH, CONTENT)
        yield running


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "model.bin"


def wanted(server: Hub, target: Path, **changes: object) -> Asked:
    known = {"url": server.url + PATH, "target": target, "size": len(CONTENT), "sha256": SHA256, **changes}
    return Asked(**known)  # type: ignore[arg-type]


def fetch(asked: Asked, options: ModelOptions = QUICK) -> Fetched:
    with Downloader(options) as downloader:
        return downloader.fetch(asked)


def left(target: Path) -> set[str]:
    return {path.name for path in target.parent.iterdir()}


def test_a_file_comes_whole_under_its_unfinished_name(hub: Hub, target: Path) -> None:
    so_far: list[int] = []
    with Downloader(QUICK, received=so_far.append) as downloader:
        fetched = downloader.fetch(wanted(hub, target))
    assert fetched.partial.read_bytes() == CONTENT
    assert (fetched.sha256, fetched.by_hub) == (SHA256, False)
    assert so_far == sorted(so_far) and so_far[-1] == len(CONTENT)
    assert not target.exists()


@pytest.mark.parametrize("trouble", [cut(100_000), stall(100_000)], ids=["truncated", "slow"])
@pytest.mark.parametrize("linked", [True, False])
def test_a_broken_download_goes_on_where_it_was(trouble: object, linked: bool, hub: Hub, target: Path) -> None:
    if linked:
        hub.linked.add(PATH)
    hub.trouble(PATH, trouble)  # type: ignore[arg-type]
    assert fetch(wanted(hub, target)).partial.read_bytes() == CONTENT
    first, second = hub.ranges_of(PATH)
    assert first == ""
    assert second == "bytes=100000-"


def test_without_ranges_it_begins_again(hub: Hub, target: Path) -> None:
    hub.ranges = False
    hub.trouble(PATH, cut(100_000))
    assert fetch(wanted(hub, target)).partial.read_bytes() == CONTENT
    assert len(hub.asked) == 2


def test_a_weak_tag_is_no_ground_to_go_on(hub: Hub, target: Path) -> None:
    hub.etags[PATH] = 'W/"weak"'
    hub.trouble(PATH, cut(100_000))
    assert fetch(wanted(hub, target)).partial.read_bytes() == CONTENT
    assert hub.ranges_of(PATH) == ["", ""]


def test_a_file_that_changed_meanwhile_begins_again(hub: Hub, target: Path) -> None:
    changed = random.Random(8).randbytes(len(CONTENT))
    hub.trouble(PATH, cut(100_000), then(lambda: hub.files.update({PATH: changed})))
    asked = wanted(hub, target, sha256=None, hub=True)
    fetched = fetch(asked)
    assert fetched.partial.read_bytes() == changed
    assert hub.ranges_of(PATH) == ["", "bytes=100000-"]


def test_a_part_that_does_not_go_with_the_rest_begins_again(hub: Hub, target: Path) -> None:
    hub.trouble(PATH, cut(100_000))
    with pytest.raises(Unavailable):
        fetch(wanted(hub, target), ModelOptions(attempts=1))
    partial = partial_of(target)
    partial.write_bytes(b"x" * partial.stat().st_size)
    assert fetch(wanted(hub, target)).partial.read_bytes() == CONTENT
    assert hub.ranges_of(PATH) == ["", "bytes=100000-", ""]


def test_a_torn_note_about_a_part_begins_again(hub: Hub, target: Path) -> None:
    hub.trouble(PATH, cut(100_000))
    with pytest.raises(Unavailable):
        fetch(wanted(hub, target), ModelOptions(attempts=1))
    partial_of(target).with_name(f".{target.name}.partial.json").write_text('{"url": ')
    assert fetch(wanted(hub, target)).partial.read_bytes() == CONTENT
    assert hub.ranges_of(PATH) == ["", ""]


def test_a_whole_part_is_not_fetched_again(hub: Hub, target: Path) -> None:
    fetch(wanted(hub, target))
    assert fetch(wanted(hub, target)).partial.read_bytes() == CONTENT
    assert len(hub.asked) == 1


@pytest.mark.parametrize("code", [500, 503, 429, 408])
def test_passing_trouble_is_borne(code: int, hub: Hub, target: Path) -> None:
    hub.trouble(PATH, status(code), status(code))
    assert fetch(wanted(hub, target)).partial.read_bytes() == CONTENT


def test_lasting_trouble_is_given_up(hub: Hub, target: Path) -> None:
    hub.trouble(PATH, *[status(500)] * 10)
    with pytest.raises(Unavailable, match="answers 500, after 3 tries") as caught:
        fetch(wanted(hub, target))
    assert caught.value.retryable
    assert len(hub.asked) == 3
    assert left(target) == set()


def test_a_server_that_drops_every_connection_is_given_up_and_its_part_kept(hub: Hub, target: Path) -> None:
    hub.trouble(PATH, *[cut(1_000)] * 10)
    with pytest.raises(Unavailable, match="what has come is kept"):
        fetch(wanted(hub, target))
    assert partial_of(target).read_bytes() == CONTENT[:3_000]


@pytest.mark.parametrize(
    ("code", "words"), [(404, "does not have it"), (403, "refuses"), (401, "who asks"), (410, "no more")]
)
def test_a_clear_no_is_not_asked_again(code: int, words: str, hub: Hub, target: Path) -> None:
    hub.trouble(PATH, status(code))
    with pytest.raises(Unavailable, match=words) as caught:
        fetch(wanted(hub, target))
    assert not caught.value.retryable
    assert len(hub.asked) == 1
    assert left(target) == set()


def test_other_content_is_refused_and_nothing_kept(hub: Hub, target: Path) -> None:
    hub.trouble(PATH, other(bytes(len(CONTENT))))
    with pytest.raises(Unavailable, match="checksum") as caught:
        fetch(wanted(hub, target))
    assert not caught.value.retryable
    assert left(target) == set()


@pytest.mark.parametrize("size", [len(CONTENT) - 1, len(CONTENT) + 1, 10])
def test_another_size_is_refused_before_anything_is_read(size: int, hub: Hub, target: Path) -> None:
    with pytest.raises(Unavailable, match="another file"):
        fetch(wanted(hub, target, size=size))
    assert left(target) == set()


def test_more_than_was_announced_is_refused(hub: Hub, target: Path) -> None:
    """Without a length in the answer only the bytes themselves tell."""

    def endless(request: object) -> bool:
        request.send_response(200)  # type: ignore[attr-defined]
        request.send_header("connection", "close")  # type: ignore[attr-defined]
        request.end_headers()  # type: ignore[attr-defined]
        request.wfile.write(CONTENT + b"more")  # type: ignore[attr-defined]
        request.close_connection = True  # type: ignore[attr-defined]
        return True

    hub.trouble(PATH, endless)
    with pytest.raises(Unavailable, match="more than"):
        fetch(wanted(hub, target))
    assert left(target) == set()


def test_a_size_that_is_only_about_right_bounds_what_is_taken(hub: Hub, target: Path) -> None:
    assert fetch(wanted(hub, target, size=200_000, exact=False)).size == len(CONTENT)
    hub.files[PATH] = bytes(10_000_000)
    with pytest.raises(Unavailable, match="another file"):
        fetch(wanted(hub, target, size=200_000, exact=False, sha256="0" * 64))


@pytest.mark.parametrize("linked", [True, False])
def test_the_checksum_of_the_hub_itself(linked: bool, hub: Hub, target: Path) -> None:
    if linked:
        hub.linked.add(PATH)
    asked = wanted(hub, target, sha256=None, hub=True)
    fetched = fetch(asked)
    assert fetched.by_hub and fetched.sha256 == SHA256
    fetched.partial.unlink()
    hub.trouble(PATH, other(bytes(len(CONTENT))) if linked else other(CONTENT, '"' + "0" * 40 + '"'))
    with pytest.raises(Unavailable, match="checksum"):
        fetch(asked)


def test_without_any_checksum_nothing_is_taken(hub: Hub, target: Path) -> None:
    hub.declares = False
    for declares in (True, False):
        with pytest.raises(Unavailable, match="no checksum"):
            fetch(wanted(hub, target, sha256=None, hub=declares))
    assert left(target) == set()


def test_redirections_are_followed(hub: Hub, target: Path) -> None:
    hub.trouble("/a", redirect("/b"))
    hub.trouble("/b", redirect(f"{hub.url}{PATH}"))
    assert fetch(wanted(hub, target, url=f"{hub.url}/a")).partial.read_bytes() == CONTENT


def test_redirections_in_a_circle_end(hub: Hub, target: Path) -> None:
    hub.trouble("/a", *[redirect("/a")] * 50)
    with pytest.raises(Unavailable, match="redirects more than"):
        fetch(wanted(hub, target, url=f"{hub.url}/a"))
    assert len(hub.asked) == MAX_REDIRECTS + 1
    assert left(target) == set()


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://127.0.0.1/x", "http://[broken/x", "data:,x"])
def test_redirections_elsewhere_are_not_followed(location: str, hub: Hub, target: Path) -> None:
    hub.trouble(PATH, redirect(location))
    with pytest.raises(Unavailable, match=r"redirects|no web address"):
        fetch(wanted(hub, target))
    assert left(target) == set()


def test_nobody_there(target: Path) -> None:
    with pytest.raises(Unavailable, match="after 3 tries") as caught:
        fetch(Asked("http://127.0.0.1:1/x", target, 10, sha256="0" * 64))
    assert caught.value.retryable


@pytest.mark.parametrize("url", ["nonsense", "http://", "http://127.0.0.1:port/"])
def test_no_address_at_all(url: str, target: Path) -> None:
    with pytest.raises(Unavailable):
        fetch(Asked(url, target, 10, sha256="0" * 64))


def test_cancelling_ends_a_read_that_waits(hub: Hub, target: Path) -> None:
    hub.trouble(PATH, stall(100_000))
    cancellation = Cancellation()
    patient = ModelOptions(read_timeout=600)
    failed: list[BaseException] = []

    def work() -> None:
        with Downloader(patient, cancellation) as downloader:
            try:
                downloader.fetch(wanted(hub, target))
            except Cancelled as error:
                failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert hub.sent.wait(30)
    cancellation.cancel()
    thread.join(30)
    assert not thread.is_alive() and len(failed) == 1
    assert partial_of(target).exists() and not target.exists()
    hub.released.set()
    assert fetch(wanted(hub, target)).partial.read_bytes() == CONTENT


def test_cancelled_before_it_begins(hub: Hub, target: Path) -> None:
    cancellation = Cancellation()
    cancellation.cancel()
    with Downloader(QUICK, cancellation) as downloader, pytest.raises(Cancelled):
        downloader.fetch(wanted(hub, target))
    assert hub.asked == []


KILLED = """
import signal, sys
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs inherit that it is ignored
from vivavoce.services.downloads import Asked, Downloader
from vivavoce.services.options import ModelOptions
url, target, size, sha256 = sys.argv[1:]
with Downloader(ModelOptions(read_timeout=600)) as downloader:
    downloader.fetch(Asked(url, Path(target), int(size), sha256=sha256))
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_download_is_resumed(how: signal.Signals, hub: Hub, target: Path) -> None:
    hub.trouble(PATH, stall(200_000))
    command = [sys.executable, "-c", KILLED, hub.url + PATH, str(target), str(len(CONTENT)), SHA256]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        assert hub.sent.wait(60)
        while not partial_of(target).exists() or partial_of(target).stat().st_size < 65_536:
            assert process.poll() is None
            threading.Event().wait(0.01)
        os.kill(process.pid, how)
    hub.released.set()
    assert left(target) == {".model.bin.partial", ".model.bin.partial.json"}
    begun = partial_of(target).stat().st_size
    assert fetch(wanted(hub, target)).partial.read_bytes() == CONTENT
    assert hub.ranges_of(PATH)[-1] == f"bytes={begun}-"


LIMITED = """
import resource, sys
from pathlib import Path
from vivavoce.contracts.errors import Unavailable
from vivavoce.services.disk import told
from vivavoce.services.downloads import Asked, Downloader
from vivavoce.services.options import ModelOptions
url, target, size, sha256 = sys.argv[1:]
resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))
try:
    with told("cannot write there"), Downloader(ModelOptions()) as downloader:
        downloader.fetch(Asked(url, Path(target), int(size), sha256=sha256))
except Unavailable as error:
    print(error.message)
"""


def test_a_disk_that_takes_no_more(hub: Hub, target: Path) -> None:
    command = [sys.executable, "-c", LIMITED, hub.url + PATH, str(target), str(len(CONTENT)), SHA256]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "cannot write there" in done.stdout and "File too large" in done.stdout
    assert not target.exists()
    assert fetch(wanted(hub, target)).partial.read_bytes() == CONTENT
