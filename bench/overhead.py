"""Platform overhead: voice to voice − the engines' own time − the wait decided for the turn.

Engines are scripted with exactly known latencies, voice activity detection is real. Two arms, because with speculation the
engines work *during* the wait and no simple difference says what the platform added:

- *serial*: speculation off, 200 ms of fixed silence. The transcript (60 ms behind the release) is ready inside the wait;
  then language model (80 ms), its tokens up to the first clause (75 ms) and voice (60 ms) follow one another. overhead =
  time to the first frame − 200 − 215 ms.
- *speculative*: as the product runs, 200 ms of fixed silence. The engines begin at the detector's release. The ideal is
  the longer of the wait (200 ms) and the path release 64 + 60 + 80 + 75 + 60 = 339 ms. overhead = time to the first frame
  − 339 ms. Nothing else is subtracted: the 0–20 ms until the microphone's frame is full, the detector's batching and both
  ways count.

The bar is held against the serial arm, where the formula needs no interpretation. In the speculative arm it would give a
negative number; what is reported there is the time over the ideal, of which the microphone's frame is 10 ms in the mean.

The wait counts from the last speech sample *as the detector placed it* (``speech_stopped.at``, a sample of the client's
own microphone, so no clocks are compared). How far that lies from the true last sample is the detector's doing, not the
platform's; it is reported as a line of its own, and so is the whole voice to voice time from the true last sample."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench import load, scenes
from bench.caller import Move
from bench.process import Server, spent, starved
from bench.result import Options, Result
from bench.speech import ABSENT, present
from bench.stats import Bar, figure

WAIT = 0.2
SERIAL = WAIT + scenes.FIRST_TOKEN + scenes.CLAUSE + scenes.TTS
SPECULATIVE = max(WAIT, scenes.RELEASE + scenes.ENGINES)
ARMS: tuple[tuple[str, float, Mapping[str, Any]], ...] = (
    ("serial", SERIAL, {"silence_ms": 200, "speculation": "off"}),
    ("speculative", SPECULATIVE, {"silence_ms": 200}),
)
MOVES = (Move(0.8),)
P50, P99 = Bar("p50", 10.0), Bar("p99", 30.0)


def run(options: Options) -> Result:
    """1, 5 and 20 sessions in one server."""
    result = Result("overhead", "Platform overhead")
    if not present():
        result.skipped = ABSENT
        return result
    repetitions = 1 if options.quick else 2
    for arm, ideal, hello in ARMS:
        for count in (20,) if options.quick else (1, 5, 20):
            seconds = (10.0 if options.quick else 12.0) * (1.5 if count == 1 else 1.0)
            _level(result, (arm, ideal, hello), count, seconds, repetitions)
    return result


def _level(result: Result, arm: tuple[str, float, Mapping[str, Any]], count: int, seconds: float, repetitions: int) -> None:
    label, ideal, hello = arm
    outcomes = []
    with Server(scenes.scripted()) as server:
        before = server.usage()
        for _ in range(repetitions):
            plan = load.Plan(server.port, count, seconds, scenes.steady(), MOVES, hello, gap=(0.3, 0.6), warm_up=2.0)
            outcomes.append(load.run(plan))
        after = server.usage()
    overheads = [
        [
            1000 * (t.first_audio - t.detected_end - ideal)
            for t in scenes.answered(outcome)
            if t.first_audio and t.detected_end and t.stops == 1
        ]
        for outcome in outcomes
    ]
    bars = (P50, P99) if count == 20 and label == "serial" else ()
    name = f"{label}, {count} session{'s' if count > 1 else ''}"
    result.figures.append(figure(f"overhead, {name}", "ms", overheads, bars))
    result.figures.append(
        figure(f"voice to voice from the true end, {name}", "ms", list(map(scenes.voice_to_voice, outcomes)))
    )
    if label == "serial" and count == 20:
        late = [
            [1000 * (t.detected_end - t.end) for t in scenes.answered(outcome) if t.detected_end and t.stops == 1]
            for outcome in outcomes
        ]
        result.figures.append(figure("the detector's last speech sample behind the true one", "ms", late))
    wall = sum(outcome.wall for outcome in outcomes)
    result.notes.append(
        f"{name}: {scenes.client_health(outcomes)}; server busy {spent(before, after)['server'] / wall:.0%}, "
        f"kept from its core {starved(before, after) / wall:.0%}"
    )
    result.notes += [f"{name}: {text}" for text in scenes.troubles(outcomes)]
