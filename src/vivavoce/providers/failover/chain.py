"""Which port of a chain is asked next, and what becomes of one that fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Generic, Protocol, TypeVar

from vivavoce.contracts.errors import InvalidRequest, Overloaded, Unavailable, UnknownName, VivavoceError
from vivavoce.contracts.ports import Clock
from vivavoce.contracts.speech import Capabilities
from vivavoce.providers.health import Breaker, BreakerOptions, State


class Capable(Protocol):
    """Any port."""

    @property
    def capabilities(self) -> Capabilities: ...


class Observer(Protocol):
    """Who wants to know how the members of a chain fare. Called on the hot path: takes note, and no time."""

    def answered(self, name: str, seconds: float) -> None:
        """A member gave its first output so many seconds after it was asked for it."""

    def failed(self, name: str, error: VivavoceError) -> None:
        """A member failed."""


T = TypeVar("T", bound=Capable)


@dataclass(frozen=True, slots=True)
class Member(Generic[T]):
    """A port of a chain. Members of one ``group`` are equals: the one with the least outstanding work goes first."""

    name: str
    port: T
    group: str = ""


class Place(Generic[T]):
    """A member, how it fares, and how many requests it has."""

    def __init__(self, member: Member[T], options: BreakerOptions) -> None:
        self.member = member
        self.breaker = Breaker(options)
        self.outstanding = 0
        self.last_error: VivavoceError | None = None


class Attempt(Generic[T]):
    """One request to one member. Leave its context when the request is over; say before how it went, if that is known."""

    def __init__(self, place: Place[T], clock: Clock, observer: Observer | None = None, *, admitted: bool = True) -> None:
        self._place = place
        self._admitted = admitted
        self._clock = clock
        self._observer = observer
        self._asked_at = clock.now()
        self._known = self._over = False
        place.outstanding += 1

    @property
    def port(self) -> T:
        """Who is asked."""
        return self._place.member.port

    @property
    def name(self) -> str:
        """What it is called."""
        return self._place.member.name

    def asked(self) -> None:
        """Only from now on can it answer: what came before was input."""
        self._asked_at = self._clock.now()

    def succeeded(self) -> None:
        """It gave something."""
        if not self._known:
            self._known = True
            self._place.breaker.succeeded()
            if self._observer is not None:
                self._observer.answered(self.name, self._clock.now() - self._asked_at)

    def failed(self, error: VivavoceError) -> None:
        """It failed; what the caller is to blame for, and being busy, is not held against it."""
        self._place.last_error = error
        if self._observer is not None:
            self._observer.failed(self.name, error)
        if isinstance(error, InvalidRequest | Overloaded):
            return
        self._known = True
        self._place.breaker.failed(self._clock.now(), at_once=not error.retryable, retry_after=error.retry_after)

    def end(self) -> None:
        """The request is over. Idempotent."""
        if self._over:
            return
        self._over = True
        self._place.outstanding -= 1
        if not self._known and self._admitted:
            self._place.breaker.abandoned()

    def __enter__(self) -> Attempt[T]:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.end()


class Chain(Generic[T]):
    """Ports of one kind in the order in which they are asked. ``kind`` is for messages: ``language model``.

    Chains that share ``places``, by name of member, share what is known of their members.
    """

    def __init__(
        self,
        kind: str,
        members: Sequence[Member[T]],
        clock: Clock,
        options: BreakerOptions | None = None,
        observer: Observer | None = None,
        places: dict[str, Place[T]] | None = None,
    ) -> None:
        self._kind = kind
        self._clock = clock
        self._options = options or BreakerOptions()
        self._observer = observer
        self._known: dict[str, Place[T]] = {} if places is None else places
        self._places: list[Place[T]] = []
        self.replace(members)

    def replace(self, members: Sequence[Member[T]]) -> None:
        """Other members from the next request on; those that stay keep what is known of them."""
        if not members:
            raise ValueError("a chain needs a member")
        self._places = [self._place(member) for member in members]

    def _place(self, member: Member[T]) -> Place[T]:
        known = self._known.get(member.name)
        if known is None or known.member != member:
            known = self._known[member.name] = Place(member, self._options)
        return known

    @property
    def capabilities(self) -> Capabilities:
        """Those of the member that would be asked now; local only if all are, any language that one of them has."""
        now = self._clock.now()
        front = next((p for p in self._places if p.breaker.state(now) != "open"), self._places[0])
        found = [place.member.port.capabilities for place in self._places]
        anything = any(not one.languages for one in found)
        languages = () if anything else tuple(dict.fromkeys(tag for one in found for tag in one.languages))
        return replace(
            front.member.port.capabilities,
            languages=languages,
            local=all(one.local for one in found),
            concurrency=sum(one.concurrency for one in found),
        )

    def states(self) -> dict[str, State]:
        """How each member fares, by name."""
        now = self._clock.now()
        return {place.member.name: place.breaker.state(now) for place in self._places}

    def attempts(self) -> Iterator[Attempt[T]]:
        """Whom to ask, one after the other; each is admitted only when it is its turn."""
        for place in self._order():
            if place.breaker.admit(self._clock.now()):
                yield Attempt(place, self._clock, self._observer)

    @property
    def first(self) -> T:
        """The port that stands first."""
        return self._places[0].member.port

    def ask(self) -> Attempt[T]:
        """A request to the first, whatever its breaker says: for those who want this one and no other."""
        place = self._places[0]
        return Attempt(place, self._clock, self._observer, admitted=place.breaker.admit(self._clock.now()))

    def exhausted(self, errors: Sequence[VivavoceError]) -> VivavoceError:
        """The error for a request that nobody could serve: the last one, with all causes."""
        if len(errors) == 1:
            return errors[0]
        if not errors:
            known = [place.last_error for place in self._places if place.last_error is not None]
            why = f": {known[0].message}" if known else ""
            return Unavailable(f"no {self._kind} answers at the moment; it is tried again in a while{why}")
        said = "; ".join(dict.fromkeys(error.message for error in errors))
        last = errors[-1]
        return type(last)(
            f"no {self._kind} could answer: {said}",
            code=last.code,
            retryable=any(error.retryable for error in errors),
            cause=ExceptionGroup("all that were asked", list(errors)),
            retry_after=last.retry_after,
        )

    def _order(self) -> list[Place[T]]:
        """A group stands where its first member stands."""
        rank: dict[str, int] = {}
        keyed = []
        for number, place in enumerate(self._places):
            group = place.member.group
            at = rank.setdefault(group, number) if group else number
            keyed.append(((at, place.outstanding if group else 0, number), place))
        return [place for _, place in sorted(keyed, key=lambda pair: pair[0])]


def fails_over(error: VivavoceError) -> bool:
    """Whether another port may do better: not where the caller is to blame, but a name unknown here may be known there."""
    return isinstance(error, UnknownName) or not isinstance(error, InvalidRequest)
