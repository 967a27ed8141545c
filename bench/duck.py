"""Duck: from the onset of speech at the microphone to ``paused`` at the client, over a reply that plays.

Real voice activity detection in its worker, `/ws/audio`, four sessions; the other engines are scripted. Onsets are spoken
words and sentences by several people, each used once or twice, in white noise of -65 dBFS. The true onset is from
``bench.speech``; that a word begins softly, and is heard as speech only some milliseconds later, counts."""

from __future__ import annotations

from bench import load, scenes
from bench.caller import Move
from bench.process import Server
from bench.result import Options, Result
from bench.speech import ABSENT, Utterance, present, sentences, words
from bench.stats import Bar, Figure, figure, share

MOVES = (Move(0.7, barge=True),)
CALLERS = 4


def run(options: Options) -> Result:
    """Every utterance is spoken over the reply to the one before."""
    result = Result("duck", "Speech onset to ducked reply")
    if not present():
        result.skipped = ABSENT
        return result
    singles = words()[:: 12 if options.quick else 4]
    people = tuple(u for u in sentences() if u.seconds <= 4.0)
    mixed = tuple(u for pair in zip(singles, _repeat(people, len(singles)), strict=True) for u in pair)
    outcomes = []
    with Server(scenes.scripted()) as server:
        for _ in range(1 if options.quick else 2):
            plan = load.Plan(server.port, CALLERS, 10.0 if options.quick else 34.0, mixed, MOVES, {"silence_ms": 200})
            outcomes.append(load.run(plan))
    over = [[t for t in scenes.turns([outcome]) if t.over_reply] for outcome in outcomes]
    result.figures += [
        figure(
            "speech onset to paused, recorded speech",
            "ms",
            [[1000 * (t.paused - t.onset) for t in some if t.paused is not None] for some in over],
            (Bar("p95", 120.0),),
        ),
        figure(
            "speech onset to interrupted",
            "ms",
            [[1000 * (t.interrupted - t.onset) for t in some if t.interrupted is not None] for some in over],
        ),
    ]
    every = [t for some in over for t in some]
    missed = sum(t.paused is None for t in every)
    result.figures.append(Figure("onsets that never paused the reply", "%", value=share(missed, len(every))))
    result.notes.append(
        f"{len(every)} onsets from {len({t.name for t in every})} recordings; negative times are detections before the "
        "energy of the onset passed the threshold of the truth."
    )
    result.notes += [scenes.client_health(outcomes), *scenes.troubles(outcomes)]
    return result


def _repeat(items: tuple[Utterance, ...], count: int) -> list[Utterance]:
    return [items[number % len(items)] for number in range(count)]
