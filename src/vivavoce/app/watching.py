"""Files that count while the server runs: API keys, and the certificate of the listener."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime

from vivavoce.contracts.errors import VivavoceError
from vivavoce.contracts.ports import Clock
from vivavoce.flow.tasks import Signal, TaskScope
from vivavoce.flow.threads import OffLoop
from vivavoce.services.keys import KeyFile
from vivavoce.transports.tls import Tls

LOOK = 2.0
"""Seconds after which a key that was made or revoked counts, or a certificate that was renewed."""
SOON = 14 * 86_400.0
"""Seconds before its end in which a certificate should have been renewed."""

_logger = logging.getLogger("vivavoce")


class Watch:
    """Looks at a file every other second, off the loop, and at once when it is told to.

    ``refresh`` is given whether to read it even where it seems unchanged, and tells whether it was read. It raises
    VivavoceError where what was read before has to do; that is said once, not every other second.
    """

    def __init__(self, what: str, refresh: Callable[[bool], bool], clock: Clock, then: Callable[[], None]) -> None:
        self._what = what
        self._refresh = refresh
        self._clock = clock
        self._then = then
        self._asked = False
        self._wake = Signal()
        self._told = ""
        self.off_loop = OffLoop(1, 1)
        self._scope = TaskScope(self._failed, limit=1)

    def start(self) -> None:
        """Begin to look."""
        self._scope.start(self._look(), name=f"watch {self._what}")

    def now(self) -> None:
        """Look at once, and read it whether it seems changed or not."""
        self._asked = True
        self._wake.notify()

    async def close(self) -> None:
        """Look no more."""
        await self._scope.close()
        self.off_loop.close()

    async def _look(self) -> None:
        while True:
            stop = self._clock.call_later(LOOK, self._wake.notify)
            try:
                if not self._asked:
                    await self._wake.wait()
            finally:
                stop()
            asked, self._asked = self._asked, False
            try:
                if await self.off_loop.run(self._refresh, asked):
                    _logger.info("%s: read anew", self._what)
                    self._then()
                self._told = ""
            except VivavoceError as error:
                if error.message != self._told or asked:
                    self._told = error.message
                    _logger.error("%s: %s; what was read before goes on counting", self._what, error.message)

    def _failed(self, error: Exception) -> None:
        _logger.error("%s: not watched any more", self._what, exc_info=error)


def key_watch(keys: KeyFile, clock: Clock) -> Watch:
    """Of the API keys."""
    return Watch("API keys", lambda _asked: keys.refresh(), clock, _nothing)


class CertificateWatch:
    """Of the listener's certificate, which is read anew on SIGHUP, too.

    A server that was started at a terminal ends with it, as everything does there: it leaves that signal alone.
    """

    def __init__(self, tls: Tls, clock: Clock) -> None:
        self._tls = tls
        self._clock = clock
        self._watch = Watch("certificate", lambda asked: tls.refresh(anyway=asked), clock, self._tell)
        self.off_loop = self._watch.off_loop
        self._hears = sys.platform != "win32" and not (sys.stdin is not None and sys.stdin.isatty())

    def start(self) -> None:
        """Begin to look."""
        self._tell()
        self._watch.start()
        if self._hears:
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._watch.now)

    async def close(self) -> None:
        """Look no more."""
        if self._hears:
            asyncio.get_running_loop().remove_signal_handler(signal.SIGHUP)
        await self._watch.close()

    def _tell(self) -> None:
        """Say how long the certificate is good for; loudly, if that is not long."""
        left = self._tls.ends - self._clock.wall()
        day = datetime.fromtimestamp(self._tls.ends, UTC).strftime("%Y-%m-%d %H:%M UTC")
        if left <= 0:
            _logger.error("the certificate ended on %s: clients refuse it; renew it", day)
        elif left < SOON:
            _logger.warning("the certificate ends on %s: renew it", day)
        else:
            _logger.info("the certificate ends on %s", day)


def _nothing() -> None:
    """There is no more to do."""
