"""Keys, tokens and limits of a server put together.

What reads signed tokens loads all of cryptography, a tenth of a second that most servers need not spend: it is imported
where it is wanted.
"""

from __future__ import annotations

from vivavoce.config.settings import Settings
from vivavoce.contracts.ports import Clock
from vivavoce.services.keys import KeyFile
from vivavoce.services.signing_keys import Place, SigningKeys, check_place
from vivavoce.storage.memory import MemoryState
from vivavoce.transports.access import Access, TokenVerifier
from vivavoce.transports.entrance import Entrance
from vivavoce.transports.options import JwtOptions, ServerOptions
from vivavoce.transports.rates import Rates, Rest


def signing_keys_of(settings: Settings, clock: Clock) -> SigningKeys | None:
    """The keys at ``server.jwt.jwks_url``, if one is given. Raises ConfigurationError for a place that is not allowed."""
    options = settings.server.jwt
    if not options.jwks_url:
        return None
    check_signing(settings)
    from vivavoce.transports.signed import public_keys

    return SigningKeys(Place(options.jwks_url, options.jwks_lifetime), clock, public_keys)


def check_signing(settings: Settings) -> None:
    """Raises ConfigurationError where the keys at ``server.jwt.jwks_url`` may not be fetched, or could not be read."""
    rule = next((name for name in ("local_only", "offline") if getattr(settings, name)), None)
    check_place(settings.server.jwt.jwks_url, rule=rule)
    from vivavoce.transports.signed import check_library

    check_library()


def entrance_of(options: ServerOptions, keys: KeyFile, clock: Clock, signing: SigningKeys | None = None) -> Entrance:
    """What every request passes. Raises ConfigurationError."""
    access = Access(keys, MemoryState(clock), _signed(options.jwt, signing) if options.jwt.wanted else None)
    return Entrance(access, Rates(options.rates), Rest(options.rates, clock))


def _signed(options: JwtOptions, signing: SigningKeys | None) -> TokenVerifier:
    from vivavoce.transports.signed import SignedTokens

    return SignedTokens.of(options, signing)
