"""Signed tokens (JWT, RFC 7519) of somebody else's making: a shared secret, or public keys from a JWKS."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import jwt

from vivavoce.contracts.access import SCOPES, Principal, Scope
from vivavoce.contracts.errors import ConfigurationError, NotAllowed
from vivavoce.transports.options import JwtOptions

SHARED = ("HS256", "HS384", "HS512")
PUBLIC = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "EdDSA")
MIN_SECRET = 32
LEEWAY = 30
"""Seconds two clocks may differ."""


class KeySource(Protocol):
    """Public keys that are kept elsewhere."""

    async def find(self, name: str) -> Any | None:
        """The key called ``name``. Raises Unavailable."""


@dataclass(frozen=True, slots=True)
class SignedTokens:
    """Implements ``transports.access.TokenVerifier``. Reads its file when it is made: make it before the loop runs."""

    options: JwtOptions
    keys: Mapping[str, Any] = field(default_factory=dict)
    source: KeySource | None = None

    @classmethod
    def of(cls, options: JwtOptions, source: KeySource | None = None) -> SignedTokens:
        """``source`` is what stands at ``jwks_url``.

        Raises ConfigurationError for a weak secret, a missing or broken file, an unknown scope.
        """
        if sum(map(bool, (options.secret, options.jwks_file, options.jwks_url))) > 1:
            raise ConfigurationError("server.jwt: give one of secret, jwks_file and jwks_url, not several")
        if options.secret and len(options.secret) < MIN_SECRET:
            raise ConfigurationError(f"server.jwt.secret has fewer than {MIN_SECRET} characters; make one with openssl rand")
        unknown = set(options.scopes) - set(SCOPES)
        if unknown:
            raise ConfigurationError(f"server.jwt.scopes: there is no scope {', '.join(sorted(unknown))}")
        return cls(options, _from_file(options.jwks_file) if options.jwks_file else {}, source)

    async def verify(self, token: str) -> Principal:
        """Raises NotAllowed, saying what is wrong with it; Unavailable where its key cannot be had."""
        try:
            key, algorithms = await self._key(token)
            claims = jwt.decode(
                token,
                key,
                algorithms=algorithms,
                audience=self.options.audience or None,
                issuer=self.options.issuer or None,
                leeway=LEEWAY,
                options={"require": ["exp"], "verify_aud": bool(self.options.audience)},
            )
        except jwt.PyJWTError as error:
            raise NotAllowed(f"this token is not valid: {error}", code="invalid_api_key", cause=error) from error
        asked = claims.get("scope", self.options.scopes)
        names = asked.split() if isinstance(asked, str) else asked
        scopes: frozenset[Scope] = frozenset(scope for scope in SCOPES if scope in names)
        return Principal(f"jwt:{str(claims.get('sub', 'unnamed'))[:100]}", scopes)

    async def _key(self, token: str) -> tuple[Any, tuple[str, ...]]:
        if self.options.secret:
            return self.options.secret, SHARED
        header = jwt.get_unverified_header(token)
        if header.get("alg") not in PUBLIC:
            raise jwt.InvalidAlgorithmError(f"tokens are signed with one of {', '.join(PUBLIC)}")
        name = str(header.get("kid", ""))
        found = self.keys.get(name) if self.source is None else await self.source.find(name)
        if found is None:
            raise jwt.InvalidKeyError(f"nobody here knows the key {name[:100]!r}")
        return found, PUBLIC


def public_keys(raw: bytes) -> dict[str, Any]:
    """Keys by name, of a JSON Web Key Set. Raises ValueError for what is none."""
    try:
        found = jwt.PyJWKSet.from_dict(json.loads(raw))
    except (ValueError, RecursionError, TypeError, AttributeError, KeyError, jwt.PyJWTError) as error:
        raise ValueError(str(error) or type(error).__name__) from error
    return {str(key.key_id): key.key for key in found.keys}


def check_library() -> None:
    """Raises ConfigurationError where public keys cannot be read for want of a package."""
    if find_spec("cryptography") is None:
        raise ConfigurationError("server.jwt: reading public keys needs pip install 'vivavoce[jwt]'")


def _from_file(file: str) -> dict[str, Any]:
    path = Path(file).expanduser()
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror or error}", cause=error) from error
    check_library()
    try:
        return public_keys(raw)
    except ValueError as error:
        raise ConfigurationError(f"{path} is no JSON Web Key Set: {error}", cause=error) from error
