"""TLS of the listener: certificate and key, checked before anything listens, and taken anew when they are renewed."""

from __future__ import annotations

import ssl
from pathlib import Path

from vivavoce.contracts.errors import ConfigurationError
from vivavoce.transports.certificates import end_of
from vivavoce.transports.options import TlsOptions

MAX_PASSWORD = 1_023
"""Characters OpenSSL takes."""
_STRANGERS = ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED")
"""What OpenSSL says of a key that is another's; the last, where the two are not even of one kind."""


class Tls:
    """What the listener shows to those who connect: a certificate that may be renewed while the server runs.

    ``context`` stays the same; with every handshake it hands on to that of the newest pair, and connections that are open
    keep theirs. Loading a pair into a context in use would be shorter, but one that is refused half-way leaves it with
    half of each pair, and then nobody gets in.
    """

    def __init__(self, options: TlsOptions) -> None:
        """Raises ConfigurationError. Reads files: call it off the loop."""
        self._options = options
        self._files = [Path(name).expanduser() for name in (options.certificate_file, options.key_file) if name]
        self._seen: object = None
        self.ends = 0.0
        """Seconds since the epoch at which the certificate ends."""
        self.refresh()
        self.context = self._newest
        self.context.sni_callback = self._choose  # called for clients that name no server, too

    @classmethod
    def of(cls, options: TlsOptions) -> Tls | None:
        """None where no certificate is configured. Raises ConfigurationError."""
        return None if context_of(options) is None else cls(options)

    def refresh(self, *, anyway: bool = False) -> bool:
        """Read the pair again if its files have changed, or ``anyway``; tell whether it was read. Call it off the loop.

        Raises ConfigurationError; the old pair then serves on, and the next call tries again.
        """
        try:
            # Before they are read: what is written meanwhile is seen the next time.
            seen = [(state.st_mtime_ns, state.st_ino, state.st_size) for state in (file.stat() for file in self._files)]
            if seen == self._seen and not anyway:
                return False
            self._seen = None
            newest = context_of(self._options)
            assert newest is not None
            ends = end_of(self._files[0].read_bytes())
        except OSError as error:  # in the middle of a renewal a file may be gone for a moment
            raise ConfigurationError(
                f"server.tls: {error.filename} cannot be read: {error.strerror}", cause=error
            ) from error
        except ValueError as error:
            raise ConfigurationError(f"server.tls.certificate_file: {error}", cause=error) from error
        self._newest, self.ends, self._seen = newest, ends, seen
        return True

    def _choose(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = self._newest


def context_of(options: TlsOptions) -> ssl.SSLContext | None:
    """For the listener, TLS 1.2 or newer; None where no certificate is configured. Reads files: call it off the loop.

    Raises ConfigurationError, naming the file and what is wrong with it.
    """
    if not options.certificate_file:
        if options.key_file:
            raise ConfigurationError("server.tls.key_file is given without server.tls.certificate_file; give both")
        return None
    certificate = _readable("certificate_file", options.certificate_file)
    key = _readable("key_file", options.key_file) if options.key_file else certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.options |= ssl.OP_NO_RENEGOTIATION  # of TLS 1.2: it would cost us more than who asks for it
    try:
        # A callable even without a password: OpenSSL would ask for one on the terminal.
        context.load_cert_chain(certificate, key, lambda: options.password[:MAX_PASSWORD])
    except (ssl.SSLError, OSError, ValueError) as error:
        raise _explained(error, certificate, key, with_password=bool(options.password)) from error
    return context


def _readable(name: str, file: str) -> Path:
    path = Path(file).expanduser()
    try:
        with path.open("rb") as opened:
            opened.read(1)
    except OSError as error:
        raise ConfigurationError(
            f"server.tls.{name}: {path} cannot be read: {error.strerror or error}", cause=error
        ) from error
    return path


def _explained(error: Exception, certificate: Path, key: Path, *, with_password: bool) -> ConfigurationError:
    reason = str(getattr(error, "reason", None) or "")
    if reason in _STRANGERS:
        text = f"server.tls: the key in {key} does not belong to the certificate in {certificate}"
    elif _no_certificate(certificate):
        text = f"server.tls.certificate_file: {certificate} holds no certificate in PEM form"
    elif _encrypted(key):
        wrong = "is not the one" if with_password else "is missing; set VIVAVOCE_SERVER__TLS__PASSWORD"
        text = f"server.tls.key_file: {key} is locked with a password, and server.tls.password {wrong}"
    elif b"PRIVATE KEY-----" not in key.read_bytes():
        text = f"server.tls.key_file: {key} holds no private key in PEM form"
    else:
        text = f"server.tls: {certificate} and {key} cannot be used: {reason or error}"
    return ConfigurationError(text, cause=error)


def _no_certificate(path: Path) -> bool:
    """Whether not even one certificate can be loaded from it."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except (ssl.SSLError, OSError):
        return True
    return False


def _encrypted(path: Path) -> bool:
    """Whether the key in it is, in either of the two forms there are."""
    text = path.read_bytes()
    return b"-----BEGIN ENCRYPTED PRIVATE KEY-----" in text or b"Proc-Type: 4,ENCRYPTED" in text
