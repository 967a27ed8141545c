"""Files that are looked at again and again: what changed counts, what is wrong is said once, and the old goes on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.transports.certificates import certificate
from vivavoce.app.watching import LOOK, SOON, CertificateWatch, Watch
from vivavoce.contracts.errors import ConfigurationError
from vivavoce.flow.clock import SystemClock
from vivavoce.transports.options import TlsOptions
from vivavoce.transports.tls import Tls


class File:
    """What ``Watch`` looks at; it counts how often, and how often it was told to look anyway."""

    def __init__(self) -> None:
        self.looks = self.asked = self.taken = 0
        self.wrong = ""
        self.changed = False

    def refresh(self, asked: bool) -> bool:
        self.looks += 1
        self.asked += asked
        if self.wrong:
            raise ConfigurationError(self.wrong)
        changed, self.changed = self.changed or asked, False
        return changed

    def took(self) -> None:
        self.taken += 1


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - a thread tells of nothing
        await asyncio.sleep(0.01)


async def test_what_changed_is_taken_and_what_is_wrong_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    file = File()
    caplog.set_level(logging.INFO, "vivavoce")
    watch = Watch("certificate", file.refresh, SystemClock(), file.took)
    watch.start()
    await until(lambda: file.looks == 2)
    assert (file.taken, caplog.messages) == (0, [])
    file.changed = True
    await until(lambda: file.taken == 1)
    assert caplog.messages == ["certificate: read anew"]
    caplog.clear()
    file.wrong = "half of it is missing"
    looks = file.looks
    await until(lambda: file.looks == looks + 5)
    once = "certificate: half of it is missing; what was read before goes on counting"
    assert caplog.messages == [once]
    watch.now()
    await until(lambda: caplog.messages == [once, once])
    file.wrong = ""
    watch.now()
    await until(lambda: file.taken == 2)
    assert file.asked == 2, "and only then was it read anyway"
    file.wrong = "half of it is missing"
    await until(lambda: len(caplog.messages) == 4)
    assert caplog.messages[-1] == once, "it was right meanwhile, so this is news"
    await watch.close()


async def test_nobody_has_to_wait_longer_than_promised() -> None:
    file, loop = File(), asyncio.get_running_loop()
    watch = Watch("certificate", file.refresh, SystemClock(), file.took)
    begun = loop.time()
    watch.start()
    await until(lambda: file.looks == 1)
    assert loop.time() - begun >= LOOK
    await watch.close()
    looks = file.looks
    watch.now()
    await asyncio.sleep(10 * LOOK)
    assert file.looks == looks


@pytest.mark.parametrize(
    ("left", "level", "said"),
    [(-60.0, "ERROR", "ended on"), (SOON - 60, "WARNING", "renew it"), (SOON + 3_600, "INFO", "ends on")],
)
async def test_how_long_the_certificate_is_good_for_is_said_at_the_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, left: float, level: str, said: str
) -> None:
    made = certificate(tmp_path)
    tls = await asyncio.to_thread(Tls, TlsOptions(str(made.certificate), str(made.key)))
    assert abs(tls.ends - SystemClock().wall() - 2 * 86_400) < 3_600, "as openssl was told"
    tls.ends = SystemClock().wall() + left
    caplog.set_level(logging.INFO, "vivavoce")
    watch = CertificateWatch(tls, SystemClock())
    watch.start()
    assert [record.levelname for record in caplog.records] == [level]
    assert said in caplog.text
    await watch.close()
