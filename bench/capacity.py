"""Sessions per core: the server and its voice activity worker on core 0, the callers on core 1.

Real voice activity detection; scripted STT, LLM, TTS and turn detection (their bookkeeping runs in the server process).
Frames of 20 ms both ways over WebSocket. The callers converse: they speak about a third of the time (recordings of several
people), replies sound about half of it, one reply in three is spoken over; the report states the shares of each run.

Added latency, p99 of which must stay within 25 ms, is taken at the client in three ways:

- *event*: from the moment at which the frame that completes a decision of the detector was captured to the arrival of the
  event (``speech_started``, ``speech_stopped``) it causes. It holds the way up, the detector's queue and batch, the turn
  machine and the way down; not the detector's own release, which is known exactly (two frames).
- *round trip*: ``ping`` to ``pong``, once a second and session.
- *reply lead*: how far ahead of the ear a frame of a reply comes. Replies are paced to 600 ms; between their first clause
  and the next sentence the lead falls while the scripted model writes at 40 tokens a second. A listener hears gaps, no
  leads.

The bar is held where the p99 of event and round trip are both within 25 ms and at most one reply in a hundred has a gap
of 5 ms or more (the client plays 40 ms behind the first frame). "kept from its core" is the share of time in which the
server could have run and was not given the core: its own worker counts in it, and so does everything else the machine
does; a run with more than a few per cent beyond the worker's own share says little."""

from __future__ import annotations

from dataclasses import dataclass

from bench import load, scenes
from bench.caller import Move
from bench.process import Server, spent, starved
from bench.result import Options, Result, Table
from bench.speech import ABSENT, present
from bench.stats import Bar, Summary, figure, percentile, single, summarise

LIMIT = 25.0
MOVES = (Move(), Move(), Move(1.5, barge=True))


@dataclass(frozen=True, slots=True)
class Level:
    """One load and what it did."""

    sessions: int
    server: float
    worker: float
    event: Summary | None
    round_trip: Summary | None
    leads: tuple[float, float]
    gaps: int
    replies: int
    speech: float
    sounding: float
    lost: float
    outcome: load.Outcome

    @property
    def holds(self) -> bool:
        """Whether the latency bar is held, with everybody on the line."""
        if self.event is None or self.round_trip is None or self.outcome.refused:
            return False
        return self.event.p99 <= LIMIT and self.round_trip.p99 <= LIMIT and self.gaps <= 0.01 * self.replies

    @property
    def row(self) -> tuple[str, ...]:
        """For the table."""

        def both(summary: Summary | None) -> tuple[str, str]:
            return ("–", "–") if summary is None else (f"{summary.p50:.1f}", f"{summary.p99:.1f}")

        return (
            *(str(self.sessions), f"{self.server:.0%}", f"{self.worker:.0%}"),
            f"{(self.server + self.worker) * 60 / self.sessions:.2f}",
            *(*both(self.event), *both(self.round_trip), f"{self.leads[0]:.0f}", f"{self.leads[1]:.0f}"),
            *(f"{self.gaps}/{self.replies}", f"{self.speech:.0%}/{self.sounding:.0%}", f"{self.lost:.0%}"),
            "yes" if self.holds else "no",
        )


def measure(sessions: int, seconds: float) -> Level:
    """One load in a fresh server."""
    with Server(scenes.scripted(cores=(0,))) as server:
        plan = load.Plan(server.port, sessions, seconds + 2, scenes.steady(), MOVES, ping_every=1.0, warm_up=6.0, cores=(1,))
        running = load.start(plan)
        ramp = 3.0 + sessions * 0.008
        running.wait(ramp + plan.warm_up)
        before = server.usage()
        running.wait(seconds)
        after = server.usage()
        outcome = running.result()
    cpu = spent(before, after)
    ticks = max(1, sum(notes.ticks for notes in outcome.notes))
    leads = sorted(1000 * lead for notes in outcome.notes for lead in notes.leads) or [0.0]
    return Level(
        sessions,
        cpu["server"] / seconds,
        sum(value for name, value in cpu.items() if name != "server") / seconds,
        summarise(1000 * lag for notes in outcome.notes for lag in notes.event_lag),
        summarise(1000 * trip for notes in outcome.notes for trip in notes.round_trips),
        (percentile(leads, 0.5), percentile(leads, 0.01)),
        sum(len(notes.gaps) for notes in outcome.notes),
        sum(notes.replies for notes in outcome.notes),
        sum(notes.speech_ticks for notes in outcome.notes) / ticks,
        sum(notes.reply_seconds for notes in outcome.notes) / (ticks * 0.02),
        starved(before, after) / seconds,
        outcome,
    )


def run(options: Options) -> Result:
    """Fixed loads for the curve, then a search between the last that holds and the first that does not."""
    result = Result("capacity", "Sessions per core")
    if not present():
        result.skipped = ABSENT
        return result
    seconds = 6.0 if options.quick else 14.0
    levels = [measure(count, seconds) for count in ((100, 150) if options.quick else (50, 100, 150, 200, 300))]
    for _ in range(0 if options.quick else 2):
        low = max((level.sessions for level in levels if level.holds), default=0)
        high = min((level.sessions for level in levels if not level.holds and level.sessions > low), default=2 * low)
        middle = (low + high) // 20 * 10
        if middle in (low, high) or middle <= 0 or any(level.sessions == middle for level in levels):
            break
        levels.append(measure(middle, seconds))
    levels.sort(key=lambda level: level.sessions)
    best = max((level.sessions for level in levels if level.holds), default=0)
    result.figures.append(single("sessions on one core, p99 of added latency within 25 ms", "sessions", [best], (_BAR,)))
    for level in levels:
        if level.sessions in (100, 150):
            lags = [[1000 * lag for notes in level.outcome.notes for lag in notes.event_lag]]
            bars = (Bar("p99", LIMIT),) if level.sessions == 150 else ()
            result.figures.append(figure(f"added latency of events, {level.sessions} sessions", "ms", lags, bars))
    header = ("sessions", "server CPU", "worker CPU", "CPU-s/session-min", "event p50", "p99", "round trip p50", "p99")
    header += ("reply lead p50", "p1", "gaps/replies", "speech/reply share", "kept from its core", "holds")
    result.tables.append(Table("Load curve (latencies in ms)", header, tuple(level.row for level in levels)))
    result.notes += [f"{level.sessions}: {scenes.client_health([level.outcome])}" for level in levels]
    result.notes += [f"{level.sessions}: {text}" for level in levels for text in scenes.troubles([level.outcome])]
    return result


_BAR = Bar("value", 150.0, at_least=True)
