"""When a certificate ends. The standard library tells it only of certificates that it trusts."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime

_FIRST = re.compile(rb"-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----(.+?)-----END", re.DOTALL)
_VERSION, _UTC_TIME, _GENERALIZED_TIME = 0xA0, 0x17, 0x18
"""Tags of DER: the optional version of a certificate, and the two forms of a time (RFC 5280, 4.1)."""


def end_of(pem: bytes) -> float:
    """Seconds since the epoch at which the first certificate of a PEM file ends. Raises ValueError where there is none."""
    found = _FIRST.search(pem)
    if found is None:
        raise ValueError("there is no certificate in PEM form")
    try:
        return _end(base64.b64decode(found[1]))
    except (IndexError, binascii.Error) as error:
        raise ValueError("the certificate is cut off") from error


def _end(der: bytes) -> float:
    _, at, _ = _element(der, 0)  # Certificate
    _, at, _ = _element(der, at)  # TBSCertificate
    if der[at] == _VERSION:
        _, _, at = _element(der, at)
    for _ in ("serial number", "signature", "issuer"):
        _, _, at = _element(der, at)
    _, at, _ = _element(der, at)  # validity
    _, _, at = _element(der, at)  # its begin
    tag, start, end = _element(der, at)
    text = der[start:end].decode("ascii")
    if tag == _UTC_TIME:  # two digits of the year, of which 50 is 1950
        text = ("19" if text[:2] >= "50" else "20") + text
    elif tag != _GENERALIZED_TIME:
        raise ValueError("the certificate does not say when it ends")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()


def _element(der: bytes, at: int) -> tuple[int, int, int]:
    """Tag, start and end of the contents of the element at ``at``."""
    tag, size, start = der[at], der[at + 1], at + 2
    if size & 0x80:
        width = size & 0x7F
        size = int.from_bytes(der[start : start + width], "big")
        start += width
    if start + size > len(der):
        raise IndexError(at)
    return tag, start, start + size
