"""A real server with scripted engines that broken clients are let loose on, and a witness that is to be served all along."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from websockets.sync.client import ClientConnection, connect

from tests.fuzz.raw import Attacker
from tests.live.server import free_port
from tests.live.watch import Holdings, fetch, holdings, settled, until
from tests.unit.transports.certificates import Certificate


@dataclass
class Server:
    port: int
    pid: int
    witness: ClientConnection
    trust: ssl.SSLContext | None = None
    pings: int = 0

    def unharmed(self) -> None:
        """The other session is answered."""
        self.pings += 1
        self.witness.send(json.dumps({"type": "ping", "id": self.pings}))
        while True:
            message = self.witness.recv(timeout=20)
            if isinstance(message, str):
                event = json.loads(message)
                assert event["type"] != "error", event
                if event["type"] == "pong" and event["id"] == self.pings:
                    return

    def attacker(self, path: str) -> Attacker:
        """A connection that is not upgraded yet."""
        return Attacker(self.port, path, trust=self.trust)

    def holdings(self) -> Holdings:
        """As they are now."""
        return holdings(self.port, self.pid, self.trust)

    def settled(self) -> Holdings:
        """As they are when nobody but the witness is there."""
        return settled(self.port, self.pid, beside=1, trust=self.trust)

    def no_more_than(self, before: Holdings) -> bool:
        """Connections that were just closed are let go of a moment later."""
        return until(lambda: self.settled().no_more_than(before), 90)


@contextmanager
def serving(*arguments: str, made: Certificate | None = None) -> Iterator[Server]:
    """Sessions whose client was lost wait for a few seconds, unless ``arguments`` say otherwise."""
    port = free_port()
    scripted = [word for kind in ("stt", "llm", "tts", "vad", "turn") for word in ("--set", f"engines.{kind}=scripted")]
    loose = ["--set", "server.rates.requests_per_minute=0", "--set", "server.sockets.control_per_minute=100000"]
    loose += ["--set", "websocket.resume_window=5"]
    secure = [] if made is None else made.arguments()
    trust = None if made is None else made.trusting()
    process = subprocess.Popen(
        [sys.executable, "-m", "vivavoce", "serve", "--port", str(port), *scripted, *loose, *secure, *arguments]
    )
    try:
        assert until(lambda: _ready(port, trust)), "the server did not start"
        address = f"{'ws' if trust is None else 'wss'}://127.0.0.1:{port}/ws/audio"
        with connect(address, compression=None, ssl=trust) as witness:
            witness.send('{"type":"hello"}')
            yield Server(port, process.pid, witness, trust)
    finally:
        process.terminate()
        assert process.wait(60) in (0, -15)


def _ready(port: int, trust: ssl.SSLContext | None) -> bool:
    try:
        return bool(fetch(port, "/health", trust)["ready"])
    except OSError:
        return False
