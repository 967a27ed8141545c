"""Signed tokens (JWT, RFC 7519) of somebody else's making: a shared secret, or public keys from a JWKS file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt

from vivavoce.contracts.access import SCOPES, Principal, Scope
from vivavoce.contracts.errors import ConfigurationError, NotAllowed
from vivavoce.transports.options import JwtOptions

SHARED = ("HS256", "HS384", "HS512")
PUBLIC = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "EdDSA")
MIN_SECRET = 32
LEEWAY = 30
"""Seconds two clocks may differ."""


@dataclass(frozen=True, slots=True)
class SignedTokens:
    """Implements ``transports.access.TokenVerifier``. Reads its keys when it is made: make it before the loop runs."""

    options: JwtOptions
    keys: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, options: JwtOptions) -> SignedTokens:
        """Raises ConfigurationError for a weak secret, a missing or broken file, an unknown scope."""
        if options.secret and options.jwks_file:
            raise ConfigurationError("server.jwt: give a secret or a jwks_file, not both")
        if options.secret and len(options.secret) < MIN_SECRET:
            raise ConfigurationError(f"server.jwt.secret has fewer than {MIN_SECRET} characters; make one with openssl rand")
        unknown = set(options.scopes) - set(SCOPES)
        if unknown:
            raise ConfigurationError(f"server.jwt.scopes: there is no scope {', '.join(sorted(unknown))}")
        return cls(options, _public_keys(options.jwks_file) if options.jwks_file else {})

    def verify(self, token: str) -> Principal:
        """Raises NotAllowed, saying what is wrong with it."""
        try:
            key, algorithms = self._key(token)
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

    def _key(self, token: str) -> tuple[Any, tuple[str, ...]]:
        if self.options.secret:
            return self.options.secret, SHARED
        name = str(jwt.get_unverified_header(token).get("kid", ""))
        found = self.keys.get(name)
        if found is None:
            raise jwt.InvalidKeyError(f"nobody here knows the key {name!r}")
        return found, PUBLIC


def _public_keys(file: str) -> dict[str, Any]:
    path = Path(file).expanduser()
    try:
        found = jwt.PyJWKSet.from_dict(json.loads(path.read_text()))
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror or error}", cause=error) from error
    except (ValueError, jwt.PyJWTError) as error:
        hint = "; reading public keys needs pip install 'vivavoce[jwt]'" if "cryptography" in str(error) else ""
        raise ConfigurationError(f"{path} is no JSON Web Key Set: {error}{hint}", cause=error) from error
    return {str(key.key_id): key.key for key in found.keys}
