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

    def arguments(self) -> list[str]:
        """For ``vivavoce serve``."""
        return ["--set", f"server.tls.certificate_file={self.certificate}", "--set", f"server.tls.key_file={self.key}"]

    def renew(self, by: Certificate) -> None:
        """As renewing programs do it: one file after the other."""
        shutil.copy(by.certificate, self.certificate)
        shutil.copy(by.key, self.key)


def certificate(
    folder: Path, name: str = "server", *, password: str = "", algorithm: str = "ec", days: int = 2
) -> Certificate:
    """Self-signed, for 127.0.0.1 and localhost."""
    openssl = shutil.which("openssl")
    require(openssl, "openssl is not installed (Debian: apt-get install openssl)")
    assert openssl is not None
    made = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
    kind = ["rsa:2048"] if algorithm == "rsa" else ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    secret = ["-passout", f"pass:{password}"] if password else ["-nodes"]
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", *kind, *secret, "-keyout", str(made.key), "-out", str(made.certificate),
         "-days", str(days), "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"],
        check=True, capture_output=True,
    )  # fmt: skip
    return made
