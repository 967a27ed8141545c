"""How much one caller may ask: sliding windows through ``limits``, and a rest for whoever keeps guessing keys."""

from __future__ import annotations

from collections import OrderedDict

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, Storage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from vivavoce.contracts.errors import LimitExceeded
from vivavoce.contracts.ports import Clock
from vivavoce.transports.options import RateOptions

MAX_PEERS = 10_000


class Rates:
    """Counts what callers ask. ``caller`` is a principal's id or an address."""

    def __init__(self, options: RateOptions, storage: Storage | None = None) -> None:
        self._limiter = SlidingWindowCounterRateLimiter(storage or MemoryStorage())
        self._items: dict[str, tuple[RateLimitItem, str]] = {}
        for name, amount, what in (
            ("requests", options.requests_per_minute, "requests"),
            ("characters", options.characters_per_minute, "characters to be spoken"),
            ("seconds", options.audio_seconds_per_minute, "seconds of recordings"),
            ("upload", options.upload_mb_per_minute * 1_000_000, "bytes of recordings"),
        ):
            if amount:
                self._items[name] = (RateLimitItemPerMinute(amount, namespace=name), what)

    async def spend(self, name: str, caller: str, amount: int = 1) -> None:
        """Take ``amount`` from a caller's budget. Raises LimitExceeded, with the time to come back."""
        if name not in self._items or amount <= 0:
            return
        item, what = self._items[name]
        if await self._limiter.hit(item, caller, cost=min(amount, item.amount)):
            return
        stats = await self._limiter.get_window_stats(item, caller)
        raise LimitExceeded(
            f"more than {item.amount} {what} a minute; slow down",
            code="rate_limit_exceeded",
            retry_after=max(1.0, min(60.0, 60.0 * (1 - stats.remaining / item.amount))),
        )


class Rest:
    """Addresses that guessed too many keys are refused for a while. Bounded: the oldest are forgotten."""

    def __init__(self, options: RateOptions, clock: Clock) -> None:
        self._options = options
        self._clock = clock
        self._wrong: OrderedDict[str, list[float]] = OrderedDict()

    def check(self, peer: str) -> None:
        """Raises LimitExceeded while an address rests."""
        times = self._wrong.get(peer, [])
        if len(times) >= self._options.wrong_guesses:
            left = times[-1] + self._options.rest - self._clock.now()
            if left > 0:
                raise LimitExceeded("too many wrong keys from this address; wait", code="blocked", retry_after=left)
            del self._wrong[peer]

    def wrong(self, peer: str) -> None:
        """A key that was not right."""
        now = self._clock.now()
        times = [time for time in self._wrong.pop(peer, []) if now - time < 60.0][-self._options.wrong_guesses :]
        self._wrong[peer] = [*times, now]
        while len(self._wrong) > MAX_PEERS:
            self._wrong.popitem(last=False)
