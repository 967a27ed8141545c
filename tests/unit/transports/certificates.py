"""Certificates for tests, made by openssl when they are needed."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import require


@dataclass(frozen=True)
class Certificate:
    certificate: Path
    key: Path

    def trusting(self) -> ssl.SSLContext:
        """A client that trusts this certificate and nothing else."""
        return ssl.create_default_context(cafile=str(self.certificate))


def certificate(folder: Path, name: str = "server", *, password: str = "", algorithm: str = "ec") -> Certificate:
    """Self-signed, for 127.0.0.1 and localhost."""
    openssl = shutil.which("openssl")
    require(openssl, "openssl is not installed (Debian: apt-get install openssl)")
    assert openssl is not None
    made = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
    kind = ["rsa:2048"] if algorithm == "rsa" else ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    secret = ["-passout", f"pass:{password}"] if password else ["-nodes"]
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", *kind, *secret, "-keyout", str(made.key), "-out", str(made.certificate),
         "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"],
        check=True, capture_output=True,
    )  # fmt: skip
    return made
